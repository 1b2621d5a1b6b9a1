/* Paths come in the order of the tables, each with all of its methods; then the shapes, those of
   job configs from the tables that check them. */

#include "server/openapi.h"

#include <assert.h>
#include <string.h>

#include "access/identity.h"
#include "base/str.h"
#include "http/problem.h"
#include "jobspec/schema.h"

enum { NAME_BYTES_MAX = 256, CONFIG_SCHEMA_MAX = 4 << 20 };

/* Every answer of 400 and above that a row does not name. */
static const Shape problem = {
    "Problem",
    "title: str; status: int; detail: str; instance?: str; code?: str; fix?: str",
};

static const char *const permission_names[] = {
    [ROUTE_OPEN] = "open",
    [ROUTE_READ] = "read",
    [ROUTE_CHANGE] = "change",
    [ROUTE_JOB] = "job",
};

/* --- names --- */

/* The pattern as OpenAPI has it: {log*} is {log}. */
static Str path_of(const Route *route, Buf *buf)
{
    for (const char *p = route->pattern; *p; p++)
        if (*p != '*')
            buf_addc(buf, *p);
    return buf_str(buf);
}

static void add_method(const Route *route, Buf *ret)
{
    for (const char *p = route->method; *p; p++)
        buf_addc(ret, (char)(*p | 0x20));
}

/* "get_meta_eval_sets"; a slash at the end is a line at the end, since both are routes. */
static void write_operation_id(const Route *route, JsonOut *out)
{
    auto_buf Buf id = BUF_INIT(NAME_BYTES_MAX);
    bool is_gap = true;
    add_method(route, &id);
    for (const char *p = route->pattern; *p; p++) {
        bool is_letter = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
        if (is_letter && is_gap)
            buf_addc(&id, '_');
        if (is_letter)
            buf_addc(&id, *p);
        is_gap = !is_letter;
    }
    if (str_ends(str_of(route->pattern), STR("/")))
        buf_addc(&id, '_');
    json_out_kv_str(out, "operationId", buf_str(&id));
}

static void write_tags(const Route *route, JsonOut *out)
{
    Str rest = str_of(route->pattern + 1);
    Str tag = STR_NONE;
    (void)str_split(&rest, '/', &tag);
    json_out_kv_array(out, "tags");
    json_out_str(out, tag.n > 0 ? tag : STR("pages"));
    json_out_end_array(out);
}

/* --- what goes in --- */

static void write_parameter(const ShapeField *field, const char *place, JsonOut *out)
{
    json_out_object(out);
    json_out_kv_str(out, "name", field->name);
    json_out_kvz(out, "in", place);
    json_out_kv_bool(out, "required", !field->may_lack);
    json_out_key(out, STR("schema"));
    shape_write_field(field, out);
    json_out_end_object(out);
}

static void write_parameters(const Route *route, JsonOut *out)
{
    Str segments = str_of(route->pattern);
    Str segment = STR_NONE;
    ShapeField field = {0};
    json_out_kv_array(out, "parameters");
    while (str_split(&segments, '/', &segment)) {
        if (!str_starts(segment, STR("{")))
            continue;
        size_t end = segment.n - (str_ends(segment, STR("*}")) ? 2 : 1);
        field = (ShapeField){.name = str_slice(segment, 1, end), .shape = STR("str")};
        write_parameter(&field, "path", out);
    }
    for (Str rest = str_of(route->query); shape_field(&rest, &field);)
        write_parameter(&field, "query", out);
    json_out_end_array(out);
}

static void write_content(Str media, Str shape, JsonOut *out)
{
    json_out_key(out, media);
    json_out_object(out);
    json_out_key(out, STR("schema"));
    shape_write(shape, out);
    json_out_end_object(out);
}

/* Whether a text names media types instead of a shape. */
static bool is_media(Str text)
{
    return str_find(text, '/') >= 0 && str_find(text, '\'') < 0;
}

/* "content" of JSON of a shape, or of media types with commas between. */
static void write_contents(Str text, JsonOut *out)
{
    Str media = STR_NONE;
    json_out_kv_object(out, "content");
    if (!is_media(text))
        write_content(STR("application/json"), text, out);
    else
        while (shape_split(&text, ',', &media))
            write_content(media, STR("any"), out);
    json_out_end_object(out);
}

static void write_body(const Route *route, JsonOut *out)
{
    Str body = str_of(route->body);
    if (!body.p)
        return;
    bool may_lack = str_ends(body, STR("?"));
    json_out_kv_object(out, "requestBody");
    json_out_kv_bool(out, "required", !may_lack);
    write_contents(str_slice(body, 0, body.n - may_lack), out);
    json_out_end_object(out);
}

/* --- what comes out --- */

static void write_answer(const Route *route, Str text, JsonOut *out)
{
    int64_t status = 200;
    char key[8] = "200";
    ptrdiff_t space = str_find(text, ' ');
    Str first = str_slice(text, 0, space < 0 ? text.n : (size_t)space);
    if (str_to_i64(first, 100, 599, &status) == 0) {
        memcpy(key, first.p, first.n);
        text = str_trim(str_slice(text, first.n, text.n));
    }
    json_out_kv_object(out, key);
    json_out_kvz(out, "description", status < 400 ? route->summary : problem_title((int)status));
    if (text.n > 0)
        write_contents(text, out);
    json_out_end_object(out);
}

static void write_ref(const char *key, const char *ref, JsonOut *out)
{
    json_out_kv_object(out, key);
    json_out_kvz(out, "$ref", ref);
    json_out_end_object(out);
}

static void write_answers(const Route *route, JsonOut *out)
{
    Str rest = str_of(route->answer);
    Str text = STR_NONE;
    json_out_kv_object(out, "responses");
    while (shape_split(&rest, ';', &text))
        write_answer(route, text, out);
    bool is_plain = route_has_plain_errors(str_of(route->pattern));
    if (route->permission != ROUTE_OPEN && !route_has_json_logins(str_of(route->pattern)))
        write_ref("401", "#/components/responses/LoginNeeded", out);
    write_ref("default",
              is_plain ? "#/components/responses/PlainProblem" : "#/components/responses/Problem",
              out);
    json_out_end_object(out);
}

static void write_security(const Route *route, JsonOut *out)
{
    static const char *const schemes[] = {"bearer", "session"};
    size_t n = route->permission == ROUTE_OPEN  ? 0
               : route->permission == ROUTE_JOB ? 1
                                                : ARRAY_LEN(schemes);
    json_out_kv_array(out, "security");
    for (size_t i = 0; i < n; i++) {
        json_out_object(out);
        json_out_kv_array(out, schemes[i]);
        json_out_end_array(out);
        json_out_end_object(out);
    }
    json_out_end_array(out);
}

/* --- paths --- */

static void write_operation(const Route *route, JsonOut *out)
{
    auto_buf Buf method = BUF_INIT(NAME_BYTES_MAX);
    add_method(route, &method);
    json_out_key(out, buf_str(&method));
    json_out_object(out);
    json_out_kvz(out, "summary", route->summary);
    write_operation_id(route, out);
    write_tags(route, out);
    json_out_kvz(out, "x-permission", permission_names[route->permission]);
    write_parameters(route, out);
    write_body(route, out);
    write_answers(route, out);
    write_security(route, out);
    json_out_end_object(out);
}

static bool is_first_of_path(const RouteTable *const *tables, size_t n_tables, const Route *route)
{
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t]->n; i++)
            if (strcmp(tables[t]->rows[i].pattern, route->pattern) == 0)
                return &tables[t]->rows[i] == route;
    return false;
}

/* A path with all of its methods, once. */
static void write_path(const RouteTable *const *tables, size_t n_tables, const Route *first,
                       JsonOut *out)
{
    auto_buf Buf path = BUF_INIT(NAME_BYTES_MAX);
    if (!is_first_of_path(tables, n_tables, first))
        return;
    json_out_key(out, path_of(first, &path));
    json_out_object(out);
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t]->n; i++)
            if (strcmp(tables[t]->rows[i].pattern, first->pattern) == 0)
                write_operation(&tables[t]->rows[i], out);
    json_out_end_object(out);
}

static void write_paths(const RouteTable *const *tables, size_t n_tables, JsonOut *out)
{
    json_out_kv_object(out, "paths");
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t]->n; i++)
            write_path(tables, n_tables, &tables[t]->rows[i], out);
    json_out_end_object(out);
}

/* --- components --- */

static void write_shapes(const RouteTable *const *tables, size_t n_tables, JsonOut *out)
{
    for (size_t t = 0; t < n_tables; t++) {
        for (size_t i = 0; i < tables[t]->n_shapes; i++) {
            json_out_key(out, str_of(tables[t]->shapes[i].name));
            shape_write_object(str_of(tables[t]->shapes[i].fields), out);
        }
    }
    json_out_key(out, str_of(problem.name));
    shape_write_object(str_of(problem.fields), out);
}

/* References into the document that the schema was, as ones into ours. */
static void move_refs(Arena *arena, Json *node)
{
    static const char from[] = "#/definitions/";
    if (node->type == JSON_STRING && str_eqz(node->key, "$ref") &&
        str_starts(node->text, str_of(from)))
        node->text =
            str_of(arena_printf(arena, "#/components/schemas/%.*s",
                                STR_ARG(str_slice(node->text, strlen(from), node->text.n))));
    if (node->type == JSON_OBJECT || node->type == JSON_ARRAY)
        for (Json *child = node->first; child; child = child->next)
            move_refs(arena, child);
}

static void write_members_of(const Json *node, const Json *before, JsonOut *out)
{
    for (const Json *child = node ? node->first : NULL; child; child = child->next) {
        if (before && json_get_str(before, child->key))
            continue;
        json_out_key(out, child->key);
        json_out_node(out, child);
    }
}

/* The config of an eval set or a scan, and what it is made of but for what is in `before`, which
   may be NULL. Returns what it is made of. */
static const Json *write_config(Arena *arena, JobspecKind kind, const char *name,
                                const Json *before, JsonOut *out)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(CONFIG_SCHEMA_MAX);
    JsonOut schema;
    Json *root = NULL;
    json_out_init(&schema, &text, 0);
    schema_write(kind, &schema);
    int rc = json_parse(arena, arena_str(arena, buf_str(&text)), &json_limits_config, &root, &err);
    assert(rc == 0);
    if (rc < 0)
        return NULL;
    move_refs(arena, root);
    json_out_kv_object(out, name);
    for (const Json *child = root->first; child; child = child->next) {
        if (str_eqz(child->key, "$schema") || str_eqz(child->key, "definitions"))
            continue;
        json_out_key(out, child->key);
        json_out_node(out, child);
    }
    json_out_end_object(out);
    const Json *parts = json_get(root, "definitions");
    write_members_of(parts, before, out);
    return parts;
}

typedef struct ErrorRow {
    const char *name;
    const char *description;
    const char *media; /* types with a comma behind each but the last */
} ErrorRow;

#define WRONG "what is wrong, and what to do about it"

/* clang-format off */
static const ErrorRow errors[] = {
    { "Problem",      WRONG, PROBLEM_CONTENT_TYPE },
    { "PlainProblem", WRONG, "application/json" },
    { "LoginNeeded",  "who is asking is not known; browsers get a page that says so", "text/plain,text/html" },
};
/* clang-format on */

static void write_errors(JsonOut *out)
{
    json_out_kv_object(out, "responses");
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        Str rest = str_of(errors[i].media);
        Str media = STR_NONE;
        json_out_kv_object(out, errors[i].name);
        json_out_kvz(out, "description", errors[i].description);
        json_out_kv_object(out, "content");
        while (shape_split(&rest, ',', &media))
            write_content(media,
                          str_starts(media, STR("text/")) ? STR("any") : str_of(problem.name), out);
        json_out_end_object(out);
        json_out_end_object(out);
    }
    json_out_end_object(out);
}

static void write_schemes(JsonOut *out)
{
    json_out_kv_object(out, "securitySchemes");
    json_out_kv_object(out, "bearer");
    json_out_kvz(out, "type", "http");
    json_out_kvz(out, "scheme", "bearer");
    json_out_end_object(out);
    json_out_kv_object(out, "session");
    json_out_kvz(out, "type", "apiKey");
    json_out_kvz(out, "in", "cookie");
    json_out_kvz(out, "name", IDENTITY_COOKIE);
    json_out_end_object(out);
    json_out_end_object(out);
}

void openapi_write(const RouteTable *const *tables, size_t n_tables, Arena *arena, JsonOut *out)
{
    json_out_object(out);
    json_out_kvz(out, "openapi", "3.1.0");
    json_out_kv_object(out, "info");
    json_out_kvz(out, "title", "hawk");
    json_out_kvz(out, "version", HAWK_VERSION);
    json_out_end_object(out);
    write_paths(tables, n_tables, out);
    json_out_kv_object(out, "components");
    json_out_kv_object(out, "schemas");
    write_shapes(tables, n_tables, out);
    const Json *parts = write_config(arena, JOBSPEC_EVAL_SET, "EvalSetConfig", NULL, out);
    (void)write_config(arena, JOBSPEC_SCAN, "ScanConfig", parts, out);
    json_out_end_object(out);
    write_errors(out);
    write_schemes(out);
    json_out_end_object(out);
    json_out_end_object(out);
}
