/* SearchIndex: makes documents of samples and evals that the import has left to be indexed. */
#ifndef HAWK_WAREHOUSE_SEARCH_INDEX_H
#define HAWK_WAREHOUSE_SEARCH_INDEX_H

#include "base/error.h"
#include "sql/sql.h"

/* What a document is of, as search_doc.entity and search_doc.content have it; see the tables in
   search.c for their names. */
typedef enum SearchEntity {
    SEARCH_EVAL,
    SEARCH_SAMPLE,
    SEARCH_MESSAGE,
    SEARCH_EVENT,
    SEARCH_SCORE,
    SEARCH_SCANNER_RESULT,
    SEARCH_MESSAGE_POOL,
    N_SEARCH_ENTITIES,
} SearchEntity;

typedef enum SearchContent {
    SEARCH_RESULT_VALUE,
    SEARCH_EVAL_METADATA,
    SEARCH_SAMPLE_METADATA,
    SEARCH_SCANNED_TRANSCRIPT,
    SEARCH_TRANSCRIPT,
    N_SEARCH_CONTENTS,
} SearchContent;

/* Documents get numbers that begin with that of their eval. */
enum { SEARCH_DOC_SHIFT = 32, SEARCH_DOCS_MAX = 20000 }; /* of one sample */

/* Indexes up to max samples and evals, the oldest first, each in a transaction of its own, which
   makes an interrupted pass go on where it was. *ret_n is how many there were. What cannot be
   indexed for its content is passed over and counted in *ret_n_failed. */
int search_index_pass(Sql *sql, size_t max, size_t *ret_n, size_t *ret_n_failed,
                      Error *err) HAWK_MUST_USE;

/* A thread that makes passes as long as there is something to do, and then looks again each second.
 */
typedef struct SearchIndexer SearchIndexer;
typedef struct SearchIndexerOptions {
    Sql *sql;
    void *context;
    /* Called on the thread when the database fails and when it works again, with NULL. */
    void (*troubled)(void *context, const Error *problem);
} SearchIndexerOptions;
int search_indexer_start(const SearchIndexerOptions *options, SearchIndexer **ret,
                         Error *err) HAWK_MUST_USE;
void search_indexer_stop(SearchIndexer *indexer); /* after the sample at hand; NULL is fine */

#endif
