/* The thread behind search_index_pass. */

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "warehouse/search/search_index.h"

enum { PASS_MAX = 8, IDLE_MS = 1000, TROUBLE_MS = 5000 };

struct SearchIndexer {
    SearchIndexerOptions options;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool is_stopping;
};

/* Waits, or not when it is stopping; whether to go on. */
static bool wait_ms(SearchIndexer *indexer, int ms)
{
    struct timespec until = clock_deadline(ms);
    pthread_mutex_lock(&indexer->lock);
    int waited = 0;
    while (ms > 0 && !indexer->is_stopping && waited == 0)
        waited = pthread_cond_timedwait(&indexer->changed, &indexer->lock, &until);
    bool goes_on = !indexer->is_stopping;
    pthread_mutex_unlock(&indexer->lock);
    return goes_on;
}

static void *run(void *context)
{
    SearchIndexer *indexer = context;
    bool is_troubled = false;
    for (int pause_ms = 0; wait_ms(indexer, pause_ms);) {
        auto_error Error err = ERROR_INIT;
        size_t n = 0;
        size_t n_failed = 0;
        bool fails = search_index_pass(indexer->options.sql, PASS_MAX, &n, &n_failed, &err) < 0;
        if (fails != is_troubled && indexer->options.troubled)
            indexer->options.troubled(indexer->options.context, fails ? &err : NULL);
        is_troubled = fails;
        pause_ms = fails ? TROUBLE_MS : n > 0 ? 0 : IDLE_MS;
    }
    return NULL;
}

void search_indexer_stop(SearchIndexer *indexer)
{
    if (!indexer)
        return;
    pthread_mutex_lock(&indexer->lock);
    indexer->is_stopping = true;
    pthread_cond_broadcast(&indexer->changed);
    pthread_mutex_unlock(&indexer->lock);
    if (indexer->has_thread)
        pthread_join(indexer->thread, NULL);
    pthread_cond_destroy(&indexer->changed);
    pthread_mutex_destroy(&indexer->lock);
    free(indexer);
}

int search_indexer_start(const SearchIndexerOptions *options, SearchIndexer **ret, Error *err)
{
    SearchIndexer *indexer = mem_alloc(sizeof(*indexer));
    indexer->options = *options;
    pthread_mutex_init(&indexer->lock, NULL);
    thread_cond_init(&indexer->changed);
    if (thread_start(&indexer->thread, run, indexer, err) < 0) {
        search_indexer_stop(indexer);
        return -1;
    }
    indexer->has_thread = true;
    *ret = indexer;
    return 0;
}
