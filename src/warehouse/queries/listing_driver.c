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

/* The numbers in text count from $1; they move up behind those of the query. */
void listing_add_driver(const Listing *listing, Query *query, const ListingDriver *driver)
{
    const char *rest = driver->text;
    query_add(query, "SELECT DISTINCT d.no FROM (");
    for (size_t i = 0; i < driver->n_args; i++) {
        auto_free char *mark = mem_printf("$%zu", i + 1);
        const char *at = strstr(rest, mark);
        buf_add(&query->text, rest, (size_t)(at - rest));
        query_add_value(query, "?", driver->args[i]);
        rest = at + strlen(mark);
    }
    query_add(query, rest);
    /* The limit keeps DISTINCT out of the plan. */
    query_add_value(query, " LIMIT ?) d", SQL_INT(listing->limits->gather_max + 1));
}

static int count(Listing *listing, const ListingDriver *driver, int64_t *ret, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, listing->dialect);
    query_add(&query, "SELECT count(*) FROM (");
    listing_add_driver(listing, &query, driver);
    query_add(&query, ") c");
    if (query_run(&query, listing->tx, &rows, err) < 0 || sql_rows_next(rows, err) < 0)
        return -1;
    *ret = sql_rows_int(rows, 0);
    return 0;
}

/* The keys of all scorers there are, found by steps in the index; too many are none. */
static int list_keys(Listing *listing, Str *ret, size_t *ret_n, Error *err)
{
    static const char text[] =
        "WITH RECURSIVE k (name) AS (SELECT min(\"key\") FROM listing_score WHERE \"key\" > '' "
        "UNION ALL SELECT (SELECT min(s.\"key\") FROM listing_score s WHERE s.\"key\" > k.name) "
        "FROM k WHERE k.name IS NOT NULL) SELECT name FROM k WHERE name IS NOT NULL LIMIT 65";
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(listing->tx, text, SQL_NO_ARGS, &rows, err) < 0)
        return -1;
    size_t n = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (n == LISTING_KEYS_MAX) {
            *ret_n = 0;
            return 0;
        }
        ret[n++] = arena_str(listing->arena, sql_rows_text(rows, 0));
    }
    *ret_n = n;
    return has_row;
}

static int by_score(Listing *listing, Query *query, Error *err)
{
    const QueriesSamples *filter = listing->filter;
    Str keys[LISTING_KEYS_MAX] = {listing->key};
    size_t n_keys = 1;
    if (!filter->scorer.p && list_keys(listing, keys, &n_keys, err) < 0)
        return -1;
    if (n_keys == 0)
        return 0;
    buf_printf(
        &query->text, "SELECT r.no FROM listing_score r WHERE r.status IN (%.*s)",
        STR_ARG(listing->statuses.p ? listing->statuses : STR("0, 1, 2, 3, 4, 5, 6, 7, 8, 9")));
    query_add(query, " AND r.\"key\" IN (");
    for (size_t i = 0; i < n_keys; i++)
        query_add_value(query, i ? ", ?" : "?", SQL_TEXT(keys[i]));
    query_add(query, ")");
    if (filter->has_score_min)
        query_add_value(query, " AND r.value >= ?", SQL_REAL(filter->score_min));
    if (filter->has_score_max)
        query_add_value(query, " AND r.value <= ?", SQL_REAL(filter->score_max));
    return 0;
}

static void by_status(const Listing *listing, Query *query)
{
    buf_printf(&query->text, "SELECT r.no FROM listing_sample r WHERE r.status IN (%.*s)",
               STR_ARG(listing->statuses));
}

static void by_time(const QueriesSamples *filter, Query *query)
{
    query_add(query, "SELECT r.no FROM listing_sample r");
    if (filter->has_completed_after)
        query_where_value(query, "r.completed_at >= ?", SQL_INT(filter->completed_after_us));
    if (filter->has_completed_before)
        query_where_value(query, "r.completed_at <= ?", SQL_INT(filter->completed_before_us));
}

static void by_word(Query *query, Str word)
{
    if (query->dialect == SQL_SQLITE) {
        query_add(query, "SELECT rowid AS no FROM listing_text WHERE id");
        query_add_value(query, " LIKE ?", SQL_TEXT(query_like_loose(query->arena, word)));
    } else {
        query_add(query, "SELECT r.no FROM listing_sample r");
        query_where_word(query, "r.id", word);
    }
}

/* Counts what a query finds and keeps it when that is less than the best so far. */
static int consider(Listing *listing, const Query *query, Error *err)
{
    if (query->text.len == 0)
        return 0;
    ListingDriver driver = {0};
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
    return by_score(listing, &query, err) < 0 ? -1 : consider(listing, &query, err);
}

static int consider_statuses(Listing *listing, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    by_status(listing, &query);
    return consider(listing, &query, err);
}

static int consider_times(Listing *listing, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    by_time(listing->filter, &query);
    return consider(listing, &query, err);
}

static int consider_word(Listing *listing, const ListingWord *word, Error *err)
{
    if (!word->in_no_eval || word->text.n < GRAM)
        return 0;
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    by_word(&query, word->text);
    return consider(listing, &query, err);
}

int listing_find_driver(Listing *listing, const ListingDriver **ret, Error *err)
{
    const QueriesSamples *filter = listing->filter;
    *ret = &listing->driver;
    if (listing->has_driver)
        return 0;
    listing->has_driver = true;
    listing->driver = (ListingDriver){.n = listing->limits->gather_max + 1};
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
