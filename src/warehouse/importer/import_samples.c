/* Samples of the log on their way to the tables: some threads make rows of them, one writes.

   Rows of a sample travel in packs. A small sample is one pack, and several of those are one
   transaction; a large one is several packs, which are written as they come, in a transaction of
   its own. Memory is bounded by what may wait. */

#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "evallog/sample_parts.h"
#include "warehouse/importer/importer_priv.h"

enum {
    BATCH_SAMPLES = 96,
    WAITING_BYTES = 4 * 1024 * 1024, /* in packs that nobody writes yet */
    THREADS_USUAL = 2,
    THREADS_MAX = 16,
};

/* Of a batch. In SQLite its pages fit in the cache; PostgreSQL takes fewer and larger loads sooner.
 */
static const size_t batch_bytes[] = {
    [SQL_SQLITE] = (size_t)6 * 1024 * 1024,
    [SQL_POSTGRES] = (size_t)18 * 1024 * 1024,
};

/* When a database refuses a sample, it is tried once more with these. */
static const SampleCleanRules wary_rules = {.json_max = 1024 * 1024, .is_wary = true};
static const SampleCleanRules rules = {.json_max = SAMPLE_CLEAN_JSON_MAX};

typedef struct Line Line;
typedef struct Maker Maker;

/* Makes packs of samples. Its sink puts rows into the pack at hand. */
struct Maker {
    RowsSink sink; /* first: the sink is the maker */
    Line *line;
    int (*give)(Maker *maker, Pack *take_pack, Error *err); /* to the writer */
    RowsMaker *rows;
    Pack *pack;
    pthread_t thread;
};

/* What the threads share. */
struct Line {
    Import *import;
    const EvalLogSamples *samples;

    /* Of the writer. */
    Pack *batch[BATCH_SAMPLES];
    size_t n_batch;
    size_t n_batch_bytes;
    ImportStream *stream;
    bool is_dropping; /* the rest of a stream that failed */
    bool is_again;    /* what comes now has been refused once */
    ImportAgain again;

    /* Under the lock, when there are more threads than one. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t next; /* sample */
    Pack *waiting[BATCH_SAMPLES];
    size_t n_waiting;
    size_t n_waiting_bytes;
    size_t n_makers;
    const Maker *streamer;      /* whose packs alone are taken, until its sample ends */
    Pack *spare[BATCH_SAMPLES]; /* written, to be filled again */
    size_t n_spare;
    size_t n_spare_bytes; /* that they have room for */
    bool is_stopping;
    Error failure; /* of a maker: not about a sample */
};

/* --- packs --- */

/* Memory that comes and goes with every batch is given back to the system each time, and cleared by
   it each time: a tenth of the work. So packs that were written are filled again; what they grew to
   may be half as much again as is in them. */
static void keep_spare(Line *line, Pack *take_pack)
{
    size_t most = batch_bytes[sql_dialect(line->import->sql)] / 2 * 3;
    pthread_mutex_lock(&line->lock);
    bool is_kept =
        line->n_spare < BATCH_SAMPLES && line->n_spare_bytes + take_pack->rows.cap <= most;
    if (is_kept) {
        line->spare[line->n_spare++] = take_pack;
        line->n_spare_bytes += take_pack->rows.cap;
    }
    pthread_mutex_unlock(&line->lock);
    if (!is_kept)
        pack_free(take_pack);
}

static void drop_spares(Line *line)
{
    pthread_mutex_lock(&line->lock);
    for (size_t i = 0; i < line->n_spare; i++)
        pack_free(line->spare[i]);
    line->n_spare = 0;
    line->n_spare_bytes = 0;
    pthread_mutex_unlock(&line->lock);
}

/* An empty pack for a sample. */
static Pack *empty_pack(Line *line, size_t sample)
{
    Pack *pack = NULL;
    pthread_mutex_lock(&line->lock);
    if (line->n_spare > 0) {
        pack = line->spare[--line->n_spare];
        line->n_spare_bytes -= pack->rows.cap;
    }
    pthread_mutex_unlock(&line->lock);
    if (!pack)
        return pack_new(sample);
    pack_reset(pack, sample);
    return pack;
}

/* --- the writer --- */

static void drop_batch(Line *line)
{
    for (size_t i = 0; i < line->n_batch; i++)
        keep_spare(line, line->batch[i]);
    line->n_batch = 0;
    line->n_batch_bytes = 0;
}

static int write_batch(Line *line, Error *err)
{
    size_t n = line->n_batch;
    int result = import_write(line->import, (const Pack *const *)line->batch, n, &line->again, err);
    drop_batch(line);
    return result < 0 || n == 0 ? result : import_progress(line->import, n, err);
}

static int add_to_batch(Line *line, Pack *take_pack, Error *err)
{
    line->batch[line->n_batch++] = take_pack;
    line->n_batch_bytes += take_pack->rows.len;
    if (line->n_batch < BATCH_SAMPLES &&
        line->n_batch_bytes < batch_bytes[sql_dialect(line->import->sql)])
        return 0;
    return write_batch(line, err);
}

/* What is to become of a sample that the database refused, or that broke off on the way: it is read
   again, once. */
static int try_again(Line *line, size_t i, Error *problem, Error *err)
{
    const EvalLogSample *sample = &line->samples->items[i];
    if (problem->kind == ERR_UNREACHABLE || problem->kind == ERR_NO_SPACE)
        return error_move(err, problem);
    if (line->is_again)
        import_note_problem(line->import, sample->id, sample->epoch, problem);
    else
        import_again_add(&line->again, i);
    error_reset(problem);
    return 0;
}

static int begin_stream(Line *line, Error *err)
{
    if (write_batch(line, err) < 0)
        return -1;
    drop_spares(line); /* a large sample needs the memory */
    line->is_dropping = false;
    return import_stream_open(line->import, &line->stream, err);
}

/* Writes a part of a large sample. */
static int write_stream(Line *line, const Pack *pack, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    if (pack->is_first && begin_stream(line, err) < 0)
        return -1;
    if (line->is_dropping)
        return 0;
    bool is_written = import_stream_write(line->stream, pack, &problem) == 0;
    if (is_written && !pack->is_last)
        return 0;
    ImportStream *stream = TAKE(line->stream);
    if (is_written && import_stream_commit(stream, &problem) == 0)
        return import_progress(line->import, 1, err);
    if (!is_written)
        import_stream_close(stream);
    line->is_dropping = true;
    return try_again(line, pack->sample, &problem, err);
}

/* Takes the next pack of a sample. */
static int write_pack(Line *line, Pack *take_pack, Error *err)
{
    auto_pack Pack *pack = take_pack;
    const EvalLogSample *sample = &line->samples->items[pack->sample];
    if (pack->is_failed) {
        import_stream_close(TAKE(line->stream));
        import_note_problem(line->import, sample->id, sample->epoch, &pack->problem);
        return import_progress(line->import, 1, err);
    }
    if (!pack->is_first || !pack->is_last)
        return write_stream(line, pack, err);
    if (!line->is_again)
        return add_to_batch(line, TAKE(pack), err);
    auto_error Error problem = ERROR_INIT;
    if (import_write(line->import, (const Pack *const *)&pack, 1, NULL, &problem) < 0)
        return try_again(line, pack->sample, &problem, err);
    return 0;
}

/* --- the makers --- */

static int hand_over(Maker *maker, bool is_last, Error *err)
{
    Pack *pack = TAKE(maker->pack);
    pack->is_last = is_last;
    if (!is_last)
        maker->pack = empty_pack(maker->line, pack->sample);
    return maker->give(maker, pack, err);
}

static int put_row(RowsSink *sink, RowsTable table, const SqlValue *values, Error *err)
{
    Maker *maker = (Maker *)sink;
    pack_add(maker->pack, table, values);
    if (buf_check(&maker->pack->rows, "what a sample comes to", err) < 0)
        return -1;
    return maker->pack->rows.len < PACK_BYTES ? 0 : hand_over(maker, false, err);
}

static int make_rows(Maker *maker, const EvalLogSample *sample, Error *err)
{
    auto_sample_parts SampleParts *parts = NULL;
    const SampleCleanRules *how = maker->line->is_again ? &wary_rules : &rules;
    if (sample_parts_open(maker->line->import->log, sample, &parts, err) < 0)
        return -1;
    return rows_maker_sample(maker->rows, parts, how, &maker->sink, err);
}

/* Whether it is the sample that is bad, not the disk or the network. */
static bool is_about_sample(const Error *problem)
{
    return problem->kind == ERR_BAD_DATA || problem->kind == ERR_UNSUPPORTED;
}

static int make_sample(Maker *maker, size_t i, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    pack_free(TAKE(maker->pack));
    maker->pack = empty_pack(maker->line, i);
    maker->pack->is_first = true;
    if (make_rows(maker, &maker->line->samples->items[i], &problem) == 0)
        return hand_over(maker, true, err);
    if (!is_about_sample(&problem) || !maker->pack)
        return error_move(err, &problem);
    maker->pack->is_failed = true;
    (void)error_move(&maker->pack->problem, &problem);
    return hand_over(maker, true, err);
}

static bool is_done(const Line *line, size_t i)
{
    const EvalLogSample *sample = &line->samples->items[i];
    return hash_map_find(&line->import->done, import_sample_key(sample->id, sample->epoch));
}

static void close_maker(Maker *maker)
{
    rows_maker_free(maker->rows);
    pack_free(maker->pack);
}

/* --- in one thread --- */

static int give_here(Maker *maker, Pack *take_pack, Error *err)
{
    return write_pack(maker->line, take_pack, err);
}

static int make_here(Line *line, Error *err)
{
    HAWK_CLEANUP(close_maker)
    Maker maker = {
        .sink = {.put = put_row}, .line = line, .give = give_here, .rows = rows_maker_new()};
    for (size_t i = 0; i < line->samples->n; i++)
        if (!is_done(line, i) && make_sample(&maker, i, err) < 0)
            return -1;
    return write_batch(line, err);
}

/* What has to be read again. */
static int make_again(Line *line, Error *err)
{
    HAWK_CLEANUP(close_maker)
    Maker maker = {
        .sink = {.put = put_row}, .line = line, .give = give_here, .rows = rows_maker_new()};
    line->is_again = true;
    for (size_t i = 0; i < line->again.n; i++)
        if (make_sample(&maker, line->again.samples[i], err) < 0)
            return -1;
    return 0;
}

/* --- in several --- */

/* Waits until there is room, and nobody else's sample is on its way piece by piece. */
static int give_to_writer(Maker *maker, Pack *take_pack, Error *err)
{
    Line *line = maker->line;
    pthread_mutex_lock(&line->lock);
    while (!line->is_stopping &&
           ((line->streamer && line->streamer != maker) || line->n_waiting == BATCH_SAMPLES ||
            line->n_waiting_bytes > WAITING_BYTES))
        pthread_cond_wait(&line->changed, &line->lock);
    bool is_stopping = line->is_stopping;
    if (!is_stopping) {
        line->streamer = take_pack->is_last ? NULL : maker;
        line->waiting[line->n_waiting++] = take_pack;
        line->n_waiting_bytes += take_pack->rows.len;
        pthread_cond_broadcast(&line->changed);
    }
    pthread_mutex_unlock(&line->lock);
    if (!is_stopping)
        return 0;
    pack_free(take_pack);
    return error_set(err, ERR_CANCELLED, "the import ends");
}

/* The next sample to be read, or the count of all. */
static size_t take_sample(Line *line)
{
    pthread_mutex_lock(&line->lock);
    while (line->next < line->samples->n && is_done(line, line->next))
        line->next++;
    size_t i = line->is_stopping ? line->samples->n : line->next;
    if (i < line->samples->n)
        line->next++;
    pthread_mutex_unlock(&line->lock);
    return i;
}

static void end_maker(Line *line, Error *problem)
{
    pthread_mutex_lock(&line->lock);
    line->n_makers--;
    if (problem->kind != ERR_NONE && line->failure.kind == ERR_NONE) {
        line->is_stopping = true;
        (void)error_move(&line->failure, problem);
    }
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

static void *run_maker(void *context)
{
    Maker *maker = context;
    Line *line = maker->line;
    auto_error Error problem = ERROR_INIT;
    size_t i = take_sample(line);
    while (i < line->samples->n && make_sample(maker, i, &problem) == 0)
        i = take_sample(line);
    end_maker(line, &problem);
    return NULL;
}

/* The pack that has waited longest, or NULL when no more come. */
static Pack *take_pack(Line *line)
{
    Pack *pack = NULL;
    pthread_mutex_lock(&line->lock);
    while (line->n_waiting == 0 && line->n_makers > 0 && !line->is_stopping)
        pthread_cond_wait(&line->changed, &line->lock);
    if (line->n_waiting > 0 && !line->is_stopping) {
        pack = line->waiting[0];
        memmove(line->waiting, line->waiting + 1, --line->n_waiting * sizeof(line->waiting[0]));
        line->n_waiting_bytes -= pack->rows.len;
        pthread_cond_broadcast(&line->changed);
    }
    pthread_mutex_unlock(&line->lock);
    return pack;
}

static int write_until_end(Line *line, Error *err)
{
    for (Pack *pack = take_pack(line); pack; pack = take_pack(line))
        if (write_pack(line, pack, err) < 0)
            return -1;
    return 0;
}

static void stop(Line *line)
{
    pthread_mutex_lock(&line->lock);
    line->is_stopping = true;
    pthread_cond_broadcast(&line->changed);
    pthread_mutex_unlock(&line->lock);
}

static int make_elsewhere(Line *line, size_t n_makers, Error *err)
{
    Maker *makers = mem_array(n_makers, sizeof(*makers));
    size_t n = 0;
    int result = 0;
    for (; n < n_makers && result == 0; n++) {
        makers[n] = (Maker){.sink = {.put = put_row},
                            .line = line,
                            .give = give_to_writer,
                            .rows = rows_maker_new()};
        pthread_mutex_lock(&line->lock);
        line->n_makers++;
        pthread_mutex_unlock(&line->lock);
        result = thread_start(&makers[n].thread, run_maker, &makers[n], err);
        if (result < 0)
            close_maker(&makers[n--]);
    }
    if (result == 0)
        result = write_until_end(line, err);
    stop(line);
    for (size_t i = 0; i < n; i++) {
        pthread_join(makers[i].thread, NULL);
        close_maker(&makers[i]);
    }
    free(makers);
    if (result == 0 && line->failure.kind != ERR_NONE)
        return error_move(err, &line->failure);
    return result < 0 ? -1 : write_batch(line, err);
}

static void line_release(Line *line)
{
    drop_batch(line);
    import_stream_close(line->stream);
    for (size_t i = 0; i < line->n_waiting; i++)
        pack_free(line->waiting[i]);
    drop_spares(line);
    free(line->again.samples);
    error_release(&line->failure);
    pthread_cond_destroy(&line->changed);
    pthread_mutex_destroy(&line->lock);
}

int import_samples(Import *import, Error *err)
{
    HAWK_CLEANUP(line_release)
    Line line = {
        .import = import, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    if (evallog_samples(import->log, &line.samples, err) < 0)
        return -1;
    import->n_total = line.samples->n;
    size_t n_threads = import->options.n_threads ? import->options.n_threads : THREADS_USUAL;
    n_threads = n_threads > THREADS_MAX ? THREADS_MAX : n_threads;
    int result = n_threads > 1 ? make_elsewhere(&line, n_threads - 1, err) : make_here(&line, err);
    return result < 0 ? -1 : make_again(&line, err);
}
