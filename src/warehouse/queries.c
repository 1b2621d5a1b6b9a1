/* Lists of eval sets and evals, and what has become of the logs of a set. */

#include "warehouse/queries.h"

#include "base/mem.h"
#include "warehouse/importer.h"
#include "warehouse/importer_priv.h"
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

typedef struct Survey {
    SqlTx *tx;
    Store *store;
    Arena *arena;
    QueriesImports *found;
    size_t cap;
} Survey;

static int64_t *counter_of(QueriesImports *found, const char *status)
{
    if (strcmp(status, "pending") == 0)
        return &found->n_pending;
    if (strcmp(status, "success") == 0)
        return &found->n_success;
    if (strcmp(status, "failed") == 0)
        return &found->n_failed;
    return &found->n_importing;
}

/* The state of the log whose bytes are now those of file_hash. */
static int find_import(Survey *survey, const char *key, const char *file_hash, QueriesImport *ret,
                       Error *err)
{
    static const char query[] = "SELECT f.reason, e.import_status FROM (SELECT 1) one "
                                "LEFT JOIN import_failure f ON f.log_key = $1 AND f.file_hash = $2 "
                                "LEFT JOIN eval e ON e.log_key = $1 AND e.file_hash = $2";
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(survey->tx, query, SQL_ARGS(SQL_TEXTZ(key), SQL_TEXTZ(file_hash)), &rows, err) <
            0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    ret->status = "importing";
    ret->error = NULL;
    if (!sql_rows_is_null(rows, 0)) {
        Str reason = sql_rows_text(rows, 0);
        ret->status = "failed";
        ret->error = arena_strndup(survey->arena, reason.p, reason.n);
    } else if (!sql_rows_is_null(rows, 1)) {
        Str status = sql_rows_text(rows, 1);
        ret->status = arena_strndup(survey->arena, status.p, status.n);
    }
    return 0;
}

static int survey_log(void *context, const char *key, const StoreStat *stat, Error *err)
{
    Survey *survey = context;
    QueriesImports *found = survey->found;
    if (!importer_is_log(str_of(key)) || found->n_logs == QUERIES_IMPORTS_MAX)
        return 0;
    if (found->n_logs == survey->cap) {
        size_t cap = survey->cap ? survey->cap * 2 : 16;
        QueriesImport *grown = arena_array(survey->arena, cap, sizeof(*grown));
        if (found->n_logs > 0)
            memcpy(grown, found->logs, found->n_logs * sizeof(*grown));
        found->logs = grown;
        survey->cap = cap;
    }
    char file_hash[IMPORTER_HASH_MAX];
    importer_file_hash(stat, file_hash);
    QueriesImport *log = &found->logs[found->n_logs];
    if (find_import(survey, key, file_hash, log, err) < 0)
        return -1;
    auto_free char *location = store_location(survey->store, key);
    log->location = arena_strdup(survey->arena, location);
    found->n_logs++;
    ++*counter_of(found, log->status);
    return 0;
}

int queries_imports(Sql *sql, Store *store, Str eval_set_id, Arena *arena, QueriesImports *ret,
                    Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT count(*) FROM sample s JOIN eval e ON e.pk = s.eval_pk WHERE "
                  "e.eval_set_id = $1",
                  SQL_ARGS(SQL_TEXT(eval_set_id)), &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    QueriesImports found = {.n_samples = sql_rows_int(rows, 0)};
    sql_rows_free(TAKE(rows));
    Survey survey = {.tx = tx, .store = store, .arena = arena, .found = &found};
    auto_free char *prefix = mem_printf("evals/%.*s", STR_ARG(eval_set_id));
    if (store_list(store, prefix, false, survey_log, &survey, err) < 0)
        return -1;
    *ret = found;
    return 0;
}
