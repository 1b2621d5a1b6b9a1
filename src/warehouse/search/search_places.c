/* Where words are in PostgreSQL, the newest documents first.

   Its index gives all documents of a word at once, in no order. So each document has, beside its
   words, names for the places that it is in: its eval, and the stretches of 32 and of 1024 evals
   that the eval is in (search_places in 0003_search.sql). The index crosses a word with a place
   without reading documents. A word that many documents have is looked for in one place after
   another, the newest first, down to single evals: even the list of all its documents would take
   too long. */

#include "warehouse/search/search_priv.h"

enum {
    LEVELS = 3,              /* of places: an eval, 32 of them, 1024 */
    BITS = 5,                /* from one to the next */
    N_FEW = 4000,            /* documents that are fetched and sorted at once */
    EVALS_MAX = 8,           /* that are named one by one */
    RARE_MAX = 20000,        /* documents of words that are looked for everywhere at once */
    COMMON_MIN = 100 * 1000, /* of words that are looked for in the smaller places at once */
    EVALS_MANY = 32 * 128,   /* too many for that */
};

/* A stretch of evals, [first, end). */
typedef struct Place {
    int level; /* LEVELS: everything */
    int64_t no;
    int64_t first;
    int64_t end;
} Place;

static Place place_of(int level, int64_t no)
{
    return (Place){
        .level = level, .no = no, .first = no << (BITS * level), .end = (no + 1) << (BITS * level)};
}

/* The evals of the scope in a place; they go down. */
static const int64_t *evals_in(const SearchScope *scope, const Place *place, size_t *ret_n)
{
    size_t from = 0;
    size_t end = scope->n_evals;
    while (from < end) {
        size_t middle = from + (end - from) / 2;
        if (scope->evals[middle] >= place->end)
            from = middle + 1;
        else
            end = middle;
    }
    size_t n = 0;
    while (from + n < scope->n_evals && scope->evals[from + n] >= place->first)
        n++;
    *ret_n = n;
    return scope->evals + from;
}

static bool is_out_of(const SearchStretch *stretch, const Place *place)
{
    size_t n = 1;
    if (stretch->tests_evals)
        (void)evals_in(stretch->scope, place, &n);
    return n == 0 || place->first > (stretch->end - 1) >> SEARCH_EVAL_SHIFT ||
           place->end <= stretch->first >> SEARCH_EVAL_SHIFT;
}

/* The condition: the words, and the place, and the evals of the scope in it when they are few. Each
   is a condition of its own: of two of them the index steps over what lies between the documents of
   one to where the other goes on, but through all that is joined within one. */
static void add_words(Query *query, const SearchStretch *stretch, const Place *place)
{
    size_t n = 0;
    query_add_value(query, "d.tsv @@ to_tsquery('simple', ?)",
                    SQL_TEXT(search_words_text(stretch->words, SQL_POSTGRES, query->arena)));
    if (place->level < LEVELS)
        buf_printf(&query->text, " AND d.tsv @@ '''#%d.%lld'''::tsquery", place->level,
                   (long long)place->no);
    const int64_t *evals = stretch->tests_evals ? evals_in(stretch->scope, place, &n) : NULL;
    if (place->level > 0 && n <= EVALS_MAX)
        for (size_t i = 0; i < n; i++)
            buf_printf(&query->text, "%s''#0.%lld''%s", i ? " | " : " AND d.tsv @@ '",
                       (long long)evals[i], i + 1 == n ? "'::tsquery" : "");
}

/* How many documents of the place have the words, up to one more than a few. */
static int count(const SearchStretch *stretch, const Place *place, int64_t *ret, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, SQL_POSTGRES);
    query_add(&query, "SELECT count(*) FROM (SELECT 1 FROM (SELECT 1 FROM search_doc d WHERE ");
    add_words(&query, stretch, place);
    buf_printf(&query.text, " OFFSET 0) q LIMIT %d) c", N_FEW + 1);
    if (query_run(&query, stretch->scope->tx, &rows, err) < 0 || sql_rows_next(rows, err) < 0)
        return -1;
    *ret = sql_rows_int(rows, 0);
    return 0;
}

/* Appends those of the place. OFFSET keeps the planner from walking along the numbers. */
static int fetch(SearchStretch *stretch, const Place *place, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, SQL_POSTGRES);
    query_add(&query, "SELECT q.no FROM (SELECT d.no FROM search_doc d WHERE ");
    add_words(&query, stretch, place);
    search_add_stretch(&query, stretch, "d.no");
    query_add_value(&query, " OFFSET 0) q ORDER BY q.no DESC LIMIT ?",
                    SQL_INT((int64_t)(stretch->max - stretch->n)));
    if (query_run(&query, stretch->scope->tx, &rows, err) < 0)
        return -1;
    int has_row = 0;
    while (stretch->n < stretch->max && (has_row = sql_rows_next(rows, err)) == 1)
        stretch->ret[stretch->n++] = sql_rows_int(rows, 0);
    return has_row < 0 ? -1 : 0;
}

static int visit(SearchStretch *stretch, const Place *place, Error *err);

/* The places within one, the newest first, until there are enough. */
static int visit_parts(SearchStretch *stretch, const Place *place, Error *err)
{
    int level = place->level - 1;
    int64_t first = place->first >> (BITS * level);
    int64_t last = (place->end - 1) >> (BITS * level);
    for (int64_t no = last; no >= first && stretch->n < stretch->max; no--) {
        const Place part = place_of(level, no);
        if (!is_out_of(stretch, &part) && visit(stretch, &part, err) < 0)
            return -1;
    }
    return 0;
}

static int visit(SearchStretch *stretch, const Place *place, Error *err)
{
    int64_t n = 0;
    if (place->level == 0)
        return fetch(stretch, place, err);
    if (count(stretch, place, &n, err) < 0)
        return -1;
    if (n > N_FEW)
        return visit_parts(stretch, place, err);
    return n > 0 ? fetch(stretch, place, err) : 0;
}

/* Behind the newest eval that has documents below the end of the stretch. */
static int find_end(const SearchStretch *stretch, int64_t *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(stretch->scope->tx, "SELECT max(no) FROM search_doc WHERE no < $1",
                  SQL_ARGS(SQL_INT(stretch->end)), &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    *ret = (sql_rows_int(rows, 0) >> SEARCH_EVAL_SHIFT) + 1;
    return 0;
}

/* For words that most documents have, PostgreSQL would rather read all documents. */
static int forbid_reading_all(SqlTx *tx, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT set_config('enable_seqscan', 'off', true)", SQL_NO_ARGS, &rows, err) <
        0)
        return -1;
    return sql_rows_next(rows, err) < 0 ? -1 : 0;
}

/* How many documents PostgreSQL thinks to have the words, which it knows of common ones. */
static int estimate(const SearchStretch *stretch, int64_t *ret, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, SQL_POSTGRES);
    query_add_value(&query,
                    "EXPLAIN SELECT 1 FROM search_doc d WHERE d.tsv @@ to_tsquery('simple', ?)",
                    SQL_TEXT(search_words_text(stretch->words, SQL_POSTGRES, query.arena)));
    if (query_run(&query, stretch->scope->tx, &rows, err) < 0 || sql_rows_next(rows, err) < 0)
        return -1;
    Str plan = sql_rows_text(rows, 0);
    Str mark = STR("rows=");
    ptrdiff_t at = str_find_str(plan, mark);
    Str rest = at < 0 ? STR("") : str_slice(plan, (size_t)at + mark.n, plan.n);
    size_t n = 0;
    while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
        n++;
    if (str_to_i64(str_slice(rest, 0, n), 0, INT64_MAX, ret) < 0)
        *ret = 0; /* it passes for rare */
    return 0;
}

/* The smallest place that the stretch is in. */
static int find_place(const SearchStretch *stretch, Place *ret, Error *err)
{
    int64_t first = stretch->first >> SEARCH_EVAL_SHIFT;
    int64_t end = (stretch->end - 1) >> SEARCH_EVAL_SHIFT;
    Place all = {.level = LEVELS};
    for (int level = 0; level < LEVELS; level++)
        if (first >> (BITS * level) == end >> (BITS * level)) {
            *ret = place_of(level, first >> (BITS * level));
            return 0;
        }
    if (find_end(stretch, &all.end, err) < 0)
        return -1;
    *ret = all;
    return 0;
}

int search_find_places(SearchStretch *stretch, Error *err)
{
    Place place;
    int64_t n = 0;
    stretch->n = 0;
    if (forbid_reading_all(stretch->scope->tx, err) < 0 || find_place(stretch, &place, err) < 0)
        return -1;
    if (place.level < LEVELS)
        return visit(stretch, &place, err);
    if (estimate(stretch, &n, err) < 0)
        return -1;
    if (n <= RARE_MAX)
        return visit(stretch, &place, err);
    /* To ask a place takes as long as there are documents of the word in it; one without any is
       told from the index at once. */
    place.level = n >= COMMON_MIN && place.end <= EVALS_MANY ? LEVELS - 1 : LEVELS;
    return visit_parts(stretch, &place, err);
}
