/* How long lists take over a large warehouse: bench_queries URL [ROUNDS [lists|searches [NAME]]],
   URL as in sql.h, of a database that make_warehouse.py has filled. Each row is one choice of
   filters and reader, asked in every sort order, the first page and one far behind by its cursor;
   the figures are milliseconds, and the last column is the order that took longest.
   bench_queries.py runs it. */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"
#include "warehouse/queries/listing.h"
#include "warehouse/queries/queries.h"
#include "warehouse/queries/queries_priv.h"
#include "warehouse/search/search.h"
#include "warehouse/warehouse.h"
#include "warehouse_sorts.h"

enum {
    BODY_MAX = 64 << 20,
    BUDGET_MS = 50,
    SEARCH_BUDGET_MS = 300,
    DEEP_PAGES = 2,
    TIMES_MAX = 4096
};

typedef struct Case {
    const char *name;
    QueriesSamples filter;
} Case;

static const Str only_error[] = {{"error", 5}};
static const Str rare_limits[] = {{"custom_limit", 12}, {"operator_limit", 14}};
static const Str success_or_error[] = {{"success", 7}, {"error", 5}};

#define DAY_US (INT64_C(86400) * 1000000)
#define BEGIN_US INT64_C(1700000000000000)
#define SCORES(lo, hi)                                                                             \
    .has_score_min = true, .score_min = (lo), .has_score_max = true, .score_max = (hi)
#define TIMES(from, to)                                                                            \
    .has_completed_after = true, .completed_after_us = BEGIN_US + (from)*DAY_US,                   \
    .has_completed_before = true, .completed_before_us = BEGIN_US + (to)*DAY_US

/* clang-format off */
static const Case cases[] = {
    { "everything",              { .n_statuses = 0 } },
    { "an eval set",             { .eval_set_id = STR("bench-set-0123") } },
    { "a common model",          { .model = STR("model-00") } },
    { "a rare model",            { .model = STR("model-11") } },
    { "a common task",           { .task_name = STR("task_00") } },
    { "a rare task, by version", { .task_name = STR("task_07"), .task_version = STR("1") } },
    { "a person",                { .created_by = STR("person-03") } },
    { "errors",                  { .statuses = only_error, .n_statuses = 1 } },
    { "rare limits",             { .statuses = rare_limits, .n_statuses = 2 } },
    { "success or error",        { .statuses = success_or_error, .n_statuses = 2 } },
    { "scores from 0.9",         { .has_score_min = true, .score_min = 0.9 } },
    { "scores up to 0.1",        { .has_score_max = true, .score_max = 0.1 } },
    { "grades 0.500 to 0.501",   { .scorer = STR("grade"), SCORES(0.500, 0.501) } },
    { "grades 0.2 to 0.4",       { .scorer = STR("grade"), SCORES(0.2, 0.4) } },
    { "matches, by text",        { .scorer = STR("match") } },
    { "no such scorer",          { .scorer = STR("nothing"), SCORES(0, 1) } },
    { "a week",                  { TIMES(100, 107) } },
    { "an hour",                 { TIMES(100, 100) } },
    { "half the year",           { TIMES(0, 180) } },
    { "word in the task",        { .search = STR("task_03") } },
    { "word in an id",           { .search = STR("task_00-00123") } },
    { "word in many ids",        { .search = STR("00123") } },
    { "words, model and id",     { .search = STR("model-02 0017") } },
    { "word in nothing",         { .search = STR("zebra") } },
    { "short word",              { .search = STR("t_") } },
    { "model and errors",        { .model = STR("model-03"), .statuses = only_error, .n_statuses = 1 } },
    { "task and grades",         { .task_name = STR("task_01"), .scorer = STR("grade"), SCORES(0.9, 1) } },
    { "errors with good scores", { .statuses = only_error, .n_statuses = 1, .has_score_min = true, .score_min = 0.9 } },
    { "model, week and errors",  { .model = STR("model-01"), TIMES(200, 207), .statuses = only_error, .n_statuses = 1 } },
    { "person, word and grades", { .created_by = STR("person-00"), .search = STR("task_02"), .scorer = STR("grade"), SCORES(0, 0.5) } },
    { "all filters",             { .model = STR("model-00"), .task_name = STR("task_00"), .created_by = STR("person-00"), .search = STR("bench"),
                                   .statuses = success_or_error, .n_statuses = 2, .scorer = STR("grade"), SCORES(0.1, 0.9), TIMES(10, 300) } },
};

static const char *const public_groups[] = { "model-access-public" };
static const char *const one_more_group[] = { "model-access-public", "model-access-rare" };
static const char *const some_groups[] = { "model-access-public", "model-access-red", "model-access-blue" };
static const struct { const char *name; QueriesAccess access; } readers[] = {
    { "sees all",    { .sees_all = true } },
    { "3 groups",    { .groups = some_groups, .n_groups = 3 } },
    { "one more",    { .groups = one_more_group, .n_groups = 2 } },
    { "public only", { .groups = public_groups, .n_groups = 1 } },
};
/* clang-format on */

static Sql *sql;
static int64_t server_pid; /* of PostgreSQL's process for our only connection; 0: none */

static void fail(const Error *err)
{
    fprintf(stderr, "%s\n", error_text(err));
    exit(1);
}

/* Microseconds of processor time that this thread and the database's process have had. */
static int64_t cpu_us(void)
{
    struct timespec own;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
    int64_t us = (int64_t)own.tv_sec * 1000000 + own.tv_nsec / 1000;
    if (!server_pid)
        return us;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(4096);
    auto_free char *path = mem_printf("/proc/%lld/schedstat", (long long)server_pid);
    int64_t ns = 0;
    if (fs_read_file(path, &text, &err) < 0 ||
        str_to_i64(str_slice(buf_str(&text), 0, strcspn(text.data, " ")), 0, INT64_MAX, &ns) < 0)
        fail(&err);
    return us + ns / 1000;
}

/* What a request has taken. */
typedef struct Taken {
    int64_t wall_us;
    int64_t cpu_us;
} Taken;

static Taken begin(void)
{
    int64_t cpu = cpu_us();
    return (Taken){.wall_us = clock_now_us(), .cpu_us = cpu};
}

static Taken end(Taken begun)
{
    int64_t wall = clock_now_us() - begun.wall_us;
    return (Taken){.wall_us = wall, .cpu_us = cpu_us() - begun.cpu_us};
}

/* One page; its cursor goes to the arena. */
static Taken ask(const QueriesAccess *access, const QueriesSamples *filter, Arena *arena,
                 Str *ret_cursor)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    Taken begun = begin();
    if (queries_samples(sql, access, filter, &out, &err) < 0)
        fail(&err);
    Taken taken = end(begun);
    Str marker = STR("\"next_cursor\":");
    ptrdiff_t at = str_find_str(buf_str(&body), marker);
    Str rest = str_slice(buf_str(&body), (size_t)at + marker.n, body.len - 1);
    *ret_cursor = rest.p[0] == '"' ? arena_str(arena, str_slice(rest, 1, rest.n - 1)) : STR_NONE;
    return taken;
}

typedef struct Times {
    int64_t wall_us[TIMES_MAX];
    int64_t cpu_us[TIMES_MAX];
    size_t n;
    int64_t worst_us;
    char worst[64];
} Times;

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(int64_t *us, size_t n, double share)
{
    if (n == 0)
        return 0;
    qsort(us, n, sizeof(us[0]), compare_times);
    size_t at = (size_t)(share * (double)n);
    return (double)us[at < n ? at : n - 1] / 1000;
}

static void add_time(Times *times, Taken taken, const char *what, const char *more)
{
    if (times->n < TIMES_MAX) {
        times->wall_us[times->n] = taken.wall_us;
        times->cpu_us[times->n++] = taken.cpu_us;
    }
    if (taken.cpu_us <= times->worst_us)
        return;
    times->worst_us = taken.cpu_us;
    (void)snprintf(times->worst, sizeof(times->worst), "%s%s", what, more);
}

static void print_times(const char *name, const char *reader, Times *times, int budget_ms)
{
    double cpu = percentile_ms(times->cpu_us, times->n, 0.99);
    printf("%-26s %-12s %8.2f %8.2f %8.2f %8.2f %8.2f   %s%s\n", name, reader,
           percentile_ms(times->wall_us, times->n, 0.5),
           percentile_ms(times->wall_us, times->n, 0.99),
           percentile_ms(times->cpu_us, times->n, 0.5), cpu, (double)times->worst_us / 1000,
           times->worst, cpu > budget_ms ? "   OVER" : "");
    fflush(stdout);
}

/* Sets the cursor to a page a thousand rows behind, or leaves it when there are not so many. */
static void go_deep(const QueriesAccess *access, QueriesSamples *filter, Arena *arena)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    QueriesSamples pages = *filter;
    pages.page.limit = 500;
    if (query_begin_list(sql, access, &tx, &err) < 0)
        fail(&err);
    const ListingQuestion question = {.tx = tx,
                                      .dialect = sql_dialect(sql),
                                      .access = access,
                                      .filter = &pages,
                                      .limits = &listing_limits};
    for (int i = 0; i < DEEP_PAGES; i++) {
        ListingPage page = {0};
        if (listing_page(&question, arena, &page, &err) < 0)
            fail(&err);
        if (!page.has_more)
            break;
        pages.page.cursor = page.next;
    }
    filter->page.cursor = pages.page.cursor;
}

static void measure_order(const QueriesAccess *access, QueriesSamples filter, const char *sort,
                          bool is_ascending, int rounds, Times *times)
{
    auto_arena Arena *arena = arena_new();
    const char *order = is_ascending ? " asc" : " desc";
    const char *deep = is_ascending ? " asc, deep" : " desc, deep";
    Str cursor = STR_NONE;
    filter.sort_by = str_of(sort);
    filter.sort_order = is_ascending ? STR("asc") : STR("desc");
    filter.page = (QueriesPage){.page = 1, .limit = 50};
    for (int i = 0; i < rounds; i++)
        add_time(times, ask(access, &filter, arena, &cursor), sort, order);
    go_deep(access, &filter, arena);
    for (int i = 0; i < rounds && filter.page.cursor.p; i++)
        add_time(times, ask(access, &filter, arena, &cursor), sort, deep);
}

static void measure(const Case *asked, size_t reader, int rounds)
{
    static Times times;
    times = (Times){0};
    for (size_t i = 0; i < ARRAY_LEN(warehouse_sorts); i++)
        for (int is_ascending = 0; is_ascending < 2; is_ascending++)
            measure_order(&readers[reader].access, asked->filter, warehouse_sorts[i], is_ascending,
                          rounds, &times);
    print_times(asked->name, readers[reader].name, &times, BUDGET_MS);
}

/* The same first page by the plainest statement there is for it. */
static void measure_floor(const char *name, const char *statement, int rounds)
{
    auto_error Error err = ERROR_INIT;
    auto_free Times *times = mem_alloc(sizeof(*times));
    for (int i = 0; i < rounds; i++) {
        auto_sql_tx SqlTx *tx = NULL;
        auto_sql_rows SqlRows *rows = NULL;
        Taken begun = begin();
        if (sql_begin(sql, SQL_READ, &tx, &err) < 0 ||
            sql_query(tx, statement, SQL_NO_ARGS, &rows, &err) < 0)
            fail(&err);
        int has_row = 1;
        while (has_row == 1)
            has_row = sql_rows_next(rows, &err);
        if (has_row < 0)
            fail(&err);
        add_time(times, end(begun), "", "");
    }
    print_times(name, "plain SQL", times, INT32_MAX);
}

static void measure_sets(const char *search, size_t reader, int rounds)
{
    auto_error Error err = ERROR_INIT;
    auto_free Times *times = mem_alloc(sizeof(*times));
    for (int i = 0; i < rounds * 10; i++) {
        auto_buf Buf body = BUF_INIT(BODY_MAX);
        JsonOut out;
        json_out_init(&out, &body, 0);
        Taken begun = begin();
        if (queries_eval_sets(sql, &readers[reader].access, (QueriesPage){.page = 1, .limit = 100},
                              str_of(search), &out, &err) < 0)
            fail(&err);
        add_time(times, end(begun), "", "");
    }
    print_times(search ? "eval sets, two words" : "eval sets", readers[reader].name, times,
                BUDGET_MS);
}

/* clang-format off */
static const struct { const char *name; SearchQuestion question; } searches[] = {
    { "common word",           { .q = STR("answer") } },
    { "common word, newest",   { .q = STR("answer"), .by_recency = true } },
    { "rare word",             { .q = STR("zephyr") } },
    { "word of one task",      { .q = STR("kettle7") } },
    { "word of old evals",     { .q = STR("origin") } },
    { "word of nobody",        { .q = STR("xylophone") } },
    { "two common words",      { .q = STR("answer question") } },
    { "common and rare word",  { .q = STR("answer zephyr") } },
    { "phrase, common",        { .q = STR("\"the answer is\"") } },
    { "phrase, rare",          { .q = STR("\"blue zephyr\"") } },
    { "five words",            { .q = STR("please work out the following") } },
    { "word, not another",     { .q = STR("answer -question") } },
    { "one or the other",      { .q = STR("zephyr OR xylophone") } },
    { "in an eval set",        { .q = STR("answer"), .eval_set_id = STR("bench-set-0123") } },
    { "rare, in an eval set",  { .q = STR("zephyr"), .eval_set_id = STR("bench-set-0123") } },
    { "expression, common",    { .q = STR("the answer is [0-9]+"), .is_grep = true } },
    { "expression, no words",  { .q = STR("[0-9]{3}\\.$"), .is_grep = true } },
    { "expression, nowhere",   { .q = STR("[xyz]{7}"), .is_grep = true } },
    { "expression with words", { .q = STR("a blue zephyr in .+"), .is_grep = true } },
};
/* clang-format on */

static void measure_search(size_t which, size_t reader, int rounds)
{
    auto_error Error err = ERROR_INIT;
    auto_free Times *times = mem_alloc(sizeof(*times));
    for (int i = 0; i < rounds * 5; i++) {
        SearchQuestion question = searches[which].question;
        question.limit = 50;
        question.batch_size = 128;
        auto_buf Buf body = BUF_INIT(BODY_MAX);
        JsonOut out;
        json_out_init(&out, &body, 0);
        Taken begun = begin();
        if (search_answer(sql, &readers[reader].access, &question, &out, &err) < 0)
            fail(&err);
        add_time(times, end(begun), "", "");
    }
    print_times(searches[which].name, readers[reader].name, times, SEARCH_BUDGET_MS);
}

static void print_head(const char *what, int budget_ms)
{
    printf("\n%-26s %-12s %17s %17s\n%-26s %-12s %8s %8s %8s %8s %8s   budget %d ms at p99\n", "",
           "", "clock", "processor", what, "reader", "p50", "p99", "p50", "p99", "max", budget_ms);
}

static void find_server(void)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_dialect(sql) != SQL_POSTGRES)
        return;
    if (sql_begin(sql, SQL_READ, &tx, &err) < 0 ||
        sql_query(tx, "SELECT pg_backend_pid()", SQL_NO_ARGS, &rows, &err) < 0 ||
        sql_rows_next(rows, &err) < 0)
        fail(&err);
    server_pid = sql_rows_int(rows, 0);
}

/* clang-format off */
static const struct { const char *name; const char *statement; } floors[] = {
    { "newest samples",          "SELECT * FROM sample ORDER BY completed_at DESC LIMIT 51" },
    { "most tokens",             "SELECT no FROM listing_sample WHERE total_tokens IS NOT NULL ORDER BY total_tokens DESC LIMIT 51" },
    { "most tokens, one model",  "SELECT s.pk FROM sample s JOIN eval e ON e.pk = s.eval_pk WHERE e.model = 'model-03' ORDER BY s.total_tokens DESC LIMIT 51" },
};
/* clang-format on */

static void measure_lists(int rounds, const char *only)
{
    print_head("samples", BUDGET_MS);
    for (size_t r = 0; r < ARRAY_LEN(readers); r++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
            if (!only || strstr(cases[i].name, only))
                measure(&cases[i], r, rounds);
    for (size_t r = 0; !only && r < ARRAY_LEN(readers); r++) {
        measure_sets(NULL, r, rounds);
        measure_sets("bench task_0", r, rounds);
    }
    for (size_t i = 0; !only && i < ARRAY_LEN(floors); i++)
        measure_floor(floors[i].name, floors[i].statement, 5);
}

static void measure_searches(int rounds, const char *only)
{
    print_head("search", SEARCH_BUDGET_MS);
    for (size_t r = 0; r < ARRAY_LEN(readers); r++)
        for (size_t i = 0; i < ARRAY_LEN(searches); i++)
            if (!only || strstr(searches[i].name, only))
                measure_search(i, r, rounds);
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    int64_t rounds = 3;
    if (argc < 2 || (argc > 2 && str_to_i64(str_of(argv[2]), 1, 20, &rounds) < 0) ||
        sql_open(argv[1], 1, &sql, &err) < 0 || warehouse_migrate(sql, &err) < 0) {
        fprintf(stderr, "usage: bench_queries URL [ROUNDS [lists|searches [NAME]]]: %s\n",
                error_text(&err));
        return 1;
    }
    find_server();
    const char *only = argc > 4 ? argv[4] : NULL; /* what the names of rows have in them */
    if (argc < 4 || strcmp(argv[3], "lists") == 0)
        measure_lists((int)rounds, only);
    if (argc < 4 || strcmp(argv[3], "searches") == 0)
        measure_searches((int)rounds, only);
    sql_close(sql);
    return 0;
}
