/* Numbers of documents. A number begins with that of its eval, so an eval is a stretch of them and
   the newest are the largest.

   FTS5 gives rows in the order of their numbers and takes a stretch of numbers, whatever the word.
   PostgreSQL's index gives all rows of a word at once, which is much for a common one: there the
   newest documents are looked through first, and mostly that is enough. What comes then is in
   search_places.c. */

#include "base/mem.h"
#include "warehouse/search/search_priv.h"

enum { WALK_MAX = 3000, N_EVALS_FEW_SQLITE = 64, N_EVALS_FEW_POSTGRES = 8 };

static Str list_text(SqlDialect dialect, const int64_t *numbers, size_t n, Arena *arena)
{
    bool is_json = dialect == SQL_SQLITE;
    auto_buf Buf text = BUF_INIT(64 * 1024 * 1024);
    buf_addc(&text, is_json ? '[' : '{');
    for (size_t i = 0; i < n; i++) {
        buf_addz(&text, i ? "," : "");
        buf_add_i64(&text, numbers[i]);
    }
    buf_addc(&text, is_json ? ']' : '}');
    return arena_str(arena, buf_str(&text));
}

Str search_list(const SearchScope *scope, const int64_t *numbers, size_t n)
{
    return list_text(scope->dialect, numbers, n, scope->arena);
}

void search_add_numbers(Query *query, const int64_t *numbers, size_t n)
{
    query_add_value(query,
                    query->dialect == SQL_SQLITE
                        ? "json_each(?) p"
                        : "unnest(?::bigint[]) WITH ORDINALITY AS p (value, key)",
                    SQL_TEXT(list_text(query->dialect, numbers, n, query->arena)));
}

/* ---- the scope ---- */

static int load_evals(SearchScope *scope, const QueriesAccess *access,
                      const SearchQuestion *question, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, scope->dialect);
    query_add(&query, "SELECT e.no FROM listing_eval e");
    query_where(&query, "");
    query_add_listed_access(&query, access);
    if (question->eval_set_id.p)
        query_where_value(&query, "e.eval_set_id = ?", SQL_TEXT(question->eval_set_id));
    if (question->eval_pk.p)
        query_where_value(&query, "e.eval_pk = ?", SQL_TEXT(question->eval_pk));
    query_add(&query, " ORDER BY e.no DESC");
    if (query_run(&query, scope->tx, &rows, err) < 0)
        return -1;
    size_t cap = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (scope->n_evals == cap) {
            cap = cap ? cap * 2 : 256;
            int64_t *grown = arena_array(scope->arena, cap, sizeof(*grown));
            if (scope->n_evals)
                memcpy(grown, scope->evals, scope->n_evals * sizeof(*grown));
            scope->evals = grown;
        }
        scope->evals[scope->n_evals++] = sql_rows_int(rows, 0);
    }
    scope->evals_text = search_list(scope, scope->evals, scope->n_evals);
    return has_row;
}

/* The documents of a sample lie side by side. */
static int narrow_to_sample(SearchScope *scope, Str sample_pk, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(scope->tx, "SELECT min(no), max(no) FROM search_doc WHERE sample_pk = $1",
                  SQL_ARGS(SQL_TEXT(sample_pk)), &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    scope->first = sql_rows_int(rows, 0);
    scope->end = sql_rows_is_null(rows, 0) ? scope->first : sql_rows_int(rows, 1) + 1;
    return 0;
}

int search_scope_open(SqlTx *tx, SqlDialect dialect, const QueriesAccess *access,
                      const SearchQuestion *question, Arena *arena, SearchScope *ret, Error *err)
{
    SearchScope scope = {.tx = tx, .dialect = dialect, .arena = arena, .end = INT64_MAX};
    scope.is_open = access->sees_all && !question->eval_set_id.p && !question->eval_pk.p;
    if (!scope.is_open && load_evals(&scope, access, question, err) < 0)
        return -1;
    if (question->sample_pk.p && narrow_to_sample(&scope, question->sample_pk, err) < 0)
        return -1;
    if (question->of_scans || (!scope.is_open && scope.n_evals == 0))
        scope.end = scope.first;
    *ret = scope;
    return 0;
}

/* ---- finding ---- */

static int fetch(Query *query, SearchStretch *stretch, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run(query, stretch->scope->tx, &rows, err) < 0)
        return -1;
    int has_row = 0;
    stretch->n = 0;
    while (stretch->n < stretch->max && (has_row = sql_rows_next(rows, err)) == 1)
        stretch->ret[stretch->n++] = sql_rows_int(rows, 0);
    return has_row < 0 ? -1 : 0;
}

void search_add_stretch(Query *query, const SearchStretch *stretch, const char *no)
{
    buf_printf(&query->text, " AND %s", no);
    query_add_value(query, " >= ?", SQL_INT(stretch->first));
    buf_printf(&query->text, " AND %s", no);
    query_add_value(query, " < ?", SQL_INT(stretch->end));
    if (stretch->tests_evals) {
        auto_free char *eval = mem_printf("(%s >> %d)", no, SEARCH_EVAL_SHIFT);
        query_add(query, " AND ");
        query_add_in(query, eval, stretch->scope->evals_text);
    }
}

static int find_all(SearchStretch *stretch, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, stretch->scope->dialect);
    query_add(&query, "SELECT d.no FROM search_doc d WHERE 1 = 1");
    search_add_stretch(&query, stretch, "d.no");
    query_add_value(&query, " ORDER BY d.no DESC LIMIT ?", SQL_INT((int64_t)stretch->max));
    return fetch(&query, stretch, err);
}

static int find_fts5(SearchStretch *stretch, Error *err)
{
    auto_query Query query = {0};
    query_begin(&query, SQL_SQLITE);
    query_add_value(&query, "SELECT rowid FROM search_words WHERE search_words MATCH ?",
                    SQL_TEXT(search_words_text(stretch->words, SQL_SQLITE, query.arena)));
    search_add_stretch(&query, stretch, "rowid");
    query_add_value(&query, " ORDER BY rowid DESC LIMIT ?", SQL_INT((int64_t)stretch->max));
    return fetch(&query, stretch, err);
}

/* Past so many, whosever they are: a reader of few evals would have a long way to as many of their
   own. */
static int find_among_newest(SearchStretch *stretch, Error *err)
{
    auto_query Query query = {0};
    SearchStretch whole = *stretch;
    whole.tests_evals = false;
    query_begin(&query, SQL_POSTGRES);
    query_add(&query, "SELECT q.no FROM (SELECT d.no, d.tsv FROM search_doc d WHERE true");
    search_add_stretch(&query, &whole, "d.no");
    buf_printf(&query.text, " ORDER BY d.no DESC LIMIT %d) q WHERE true", WALK_MAX);
    search_add_stretch(&query, stretch, "q.no");
    query_add_value(&query, " AND q.tsv @@ to_tsquery('simple', ?)",
                    SQL_TEXT(search_words_text(stretch->words, SQL_POSTGRES, query.arena)));
    query_add_value(&query, " ORDER BY q.no DESC LIMIT ?", SQL_INT((int64_t)stretch->max));
    return fetch(&query, stretch, err);
}

static int find_in(SearchStretch *stretch, Error *err)
{
    if (!stretch->words)
        return find_all(stretch, err);
    if (stretch->scope->dialect == SQL_SQLITE)
        return find_fts5(stretch, err);
    if (find_among_newest(stretch, err) < 0)
        return -1;
    return stretch->n == stretch->max ? 0 : search_find_places(stretch, err);
}

int search_find(const SearchScope *scope, const SearchWords *words, int64_t before, size_t max,
                int64_t *ret, size_t *ret_n, Error *err)
{
    size_t few = scope->dialect == SQL_SQLITE ? N_EVALS_FEW_SQLITE : N_EVALS_FEW_POSTGRES;
    SearchStretch stretch = {.scope = scope,
                             .words = words,
                             .first = scope->first,
                             .end = before < scope->end ? before : scope->end,
                             .tests_evals = !scope->is_open,
                             .max = max,
                             .ret = ret};
    *ret_n = 0;
    if (stretch.first >= stretch.end)
        return 0;
    if (scope->is_open || scope->n_evals > few) {
        int result = find_in(&stretch, err);
        *ret_n = stretch.n;
        return result;
    }
    for (size_t i = 0; i < scope->n_evals && *ret_n < max; i++) {
        SearchStretch part = stretch;
        int64_t from = scope->evals[i] << SEARCH_EVAL_SHIFT;
        int64_t end = (scope->evals[i] + 1) << SEARCH_EVAL_SHIFT;
        part.first = from > stretch.first ? from : stretch.first;
        part.end = end < stretch.end ? end : stretch.end;
        part.tests_evals = false;
        part.ret = ret + *ret_n;
        part.max = max - *ret_n;
        if (part.first < part.end && find_in(&part, err) < 0)
            return -1;
        *ret_n += part.n;
    }
    return 0;
}
