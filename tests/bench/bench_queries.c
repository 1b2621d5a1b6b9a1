/* How long lists take over a large warehouse: bench_queries URL [ROUNDS [lists|searches [NAME
   [READER]]]], URL as in sql.h, of a database that make_warehouse.py has filled. Each row is one
   choice of filters and reader, asked in every sort order, the first page and one far behind by its
   cursor; the figures are milliseconds, and the last column is the order that took longest. Readers
   are held by row-level security, as those of a server are. bench_queries.py runs it. */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "access/models.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"
#include "jobs/job_table.h"
#include "server/row_security.h"
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
    DEEP_PAGES = 1,
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

static const char *const most_groups[] = { "model-access-public", "model-access-red", "model-access-blue", "model-access-green" };
static const char *const rare_group[] = { "model-access-public", "model-access-rare" };
static const char *const public_group[] = { "model-access-public" };
static const char *const few_group[] = { "model-access-few" };
static const char *const one_group[] = { "model-access-one" };
static const struct Reader { const char *name; QueriesAccess access; const char *eval_set; /* that they see */ } readers[] = {
    { "sees all",    { .sees_all = true },                                             "bench-set-0001" },
    { "most groups", { .groups = most_groups,  .n_groups = ARRAY_LEN(most_groups) },   "bench-set-0001" },
    { "two groups",  { .groups = rare_group,   .n_groups = ARRAY_LEN(rare_group) },    "bench-set-0001" },
    { "public only", { .groups = public_group, .n_groups = ARRAY_LEN(public_group) },  "bench-set-0001" },
    { "few evals",   { .groups = few_group,    .n_groups = ARRAY_LEN(few_group) },     "bench-set-0047" },
    { "one set",     { .groups = one_group,    .n_groups = ARRAY_LEN(one_group) },     "bench-set-0207" },
    { "sees none",   { .n_groups = 0 },                                                NULL },
};
/* clang-format on */

static Sql *sql;
static Store *store;
static struct {
    size_t n, n_over, n_rows, n_rows_over;
} sum;                     /* since it was printed last */
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
    sum.n_rows++;
    sum.n_rows_over += cpu > budget_ms;
    sum.n += times->n;
    for (size_t i = 0; i < times->n; i++)
        sum.n_over += times->cpu_us[i] > (int64_t)budget_ms * 1000;
}

/* How much of what was printed since the last sum is over the budget, by processor time. */
static void print_sum(int budget_ms)
{
    printf("%zu of %zu rows, %zu of %zu answers took over %d ms of processor time\n",
           sum.n_rows_over, sum.n_rows, sum.n_over, sum.n, budget_ms);
    sum.n = sum.n_over = sum.n_rows = sum.n_rows_over = 0;
}

/* Sets the cursor to a page 500 rows behind, or leaves it when there are not so many. */
static void go_deep(const QueriesAccess *access, QueriesSamples *filter, Arena *arena)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    QueriesSamples pages = *filter;
    pages.page.limit = 500;
    if (query_begin_simple_list(sql, access, &tx, &err) < 0)
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

static void measure(const Case *asked, const struct Reader *reader, int rounds)
{
    static Times times;
    times = (Times){0};
    for (size_t i = 0; i < ARRAY_LEN(warehouse_sorts); i++)
        for (int is_ascending = 0; is_ascending < 2; is_ascending++)
            measure_order(&reader->access, asked->filter, warehouse_sorts[i], is_ascending, rounds,
                          &times);
    print_times(asked->name, reader->name, &times, BUDGET_MS);
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

/* ---- other pages ---- */

typedef int Asker(Sql *db, const QueriesAccess *access, Str name, JsonOut *out, Error *err);

static int ask_sets(Sql *db, const QueriesAccess *access, Str name, JsonOut *out, Error *err)
{
    (void)name;
    return queries_eval_sets(db, access, (QueriesPage){.page = 1, .limit = 100}, STR_NONE, out,
                             err);
}

static int ask_sets_by_words(Sql *db, const QueriesAccess *access, Str name, JsonOut *out,
                             Error *err)
{
    (void)name;
    return queries_eval_sets(db, access, (QueriesPage){.page = 1, .limit = 100},
                             STR("bench task_0"), out, err);
}

static int ask_evals(Sql *db, const QueriesAccess *access, Str name, JsonOut *out, Error *err)
{
    return queries_evals(db, access, (QueriesPage){.page = 1, .limit = 100}, name, out, err);
}

static int ask_imports(Sql *db, const QueriesAccess *access, Str name, JsonOut *out, Error *err)
{
    (void)name;
    const QueriesImportList list = {.limit = 100};
    return queries_import_list(db, store, access, &list, out, err);
}

static int ask_events(Sql *db, const QueriesAccess *access, Str name, JsonOut *out, Error *err)
{
    const QueriesEvents filter = {.limit = 500};
    return queries_sample_events(db, access, name, &filter, out, err);
}

/* clang-format off */
static const struct { const char *name; Asker *ask; bool is_of_sample; } pages[] = {
    { "eval sets",            ask_sets,              false },
    { "eval sets, two words", ask_sets_by_words,     false },
    { "evals of a set",       ask_evals,             false },
    { "imports",              ask_imports,           false },
    { "one sample",           queries_sample,        true },
    { "scores of a sample",   queries_sample_scores, true },
    { "500 events",           ask_events,            true },
};
/* clang-format on */

/* The sample of an eval set that has events. */
static Str sample_with_events(const char *eval_set, Arena *arena)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, &err) < 0 ||
        sql_query(tx,
                  "SELECT s.uuid FROM eval e JOIN sample s ON s.eval_pk = e.pk JOIN event v ON "
                  "v.sample_pk = s.pk AND v.event_order = 0 WHERE e.eval_set_id = $1",
                  SQL_ARGS(SQL_TEXTZ(eval_set)), &rows, &err) < 0 ||
        sql_rows_next(rows, &err) < 0)
        fail(&err);
    return arena_str(arena, sql_rows_text(rows, 0));
}

static void measure_page(size_t which, const struct Reader *reader, int rounds)
{
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_free Times *times = mem_alloc(sizeof(*times));
    Str name = str_of(reader->eval_set);
    if (pages[which].is_of_sample)
        name = sample_with_events(reader->eval_set, arena);
    for (int i = 0; i < rounds * 10; i++) {
        auto_buf Buf body = BUF_INIT(BODY_MAX);
        JsonOut out;
        json_out_init(&out, &body, 0);
        Taken begun = begin();
        if (pages[which].ask(sql, &reader->access, name, &out, &err) < 0)
            fail(&err);
        add_time(times, end(begun), "", "");
    }
    print_times(pages[which].name, reader->name, times, BUDGET_MS);
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

static void measure_search(size_t which, const struct Reader *reader, int rounds)
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
        if (search_answer(sql, &reader->access, &question, &out, &err) < 0)
            fail(&err);
        add_time(times, end(begun), "", "");
    }
    print_times(searches[which].name, reader->name, times, SEARCH_BUDGET_MS);
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

static void measure_lists(int rounds, const char *only, const char *reader)
{
    print_head("samples", BUDGET_MS);
    for (size_t r = 0; r < ARRAY_LEN(readers); r++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
            if ((!only || strstr(cases[i].name, only)) &&
                (!reader || strstr(readers[r].name, reader)))
                measure(&cases[i], &readers[r], rounds);
    print_sum(BUDGET_MS);
    print_head("other pages", BUDGET_MS);
    for (size_t r = 0; r < ARRAY_LEN(readers); r++)
        for (size_t i = 0; i < ARRAY_LEN(pages) && readers[r].eval_set; i++)
            if ((!only || strstr(pages[i].name, only)) &&
                (!reader || strstr(readers[r].name, reader)))
                measure_page(i, &readers[r], rounds);
    for (size_t i = 0; !only && i < ARRAY_LEN(floors); i++)
        measure_floor(floors[i].name, floors[i].statement, 5);
    print_sum(BUDGET_MS);
}

static void measure_searches(int rounds, const char *only)
{
    print_head("search", SEARCH_BUDGET_MS);
    for (size_t r = 0; r < ARRAY_LEN(readers); r++)
        for (size_t i = 0; i < ARRAY_LEN(searches); i++)
            if (!only || strstr(searches[i].name, only))
                measure_search(i, &readers[r], rounds);
    print_sum(SEARCH_BUDGET_MS);
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    int64_t rounds = 3;
    if (argc < 2 || (argc > 2 && str_to_i64(str_of(argv[2]), 1, 20, &rounds) < 0) ||
        sql_open(argv[1], 1, &sql, &err) < 0 || store_open("file:/var/empty", &store, &err) < 0 ||
        warehouse_migrate(sql, &err) < 0 || models_migrate(sql, &err) < 0 ||
        job_table_migrate(sql, &err) < 0 || row_security_update(sql, &err) < 0) {
        fprintf(stderr, "usage: bench_queries URL [ROUNDS [lists|searches [NAME [READER]]]]: %s\n",
                error_text(&err));
        return 1;
    }
    find_server();
    queries_warm(sql);                            /* as a server has it done to each connection */
    const char *only = argc > 4 ? argv[4] : NULL; /* what the names of rows have in them */
    if (argc < 4 || strcmp(argv[3], "lists") == 0)
        measure_lists((int)rounds, only, argc > 5 ? argv[5] : NULL);
    if (argc < 4 || strcmp(argv[3], "searches") == 0)
        measure_searches((int)rounds, only);
    store_close(store);
    sql_close(sql);
    return 0;
}
