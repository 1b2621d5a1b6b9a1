/* Tries of one task have its task_id. Most sets have one eval of each task: the tables of samples
   are asked only where there are more. */

#include "warehouse/queries/attempts.h"

#include "warehouse/queries/queries_priv.h"

/* Begins a query of evals (e) that are not the last of their task (t). */
static void begin(Query *query, const char *columns, Str eval_set_id)
{
    query_add(query, "SELECT ");
    query_add(query, columns);
    query_add(query, " FROM eval e JOIN (SELECT task_id, max(created_at) AS newest FROM eval");
    query_add_value(query, " WHERE eval_set_id = ? AND task_id <> ''", SQL_TEXT(eval_set_id));
    query_add(query, " GROUP BY task_id HAVING count(*) > 1) t ON t.task_id = e.task_id AND "
                     "t.newest > e.created_at");
}

static void end(Query *query, const QueriesAccess *access, Str eval_set_id, const char *order)
{
    query_where_value(query, "e.eval_set_id = ?", SQL_TEXT(eval_set_id));
    query_where(query, "");
    query_add_access(query, access);
    query_add(query, order);
    query_add_value(query, " LIMIT ?", SQL_INT(ATTEMPTS_MAX + 1));
}

static void add_evals(Query *query, const QueriesAccess *access, Str eval_set_id)
{
    begin(query, "e.id", eval_set_id);
    end(query, access, eval_set_id, " ORDER BY e.pk");
}

static void add_samples(Query *query, const QueriesAccess *access, Str eval_set_id, bool goes_on)
{
    begin(query, "s.uuid", eval_set_id);
    /* Which samples failed, or are not over, an index knows. */
    query_add(query, " JOIN listing_eval i ON i.eval_pk = e.pk JOIN listing_sample q ON "
                     "q.eval_no = i.no AND q.status IN (SELECT no FROM listing_status WHERE name "
                     "IN ('error', 'provisional')) JOIN sample s ON s.pk = q.sample_pk");
    query_where(query, "(EXISTS (SELECT 1 FROM eval n JOIN sample l ON l.eval_pk = n.pk AND "
                       "l.id = s.id AND l.epoch = s.epoch WHERE n.eval_set_id = e.eval_set_id AND "
                       "n.task_id = e.task_id AND n.created_at > e.created_at)");
    query_add(query, goes_on ? " OR EXISTS (SELECT 1 FROM eval n WHERE n.eval_set_id = "
                               "e.eval_set_id AND n.task_id = e.task_id AND "
                               "n.created_at > e.created_at AND n.status = 'started'))"
                             : ")");
    end(query, access, eval_set_id, " ORDER BY s.pk");
}

/* Writes the one column of a query; *is_cut when there is more of it. */
static int write_list(SqlTx *tx, Query *query, const char *key, bool *is_cut, JsonOut *out,
                      Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    int has_row = 0;
    int64_t n = 0;
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    json_out_kv_array(out, key);
    for (has_row = sql_rows_next(rows, err); has_row == 1 && n < ATTEMPTS_MAX;
         has_row = sql_rows_next(rows, err), n++)
        json_out_str(out, sql_rows_text(rows, 0));
    json_out_end_array(out);
    *is_cut = *is_cut || has_row == 1;
    return has_row < 0 ? -1 : 0;
}

int attempts_write(Sql *sql, const QueriesAccess *access, Str eval_set_id, const char *job,
                   JsonOut *out, Error *err)
{
    auto_query Query evals = {0};
    auto_query Query samples = {0};
    auto_sql_tx SqlTx *tx = NULL;
    bool is_cut = false;
    query_init(&evals, sql);
    query_init(&samples, sql);
    add_evals(&evals, access, eval_set_id);
    add_samples(&samples, access, eval_set_id, job && strcmp(job, "over") != 0);
    if (query_begin_as(sql, access, &tx, err) < 0)
        return -1;
    json_out_object(out);
    if (write_list(tx, &evals, "eval_ids", &is_cut, out, err) < 0 ||
        write_list(tx, &samples, "sample_uuids", &is_cut, out, err) < 0)
        return -1;
    json_out_kv_bool(out, "truncated", is_cut);
    json_out_kvz(out, "job", job);
    json_out_end_object(out);
    return 0;
}
