/* Listing: which samples a page of a list shows, found in the tables of 0002_lists.sql and
   0006_list_ids.sql.

   Lists over a million samples must answer at once whatever they are sorted and narrowed by, and no
   planner of a database knows how a filter and a sort order hang together. So the way is chosen
   here, by trying and counting:

   - walk: along the index of the sort column, taking what fits: past some hundred rows, then as far
   as these let expect that the page is full, and far when it is known which samples a condition
   leaves, so that none has to be looked up. Enough whenever a fair share of the samples fits.
   - gather: when one of the conditions on samples (status, score, time, words in the id) leaves
   few, these are fetched, tested and sorted.
   - merge: the first row of each eval that may be seen, by the index within evals, tells which
   evals have rows of the page; only those are read. Exact, however a filter goes against the order.

   A search is two lists: listing_words.c says which.

   Rows are in a total order: the sort column, what is unknown last, then the number of the row. */
#ifndef HAWK_WAREHOUSE_LISTING_H
#define HAWK_WAREHOUSE_LISTING_H

#include "sql/cursor.h"
#include "warehouse/queries/queries.h"
#include "warehouse/queries/queries_priv.h"

/* One sample of a page. */
typedef struct ListingRow {
    int64_t no; /* of listing_sample */
    int64_t eval_no;
    int64_t part;   /* of the order: known values first */
    SqlValue value; /* what it is sorted by; text in the arena */
} ListingRow;

typedef struct ListingPage {
    ListingRow *rows;
    size_t n;
    bool has_more;
    Str next; /* cursor, when there is more; none behind a page far from the start by its number */
} ListingPage;

/* When which way is taken; listing_limits is for use, others are for tests. */
typedef struct ListingLimits {
    int64_t walk_max;         /* rows of an index */
    int64_t walk_first_max;   /* so few are tried before anything is counted */
    int64_t walk_driven_max;  /* when it is known which samples fit; 0: never */
    int64_t gather_max;       /* samples that a condition may leave */
    int64_t gather_first_max; /* so few are not worth a walk */
    int64_t
        fast_offset_max; /* rows that a page number may pass over; beyond that one plain query */
    int64_t samples_of_word_max; /* that ids with a word may have, to be found one by one */
    size_t n_evals_few;          /* so few are read one by one */
    size_t n_evals_pruned;       /* of so few it is asked early which have samples that can fit */
    size_t
        n_evals_tried; /* in the order of evals, before a condition is looked for that is narrow */
} ListingLimits;
extern const ListingLimits listing_limits;

typedef struct ListingQuestion {
    SqlTx *tx;
    SqlDialect dialect;
    const QueriesAccess *access;
    const QueriesSamples *filter;
    const ListingLimits *limits;
} ListingQuestion;

/* Finds a page of samples, which lives in the arena. ERR_USAGE for what cannot be asked. */
int listing_page(const ListingQuestion *question, Arena *arena, ListingPage *ret,
                 Error *err) HAWK_MUST_USE;

#endif
