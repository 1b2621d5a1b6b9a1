/* What the import queue knows: of one eval set for its status, and as a list. */

#include <inttypes.h>

#include "base/mem.h"
#include "warehouse/importer/import_queue.h"
#include "warehouse/queries/queries_priv.h"

/* How states are called in the status of a job, which knows fewer. */
static const char *const status_names[] = {
    [IMPORT_PENDING] = "importing",  [IMPORT_IMPORTING] = "importing",
    [IMPORT_RETRYING] = "importing", [IMPORT_RUNNING] = "pending",
    [IMPORT_SUCCESS] = "success",    [IMPORT_FAILED] = "failed",
};

static int64_t *counter_of(QueriesImports *found, ImportState state)
{
    switch (state) {
    case IMPORT_RUNNING: return &found->n_pending;
    case IMPORT_SUCCESS: return &found->n_success;
    case IMPORT_FAILED: return &found->n_failed;
    default: return &found->n_importing;
    }
}

static int count_samples(SqlTx *tx, Str eval_set_id, int64_t *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT count(*) FROM sample s JOIN eval e ON e.pk = s.eval_pk WHERE "
                  "e.eval_set_id = $1",
                  SQL_ARGS(SQL_TEXT(eval_set_id)), &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    *ret = sql_rows_int(rows, 0);
    return 0;
}

/* Counts the logs by state, whatever number there is. */
static int count_states(SqlTx *tx, Str eval_set_id, QueriesImports *found, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT state, count(*) FROM import_queue WHERE eval_set_id = $1 GROUP BY state",
                  SQL_ARGS(SQL_TEXT(eval_set_id)), &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        ImportState state = IMPORT_PENDING;
        if (import_state_of(sql_rows_text(rows, 0), &state) == 0)
            *counter_of(found, state) += sql_rows_int(rows, 1);
    }
    return has_row;
}

static void add_log(Store *store, Arena *arena, const SqlRows *rows, QueriesImport *ret)
{
    ImportState state = IMPORT_PENDING;
    Str key = sql_rows_text(rows, 0);
    Str reason = sql_rows_text(rows, 2);
    auto_free char *text = mem_strndup(key.p, key.n);
    auto_free char *location = store_location(store, text);
    if (import_state_of(sql_rows_text(rows, 1), &state) < 0)
        state = IMPORT_FAILED;
    ret->location = arena_strdup(arena, location);
    ret->status = status_names[state];
    ret->error = reason.p ? arena_strndup(arena, reason.p, reason.n) : NULL;
}

static int add_logs(SqlTx *tx, Store *store, Str eval_set_id, Arena *arena, QueriesImports *found,
                    Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    size_t cap = 0;
    if (sql_query(tx,
                  "SELECT log_key, state, reason FROM import_queue WHERE eval_set_id = $1 "
                  "ORDER BY log_key LIMIT $2",
                  SQL_ARGS(SQL_TEXT(eval_set_id), SQL_INT(QUERIES_IMPORTS_MAX)), &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (found->n_logs == cap) {
            cap = cap ? cap * 2 : 16;
            QueriesImport *grown = arena_array(arena, cap, sizeof(*grown));
            if (found->n_logs > 0)
                memcpy(grown, found->logs, found->n_logs * sizeof(*grown));
            found->logs = grown;
        }
        add_log(store, arena, rows, &found->logs[found->n_logs++]);
    }
    return has_row;
}

int queries_imports(Sql *sql, Store *store, Str eval_set_id, Arena *arena, QueriesImports *ret,
                    Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    QueriesImports found = {0};
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        count_samples(tx, eval_set_id, &found.n_samples, err) < 0 ||
        count_states(tx, eval_set_id, &found, err) < 0 ||
        add_logs(tx, store, eval_set_id, arena, &found, err) < 0)
        return -1;
    *ret = found;
    return 0;
}

/* --- the list --- */

#define COLUMNS                                                                                    \
    "e.log_key, e.eval_set_id, e.state, e.size_bytes, e.samples_done, e.samples_total, "           \
    "e.attempts, e.reason, e.first_seen_at, e.changed_at, e.began_at, e.ended_at, e.due_at"

/* "<microseconds>.<key>" of the last row. */
typedef struct Cursor {
    int64_t seen_us;
    Str key;
} Cursor;

static int read_cursor(Str text, Cursor *ret, Error *err)
{
    ptrdiff_t dot = str_find(text, '.');
    if (dot < 0 || str_to_i64(str_slice(text, 0, (size_t)dot), 0, INT64_MAX, &ret->seen_us) < 0 ||
        !store_key_is_valid(str_slice(text, (size_t)dot + 1, text.n)))
        return error_set(err, ERR_USAGE, "cursor: expected one of an earlier answer");
    ret->key = str_slice(text, (size_t)dot + 1, text.n);
    return 0;
}

static int add_states(Query *query, const QueriesImportList *list, Error *err)
{
    if (list->n_states == 0)
        return 0;
    if (list->n_states > IMPORT_STATES_N)
        return error_set(err, ERR_USAGE, "state: at most %d values", IMPORT_STATES_N);
    query_where(query, "e.state IN (");
    for (size_t i = 0; i < list->n_states; i++) {
        ImportState state = IMPORT_PENDING;
        if (import_state_of(list->states[i], &state) < 0)
            return error_set(err, ERR_USAGE,
                             "state: expected pending, importing, running, success, retrying or "
                             "failed, found '%.*s'",
                             STR_ARG(str_slice(list->states[i], 0, 40)));
        query_add_value(query, i ? ", ?" : "?", SQL_TEXTZ(import_state_name(state)));
    }
    query_add(query, ")");
    return 0;
}

static void add_scope(Query *query, const QueriesAccess *access, Str eval_set_id)
{
    query_add(query, " FROM import_queue e");
    if (eval_set_id.p)
        query_where_value(query, "e.eval_set_id = ?", SQL_TEXT(eval_set_id));
    query_where(query, "");
    query_add_access(query, access);
}

static int write_counts(SqlTx *tx, Query *query, JsonOut *out, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    int64_t counts[IMPORT_STATES_N] = {0};
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        ImportState state = IMPORT_PENDING;
        if (import_state_of(sql_rows_text(rows, 0), &state) == 0)
            counts[state] = sql_rows_int(rows, 1);
    }
    json_out_kv_object(out, "counts");
    for (size_t i = 0; i < IMPORT_STATES_N; i++)
        json_out_kv_int(out, import_state_name((ImportState)i), counts[i]);
    json_out_end_object(out);
    return has_row;
}

static void write_item(Store *store, const SqlRows *rows, JsonOut *out)
{
    Str key = sql_rows_text(rows, 0);
    auto_free char *text = mem_strndup(key.p, key.n);
    auto_free char *location = store_location(store, text);
    bool waits = str_eqz(sql_rows_text(rows, 2), import_state_name(IMPORT_RETRYING));
    Str name = str_slice(key, (size_t)(str_rfind(key, '/') + 1), key.n);
    json_out_object(out);
    json_out_kv_str(out, "log", name);
    query_kv_text(out, "eval_set_id", rows, 1);
    json_out_kvz(out, "location", location);
    query_kv_text(out, "state", rows, 2);
    query_kv_int(out, "size_bytes", rows, 3);
    query_kv_int(out, "samples_done", rows, 4);
    query_kv_int(out, "samples_total", rows, 5);
    query_kv_int(out, "attempts", rows, 6);
    query_kv_text(out, "reason", rows, 7);
    query_kv_time(out, "first_seen_at", rows, 8);
    query_kv_time(out, "changed_at", rows, 9);
    query_kv_time(out, "began_at", rows, 10);
    query_kv_time(out, "ended_at", rows, 11);
    if (waits)
        query_kv_time(out, "retry_at", rows, 12);
    else
        json_out_kv_null(out, "retry_at");
    json_out_end_object(out);
}

/* Writes up to limit rows, and where the next ones begin when there are any. */
static int write_items(SqlTx *tx, Query *query, Store *store, int64_t limit, JsonOut *out,
                       Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run(query, tx, &rows, err) < 0)
        return -1;
    auto_free char *last = NULL;
    int64_t n = 0;
    int has_row = 0;
    json_out_kv_array(out, "items");
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (n++ == limit)
            break;
        write_item(store, rows, out);
        free(last);
        last =
            mem_printf("%" PRId64 ".%.*s", sql_rows_int(rows, 8), STR_ARG(sql_rows_text(rows, 0)));
    }
    json_out_end_array(out);
    json_out_kvz(out, "next_cursor", n > limit ? last : NULL);
    return has_row < 0 ? -1 : 0;
}

int queries_import_list(Sql *sql, Store *store, const QueriesAccess *access,
                        const QueriesImportList *list, JsonOut *out, Error *err)
{
    Cursor cursor = {0};
    auto_query Query items = {0};
    auto_query Query counts = {0};
    if (query_check_page((QueriesPage){.page = 1, .limit = list->limit}, err) < 0 ||
        (list->cursor.p && read_cursor(list->cursor, &cursor, err) < 0))
        return -1;
    query_init(&items, sql);
    query_init(&counts, sql);
    query_add(&counts, "SELECT e.state, count(*)");
    add_scope(&counts, access, list->eval_set_id);
    query_add(&counts, " GROUP BY e.state");
    query_add(&items, "SELECT " COLUMNS);
    add_scope(&items, access, list->eval_set_id);
    if (add_states(&items, list, err) < 0)
        return -1;
    if (list->cursor.p) {
        query_where_value(&items, "(e.first_seen_at, e.log_key) < (?", SQL_INSTANT(cursor.seen_us));
        query_add_value(&items, ", ?)", SQL_TEXT(cursor.key));
    }
    query_add_value(&items, " ORDER BY e.first_seen_at DESC, e.log_key DESC LIMIT ?",
                    SQL_INT(list->limit + 1));
    auto_sql_tx SqlTx *tx = NULL;
    if (query_begin_as(sql, access, &tx, err) < 0)
        return -1;
    json_out_object(out);
    if (write_items(tx, &items, store, list->limit, out, err) < 0 ||
        write_counts(tx, &counts, out, err) < 0)
        return -1;
    json_out_end_object(out);
    return 0;
}
