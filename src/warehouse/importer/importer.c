/* From a log to rows. The eval's row is claimed first, then samples come in batches, each a
   transaction, then the row is closed. An import that is cut off is taken up again where it was:
   samples whose last_imported_at is not before that of their eval are in. */

#include "warehouse/importer/importer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "warehouse/importer/importer_priv.h"

void import_note_problem(Import *import, Str id, int64_t epoch, Error *problem)
{
    if (import->n_unreadable++ == 0)
        import->first_problem = mem_printf("sample %.*s, epoch %lld: %s", STR_ARG(id),
                                           (long long)epoch, error_text(problem));
    error_reset(problem);
}

int import_progress(Import *import, size_t n_more, Error *err)
{
    const ImporterOptions *options = &import->options;
    import->n_done += n_more;
    if (!options->progress)
        return 0;
    return options->progress(options->context, import->n_done, import->n_total, err);
}

Murmur3 import_sample_key(Str id, int64_t epoch)
{
    Murmur3 hash = murmur3_of(id);
    hash.second += (uint64_t)epoch * UINT64_C(0x9E3779B97F4A7C15);
    return hash;
}

int import_begin(Import *import, SqlTx **ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(import->sql, SQL_WRITE_SHARED, &tx, err) < 0 ||
        sql_lock(tx, import->lock, err) < 0 ||
        sql_query(tx, "SELECT file_hash FROM eval WHERE pk = $1",
                  SQL_ARGS(SQL_TEXTZ(import->eval_pk)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row < 0)
        return -1;
    if (has_row == 0 || !str_eqz(sql_rows_text(rows, 0), import->file_hash)) {
        (void)error_set(err, ERR_CONFLICT, "the log has changed, and another import reads it");
        return error_code(err, IMPORT_CLAIMED);
    }
    sql_rows_free(TAKE(rows));
    *ret = TAKE(tx);
    return 0;
}

static int check_header(const Import *import, Error *err)
{
    const EvalLogHeader *header = import->header;
    if (!header->eval_id.p || header->eval_id.n == 0)
        return error_set(err, ERR_BAD_DATA, "the log has no eval id");
    if (header->eval_set_id.p && !str_eq(header->eval_set_id, import->eval_set_id))
        return error_set(err, ERR_BAD_DATA,
                         "the log is of eval set %.*s, but lies in the folder of %.*s",
                         STR_ARG(header->eval_set_id), STR_ARG(import->eval_set_id));
    return 0;
}

static int open_log(Import *import, Error *err)
{
    Source *source = NULL;
    if (store_source(import->store, import->key, &source, err) < 0)
        return -1;
    if (evallog_open(source, &import->log, err) < 0) {
        source_close(source);
        return -1;
    }
    return evallog_header(import->log, &import->header, err);
}

static int import_log(Import *import, ImporterReport *ret, Error *err)
{
    if (open_log(import, err) < 0 || check_header(import, err) < 0)
        return -1;
    import->is_running = import->header->status == EVALLOG_STARTED;
    import->lock = mem_printf("eval:%.*s", STR_ARG(import->header->eval_id));
    bool is_mine = false;
    if (import_eval_begin(import, &is_mine, err) < 0)
        return -1;
    ret->outcome =
        is_mine ? (import->is_running ? IMPORTER_RUNNING : IMPORTER_DONE) : IMPORTER_UNCHANGED;
    if (!is_mine)
        return 0;
    if ((import->is_running && import_carried(import, err) < 0) ||
        import_samples(import, err) < 0 ||
        (import->is_running && import_running(import, err) < 0) || import_eval_end(import, err) < 0)
        return -1;
    ret->n_samples = import->n_written;
    if (import->n_unreadable > 0)
        return error_set(err, ERR_BAD_DATA, "%zu samples cannot be read; %s", import->n_unreadable,
                         import->first_problem);
    return 0;
}

/* Whether all of these bytes is in. */
static int is_known(const Import *import, bool *ret, Error *err)
{
    static const char query[] =
        "SELECT 1 FROM eval WHERE log_key = $1 AND file_hash = $2 AND import_status = 'success'";
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(import->sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, query, SQL_ARGS(SQL_TEXTZ(import->key), SQL_TEXTZ(import->file_hash)), &rows,
                  err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    *ret = has_row == 1;
    return has_row < 0 ? -1 : 0;
}

/* Marks the eval of a log that could not be imported for its own sake. */
static void record_failure(const Import *import, const Error *problem)
{
    static const ErrorKind kept[] = {ERR_BAD_DATA, ERR_UNSUPPORTED, ERR_DENIED, ERR_CONFLICT};
    bool is_kept = false;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        is_kept = is_kept || problem->kind == kept[i];
    if (!is_kept)
        return;
    auto_error Error ignored = ERROR_INIT; /* the import's own error is the one to report */
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(import->sql, SQL_WRITE, &tx, &ignored) < 0 ||
        sql_exec(tx, "UPDATE eval SET import_status = 'failed' WHERE log_key = $1",
                 SQL_ARGS(SQL_TEXTZ(import->key)), NULL, &ignored) < 0)
        return;
    if (sql_commit(TAKE(tx), &ignored) < 0)
        return;
}

static int forget_log(Sql *sql, const char *key, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0 ||
        sql_exec(tx, "DELETE FROM eval WHERE log_key = $1", SQL_ARGS(SQL_TEXTZ(key)), NULL, err) <
            0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

static void import_release(Import *import)
{
    evallog_close(import->log);
    arena_free(import->arena);
    hash_map_release(&import->done);
    free(import->location);
    free(import->lock);
    free(import->first_problem);
}

/* Imports a log that is there. */
static int import_present(Import *import, ImporterReport *ret, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    bool is_done = false;
    if (!import->options.force && is_known(import, &is_done, err) < 0)
        return -1;
    if (is_done || import_log(import, ret, &problem) == 0)
        return 0;
    if (problem.code && strcmp(problem.code, IMPORT_CLAIMED) == 0) {
        *ret = (ImporterReport){.outcome = IMPORTER_UNCHANGED};
        return 0;
    }
    record_failure(import, &problem);
    (void)error_move(err, &problem);
    return error_wrap(err, "cannot import %s", import->key);
}

int importer_import(Sql *sql, Store *store, const char *key, const ImporterOptions *options,
                    ImporterReport *ret, Error *err)
{
    Str name = STR_NONE;
    HAWK_CLEANUP(import_release)
    Import import = {
        .sql = sql, .store = store, .key = key, .options = *options, .started_us = clock_now_us()};
    if (!importer_is_log(str_of(key)) ||
        !importer_split_key(str_of(key), &import.eval_set_id, &name))
        return error_set(err, ERR_USAGE, "this is not the name of an eval log");
    auto_error Error problem = ERROR_INIT;
    ImporterReport report = {.outcome = IMPORTER_UNCHANGED};
    if (store_stat(store, key, &import.stat, &problem) < 0) {
        if (problem.kind != ERR_NOT_FOUND)
            return error_move(err, &problem);
        *ret = (ImporterReport){.outcome = IMPORTER_GONE};
        return forget_log(sql, key, err);
    }
    import.location = store_location(store, key);
    importer_file_hash(import.location, &import.stat, import.file_hash);
    import.arena = arena_new();
    if (import_present(&import, &report, err) < 0)
        return -1;
    *ret = report;
    return 0;
}
