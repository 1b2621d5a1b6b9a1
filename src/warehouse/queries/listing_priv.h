/* What the files of a listing share: the question, taken apart. */
#ifndef HAWK_WAREHOUSE_LISTING_PRIV_H
#define HAWK_WAREHOUSE_LISTING_PRIV_H

#include "warehouse/queries/listing.h"

enum {
    LISTING_STATUSES = 11,
    LISTING_PROVISIONAL = 1, /* status of samples that are still running */
    LISTING_ARGS_MAX = 8,
    LISTING_PARTS_MAX = 3,
};

/* A stretch of the order: rows of one table that are sorted by one column. The table has the alias
   a, and columns no, eval_no and status. */
typedef struct ListingPart {
    bool is_score; /* of listing_score, rows with the key of the question; else listing_sample */
    const char *column; /* NULL: by number alone */
    const char *where;  /* " AND a.x IS NOT NULL"; found by the index */
    bool lacks_score;   /* rows without a score of that key */
} ListingPart;
extern const ListingPart listing_by_number;

typedef struct ListingSort {
    const char *name;
    const char *of_eval; /* a column of listing_eval, or NULL */
    ListingPart parts[LISTING_PARTS_MAX];
    size_t n_parts;
} ListingSort;

/* The row of a name, or NULL. STR_NONE is completed_at. */
const ListingSort *listing_sort_find(Str name);

/* The number of a status' name, or -1. */
int listing_status_find(Str name);

typedef struct ListingEval {
    int64_t no;
    SqlValue value; /* of the sort column, when it is one of evals */
    uint32_t words; /* of the search that its texts have; a bit for each */
} ListingEval;

/* A word that is in some evals' texts only, so that samples are to be looked at. */
typedef struct ListingWord {
    Str text;
    uint32_t mask; /* in the words of evals */
    Str evals;     /* list of those that have it, as listing_evals_text makes it */
    bool in_no_eval;
    bool has_ids; /* else too many */
    Str ids;      /* that have it, as JSON: those of all samples that their evals do not give it */
    size_t n_ids;
    bool has_few; /* samples, as far as can be told from how many there are of each id */
    bool is_uuid; /* of a sample */
    ListingRow of_uuid;
} ListingWord;

/* The narrowest condition on samples, as a query for their numbers; text is NULL when none leaves
   few enough. */
typedef struct ListingDriver {
    const char *text;
    bool has_evals; /* with evals and statuses */
    bool is_range;  /* that of scores: it need not be tested again */
    bool is_time;   /* nor need those */
    bool is_word;   /* in the order of numbers, of evals that are listed */
    SqlValue args[LISTING_ARGS_MAX];
    size_t n_args;
    int64_t n;              /* how many it leaves */
    const ListingRow *rows; /* for a word, these; they have no values */
} ListingDriver;

typedef struct Listing {
    SqlTx *tx;
    SqlDialect dialect;
    Arena *arena;
    const QueriesAccess *access;
    const QueriesSamples *filter;
    const ListingLimits *limits;
    const ListingSort *sort;
    bool is_ascending;
    Str key;      /* of listing_score */
    Str statuses; /* "0, 3"; STR_NONE: any */
    int status_min;
    int status_max;

    bool is_open; /* every eval will do: they are not in the conditions */
    bool has_evals;
    bool is_pruned;
    ListingEval
        *evals; /* those that samples may be of, in the order of the sort when it is theirs */
    size_t n_evals;
    size_t n_evals_all;
    int64_t n_samples_about; /* that there are; below 1: unknown */
    ListingWord words[QUERY_WORDS_MAX];
    size_t n_words;

    int64_t driver_max; /* up to which conditions have been counted */
    ListingDriver driver;

    bool is_merged;         /* without trying other ways, but for narrow conditions */
    const ListingRow *last; /* rows behind it are not wanted; NULL: all are */
    ListingRow *rows;
    size_t n_rows;
    size_t n_wanted;
} Listing;

/* Fills in the evals, unless that has been done. */
int listing_load_evals(Listing *listing, const QueryWords *words, Error *err) HAWK_MUST_USE;

/* Leaves out of the evals those of which no sample can fit; once for a listing. */
int listing_prune_evals(Listing *listing, Error *err) HAWK_MUST_USE;

/* Copies those of n evals that have a sample that fits. */
int listing_find_having(const Listing *listing, const ListingEval *evals, size_t n,
                        ListingEval *ret, size_t *ret_n, Error *err) HAWK_MUST_USE;

/* The numbers of evals, or of samples, from one on, as a list that query_add_in and listing_from
 * take. */
Str listing_evals_text(const Listing *listing, const ListingEval *evals, size_t n);

/* Appends the list as a table e (value, key), key counting up. */
void listing_from(Query *query, Str list);

/* Append the conditions on samples but that on scores, and that one; `a` is the alias of number,
   eval and status, `l` that of id, uuid and time of completion. */
void listing_add_tests(const Listing *listing, Query *query, const char *a, const char *l,
                       bool with_evals);
void listing_add_score_test(const Listing *listing, Query *query, const char *a);
bool listing_has_tests(const Listing *listing);
bool listing_needs_sample(const Listing *listing); /* whether they look at l */
bool listing_has_range(const Listing *listing);    /* of scores */

/* Finds the driver that leaves at most so many samples; *ret points into the listing. */
int listing_find_driver(Listing *listing, int64_t max, const ListingDriver **ret,
                        Error *err) HAWK_MUST_USE;
void listing_add_driver(const Listing *listing, Query *query, const ListingDriver *driver);

/* Where in a part to begin, what of it to get, and where that goes. */
typedef struct ListingStretch {
    const ListingPart *part;
    int64_t at_part;
    const ListingRow *after; /* NULL: from its start */
    const ListingRow *last; /* of a merge: rows that come behind it are not wanted; NULL: all are */
    ListingRow *ret;
    size_t max;
    size_t n;
} ListingStretch;

/* Whether a merge of so few evals takes less than a long walk. */
bool listing_is_merge_short(const Listing *listing);

/* The three ways. A walk passes max rows; what it leaves short of stretch->max may have been cut
   off; with a driver (or NULL) each row is looked for among what that leaves. The other two are
   exact; merge needs the evals. */
int listing_walk(Listing *listing, ListingStretch *stretch, int64_t max,
                 const ListingDriver *driver, Error *err) HAWK_MUST_USE;
int listing_gather(Listing *listing, ListingStretch *stretch, const ListingDriver *driver,
                   Error *err) HAWK_MUST_USE;
int listing_merge(Listing *listing, ListingStretch *stretch, Error *err) HAWK_MUST_USE;

/* The rows of one eval behind a row, or all. */
int listing_read_eval(Listing *listing, const ListingStretch *stretch, int64_t eval_no,
                      const ListingRow *after, ListingRow *ret, size_t max, size_t *ret_n,
                      Error *err) HAWK_MUST_USE;

/* The same of several evals one after the other, each by number, until there are max. */
int listing_read_evals(Listing *listing, const ListingEval *evals, size_t n, ListingRow *ret,
                       size_t max, size_t *ret_n, Error *err) HAWK_MUST_USE;

/* Runs a query for numbers, sort values and evals; at most max rows go to ret, which has room for
   them. */
int listing_fetch(Listing *listing, Query *query, const ListingPart *part, int64_t at_part,
                  ListingRow *ret, size_t max, size_t *ret_n, Error *err) HAWK_MUST_USE;

/* Below 0 when a comes before b in an ascending order; values of one column. */
int listing_compare(const SqlValue *a, const SqlValue *b);

/* "ASC" or "DESC". */
const char *listing_direction(const Listing *listing);

/* Whether the part has the range of scores in its order. */
bool listing_is_ranged(const Listing *listing, const ListingPart *part);

/* What listing_pick does when it is sorted by a column of evals. */
int listing_pick_by_eval(Listing *listing, const ListingRow *after, Error *err) HAWK_MUST_USE;

/* Sorts out the words of a search by what has them; drops evals that lack one which only evals
   have. */
int listing_sort_words(Listing *listing, const QueryWords *words, Error *err) HAWK_MUST_USE;

/* Whether a comes before b in the order of the list; equal never. */
bool listing_comes_first(const Listing *listing, const ListingRow *a, const ListingRow *b);

/* What listing_pick does for a search whose words have been sorted out; also without any. */
int listing_pick_words(Listing *listing, const Cursor *after, Error *err) HAWK_MUST_USE;

/* The rows behind the cursor (NULL: from the start), up to n_wanted of them. */
int listing_pick(Listing *listing, const Cursor *cursor, Error *err) HAWK_MUST_USE;

/* The same by one plain statement, passing over some; its time grows with those. */
int listing_pick_plain(Listing *listing, int64_t offset, Error *err) HAWK_MUST_USE;

#endif
