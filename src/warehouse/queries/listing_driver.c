/* Which condition on samples leaves fewest, counted up to a bound. */

#include "base/mem.h"
#include "warehouse/queries/listing_priv.h"

static void driver_from(ListingDriver *ret, Arena *arena, const Query *query)
{
    ret->text = arena_strndup(arena, query->text.data, query->text.len);
    ret->n_args = query->n_args;
    for (size_t i = 0; i < query->n_args; i++) {
        ret->args[i] = query->args[i];
        if (ret->args[i].type == SQL_TYPE_TEXT)
            ret->args[i].text = arena_str(arena, query->args[i].text);
    }
}

/* Numbers of samples, a few of them twice. The numbers in text count from $1; they move up behind
   those of the query. */
static void add_rows(const Listing *listing, Query *query, const ListingDriver *driver)
{
    const char *rest = driver->text;
    for (size_t i = 0; i < driver->n_args; i++) {
        auto_free char *mark = mem_printf("$%zu", i + 1);
        const char *at = strstr(rest, mark);
        buf_add(&query->text, rest, (size_t)(at - rest));
        query_add_value(query, "?", driver->args[i]);
        rest = at + strlen(mark);
    }
    query_add(query, rest);
    query_add_value(query, " LIMIT ?", SQL_INT(listing->driver_max + 1));
}

void listing_add_driver(const Listing *listing, Query *query, const ListingDriver *driver)
{
    add_rows(listing, query, driver);
}

static int count(Listing *listing, const ListingDriver *driver, int64_t *ret, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, listing->dialect);
    query_add(&query, "SELECT count(*) FROM (");
    add_rows(listing, &query, driver);
    query_add(&query, ") c");
    if (query_run(&query, listing->tx, &rows, err) < 0 || sql_rows_next(rows, err) < 0)
        return -1;
    *ret = sql_rows_int(rows, 0);
    return 0;
}

static void by_score(const Listing *listing, Query *query)
{
    const QueriesSamples *filter = listing->filter;
    /* The index by status has no more columns than that, and other rows are not to be looked up. */
    query_add(query, listing->statuses.p ? "SELECT r.no" : "SELECT r.no, r.eval_no, r.status");
    query_add_value(query, " FROM listing_score r WHERE r.\"key\" = ?", SQL_TEXT(listing->key));
    if (listing->statuses.p)
        buf_printf(&query->text, " AND r.status IN (%.*s)", STR_ARG(listing->statuses));
    if (filter->has_score_min)
        query_add_value(query, " AND r.value >= ?", SQL_REAL(filter->score_min));
    if (filter->has_score_max)
        query_add_value(query, " AND r.value <= ?", SQL_REAL(filter->score_max));
}

static void by_status(const Listing *listing, Query *query)
{
    buf_printf(&query->text,
               "SELECT r.no, r.eval_no, r.status FROM listing_sample r WHERE r.status IN (%.*s)",
               STR_ARG(listing->statuses));
}

static void by_time(const QueriesSamples *filter, Query *query)
{
    query_add(query, "SELECT r.no, r.eval_no, r.status FROM listing_sample r");
    if (filter->has_completed_after)
        query_where_value(query, "r.completed_at >= ?", SQL_INT(filter->completed_after_us));
    if (filter->has_completed_before)
        query_where_value(query, "r.completed_at <= ?", SQL_INT(filter->completed_before_us));
}

/* Counts what a query finds and keeps it when that is less than the best so far. */
static int consider(Listing *listing, const Query *query, ListingDriver driver, Error *err)
{
    driver_from(&driver, listing->arena, query);
    if (count(listing, &driver, &driver.n, err) < 0)
        return -1;
    if (driver.n < listing->driver.n)
        listing->driver = driver;
    return 0;
}

static int consider_scores(Listing *listing, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    by_score(listing, &query);
    const ListingDriver driver = {.is_range = true, .has_evals = !listing->statuses.p};
    return consider(listing, &query, driver, err);
}

static int consider_statuses(Listing *listing, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    by_status(listing, &query);
    return consider(listing, &query, (ListingDriver){.has_evals = true}, err);
}

static int consider_times(Listing *listing, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    by_time(listing->filter, &query);
    return consider(listing, &query, (ListingDriver){.is_time = true, .has_evals = true}, err);
}

int listing_find_driver(Listing *listing, int64_t max, const ListingDriver **ret, Error *err)
{
    const QueriesSamples *filter = listing->filter;
    *ret = &listing->driver;
    if (listing->driver.text || listing->driver_max >= max)
        return 0;
    listing->driver_max = max;
    listing->driver = (ListingDriver){.n = max + 1};
    if (listing_has_range(listing) && consider_scores(listing, err) < 0)
        return -1;
    if (!listing_has_range(listing) && listing->statuses.p && consider_statuses(listing, err) < 0)
        return -1;
    if ((filter->has_completed_after || filter->has_completed_before) &&
        consider_times(listing, err) < 0)
        return -1;
    return 0;
}
