/* The ways to the rows of a page; when which is taken is said in listing.h. */

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "warehouse/queries/listing_priv.h"

static const char *direction_of(const Listing *listing)
{
    return listing->is_ascending ? "ASC" : "DESC";
}

/* Whether the range of scores is one of the very rows that the part is made of: those of the
   scorer, or the only ones of their samples. */
static bool is_ranged(const Listing *listing, const ListingPart *part)
{
    return part->is_score && listing_has_range(listing);
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

/* The part's own conditions, all found by its index. */
static void add_where(const Listing *listing, const ListingPart *part, Query *query)
{
    const QueriesSamples *filter = listing->filter;
    if (joins_sample(listing, part))
        query_add(query, " AND l.no = a.no");
    if (part->is_score)
        query_add_value(query, " AND a.\"key\" = ?", SQL_TEXT(listing->key));
    if (part->where)
        query_add(query, part->where);
    /* The sign keeps planners from the index of values when it has not the order. */
    bool is_by_value = part->column && strcmp(part->column, "a.value") == 0;
    if (is_ranged(listing, part) && filter->has_score_min)
        query_add_value(query, is_by_value ? " AND a.value >= ?" : " AND +a.value >= ?",
                        SQL_REAL(filter->score_min));
    if (is_ranged(listing, part) && filter->has_score_max)
        query_add_value(query, is_by_value ? " AND a.value <= ?" : " AND +a.value <= ?",
                        SQL_REAL(filter->score_max));
}

/* The condition that rows come behind one; column is NULL when they go by number alone. */
static void add_after(const Listing *listing, const char *column, const char *no,
                      const ListingRow *after, Query *query)
{
    const char *sign = listing->is_ascending ? ">" : "<";
    if (!after)
        return;
    if (column) {
        buf_printf(&query->text, " AND (%s, %s) %s ", column, no, sign);
        query_add_value(query, "(?, ", after->value);
        query_add_value(query, "?)", SQL_INT(after->no));
    } else {
        buf_printf(&query->text, " AND %s %s ", no, sign);
        query_add_value(query, "?", SQL_INT(after->no));
    }
}

/* The same for rows of one eval, which is an expression. PostgreSQL takes such a condition for one
   that leaves few rows of all, and would rather walk all evals: the comparison is said to be one
   within the eval, by the columns of its index. */
static void add_after_within(const Listing *listing, const ListingPart *part,
                             const ListingRow *after, const char *eval, Query *query)
{
    if (!after || query->dialect != SQL_POSTGRES) {
        add_after(listing, part->column, "a.no", after, query);
        return;
    }
    buf_printf(&query->text, " AND (a.eval_no, %s", part->is_score ? "a.\"key\", " : "");
    if (part->column)
        buf_printf(&query->text, "%s, ", part->column);
    buf_printf(&query->text, "a.no) %s (%s, ", listing->is_ascending ? ">" : "<", eval);
    if (part->is_score)
        query_add_value(query, "?, ", SQL_TEXT(listing->key));
    if (part->column)
        query_add_value(query, "?, ", after->value);
    query_add_value(query, "?)", SQL_INT(after->no));
}

/* What remains to be tested of each row. */
static void add_tests(const Listing *listing, const ListingPart *part, const char *a, const char *l,
                      bool with_evals, Query *query)
{
    if (part->lacks_score) {
        /* NOT EXISTS would be made a join with all scores of the key. */
        buf_printf(&query->text, " AND (SELECT 1 FROM listing_score m WHERE m.no = %s.no", a);
        query_add_value(query, " AND m.\"key\" = ?) IS NULL", SQL_TEXT(listing->key));
        buf_printf(&query->text, " AND %s.status <> %d", a, LISTING_PROVISIONAL);
    }
    listing_add_tests(listing, query, a, l, with_evals);
    if (!is_ranged(listing, part))
        listing_add_score_test(listing, query, a);
}

static void add_order(const Listing *listing, const ListingPart *part, const char *column,
                      const char *no, Query *query)
{
    query_add(query, " ORDER BY ");
    if (part->column)
        buf_printf(&query->text, "%s %s, ", column, direction_of(listing));
    buf_printf(&query->text, "%s %s", no, direction_of(listing));
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
static int fetch(Listing *listing, Query *query, const ListingPart *part, int64_t at_part,
                 ListingRow *ret, size_t max, size_t *ret_n, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run(query, listing->tx, &rows, err) < 0)
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

/* Where in a part to begin, what of it to get, and where that goes. */
typedef struct Stretch {
    const ListingPart *part;
    int64_t at_part;
    const ListingRow *after; /* NULL: from its start */
    ListingRow *ret;
    size_t max;
    size_t n;
} Stretch;

/* ---- walk ---- */

static void add_walk(const Listing *listing, const Stretch *stretch, int64_t max, Query *query)
{
    const ListingPart *part = stretch->part;
    const char *l = sample_alias(listing, part);
    buf_printf(
        &query->text,
        "SELECT w.no, w.k, w.eval_no FROM (SELECT a.no AS no, %s AS k, a.eval_no AS eval_no, "
        "a.status AS status",
        column_of(part));
    if (listing_needs_sample(listing))
        buf_printf(&query->text, ", %s.completed_at AS completed_at, %s.id AS id, %s.uuid AS uuid",
                   l, l, l);
    query_add(query, " FROM ");
    add_from(listing, part, query);
    query_add(query, " WHERE 1 = 1");
    add_where(listing, part, query);
    add_after(listing, part->column, "a.no", stretch->after, query);
    add_order(listing, part, part->column, "a.no", query);
    query_add_value(query, " LIMIT ?) w WHERE 1 = 1", SQL_INT(max));
    add_tests(listing, part, "w", "w", true, query);
    /* SQLite keeps the order of the inner query, but would sort once more if told to. */
    if (query->dialect == SQL_POSTGRES)
        add_order(listing, part, "w.k", "w.no", query);
    query_add_value(query, " LIMIT ?", SQL_INT((int64_t)stretch->max));
}

/* Past so many rows. */
static int walk(Listing *listing, Stretch *stretch, int64_t max, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    add_walk(listing, stretch, max, &query);
    return fetch(listing, &query, stretch->part, stretch->at_part, stretch->ret, stretch->max,
                 &stretch->n, err);
}

/* ---- gather ---- */

static void add_gather(const Listing *listing, const Stretch *stretch, const ListingDriver *driver,
                       Query *query)
{
    const ListingPart *part = stretch->part;
    /* OFFSET keeps a planner from walking along the order instead. */
    buf_printf(&query->text,
               "SELECT q.no, q.k, q.eval_no FROM (SELECT a.no AS no, %s AS k, a.eval_no AS eval_no "
               "FROM (",
               column_of(part));
    listing_add_driver(listing, query, driver);
    query_add(query, ") c CROSS JOIN ");
    add_from(listing, part, query);
    query_add(query, " WHERE a.no = c.no");
    add_where(listing, part, query);
    add_tests(listing, part, "a", sample_alias(listing, part), true, query);
    query_add(query, query->dialect == SQL_SQLITE ? " LIMIT -1 OFFSET 0) q WHERE 1 = 1"
                                                  : " OFFSET 0) q WHERE 1 = 1");
    add_after(listing, part->column ? "q.k" : NULL, "q.no", stretch->after, query);
    add_order(listing, part, "q.k", "q.no", query);
    query_add_value(query, " LIMIT ?", SQL_INT((int64_t)stretch->max));
}

static int gather(Listing *listing, Stretch *stretch, const ListingDriver *driver, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    add_gather(listing, stretch, driver, &query);
    return fetch(listing, &query, stretch->part, stretch->at_part, stretch->ret, stretch->max,
                 &stretch->n, err);
}

/* ---- merge ---- */

static int compare_values(const SqlValue *a, const SqlValue *b)
{
    if (a->type != b->type)
        return a->type == SQL_TYPE_NULL ? -1 : 1;
    if (a->type == SQL_TYPE_INT)
        return (a->integer > b->integer) - (a->integer < b->integer);
    if (a->type == SQL_TYPE_REAL)
        return (a->real > b->real) - (a->real < b->real);
    return a->type == SQL_TYPE_TEXT ? str_cmp(a->text, b->text) : 0;
}

/* Whether a comes before b in a descending order; equal never. */
static bool is_above(const ListingRow *a, const ListingRow *b)
{
    int order = compare_values(&a->value, &b->value);
    return order ? order > 0 : a->no > b->no;
}

static bool comes_first(const Listing *listing, const ListingRow *a, const ListingRow *b)
{
    return listing->is_ascending ? is_above(b, a) : is_above(a, b);
}

/* Puts rows that are in order among those of the stretch, which stay in order; what falls out at
   the end is lost. */
static void merge_in(const Listing *listing, Stretch *stretch, const ListingRow *rows, size_t n)
{
    ListingRow *merged = mem_array(stretch->max, sizeof(*merged));
    size_t i = 0;
    size_t j = 0;
    size_t m = 0;
    while (m < stretch->max && (i < stretch->n || j < n)) {
        bool takes_old =
            j == n || (i < stretch->n && comes_first(listing, &stretch->ret[i], &rows[j]));
        merged[m++] = takes_old ? stretch->ret[i++] : rows[j++];
    }
    memcpy(stretch->ret, merged, m * sizeof(*merged));
    stretch->n = m;
    free(merged);
}

/* The rows of one eval. */
static int read_eval(Listing *listing, const Stretch *stretch, int64_t eval_no,
                     const ListingRow *after, ListingRow *ret, size_t max, size_t *ret_n,
                     Error *err)
{
    const ListingPart *part = stretch->part;
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    buf_printf(&query.text, "SELECT a.no, %s, a.eval_no FROM ", column_of(part));
    add_from(listing, part, &query);
    query_add_value(&query, " WHERE a.eval_no = ?", SQL_INT(eval_no));
    add_where(listing, part, &query);
    add_after_within(listing, part, after, "$1", &query); /* the eval is the first value */
    add_tests(listing, part, "a", sample_alias(listing, part), false, &query);
    add_order(listing, part, part->column, "a.no", &query);
    query_add_value(&query, " LIMIT ?", SQL_INT((int64_t)max));
    return fetch(listing, &query, part, stretch->at_part, ret, max, ret_n, err);
}

/* The first row of each eval, the best ones of these in order. The evals come first in the plan,
   and each row is found by its number: OFFSET keeps planners from other ways. */
static void add_heads(const Listing *listing, const Stretch *stretch, Str evals, Query *query)
{
    const ListingPart *part = stretch->part;
    bool is_sqlite = query->dialect == SQL_SQLITE;
    buf_printf(&query->text, "SELECT a.no, %s, a.eval_no FROM (SELECT (SELECT a.no FROM ",
               column_of(part));
    add_from(listing, part, query);
    query_add(query, " WHERE a.eval_no = e.value");
    add_where(listing, part, query);
    add_after_within(listing, part, stretch->after, "e.value", query);
    add_tests(listing, part, "a", sample_alias(listing, part), false, query);
    add_order(listing, part, part->column, "a.no", query);
    query_add(query, " LIMIT 1) AS no FROM ");
    listing_from(query, evals);
    query_add(query, is_sqlite ? " LIMIT -1 OFFSET 0) t CROSS JOIN "
                               : " OFFSET 0) t CROSS JOIN LATERAL (SELECT a.* FROM ");
    query_add(query, part->is_score ? "listing_score a" : "listing_sample a");
    query_add(query, " WHERE a.no = t.no");
    if (part->is_score)
        query_add_value(query, " AND a.\"key\" = ?", SQL_TEXT(listing->key));
    query_add(query, is_sqlite ? "" : " OFFSET 0) a");
    add_order(listing, part, part->column, "a.no", query);
    query_add_value(query, " LIMIT ?", SQL_INT((int64_t)stretch->max));
}

static int find_heads(Listing *listing, const Stretch *stretch, ListingRow *ret, size_t *ret_n,
                      Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, listing->dialect);
    add_heads(listing, stretch, listing_evals_text(listing, listing->evals, listing->n_evals),
              &query);
    return fetch(listing, &query, stretch->part, stretch->at_part, ret, stretch->max, ret_n, err);
}

/* Of few evals each is read; of many those whose first rows are best. Once a page is full, an eval
   whose first row would not be on it has none that would be, nor has any that comes after it. */
static int merge(Listing *listing, Stretch *stretch, Error *err)
{
    bool are_few = listing->n_evals <= listing->limits->n_evals_few;
    size_t n_heads = listing->n_evals;
    auto_free ListingRow *heads = mem_array(stretch->max, sizeof(*heads));
    auto_free ListingRow *rows = mem_array(stretch->max, sizeof(*rows));
    stretch->n = 0;
    if (!are_few && find_heads(listing, stretch, heads, &n_heads, err) < 0)
        return -1;
    for (size_t i = 0; i < n_heads; i++) {
        bool is_full = stretch->n == stretch->max;
        if (!are_few && is_full && !comes_first(listing, &heads[i], &stretch->ret[stretch->n - 1]))
            break;
        size_t n = 0;
        int64_t eval_no = are_few ? listing->evals[i].no : heads[i].eval_no;
        if (read_eval(listing, stretch, eval_no, stretch->after, rows, stretch->max, &n, err) < 0)
            return -1;
        merge_in(listing, stretch, rows, n);
    }
    return 0;
}

/* ---- which way ---- */

/* A merge takes some steps for each eval, a gathering some for each sample. */
static bool is_merge_cheaper(const Listing *listing, const ListingDriver *driver)
{
    enum { STEPS = 25 };
    return (int64_t)listing->n_evals * STEPS < driver->n;
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
static int pick_quickly(Listing *listing, Stretch *stretch, bool *ret_is_done, Error *err)
{
    const ListingLimits *limits = listing->limits;
    const ListingDriver *driver = NULL;
    *ret_is_done = true;
    if (are_few(listing))
        return merge(listing, stretch, err);
    if (listing_find_driver(listing, limits->gather_first_max, &driver, err) < 0)
        return -1;
    if (driver->text)
        return gather(listing, stretch, driver, err);
    if (are_many(listing) && walk(listing, stretch, limits->walk_first_max, err) < 0)
        return -1;
    *ret_is_done = stretch->n == stretch->max;
    return 0;
}

static int pick_stretch(Listing *listing, Stretch *stretch, Error *err)
{
    static const QueryWords none;
    const ListingLimits *limits = listing->limits;
    const ListingDriver *driver = NULL;
    bool is_done = false;
    if (listing->has_evals && listing->n_evals == 0)
        return 0;
    if (pick_quickly(listing, stretch, &is_done, err) < 0)
        return -1;
    if (is_done)
        return 0;
    bool has_tests = listing_has_tests(listing) || stretch->part->lacks_score;
    /* Without conditions a walk that was not cut off has ended where the rows do. */
    if (listing->is_open && !has_tests && (int64_t)stretch->n < limits->walk_first_max)
        return 0;
    if (listing_find_driver(listing, limits->gather_max, &driver, err) < 0 ||
        listing_load_evals(listing, &none, err) < 0 || listing_prune_evals(listing, err) < 0)
        return -1;
    if (!are_few(listing) && are_many(listing)) {
        if (walk(listing, stretch, limits->walk_max, err) < 0)
            return -1;
        if (stretch->n == stretch->max)
            return 0;
    }
    return driver->text && !is_merge_cheaper(listing, driver)
               ? gather(listing, stretch, driver, err)
               : merge(listing, stretch, err);
}

/* Parts that a range of the same scores leaves empty. */
static bool is_empty_part(const Listing *listing, const ListingPart *part)
{
    if (!listing_has_range(listing))
        return false;
    bool is_no_number = is_ranged(listing, part) && part->where && strstr(part->where, "rest");
    return part->lacks_score || is_no_number;
}

static int pick_by_sample(Listing *listing, const ListingRow *after, Error *err)
{
    size_t first = after ? (size_t)after->part : 0;
    for (size_t i = first; i < listing->sort->n_parts && listing->n_rows < listing->n_wanted; i++) {
        const ListingPart *part = &listing->sort->parts[i];
        if (is_empty_part(listing, part))
            continue;
        Stretch stretch = {.part = part,
                           .at_part = (int64_t)i,
                           .after = after && after->part == (int64_t)i ? after : NULL,
                           .ret = listing->rows + listing->n_rows,
                           .max = listing->n_wanted - listing->n_rows};
        if (pick_stretch(listing, &stretch, err) < 0)
            return -1;
        listing->n_rows += stretch.n;
    }
    return 0;
}

/* ---- the order of evals ---- */

/* A row's place by its eval: the sort value, the eval's number. Unknown values are last. */
static bool eval_comes_first(const Listing *listing, const ListingEval *a, const SqlValue *value,
                             int64_t no)
{
    bool is_null = a->value.type == SQL_TYPE_NULL;
    if (is_null != (value->type == SQL_TYPE_NULL))
        return !is_null;
    int order = compare_values(&a->value, value);
    if (order == 0)
        order = (a->no > no) - (a->no < no);
    return listing->is_ascending ? order < 0 : order > 0;
}

static const ListingPart by_number = {0};

/* Appends the rows of the i-th eval. */
static int append_eval(Listing *listing, size_t i, const ListingRow *after, Error *err)
{
    const ListingEval *eval = &listing->evals[i];
    const Stretch stretch = {.part = &by_number};
    size_t n = 0;
    ListingRow *rows = listing->rows + listing->n_rows;
    const ListingRow *behind = after && after->eval_no == eval->no ? after : NULL;
    if (read_eval(listing, &stretch, eval->no, behind, rows, listing->n_wanted - listing->n_rows,
                  &n, err) < 0)
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
    if (fetch(listing, &query, &by_number, 0, rows, ROWS_MAX, &n, err) < 0)
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

static int pick_by_eval(Listing *listing, const ListingRow *after, Error *err)
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

int listing_pick(Listing *listing, const Cursor *cursor, Error *err)
{
    ListingRow after = {0};
    if (cursor)
        after = (ListingRow){.part = cursor->values[0].integer,
                             .value = cursor->values[1],
                             .eval_no = cursor->values[2].integer,
                             .no = cursor->values[3].integer};
    const ListingRow *from = cursor ? &after : NULL;
    return listing->sort->of_eval ? pick_by_eval(listing, from, err)
                                  : pick_by_sample(listing, from, err);
}

/* ---- the plain way ---- */

static void add_plain_order(const Listing *listing, Query *query)
{
    const char *direction = direction_of(listing);
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
    return fetch(listing, &query, &by_number, 0, listing->rows, listing->n_wanted, &listing->n_rows,
                 err);
}
