/* Lists of eval sets and evals. */

#include "warehouse/queries/queries.h"

#include "base/mem.h"
#include "sql/cursor.h"
#include "warehouse/queries/queries_priv.h"

/* Begins { "items": [. */
static void begin_list(JsonOut *out)
{
    json_out_object(out);
    json_out_kv_array(out, "items");
}

static void end_list(JsonOut *out, int64_t total, QueriesPage page, const Cursor *next, Str list)
{
    json_out_end_array(out);
    json_out_kv_int(out, "total", total);
    json_out_kv_int(out, "page", page.page);
    json_out_kv_int(out, "limit", page.limit);
    auto_buf Buf cursor = BUF_INIT(CURSOR_TEXT_MAX * 2);
    if (next->n)
        cursor_write(next, list, &cursor);
    json_out_kv_str(out, "next_cursor", next->n ? buf_str(&cursor) : STR_NONE);
    json_out_end_object(out);
}

/* Appends what limits a list to a page: behind its cursor, or by its number; one row more tells
   whether more comes. */
static void add_page(Query *query, QueriesPage page, const Cursor *after, const char *columns,
                     const char *order)
{
    if (after->n) {
        buf_printf(&query->text, "%s(%s) < ", query->glue, columns);
        query_add_value(query, "(?, ", after->values[0]);
        query_add_value(query, "?)", after->values[1]);
        page.page = 1;
    }
    query_add(query, order);
    query_add_page(query, page, 1);
}

static int count(Query *query, SqlTx *tx, int64_t *ret, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run_few(query, tx, &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row == 1)
        *ret = sql_rows_int(rows, 0);
    return has_row < 0 ? -1 : 0;
}

/* Conditions: the words all occur in the eval. */
static void add_words(Query *query, const QueryWords *words)
{
    for (size_t i = 0; i < words->n; i++)
        query_where_word(query,
                         "e.eval_set_id || ' ' || e.task_name || ' ' || coalesce(e.created_by, '')",
                         words->items[i]);
}

/* The sets that have evals that match, which alone count; hidden when any eval of the set is. */
static void add_eval_sets(Query *query, const QueriesAccess *access, const QueryWords *words)
{
    query_add(query, " FROM listing_eval e");
    if (!access->sees_all) {
        query_where(query, "e.eval_set_id NOT IN (SELECT e.eval_set_id FROM listing_eval e WHERE "
                           "NOT (");
        query_add_listed_access(query, access);
        query_add(query, "))");
    }
    add_words(query, words);
    query_add(query, " GROUP BY e.eval_set_id");
}

/* One eval set of a page. */
typedef struct EvalSet {
    Str id;
    int64_t created_us;
    int64_t latest_us;
    int64_t n_evals;
    Str created_by;
} EvalSet;

/* The rows of the list, which all have the number of all sets; *ret_total stays without any. */
static int read_eval_sets(Query *query, SqlTx *tx, Arena *arena, EvalSet *ret, size_t max,
                          size_t *ret_n, int64_t *ret_total, Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (query_run_few(query, tx, &rows, err) < 0)
        return -1;
    size_t n = 0;
    int has_row = 1;
    while (n < max && (has_row = sql_rows_next(rows, err)) == 1) {
        Str created_by = sql_rows_text(rows, 4);
        *ret_total = sql_rows_int(rows, 5);
        ret[n++] = (EvalSet){.id = arena_str(arena, sql_rows_text(rows, 0)),
                             .created_us = sql_rows_int(rows, 1),
                             .n_evals = sql_rows_int(rows, 2),
                             .latest_us = sql_rows_int(rows, 3),
                             .created_by = created_by.p ? arena_str(arena, created_by) : STR_NONE};
    }
    *ret_n = n;
    return has_row < 0 ? -1 : 0;
}

/* The names of the tasks of the evals that match, in the order of sets that the list has. */
static int query_task_names(Query *query, SqlTx *tx, const QueryWords *words, const EvalSet *sets,
                            size_t n, SqlRows **ret, Error *err)
{
    auto_buf Buf list = BUF_INIT(1024 * 1024);
    JsonOut out;
    json_out_init(&out, &list, 0);
    json_out_array(&out);
    for (size_t i = 0; i < n; i++)
        json_out_str(&out, sets[i].id);
    json_out_end_array(&out);
    if (buf_check(&list, "the page's eval sets", err) < 0)
        return -1;
    query_add_value(query,
                    query->dialect == SQL_SQLITE
                        ? "SELECT DISTINCT p.key, e.task_name FROM json_each(?) p"
                        : "SELECT DISTINCT p.key, e.task_name FROM unnest(?::text[]) WITH "
                          "ORDINALITY AS p (value, key)",
                    SQL_LIST(arena_str(query->arena, buf_str(&list))));
    /* The eval itself is looked at too: what the reader may not see has no name here. */
    query_add(query,
              " JOIN listing_eval e ON e.eval_set_id = p.value JOIN eval v ON v.pk = e.eval_pk");
    add_words(query, words);
    query_add(query, " ORDER BY p.key, e.task_name");
    return query_run_few(query, tx, ret, err);
}

/* Writes the names that belong to the set at this place; *has_row is for the row that is current.
 */
static int write_task_names(SqlRows *names, int64_t key, int *has_row, JsonOut *out, Error *err)
{
    json_out_kv_array(out, "task_names");
    while (*has_row == 1 && sql_rows_int(names, 0) == key) {
        json_out_str(out, sql_rows_text(names, 1));
        *has_row = sql_rows_next(names, err);
    }
    json_out_end_array(out);
    return *has_row < 0 ? -1 : 0;
}

static int write_eval_sets(SqlTx *tx, SqlDialect dialect, const QueryWords *words,
                           const EvalSet *sets, size_t n, JsonOut *out, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *names = NULL;
    query_begin(&query, dialect);
    if (query_task_names(&query, tx, words, sets, n, &names, err) < 0)
        return -1;
    int has_row = sql_rows_next(names, err);
    for (size_t i = 0; i < n && has_row >= 0; i++) {
        int64_t key = (int64_t)i + (dialect == SQL_POSTGRES);
        if (has_row == 0 || sql_rows_int(names, 0) != key)
            continue;
        json_out_object(out);
        json_out_kv_str(out, "eval_set_id", sets[i].id);
        json_out_kv_time(out, "created_at", sets[i].created_us);
        json_out_kv_int(out, "eval_count", sets[i].n_evals);
        json_out_kv_time(out, "latest_eval_created_at", sets[i].latest_us);
        if (write_task_names(names, key, &has_row, out, err) < 0)
            return -1;
        json_out_kv_str(out, "created_by", sets[i].created_by);
        json_out_end_object(out);
    }
    return has_row < 0 ? -1 : 0;
}

static Str sets_name(Arena *arena, Str search)
{
    return str_of(arena_printf(arena, "eval-sets %.*s", STR_ARG(search)));
}

static int read_cursor(QueriesPage page, Str name, Arena *arena, Cursor *ret, Error *err)
{
    if (query_check_page(page, err) < 0)
        return -1;
    return page.cursor.p ? cursor_read(page.cursor, name, 2, arena, ret, err) : 0;
}

int queries_eval_sets(Sql *sql, const QueriesAccess *access, QueriesPage page, Str search,
                      JsonOut *out, Error *err)
{
    QueryWords words;
    Cursor after = {0};
    auto_arena Arena *arena = arena_new();
    Str name = sets_name(arena, search);
    if (query_words(search, &words, err) < 0 || read_cursor(page, name, arena, &after, err) < 0)
        return -1;
    auto_query Query list = {0};
    auto_query Query total = {0};
    query_init(&list, sql);
    query_init(&total, sql);
    query_add(&total, "SELECT count(*) FROM (SELECT 1");
    add_eval_sets(&total, access, &words);
    query_add(&total, ") matching");
    query_add(&list, "SELECT g.id, g.created_at, g.n, g.latest, g.created_by, g.total FROM "
                     "(SELECT e.eval_set_id AS id, min(e.created_at) AS created_at, "
                     "count(*) AS n, max(e.created_at) AS latest, max(e.created_by) AS created_by, "
                     "count(*) OVER () AS total");
    add_eval_sets(&list, access, &words);
    query_add(&list, ") g");
    list.glue = " WHERE ";
    add_page(&list, page, &after, "g.latest, g.id", " ORDER BY g.latest DESC, g.id DESC");

    auto_sql_tx SqlTx *tx = NULL;
    int64_t n_total = 0;
    size_t n = 0;
    size_t limit = (size_t)page.limit;
    EvalSet *sets = arena_array(arena, limit + 1, sizeof(*sets));
    if (query_begin_planned_list(sql, access, &tx, err) < 0 ||
        read_eval_sets(&list, tx, arena, sets, limit + 1, &n, &n_total, err) < 0)
        return -1;
    bool is_first = !after.n && page.page == 1;
    if (n == 0 && !is_first && count(&total, tx, &n_total, err) < 0) /* behind the last page */
        return -1;
    Cursor next = {0};
    if (n > limit)
        next = (Cursor){
            .values = {SQL_INSTANT(sets[limit - 1].latest_us), SQL_TEXT(sets[limit - 1].id)},
            .n = 2};
    begin_list(out);
    if (write_eval_sets(tx, sql_dialect(sql), &words, sets, n < limit ? n : limit, out, err) < 0)
        return -1;
    end_list(out, n_total, page, &next, name);
    return 0;
}

static void add_evals(Query *query, const QueriesAccess *access, Str eval_set_id)
{
    query_add(query, " FROM eval e");
    query_where_value(query, "e.eval_set_id = ?", SQL_TEXT(eval_set_id));
    query_where(query, "");
    query_add_access(query, access);
}

static void write_eval(const SqlRows *rows, JsonOut *out)
{
    json_out_object(out);
    query_kv_text(out, "id", rows, 0);
    query_kv_text(out, "eval_set_id", rows, 1);
    query_kv_text(out, "task_name", rows, 2);
    query_kv_text(out, "model", rows, 3);
    query_kv_text(out, "status", rows, 4);
    query_kv_int(out, "total_samples", rows, 5);
    query_kv_int(out, "completed_samples", rows, 6);
    query_kv_text(out, "created_by", rows, 7);
    query_kv_time(out, "started_at", rows, 8);
    query_kv_time(out, "completed_at", rows, 9);
    json_out_end_object(out);
}

/* Writes up to a page of rows; *ret_next is filled when there is one more. */
static int write_evals(SqlRows *rows, int64_t limit, Arena *arena, Cursor *ret_next, JsonOut *out,
                       Error *err)
{
    Cursor last = {.n = 2};
    int has_row = 0;
    int64_t n = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (n++ == limit) {
            *ret_next = last;
            return 0;
        }
        write_eval(rows, out);
        last.values[0] = SQL_INSTANT(sql_rows_int(rows, 10));
        last.values[1] = SQL_TEXT(arena_str(arena, sql_rows_text(rows, 11)));
    }
    return has_row;
}

int queries_evals(Sql *sql, const QueriesAccess *access, QueriesPage page, Str eval_set_id,
                  JsonOut *out, Error *err)
{
    Cursor after = {0};
    Cursor next = {0};
    auto_arena Arena *arena = arena_new();
    Str name = str_of(arena_printf(arena, "evals %.*s", STR_ARG(eval_set_id)));
    if (read_cursor(page, name, arena, &after, err) < 0)
        return -1;
    auto_query Query list = {0};
    auto_query Query total = {0};
    query_init(&list, sql);
    query_init(&total, sql);
    query_add(&total, "SELECT count(*)");
    add_evals(&total, access, eval_set_id);
    query_add(&list, "SELECT e.id, e.eval_set_id, e.task_name, e.model, e.status, e.total_samples, "
                     "e.completed_samples, e.created_by, e.started_at, e.completed_at, "
                     "e.created_at, e.pk");
    add_evals(&list, access, eval_set_id);
    add_page(&list, page, &after, "e.created_at, e.pk", " ORDER BY e.created_at DESC, e.pk DESC");

    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    int64_t n = 0;
    if (query_begin_planned_list(sql, access, &tx, err) < 0 || count(&total, tx, &n, err) < 0 ||
        query_run_few(&list, tx, &rows, err) < 0)
        return -1;
    begin_list(out);
    if (write_evals(rows, page.limit, arena, &next, out, err) < 0)
        return -1;
    end_list(out, n, page, &next, name);
    return 0;
}
