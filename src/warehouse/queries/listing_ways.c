/* The ways to the rows of a page: walk, gather and merge, as listing.h has them. */

#include "base/mem.h"
#include "warehouse/queries/listing_priv.h"

const char *listing_direction(const Listing *listing)
{
    return listing->is_ascending ? "ASC" : "DESC";
}

bool listing_is_ranged(const Listing *listing, const ListingPart *part)
{
    return part->column && strcmp(part->column, "a.value") == 0 && listing_has_range(listing);
}

static bool joins_sample(const Listing *listing, const ListingPart *part)
{
    return part->is_score && listing_needs_sample(listing);
}

static const char *sample_alias(const Listing *listing, const ListingPart *part)
{
    return joins_sample(listing, part) ? "l" : "a";
}

static void add_from(const Listing *listing, const ListingPart *part, Query *query)
{
    query_add(query, part->is_score ? "listing_score a" : "listing_sample a");
    if (joins_sample(listing, part))
        query_add(query, " CROSS JOIN listing_sample l");
}

/* Which rows come behind one. SQLite finds the place in an index by the value or by the number, not
   by both: there the ties of a row and what comes behind them are two questions. */
typedef enum Behind { BEHIND, TIED, BEYOND } Behind;

/* The part's own conditions, all found by its index. What is tied with a row is in the same ranges
   as that, and SQLite would rather look for a range than for the value and the number. */
static void add_conditions(const Listing *listing, const ListingPart *part, Behind behind,
                           Query *query)
{
    const QueriesSamples *filter = listing->filter;
    if (part->is_score)
        query_add_value(query, " AND a.\"key\" = ?", SQL_TEXT(listing->key));
    if (part->where)
        query_add(query, part->where);
    if (behind == TIED)
        return;
    if (listing_is_ranged(listing, part) && filter->has_score_min)
        query_add_value(query, " AND a.value >= ?", SQL_REAL(filter->score_min));
    if (listing_is_ranged(listing, part) && filter->has_score_max)
        query_add_value(query, " AND a.value <= ?", SQL_REAL(filter->score_max));
    if (listing->statuses.p && part->column && strcmp(part->column, "a.status") == 0)
        buf_printf(&query->text, " AND a.status >= %d AND a.status <= %d", listing->status_min,
                   listing->status_max);
    bool is_by_time = part->column && strcmp(part->column, "a.completed_at") == 0;
    if (is_by_time && filter->has_completed_after)
        query_add_value(query, " AND a.completed_at >= ?", SQL_INT(filter->completed_after_us));
    if (is_by_time && filter->has_completed_before)
        query_add_value(query, " AND a.completed_at <= ?", SQL_INT(filter->completed_before_us));
}

static void add_where(const Listing *listing, const ListingPart *part, Behind behind, Query *query)
{
    if (joins_sample(listing, part))
        query_add(query, " AND l.no = a.no");
    add_conditions(listing, part, behind, query);
}

static bool splits_ties(const Listing *listing, const ListingPart *part, const ListingRow *after)
{
    return listing->dialect == SQL_SQLITE && after && part->column;
}

/* The condition that rows come behind one; column is NULL when they go by number alone. */
static void add_after(const Listing *listing, const char *column, const char *no,
                      const ListingRow *after, Behind behind, Query *query)
{
    const char *sign = listing->is_ascending ? ">" : "<";
    if (!after)
        return;
    if (column && behind == BEYOND) {
        buf_printf(&query->text, " AND %s %s ", column, sign);
        query_add_value(query, "?", after->value);
    } else if (column && behind == TIED) {
        buf_printf(&query->text, " AND %s = ", column);
        query_add_value(query, "?", after->value);
        buf_printf(&query->text, " AND %s %s ", no, sign);
        query_add_value(query, "?", SQL_INT(after->no));
    } else if (column) {
        buf_printf(&query->text, " AND (%s, %s) %s ", column, no, sign);
        query_add_value(query, "(?, ", after->value);
        query_add_value(query, "?)", SQL_INT(after->no));
    } else {
        buf_printf(&query->text, " AND %s %s ", no, sign);
        query_add_value(query, "?", SQL_INT(after->no));
    }
}

/* A value of which PostgreSQL only knows the type as it plans. */
static const char *unforeseen(const SqlValue *value)
{
    if (value->type == SQL_TYPE_INT)
        return "(SELECT ?::bigint)";
    return value->type == SQL_TYPE_REAL ? "(SELECT ?::float8)" : "(SELECT ?::text)";
}

/* Compares rows of one eval with a row, in PostgreSQL. Told the values as they are, it would take
   the comparison for one that leaves few rows of all and rather walk all evals; what a query gives
   it does not know beforehand, and so finds the place within the eval. */
static void add_within(const ListingPart *part, const char *sign, const ListingRow *row,
                       Query *query)
{
    const SqlValue no = SQL_INT(row->no);
    if (part->column) {
        buf_printf(&query->text, " AND (%s, a.no) %s (", part->column, sign);
        query_add_value(query, unforeseen(&row->value), row->value);
        query_add(query, ", ");
        query_add_value(query, unforeseen(&no), no);
        query_add(query, ")");
    } else {
        buf_printf(&query->text, " AND a.no %s ", sign);
        query_add_value(query, unforeseen(&no), no);
    }
}

/* The same as add_after for rows of one eval. */
static void add_after_within(const Listing *listing, const ListingPart *part,
                             const ListingRow *after, Behind behind, Query *query)
{
    if (!after || query->dialect != SQL_POSTGRES)
        add_after(listing, part->column, "a.no", after, behind, query);
    else
        add_within(part, listing->is_ascending ? ">" : "<", after, query);
}

/* No rows that come behind a last one (NULL: all), in SQLite, which finds the place by the value
   and passes over what is tied with it: a sign keeps it from other ways. */
static void add_until(const Listing *listing, const ListingPart *part, const ListingRow *last,
                      Query *query)
{
    const char *sign = listing->is_ascending ? "<" : ">";
    if (!last)
        return;
    if (part->column) {
        buf_printf(&query->text, " AND %s %s", part->column, sign);
        query_add_value(query, "= ?", last->value);
        buf_printf(&query->text, " AND (+%s %s ", part->column, sign);
        query_add_value(query, "? OR ", last->value);
    } else {
        query_add(query, " AND (");
    }
    buf_printf(&query->text, "%sa.no %s", part->column ? "+" : "", sign);
    query_add_value(query, "= ?)", SQL_INT(last->no));
}

/* What remains to be tested of each row. */
static void add_tests(const Listing *listing, const ListingPart *part, const char *a, const char *l,
                      bool with_evals, bool with_range, Query *query)
{
    if (part->lacks_score) {
        /* NOT EXISTS would be made a join with all scores of the key. */
        buf_printf(&query->text, " AND (SELECT 1 FROM listing_score m WHERE m.no = %s.no", a);
        query_add_value(query, " AND m.\"key\" = ?) IS NULL", SQL_TEXT(listing->key));
        buf_printf(&query->text, " AND %s.status <> %d", a, LISTING_PROVISIONAL);
    }
    listing_add_tests(listing, query, a, l, with_evals);
    if (with_range && !listing_is_ranged(listing, part))
        listing_add_score_test(listing, query, a);
}

static void add_order(const Listing *listing, const ListingPart *part, const char *column,
                      const char *no, Query *query)
{
    query_add(query, " ORDER BY ");
    if (part->column)
        buf_printf(&query->text, "%s %s, ", column, listing_direction(listing));
    buf_printf(&query->text, "%s %s", no, listing_direction(listing));
}

static const char *column_of(const ListingPart *part)
{
    return part->column ? part->column : "NULL";
}

/* One row of a result: number, sort value, eval. */
static ListingRow read_row(Listing *listing, const ListingPart *part, int64_t at_part,
                           const SqlRows *rows)
{
    static const char *const texts[] = {"a.id", "a.uuid", "a.error_message", "a.rest", "a.scorer"};
    static const char *const reals[] = {"a.working_time_seconds", "a.total_time_seconds",
                                        "a.generation_time_seconds", "a.value"};
    ListingRow row = {
        .no = sql_rows_int(rows, 0), .eval_no = sql_rows_int(rows, 2), .part = at_part};
    row.value = SQL_NULL;
    if (!part->column || sql_rows_is_null(rows, 1))
        return row;
    row.value = SQL_INT(sql_rows_int(rows, 1));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strcmp(part->column, texts[i]) == 0)
            row.value = SQL_TEXT(arena_str(listing->arena, sql_rows_text(rows, 1)));
    for (size_t i = 0; i < ARRAY_LEN(reals); i++)
        if (strcmp(part->column, reals[i]) == 0)
            row.value = SQL_REAL(sql_rows_real(rows, 1));
    return row;
}

/* Runs the query; at most max rows go to ret, which has room for them. */
int listing_fetch(Listing *listing, Query *query, const ListingPart *part, int64_t at_part,
                  ListingRow *ret, size_t max, size_t *ret_n, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run_few(query, listing->tx, &rows, err) < 0)
        return -1;
    size_t n = 0;
    while (n < max) {
        int has_row = sql_rows_next(rows, err);
        if (has_row < 0)
            return -1;
        if (has_row == 0)
            break;
        ret[n++] = read_row(listing, part, at_part, rows);
    }
    *ret_n = n;
    return 0;
}

/* ---- walk ---- */

static void add_steps(const Listing *listing, const ListingStretch *stretch, Behind behind,
                      int64_t max, Query *query)
{
    const ListingPart *part = stretch->part;
    buf_printf(&query->text,
               "SELECT a.no AS no, %s AS k, a.eval_no AS eval_no, a.status AS status FROM %s a "
               "WHERE 1 = 1",
               column_of(part), part->is_score ? "listing_score" : "listing_sample");
    add_conditions(listing, part, behind, query);
    add_after(listing, part->column, "a.no", stretch->after, behind, query);
    add_order(listing, part, part->column, "a.no", query);
    query_add_value(query, " LIMIT ?", SQL_INT(max));
}

static void add_walk(const Listing *listing, const ListingStretch *stretch, int64_t max,
                     const ListingDriver *driver, Query *query)
{
    const ListingPart *part = stretch->part;
    query_add(query, "SELECT w.no, w.k, w.eval_no FROM (");
    if (splits_ties(listing, part, stretch->after)) {
        query_add(query, "SELECT * FROM (");
        add_steps(listing, stretch, TIED, max, query);
        query_add(query, ") UNION ALL SELECT * FROM (");
        add_steps(listing, stretch, BEYOND, max, query);
        query_add_value(query, ") LIMIT ?", SQL_INT(max));
    } else {
        add_steps(listing, stretch, BEHIND, max, query);
    }
    bool needs_sample = listing_needs_sample(listing); /* of rows that pass the other tests */
    query_add(query, needs_sample ? ") w CROSS JOIN listing_sample l WHERE l.no = w.no"
                                  : ") w WHERE 1 = 1");
    if (driver) { /* a query in a boolean test is hashed */
        query_add(query, " AND (w.no IN (SELECT c.no FROM (");
        listing_add_driver(listing, query, driver);
        query_add(query, ") c)) IS TRUE");
    }
    add_tests(listing, part, "w", needs_sample ? "l" : "w", !driver || !driver->is_word,
              !driver || !driver->is_range, query);
    /* SQLite keeps the order of the inner query, but would sort once more if told to. */
    if (query->dialect == SQL_POSTGRES)
        add_order(listing, part, "w.k", "w.no", query);
    query_add_value(query, " LIMIT ?", SQL_INT((int64_t)stretch->max));
}

/* Past so many rows. What the driver has found is not looked up again. */
int listing_walk(Listing *listing, ListingStretch *stretch, int64_t max,
                 const ListingDriver *driver, Error *err)
{
    auto_query Query query = {0};
    Listing walked = *listing;
    QueriesSamples filter = *listing->filter;
    if (driver && driver->is_time) {
        filter.has_completed_after = filter.has_completed_before = false;
        walked.filter = &filter;
    }
    query_begin(&query, listing->dialect);
    add_walk(&walked, stretch, max, driver, &query);
    return listing_fetch(listing, &query, stretch->part, stretch->at_part, stretch->ret,
                         stretch->max, &stretch->n, err);
}

/* ---- gather ---- */

static void add_gather(const Listing *listing, const ListingStretch *stretch,
                       const ListingDriver *driver, Query *query)
{
    const ListingPart *part = stretch->part;
    /* OFFSET keeps a planner from walking along the order instead, and makes PostgreSQL find each
       row by its number. */
    buf_printf(&query->text,
               "SELECT q.no, q.k, q.eval_no FROM (SELECT a.no AS no, %s AS k, a.eval_no AS eval_no "
               "FROM (",
               column_of(part));
    listing_add_driver(listing, query, driver);
    query_add(query, ") c CROSS JOIN ");
    if (query->dialect == SQL_POSTGRES)
        buf_printf(&query->text,
                   "LATERAL (SELECT a.* FROM listing_%s a WHERE a.no = c.no OFFSET 0) a",
                   part->is_score ? "score" : "sample");
    else
        query_add(query, part->is_score ? "listing_score a" : "listing_sample a");
    query_add(query, joins_sample(listing, part) ? " CROSS JOIN listing_sample l" : "");
    query_add(query, " WHERE a.no = c.no");
    add_where(listing, part, BEHIND, query);
    add_tests(listing, part, "a", sample_alias(listing, part), !driver->is_word, !driver->is_range,
              query);
    query_add(query, query->dialect == SQL_SQLITE ? " LIMIT -1 OFFSET 0) q WHERE 1 = 1"
                                                  : " OFFSET 0) q WHERE 1 = 1");
    add_after(listing, part->column ? "q.k" : NULL, "q.no", stretch->after, BEHIND, query);
    add_order(listing, part, "q.k", "q.no", query);
    query_add_value(query, " LIMIT ?", SQL_INT((int64_t)stretch->max));
}

int listing_gather(Listing *listing, ListingStretch *stretch, const ListingDriver *driver,
                   Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    add_gather(listing, stretch, driver, &query);
    return listing_fetch(listing, &query, stretch->part, stretch->at_part, stretch->ret,
                         stretch->max, &stretch->n, err);
}

/* ---- merge ---- */

int listing_compare(const SqlValue *a, const SqlValue *b)
{
    if (a->type != b->type)
        return a->type == SQL_TYPE_NULL ? -1 : 1;
    if (a->type == SQL_TYPE_INT)
        return (a->integer > b->integer) - (a->integer < b->integer);
    if (a->type == SQL_TYPE_REAL)
        return (a->real > b->real) - (a->real < b->real);
    return a->type == SQL_TYPE_TEXT ? str_cmp(a->text, b->text) : 0;
}

/* Puts rows that are in order among those of the stretch, which stay in order; what falls out at
   the end is lost. */
static void merge_in(const Listing *listing, ListingStretch *stretch, const ListingRow *rows,
                     size_t n)
{
    ListingRow *merged = mem_array(stretch->max, sizeof(*merged));
    size_t i = 0;
    size_t j = 0;
    size_t m = 0;
    while (m < stretch->max && (i < stretch->n || j < n)) {
        bool takes_old =
            j == n || (i < stretch->n && listing_comes_first(listing, &stretch->ret[i], &rows[j]));
        merged[m++] = takes_old ? stretch->ret[i++] : rows[j++];
    }
    memcpy(stretch->ret, merged, m * sizeof(*merged));
    stretch->n = m;
    free(merged);
}

static void add_eval(const Listing *listing, const ListingPart *part, int64_t eval_no,
                     const ListingRow *after, Behind behind, const ListingRow *last, size_t max,
                     Query *query)
{
    buf_printf(&query->text, "SELECT a.no, %s, a.eval_no FROM ", column_of(part));
    add_from(listing, part, query);
    query_add_value(query, " WHERE a.eval_no = ?", SQL_INT(eval_no));
    add_where(listing, part, behind, query);
    add_after_within(listing, part, after, behind, query);
    add_until(listing, part, last, query);
    add_tests(listing, part, "a", sample_alias(listing, part), false, true, query);
    add_order(listing, part, part->column, "a.no", query);
    query_add_value(query, " LIMIT ?", SQL_INT((int64_t)max));
}

/* The rows of one eval behind a row, up to a last one; either may be NULL. */
static int read_eval(Listing *listing, const ListingStretch *stretch, int64_t eval_no,
                     const ListingRow *after, const ListingRow *last, ListingRow *ret, size_t max,
                     size_t *ret_n, Error *err)
{
    const ListingPart *part = stretch->part;
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    if (splits_ties(listing, part, after)) {
        query_add(&query, "SELECT * FROM (");
        add_eval(listing, part, eval_no, after, TIED, last, max, &query);
        query_add(&query, ") UNION ALL SELECT * FROM (");
        add_eval(listing, part, eval_no, after, BEYOND, last, max, &query);
        query_add_value(&query, ") LIMIT ?", SQL_INT((int64_t)max));
    } else {
        add_eval(listing, part, eval_no, after, BEHIND, last, max, &query);
    }
    return listing_fetch(listing, &query, part, stretch->at_part, ret, max, ret_n, err);
}

int listing_read_eval(Listing *listing, const ListingStretch *stretch, int64_t eval_no,
                      const ListingRow *after, ListingRow *ret, size_t max, size_t *ret_n,
                      Error *err)
{
    return read_eval(listing, stretch, eval_no, after, NULL, ret, max, ret_n, err);
}

/* The rows of an eval that is e.value, none behind a last one unless that is NULL. */
static void add_rows_within(const Listing *listing, const ListingStretch *stretch, Behind behind,
                            const ListingRow *last, size_t max, Query *query)
{
    const ListingPart *part = stretch->part;
    add_from(listing, part, query);
    query_add(query, " WHERE a.eval_no = e.value");
    add_where(listing, part, behind, query);
    add_after_within(listing, part, stretch->after, behind, query);
    if (last && query->dialect == SQL_POSTGRES)
        add_within(part, listing->is_ascending ? "<=" : ">=", last, query);
    else if (behind != TIED)
        add_until(listing, part, last, query);
    add_tests(listing, part, "a", sample_alias(listing, part), false, true, query);
    add_order(listing, part, part->column, "a.no", query);
    query_add_value(query, " LIMIT ?", SQL_INT((int64_t)max));
}

/* Such rows of each of some evals, as a table h; PostgreSQL only. */
static void add_lateral(const Listing *listing, const ListingStretch *stretch, Str evals,
                        const ListingRow *last, size_t max, Query *query)
{
    query_add(query, "SELECT h.no, h.k, h.eval_no FROM ");
    listing_from(query, evals);
    buf_printf(&query->text, " CROSS JOIN LATERAL (SELECT a.no, %s AS k, a.eval_no FROM ",
               column_of(stretch->part));
    add_rows_within(listing, stretch, BEHIND, last, max, query);
    query_add(query, ") h");
}

/* The first row of each eval, the best ones of these in order. In SQLite an expression finds the
   number only, by which the row is found again; OFFSET keeps its planner from other ways. */
static void add_heads(const Listing *listing, const ListingStretch *stretch, Str evals,
                      Query *query)
{
    const ListingPart *part = stretch->part;
    if (query->dialect == SQL_POSTGRES) {
        add_lateral(listing, stretch, evals, stretch->last, 1, query);
        add_order(listing, part, "h.k", "h.no", query);
    } else {
        bool is_split = splits_ties(listing, part, stretch->after);
        buf_printf(&query->text,
                   "SELECT a.no, %s, a.eval_no FROM (SELECT coalesce((SELECT a.no FROM ",
                   column_of(part));
        add_rows_within(listing, stretch, is_split ? TIED : BEHIND, stretch->last, 1, query);
        query_add(query, is_split ? "), (SELECT a.no FROM " : "), NULL");
        if (is_split)
            add_rows_within(listing, stretch, BEYOND, stretch->last, 1, query);
        query_add(query, is_split ? ")) AS no FROM " : ") AS no FROM ");
        listing_from(query, evals);
        query_add(query, " LIMIT -1 OFFSET 0) t CROSS JOIN ");
        query_add(query, part->is_score ? "listing_score a" : "listing_sample a");
        query_add(query, " WHERE a.no = t.no");
        if (part->is_score)
            query_add_value(query, " AND a.\"key\" = ?", SQL_TEXT(listing->key));
        add_order(listing, part, part->column, "a.no", query);
    }
    query_add_value(query, " LIMIT ?", SQL_INT((int64_t)stretch->max));
}

static int find_heads(Listing *listing, const ListingStretch *stretch, ListingRow *ret,
                      size_t *ret_n, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    add_heads(listing, stretch, listing_evals_text(listing, listing->evals, listing->n_evals),
              &query);
    return listing_fetch(listing, &query, stretch->part, stretch->at_part, ret, stretch->max, ret_n,
                         err);
}

/* Up to max rows of some evals, in order, none behind a last one unless that is NULL. PostgreSQL
   takes longer to plan a statement than to find some rows, and does with one. */
static int read_group(Listing *listing, const ListingStretch *stretch, const ListingEval *evals,
                      size_t n, const ListingRow *last, ListingRow *ret, size_t *ret_n, Error *err)
{
    if (listing->dialect == SQL_SQLITE)
        return read_eval(listing, stretch, evals[0].no, stretch->after, last, ret, stretch->max,
                         ret_n, err);
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    add_lateral(listing, stretch, listing_evals_text(listing, evals, n), last, stretch->max,
                &query);
    add_order(listing, stretch->part, "h.k", "h.no", &query);
    query_add_value(&query, " LIMIT ?", SQL_INT((int64_t)stretch->max));
    return listing_fetch(listing, &query, stretch->part, stretch->at_part, ret, stretch->max, ret_n,
                         err);
}

/* How many evals to read next, after those that have given what there is of the page: as many as
   fill it if they give as much. */
static size_t next_group(const ListingStretch *stretch, size_t n_read, size_t n_group)
{
    enum { MORE = 4 };
    size_t n = stretch->n;
    if (n > 0 && n < stretch->max) {
        size_t n_filling = (stretch->max - n) * n_read / n + 1;
        return n_filling < n_group * MORE ? n_filling : n_group * MORE;
    }
    return n_group * MORE;
}

/* Once a page is full, an eval whose first row would not be on it has none that would be, nor has
   any that comes after it. Without heads the evals are in no order. */
static int merge_evals(Listing *listing, ListingStretch *stretch, const ListingEval *evals,
                       const ListingRow *heads, size_t n_evals, Error *err)
{
    bool is_sqlite = listing->dialect == SQL_SQLITE;
    size_t n_group = is_sqlite ? 1 : heads ? 2 : n_evals;
    size_t n = 0;
    auto_free ListingRow *rows = mem_array(stretch->max, sizeof(*rows));
    const ListingRow *last = heads && n_evals == stretch->max ? &heads[n_evals - 1] : stretch->last;
    stretch->n = 0;
    for (size_t i = 0; i < n_evals; i += n) {
        if (i > 0 && !is_sqlite)
            n_group = next_group(stretch, i, n_group);
        if (stretch->n == stretch->max)
            last = &stretch->ret[stretch->n - 1];
        if (heads && stretch->n == stretch->max && !listing_comes_first(listing, &heads[i], last))
            break;
        size_t n_rows = 0;
        n = n_group < n_evals - i ? n_group : n_evals - i;
        if (read_group(listing, stretch, evals + i, n, last, rows, &n_rows, err) < 0)
            return -1;
        merge_in(listing, stretch, rows, n_rows);
    }
    return 0;
}

/* Of few evals each is read; of many those whose first rows are best. */
int listing_merge(Listing *listing, ListingStretch *stretch, Error *err)
{
    if (listing->n_evals <= listing->limits->n_evals_few)
        return merge_evals(listing, stretch, listing->evals, NULL, listing->n_evals, err);
    size_t n = 0;
    auto_free ListingRow *heads = mem_array(stretch->max, sizeof(*heads));
    auto_free ListingEval *evals = mem_array(stretch->max, sizeof(*evals));
    if (find_heads(listing, stretch, heads, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        evals[i].no = heads[i].eval_no;
    return merge_evals(listing, stretch, evals, heads, n, err);
}

int listing_read_evals(Listing *listing, const ListingEval *evals, size_t n, ListingRow *ret,
                       size_t max, size_t *ret_n, Error *err)
{
    const ListingStretch stretch = {.part = &listing_by_number};
    *ret_n = 0;
    if (listing->dialect == SQL_POSTGRES) {
        auto_query Query query = {0};
        query_begin(&query, listing->dialect);
        add_lateral(listing, &stretch, listing_evals_text(listing, evals, n), NULL, max, &query);
        buf_printf(&query.text, " ORDER BY e.key, h.no %s", listing_direction(listing));
        query_add_value(&query, " LIMIT ?", SQL_INT((int64_t)max));
        return listing_fetch(listing, &query, stretch.part, 0, ret, max, ret_n, err);
    }
    for (size_t i = 0; i < n && *ret_n < max; i++) {
        size_t more = 0;
        if (listing_read_eval(listing, &stretch, evals[i].no, NULL, ret + *ret_n, max - *ret_n,
                              &more, err) < 0)
            return -1;
        *ret_n += more;
    }
    return 0;
}
