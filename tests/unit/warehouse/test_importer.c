/* Logs into rows: whole, running, replaced, broken, copied, taken over by a retry, deleted. */
#include "cmocka_all.h"

#include "database.h"
#include "zip_writer.h"

#include "base/arena.h"
#include "base/fs.h"
#include "base/mem.h"
#include "warehouse/importer/importer.h"
#include "warehouse/warehouse.h"

#define KEY "evals/set-1/log.eval"
#define RECOVERED_KEY "evals/set-1/log-recovered.eval"

static char folder[64];
static Sql *sql;
static Store *store;
static Arena *arena;

static int open_all(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-import-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *url = database_url(folder);
    auto_free char *place = mem_printf("file:%s/store", folder);
    arena = arena_new();
    if (sql_open(url, 2, &sql, &err) < 0 || warehouse_migrate(sql, &err) < 0 ||
        store_open(place, &store, &err) < 0) {
        print_error("%s\n", error_text(&err));
        return -1;
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    sql_close(TAKE(sql));
    store_close(TAKE(store));
    arena_free(TAKE(arena));
    return fs_remove_tree(folder, &err);
}

static void put(const char *key, Str bytes)
{
    auto_error Error err = ERROR_INIT;
    if (store_put(store, key, bytes, false, &err) < 0)
        fail_msg("%s", error_text(&err));
}

/* A flag as "1" or "0" on every database. */
#define FLAG(expression) "CASE WHEN " expression " THEN 1 ELSE 0 END"

/* The rows of a query as "a|b\nc|d\n". */
static const char *rows_of(const char *query)
{
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    assert_int_equal(sql_begin(sql, SQL_READ, &tx, &err), 0);
    if (sql_query(tx, query, SQL_NO_ARGS, &rows, &err) < 0)
        fail_msg("%s: %s", query, error_text(&err));
    auto_buf Buf text = BUF_INIT(1 << 20);
    while (sql_rows_next(rows, &err) == 1)
        for (int i = 0; i < sql_rows_n_columns(rows); i++)
            buf_printf(&text, "%.*s%s", STR_ARG(sql_rows_text(rows, i)),
                       i + 1 < sql_rows_n_columns(rows) ? "|" : "\n");
    return database_tight(arena_strdup(arena, text.data));
}

static ImporterReport import_key(const char *key)
{
    auto_error Error err = ERROR_INIT;
    ImporterReport report;
    if (importer_import(sql, store, key, &(ImporterOptions){0}, &report, &err) < 0)
        fail_msg("%s", error_text(&err));
    return report;
}

static const char *import_failure(const char *key, ErrorKind kind)
{
    auto_error Error err = ERROR_INIT;
    ImporterReport report;
    assert_int_equal(importer_import(sql, store, key, &(ImporterOptions){0}, &report, &err), -1);
    assert_int_equal(err.kind, kind);
    return arena_strdup(arena, error_text(&err));
}

/* What a log made by hand is like. */
typedef struct Log {
    const char *eval_id;
    const char *set;       /* metadata.eval_set_id */
    const char *status;    /* NULL: still running, no header */
    const char *completed; /* stats.completed_at */
    const char *const *samples;
    size_t n_samples;
    size_t n_flushed; /* of a running log: so many of them are in it as a whole */
} Log;

static const char *spec_of(const Log *log)
{
    return arena_printf(arena,
                        "{\"eval_id\":\"%s\",\"run_id\":\"r\",\"created\":\"2025-01-01T10:00:00+00:"
                        "00\",\"task\":\"arith\","
                        "\"task_id\":\"t1\",\"task_version\":\"1.2\",\"task_args\":{\"x\":NaN},"
                        "\"dataset\":{\"samples\":2},"
                        "\"model\":\"openai/azure/"
                        "gpt-4\",\"model_args\":{},\"config\":{\"epochs\":2,\"message_limit\":9},"
                        "\"model_roles\":{\"grader\":{\"model\":\"openai/o1\",\"base_url\":\"http:/"
                        "/x\",\"config\":{},"
                        "\"args\":{}}},\"sandbox\":{\"type\":\"docker\",\"config\":{\"services\":{"
                        "\"a\":{\"image\":\"i\","
                        "\"user\":null,\"environment\":{\"KEY\":\"secret\"}}}}},"
                        "\"metadata\":{\"eval_set_id\":\"%s\",\"created_by\":\"ann\"}}",
                        log->eval_id, log->set);
}

/* Sample documents are {"id": ..., "epoch": ..., ...}; the member's name does not matter to the
 * importer. */
static void put_log(const char *key, const Log *log)
{
    ZipWriter zip;
    zip_writer_init(&zip);
    const char *plan = "{\"name\":\"plan\",\"steps\":[{\"solver\":\"a\"},{\"solver\":\"b\"}]}";
    const char *start =
        arena_printf(arena, "{\"version\":2,\"eval\":%s,\"plan\":%s}", spec_of(log), plan);
    zip_writer_add(&zip, "_journal/start.json", str_of(start));
    auto_buf Buf summaries = BUF_INIT(1 << 20);
    for (size_t i = 0; i < log->n_samples; i++) {
        buf_printf(&summaries, "%s%s", i ? "," : "[", log->samples[i]);
        if (log->status || i < log->n_flushed)
            zip_writer_add(&zip, arena_printf(arena, "samples/s%zu_epoch_1.json", i),
                           str_of(log->samples[i]));
    }
    buf_addz(&summaries, log->n_samples ? "]" : "[]");
    if (!log->status) {
        zip_writer_add(&zip, "_journal/summaries/1.json", buf_str(&summaries));
    } else {
        zip_writer_add(&zip, "summaries.json", buf_str(&summaries));
        const char *header = arena_printf(
            arena,
            "{\"version\":2,\"status\":\"%s\",\"eval\":%s,\"plan\":%s,"
            "\"results\":{\"total_samples\":4,\"completed_samples\":3,\"scores\":[]},\"stats\":{"
            "\"started_at\":\"2025-01-01T10:00:01+00:00\",\"completed_at\":\"%s\",\"model_usage\":{"
            "}}}",
            log->status, spec_of(log), plan, log->completed);
        zip_writer_add(&zip, "header.json", str_of(header));
    }
    put(key, zip_writer_finish(&zip));
    zip_writer_release(&zip);
}

#define SAMPLE(id, uuid, more)                                                                     \
    "{\"id\":\"" id "\",\"epoch\":1,\"uuid\":\"" uuid "\",\"input\":\"q\"" more "}"
#define DONE ",\"completed_at\":\"2025-01-01T10:00:05+00:00\",\"scores\":{\"match\":{\"value\":1}}"

static const char *const two_samples[] = {
    SAMPLE("s0", "u0",
           DONE ",\"events\":[{\"event\":\"model\",\"timestamp\":\"2025-01-01T10:00:02Z\","
                "\"call\":{\"request\":{\"model\":\"gpt-4\"}}}]"),
    SAMPLE("s1", "u1",
           ",\"error\":{\"message\":\"boom\",\"traceback\":\"t\",\"traceback_ansi\":\"t\"}"),
};
static const Log finished = {
    .eval_id = "e1",
    .set = "set-1",
    .status = "success",
    .completed = "2025-01-01T10:01:00+00:00",
    .samples = two_samples,
    .n_samples = 2,
};

static void a_finished_log_becomes_rows(void **state)
{
    (void)state;
    put_log(KEY, &finished);
    put("evals/set-1/.models.json",
        STR("{\"model_names\":[\"gpt-4\"],\"model_groups\":[\"public\",\"lab\"]}"));
    ImporterReport report = import_key(KEY);
    assert_int_equal(report.outcome, IMPORTER_DONE);
    assert_int_equal(report.n_samples, 2);
    assert_string_equal(
        rows_of(
            "SELECT id, eval_set_id, task_name, task_version, task_args, epochs, total_samples, "
            "completed_samples, created_by, status, import_status, agent, model, model_groups, "
            "sandbox_type, sandbox_config FROM eval"),
        "e1|set-1|arith|1.2|{\"x\":null}|2|4|3|ann|success|success|a,b|gpt-4|[\"public\",\"lab\"]|"
        "docker|{\"services\":{\"a\":{\"image\":\"i\"}}}\n");
    assert_string_equal(rows_of("SELECT id, uuid, epoch, status, message_limit, " FLAG(
                            "is_provisional") ", input FROM sample ORDER BY id"),
                        "s0|u0|1|success|9|0|\"q\"\ns1|u1|1|error|9|0|\"q\"\n");
    assert_string_equal(
        rows_of("SELECT scorer, value, CAST(value_float AS INTEGER), sample_uuid FROM score"),
        "match|1|1|u0\n");
    assert_string_equal(rows_of("SELECT role, model, base_url, type FROM model_role"),
                        "grader|o1|http://x|eval\n");
    assert_string_equal(rows_of("SELECT DISTINCT model FROM sample_model"), "gpt-4\n");
}

static void a_set_whose_groups_are_unknown_is_nobodys(void **state)
{
    (void)state;
    static const char *const unclear[] = {"", "{}", "{\"model_groups\":[]}",
                                          "{\"model_groups\":[1]}", "[[["};
    for (size_t i = 0; i < ARRAY_LEN(unclear); i++) {
        if (i > 0)
            put("evals/set-1/.models.json", str_of(unclear[i]));
        put_log(KEY, &finished);
        (void)import_key(KEY);
        assert_string_equal(rows_of("SELECT model_groups FROM eval"), "[\"__unresolved__\"]\n");
    }
}

static void the_same_bytes_are_read_once_and_a_repeat_changes_nothing(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put_log(KEY, &finished);
    (void)import_key(KEY);
    const char *before = rows_of(
        "SELECT e.pk, s.pk, s.uuid FROM sample s JOIN eval e ON e.pk = s.eval_pk ORDER BY s.uuid");
    assert_int_equal(import_key(KEY).outcome, IMPORTER_UNCHANGED);
    ImporterReport report;
    assert_int_equal(
        importer_import(sql, store, KEY, &(ImporterOptions){.force = true}, &report, &err), 0);
    assert_int_equal(report.outcome, IMPORTER_DONE);
    assert_string_equal(rows_of("SELECT e.pk, s.pk, s.uuid FROM sample s JOIN eval e ON e.pk = "
                                "s.eval_pk ORDER BY s.uuid"),
                        before);
    assert_string_equal(rows_of("SELECT count(*) FROM score"), "1\n");
}

static void a_running_log_gives_provisional_samples_that_are_replaced(void **state)
{
    (void)state;
    static const char *const so_far[] = {
        SAMPLE("s0", "u0", DONE),
        SAMPLE("s1", "u1", ",\"started_at\":\"2025-01-01T10:00:02+00:00\""),
        SAMPLE("s9", "u9", ",\"started_at\":\"2025-01-01T10:00:02+00:00\""),
    };
    Log running = {.eval_id = "e1", .set = "set-1", .samples = so_far, .n_samples = 3};
    put_log(KEY, &running);
    ImporterReport report = import_key(KEY);
    assert_int_equal(report.outcome, IMPORTER_RUNNING);
    assert_string_equal(
        rows_of("SELECT status, import_status, total_samples, completed_samples FROM eval"),
        "started|pending|4|1\n");
    assert_string_equal(rows_of("SELECT uuid, " FLAG("is_provisional") ", " FLAG(
                            "completed_at IS NULL") " FROM sample "
                                                    "ORDER BY uuid"),
                        "u0|1|0\nu1|1|1\nu9|1|1\n");
    /* What is complete is not written again. */
    assert_int_equal(import_key(KEY).n_samples, 2);
    put_log(KEY, &finished);
    assert_int_equal(import_key(KEY).outcome, IMPORTER_DONE);
    assert_string_equal(
        rows_of("SELECT uuid, " FLAG("is_provisional") " FROM sample ORDER BY uuid"),
        "u0|0\nu1|0\n");
    assert_string_equal(rows_of("SELECT status, import_status FROM eval"), "success|success\n");
}

static void samples_of_the_live_buffer_come_before_the_log_has_them(void **state)
{
    (void)state;
    Log running = {.eval_id = "e1", .set = "set-1"};
    put_log(KEY, &running);
    put("evals/set-1/.buffer/log/manifest.json",
        STR("{\"metrics\":[],\"samples\":[{\"summary\":" SAMPLE(
            "s0", "u0", "") ",\"segments\":[0]}],\"segments\":[]}"));
    (void)import_key(KEY);
    assert_string_equal(rows_of("SELECT uuid, " FLAG("is_provisional") " FROM sample"), "u0|1\n");
}

#define BELOW                                                                                      \
    "SELECT s.uuid, (SELECT count(*) FROM event e WHERE e.sample_pk = s.pk), (SELECT count(*) "    \
    "FROM "                                                                                        \
    "message m WHERE m.sample_pk = s.pk), " FLAG(                                                  \
        "s.is_provisional") " FROM sample s ORDER BY s.uuid"

static const char *const with_messages[] = {
    SAMPLE("s0", "u0",
           DONE ",\"messages\":[{\"content\":\"a\"}],\"events\":[{\"event\":\"info\"}]"),
    SAMPLE("s1", "u1", DONE ",\"events\":[{\"event\":\"info\"},{\"event\":\"info\"}]"),
    SAMPLE("s2", "u2", ",\"started_at\":\"2025-01-01T10:00:02+00:00\""),
};

static void samples_that_a_running_log_has_come_whole(void **state)
{
    (void)state;
    Log running = {
        .eval_id = "e1", .set = "set-1", .samples = with_messages, .n_samples = 3, .n_flushed = 1};
    put_log(KEY, &running);
    assert_int_equal(import_key(KEY).n_samples, 3);
    assert_string_equal(rows_of(BELOW), "u0|1|1|0\nu1|2|0|1\nu2|0|0|1\n");
    running.n_flushed = 2;
    put_log(KEY, &running);
    assert_int_equal(import_key(KEY).n_samples, 2); /* the first is not read again */
    assert_string_equal(rows_of(BELOW), "u0|1|1|0\nu1|2|0|0\nu2|0|0|1\n");
}

static int stop_after_a_step(void *context, size_t n_done, size_t n_total, Error *err)
{
    (void)context;
    (void)n_done;
    (void)n_total;
    return error_set(err, ERR_CANCELLED, "enough");
}

static void an_import_that_was_broken_off_is_taken_up_again(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    ImporterReport report;
    const ImporterOptions stopping = {.progress = stop_after_a_step};
    put_log(KEY, &finished);
    assert_int_equal(importer_import(sql, store, KEY, &stopping, &report, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_string_equal(rows_of("SELECT import_status FROM eval"), "importing\n");
    assert_int_equal(import_key(KEY).n_samples, 0); /* all had been written */
    assert_string_equal(rows_of("SELECT uuid FROM sample ORDER BY uuid"), "u0\nu1\n");
    assert_string_equal(rows_of("SELECT import_status FROM eval"), "success\n");
}

static void several_threads_write_what_one_does(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    ImporterReport report;
    const ImporterOptions options = {.n_threads = 3};
    Log log = finished;
    log.samples = with_messages;
    log.n_samples = 3;
    put_log(KEY, &log);
    assert_int_equal(importer_import(sql, store, KEY, &options, &report, &err), 0);
    assert_int_equal(report.n_samples, 3);
    assert_string_equal(rows_of(BELOW), "u0|1|1|0\nu1|2|0|0\nu2|0|0|0\n");
}

static void a_bad_log_is_refused_in_words_until_it_changes(void **state)
{
    (void)state;
    put(KEY, STR("this is not a zip archive"));
    const char *reason = import_failure(KEY, ERR_BAD_DATA);
    assert_non_null(strstr(reason, KEY));
    put_log(KEY, &finished);
    assert_int_equal(import_key(KEY).outcome, IMPORTER_DONE);
}

static int stop_after_one(void *context, size_t n_done, size_t n_total, Error *err)
{
    int *n_calls = context;
    assert_true(n_done <= n_total);
    ++*n_calls;
    return error_set(err, ERR_CANCELLED, "enough");
}

static void an_import_that_is_cancelled_is_taken_up_again(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    int n_calls = 0;
    const ImporterOptions options = {.progress = stop_after_one, .context = &n_calls};
    ImporterReport report;
    put_log(KEY, &finished);
    assert_int_equal(importer_import(sql, store, KEY, &options, &report, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_int_equal(n_calls, 1);
    assert_int_equal(import_key(KEY).outcome, IMPORTER_DONE);
    assert_string_equal(rows_of("SELECT count(*) FROM sample"), "2\n");
}

static void a_log_cut_off_anywhere_is_refused_and_keeps_the_old_rows(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put_log(KEY, &finished);
    (void)import_key(KEY);
    auto_buf Buf whole = BUF_INIT(1 << 20);
    assert_int_equal(store_get(store, KEY, &whole, &err), 0);
    for (size_t n = 0; n < whole.len; n += whole.len / 7) {
        put(KEY, (Str){whole.data, n});
        (void)import_failure(KEY, ERR_BAD_DATA);
        assert_string_equal(rows_of("SELECT count(*) FROM sample"), "2\n");
        assert_string_equal(rows_of("SELECT import_status FROM eval"), "failed\n");
    }
}

static void one_bad_sample_does_not_keep_the_others_out(void **state)
{
    (void)state;
    static const char *const mixed[] = {SAMPLE("s0", "u0", DONE),
                                        "{\"id\":\"s1\",\"epoch\":1,\"messages\":[}",
                                        SAMPLE("s2", "u2", DONE)};
    Log log = finished;
    log.samples = mixed;
    log.n_samples = 3;
    put_log(KEY, &log);
    const char *reason = import_failure(KEY, ERR_BAD_DATA);
    assert_non_null(strstr(reason, "1 samples cannot be read"));
    assert_string_equal(rows_of("SELECT uuid FROM sample ORDER BY uuid"), "u0\nu2\n");
    assert_string_equal(rows_of("SELECT import_status FROM eval"), "failed\n");
}

static void an_empty_uuid_is_none(void **state)
{
    (void)state;
    static const char *const empty[] = {SAMPLE("s0", "", DONE), SAMPLE("s1", "", DONE)};
    Log log = finished;
    log.samples = empty;
    put_log(KEY, &log);
    (void)import_key(KEY);
    assert_string_equal(rows_of("SELECT uuid FROM sample ORDER BY uuid"), "e1_s0_1\ne1_s1_1\n");
}

#define LONG_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_257 LONG_64 LONG_64 LONG_64 LONG_64 "x"

static void a_uuid_over_the_limit_is_refused(void **state)
{
    (void)state;
    static const char *const samples[] = {SAMPLE("s0", LONG_257, DONE), SAMPLE("s1", "u1", DONE)};
    Log log = finished;
    log.samples = samples;
    put_log(KEY, &log);
    const char *reason = import_failure(KEY, ERR_BAD_DATA);
    assert_non_null(strstr(reason, "uuid is over the limit"));
    assert_string_equal(rows_of("SELECT uuid FROM sample"), "u1\n");
}

static void an_eval_id_over_the_limit_is_refused(void **state)
{
    (void)state;
    Log log = finished;
    log.eval_id = LONG_257;
    put_log(KEY, &log);
    const char *reason = import_failure(KEY, ERR_BAD_DATA);
    assert_non_null(strstr(reason, "id is over the limit"));
}

static void samples_that_a_new_log_does_not_have_are_dropped(void **state)
{
    (void)state;
    put_log(KEY, &finished);
    (void)import_key(KEY);
    static const char *const other[] = {SAMPLE("s0", "u0b", DONE)};
    Log log = finished;
    log.samples = other;
    log.n_samples = 1;
    put_log(KEY, &log);
    (void)import_key(KEY);
    assert_string_equal(rows_of("SELECT id, uuid FROM sample"), "s0|u0b\n");
    log.eval_id = "e2"; /* another eval in the same file */
    put_log(KEY, &log);
    (void)import_key(KEY);
    assert_string_equal(rows_of("SELECT id FROM eval"), "e2\n");
}

static void what_was_recovered_of_a_log_stays_when_the_log_is_closed(void **state)
{
    (void)state;
    const Log closed = {.eval_id = "e1",
                        .set = "set-1",
                        .status = "cancelled",
                        .completed = "2025-01-01T11:00:00+00:00"};
    for (int is_first = 0; is_first < 2; is_first++) {
        put_log(KEY, &closed);
        put_log(RECOVERED_KEY, &finished);
        (void)import_key(is_first ? KEY : RECOVERED_KEY);
        (void)import_key(is_first ? RECOVERED_KEY : KEY);
        assert_string_equal(rows_of("SELECT e.status, s.uuid FROM eval e JOIN sample s ON "
                                    "s.eval_pk = e.pk ORDER BY s.uuid"),
                            "success|u0\nsuccess|u1\n");
        assert_string_equal(rows_of("SELECT count(*) FROM eval"), "1\n");
    }
}

static void a_sample_that_runs_again_is_provisional_in_the_log_that_goes_on(void **state)
{
    (void)state;
    static const char *const carried[] = {
        SAMPLE("s0", "u0", DONE),
        SAMPLE("s1", "u1", ",\"started_at\":\"2025-01-01T09:00:00+00:00\",\"error\":\"lost\""),
    };
    const Log running = {
        .eval_id = "e1", .set = "set-1", .samples = carried, .n_samples = 2, .n_flushed = 2};
    put_log(KEY, &running);
    (void)import_key(KEY);
    assert_string_equal(rows_of("SELECT uuid FROM sample"), "u0\n");
    put("evals/set-1/.buffer/log/manifest.json",
        STR("{\"metrics\":[],\"samples\":[{\"summary\":" SAMPLE(
            "s1", "u1b", "") ",\"segments\":[0]}],\"segments\":[]}"));
    (void)import_key(KEY);
    assert_string_equal(
        rows_of("SELECT uuid, " FLAG("is_provisional") " FROM sample ORDER BY uuid"),
        "u0|0\nu1b|1\n");
}

static void a_log_in_the_wrong_folder_is_refused(void **state)
{
    (void)state;
    put_log("evals/other/log.eval", &finished);
    const char *reason = import_failure("evals/other/log.eval", ERR_BAD_DATA);
    assert_non_null(strstr(reason, "set-1"));
    assert_string_equal(rows_of("SELECT count(*) FROM eval"), "0\n");
}

static void an_eval_is_not_taken_over_by_another_set(void **state)
{
    (void)state;
    put_log(KEY, &finished);
    (void)import_key(KEY);
    Log copy = finished;
    copy.set = "set-2";
    put_log("evals/set-2/log.eval", &copy);
    const char *reason = import_failure("evals/set-2/log.eval", ERR_BAD_DATA);
    assert_non_null(strstr(reason, "another eval set"));
    assert_null(strstr(reason, "set-1"));
    assert_string_equal(rows_of("SELECT eval_set_id FROM eval"), "set-1\n");
}

static void of_equal_copies_the_first_keeps_the_rows(void **state)
{
    (void)state;
    put_log(KEY, &finished);
    put_log("evals/set-1/copy.eval", &finished);
    (void)import_key(KEY);
    assert_int_equal(import_key("evals/set-1/copy.eval").outcome, IMPORTER_UNCHANGED);
    assert_string_equal(rows_of("SELECT log_key FROM eval"), KEY "\n");
    auto_error Error err = ERROR_INIT;
    assert_int_equal(store_delete(store, KEY, &err), 0);
    assert_int_equal(import_key("evals/set-1/copy.eval").outcome, IMPORTER_DONE);
    assert_string_equal(rows_of("SELECT log_key FROM eval"), "evals/set-1/copy.eval\n");
}

static void a_sample_belongs_to_the_eval_that_ended_last(void **state)
{
    (void)state;
    Log retry = finished;
    retry.eval_id = "e2";
    retry.completed = "2025-01-01T11:00:00+00:00";
    put_log(KEY, &finished);
    put_log("evals/set-1/retry.eval", &retry);
    (void)import_key("evals/set-1/retry.eval");
    (void)import_key(KEY); /* the older one comes later */
    assert_string_equal(
        rows_of("SELECT DISTINCT e.id FROM sample s JOIN eval e ON e.pk = s.eval_pk"), "e2\n");
    assert_string_equal(rows_of("SELECT count(*) FROM sample"), "2\n");
    auto_error Error err = ERROR_INIT;
    ImporterReport report;
    assert_int_equal(importer_import(sql, store, "evals/set-1/retry.eval",
                                     &(ImporterOptions){.force = true}, &report, &err),
                     0);
    assert_string_equal(rows_of("SELECT count(*) FROM sample"), "2\n");
}

static void what_is_deleted_is_forgotten(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put_log(KEY, &finished);
    Log second = finished;
    second.eval_id = "e2";
    static const char *const other[] = {SAMPLE("x", "ux", DONE)};
    second.samples = other;
    second.n_samples = 1;
    put_log("evals/set-1/second.eval", &second);
    (void)import_key(KEY);
    (void)import_key("evals/set-1/second.eval");
    assert_int_equal(store_delete(store, KEY, &err), 0);
    assert_int_equal(import_key(KEY).outcome, IMPORTER_GONE);
    assert_string_equal(rows_of("SELECT uuid FROM sample"), "ux\n");
    assert_int_equal(store_delete_prefix(store, "evals/set-1", &err), 0);
    assert_int_equal(import_key("evals/set-1/second.eval").outcome, IMPORTER_GONE);
    assert_string_equal(
        rows_of("SELECT (SELECT count(*) FROM eval) + (SELECT count(*) FROM sample) + "
                "(SELECT count(*) FROM score) + (SELECT count(*) FROM sample_model) + "
                "(SELECT count(*) FROM model_role) + (SELECT count(*) FROM message) + "
                "(SELECT count(*) FROM event) + (SELECT count(*) FROM sample_attachment) + "
                "(SELECT count(*) FROM message_pool) + (SELECT count(*) FROM model_call_pool)"),
        "0\n");
}

static void only_logs_are_imported(void **state)
{
    (void)state;
    static const char *const no[] = {
        "evals/a/x.fast.eval", "evals/a/.eval",   "evals/a/.x.eval", "evals/a/b/x.eval",
        "evals/x.eval",        "scans/a/x.eval",  "evals/a/x.json",  "evals//x.eval",
        "../evals/a/x.eval",   "evals/../x.eval",
    };
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        assert_false(importer_is_log(str_of(no[i])));
        (void)import_failure(no[i], ERR_USAGE);
    }
    assert_true(importer_is_log(STR(KEY)));
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_finished_log_becomes_rows),
        T(a_set_whose_groups_are_unknown_is_nobodys),
        T(the_same_bytes_are_read_once_and_a_repeat_changes_nothing),
        T(a_running_log_gives_provisional_samples_that_are_replaced),
        T(samples_of_the_live_buffer_come_before_the_log_has_them),
        T(samples_that_a_running_log_has_come_whole),
        T(an_import_that_was_broken_off_is_taken_up_again),
        T(several_threads_write_what_one_does),
        T(a_bad_log_is_refused_in_words_until_it_changes),
        T(an_import_that_is_cancelled_is_taken_up_again),
        T(a_log_cut_off_anywhere_is_refused_and_keeps_the_old_rows),
        T(one_bad_sample_does_not_keep_the_others_out),
        T(an_empty_uuid_is_none),
        T(a_uuid_over_the_limit_is_refused),
        T(an_eval_id_over_the_limit_is_refused),
        T(samples_that_a_new_log_does_not_have_are_dropped),
        T(what_was_recovered_of_a_log_stays_when_the_log_is_closed),
        T(a_sample_that_runs_again_is_provisional_in_the_log_that_goes_on),
        T(a_log_in_the_wrong_folder_is_refused),
        T(an_eval_is_not_taken_over_by_another_set),
        T(of_equal_copies_the_first_keeps_the_rows),
        T(a_sample_belongs_to_the_eval_that_ended_last),
        T(what_is_deleted_is_forgotten),
        T(only_logs_are_imported),
    };
    return cmocka_run_group_tests_name("importer", tests, NULL, NULL);
}
