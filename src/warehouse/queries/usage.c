/* One statement; what the dialects say differently is in a table. */

#include "warehouse/queries/usage.h"

#include "base/clock.h"
#include "warehouse/queries/queries_priv.h"

/* How each says: the number of a member of u.value, all members of the column, and the bin of an
   instant. */
typedef struct Words {
    const char *number[2]; /* what is before and behind the member's name */
    const char *members;
    const char *bin; /* with the start and the length of a bin for "?" */
} Words;

/* clang-format off */
static const Words words[] = {
    [SQL_SQLITE]   = { { "coalesce(json_extract(u.value, '$.", "'), 0)" },
                       "json_each(s.model_usage) u",
                       "CAST((s.completed_at - ?) / ? AS INTEGER)" },
    [SQL_POSTGRES] = { { "coalesce((u.value ->> '", "')::bigint, 0)" },
                       "jsonb_each(s.model_usage) u",
                       "floor((extract(epoch FROM s.completed_at) * 1000000 - ?::double precision) / ?::double precision)::bigint" },
};

static const char *const who[] = {
    [USAGE_BY_USER] = "e.created_by",
    [USAGE_BY_JOB]  = "e.eval_set_id",
    [USAGE_BY_TASK] = "e.task_name",
};

static const char *const members[] = {
    "total_tokens", "input_tokens", "output_tokens", "input_tokens_cache_read", "input_tokens_cache_write",
};
/* clang-format on */

static void add_sums(Query *query)
{
    const char *const *number = words[query->dialect].number;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        buf_printf(&query->text, ", CAST(sum(%s%s%s) AS bigint)", number[0], members[i], number[1]);
}

static void build(Query *query, const QueriesAccess *access, const UsageWindow *window)
{
    const Words *say = &words[query->dialect];
    int64_t start_us = (int64_t)(window->start_s * 1e6);
    int64_t end_us = (int64_t)(window->end_s * 1e6);
    buf_printf(&query->text, "SELECT u.key, %s, ", who[window->group]);
    Str rest = str_of(say->bin);
    Str before = STR_NONE;
    const double values[] = {(double)start_us, window->bin_s * 1e6};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        (void)str_split(&rest, '?', &before);
        buf_add_str(&query->text, before);
        query_add_value(query, "?", SQL_REAL(values[i]));
    }
    buf_add_str(&query->text, rest);
    add_sums(query);
    buf_printf(&query->text, " FROM sample s JOIN eval e ON e.pk = s.eval_pk CROSS JOIN %s",
               say->members);
    query_where_value(query, "s.completed_at >= ?", SQL_INSTANT(start_us));
    query_where_value(query, "s.completed_at < ?", SQL_INSTANT(end_us));
    query_where(query, "s.model_usage IS NOT NULL");
    query_where(query, "");
    query_add_access(query, access);
    query_add(query, " GROUP BY 1, 2, 3 ORDER BY 1, 3, 2");
}

static Str text_at(const SqlRows *rows, int column, Arena *arena)
{
    Str text = sql_rows_text(rows, column);
    return text.p ? arena_str(arena, text) : STR_NONE;
}

int usage_each(Sql *sql, const QueriesAccess *access, const UsageWindow *window, UsageEach *each,
               void *context, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    auto_query Query query;
    query_init(&query, sql);
    build(&query, access, window);
    if (query_begin_list(sql, access, &tx, err) < 0 || query_run(&query, tx, &rows, err) < 0)
        return -1;
    auto_arena Arena *arena = arena_new();
    int more = 0;
    for (size_t n = 0; (more = sql_rows_next(rows, err)) == 1; n++) {
        if (n == USAGE_ROWS_MAX)
            return error_set(err, ERR_BAD_DATA,
                             "there are over %d sums; ask for a shorter time or longer bins",
                             USAGE_ROWS_MAX);
        arena_reset(arena);
        const UsageRow row = {
            .model = text_at(rows, 0, arena),
            .who = text_at(rows, 1, arena),
            .bin = sql_rows_int(rows, 2),
            .tokens = sql_rows_int(rows, 3),
            .input = sql_rows_int(rows, 4),
            .output = sql_rows_int(rows, 5),
            .cache_read = sql_rows_int(rows, 6),
            .cache_write = sql_rows_int(rows, 7),
        };
        if (each(context, &row, err) < 0)
            return -1;
    }
    return more;
}
