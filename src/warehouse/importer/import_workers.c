/* The threads around the queue. When the queue itself fails, because the database does, they wait a
   little longer each time. */

#include "warehouse/importer/import_workers.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    TAKE_MS = 60 * 1000,
    PAUSE_MS = 250,
    PAUSE_MAX_MS = 10 * 1000,
    FINISH_TRIES = 5,
};

struct ImportWorkers {
    ImportWorkersOptions options;
    pthread_t threads[IMPORT_WORKERS_MAX];
    size_t n_threads;
    pthread_t keeper;
    bool has_keeper;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool is_stopping;
    size_t n_troubled; /* threads for which the queue fails */
};

/* Waits, or returns at once when the workers stop. */
static void pause_ms(ImportWorkers *workers, int ms)
{
    struct timespec until = clock_deadline(ms);
    pthread_mutex_lock(&workers->lock);
    int waited = 0;
    while (!workers->is_stopping && waited == 0)
        waited = pthread_cond_timedwait(&workers->changed, &workers->lock, &until);
    pthread_mutex_unlock(&workers->lock);
}

static bool is_stopping(ImportWorkers *workers)
{
    pthread_mutex_lock(&workers->lock);
    bool result = workers->is_stopping;
    pthread_mutex_unlock(&workers->lock);
    return result;
}

/* Tells of the first thread that is in trouble, and when none is any more. */
static void set_trouble(ImportWorkers *workers, int *pause, const Error *problem)
{
    bool was_troubled = *pause > 0;
    *pause = !problem ? 0 : *pause == 0 ? PAUSE_MS : *pause * 2;
    *pause = *pause < PAUSE_MAX_MS ? *pause : PAUSE_MAX_MS;
    if (was_troubled == (problem != NULL))
        return;
    pthread_mutex_lock(&workers->lock);
    size_t n_before = workers->n_troubled;
    if (problem)
        workers->n_troubled++;
    else
        workers->n_troubled--;
    bool has_turned = (n_before == 0) != (workers->n_troubled == 0);
    pthread_mutex_unlock(&workers->lock);
    if (has_turned && workers->options.troubled)
        workers->options.troubled(workers->options.context, problem);
}

typedef struct Step {
    ImportWorkers *workers;
    const ImportClaim *claim;
} Step;

static int on_progress(void *context, size_t n_done, size_t n_total, Error *err)
{
    const Step *step = context;
    import_queue_progress(step->workers->options.queue, step->claim, n_done, n_total);
    if (is_stopping(step->workers))
        return error_set(err, ERR_CANCELLED, "the server is stopping");
    return 0;
}

/* A log that cannot be given back would be left alone until its lease ends. */
static void give_back(ImportWorkers *workers, const ImportClaim *claim,
                      const ImporterReport *report, const Error *problem, int *pause)
{
    for (int i = 0; i < FINISH_TRIES; i++) {
        auto_error Error err = ERROR_INIT;
        if (import_queue_finish(workers->options.queue, claim, report, problem, &err) == 0) {
            set_trouble(workers, pause, NULL);
            return;
        }
        set_trouble(workers, pause, &err);
        pause_ms(workers, *pause);
    }
}

static void import(ImportWorkers *workers, const ImportClaim *claim, int *pause)
{
    const ImportWorkersOptions *options = &workers->options;
    Step step = {.workers = workers, .claim = claim};
    const ImporterOptions how = {.progress = on_progress, .context = &step};
    ImporterReport report = {0};
    auto_error Error problem = ERROR_INIT;
    bool failed =
        importer_import(options->sql, options->store, claim->key, &how, &report, &problem) < 0;
    give_back(workers, claim, &report, failed ? &problem : NULL, pause);
    if (options->ended && problem.kind != ERR_CANCELLED)
        options->ended(options->context, claim, failed ? NULL : &report, failed ? &problem : NULL);
}

static void *run(void *context)
{
    ImportWorkers *workers = context;
    int pause = 0;
    while (!is_stopping(workers)) {
        auto_error Error err = ERROR_INIT;
        ImportClaim claim;
        int taken = import_queue_take(workers->options.queue, TAKE_MS, &claim, &err);
        set_trouble(workers, &pause, taken < 0 ? &err : NULL);
        if (taken < 0)
            pause_ms(workers, pause);
        else if (taken == 1)
            import(workers, &claim, &pause);
    }
    set_trouble(workers, &pause, NULL);
    return NULL;
}

static void *keep(void *context)
{
    ImportWorkers *workers = context;
    int pause = 0;
    while (!is_stopping(workers)) {
        auto_error Error err = ERROR_INIT;
        int kept = import_queue_keep(workers->options.queue, &err);
        set_trouble(workers, &pause, kept < 0 ? &err : NULL);
        pause_ms(workers, pause > IMPORT_QUEUE_KEEP_MS ? pause : IMPORT_QUEUE_KEEP_MS);
    }
    set_trouble(workers, &pause, NULL);
    return NULL;
}

void import_workers_stop(ImportWorkers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->is_stopping = true;
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
    import_queue_stop(workers->options.queue);
    for (size_t i = 0; i < workers->n_threads; i++)
        pthread_join(workers->threads[i], NULL);
    if (workers->has_keeper)
        pthread_join(workers->keeper, NULL);
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}

int import_workers_start(const ImportWorkersOptions *options, ImportWorkers **ret, Error *err)
{
    assert(options->n_workers <= IMPORT_WORKERS_MAX);
    auto_import_workers ImportWorkers *workers = mem_alloc(sizeof(*workers));
    workers->options = *options;
    pthread_mutex_init(&workers->lock, NULL);
    thread_cond_init(&workers->changed);
    if (thread_start(&workers->keeper, keep, workers, err) < 0)
        return -1;
    workers->has_keeper = true;
    while (workers->n_threads < options->n_workers) {
        if (thread_start(&workers->threads[workers->n_threads], run, workers, err) < 0)
            return -1;
        workers->n_threads++;
    }
    *ret = TAKE(workers);
    return 0;
}
