/* The import queue: who takes which log when, and what becomes of it. */
#include "cmocka_all.h"

#include <unistd.h>

#include "database.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/mem.h"
#include "store/store.h"
#include "warehouse/importer/import_queue.h"
#include "warehouse/queries/queries.h"
#include "warehouse/warehouse.h"

#define SECOND INT64_C(1000000)
#define START (INT64_C(1750000000) * SECOND)
enum { LEASE_S = 60 };

static char folder[64];
static Sql *sql;
static Store *store;
static ImportQueue *queue;
static Arena *arena;
static int64_t now;

static int64_t now_us(void *context)
{
    (void)context;
    return now;
}

static void pass(double seconds)
{
    now += (int64_t)(seconds * (double)SECOND);
}

static ImportQueue *open_queue(void)
{
    auto_error Error err = ERROR_INIT;
    const ImportQueueOptions options = {
        .sql = sql, .store = store, .now_us = now_us, .lease_ms = LEASE_S * 1000};
    ImportQueue *opened = NULL;
    if (import_queue_open(&options, &opened, &err) < 0)
        fail_msg("%s", error_text(&err));
    return opened;
}

static int set_up(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    now = START;
    arena = arena_new();
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-queue-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *url = database_url(folder);
    auto_free char *place = mem_printf("file:%s/store", folder);
    if (sql_open(url, 4, &sql, &err) < 0 || warehouse_migrate(sql, &err) < 0 ||
        store_open(place, &store, &err) < 0)
        fail_msg("%s", error_text(&err));
    queue = open_queue();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    import_queue_close(TAKE(queue));
    store_close(TAKE(store));
    sql_close(TAKE(sql));
    arena_free(TAKE(arena));
    return fs_remove_tree(folder, &err);
}

static void put(const char *key, const char *bytes)
{
    auto_error Error err = ERROR_INIT;
    if (store_put(store, key, str_of(bytes), false, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void look(const char *key)
{
    auto_error Error err = ERROR_INIT;
    if (import_queue_look(queue, &key, 1, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void scan(const char *eval_set_id)
{
    auto_error Error err = ERROR_INIT;
    if (import_queue_scan(queue, eval_set_id, &err) < 0)
        fail_msg("%s", error_text(&err));
}

/* What can be taken now; the key is "" when there is nothing. */
static ImportClaim take_from(ImportQueue *from)
{
    auto_error Error err = ERROR_INIT;
    ImportClaim claim = {0};
    if (import_queue_take(from, 0, &claim, &err) < 0)
        fail_msg("%s", error_text(&err));
    return claim;
}

static ImportClaim take(void)
{
    return take_from(queue);
}

static void finish_as(ImportQueue *of, const ImportClaim *claim, ImporterOutcome outcome)
{
    auto_error Error err = ERROR_INIT;
    const ImporterReport report = {.outcome = outcome};
    if (import_queue_finish(of, claim, &report, NULL, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void finish(const ImportClaim *claim, ImporterOutcome outcome)
{
    finish_as(queue, claim, outcome);
}

static void finish_badly(const ImportClaim *claim, ErrorKind kind)
{
    auto_error Error err = ERROR_INIT;
    auto_error Error problem = ERROR_INIT;
    (void)error_set(&problem, kind, "cannot import %s: as told", claim->key);
    if (import_queue_finish(queue, claim, NULL, &problem, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void keep(ImportQueue *of)
{
    auto_error Error err = ERROR_INIT;
    if (import_queue_keep(of, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static const char *rows_of(const char *query)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, &err) < 0 ||
        sql_query(tx, query, SQL_NO_ARGS, &rows, &err) < 0)
        fail_msg("%s: %s", query, error_text(&err));
    auto_buf Buf text = BUF_INIT(1 << 20);
    while (sql_rows_next(rows, &err) == 1)
        for (int i = 0; i < sql_rows_n_columns(rows); i++)
            buf_printf(&text, "%.*s%s", STR_ARG(sql_rows_text(rows, i)),
                       i + 1 < sql_rows_n_columns(rows) ? "|" : "\n");
    return arena_strdup(arena, text.data);
}

static const char *states(void)
{
    return rows_of("SELECT log_key, state FROM import_queue ORDER BY log_key");
}

#define A "evals/set/a.eval"
#define B "evals/set/b.eval"

/* --- notices --- */

static void a_log_that_was_seen_waits_and_can_be_taken_once(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    assert_string_equal(states(), A "|pending\n");
    ImportClaim claim = take();
    assert_string_equal(claim.key, A);
    assert_int_equal(claim.attempt, 1);
    assert_string_equal(states(), A "|importing\n");
    assert_string_equal(take().key, "");
    finish(&claim, IMPORTER_DONE);
    assert_string_equal(states(), A "|success\n");
    assert_string_equal(take().key, "");
}

static void only_logs_are_queued(void **state)
{
    (void)state;
    static const char *const files[] = {"evals/set/logs.json", "evals/set/x.fast.eval",
                                        "evals/set/.x.eval", "evals/set/deep/x.eval",
                                        "scans/set/x.eval"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        put(files[i], "1");
        look(files[i]);
    }
    scan(NULL);
    scan("set");
    assert_string_equal(states(), "");
}

static void the_same_bytes_are_queued_once(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    finish(&claim, IMPORTER_DONE);
    look(A);
    scan(NULL);
    scan("set");
    assert_string_equal(states(), A "|success\n");
    put(A, "22");
    look(A);
    assert_string_equal(states(), A "|pending\n");
    assert_string_equal(rows_of("SELECT size_bytes FROM import_queue"), "2\n");
}

static void a_scan_finds_what_came_changed_and_went(void **state)
{
    (void)state;
    put("evals/a/1.eval", "1");
    put("evals/a/2.eval", "1");
    put("evals/b/3.eval", "1");
    put("evals/ab/4.eval", "1");
    scan(NULL);
    for (ImportClaim claim = take(); claim.key[0]; pass(3600), claim = take())
        finish(&claim, IMPORTER_DONE);
    pass(3600);
    for (ImportClaim claim = take(); claim.key[0]; claim = take())
        finish(&claim, IMPORTER_DONE);
    auto_error Error err = ERROR_INIT;
    assert_int_equal(store_delete(store, "evals/a/1.eval", &err), 0);
    assert_int_equal(store_delete_prefix(store, "evals/b", &err), 0);
    put("evals/a/2.eval", "22");
    put("evals/c/5.eval", "1");
    scan(NULL);
    assert_string_equal(states(), "evals/a/1.eval|pending\nevals/a/2.eval|pending\n"
                                  "evals/ab/4.eval|success\nevals/b/3.eval|pending\n"
                                  "evals/c/5.eval|pending\n");
    assert_string_equal(rows_of("SELECT log_key FROM import_queue WHERE mark = '' ORDER BY 1"),
                        "evals/a/1.eval\nevals/b/3.eval\n");
}

static void a_scan_of_one_set_leaves_the_others_alone(void **state)
{
    (void)state;
    put("evals/a/1.eval", "1");
    put("evals/ab/2.eval", "1");
    put("evals/b/3.eval", "1");
    scan("a");
    assert_string_equal(states(), "evals/a/1.eval|pending\n");
    auto_error Error err = ERROR_INIT;
    assert_int_equal(store_delete_prefix(store, "evals/a", &err), 0);
    scan("ab");
    assert_string_equal(rows_of("SELECT log_key FROM import_queue WHERE mark = ''"), "");
    scan("a");
    assert_string_equal(rows_of("SELECT log_key FROM import_queue WHERE mark = ''"),
                        "evals/a/1.eval\n");
}

static void a_change_of_the_live_buffer_is_a_change_of_its_log(void **state)
{
    (void)state;
    put(A, "1");
    put("evals/set/.buffer/a/manifest.json", "{}");
    scan(NULL);
    pass(3600);
    ImportClaim claim = take();
    finish(&claim, IMPORTER_RUNNING);
    look(A); /* both ways of looking agree on what they see */
    scan("set");
    scan(NULL);
    assert_string_equal(states(), A "|running\n");
    put("evals/set/.buffer/a/manifest.json", "{ }");
    look(A);
    assert_string_equal(states(), A "|pending\n");
}

static void a_log_that_is_gone_leaves_the_queue_when_its_rows_have_gone(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    finish(&claim, IMPORTER_DONE);
    assert_int_equal(store_delete(store, A, &err), 0);
    look(A);
    pass(10);
    claim = take();
    assert_string_equal(claim.key, A);
    finish(&claim, IMPORTER_GONE);
    assert_string_equal(states(), "");
}

static void when_a_log_goes_copies_that_gave_way_to_it_are_imported(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put(A, "1");
    put(B, "1");
    scan("set");
    for (ImportClaim claim = take(); claim.key[0]; claim = take())
        finish(&claim, IMPORTER_DONE);
    assert_int_equal(store_delete(store, A, &err), 0);
    look(A);
    pass(10);
    ImportClaim claim = take();
    finish(&claim, IMPORTER_GONE);
    assert_string_equal(states(), B "|pending\n");
}

/* --- order --- */

static void small_logs_go_before_large_ones_and_hot_before_cold(void **state)
{
    (void)state;
    auto_buf Buf large = BUF_INIT(4 << 20);
    for (int i = 0; i < 100 * 1000; i++)
        buf_addz(&large, "0123456789");
    put("evals/cold/small.eval", "1");
    put("evals/cold/large.eval", large.data);
    scan(NULL);
    put("evals/hot/large.eval", large.data);
    put("evals/hot/small.eval", "1");
    look("evals/hot/large.eval");
    look("evals/hot/small.eval");
    pass(1);
    static const char *const order[] = {"evals/hot/small.eval", "evals/hot/large.eval",
                                        "evals/cold/small.eval", "evals/cold/large.eval"};
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        assert_string_equal(take().key, order[i]);
}

static void a_cold_log_that_waited_long_goes_before_a_hot_one(void **state)
{
    (void)state;
    put(A, "1");
    scan(NULL);
    pass(3600);
    put(B, "1");
    look(B);
    assert_string_equal(take().key, A);
}

static void a_log_that_somebody_waits_for_is_moved_to_the_front(void **state)
{
    (void)state;
    put("evals/a/1.eval", "1");
    put("evals/b/2.eval", "1");
    scan(NULL);
    scan("b");
    assert_string_equal(take().key, "evals/b/2.eval");
}

/* --- growth --- */

static void a_log_that_grows_is_taken_again_after_a_moment_only(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    pass(0.1);
    finish(&claim, IMPORTER_RUNNING);
    assert_string_equal(states(), A "|running\n");
    put(A, "22");
    look(A);
    assert_string_equal(states(), A "|pending\n");
    assert_string_equal(take().key, "");
    pass(2);
    assert_string_equal(take().key, A);
}

static void what_changes_during_its_import_is_imported_again(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    put(A, "22");
    look(A);
    assert_string_equal(states(), A "|importing\n");
    assert_string_equal(take().key, "");
    finish(&claim, IMPORTER_DONE);
    assert_string_equal(states(), A "|pending\n");
    pass(10);
    claim = take();
    finish(&claim, IMPORTER_DONE);
    assert_string_equal(states(), A "|success\n");
}

/* --- failures --- */

static void a_fault_of_the_log_is_kept_in_words_until_its_bytes_change(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    finish_badly(&claim, ERR_BAD_DATA);
    assert_string_equal(rows_of("SELECT state, reason, reason_kind FROM import_queue"),
                        "failed|cannot import " A ": as told|bad_data\n");
    pass(24 * 3600);
    look(A);
    scan(NULL);
    assert_string_equal(take().key, "");
    import_queue_close(TAKE(queue));
    queue = open_queue();
    assert_string_equal(take().key, "");
    put(A, "22");
    look(A);
    assert_string_equal(rows_of("SELECT state, coalesce(reason, '-') FROM import_queue"),
                        "pending|-\n");
    assert_int_equal(take().attempt, 1);
}

static void what_may_pass_is_tried_again_ever_later_and_then_no_more(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    int64_t last_wait = 0;
    for (int attempt = 1; attempt <= 15; attempt++) {
        int64_t waited = 0;
        ImportClaim claim = take();
        for (; !claim.key[0] && waited < 1000; waited++) {
            pass(1);
            claim = take();
        }
        assert_string_equal(claim.key, A);
        assert_int_equal(claim.attempt, attempt);
        assert_true(waited >= last_wait / 2);
        last_wait = waited;
        finish_badly(&claim, ERR_BUSY);
    }
    assert_string_equal(states(), A "|failed\n");
    assert_true(last_wait > 400);
    pass(24 * 3600);
    assert_string_equal(take().key, "");
}

static void what_may_have_passed_is_tried_again_by_a_new_server(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    for (int i = 0; i < 15; i++, pass(1000)) {
        ImportClaim claim = take();
        finish_badly(&claim, ERR_NO_SPACE);
    }
    assert_string_equal(states(), A "|failed\n");
    import_queue_close(TAKE(queue));
    queue = open_queue();
    ImportClaim claim = take();
    assert_string_equal(claim.key, A);
    finish(&claim, IMPORTER_DONE);
    assert_string_equal(rows_of("SELECT state, coalesce(reason, '-') FROM import_queue"),
                        "success|-\n");
}

static void an_import_that_was_cancelled_is_due_at_once(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    finish_badly(&claim, ERR_CANCELLED);
    claim = take();
    assert_string_equal(claim.key, A);
    assert_int_equal(claim.attempt, 1);
}

static void a_long_reason_is_cut_between_characters(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_error Error problem = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(8192);
    for (int i = 0; i < 2000; i++)
        buf_addz(&text, "\xe2\x82\xac");
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    (void)error_set(&problem, ERR_BAD_DATA, "%s", text.data);
    assert_int_equal(import_queue_finish(queue, &claim, NULL, &problem, &err), 0);
    const char *reason = rows_of("SELECT reason FROM import_queue");
    assert_int_equal(strlen(reason), 666 * 3 + 1);
}

/* --- leases --- */

static void what_one_server_has_taken_another_leaves_alone(void **state)
{
    (void)state;
    auto_import_queue ImportQueue *other = open_queue();
    put(A, "1");
    put(B, "1");
    scan("set");
    ImportClaim first = take();
    ImportClaim second = take_from(other);
    assert_string_equal(first.key, A);
    assert_string_equal(second.key, B);
    assert_string_equal(take().key, "");
    assert_string_equal(take_from(other).key, "");
    finish(&first, IMPORTER_DONE);
    finish_as(other, &second, IMPORTER_DONE);
    assert_string_equal(states(), A "|success\n" B "|success\n");
}

static void a_log_whose_importer_is_silent_is_taken_by_another(void **state)
{
    (void)state;
    auto_import_queue ImportQueue *other = open_queue();
    put(A, "1");
    look(A);
    ImportClaim lost = take();
    pass(LEASE_S - 1);
    keep(other);
    assert_string_equal(take_from(other).key, "");
    pass(2);
    auto_import_queue ImportQueue *third = open_queue();
    keep(third);
    ImportClaim claim = take_from(third);
    assert_string_equal(claim.key, A);
    assert_int_equal(claim.attempt, 2);
    /* The one who comes back has lost it. */
    finish_badly(&lost, ERR_BAD_DATA);
    assert_string_equal(states(), A "|importing\n");
    finish_as(third, &claim, IMPORTER_DONE);
    assert_string_equal(states(), A "|success\n");
    assert_string_equal(rows_of("SELECT coalesce(reason, '-') FROM import_queue"), "-\n");
}

static void a_lease_that_is_kept_does_not_end(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    pass(LEASE_S - 1);
    keep(queue);
    pass(LEASE_S - 1);
    auto_import_queue ImportQueue *other = open_queue();
    keep(other);
    assert_string_equal(take_from(other).key, "");
    finish(&claim, IMPORTER_DONE);
    assert_string_equal(states(), A "|success\n");
}

static void a_log_whose_importer_is_dead_is_free_at_once(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    auto_sql_tx SqlTx *tx = NULL;
    /* The same boot and container, but a process that started at another time. */
    assert_int_equal(sql_begin(sql, SQL_WRITE, &tx, &err), 0);
    const char *owner = rows_of("SELECT claimed_by FROM import_queue");
    char *mine = arena_strdup(arena, owner);
    char *slash = strchr(strchr(mine, '/') + 1, '/');
    *slash = '\0';
    auto_free char *dead = mem_printf("%s/%d/1/x", mine, (int)getpid());
    assert_int_equal(sql_exec(tx, "UPDATE import_queue SET claimed_by = $1",
                              SQL_ARGS(SQL_TEXTZ(dead)), NULL, &err),
                     0);
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    auto_import_queue ImportQueue *other = open_queue();
    keep(other);
    assert_string_equal(take_from(other).key, A);
    finish(&claim, IMPORTER_DONE); /* frees what the test's own claim holds */
}

static void a_log_that_ends_every_importer_is_given_up(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    for (int i = 0; i < 20; i++) {
        ImportQueue *dying = open_queue();
        assert_string_equal(take_from(dying).key, A);
        import_queue_close(dying);
        pass(2 * LEASE_S);
        ImportQueue *next = open_queue();
        keep(next);
        import_queue_close(next);
    }
    assert_string_equal(rows_of("SELECT state, reason_kind FROM import_queue"), "failed|failed\n");
}

static void progress_is_kept_and_shown(void **state)
{
    (void)state;
    put(A, "1");
    look(A);
    ImportClaim claim = take();
    import_queue_progress(queue, &claim, 3, 10);
    keep(queue);
    assert_string_equal(rows_of("SELECT samples_done, samples_total FROM import_queue"), "3|10\n");
    import_queue_progress(queue, &claim, 10, 10);
    finish(&claim, IMPORTER_DONE);
    assert_string_equal(rows_of("SELECT samples_done, samples_total FROM import_queue"), "10|10\n");
}

/* --- what is told --- */

static void the_status_of_a_set_comes_from_its_rows(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    QueriesImports found;
    assert_int_equal(queries_imports(sql, store, STR("set"), arena, &found, &err), 0);
    assert_int_equal(found.n_logs, 0);
    put(A, "1");
    put(B, "1");
    put("evals/zoo/c.eval", "1");
    scan(NULL);
    pass(3600);
    ImportClaim claim = take();
    finish_badly(&claim, ERR_BAD_DATA);
    assert_int_equal(queries_imports(sql, store, STR("set"), arena, &found, &err), 0);
    assert_int_equal(found.n_logs, 2);
    assert_int_equal(found.n_failed, 1);
    assert_int_equal(found.n_importing, 1);
    assert_string_equal(found.logs[0].status, "failed");
    assert_non_null(strstr(found.logs[0].error, "as told"));
    assert_string_equal(found.logs[1].status, "importing");
    assert_null(found.logs[1].error);
    claim = take();
    finish(&claim, IMPORTER_RUNNING);
    assert_int_equal(queries_imports(sql, store, STR("set"), arena, &found, &err), 0);
    assert_int_equal(found.n_pending, 1);
}

static const QueriesAccess all = {.sees_all = true};

static Json *list(const QueriesAccess *access, const QueriesImportList *wanted)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(1 << 20);
    JsonOut out;
    Json *root = NULL;
    json_out_init(&out, &text, 0);
    if (queries_import_list(sql, store, access, wanted, &out, &err) < 0)
        fail_msg("%s", error_text(&err));
    Str kept = arena_str(arena, buf_str(&text));
    assert_int_equal(json_parse(arena, kept, &json_limits_config, &root, &err), 0);
    return root;
}

static void the_list_pages_through_all_rows_once(void **state)
{
    (void)state;
    enum { N = 25 };
    for (int i = 0; i < N; i++) {
        auto_free char *key = mem_printf("evals/set/%02d.eval", i);
        put(key, "1");
        look(key);
        pass(i % 3 == 0 ? 1 : 0);
    }
    bool is_seen[N] = {false};
    QueriesImportList wanted = {.eval_set_id = STR("set"), .limit = 7};
    for (int page = 0; page < 4; page++) {
        const Json *answer = list(&all, &wanted);
        for (const Json *item = json_get(answer, "items")->first; item; item = item->next) {
            int64_t i = 0;
            Str log = json_text(item, "log", STR(""));
            assert_int_equal(str_to_i64(str_slice(log, 0, 2), 0, N - 1, &i), 0);
            assert_false(is_seen[i]);
            is_seen[i] = true;
        }
        assert_int_equal(json_int(json_get(answer, "counts"), "pending", 0), N);
        wanted.cursor = json_text(answer, "next_cursor", STR_NONE);
        assert_int_equal(wanted.cursor.p != NULL, page < 3);
    }
    for (int i = 0; i < N; i++)
        assert_true(is_seen[i]);
}

static void the_list_is_filtered_by_state_and_set(void **state)
{
    (void)state;
    put(A, "1");
    put(B, "1");
    put("evals/other/c.eval", "1");
    scan(NULL);
    pass(3600);
    ImportClaim claim = take();
    finish_badly(&claim, ERR_BAD_DATA);
    const Str failed[] = {STR("failed"), STR("success")};
    QueriesImportList wanted = {.states = failed, .n_states = 2, .limit = 10};
    assert_int_equal(json_get(list(&all, &wanted), "items")->n, 1);
    wanted = (QueriesImportList){.eval_set_id = STR("other"), .limit = 10};
    const Json *items = json_get(list(&all, &wanted), "items");
    assert_int_equal(items->n, 1);
    assert_true(str_eqz(json_text(items->first, "log", STR("")), "c.eval"));
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(1 << 20);
    JsonOut out;
    json_out_init(&out, &text, 0);
    const Str unknown = STR("done");
    wanted = (QueriesImportList){.states = &unknown, .n_states = 1, .limit = 10};
    assert_int_equal(queries_import_list(sql, store, &all, &wanted, &out, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    error_reset(&err);
    wanted = (QueriesImportList){.cursor = STR("x"), .limit = 10};
    assert_int_equal(queries_import_list(sql, store, &all, &wanted, &out, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void logs_of_sets_without_permission_are_not_listed(void **state)
{
    (void)state;
    static const char *const groups[] = {"lab", "public"};
    const QueriesAccess some = {.groups = groups, .n_groups = 2};
    put("evals/mine/.models.json", "{\"model_groups\":[\"public\",\"lab\"]}");
    put("evals/theirs/.models.json", "{\"model_groups\":[\"public\",\"secret\"]}");
    put("evals/mine/a.eval", "1");
    put("evals/theirs/b.eval", "1");
    put("evals/nobodys/c.eval", "1");
    scan(NULL);
    QueriesImportList wanted = {.limit = 10};
    assert_int_equal(json_get(list(&all, &wanted), "items")->n, 3);
    const Json *answer = list(&some, &wanted);
    assert_int_equal(json_get(answer, "items")->n, 1);
    assert_int_equal(json_int(json_get(answer, "counts"), "pending", 0), 1);
    assert_true(str_eqz(json_text(json_get(answer, "items")->first, "log", STR("")), "a.eval"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_log_that_was_seen_waits_and_can_be_taken_once),
        T(only_logs_are_queued),
        T(the_same_bytes_are_queued_once),
        T(a_scan_finds_what_came_changed_and_went),
        T(a_scan_of_one_set_leaves_the_others_alone),
        T(a_change_of_the_live_buffer_is_a_change_of_its_log),
        T(a_log_that_is_gone_leaves_the_queue_when_its_rows_have_gone),
        T(when_a_log_goes_copies_that_gave_way_to_it_are_imported),
        T(small_logs_go_before_large_ones_and_hot_before_cold),
        T(a_cold_log_that_waited_long_goes_before_a_hot_one),
        T(a_log_that_somebody_waits_for_is_moved_to_the_front),
        T(a_log_that_grows_is_taken_again_after_a_moment_only),
        T(what_changes_during_its_import_is_imported_again),
        T(a_fault_of_the_log_is_kept_in_words_until_its_bytes_change),
        T(what_may_pass_is_tried_again_ever_later_and_then_no_more),
        T(what_may_have_passed_is_tried_again_by_a_new_server),
        T(an_import_that_was_cancelled_is_due_at_once),
        T(a_long_reason_is_cut_between_characters),
        T(what_one_server_has_taken_another_leaves_alone),
        T(a_log_whose_importer_is_silent_is_taken_by_another),
        T(a_lease_that_is_kept_does_not_end),
        T(a_log_whose_importer_is_dead_is_free_at_once),
        T(a_log_that_ends_every_importer_is_given_up),
        T(progress_is_kept_and_shown),
        T(the_status_of_a_set_comes_from_its_rows),
        T(the_list_pages_through_all_rows_once),
        T(the_list_is_filtered_by_state_and_set),
        T(logs_of_sets_without_permission_are_not_listed),
    };
    return cmocka_run_group_tests_name("import_queue", tests, NULL, NULL);
}
