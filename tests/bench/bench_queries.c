/* How long lists take over a large warehouse: bench_queries URL [ROUNDS], URL as in sql.h, of a
   database that make_warehouse.py has filled. Each row is one choice of filters and reader, asked
   in every sort order, the first page and one far behind by its cursor; the figures are
   milliseconds, beside the budget of 50, and the last column is the order that took longest. */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "warehouse/queries.h"
#include "warehouse/warehouse.h"

enum { BODY_MAX = 64 << 20, BUDGET_MS = 50, DEEP_PAGES = 8, TIMES_MAX = 4096 };

static const char *const sorts[] = {
    "completed_at",
    "started_at",
    "id",
    "uuid",
    "epoch",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "total_tokens",
    "action_count",
    "message_count",
    "working_time_seconds",
    "eval_id",
    "total_time_seconds",
    "generation_time_seconds",
    "eval_set_id",
    "task_name",
    "task_version",
    "model",
    "score_value",
    "score_scorer",
    "status",
    "created_by",
    "is_invalid",
    "error_message",
    "location",
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
static const char *const some_groups[] = { "model-access-public", "model-access-red", "model-access-blue" };
static const struct { const char *name; QueriesAccess access; } readers[] = {
    { "sees all",    { .sees_all = true } },
    { "3 groups",    { .groups = some_groups, .n_groups = 3 } },
    { "public only", { .groups = public_groups, .n_groups = 1 } },
};
/* clang-format on */

static Sql *sql;

/* One page; its cursor goes to the arena. */
static int64_t ask(const QueriesAccess *access, const QueriesSamples *filter, Arena *arena,
                   Str *ret_cursor)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    int64_t begun = clock_now_us();
    if (queries_samples(sql, access, filter, &out, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        exit(1);
    }
    int64_t taken = clock_now_us() - begun;
    Str marker = STR("\"next_cursor\":");
    ptrdiff_t at = str_find_str(buf_str(&body), marker);
    Str rest = str_slice(buf_str(&body), (size_t)at + marker.n, body.len - 1);
    *ret_cursor = rest.p[0] == '"' ? arena_str(arena, str_slice(rest, 1, rest.n - 1)) : STR_NONE;
    return taken;
}

typedef struct Times {
    int64_t us[TIMES_MAX];
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

static double percentile_ms(Times *times, double share)
{
    qsort(times->us, times->n, sizeof(times->us[0]), compare_times);
    size_t at = (size_t)(share * (double)times->n);
    return (double)times->us[at < times->n ? at : times->n - 1] / 1000;
}

static void add_time(Times *times, int64_t us, const char *sort, bool is_ascending, bool is_deep)
{
    if (times->n < TIMES_MAX)
        times->us[times->n++] = us;
    if (us <= times->worst_us)
        return;
    times->worst_us = us;
    (void)snprintf(times->worst, sizeof(times->worst), "%s %s%s", sort,
                   is_ascending ? "asc" : "desc", is_deep ? ", deep" : "");
}

static void measure_order(const QueriesAccess *access, QueriesSamples filter, const char *sort,
                          bool is_ascending, int rounds, Times *times)
{
    auto_arena Arena *arena = arena_new();
    Str cursor = STR_NONE;
    filter.sort_by = str_of(sort);
    filter.sort_order = is_ascending ? STR("asc") : STR("desc");
    filter.page = (QueriesPage){.page = 1, .limit = 50};
    for (int i = 0; i < rounds; i++)
        add_time(times, ask(access, &filter, arena, &cursor), sort, is_ascending, false);
    filter.page.limit = 500;
    for (int i = 0; i < DEEP_PAGES && cursor.p; i++) {
        filter.page.cursor = cursor;
        (void)ask(access, &filter, arena, &cursor);
    }
    filter.page.limit = 50;
    for (int i = 0; i < rounds && filter.page.cursor.p; i++)
        add_time(times, ask(access, &filter, arena, &cursor), sort, is_ascending, true);
}

static void measure(const Case *asked, size_t reader, int rounds)
{
    static Times times;
    times = (Times){0};
    for (size_t i = 0; i < ARRAY_LEN(sorts); i++)
        for (int is_ascending = 0; is_ascending < 2; is_ascending++)
            measure_order(&readers[reader].access, asked->filter, sorts[i], is_ascending, rounds,
                          &times);
    double p99 = percentile_ms(&times, 0.99);
    printf("%-26s %-12s %8.2f %8.2f %8.2f   %s%s\n", asked->name, readers[reader].name,
           percentile_ms(&times, 0.5), p99, (double)times.worst_us / 1000, times.worst,
           p99 > BUDGET_MS ? "   OVER" : "");
    fflush(stdout);
}

/* The same first page by the plainest statement there is for it. */
static void measure_floor(const char *name, const char *statement, int rounds)
{
    auto_error Error err = ERROR_INIT;
    Times *times = mem_alloc(sizeof(*times));
    for (int i = 0; i < rounds; i++) {
        auto_sql_tx SqlTx *tx = NULL;
        auto_sql_rows SqlRows *rows = NULL;
        int64_t begun = clock_now_us();
        int has_row = sql_begin(sql, SQL_READ, &tx, &err) < 0 ||
                              sql_query(tx, statement, SQL_NO_ARGS, &rows, &err) < 0
                          ? -1
                          : 1;
        while (has_row == 1)
            has_row = sql_rows_next(rows, &err);
        if (has_row < 0) {
            fprintf(stderr, "%s\n", error_text(&err));
            exit(1);
        }
        add_time(times, clock_now_us() - begun, name, false, false);
    }
    printf("%-39s %8.2f %8.2f %8.2f\n", name, percentile_ms(times, 0.5), percentile_ms(times, 0.99),
           (double)times->worst_us / 1000);
    free(times);
}

static void measure_sets(const char *search, size_t reader, int rounds)
{
    auto_error Error err = ERROR_INIT;
    Times *times = mem_alloc(sizeof(*times));
    for (int i = 0; i < rounds * 10; i++) {
        auto_buf Buf body = BUF_INIT(BODY_MAX);
        JsonOut out;
        json_out_init(&out, &body, 0);
        int64_t begun = clock_now_us();
        if (queries_eval_sets(sql, &readers[reader].access, (QueriesPage){.page = 1, .limit = 100},
                              str_of(search), &out, &err) < 0) {
            fprintf(stderr, "%s\n", error_text(&err));
            exit(1);
        }
        add_time(times, clock_now_us() - begun, "", false, false);
    }
    printf("%-26s %-12s %8.2f %8.2f %8.2f\n", search ? "eval sets, two words" : "eval sets",
           readers[reader].name, percentile_ms(times, 0.5), percentile_ms(times, 0.99),
           (double)times->worst_us / 1000);
    free(times);
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    int64_t rounds = 3;
    if (argc < 2 || (argc > 2 && str_to_i64(str_of(argv[2]), 1, 20, &rounds) < 0) ||
        sql_open(argv[1], 1, &sql, &err) < 0 || warehouse_migrate(sql, &err) < 0) {
        fprintf(stderr, "usage: bench_queries URL [ROUNDS]: %s\n", error_text(&err));
        return 1;
    }
    printf("%-26s %-12s %8s %8s %8s   budget %d ms; worst:\n", "samples", "reader", "p50", "p99",
           "max", BUDGET_MS);
    for (size_t r = 0; r < ARRAY_LEN(readers); r++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
            measure(&cases[i], r, (int)rounds);
    for (size_t r = 0; r < ARRAY_LEN(readers); r++) {
        measure_sets(NULL, r, (int)rounds);
        measure_sets("bench task_0", r, (int)rounds);
    }
    printf("%-39s %8s %8s %8s\n", "floor: the plain statement", "p50", "p99", "max");
    measure_floor("sample by completed_at",
                  "SELECT * FROM sample ORDER BY completed_at DESC LIMIT 51", 20);
    measure_floor("listing_sample by total_tokens",
                  "SELECT no FROM listing_sample WHERE total_tokens IS NOT NULL ORDER BY "
                  "total_tokens DESC LIMIT 51",
                  20);
    measure_floor("sample by total_tokens, one model",
                  "SELECT s.pk FROM sample s JOIN eval e ON e.pk = s.eval_pk WHERE e.model = "
                  "'model-03' ORDER BY s.total_tokens DESC LIMIT 51",
                  3);
    sql_close(sql);
    return 0;
}
