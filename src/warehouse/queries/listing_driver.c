/* Which condition on samples leaves fewest, counted up to a bound. */

#include "base/mem.h"
#include "warehouse/queries/listing_priv.h"

enum { GRAM = 3 };

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
    query_add(query, driver->is_word ? "SELECT DISTINCT d.no FROM (" : "");
    add_rows(listing, query, driver);
    query_add(query, driver->is_word ? ") d" : "");
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
    query_add_value(query,
                    "SELECT r.no, r.eval_no, r.status FROM listing_score r WHERE r.\"key\" = ?",
                    SQL_TEXT(listing->key));
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

static void by_word(Query *query, const ListingWord *word)
{
    if (query->dialect == SQL_SQLITE) {
        query_add(query, "SELECT rowid AS no FROM listing_text WHERE id");
        query_add_value(query, " LIKE ?", SQL_TEXT(query_like_loose(query->arena, word->text)));
    } else {
        query_add(query, "SELECT r.no FROM listing_sample r");
        query_where_word(query, "r.id", word->text);
    }
    if (word->is_uuid)
        query_add_value(query, " UNION ALL SELECT u.no FROM listing_sample u WHERE u.uuid = ?",
                        SQL_TEXT(word->text));
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
    return consider(listing, &query, (ListingDriver){.is_range = true}, err);
}

static int consider_statuses(Listing *listing, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    by_status(listing, &query);
    return consider(listing, &query, (ListingDriver){0}, err);
}

static int consider_times(Listing *listing, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    by_time(listing->filter, &query);
    return consider(listing, &query, (ListingDriver){0}, err);
}

/* Looking for words takes long, however few samples have them: it is done once, and the numbers
   that were found are the driver. */
static int consider_word(Listing *listing, const ListingWord *word, Error *err)
{
    if (!word->in_no_eval || word->text.n < GRAM)
        return 0;
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    size_t max = (size_t)listing->driver_max + 1;
    auto_free ListingEval *found = mem_array(max, sizeof(*found));
    size_t n = 0;
    int has_row = 0;
    query_begin(&query, listing->dialect);
    by_word(&query, word);
    query_add_value(&query, " LIMIT ?", SQL_INT((int64_t)max));
    if (query_run(&query, listing->tx, &rows, err) < 0)
        return -1;
    while (n < max && (has_row = sql_rows_next(rows, err)) == 1)
        found[n++].no = sql_rows_int(rows, 0);
    if (has_row < 0)
        return -1;
    if ((int64_t)n < listing->driver.n)
        listing->driver = (ListingDriver){.text = listing->dialect == SQL_SQLITE
                                                      ? "SELECT value AS no FROM json_each($1)"
                                                      : "SELECT unnest($1::bigint[]) AS no",
                                          .args = {SQL_TEXT(listing_evals_text(listing, found, n))},
                                          .n_args = 1,
                                          .is_word = true,
                                          .n = (int64_t)n};
    return 0;
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
    for (size_t i = 0; i < listing->n_words; i++)
        if (consider_word(listing, &listing->words[i], err) < 0)
            return -1;
    return 0;
}
