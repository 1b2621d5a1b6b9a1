/* Reading .models.json. */

#include "warehouse/importer/import_groups.h"

#include "base/mem.h"
#include "codec/json_out.h"

enum { FILE_MAX = 1024 * 1024 };

/* A group that nobody is in. */
#define NO_GROUPS "[\"__unresolved__\"]"

/* The groups, or NULL when the file does not name them as it should. */
static const Json *groups_of(Arena *arena, Str text)
{
    auto_error Error ignored = ERROR_INIT;
    Json *document = NULL;
    if (json_parse(arena, text, &json_limits_config, &document, &ignored) < 0)
        return NULL;
    const Json *groups = json_get(document, "model_groups");
    if (!groups || groups->type != JSON_ARRAY || groups->n == 0)
        return NULL;
    for (const Json *group = groups->first; group; group = group->next)
        if (group->type != JSON_STRING)
            return NULL;
    return groups;
}

int import_groups_read(Store *store, Str eval_set_id, Buf *ret, Error *err)
{
    auto_free char *key = mem_printf("evals/%.*s/.models.json", STR_ARG(eval_set_id));
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    auto_error Error problem = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    const Json *groups = NULL;
    if (store_get(store, key, &text, &problem) == 0)
        groups = groups_of(arena, buf_str(&text));
    else if (problem.kind != ERR_NOT_FOUND && problem.kind != ERR_BAD_DATA)
        return error_move(err, &problem);
    if (!groups) {
        buf_addz(ret, NO_GROUPS);
        return buf_check(ret, key, err);
    }
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_node(&out, groups);
    return buf_check(ret, key, err);
}
