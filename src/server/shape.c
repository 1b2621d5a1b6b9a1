/* Reads the notation from left to right; what makes lists and maps stands behind and is taken off
   first. */

#include "server/shape.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

enum { REF_MAX = 256 };

typedef struct BaseRow {
    const char *word;
    const char *type;   /* NULL: anything */
    const char *format; /* or NULL */
    const char *min;    /* how its bounds are called; NULL: it has none */
    const char *max;
} BaseRow;

/* clang-format off */
static const BaseRow bases[] = {
    { "str",    "string",  NULL,        "minLength", "maxLength" },
    { "int",    "integer", NULL,        "minimum",   "maximum" },
    { "num",    "number",  NULL,        "minimum",   "maximum" },
    { "bool",   "boolean", NULL,        NULL,        NULL },
    { "time",   "string",  "date-time", NULL,        NULL },
    { "object", "object",  NULL,        NULL,        NULL },
    { "null",   "null",    NULL,        NULL,        NULL },
    { "any",    NULL,      NULL,        NULL,        NULL },
};
/* clang-format on */

bool shape_split(Str *rest, char separator, Str *ret)
{
    int depth = 0;
    bool is_quoted = false;
    if (!rest->p)
        return false;
    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->p[i];
        if (c == separator && depth == 0 && !is_quoted) {
            *ret = str_trim(str_slice(*rest, 0, i));
            *rest = str_slice(*rest, i + 1, rest->n);
            return true;
        }
        if (c == '\'')
            is_quoted = !is_quoted;
        else if (!is_quoted && (c == '{' || c == '('))
            depth++;
        else if (!is_quoted && (c == '}' || c == ')'))
            depth--;
    }
    assert(depth == 0 && !is_quoted);
    *ret = str_trim(*rest);
    *rest = STR_NONE;
    return true;
}

bool shape_field(Str *rest, ShapeField *ret)
{
    Str text = STR_NONE;
    if (!shape_split(rest, ';', &text) || text.n == 0)
        return false;
    ShapeField field = {0};
    bool has_name = shape_split(&text, ':', &field.name);
    if (!has_name || !text.p) { /* "..." */
        *ret = (ShapeField){.name = field.name};
        return true;
    }
    (void)shape_split(&text, '=', &field.shape);
    if (text.p)
        field.otherwise = str_trim(text);
    field.may_lack = field.otherwise.p || str_ends(field.name, STR("?"));
    if (str_ends(field.name, STR("?")))
        field.name = str_slice(field.name, 0, field.name.n - 1);
    *ret = field;
    return true;
}

/* Takes "(min..max)" off the end. */
static Str take_bounds(Str *part)
{
    ptrdiff_t open = str_rfind(*part, '(');
    if (!str_ends(*part, STR(")")) || open < 0)
        return STR_NONE;
    Str inner = str_slice(*part, (size_t)open + 1, part->n - 1);
    *part = str_slice(*part, 0, (size_t)open);
    return inner;
}

static bool take_suffix(Str *part, Str suffix)
{
    if (part->n <= suffix.n || !str_ends(*part, suffix))
        return false;
    *part = str_slice(*part, 0, part->n - suffix.n);
    return true;
}

static void write_bound(const char *name, Str number, JsonOut *out)
{
    int64_t value = 0;
    if (number.n == 0)
        return;
    int rc = str_to_i64(number, INT64_MIN, INT64_MAX, &value);
    assert(rc == 0);
    (void)rc;
    json_out_kv_int(out, name, value);
}

static void write_bounds(Str range, const char *min, const char *max, JsonOut *out)
{
    ptrdiff_t dots = range.p ? str_find_str(range, STR("..")) : -1;
    assert((range.p == NULL) == (dots < 0) && (dots < 0 || min));
    if (dots < 0)
        return;
    write_bound(min, str_slice(range, 0, (size_t)dots), out);
    write_bound(max, str_slice(range, (size_t)dots + 2, range.n), out);
}

static void write_name(Str name, JsonOut *out)
{
    assert(name.n > 0 && name.p[0] >= 'A' && name.p[0] <= 'Z');
    auto_buf Buf ref = BUF_INIT(REF_MAX);
    buf_printf(&ref, "#/components/schemas/%.*s", STR_ARG(name));
    json_out_kv_str(out, "$ref", buf_str(&ref));
}

static void write_members(Str fields, JsonOut *out);

static void write_base(Str base, Str range, JsonOut *out)
{
    if (str_starts(base, STR("{"))) {
        write_members(str_slice(base, 1, base.n - 1), out);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        if (!str_eqz(base, bases[i].word))
            continue;
        if (bases[i].type)
            json_out_kvz(out, "type", bases[i].type);
        if (bases[i].format)
            json_out_kvz(out, "format", bases[i].format);
        if (strcmp(bases[i].word, "object") == 0)
            json_out_kv_bool(out, "additionalProperties", true);
        write_bounds(range, bases[i].min, bases[i].max, out);
        return;
    }
    write_name(base, out);
}

/* The members of the schema of one part, without its "?". */
static void write_part(Str part, JsonOut *out)
{
    Str range = take_bounds(&part);
    if (take_suffix(&part, STR("[]"))) {
        json_out_kvz(out, "type", "array");
        json_out_kv_object(out, "items");
        write_part(part, out);
        json_out_end_object(out);
        write_bounds(range, "minItems", "maxItems", out);
        return;
    }
    if (take_suffix(&part, STR("{}"))) {
        json_out_kvz(out, "type", "object");
        json_out_kv_object(out, "additionalProperties");
        write_part(part, out);
        json_out_end_object(out);
        return;
    }
    write_base(part, range, out);
}

/* What the parts of a shape come to. */
typedef struct Parts {
    size_t n_words; /* in quotes */
    size_t n_others;
    bool has_null;
} Parts;

static bool is_word(Str part)
{
    return str_starts(part, STR("'"));
}

static Parts count_parts(Str shape)
{
    Parts parts = {0};
    Str part = STR_NONE;
    while (shape_split(&shape, '|', &part)) {
        parts.has_null = take_suffix(&part, STR("?")) || parts.has_null;
        if (is_word(part))
            parts.n_words++;
        else
            parts.n_others++;
    }
    return parts;
}

static void write_words(Str shape, JsonOut *out)
{
    Str part = STR_NONE;
    json_out_kvz(out, "type", "string");
    json_out_kv_array(out, "enum");
    while (shape_split(&shape, '|', &part)) {
        (void)take_suffix(&part, STR("?"));
        if (is_word(part))
            json_out_str(out, str_slice(part, 1, part.n - 1));
    }
    json_out_end_array(out);
}

static void write_alternatives(Str shape, const Parts *parts, JsonOut *out)
{
    Str part = STR_NONE;
    json_out_kv_array(out, "anyOf");
    if (parts->n_words > 0) {
        json_out_object(out);
        write_words(shape, out);
        json_out_end_object(out);
    }
    while (shape_split(&shape, '|', &part)) {
        (void)take_suffix(&part, STR("?"));
        if (is_word(part))
            continue;
        json_out_object(out);
        write_part(part, out);
        json_out_end_object(out);
    }
    if (parts->has_null) {
        json_out_object(out);
        json_out_kvz(out, "type", "null");
        json_out_end_object(out);
    }
    json_out_end_array(out);
}

static void write_shape(Str shape, JsonOut *out)
{
    const Parts parts = count_parts(shape);
    if (parts.has_null || (parts.n_words > 0) + parts.n_others > 1)
        write_alternatives(shape, &parts, out);
    else if (parts.n_words > 0)
        write_words(shape, out);
    else
        write_part(shape, out);
}

static void write_default(Str otherwise, JsonOut *out)
{
    json_out_key(out, STR("default"));
    if (is_word(otherwise))
        json_out_str(out, str_slice(otherwise, 1, otherwise.n - 1));
    else
        json_out_raw(out, otherwise);
}

void shape_write_field(const ShapeField *field, JsonOut *out)
{
    json_out_object(out);
    write_shape(field->shape, out);
    if (field->otherwise.p)
        write_default(field->otherwise, out);
    json_out_end_object(out);
}

static void write_members(Str fields, JsonOut *out)
{
    ShapeField field = {0};
    Str rest = fields;
    bool is_open = false;
    json_out_kvz(out, "type", "object");
    json_out_kv_object(out, "properties");
    while (shape_field(&rest, &field)) {
        is_open = is_open || !field.shape.p;
        if (!field.shape.p)
            continue;
        json_out_key(out, field.name);
        shape_write_field(&field, out);
    }
    json_out_end_object(out);
    json_out_kv_array(out, "required");
    for (rest = fields; shape_field(&rest, &field);)
        if (field.shape.p && !field.may_lack)
            json_out_str(out, field.name);
    json_out_end_array(out);
    if (is_open)
        json_out_kv_bool(out, "additionalProperties", true);
}

void shape_write(Str shape, JsonOut *out)
{
    json_out_object(out);
    write_shape(str_trim(shape), out);
    json_out_end_object(out);
}

void shape_write_object(Str fields, JsonOut *out)
{
    json_out_object(out);
    write_members(fields, out);
    json_out_end_object(out);
}
