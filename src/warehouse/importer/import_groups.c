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

/* Whether a row of the set was imported before that. */
static int has_older(Sql *sql, Str eval_set_id, int64_t changed_us, bool *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, "SELECT 1 FROM eval WHERE eval_set_id = $1 AND last_imported_at < $2 LIMIT 1",
                  SQL_ARGS(SQL_TEXT(eval_set_id), SQL_INSTANT(changed_us)), &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found < 0)
        return -1;
    *ret = found == 1;
    return 0;
}

int import_groups_follow(Sql *sql, Store *store, Str eval_set_id, int64_t changed_us, Error *err)
{
    static const char *const updates[] = {
        "UPDATE eval SET model_groups = $2 WHERE eval_set_id = $1 AND model_groups <> $2",
        "UPDATE import_queue SET model_groups = $2 WHERE eval_set_id = $1 AND model_groups <> $2",
    };
    auto_buf Buf groups = BUF_INIT(FILE_MAX);
    auto_sql_tx SqlTx *tx = NULL;
    bool is_older = false;
    if (has_older(sql, eval_set_id, changed_us, &is_older, err) < 0)
        return -1;
    if (!is_older)
        return 0;
    if (import_groups_read(store, eval_set_id, &groups, err) < 0 ||
        sql_begin(sql, SQL_WRITE, &tx, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(updates); i++)
        if (sql_exec(tx, updates[i], SQL_ARGS(SQL_TEXT(eval_set_id), SQL_LIST(buf_str(&groups))),
                     NULL, err) < 0)
            return -1;
    return sql_commit(TAKE(tx), err);
}
