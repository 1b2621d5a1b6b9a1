/* The query builder: see queries_priv.h. */

#include <assert.h>

#include "codec/json_out.h"
#include "sql/like.h"
#include "warehouse/queries/queries_priv.h"

/* A group that nobody may be in, whatever the identity provider says. */
#define GROUP_UNRESOLVED "__unresolved__"

void query_init(Query *query, const Sql *sql)
{
    query_begin(query, sql_dialect(sql));
}

void query_begin(Query *query, SqlDialect dialect)
{
    *query = (Query){.arena = arena_new(),
                     .dialect = dialect,
                     .text = BUF_INIT(QUERY_TEXT_MAX),
                     .glue = " WHERE "};
}

void query_release(Query *query)
{
    buf_release(&query->text);
    arena_free(query->arena);
}

void query_add(Query *query, const char *text)
{
    buf_addz(&query->text, text);
}

static void bind(Query *query, SqlValue value)
{
    assert(query->n_args < QUERY_ARGS_MAX);
    query->args[query->n_args++] = value;
    buf_printf(&query->text, "$%zu", query->n_args);
}

void query_add_value(Query *query, const char *text, SqlValue value)
{
    const char *mark = strchr(text, '?');
    assert(mark);
    buf_add(&query->text, text, (size_t)(mark - text));
    bind(query, value);
    buf_addz(&query->text, mark + 1);
}

void query_where(Query *query, const char *condition)
{
    buf_addz(&query->text, query->glue);
    buf_addz(&query->text, condition);
    query->glue = " AND ";
}

void query_where_value(Query *query, const char *condition, SqlValue value)
{
    query_where(query, "");
    query_add_value(query, condition, value);
}

void query_where_word(Query *query, const char *expression, Str word)
{
    query_where(query, "(");
    query_add(query, expression);
    query_add_value(query, query->dialect == SQL_POSTGRES ? " ILIKE ?" : " LIKE ?",
                    SQL_TEXT(like_containing(query->arena, word)));
    query_add(query, " ESCAPE '\\')");
}

Str query_like_loose(Arena *arena, Str word)
{
    return str_of(arena_printf(arena, "%%%.*s%%", STR_ARG(word)));
}

static Str groups_json(Arena *arena, const QueriesAccess *access)
{
    auto_buf Buf text = BUF_INIT(1024 * 1024);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_array(&out);
    for (size_t i = 0; i < access->n_groups; i++)
        if (strcmp(access->groups[i], GROUP_UNRESOLVED) != 0)
            json_out_str(&out, str_of(access->groups[i]));
    json_out_end_array(&out);
    if (text.overflowed)
        return STR("[]"); /* sees nothing rather than too much */
    return arena_str(arena, buf_str(&text));
}

/* The same as the wall wants it (0004_settings.sql): an array as PostgreSQL writes it. */
static Str groups_setting(Arena *arena, const QueriesAccess *access)
{
    auto_buf Buf text = BUF_INIT(1024 * 1024);
    buf_addc(&text, '{');
    for (size_t i = 0; i < access->n_groups; i++) {
        buf_addz(&text, i ? ",\"" : "\"");
        for (const char *at = access->groups[i]; *at; at++) {
            if (*at == '"' || *at == '\\')
                buf_addc(&text, '\\');
            buf_addc(&text, *at);
        }
        buf_addc(&text, '"');
    }
    buf_addc(&text, '}');
    return text.overflowed ? STR("{}") : arena_str(arena, buf_str(&text));
}

/* clang-format off */
static const char *const access_texts[] = {
    [SQL_SQLITE]   = "(json_array_length(e.model_groups) > 0 AND NOT EXISTS (SELECT 1 FROM "
                     "json_each(e.model_groups) g WHERE g.value NOT IN (SELECT value FROM json_each(?))))",
    [SQL_POSTGRES] = "(cardinality(e.model_groups) > 0 AND e.model_groups <@ ?)",
};
/* clang-format on */

void query_add_access(Query *query, const QueriesAccess *access)
{
    if (access->sees_all) {
        query_add(query, "(1 = 1)");
        return;
    }
    query_add_value(query, access_texts[query->dialect],
                    SQL_LIST(groups_json(query->arena, access)));
}

void query_add_listed_access(Query *query, const QueriesAccess *access)
{
    if (access->sees_all || query->dialect == SQL_POSTGRES) {
        query_add_access(query, access);
        return;
    }
    query_add(query, "e.model_groups IN (SELECT e.model_groups FROM (SELECT DISTINCT model_groups "
                     "FROM listing_eval) e WHERE ");
    query_add_access(query, access);
    query_add(query, ")");
}

/* PostgreSQL looks at every value of a list as it plans, which takes longer than the query when
   there are a thousand of them; a query in a boolean test it does not look into, and hashes. */
void query_add_in(Query *query, const char *expression, Str list)
{
    enum { SHORT_MAX = 400 }; /* bytes */
    const char *form = "(%s IN (SELECT unnest(?::bigint[]))) IS TRUE";
    if (query->dialect == SQL_SQLITE)
        form = "%s IN (SELECT value FROM json_each(?))";
    else if (list.n <= SHORT_MAX)
        form = "%s = ANY (?::bigint[])";
    ptrdiff_t at = str_find_str(str_of(form), STR("%s"));
    buf_add(&query->text, form, (size_t)at);
    query_add(query, expression);
    query_add_value(query, form + at + 2, SQL_TEXT(list));
}

int query_words(Str search, QueryWords *ret, Error *err)
{
    ret->n = 0;
    if (search.n > QUERY_SEARCH_MAX)
        return error_set(err, ERR_USAGE, "the search is over %d bytes", QUERY_SEARCH_MAX);
    if (search.n > 0 && (!str_is_utf8(search) || memchr(search.p, '\0', search.n)))
        return error_set(err, ERR_USAGE, "the search is not text");
    size_t at = 0;
    while (at < search.n) {
        size_t end = at;
        while (end < search.n && !strchr(" \t\r\n", search.p[end]))
            end++;
        if (end > at && ret->n == QUERY_WORDS_MAX)
            return error_set(err, ERR_USAGE, "the search has over %d words", QUERY_WORDS_MAX);
        if (end > at)
            ret->items[ret->n++] = str_slice(search, at, end);
        at = end + 1;
    }
    return 0;
}

int query_check_page(QueriesPage page, Error *err)
{
    if (page.page < 1 || page.page > QUERY_PAGE_MAX)
        return error_set(err, ERR_USAGE, "page must be from 1 to %d", QUERY_PAGE_MAX);
    if (page.limit < 1 || page.limit > QUERY_LIMIT_MAX)
        return error_set(err, ERR_USAGE, "limit must be from 1 to %d", QUERY_LIMIT_MAX);
    return 0;
}

void query_add_page(Query *query, QueriesPage page, int64_t more)
{
    query_add_value(query, " LIMIT ?", SQL_INT(page.limit + more));
    query_add_value(query, " OFFSET ?", SQL_INT((page.page - 1) * page.limit));
}

int query_begin_as(Sql *sql, const QueriesAccess *access, SqlTx **ret, Error *err)
{
    auto_arena Arena *arena = arena_new();
    if (access->sees_all)
        return sql_begin(sql, SQL_READ, ret, err);
    return sql_begin_as(sql, groups_setting(arena, access), ret, err);
}

/* A list takes less time than it takes to compile its plan or to start workers for it. Where an
   index has the order it is to be walked: how few rows lie behind a place in it, PostgreSQL guesses
   far too low, and would rather fetch and sort them. Whatever is joined is few rows with what is
   found by its key. */
#define LIST_SETTINGS                                                                              \
    "SET LOCAL jit = off; SET LOCAL enable_sort = off; SET LOCAL enable_hashjoin = off; "          \
    "SET LOCAL enable_mergejoin = off; SET LOCAL max_parallel_workers_per_gather = 0; "

static int begin_list(Sql *sql, const QueriesAccess *access, const char *settings, SqlTx **ret,
                      Error *err)
{
    auto_arena Arena *arena = arena_new();
    Str groups = access->sees_all ? STR_NONE : groups_setting(arena, access);
    return sql_begin_with(sql, groups, settings, ret, err);
}

int query_begin_list(Sql *sql, const QueriesAccess *access, SqlTx **ret, Error *err)
{
    return begin_list(sql, access, LIST_SETTINGS "SET LOCAL plan_cache_mode = force_custom_plan",
                      ret, err);
}

/* A plan that is kept may be from when the tables were empty, which any plan would read whole. */
int query_begin_planned_list(Sql *sql, const QueriesAccess *access, SqlTx **ret, Error *err)
{
    return begin_list(sql, access,
                      LIST_SETTINGS "SET LOCAL plan_cache_mode = force_generic_plan; "
                                    "SET LOCAL join_collapse_limit = 1; "
                                    "SET LOCAL enable_seqscan = off",
                      ret, err);
}

int query_run(Query *query, SqlTx *tx, SqlRows **ret, Error *err)
{
    if (buf_check(&query->text, "the query", err) < 0)
        return -1;
    return sql_query(tx, query->text.data, query->args, query->n_args, ret, err);
}

int query_run_few(Query *query, SqlTx *tx, SqlRows **ret, Error *err)
{
    if (buf_check(&query->text, "the query", err) < 0)
        return -1;
    return sql_query_few(tx, query->text.data, query->args, query->n_args, ret, err);
}

void query_kv_text(JsonOut *out, const char *key, const SqlRows *rows, int column)
{
    json_out_kv_str(out, key, sql_rows_text(rows, column));
}

void query_kv_int(JsonOut *out, const char *key, const SqlRows *rows, int column)
{
    if (sql_rows_is_null(rows, column))
        json_out_kv_null(out, key);
    else
        json_out_kv_int(out, key, sql_rows_int(rows, column));
}

void query_kv_real(JsonOut *out, const char *key, const SqlRows *rows, int column)
{
    Str text = sql_rows_real_text(rows, column);
    json_out_key(out, str_of(key));
    if (sql_rows_is_null(rows, column))
        json_out_null(out);
    else if (text.p)
        json_out_real_text(out, text);
    else
        json_out_real(out, sql_rows_real(rows, column));
}

void query_kv_bool(JsonOut *out, const char *key, const SqlRows *rows, int column)
{
    json_out_kv_bool(out, key, sql_rows_int(rows, column) != 0);
}

void query_kv_time(JsonOut *out, const char *key, const SqlRows *rows, int column)
{
    if (sql_rows_is_null(rows, column))
        json_out_kv_null(out, key);
    else
        json_out_kv_time(out, key, sql_rows_int(rows, column));
}

void query_kv_json(JsonOut *out, const char *key, const SqlRows *rows, int column)
{
    json_out_key(out, str_of(key));
    if (sql_rows_is_null(rows, column))
        json_out_null(out);
    else
        json_out_raw(out, sql_rows_text(rows, column));
}

void query_kv_filename(JsonOut *out, const char *key, const SqlRows *rows, int location,
                       int eval_set_id)
{
    Str whole = sql_rows_text(rows, location);
    Str folder = sql_rows_text(rows, eval_set_id);
    Str rest = whole;
    for (ptrdiff_t at = 0; (at = str_find_str(rest, folder)) >= 0;) {
        Str behind = str_slice(rest, (size_t)at + folder.n, rest.n);
        if (folder.n == 0 || behind.n == 0)
            break;
        if (behind.p[0] == '/')
            whole = str_slice(behind, 1, behind.n);
        rest = behind;
    }
    json_out_kv_str(out, key, whole);
}
