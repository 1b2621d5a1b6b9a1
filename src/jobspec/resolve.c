/* What the rest of hawk asks a checked config. The full document has every field, of the right
 * type. */

#include <stdlib.h>

#include "jobspec/jobspec.h"
#include "jobspec/schema.h"

static const char *text_of(Arena *arena, Str s)
{
    return s.p ? arena_strndup(arena, s.p, s.n) : NULL;
}

const Json *jobspec_field(const Jobspec *spec, const char *name)
{
    return schema_field(schema_of(spec->kind), str_of(name)) ? json_get(spec->full, name) : NULL;
}

Str jobspec_name(const Jobspec *spec)
{
    return json_text(spec->full, "name", str_of(jobspec_kind_name(spec->kind)));
}

Str jobspec_pinned_id(const Jobspec *spec)
{
    const Json *id = jobspec_field(spec, "eval_set_id");
    return id && id->type == JSON_STRING ? id->text : STR_NONE;
}

static void add_package(Arena *arena, JobspecItems *ret, const Json *package, const char *path,
                        Str role)
{
    Str spec = json_text(package, "package", STR_NONE);
    Str prefix = json_text(package, "name", STR_NONE);
    bool is_builtin = str_eqz(spec, "inspect-ai");
    size_t i = 0;
    for (const Json *item = json_get(package, "items")->first; item; item = item->next, i++) {
        Str name = json_text(item, "name", STR_NONE);
        ret->items[ret->n++] = (JobspecItem){
            .qualified = is_builtin
                             ? text_of(arena, name)
                             : arena_printf(arena, "%.*s/%.*s", STR_ARG(prefix), STR_ARG(name)),
            .name = text_of(arena, name),
            .package = text_of(arena, spec),
            .role = text_of(arena, role),
            .path = arena_printf(arena, "%s.items[%zu]", path, i),
            .is_builtin = is_builtin,
            .node = item,
        };
    }
}

static size_t count_items(const Json *packages)
{
    size_t n = 0;
    for (const Json *package = packages ? packages->first : NULL; package; package = package->next)
        n += json_get(package, "items")->n;
    return n;
}

/* The packages of a field, a list or a map of roles. */
static void add_list(Arena *arena, JobspecItems *ret, const Jobspec *spec, const char *list)
{
    const Json *packages = jobspec_field(spec, list);
    size_t i = 0;
    for (const Json *package = packages ? packages->first : NULL; package;
         package = package->next, i++) {
        bool is_map = packages->type == JSON_OBJECT;
        const char *path = is_map ? arena_printf(arena, "%s.%.*s", list, STR_ARG(package->key))
                                  : arena_printf(arena, "%s[%zu]", list, i);
        add_package(arena, ret, package, path, is_map ? package->key : STR_NONE);
    }
}

JobspecItems jobspec_items(Arena *arena, const Jobspec *spec, const char *list)
{
    JobspecItems ret = {0};
    size_t n = count_items(jobspec_field(spec, list));
    ret.items = arena_array(arena, n + 1, sizeof(*ret.items));
    add_list(arena, &ret, spec, list);
    return ret;
}

JobspecItems jobspec_models(Arena *arena, const Jobspec *spec)
{
    const Json *scan = jobspec_field(spec, "scan");
    const Json *scan_model = json_get(scan, "model");
    size_t n = count_items(jobspec_field(spec, "models")) +
               count_items(jobspec_field(spec, "model_roles")) + 1;
    JobspecItems ret = {.items = arena_array(arena, n + 1, sizeof(*ret.items))};
    add_list(arena, &ret, spec, "models");
    add_list(arena, &ret, spec, "model_roles");
    if (scan_model && scan_model->type == JSON_OBJECT)
        add_package(arena, &ret, scan_model, "scan.model", STR_NONE);
    return ret;
}

bool jobspec_is_no_model(const char *name)
{
    return !name[0] || strcmp(name, "none") == 0 || strcmp(name, "none/none") == 0;
}

static void add_secret_list(Arena *arena, JobspecSecrets *ret, size_t *cap, const Json *secrets)
{
    for (const Json *secret = secrets ? secrets->first : NULL; secret; secret = secret->next) {
        if (ret->n == *cap) {
            *cap = *cap ? 2 * *cap : 16;
            JobspecSecret *grown = arena_array(arena, *cap, sizeof(*grown));
            for (size_t i = 0; i < ret->n; i++)
                grown[i] = ret->items[i];
            ret->items = grown;
        }
        ret->items[ret->n++] = (JobspecSecret){
            .name = text_of(arena, json_text(secret, "name", STR_NONE)),
            .description = text_of(arena, json_text(secret, "description", STR_NONE)),
            .is_aws = str_eqz(json_text(secret, "type", STR_NONE), "aws-secrets-manager"),
            .arn = text_of(arena, json_text(secret, "arn", STR_NONE)),
            .secret_name = text_of(arena, json_text(secret, "secret_name", STR_NONE)),
        };
    }
}

static void add_secrets(Arena *arena, JobspecSecrets *ret, size_t *cap, const Json *owner)
{
    add_secret_list(arena, ret, cap, json_get(owner, "secrets"));
}

static void add_item_secrets(Arena *arena, JobspecSecrets *ret, size_t *cap, const Json *packages)
{
    for (const Json *package = packages ? packages->first : NULL; package; package = package->next)
        for (const Json *item = json_get(package, "items")->first; item; item = item->next)
            add_secrets(arena, ret, cap, item);
}

/* Names are unique: loading refuses a config that repeats one. */
JobspecSecrets jobspec_secrets(Arena *arena, const Jobspec *spec)
{
    JobspecSecrets ret = {0};
    size_t cap = 0;
    add_item_secrets(arena, &ret, &cap, jobspec_field(spec, "tasks"));
    add_item_secrets(arena, &ret, &cap, jobspec_field(spec, "scanners"));
    add_item_secrets(arena, &ret, &cap, json_get(jobspec_field(spec, "scan"), "scanners"));
    add_secret_list(arena, &ret, &cap, jobspec_field(spec, "secrets"));
    add_secrets(arena, &ret, &cap, jobspec_field(spec, "runner"));
    return ret;
}

JobspecStrings jobspec_scanned_ids(Arena *arena, const Jobspec *spec)
{
    JobspecStrings ret = {0};
    const Json *sources = json_get(jobspec_field(spec, "transcripts"), "sources");
    ret.items = arena_array(arena, (sources ? sources->n : 0) + 1, sizeof(*ret.items));
    for (const Json *source = sources ? sources->first : NULL; source; source = source->next)
        ret.items[ret.n++] = text_of(arena, json_text(source, "eval_set_id", STR_NONE));
    return ret;
}

void jobspec_write(const Jobspec *spec, JsonOut *out)
{
    json_out_node(out, spec->full);
}

/* UTF-8 of four bytes is what lies above U+FFFF. */
static bool text_has_non_bmp(Str s, uint32_t *ret_codepoint)
{
    for (size_t i = 0; i + 3 < s.n; i++) {
        const unsigned char *p = (const unsigned char *)s.p + i;
        if (p[0] < 0xf0)
            continue;
        if (ret_codepoint)
            *ret_codepoint = (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 63) << 12 |
                             (uint32_t)(p[2] & 63) << 6 | (uint32_t)(p[3] & 63);
        return true;
    }
    return false;
}

bool jobspec_has_non_bmp(const Json *node, uint32_t *ret_codepoint)
{
    if (text_has_non_bmp(node->key, ret_codepoint))
        return true;
    if (node->type == JSON_STRING && text_has_non_bmp(node->text, ret_codepoint))
        return true;
    for (const Json *child = node->first; child; child = child->next)
        if (jobspec_has_non_bmp(child, ret_codepoint))
            return true;
    return false;
}
