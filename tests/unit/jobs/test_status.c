/* Status documents: what is derived, etags, log entries in either direction. */
#include "jobs_house.h"

#include "codec/json.h"
#include "codec/json_out.h"

static House *house;

static int setup(void **state)
{
    (void)state;
    house = house_new(4);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    house_free(house);
    return 0;
}

static const Json *parse(Str text)
{
    auto_error Error err = ERROR_INIT;
    Json *node = NULL;
    if (json_parse(house->arena, arena_str(house->arena, text), &json_limits_config, &node, &err) <
        0)
        fail_msg("%s: %.*s", error_text(&err), STR_ARG(text));
    return node;
}

static const char *text_of(const Json *node, const char *key)
{
    Str text = json_text(node, key, STR("-"));
    return arena_strndup(house->arena, text.p, text.n);
}

/* ---- derivation ---- */

static void the_status_follows_state_imports_and_deletion(void **state)
{
    (void)state;
    const JobsImports none = {0};
    const JobsImports busy = {.total = 2, .importing = 1, .success = 1};
    const JobsImports bad = {.total = 2, .failed = 1, .success = 1};
    const JobsImports unfinished = {.total = 1, .pending = 1};
    const struct {
        JobState state;
        const JobsImports *imports;
        JobStatus status;
    } rows[] = {
        {JOB_QUEUED, NULL, JOB_STATUS_PENDING},
        {JOB_RUNNING, &none, JOB_STATUS_RUNNING},
        {JOB_STOPPING, &busy, JOB_STATUS_RUNNING},
        {JOB_COMPLETE, &none, JOB_STATUS_COMPLETE},
        {JOB_COMPLETE, &busy, JOB_STATUS_IMPORTING},
        {JOB_COMPLETE, &bad, JOB_STATUS_FAILED},
        {JOB_COMPLETE, &unfinished, JOB_STATUS_COMPLETE},
        {JOB_FAILED, &none, JOB_STATUS_FAILED},
        {JOB_CANCELLED, NULL, JOB_STATUS_FAILED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Job job = {.state = rows[i].state};
        assert_int_equal(job_status_of(&job, rows[i].imports), rows[i].status);
        job.deleted_us = 1;
        assert_int_equal(job_status_of(&job, rows[i].imports), JOB_STATUS_DELETED);
    }
}

/* ---- job status and lists ---- */

static const Json *job_status(const char *id)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(1 << 20);
    JsonOut out;
    Job job = house_job(house, id);
    json_out_init(&out, &text, 0);
    assert_int_equal(status_write_job(house->jobs, &job, &out, &err), 0);
    return parse(buf_str(&text));
}

static void a_waiting_job_says_its_place_in_the_queue(void **state)
{
    (void)state;
    house_close(house);
    house->max_running = 1;
    house_open(house);
    (void)house_submit(house, "runs", "{\"seconds\": 600}");
    (void)house_wait(house, "runs", JOB_RUNNING);
    (void)house_submit(house, "waits-1", NULL);
    (void)house_submit(house, "waits-2", NULL);
    const Json *status = job_status("waits-2");
    assert_string_equal(text_of(status, "job_type"), "eval_set");
    assert_string_equal(text_of(status, "status"), "pending");
    const Json *admission = json_get(status, "admission");
    assert_string_equal(text_of(admission, "state"), "queued");
    assert_non_null(strstr(text_of(admission, "message"), "position 2 of 2"));
    assert_string_equal(text_of(json_get(job_status("runs"), "admission"), "state"), "admitted");
}

static void a_failed_job_says_why(void **state)
{
    (void)state;
    (void)house_submit(house, "fails", "{\"exit_code\": 1, \"detail\": \"no such package: x\"}");
    (void)house_end(house, "fails");
    const Json *status = job_status("fails");
    assert_string_equal(text_of(status, "status"), "failed");
    assert_string_equal(text_of(json_get(status, "details"), "trouble_reason"),
                        "no such package: x");
}

static void the_list_has_the_fields_that_clients_read(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(1 << 20);
    JsonOut out;
    (void)house_submit(house, "listed", NULL);
    (void)house_end(house, "listed");
    const JobsQuery query = {.page = 1, .limit = 10};
    json_out_init(&out, &text, 0);
    assert_int_equal(status_write_list(house->jobs, &house_admin, &query, &out, &err), 0);
    const Json *list = parse(buf_str(&text));
    assert_int_equal(json_int(list, "total", 0), 1);
    assert_int_equal(json_int(json_get(list, "status_counts"), "complete", 0), 1);
    const Json *item = json_get(list, "items")->first;
    assert_string_equal(text_of(item, "job_id"), "listed");
    assert_string_equal(text_of(item, "job_type"), "eval-set");
    assert_string_equal(text_of(item, "created_by"), "ann");
    assert_string_equal(text_of(item, "status"), "complete");
    assert_true(json_is_null(json_get(item, "admission")));
}

/* ---- eval set status ---- */

static const Json *eval_set_status(const char *id, Str known, StatusTag *tag)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(1 << 20);
    Job job = house_job(house, id);
    if (status_write_eval_set(house->jobs, &job, &house_admin, known, &text, tag, &err) < 0)
        fail_msg("%s", error_text(&err));
    return text.len ? parse(buf_str(&text)) : NULL;
}

static void the_status_of_a_set_counts_its_samples(void **state)
{
    (void)state;
    StatusTag tag;
    (void)house_submit(house, "counted", "{\"sample_errors\": 1}");
    (void)house_end(house, "counted");
    const Json *status = eval_set_status("counted", STR_NONE, &tag);
    assert_true(tag.is_terminal);
    assert_string_equal(text_of(status, "status"), "complete");
    assert_true(json_bool(status, "is_owner_or_admin", false));
    const Json *progress = json_get(status, "progress");
    assert_int_equal(json_int(progress, "total", 0), 2);
    assert_int_equal(json_int(progress, "completed", 0), 1);
    assert_int_equal(json_int(progress, "errored", 0), 1);
    const Json *task = json_get(status, "tasks")->first;
    assert_string_equal(text_of(task, "task_name"), "stand_in");
    assert_string_equal(text_of(task, "eval_status"), "success");
    assert_int_equal(json_get(task, "samples")->n, 2);
    assert_true(json_text(task, "log_file", STR_NONE).n > 0);
    assert_true(str_find(json_text(task, "log_file", STR_NONE), '/') < 0);
}

static void a_retried_task_is_shown_once(void **state)
{
    (void)state;
    StatusTag tag;
    (void)house_submit(house, "twice", "{\"sample_errors\": 1}");
    (void)house_end(house, "twice");
    (void)house_submit(house, "twice", NULL);
    (void)house_end(house, "twice");
    const Json *status = eval_set_status("twice", STR_NONE, &tag);
    assert_int_equal(json_get(status, "tasks")->n, 1);
    assert_int_equal(json_int(json_get(status, "progress"), "total", 0), 2);
}

static void who_knows_the_etag_gets_nothing_until_something_changes(void **state)
{
    (void)state;
    StatusTag first;
    StatusTag again;
    StatusTag later;
    (void)house_submit(house, "tagged", NULL);
    (void)house_end(house, "tagged");
    assert_non_null(eval_set_status("tagged", STR_NONE, &first));
    assert_null(eval_set_status("tagged", str_of(first.etag), &again));
    assert_true(again.is_unchanged);
    (void)house_submit(house, "tagged", NULL);
    assert_non_null(eval_set_status("tagged", str_of(first.etag), &later));
    assert_string_not_equal(first.etag, later.etag);
}

static void a_log_that_is_no_log_is_named_and_hides_nothing(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    StatusTag tag;
    (void)house_submit(house, "mixed", NULL);
    (void)house_end(house, "mixed");
    assert_int_equal(
        store_put(house->store, "evals/mixed/broken.eval", STR("not a zip"), true, &err), 0);
    const Json *status = eval_set_status("mixed", STR_NONE, &tag);
    assert_int_equal(json_get(status, "tasks")->n, 1);
    assert_non_null(json_get(json_get(status, "errors"), "mixed/broken.eval"));
}

/* ---- logs ---- */

/* Lines "line 0" to "line n-1" a second apart, the first half in the part that was rotated away. */
static void write_lines(const char *id, int n)
{
    Buf halves[2] = {BUF_INIT(1 << 22), BUF_INIT(1 << 22)};
    auto_error Error err = ERROR_INIT;
    static const char *const names[] = {"runner.log.1", "runner.log"};
    for (int i = 0; i < n; i++) {
        Buf *half = &halves[i < n / 2 ? 0 : 1];
        char stamp[CLOCK_TEXT_MAX];
        (void)clock_format((int64_t)(1000 + i) * CLOCK_SECOND, stamp);
        buf_printf(half,
                   "{\"timestamp\":\"%s\",\"level\":\"info\",\"message\":\"line %d\",\"n\":%d}\n",
                   stamp, i, i);
    }
    for (int i = 0; i < 2; i++) {
        auto_free char *path = mem_printf("%s/jobs/%s/%s", house->folder, id, names[i]);
        assert_int_equal(fs_write_file(path, buf_str(&halves[i]), 0600, &err), 0);
        buf_release(&halves[i]);
    }
}

static const Json *log_entries(const char *id, const StatusLogQuery *query)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(1 << 23);
    JsonOut out;
    Job job = house_job(house, id);
    json_out_init(&out, &text, 0);
    assert_int_equal(status_write_logs(house->jobs, &job, query, &out, &err), 0);
    return parse(buf_str(&text));
}

static void expect_lines(const Json *entries, int first, int step, size_t n)
{
    assert_int_equal(entries->n, n);
    int at = first;
    for (const Json *entry = entries->first; entry; entry = entry->next, at += step) {
        auto_free char *line = mem_printf("line %d", at);
        assert_string_equal(text_of(entry, "message"), line);
        assert_int_equal(json_int(json_get(entry, "attributes"), "n", -1), at);
    }
}

static void log_lines_come_from_both_parts_in_either_direction(void **state)
{
    (void)state;
    (void)house_submit(house, "talks", NULL);
    (void)house_end(house, "talks");
    write_lines("talks", 3000);
    expect_lines(log_entries("talks", &(StatusLogQuery){.limit = 100}), 2999, -1, 100);
    expect_lines(log_entries("talks", &(StatusLogQuery){.limit = 2000}), 2999, -1, 2000);
    expect_lines(log_entries("talks", &(StatusLogQuery){.from_start = true, .is_ascending = true}),
                 0, 1, 3000);
    const int64_t since_us = (1000 + 1400) * CLOCK_SECOND;
    expect_lines(
        log_entries("talks",
                    &(StatusLogQuery){.since_us = since_us, .is_ascending = true, .limit = 200}),
        1401, 1, 200);
    expect_lines(log_entries("talks", &(StatusLogQuery){.since_us = since_us}), 2999, -1, 1599);
    expect_lines(log_entries("talks", &(StatusLogQuery){.since_us = (1000 + 2999) * CLOCK_SECOND,
                                                        .is_ascending = true}),
                 0, 1, 0);
}

static void lines_that_are_no_json_and_cut_lines_are_entries_too(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    (void)house_submit(house, "odd", NULL);
    (void)house_end(house, "odd");
    auto_free char *path = mem_printf("%s/jobs/odd/runner.log", house->folder);
    auto_buf Buf text = BUF_INIT(1 << 20);
    buf_addz(&text, "plain\n\n{\"message\": \"bro");
    for (int i = 0; i < 100000; i++)
        buf_addc(&text, 'x');
    buf_addz(&text, "\n{\"message\":\"last\",\"timestamp\":\"2026-01-01T00:00:00Z\"}\nunfinished");
    assert_int_equal(fs_write_file(path, buf_str(&text), 0600, &err), 0);
    const Json *entries =
        log_entries("odd", &(StatusLogQuery){.from_start = true, .is_ascending = true});
    assert_int_equal(entries->n, 4);
    assert_string_equal(text_of(entries->first, "message"), "plain");
    assert_string_equal(text_of(entries->last, "message"), "unfinished");
    assert_string_equal(text_of(entries->first->next->next, "message"), "last");
    const Json *back = log_entries("odd", &(StatusLogQuery){.from_start = true});
    assert_int_equal(back->n, 4);
    assert_string_equal(text_of(back->first, "message"), "unfinished");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_follows_state_imports_and_deletion),
        TEST(a_waiting_job_says_its_place_in_the_queue),
        TEST(a_failed_job_says_why),
        TEST(the_list_has_the_fields_that_clients_read),
        TEST(the_status_of_a_set_counts_its_samples),
        TEST(a_retried_task_is_shown_once),
        TEST(who_knows_the_etag_gets_nothing_until_something_changes),
        TEST(a_log_that_is_no_log_is_named_and_hides_nothing),
        TEST(log_lines_come_from_both_parts_in_either_direction),
        TEST(lines_that_are_no_json_and_cut_lines_are_entries_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
