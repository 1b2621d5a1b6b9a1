/* Which way to the rows of a page is taken; listing.h says when. */

#include "warehouse/queries/listing_priv.h"

/* Of a walk, that take what it takes to fetch a sample by its number, or to look one up. */
enum { ROWS_PER_STEP = 10 };

/* A merge takes some steps for each eval, a gathering some for each sample: as many samples as take
   what the merge does. */
static int64_t merge_steps(const Listing *listing)
{
    enum { STEPS = 25 };
    return (int64_t)listing->n_evals * STEPS;
}

bool listing_is_merge_short(const Listing *listing)
{
    enum { STEPS = 8 };
    return (int64_t)listing->n_evals * STEPS < listing->limits->walk_max;
}

static bool are_few(const Listing *listing)
{
    return listing->has_evals && listing->n_evals <= listing->limits->n_evals_few;
}

static bool are_many(const Listing *listing)
{
    return !listing->has_evals || listing->n_evals >= listing->n_evals_all / 20;
}

/* What takes little: few evals, few samples, or a few steps along the order. */
static int pick_quickly(Listing *listing, ListingStretch *stretch, bool *ret_is_done, Error *err)
{
    const ListingLimits *limits = listing->limits;
    const ListingDriver *driver = NULL;
    *ret_is_done = true;
    if (are_few(listing))
        return listing_merge(listing, stretch, err);
    if (listing_find_driver(listing, limits->gather_first_max, &driver, err) < 0)
        return -1;
    if (driver->text)
        return listing_gather(listing, stretch, driver, err);
    if (listing->is_merged)
        return listing_merge(listing, stretch, err);
    if (are_many(listing) && listing_walk(listing, stretch, limits->walk_first_max, NULL, err) < 0)
        return -1;
    *ret_is_done = stretch->n == stretch->max;
    return 0;
}

/* Whether a longer walk would fill the page if it went on as the first one did. */
static bool promises_page(const Listing *listing, const ListingStretch *stretch, int64_t max)
{
    int64_t n_first = listing->limits->walk_first_max;
    return n_first == 0 || (int64_t)stretch->n * max >= (int64_t)stretch->max * n_first;
}

/* Whether the order of the part is that of the driver's condition. */
static bool is_in_order(const Listing *listing, const ListingPart *part,
                        const ListingDriver *driver)
{
    bool is_by_time = part->column && strcmp(part->column, "a.completed_at") == 0;
    return (driver->is_time && is_by_time) ||
           (driver->is_range && listing_is_ranged(listing, part));
}

/* Along the order, each row being looked for among those that the driver leaves: this takes so
   little that the walk may be a long one. */
static int walk_far(Listing *listing, ListingStretch *stretch, const ListingDriver *driver,
                    bool *ret_is_done, Error *err)
{
    int64_t max = listing->limits->walk_driven_max;
    *ret_is_done = false;
    if (!driver->text || max == 0 || !are_many(listing))
        return 0;
    if (is_in_order(listing, stretch->part, driver))
        driver = NULL;
    if (listing_walk(listing, stretch, max, driver, err) < 0)
        return -1;
    *ret_is_done = stretch->n == stretch->max;
    return 0;
}

/* Whether a walk among so many samples fills a page before it has passed all rows that it may, and
   sooner than these are fetched, if the order has nothing to do with what they are. */
static bool is_walk_worth(const Listing *listing, const ListingStretch *stretch, int64_t n_left)
{
    if (listing->n_samples_about <= 0)
        return true;
    int64_t n_rows = (int64_t)stretch->max * listing->n_samples_about / n_left;
    return n_rows + n_rows / 2 <= listing->limits->walk_driven_max &&
           (n_rows + n_left) / ROWS_PER_STEP < n_left;
}

/* Whether the samples of a condition lie elsewhere in the order: the first walk has met none of
   them, though it would have met several if the order had nothing to do with the condition. In
   orders of time it has met few evals, and the next ones are another matter. */
static bool lie_elsewhere(const Listing *listing, const ListingStretch *stretch,
                          const ListingDriver *driver)
{
    enum { SEVERAL = 2 };
    const char *column = stretch->part->column;
    bool is_by_time = column && str_ends(str_of(column), STR("_at"));
    if (stretch->n > 0 || is_by_time || listing->n_samples_about <= 0)
        return false;
    double share = (double)listing->n_evals / (double)(listing->n_evals_all + 1);
    double n_expected = (double)listing->limits->walk_first_max * share * (double)driver->n /
                        (double)listing->n_samples_about;
    return n_expected >= SEVERAL;
}

/* What samples have a word is known, and perhaps not tested any more. */
static int pick_of_words(Listing *listing, ListingStretch *stretch, Error *err)
{
    const ListingDriver *driver = &listing->driver;
    bool is_done = false;
    if (driver->n > listing->limits->gather_first_max &&
        is_walk_worth(listing, stretch, driver->n) &&
        walk_far(listing, stretch, driver, &is_done, err) < 0)
        return -1;
    return is_done ? 0 : listing_gather(listing, stretch, driver, err);
}

/* When no condition is narrow a walk mostly does. It takes little for each row, and more only for
   one of an eval that may be seen, if samples are to be looked up: so it is longer when those are
   few. That the first one found little says much about times only: evals come one after the other,
   and what the next ones are like is another matter. */
static int walk_on(Listing *listing, ListingStretch *stretch, bool *ret_is_done, Error *err)
{
    enum { LONGER_MAX = 5 };
    const QueriesSamples *filter = listing->filter;
    bool has_times = filter->has_completed_after || filter->has_completed_before;
    bool has_looks = listing_needs_sample(listing) || listing_has_range(listing);
    int64_t longer = (int64_t)(listing->n_evals_all / (listing->n_evals + 1));
    if (longer > LONGER_MAX || !has_looks)
        longer = LONGER_MAX;
    int64_t max = listing->limits->walk_max * (longer < 1 ? 1 : longer);
    *ret_is_done = false;
    if (!are_many(listing) || (has_times && !promises_page(listing, stretch, max)))
        return 0;
    if (listing_walk(listing, stretch, max, NULL, err) < 0)
        return -1;
    *ret_is_done = stretch->n == stretch->max;
    return 0;
}

/* A walk as long as the first one lets expect, when that takes far less than a merge would. */
static int walk_as_promised(Listing *listing, ListingStretch *stretch, bool *ret_is_done,
                            Error *err)
{
    enum { STEPS_MAX = 2500, SPARE = 2 };
    bool has_looks =
        listing_needs_sample(listing) || listing_has_range(listing) || stretch->part->lacks_score;
    size_t n_first = stretch->n;
    *ret_is_done = false;
    if (n_first == 0 || !are_many(listing))
        return 0;
    int64_t n_rows =
        SPARE * (int64_t)stretch->max * listing->limits->walk_first_max / (int64_t)n_first;
    int64_t n_looks =
        has_looks ? n_rows * (int64_t)listing->n_evals / (int64_t)(listing->n_evals_all + 1) : 0;
    int64_t steps = n_rows / ROWS_PER_STEP + n_looks;
    if (steps > STEPS_MAX || steps > merge_steps(listing) ||
        n_rows > listing->limits->walk_driven_max)
        return 0;
    if (listing_walk(listing, stretch, n_rows, NULL, err) < 0)
        return -1;
    *ret_is_done = stretch->n == stretch->max;
    if (!*ret_is_done)
        stretch->n = n_first; /* which says more than what was cut off */
    return 0;
}

/* What remains when a few steps do not fill the page. */
static int pick_slowly(Listing *listing, ListingStretch *stretch, Error *err)
{
    const ListingLimits *limits = listing->limits;
    const ListingDriver *driver = NULL;
    bool is_done = false;
    if (walk_as_promised(listing, stretch, &is_done, err) < 0)
        return -1;
    if (is_done)
        return 0;
    if (listing->n_evals <= limits->n_evals_pruned) {
        if (listing_prune_evals(listing, err) < 0)
            return -1;
        if (are_few(listing))
            return listing_merge(listing, stretch, err);
    }
    /* A merge that has to look samples up until some fit is not so short. Of few evals there is no
       walk: all that a driver is for is to be gathered. */
    bool is_short = listing_is_merge_short(listing) && !listing_needs_sample(listing);
    int64_t max = limits->gather_max;
    if ((is_short || !are_many(listing)) && merge_steps(listing) < max)
        max = merge_steps(listing);
    if (listing_find_driver(listing, max, &driver, err) < 0)
        return -1;
    bool may_fill = driver->is_time ? promises_page(listing, stretch, limits->walk_driven_max)
                                    : !lie_elsewhere(listing, stretch, driver);
    if (driver->text && may_fill && walk_far(listing, stretch, driver, &is_done, err) < 0)
        return -1;
    if (!is_done && !driver->text && !is_short && walk_on(listing, stretch, &is_done, err) < 0)
        return -1;
    if (is_done)
        return 0;
    if (listing_prune_evals(listing, err) < 0)
        return -1;
    return driver->text && driver->n <= merge_steps(listing)
               ? listing_gather(listing, stretch, driver, err)
               : listing_merge(listing, stretch, err);
}

static int pick_stretch(Listing *listing, ListingStretch *stretch, Error *err)
{
    static const QueryWords none;
    bool is_done = false;
    if (listing->has_evals && listing->n_evals == 0)
        return 0;
    if (listing->driver.is_word)
        return pick_of_words(listing, stretch, err);
    if (pick_quickly(listing, stretch, &is_done, err) < 0)
        return -1;
    bool has_tests = listing_has_tests(listing) || stretch->part->lacks_score;
    /* Without conditions a walk that was not cut off has ended where the rows do. */
    bool is_end =
        listing->is_open && !has_tests && (int64_t)stretch->n < listing->limits->walk_first_max;
    if (is_done || is_end)
        return 0;
    if (listing_load_evals(listing, &none, err) < 0)
        return -1;
    return pick_slowly(listing, stretch, err);
}

/* Parts that a range of the same scores leaves empty. */
static bool is_empty_part(const Listing *listing, const ListingPart *part)
{
    if (!listing_has_range(listing))
        return false;
    return part->lacks_score || (part->is_score && part->where && strstr(part->where, "rest"));
}

static int pick_by_sample(Listing *listing, const ListingRow *after, Error *err)
{
    size_t first = after ? (size_t)after->part : 0;
    size_t end = listing->last ? (size_t)listing->last->part + 1 : listing->sort->n_parts;
    for (size_t i = first; i < end && listing->n_rows < listing->n_wanted; i++) {
        const ListingPart *part = &listing->sort->parts[i];
        if (is_empty_part(listing, part))
            continue;
        ListingStretch stretch = {.part = part,
                                  .at_part = (int64_t)i,
                                  .last = i + 1 == end ? listing->last : NULL,
                                  .after = after && after->part == (int64_t)i ? after : NULL,
                                  .ret = listing->rows + listing->n_rows,
                                  .max = listing->n_wanted - listing->n_rows};
        if (pick_stretch(listing, &stretch, err) < 0)
            return -1;
        listing->n_rows += stretch.n;
    }
    return 0;
}

int listing_pick(Listing *listing, const Cursor *cursor, Error *err)
{
    ListingRow after = {0};
    if (cursor)
        after = (ListingRow){.part = cursor->values[0].integer,
                             .value = cursor->values[1],
                             .eval_no = cursor->values[2].integer,
                             .no = cursor->values[3].integer};
    const ListingRow *from = cursor ? &after : NULL;
    return listing->sort->of_eval ? listing_pick_by_eval(listing, from, err)
                                  : pick_by_sample(listing, from, err);
}

/* ---- the plain way ---- */

static void add_plain_order(const Listing *listing, Query *query)
{
    const char *direction = listing_direction(listing);
    const ListingSort *sort = listing->sort;
    query_add(query, " ORDER BY ");
    if (sort->of_eval)
        buf_printf(&query->text, "substr(v.%s, 1, 500) %s NULLS LAST, v.no %s, ", sort->of_eval,
                   direction, direction);
    for (size_t i = 0; i < sort->n_parts; i++) {
        const ListingPart *part = &sort->parts[i];
        const char *alias = part->is_score ? "f" : "a";
        if (part->column)
            buf_printf(&query->text, "%s.%s %s NULLS LAST, ", alias, part->column + 2, direction);
    }
    buf_printf(&query->text, "a.no %s", direction);
}

int listing_pick_plain(Listing *listing, int64_t offset, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    query_add(&query, "SELECT a.no, NULL, a.eval_no FROM listing_sample a");
    if (listing->sort->of_eval)
        query_add(&query, " JOIN listing_eval v ON v.no = a.eval_no");
    else if (listing->sort->parts[0].is_score)
        query_add_value(&query, " LEFT JOIN listing_score f ON f.no = a.no AND f.\"key\" = ?",
                        SQL_TEXT(listing->key));
    query_add(&query, " WHERE 1 = 1");
    if (!listing->sort->of_eval && listing->sort->parts[0].is_score)
        buf_printf(&query.text, " AND a.status <> %d", LISTING_PROVISIONAL);
    listing_add_tests(listing, &query, "a", "a", true);
    listing_add_score_test(listing, &query, "a");
    add_plain_order(listing, &query);
    query_add_value(&query, " LIMIT ?", SQL_INT((int64_t)listing->n_wanted));
    query_add_value(&query, " OFFSET ?", SQL_INT(offset));
    return listing_fetch(listing, &query, &listing_by_number, 0, listing->rows, listing->n_wanted,
                         &listing->n_rows, err);
}
