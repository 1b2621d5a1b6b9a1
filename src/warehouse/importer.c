/* From a log to rows. The eval's row is claimed first, then samples come in small batches, each a
   transaction, then the row is closed; an import that is cut off at any point is done again from
   the start and changes nothing twice.

   A log that is still being written has summaries only; they become provisional samples, which the
   samples themselves replace in the end. What its journal has not yet is in the manifest of its
   live buffer. */

#include "warehouse/importer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json_scan.h"
#include "evallog/live.h"
#include "warehouse/importer_priv.h"

enum {
    BATCH_SAMPLES = 32,
    BATCH_BYTES = 16 * 1024 * 1024, /* of JSON held for a batch; one sample may be larger */
};

/* Samples that have been read and are to be written together. */
typedef struct Batch {
    Arena *arena;
    Buf texts[BATCH_SAMPLES]; /* the rows point into these */
    SampleRow rows[BATCH_SAMPLES];
    bool is_provisional[BATCH_SAMPLES];
    size_t n;
    size_t n_bytes;
} Batch;

static void batch_reset(Batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        buf_release(&batch->texts[i]);
    arena_reset(batch->arena);
    batch->n = 0;
    batch->n_bytes = 0;
}

static void batch_release(Batch *batch)
{
    batch_reset(batch);
    arena_free(batch->arena);
}

static int batch_write(Import *import, Batch *batch, Error *err)
{
    if (batch->n == 0)
        return 0;
    auto_sql_tx SqlTx *tx = NULL;
    size_t n_written = 0;
    if (sql_begin(import->sql, SQL_WRITE, &tx, err) < 0)
        return -1;
    for (size_t i = 0; i < batch->n; i++) {
        bool is_written = false;
        if (import_sample(import, tx, &batch->rows[i], batch->is_provisional[i], &is_written, err) <
            0)
            return -1;
        n_written += is_written;
    }
    if (sql_commit(TAKE(tx), err) < 0)
        return -1;
    import->n_written += n_written;
    import->n_done += batch->n;
    batch_reset(batch);
    const ImporterOptions *options = &import->options;
    if (options->progress)
        return options->progress(options->context, import->n_done, import->n_total, err);
    return 0;
}

/* Adds the sample whose JSON is in *take_text; the batch is not full. */
static int batch_add(Batch *batch, Buf *take_text, bool is_provisional, Error *err)
{
    SampleRow row;
    if (sample_row_read(buf_str(take_text), batch->arena, &row, err) < 0)
        return -1;
    size_t at = batch->n++;
    batch->rows[at] = row;
    batch->is_provisional[at] = is_provisional;
    batch->texts[at] = *take_text;
    *take_text = BUF_INIT(0);
    batch->n_bytes += batch->texts[at].len;
    return 0;
}

static int batch_write_if_full(Import *import, Batch *batch, Error *err)
{
    if (batch->n < BATCH_SAMPLES && batch->n_bytes < BATCH_BYTES)
        return 0;
    return batch_write(import, batch, err);
}

/* Counts a sample that cannot be read; the others still come in. */
static void note_problem(Import *import, const EvalLogSample *sample, Error *problem)
{
    if (import->n_unreadable++ == 0)
        import->first_problem = mem_printf("sample %.*s, epoch %lld: %s", STR_ARG(sample->id),
                                           (long long)sample->epoch, error_text(problem));
    error_reset(problem);
}

static int import_whole_samples(Import *import, Batch *batch, Error *err)
{
    const EvalLogSamples *samples = NULL;
    if (evallog_samples(import->log, &samples, err) < 0)
        return -1;
    import->n_total = samples->n;
    for (size_t i = 0; i < samples->n; i++) {
        auto_error Error problem = ERROR_INIT;
        auto_buf Buf text = BUF_INIT(EVALLOG_SAMPLE_MAX);
        if (evallog_read_sample(import->log, &samples->items[i], &text, &problem) < 0 ||
            batch_add(batch, &text, false, &problem) < 0) {
            if (problem.kind != ERR_BAD_DATA && problem.kind != ERR_UNSUPPORTED)
                return error_move(err, &problem);
            note_problem(import, &samples->items[i], &problem);
        }
        if (batch_write_if_full(import, batch, err) < 0)
            return -1;
    }
    return batch_write(import, batch, err);
}

static int add_summary(Import *import, Batch *batch, Str raw, Error *err)
{
    auto_buf Buf text = BUF_INIT(EVALLOG_SUMMARIES_MAX);
    buf_add_str(&text, raw);
    auto_error Error ignored = ERROR_INIT; /* it says too little; the sample itself will come */
    (void)batch_add(batch, &text, true, &ignored);
    return batch_write_if_full(import, batch, err);
}

typedef struct LiveContext {
    Store *store;
    const char *folder; /* key, without '/' at the end */
} LiveContext;

static int open_live_file(void *context, const char *name, Source **ret, Error *err)
{
    const LiveContext *live = context;
    auto_free char *key = mem_printf("%s/%s", live->folder, name);
    return store_source(live->store, key, ret, err);
}

/* Summaries of the live buffer, which has samples that the journal has not yet. */
static int import_live(Import *import, Batch *batch, Error *err)
{
    auto_buf Buf folder = BUF_INIT(STORE_KEY_MAX);
    auto_buf Buf text = BUF_INIT(LIVE_MANIFEST_MAX);
    auto_error Error problem = ERROR_INIT;
    live_folder_key(str_of(import->key), &folder);
    LiveContext context = {.store = import->store, .folder = folder.data};
    LiveFolder live = {.open = open_live_file, .context = &context};
    if (live_samples(&live, STR(""), &text, &problem) < 0)
        return 0; /* not there, or between two states: the next change brings it */
    Str summaries = STR_NONE;
    JsonScan scan;
    if (!json_scan_get(buf_str(&text), "samples", &summaries))
        return 0;
    json_scan_init(&scan, summaries, true);
    if (json_scan_kind(&scan) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
        return 0;
    while (json_scan_item(&scan)) {
        Str raw = STR_NONE;
        if (json_scan_skip(&scan, &raw) && add_summary(import, batch, raw, err) < 0)
            return -1;
    }
    return 0;
}

/* The buffer first: where both have a sample, the journal's word is the later one. */
static int import_summaries(Import *import, Batch *batch, Error *err)
{
    const EvalLogSummaries *summaries = NULL;
    if (import_live(import, batch, err) < 0 || evallog_summaries(import->log, &summaries, err) < 0)
        return -1;
    import->n_total = summaries->n;
    for (size_t i = 0; i < summaries->n; i++)
        if (add_summary(import, batch, summaries->items[i].raw, err) < 0)
            return -1;
    return batch_write(import, batch, err);
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
    import->model =
        import_canonical_model(import->header->model.p ? import->header->model : STR(""));
    bool is_mine = false;
    if (import_eval_begin(import, &is_mine, err) < 0)
        return -1;
    ret->outcome =
        is_mine ? (import->is_running ? IMPORTER_RUNNING : IMPORTER_DONE) : IMPORTER_UNCHANGED;
    if (!is_mine)
        return 0;
    HAWK_CLEANUP(batch_release) Batch batch = {.arena = arena_new()};
    int result = import->is_running ? import_summaries(import, &batch, err)
                                    : import_whole_samples(import, &batch, err);
    if (result < 0 || import_eval_end(import, err) < 0)
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
    free(import->location);
    free(import->first_problem);
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
    importer_file_hash(&import.stat, import.file_hash);
    import.location = store_location(store, key);
    import.arena = arena_new();
    bool is_done = false;
    if (!options->force && is_known(&import, &is_done, err) < 0)
        return -1;
    if (!is_done && import_log(&import, &report, &problem) < 0) {
        record_failure(&import, &problem);
        (void)error_move(err, &problem);
        return error_wrap(err, "cannot import %s", key);
    }
    *ret = report;
    return 0;
}
