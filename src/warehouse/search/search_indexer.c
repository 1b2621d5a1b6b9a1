/* The thread behind search_index_pass. */

#include <stdlib.h>

#include "base/looper.h"
#include "base/mem.h"
#include "warehouse/search/search_index.h"

enum { PASS_MAX = 8, IDLE_MS = 1000, TROUBLE_MS = 5000 };

struct SearchIndexer {
    SearchIndexerOptions options;
    Looper *looper;
};

static void run(void *context, Looper *looper)
{
    SearchIndexer *indexer = context;
    bool is_troubled = false;
    for (int pause_ms = 0; looper_wait(looper, pause_ms);) {
        auto_error Error err = ERROR_INIT;
        size_t n = 0;
        size_t n_failed = 0;
        bool fails = search_index_pass(indexer->options.sql, PASS_MAX, &n, &n_failed, &err) < 0;
        if (fails != is_troubled && indexer->options.troubled)
            indexer->options.troubled(indexer->options.context, fails ? &err : NULL);
        is_troubled = fails;
        pause_ms = fails ? TROUBLE_MS : n > 0 ? 0 : IDLE_MS;
    }
}

void search_indexer_stop(SearchIndexer *indexer)
{
    if (!indexer)
        return;
    looper_stop(indexer->looper);
    free(indexer);
}

int search_indexer_start(const SearchIndexerOptions *options, SearchIndexer **ret, Error *err)
{
    SearchIndexer *indexer = mem_alloc(sizeof(*indexer));
    indexer->options = *options;
    if (looper_start(run, indexer, &indexer->looper, err) < 0) {
        search_indexer_stop(indexer);
        return -1;
    }
    *ret = indexer;
    return 0;
}
