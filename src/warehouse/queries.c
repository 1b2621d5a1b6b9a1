/* Lists of eval sets and evals. */

#include "warehouse/queries.h"

#include "base/mem.h"
#include "warehouse/queries_priv.h"

/* Begins { "items": [. */
static void begin_list(JsonOut *out)
{
    json_out_object(out);
    json_out_kv_array(out, "items");
}

static void end_list(JsonOut *out, int64_t total, QueriesPage page)
{
    json_out_end_array(out);
    json_out_kv_int(out, "total", total);
    json_out_kv_int(out, "page", page.page);
    json_out_kv_int(out, "limit", page.limit);
    json_out_end_object(out);
}

static int count(Query *query, SqlTx *tx, int64_t *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row == 1)
        *ret = sql_rows_int(rows, 0);
    return has_row < 0 ? -1 : 0;
}

/* The sets that match: hidden when any of their evals is. A word may be found in any eval. */
static void add_eval_sets(Query *query, const QueriesAccess *access, const QueryWords *words)
{
    query_add(query, " FROM eval e GROUP BY e.eval_set_id HAVING min(CASE WHEN ");
    query_add_access(query, access);
    query_add(query, " THEN 1 ELSE 0 END) = 1");
    for (size_t i = 0; i < words->n; i++) {
        query->glue = " AND max(CASE WHEN ";
        query_where_word(query,
                         "e.eval_set_id || ' ' || e.task_name || ' ' || coalesce(e.created_by, '')",
                         words->items[i]);
        query_add(query, " THEN 1 ELSE 0 END) = 1");
    }
}

static int write_task_names(SqlTx *tx, Str eval_set_id, JsonOut *out, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT DISTINCT task_name FROM eval WHERE eval_set_id = $1 ORDER BY task_name",
                  SQL_ARGS(SQL_TEXT(eval_set_id)), &rows, err) < 0)
        return -1;
    json_out_kv_array(out, "task_names");
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err))
        json_out_str(out, sql_rows_text(rows, 0));
    json_out_end_array(out);
    return has_row;
}

static int write_eval_set(SqlTx *tx, const SqlRows *rows, JsonOut *out, Error *err)
{
    json_out_object(out);
    query_kv_text(out, "eval_set_id", rows, 0);
    query_kv_time(out, "created_at", rows, 1);
    query_kv_int(out, "eval_count", rows, 2);
    query_kv_time(out, "latest_eval_created_at", rows, 3);
    if (write_task_names(tx, sql_rows_text(rows, 0), out, err) < 0)
        return -1;
    query_kv_text(out, "created_by", rows, 4);
    json_out_end_object(out);
    return 0;
}

int queries_eval_sets(Sql *sql, const QueriesAccess *access, QueriesPage page, Str search,
                      JsonOut *out, Error *err)
{
    QueryWords words;
    if (query_check_page(page, err) < 0 || query_words(search, &words, err) < 0)
        return -1;
    auto_query Query list = {0};
    auto_query Query total = {0};
    query_init(&list, sql);
    query_init(&total, sql);
    query_add(&total, "SELECT count(*) FROM (SELECT 1");
    add_eval_sets(&total, access, &words);
    query_add(&total, ") matching");
    query_add(
        &list,
        "SELECT e.eval_set_id, min(e.created_at), count(*), max(e.created_at), max(e.created_by)");
    add_eval_sets(&list, access, &words);
    query_add(&list, " ORDER BY 4 DESC, 1 DESC");
    query_add_page(&list, page, 0);

    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    int64_t n = 0;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 || count(&total, tx, &n, err) < 0 ||
        query_run(&list, tx, &rows, err) < 0)
        return -1;
    begin_list(out);
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err))
        if (write_eval_set(tx, rows, out, err) < 0)
            return -1;
    end_list(out, n, page);
    return has_row;
}

static void add_evals(Query *query, const QueriesAccess *access, Str eval_set_id)
{
    query_add(query, " FROM eval e");
    query_where_value(query, "e.eval_set_id = ?", SQL_TEXT(eval_set_id));
    query_where(query, "");
    query_add_access(query, access);
}

static void write_eval(const SqlRows *rows, JsonOut *out)
{
    json_out_object(out);
    query_kv_text(out, "id", rows, 0);
    query_kv_text(out, "eval_set_id", rows, 1);
    query_kv_text(out, "task_name", rows, 2);
    query_kv_text(out, "model", rows, 3);
    query_kv_text(out, "status", rows, 4);
    query_kv_int(out, "total_samples", rows, 5);
    query_kv_int(out, "completed_samples", rows, 6);
    query_kv_text(out, "created_by", rows, 7);
    query_kv_time(out, "started_at", rows, 8);
    query_kv_time(out, "completed_at", rows, 9);
    json_out_end_object(out);
}

int queries_evals(Sql *sql, const QueriesAccess *access, QueriesPage page, Str eval_set_id,
                  JsonOut *out, Error *err)
{
    if (query_check_page(page, err) < 0)
        return -1;
    auto_query Query list = {0};
    auto_query Query total = {0};
    query_init(&list, sql);
    query_init(&total, sql);
    query_add(&total, "SELECT count(*)");
    add_evals(&total, access, eval_set_id);
    query_add(&list, "SELECT e.id, e.eval_set_id, e.task_name, e.model, e.status, e.total_samples, "
                     "e.completed_samples, e.created_by, e.started_at, e.completed_at");
    add_evals(&list, access, eval_set_id);
    query_add(&list, " ORDER BY e.created_at DESC, e.pk DESC");
    query_add_page(&list, page, 0);

    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    int64_t n = 0;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 || count(&total, tx, &n, err) < 0 ||
        query_run(&list, tx, &rows, err) < 0)
        return -1;
    begin_list(out);
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err))
        write_eval(rows, out);
    end_list(out, n, page);
    return has_row;
}
