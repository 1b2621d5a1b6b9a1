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

bool listing_comes_first(const Listing *listing, const ListingRow *a, const ListingRow *b)
{
    const ListingEval eval = {.no = a->eval_no, .value = a->value};
    int order = 0;
    if (a->part != b->part)
        return a->part < b->part;
    if (listing->sort->of_eval && a->eval_no != b->eval_no)
        return eval_comes_first(listing, &eval, &b->value, b->eval_no);
    if (!listing->sort->of_eval)
        order = listing_compare(&a->value, &b->value);
    if (order == 0)
        order = (a->no > b->no) - (a->no < b->no);
    return listing->is_ascending ? order < 0 : order > 0;
}

/* Appends the rows of the i-th eval that come behind one of it. */
static int append_behind(Listing *listing, size_t i, const ListingRow *after, Error *err)
{
    const ListingEval *eval = &listing->evals[i];
    const ListingStretch stretch = {.part = &listing_by_number};
    size_t n = 0;
    ListingRow *rows = listing->rows + listing->n_rows;
    if (listing_read_eval(listing, &stretch, eval->no, after, rows,
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

enum { ROWS_MAX = 32768 }; /* more than a driver finds */

/* The samples that the driver leaves and that fit. */
static int fetch_driven(Listing *listing, const ListingDriver *driver, ListingRow *ret,
                        size_t *ret_n, Error *err)
{
    auto_query Query query = {0};
    if (driver->is_word && !listing_has_tests(listing)) {
        memcpy(ret, driver->rows, (size_t)driver->n * sizeof(*ret));
        *ret_n = (size_t)driver->n;
        return 0;
    }
    query_begin(&query, listing->dialect);
    query_add(&query, "SELECT a.no, NULL, a.eval_no FROM (");
    listing_add_driver(listing, &query, driver);
    if (driver->has_evals && !listing_needs_sample(listing))
        query_add(&query, ") a WHERE 1 = 1");
    else if (query.dialect == SQL_POSTGRES) /* OFFSET: each is found by its number */
        query_add(&query, ") c CROSS JOIN LATERAL (SELECT a.* FROM listing_sample a WHERE a.no = "
                          "c.no OFFSET 0) a WHERE 1 = 1");
    else
        query_add(&query, ") c CROSS JOIN listing_sample a WHERE a.no = c.no");
    listing_add_tests(listing, &query, "a", "a", !driver->is_word);
    if (!driver->is_range)
        listing_add_score_test(listing, &query, "a");
    return listing_fetch(listing, &query, &listing_by_number, 0, ret, ROWS_MAX, ret_n, err);
}

/* Few samples fit: all of them are fetched, and those put in their order that are of the evals from
   one on, of that one only what comes behind a row (NULL: all). */
static int gather_ranked(Listing *listing, size_t from, const ListingRow *after,
                         const ListingDriver *driver, Error *err)
{
    auto_free ListingRow *rows = mem_array(ROWS_MAX, sizeof(*rows));
    auto_free Ranked *ranked = mem_array(ROWS_MAX, sizeof(*ranked));
    auto_free Rank *ranks = mem_array(listing->n_evals, sizeof(*ranks));
    size_t n = 0;
    size_t m = 0;
    if (fetch_driven(listing, driver, rows, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < listing->n_evals; i++)
        ranks[i] = (Rank){listing->evals[i].no, i};
    qsort(ranks, listing->n_evals, sizeof(*ranks), compare_ranks);
    for (size_t i = 0; i < n; i++) {
        const Rank key = {.no = rows[i].eval_no};
        const Rank *found = bsearch(&key, ranks, listing->n_evals, sizeof(*ranks), compare_ranks);
        if (!found || found->rank < from)
            continue;
        ranked[m] = (Ranked){rows[i], found->rank, listing->is_ascending};
        ranked[m].row.value = listing->evals[found->rank].value;
        if (!after || listing_comes_first(listing, after, &ranked[m].row))
            m++;
    }
    qsort(ranked, m, sizeof(*ranked), compare_ranked);
    for (size_t i = 0; i < m && listing->n_rows < listing->n_wanted; i++)
        listing->rows[listing->n_rows++] = ranked[i].row;
    return 0;
}

/* Appends the rows of the next n evals, from one on. */
static int append_next(Listing *listing, size_t from, size_t n, Error *err)
{
    auto_free ListingEval *having = mem_array(n, sizeof(*having));
    const ListingEval *evals = listing->evals + from;
    size_t n_rows = 0;
    if (listing_has_tests(listing)) {
        if (listing_find_having(listing, evals, n, having, &n, err) < 0)
            return -1;
        evals = having;
    }
    size_t n_wanted = listing->n_wanted - listing->n_rows;
    ListingRow *rows = listing->rows + listing->n_rows;
    n = n < n_wanted ? n : n_wanted;
    if (n == 0)
        return 0;
    if (listing_read_evals(listing, evals, n, rows, n_wanted, &n_rows, err) < 0)
        return -1;
    size_t at = 0;
    for (size_t i = 0; i < n_rows; i++) {
        while (at < n && evals[at].no != rows[i].eval_no)
            at++;
        rows[i].value = at < n ? evals[at].value : SQL_NULL;
    }
    listing->n_rows += n_rows;
    return 0;
}

int listing_pick_by_eval(Listing *listing, const ListingRow *after, Error *err)
{
    const ListingDriver *driver = NULL;
    size_t at = 0;
    while (after && at < listing->n_evals &&
           eval_comes_first(listing, &listing->evals[at], &after->value, after->eval_no))
        at++;
    if (listing->driver.is_word)
        return gather_ranked(listing, at, after, &listing->driver, err);
    if (after && at < listing->n_evals && listing->evals[at].no == after->eval_no &&
        append_behind(listing, at++, after, err) < 0)
        return -1;
    size_t first = at;
    size_t n_tried = listing->limits->n_evals_tried;
    for (size_t n = n_tried ? n_tried : 1; at < listing->n_evals; at += n, n *= 4) {
        if (listing->n_rows == listing->n_wanted)
            return 0;
        if (at >= first + n_tried && !driver) {
            if (listing_find_driver(listing, listing->limits->gather_max, &driver, err) < 0)
                return -1;
            /* Which evals have samples of a time or range is found out faster than as many rows. */
            if (driver->text && driver->n <= listing->limits->gather_first_max)
                return gather_ranked(listing, at, NULL, driver, err);
        }
        size_t n_left = listing->n_evals - at;
        if (append_next(listing, at, n < n_left ? n : n_left, err) < 0)
            return -1;
    }
    return 0;
}
