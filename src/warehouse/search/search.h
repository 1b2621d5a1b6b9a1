/* Search: GET /meta/search, the words or patterns that transcripts, scores and metadata have. */
#ifndef HAWK_WAREHOUSE_SEARCH_H
#define HAWK_WAREHOUSE_SEARCH_H

#include "warehouse/queries/queries.h"

enum { SEARCH_LIMIT_MAX = 200, SEARCH_BATCH_MAX = 1000 };

/* What is looked for and where. Views that are STR_NONE do not narrow. */
typedef struct SearchQuestion {
    Str q;
    Str eval_set_id;
    Str eval_pk;
    Str sample_pk;
    bool of_scans;   /* of what only scans have: nothing is found */
    bool is_grep;    /* q is a regular expression (PCRE2), else words: see search_words.h */
    bool match_case; /* of expressions */
    bool by_recency; /* newest first, else by rank among the newest that fit */
    int64_t limit;   /* 1..SEARCH_LIMIT_MAX */
    int64_t
        batch_size; /* documents that an expression is tried on at a time, 1..SEARCH_BATCH_MAX */
    Str cursor;
} SearchQuestion;

/* SearchResponse, with how many samples that the reader may see are not indexed yet. ERR_USAGE for
   what cannot be asked or would find everything, ERR_TIMEOUT when the database takes too long; an
   expression that takes long gives a cursor to go on from. */
int search_answer(Sql *sql, const QueriesAccess *access, const SearchQuestion *question,
                  JsonOut *out, Error *err) HAWK_MUST_USE;

#endif
