/* One sample: where it is, what it was, how it was scored. */

#include "warehouse/queries/queries_priv.h"

static int deny(Error *err)
{
    return error_set(err, ERR_DENIED, "You do not have permission to view this sample.");
}

/* A sample that the caller's transaction does not show may still be there. */
static int explain_missing(SqlTx *tx, Str uuid, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_tx_leave_reader(tx, err) < 0 || sql_query(tx, "SELECT 1 FROM sample WHERE uuid = $1",
                                                      SQL_ARGS(SQL_TEXT(uuid)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row == 1)
        return deny(err);
    return has_row < 0 ? -1 : error_set(err, ERR_NOT_FOUND, "Sample not found");
}

int query_find_sample(Query *query, const QueriesAccess *access, const char *columns, Str uuid,
                      SqlTx *tx, SqlRows **ret, Error *err)
{
    query_add(query, "SELECT CASE WHEN ");
    query_add_access(query, access);
    query_add(query, " THEN 1 ELSE 0 END, ");
    query_add(query, columns);
    query_add_value(query, " FROM sample s JOIN eval e ON e.pk = s.eval_pk WHERE s.uuid = ?",
                    SQL_TEXT(uuid));
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row < 0)
        return -1;
    if (has_row == 0) {
        sql_rows_free(TAKE(rows));
        return explain_missing(tx, uuid, err);
    }
    if (sql_rows_int(rows, 0) == 0)
        return deny(err);
    *ret = TAKE(rows);
    return 0;
}

int queries_sample(Sql *sql, const QueriesAccess *access, Str uuid, JsonOut *out, Error *err)
{
    auto_query Query query = {0};
    query_init(&query, sql);
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (query_begin_as(sql, access, &tx, err) < 0 ||
        query_find_sample(&query, access, "e.location, e.eval_set_id, s.epoch, s.id, s.uuid", uuid,
                          tx, &rows, err) < 0)
        return -1;
    json_out_object(out);
    query_kv_text(out, "location", rows, 1);
    query_kv_filename(out, "filename", rows, 1, 2);
    query_kv_text(out, "eval_set_id", rows, 2);
    query_kv_int(out, "epoch", rows, 3);
    query_kv_text(out, "id", rows, 4);
    query_kv_text(out, "uuid", rows, 5);
    json_out_end_object(out);
    return 0;
}

int queries_place(Sql *sql, const QueriesAccess *access, Str uuid, Arena *arena, QueriesPlace *ret,
                  Error *err)
{
    auto_query Query query = {0};
    query_init(&query, sql);
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (query_begin_as(sql, access, &tx, err) < 0 ||
        query_find_sample(&query, access,
                          "e.eval_set_id, e.log_key, s.id, s.epoch, s.is_provisional", uuid, tx,
                          &rows, err) < 0)
        return -1;
    *ret = (QueriesPlace){.eval_set_id = arena_str(arena, sql_rows_text(rows, 1)).p,
                          .log_key = arena_str(arena, sql_rows_text(rows, 2)).p,
                          .id = arena_str(arena, sql_rows_text(rows, 3)).p,
                          .epoch = sql_rows_int(rows, 4),
                          .is_provisional = sql_rows_int(rows, 5) != 0};
    return 0;
}

int queries_sources(Sql *sql, const QueriesAccess *access, Str uuids, Arena *arena, int64_t *ret_n,
                    Json **ret_groups, Error *err)
{
    auto_query Query query = {0};
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    Json *groups = json_new(arena, JSON_ARRAY);
    int64_t n = 0;
    query_init(&query, sql);
    query_add_value(&query,
                    query.dialect == SQL_SQLITE
                        ? "SELECT count(*), e.model_groups FROM json_each(?) p"
                        : "SELECT count(*), e.model_groups FROM unnest(?::text[]) AS p (value)",
                    SQL_LIST(uuids));
    query_add(&query, " JOIN sample s ON s.uuid = p.value JOIN eval e ON e.pk = s.eval_pk");
    query_where(&query, "");
    query_add_access(&query, access);
    query_add(&query, " GROUP BY e.model_groups");
    if (query_begin_as(sql, access, &tx, err) < 0 || query_run(&query, tx, &rows, err) < 0)
        return -1;
    int more = 0;
    while ((more = sql_rows_next(rows, err)) == 1) {
        Json *list = NULL;
        n += sql_rows_int(rows, 0);
        if (json_parse(arena, arena_str(arena, sql_rows_text(rows, 1)), &json_limits_config, &list,
                       err) < 0)
            return error_wrap(err, "model groups of an eval");
        json_append(groups, list);
    }
    if (more < 0)
        return -1;
    *ret_n = n;
    *ret_groups = groups;
    return 0;
}

int queries_models(Sql *sql, Str eval_set_id, Arena *arena, const Json **ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    Json *names = json_new(arena, JSON_ARRAY);
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT DISTINCT model, observed_model_names FROM eval WHERE eval_set_id = $1",
                  SQL_ARGS(SQL_TEXT(eval_set_id)), &rows, err) < 0)
        return -1;
    int more = 0;
    while ((more = sql_rows_next(rows, err)) == 1) {
        Json *list = NULL;
        json_append(names, json_new_str(arena, arena_str(arena, sql_rows_text(rows, 0))));
        if (sql_rows_is_null(rows, 1))
            continue;
        if (json_parse(arena, arena_str(arena, sql_rows_text(rows, 1)), &json_limits_config, &list,
                       err) < 0)
            return error_wrap(err, "models of an eval");
        for (const Json *item = list->first; item; item = item->next)
            json_append(names, json_new_str(arena, item->text));
    }
    if (more < 0)
        return -1;
    *ret = names;
    return 0;
}

int queries_groups(Sql *sql, bool of_scans, Str id, Arena *arena, const Json **ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    Json *groups = json_new(arena, JSON_ARRAY);
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  of_scans ? "SELECT DISTINCT model_groups FROM scan WHERE job_id = $1"
                           : "SELECT DISTINCT model_groups FROM eval WHERE eval_set_id = $1",
                  SQL_ARGS(SQL_TEXT(id)), &rows, err) < 0)
        return -1;
    int more = 0;
    while ((more = sql_rows_next(rows, err)) == 1) {
        Json *list = NULL;
        if (json_parse(arena, arena_str(arena, sql_rows_text(rows, 0)), &json_limits_config, &list,
                       err) < 0)
            return error_wrap(err, "model groups of %.*s", STR_ARG(id));
        json_append(groups, list);
    }
    if (more < 0)
        return -1;
    *ret = groups;
    return 0;
}

int queries_hides(Sql *sql, const QueriesAccess *access, bool *ret, Error *err)
{
    auto_query Query query = {0};
    query_init(&query, sql);
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    query_add(&query, "SELECT 1 FROM eval e WHERE NOT coalesce(");
    query_add_access(&query, access);
    query_add(&query, ", 1 = 0) LIMIT 1");
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 || query_run(&query, tx, &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row >= 0)
        *ret = has_row == 1;
    return has_row < 0 ? -1 : 0;
}

static void write_score(const SqlRows *rows, JsonOut *out)
{
    json_out_object(out);
    query_kv_text(out, "scorer", rows, 0);
    query_kv_json(out, "value", rows, 1);
    query_kv_real(out, "value_float", rows, 2);
    query_kv_text(out, "value_nonfinite", rows, 3);
    query_kv_text(out, "explanation", rows, 4);
    query_kv_text(out, "answer", rows, 5);
    query_kv_json(out, "metadata", rows, 6);
    query_kv_bool(out, "is_intermediate", rows, 7);
    query_kv_time(out, "scored_at", rows, 8);
    json_out_end_object(out);
}

int queries_sample_scores(Sql *sql, const QueriesAccess *access, Str uuid, JsonOut *out, Error *err)
{
    auto_query Query query = {0};
    query_init(&query, sql);
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *sample = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (query_begin_as(sql, access, &tx, err) < 0 ||
        query_find_sample(&query, access, "s.pk, s.uuid", uuid, tx, &sample, err) < 0 ||
        sql_query(tx,
                  "SELECT scorer, value, value_float, value_nonfinite, explanation, answer, meta, "
                  "is_intermediate, scored_at FROM score WHERE sample_pk = $1 "
                  "ORDER BY is_intermediate, scored_at NULLS LAST, scorer",
                  SQL_ARGS(SQL_TEXT(sql_rows_text(sample, 1))), &rows, err) < 0)
        return -1;
    json_out_object(out);
    query_kv_text(out, "sample_uuid", sample, 2);
    json_out_kv_array(out, "scores");
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err))
        write_score(rows, out);
    json_out_end_array(out);
    json_out_end_object(out);
    return has_row;
}
