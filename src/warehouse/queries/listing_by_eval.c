/* Pages in an order of evals. */

#include <stdlib.h>

#include "base/mem.h"
#include "warehouse/queries/listing_priv.h"

/* A row's place by its eval: the sort value, the eval's number. Unknown values are last. */
static bool eval_comes_first(const Listing *listing, const ListingEval *a, const SqlValue *value,
                             int64_t no)
{
    bool is_null = a->value.type == SQL_TYPE_NULL;
    if (is_null != (value->type == SQL_TYPE_NULL))
        return !is_null;
    int order = listing_compare(&a->value, value);
    if (order == 0)
        order = (a->no > no) - (a->no < no);
    return listing->is_ascending ? order < 0 : order > 0;
}

const ListingPart listing_by_number = {0};

/* Appends the rows of the i-th eval. */
static int append_eval(Listing *listing, size_t i, const ListingRow *after, Error *err)
{
    const ListingEval *eval = &listing->evals[i];
    const ListingStretch stretch = {.part = &listing_by_number};
    size_t n = 0;
    ListingRow *rows = listing->rows + listing->n_rows;
    const ListingRow *behind = after && after->eval_no == eval->no ? after : NULL;
    if (listing_read_eval(listing, &stretch, eval->no, behind, rows,
                          listing->n_wanted - listing->n_rows, &n, err) < 0)
        return -1;
    for (size_t j = 0; j < n; j++)
        rows[j].value = eval->value;
    listing->n_rows += n;
    return 0;
}

typedef struct Ranked {
    ListingRow row;
    size_t rank; /* of its eval */
    bool is_ascending;
} Ranked;

static int compare_ranked(const void *left, const void *right)
{
    const Ranked *a = left;
    const Ranked *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    int order = (a->row.no > b->row.no) - (a->row.no < b->row.no);
    return a->is_ascending ? order : -order;
}

typedef struct Rank {
    int64_t no;
    size_t rank;
} Rank;

static int compare_ranks(const void *left, const void *right)
{
    const Rank *a = left;
    const Rank *b = right;
    return (a->no > b->no) - (a->no < b->no);
}

/* Few samples fit: all of them are fetched and put in the order of their evals. */
static int gather_ranked(Listing *listing, size_t from, const ListingRow *after,
                         const ListingDriver *driver, Error *err)
{
    enum { ROWS_MAX = 32768 }; /* more than a driver finds */
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    query_add(&query, "SELECT a.no, NULL, a.eval_no FROM (");
    listing_add_driver(listing, &query, driver);
    query_add(&query, ") c CROSS JOIN listing_sample a WHERE a.no = c.no");
    listing_add_tests(listing, &query, "a", "a", true);
    listing_add_score_test(listing, &query, "a");
    auto_free ListingRow *rows = mem_array(ROWS_MAX, sizeof(*rows));
    auto_free Ranked *ranked = mem_array(ROWS_MAX, sizeof(*ranked));
    auto_free Rank *ranks = mem_array(listing->n_evals, sizeof(*ranks));
    size_t n = 0;
    size_t m = 0;
    if (listing_fetch(listing, &query, &listing_by_number, 0, rows, ROWS_MAX, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < listing->n_evals; i++)
        ranks[i] = (Rank){listing->evals[i].no, i};
    qsort(ranks, listing->n_evals, sizeof(*ranks), compare_ranks);
    for (size_t i = 0; i < n; i++) {
        const Rank key = {.no = rows[i].eval_no};
        const Rank *found = bsearch(&key, ranks, listing->n_evals, sizeof(*ranks), compare_ranks);
        bool is_behind =
            found && (found->rank > from || !after || after->eval_no != rows[i].eval_no ||
                      (listing->is_ascending ? rows[i].no > after->no : rows[i].no < after->no));
        if (!found || found->rank < from || !is_behind)
            continue;
        ranked[m] = (Ranked){rows[i], found->rank, listing->is_ascending};
        ranked[m++].row.value = listing->evals[found->rank].value;
    }
    qsort(ranked, m, sizeof(*ranked), compare_ranked);
    for (size_t i = 0; i < m && listing->n_rows < listing->n_wanted; i++)
        listing->rows[listing->n_rows++] = ranked[i].row;
    return 0;
}

/* Which of the evals from one on have rows, in their order, as many as are still wanted. */
static int find_having(Listing *listing, size_t from, size_t *ret, size_t *ret_n, Error *err)
{
    size_t max = listing->n_wanted - listing->n_rows;
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, listing->dialect);
    query_add(&query, "SELECT t.key FROM (SELECT e.key AS key, (SELECT a.no FROM listing_sample a "
                      "WHERE a.eval_no = e.value");
    listing_add_tests(listing, &query, "a", "a", false);
    listing_add_score_test(listing, &query, "a");
    query_add(&query, " LIMIT 1) AS no FROM ");
    listing_from(&query,
                 listing_evals_text(listing, listing->evals + from, listing->n_evals - from));
    query_add(&query, ") t WHERE t.no IS NOT NULL ORDER BY t.key");
    query_add_value(&query, " LIMIT ?", SQL_INT((int64_t)max));
    if (query_run(&query, listing->tx, &rows, err) < 0)
        return -1;
    int64_t base = listing->dialect == SQL_POSTGRES; /* counts from 1 */
    size_t n = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        int64_t key = sql_rows_int(rows, 0) - base;
        if (key >= 0 && (uint64_t)key < listing->n_evals - from && n < max)
            ret[n++] = from + (size_t)key;
    }
    *ret_n = n;
    return has_row;
}

int listing_pick_by_eval(Listing *listing, const ListingRow *after, Error *err)
{
    const QueriesSamples *filter = listing->filter;
    bool has_span =
        filter->has_completed_after || filter->has_completed_before || listing_has_range(listing);
    size_t at = 0;
    /* An eval without a sample of the time or range would be read to its end. */
    if (has_span && listing_prune_evals(listing, err) < 0)
        return -1;
    while (after && at < listing->n_evals &&
           eval_comes_first(listing, &listing->evals[at], &after->value, after->eval_no))
        at++;
    size_t first = at;
    for (; at < listing->n_evals && at < first + listing->limits->n_evals_tried; at++) {
        if (append_eval(listing, at, after, err) < 0)
            return -1;
        if (listing->n_rows == listing->n_wanted)
            return 0;
    }
    if (at == listing->n_evals)
        return 0;
    const ListingDriver *driver = NULL;
    if (listing_find_driver(listing, listing->limits->gather_max, &driver, err) < 0)
        return -1;
    if (driver->text)
        return gather_ranked(listing, at, NULL, driver, err);
    auto_free size_t *having = mem_array(listing->n_wanted, sizeof(*having));
    size_t n = 0;
    if (find_having(listing, at, having, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n && listing->n_rows < listing->n_wanted; i++)
        if (append_eval(listing, having[i], after, err) < 0)
            return -1;
    return 0;
}
