/* The table scan_import. */

#include "warehouse/scans/scan_imports.h"

#include "base/clock.h"
#include "codec/json.h"
#include "codec/json_out.h"

enum { RETRY_SECONDS = 10, RETRIES_SHOWN_MAX = 60, ERRORS_MAX = 16 << 20 };

int scan_imports_see(Sql *sql, const ScanImport *seen, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx,
                 "INSERT INTO scan_import (folder, job_id, mark, status, updated_at) VALUES ($1, "
                 "$2, $3, 'pending', $4) ON CONFLICT (folder) DO UPDATE SET mark = excluded.mark, "
                 "status = 'pending', attempts = 0, error = NULL, updated_at = excluded.updated_at "
                 "WHERE scan_import.mark <> excluded.mark",
                 SQL_ARGS(SQL_TEXTZ(seen->folder), SQL_TEXTZ(seen->job_id), SQL_TEXTZ(seen->mark),
                          SQL_INSTANT(clock_now_us())),
                 NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

static const char *text_of(Arena *arena, const SqlRows *rows, int column)
{
    Str text = sql_rows_text(rows, column);
    return text.p ? arena_strndup(arena, text.p, text.n) : NULL;
}

int scan_imports_next(Sql *sql, Arena *arena, bool *ret_found, ScanImport *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT folder, job_id, mark, attempts FROM scan_import WHERE status = 'pending' "
                  "AND updated_at <= $1 ORDER BY updated_at LIMIT 1",
                  SQL_ARGS(SQL_INSTANT(clock_now_us())), &rows, err) < 0)
        return -1;
    int found = sql_rows_next(rows, err);
    if (found < 0)
        return -1;
    *ret_found = found == 1;
    if (!found)
        return 0;
    const char *folder = text_of(arena, rows, 0);
    const char *scan = strstr(folder, "/scan_id=");
    *ret = (ScanImport){
        .folder = folder,
        .job_id = text_of(arena, rows, 1),
        .scan_id = scan ? scan + strlen("/scan_id=") : "",
        .mark = text_of(arena, rows, 2),
        .attempts = sql_rows_int(rows, 3),
    };
    return 0;
}

/* Deletes the scans of a job whose folders are not noted, which were there before or came up while
   they were being forgotten. */
static int delete_unnoted(SqlTx *tx, const char *job_id, Error *err)
{
#define UNNOTED                                                                                    \
    "FROM scan WHERE job_id = $1 AND NOT EXISTS (SELECT 1 FROM scan_import i WHERE i.folder = "    \
    "'scans/' || scan.job_id || '/scan_id=' || scan.scan_id)"
    static const char *const statements[] = {
        "DELETE FROM model_role WHERE scan_pk IN (SELECT pk " UNNOTED ")",
        "DELETE " UNNOTED, /* its results go with it */
    };
#undef UNNOTED
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        if (sql_exec(tx, statements[i], SQL_ARGS(SQL_TEXTZ(job_id)), NULL, err) < 0)
            return -1;
    return 0;
}

int scan_imports_end(Sql *sql, const ScanImport *taken, const char *error, bool is_final,
                     Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    int64_t wait_s = 0;
    if (error && !is_final)
        wait_s = RETRY_SECONDS *
                 (taken->attempts < RETRIES_SHOWN_MAX ? taken->attempts + 1 : RETRIES_SHOWN_MAX);
    const char *status = !error ? "success" : is_final ? "failed" : "pending";
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx,
                 "UPDATE scan_import SET status = $3, error = $4, attempts = attempts + 1, "
                 "updated_at = $5 WHERE folder = $1 AND mark = $2",
                 SQL_ARGS(SQL_TEXTZ(taken->folder), SQL_TEXTZ(taken->mark), SQL_TEXTZ(status),
                          SQL_TEXTZ(error), SQL_INSTANT(clock_now_us() + wait_s * CLOCK_SECOND)),
                 NULL, err) < 0 ||
        delete_unnoted(tx, taken->job_id, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

int scan_imports_forget(Sql *sql, const char *job_id, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx, "DELETE FROM scan_import WHERE job_id = $1", SQL_ARGS(SQL_TEXTZ(job_id)), NULL,
                 err) < 0 ||
        delete_unnoted(tx, job_id, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

/* --- of a job --- */

static int count_states(SqlTx *tx, Arena *arena, const char *job_id, ScanImportsState *state,
                        Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx,
                  "SELECT status, count(*), min(error) FROM scan_import WHERE job_id = $1 GROUP BY "
                  "status",
                  SQL_ARGS(SQL_TEXTZ(job_id)), &rows, err) < 0)
        return -1;
    int more = 0;
    while ((more = sql_rows_next(rows, err)) == 1) {
        Str status = sql_rows_text(rows, 0);
        int64_t n = sql_rows_int(rows, 1);
        if (str_eqz(status, "success"))
            state->n_success = n;
        else if (str_eqz(status, "pending"))
            state->n_pending = n;
        else
            state->n_failed = n;
        if (str_eqz(status, "failed"))
            state->error = text_of(arena, rows, 2);
    }
    return more;
}

/* Adds the texts of a JSON array to one that is being written. */
static int add_errors(Arena *arena, Str text, JsonOut *out, Error *err)
{
    Json *list = NULL;
    if (!text.p)
        return 0;
    if (json_parse(arena, arena_str(arena, text), &json_limits_config, &list, err) < 0)
        return -1;
    for (const Json *item = list->first; item; item = item->next)
        json_out_str(out, item->text);
    return 0;
}

static int gather_scans(SqlTx *tx, Arena *arena, const char *job_id, ScanImportsState *state,
                        Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    auto_buf Buf errors = BUF_INIT(ERRORS_MAX);
    JsonOut out;
    json_out_init(&out, &errors, 0);
    json_out_array(&out);
    if (sql_query(tx,
                  "SELECT scan_id, scan_name, errors, (SELECT count(*) FROM scanner_result r WHERE "
                  "r.scan_pk = scan.pk) FROM scan WHERE job_id = $1 ORDER BY timestamp",
                  SQL_ARGS(SQL_TEXTZ(job_id)), &rows, err) < 0)
        return -1;
    int more = 0;
    while ((more = sql_rows_next(rows, err)) == 1) {
        state->scan_id = text_of(arena, rows, 0);
        state->scan_name = text_of(arena, rows, 1);
        state->n_results += sql_rows_int(rows, 3);
        if (add_errors(arena, sql_rows_text(rows, 2), &out, err) < 0)
            return -1;
    }
    json_out_end_array(&out);
    if (more < 0 || buf_check(&errors, "the errors of a scan", err) < 0)
        return -1;
    if (errors.len > 2)
        state->errors = arena_strndup(arena, errors.data, errors.len);
    return 0;
}

int scan_imports_of_job(Sql *sql, Arena *arena, const char *job_id, ScanImportsState *ret,
                        Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    ScanImportsState state = {0};
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        count_states(tx, arena, job_id, &state, err) < 0 ||
        gather_scans(tx, arena, job_id, &state, err) < 0)
        return -1;
    *ret = state;
    return 0;
}
