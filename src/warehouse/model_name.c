/* Names of models are paths: provider/model, provider/service/model, provider/lab/model. */

#include "warehouse/model_name.h"

#include "base/buf.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"

/* Behind these comes the lab that made the model. */
static const char *const lab_providers[] = {"openai-api", "openrouter", "together", "hf"};

/* Behind these may come a service that runs the model. */
static const char *const service_providers[] = {"anthropic", "google", "mistral", "openai"};
static const char *const services[] = {"azure", "bedrock", "vertex"};

/* Whose own names have a lab in front. */
static const char *const catalogues[] = {"openrouter", "together"};

static const char *const no_models[] = {"none", "none/none"};

enum { KEYS_MAX = 16 * 1024 * 1024 };

static bool is_one_of(Str name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eqz(name, names[i]))
            return true;
    return false;
}
#define IS_ONE_OF(name, names) is_one_of(name, names, ARRAY_LEN(names))

/* Where a name is or would be. */
static size_t place_of(const ModelNames *names, Str name)
{
    size_t from = 0;
    size_t to = names->n;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (str_cmp(names->items[middle], name) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

bool model_names_has(const ModelNames *names, Str name)
{
    size_t at = place_of(names, name);
    return at < names->n && str_eq(names->items[at], name);
}

void model_names_add(ModelNames *names, Str name)
{
    size_t at = place_of(names, name);
    bool is_there = at < names->n && str_eq(names->items[at], name);
    if (name.n == 0 || is_there || names->n == MODEL_NAMES_MAX)
        return;
    if (names->n == names->room) {
        names->room = names->room ? names->room * 2 : 8;
        Str *grown = arena_array(names->arena, names->room, sizeof(*grown));
        if (names->n > 0)
            memcpy(grown, names->items, names->n * sizeof(*grown));
        names->items = grown;
    }
    memmove(names->items + at + 1, names->items + at, (names->n - at) * sizeof(Str));
    names->items[at] = arena_str(names->arena, name);
    names->n++;
}

/* What is behind the first '/'; an empty rest is the whole. */
static Str behind_slash(Str path, Str *ret_first)
{
    ptrdiff_t slash = str_find(path, '/');
    if (slash < 0)
        return STR_NONE;
    *ret_first = str_slice(path, 0, (size_t)slash);
    return str_slice(path, (size_t)slash + 1, path.n);
}

/* Of "lab" or "/lab" without a model: what is not empty, or the whole name. */
static Str without_lab(Str name, Str rest)
{
    return rest.n > 0 ? rest : name;
}

Str model_name_canonical(Str name)
{
    Str provider = STR_NONE;
    Str second = STR_NONE;
    Str rest = behind_slash(name, &provider);
    if (!rest.p)
        return name;
    Str model = behind_slash(rest, &second);
    if (IS_ONE_OF(provider, lab_providers))
        return model.p ? model : without_lab(name, rest);
    if (model.p && IS_ONE_OF(provider, service_providers) && IS_ONE_OF(second, services))
        return model;
    return rest;
}

Str model_name_resolve(Str name, const ModelNames *called)
{
    Str best = STR_NONE;
    for (size_t i = 0; called && i < called->n; i++)
        if (called->items[i].n > best.n &&
            (str_eq(name, called->items[i]) || str_ends_path(name, called->items[i])))
            best = called->items[i];
    return best.p ? best : model_name_canonical(name);
}

Str model_name_registry(Str name)
{
    if (str_trim(name).n == 0 || IS_ONE_OF(name, no_models))
        return STR_NONE;
    Str provider = STR_NONE;
    Str second = STR_NONE;
    Str rest = behind_slash(name, &provider);
    if (!rest.p || !IS_ONE_OF(provider, catalogues))
        return model_name_canonical(name);
    Str third = behind_slash(rest, &second);
    bool has_two_slashes = third.p && str_find(third, '/') < 0;
    return has_two_slashes ? name : without_lab(name, rest);
}

/* The key as text; keys as the scanner gives them have their escapes. */
static Str plain_key(Str key, Arena *arena)
{
    Str plain = key;
    if (str_find(key, '\\') >= 0)
        (void)json_scan_key_str(key, arena, &plain);
    return plain;
}

/* Whether resolving the keys changes any. */
static bool has_other_keys(Str json, const ModelNames *called, Arena *arena)
{
    JsonScan scan;
    Str key = STR_NONE;
    json_scan_init(&scan, json, true);
    (void)json_scan_object(&scan);
    while (json_scan_member(&scan, &key)) {
        Str plain = plain_key(key, arena);
        if (!str_eq(model_name_resolve(plain, called), plain))
            return true;
    }
    return false;
}

Str model_name_resolve_keys(Str json, const ModelNames *called, Arena *arena)
{
    if (json_scan_kind_of(json) != JSON_SCAN_OBJECT || !has_other_keys(json, called, arena))
        return json;
    auto_buf Buf text = BUF_INIT(KEYS_MAX);
    JsonOut out;
    JsonScan scan;
    Str key = STR_NONE;
    Str value = STR_NONE;
    json_out_init(&out, &text, 0);
    json_scan_init(&scan, json, true);
    (void)json_scan_object(&scan);
    json_out_object(&out);
    while (json_scan_member(&scan, &key)) {
        if (!json_scan_skip(&scan, &value))
            break;
        json_out_key(&out, model_name_resolve(plain_key(key, arena), called));
        json_out_raw(&out, value);
    }
    json_out_end_object(&out);
    return text.overflowed ? json : arena_str(arena, buf_str(&text));
}
