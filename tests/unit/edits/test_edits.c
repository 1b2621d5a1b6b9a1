/* Requests from their arrival to the log, with a stand-in for Inspect. */
#include "cmocka_all.h"

#include "edits/edits.h"
#include "jobs/jobs_house.h"
#include "zip_writer.h"

typedef struct Room {
    House *house;
    Edits *edits;
    const char *moved_to; /* what the place of every sample is, when it has moved */
} Room;

static Room *room;

static int find_place(void *context, Arena *arena, Str uuid, EditsPlace *ret, Error *err)
{
    const Room *self = context;
    (void)err;
    const char *set = arena_strndup(arena, uuid.p, uuid.n);
    *ret = (EditsPlace){.eval_set_id = set,
                        .log_key = self->moved_to ? self->moved_to
                                                  : arena_printf(arena, "evals/%s/log.eval", set),
                        .sample_id = "1",
                        .epoch = 1};
    return 0;
}

static void open_edits(bool starts)
{
    auto_error Error err = ERROR_INIT;
    const EditsOptions options = {
        .sql = room->house->sql,
        .store = room->house->store,
        .jobs = room->house->jobs,
        .hooks = {.context = room, .place = find_place},
        .data_dir = room->house->folder,
        .program = HAWK_TEST_DATA "/unit/edits/stand_in_editor.py",
    };
    if (edits_open(&options, &room->edits, &err) < 0 ||
        (starts && edits_start(room->edits, &err) < 0))
        fail_msg("%s", error_text(&err));
}

static void close_edits(void)
{
    edits_close(TAKE(room->edits));
}

static int setup(void **state)
{
    (void)state;
    room = mem_alloc(sizeof(*room));
    room->house = house_new(2);
    open_edits(true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_edits();
    house_free(room->house);
    free(TAKE(room));
    return 0;
}

static const char *key_of(const char *set)
{
    return arena_printf(room->house->arena, "evals/%s/log.eval", set);
}

static void put_log(const char *set)
{
    static const char header[] =
        "{\"version\":2,\"status\":\"success\",\"eval\":{\"eval_id\":\"e\",\"run_id\":\"r\","
        "\"created\":\"2026-01-01T00:00:00+00:00\",\"task\":\"t\",\"task_id\":\"i\",\"model\":"
        "\"m\",\"dataset\":{},\"config\":{},\"packages\":{\"inspect_ai\":\"0.3.285\"}}}";
    auto_error Error err = ERROR_INIT;
    HAWK_CLEANUP(zip_writer_release) ZipWriter zip;
    zip_writer_init(&zip);
    zip_writer_add(&zip, "header.json", str_of(header));
    zip_writer_add(&zip, "summaries.json", STR("[]"));
    if (store_put(room->house->store, key_of(set), zip_writer_finish(&zip), false, &err) < 0)
        fail_msg("%s", error_text(&err));
}

/* Sends an info event for the one sample of each eval set in the list; its data tells the stand-in
 * what to do. */
static int try_submit(const char *const *sets, size_t n, const char *data,
                      char ret[RANDOM_UUID_MAX], Error *err)
{
    Arena *arena = room->house->arena;
    Edit *items = arena_array(arena, n, sizeof(*items));
    EditsPlace *places = arena_array(arena, n, sizeof(*places));
    for (size_t i = 0; i < n; i++) {
        Json *details = NULL;
        const char *text = arena_printf(
            arena, "{\"type\":\"append_info_event\",\"source\":\"s\",\"data\":%s}", data);
        assert_int_equal(json_parse(arena, str_of(text), &json_limits_config, &details, err), 0);
        items[i] =
            (Edit){.kind = EDIT_INFO_EVENT, .sample_uuid = str_of(sets[i]), .details = details};
        assert_int_equal(find_place(&(Room){0}, arena, str_of(sets[i]), &places[i], err), 0);
    }
    const EditList list = {items, n};
    const EditsRequest request = {.author = &house_admin, .list = &list, .places = places};
    return edits_submit(room->edits, &request, ret, err);
}

static const char *submit(const char *set, const char *data)
{
    auto_error Error err = ERROR_INIT;
    char uuid[RANDOM_UUID_MAX];
    if (try_submit(&set, 1, data, uuid, &err) < 0)
        fail_msg("%s", error_text(&err));
    return arena_strdup(room->house->arena, uuid);
}

static EditsStatus status_of(const char *uuid)
{
    auto_error Error err = ERROR_INIT;
    EditsStatus status;
    if (edits_status(room->edits, room->house->arena, str_of(uuid), &status, &err) < 0)
        fail_msg("%s", error_text(&err));
    return status;
}

/* Waits until the request is over, or its first log is for this reason. */
static EditsStatus wait_for(const char *uuid, const char *reason)
{
    int64_t deadline = clock_monotonic_ms() + HOUSE_PATIENCE_MS;
    for (;;) {
        EditsStatus status = status_of(uuid);
        const char *now = status.logs[0].reason;
        if (status.state == EDITS_DONE || status.state == EDITS_FAILED ||
            (reason && now && strstr(now, reason)))
            return status;
        if (clock_monotonic_ms() > deadline)
            fail_msg("%s is still %s", uuid, edits_state_name(status.state));
        (void)poll(NULL, 0, 5);
    }
}

/* The bytes of a log, in which the names of members can be found. */
static Str log_of(const char *set)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf body = BUF_INIT(1 << 20);
    if (store_get(room->house->store, key_of(set), &body, &err) < 0)
        fail_msg("%s", error_text(&err));
    return arena_str(room->house->arena, buf_str(&body));
}

static ptrdiff_t place_in(const char *set, const char *uuid)
{
    return str_find_str(log_of(set), str_of(uuid));
}

static void a_request_comes_to_each_of_its_logs(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    static const char *const sets[] = {"one", "two", "one"};
    char uuid[RANDOM_UUID_MAX];
    put_log("one");
    put_log("two");
    assert_int_equal(try_submit(sets, 3, "{}", uuid, &err), 0);
    EditsStatus status = wait_for(uuid, NULL);
    assert_int_equal(status.state, EDITS_DONE);
    assert_string_equal(status.author, "ann");
    assert_int_equal(status.n, 2);
    assert_int_equal(status.logs[0].n_edits, 2);
    assert_string_equal(status.logs[1].eval_set_id, "two");
    assert_true(place_in("one", uuid) > 0 && place_in("two", uuid) > 0);
}

static void the_edits_of_a_log_are_an_object_of_the_store(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put_log("one");
    const char *uuid = submit("one", "{}");
    auto_buf Buf body = BUF_INIT(1 << 20);
    auto_free char *key = mem_printf("jobs/sample_edits/%s/log.jsonl", uuid);
    assert_int_equal(store_get(room->house->store, key, &body, &err), 0);
    auto_free char *begin = mem_printf(
        "{\"request_uuid\":\"%s\",\"author\":\"ann\",\"sample_uuid\":\"one\",\"epoch\":1,"
        "\"sample_id\":\"1\",\"location\":\"%s/store/evals/one/log.eval\",\"details\":{\"type\":"
        "\"append_info_event\",\"source\":\"s\",\"data\":{}},\"request_timestamp\":\"",
        uuid, room->house->folder);
    assert_true(str_starts(buf_str(&body), str_of(begin)));
    assert_true(str_ends(buf_str(&body), STR("Z\"}\n")));
}

static void requests_for_a_log_are_applied_in_their_order(void **state)
{
    (void)state;
    const char *uuids[4];
    put_log("one");
    for (size_t i = 0; i < ARRAY_LEN(uuids); i++)
        uuids[i] = submit("one", i == 0 ? "{\"seconds\": 0.3}" : "{}");
    for (size_t i = 0; i < ARRAY_LEN(uuids); i++)
        assert_int_equal(wait_for(uuids[i], NULL).state, EDITS_DONE);
    for (size_t i = 1; i < ARRAY_LEN(uuids); i++)
        assert_true(place_in("one", uuids[i - 1]) < place_in("one", uuids[i]));
}

static void an_editor_that_is_killed_is_followed_by_another(void **state)
{
    (void)state;
    put_log("one");
    const char *uuid = submit("one", "{\"die\": true}");
    assert_int_equal(wait_for(uuid, NULL).state, EDITS_DONE);
    assert_true(place_in("one", uuid) > 0);
}

static void a_log_that_changes_meanwhile_is_edited_as_it_is_then(void **state)
{
    (void)state;
    put_log("one");
    const char *uuid = submit("one", "{\"touch\": true}");
    assert_int_equal(wait_for(uuid, NULL).state, EDITS_DONE);
    assert_true(place_in("one", "touched") > 0);
    assert_true(place_in("one", "touched") < place_in("one", uuid));
}

static void what_cannot_be_applied_has_failed_with_the_reason(void **state)
{
    (void)state;
    put_log("one");
    const char *uuid = submit("one", "{\"fail\": \"there is no such sample\"}");
    EditsStatus status = wait_for(uuid, NULL);
    assert_int_equal(status.state, EDITS_FAILED);
    assert_string_equal(status.logs[0].reason, "there is no such sample");
    const char *next = submit("one", "{}");
    assert_int_equal(wait_for(next, NULL).state, EDITS_DONE);
}

static void an_eval_set_that_a_runner_has_is_waited_for(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    put_log("busy");
    (void)house_submit(room->house, "busy", "{\"seconds\": 600}");
    const char *uuid = submit("busy", "{}");
    EditsStatus status = wait_for(uuid, "waits");
    assert_int_equal(status.state, EDITS_PENDING);
    assert_int_equal(place_in("busy", uuid), -1);
    assert_int_equal(jobs_delete(room->house->jobs, &house_admin, "busy", &err), 0);
    assert_int_equal(wait_for(uuid, NULL).state, EDITS_DONE);
}

static void an_eval_set_whose_samples_are_edited_gets_no_runner(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const char *id = NULL;
    const JobsRequest request = {.spec = house_spec(room->house, "one", NULL, NULL),
                                 .priority = JOB_MEDIUM};
    room->house->edited = edits_are_applied;
    put_log("one");
    const char *uuid = submit("one", "{\"seconds\": 600}");
    while (status_of(uuid).state == EDITS_PENDING)
        (void)poll(NULL, 0, 5);
    assert_int_equal(house_try(room->house, &request, &id, &err), -1);
    assert_string_equal(err.code, "job.editing");
}

/* Its lease has ended, and it does not renew it: there is nobody of that name. */
static void a_row_of_a_server_that_is_silent_is_taken_by_another(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    close_edits();
    open_edits(false);
    put_log("one");
    const char *uuid = submit("one", "{}");
    close_edits();
    const int64_t leases[] = {clock_now_us() + 3600 * CLOCK_SECOND, clock_now_us() - 1};
    for (size_t i = 0; i < ARRAY_LEN(leases); i++) {
        assert_int_equal(sql_begin(room->house->sql, SQL_WRITE, &tx, &err), 0);
        assert_int_equal(sql_exec(tx,
                                  "UPDATE sample_edit SET state = 'applying', claim = 'other', "
                                  "lease_until = $1",
                                  SQL_ARGS(SQL_INSTANT(leases[i])), NULL, &err),
                         0);
        assert_int_equal(sql_commit(TAKE(tx), &err), 0);
        if (i > 0)
            continue;
        open_edits(true);
        put_log("two");
        assert_int_equal(wait_for(submit("two", "{}"), NULL).state, EDITS_DONE);
        assert_int_equal(status_of(uuid).state, EDITS_APPLYING);
    }
    assert_int_equal(wait_for(uuid, NULL).state, EDITS_DONE);
    assert_true(place_in("one", uuid) > 0);
}

static void an_environment_that_is_being_made_is_the_reason_to_wait(void **state)
{
    (void)state;
    put_log("one");
    const char *uuid = submit("one", "{\"install\": \"installing packages\", \"seconds\": 600}");
    EditsStatus status = wait_for(uuid, "kept for the next time: installing packages");
    assert_int_equal(status.state, EDITS_APPLYING);
}

static void a_sample_that_has_moved_is_not_edited_where_it_was(void **state)
{
    (void)state;
    put_log("one");
    room->moved_to = "evals/one/later.eval";
    EditsStatus status = wait_for(submit("one", "{}"), NULL);
    assert_int_equal(status.state, EDITS_FAILED);
    assert_non_null(strstr(status.logs[0].reason, "evals/one/later.eval"));
}

static void a_log_that_is_not_there_is_refused(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    char uuid[RANDOM_UUID_MAX];
    static const char *const sets[] = {"nowhere"};
    assert_int_equal(try_submit(sets, 1, "{}", uuid, &err), -1);
    assert_string_equal(err.code, "edit.no_log");
    assert_int_equal(edits_problem(err.code)->status, 404);
}

static void a_request_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    EditsStatus status;
    assert_int_equal(edits_status(room->edits, room->house->arena, STR("none"), &status, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_request_outlives_the_server_that_took_it(void **state)
{
    (void)state;
    close_edits();
    open_edits(false);
    put_log("one");
    const char *uuid = submit("one", "{}");
    close_edits();
    assert_int_equal(place_in("one", uuid), -1);
    open_edits(true);
    assert_int_equal(wait_for(uuid, NULL).state, EDITS_DONE);
    assert_true(place_in("one", uuid) > 0);
}

static void a_server_that_ends_leaves_its_work_to_the_next(void **state)
{
    (void)state;
    put_log("one");
    const char *uuid = submit("one", "{\"seconds\": 600}");
    while (status_of(uuid).state == EDITS_PENDING)
        (void)poll(NULL, 0, 5);
    close_edits();
    open_edits(false);
    assert_int_equal(status_of(uuid).state, EDITS_APPLYING);
    assert_int_equal(place_in("one", uuid), -1);
}

/* As a server does that is killed between putting the new log in place and saying so. */
static void what_is_in_the_log_is_not_applied_again(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    put_log("one");
    const char *uuid = submit("one", "{}");
    assert_int_equal(wait_for(uuid, NULL).state, EDITS_DONE);
    Str before = log_of("one");
    close_edits();
    assert_int_equal(sql_begin(room->house->sql, SQL_WRITE, &tx, &err), 0);
    assert_int_equal(
        sql_exec(tx, "UPDATE sample_edit SET state = 'applying'", SQL_NO_ARGS, NULL, &err), 0);
    assert_int_equal(sql_commit(TAKE(tx), &err), 0);
    open_edits(true);
    assert_int_equal(wait_for(uuid, NULL).state, EDITS_DONE);
    assert_true(str_eq(before, log_of("one")));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_request_comes_to_each_of_its_logs),
        T(the_edits_of_a_log_are_an_object_of_the_store),
        T(requests_for_a_log_are_applied_in_their_order),
        T(an_editor_that_is_killed_is_followed_by_another),
        T(a_log_that_changes_meanwhile_is_edited_as_it_is_then),
        T(what_cannot_be_applied_has_failed_with_the_reason),
        T(an_eval_set_that_a_runner_has_is_waited_for),
        T(an_eval_set_whose_samples_are_edited_gets_no_runner),
        T(a_row_of_a_server_that_is_silent_is_taken_by_another),
        T(an_environment_that_is_being_made_is_the_reason_to_wait),
        T(a_sample_that_has_moved_is_not_edited_where_it_was),
        T(a_log_that_is_not_there_is_refused),
        T(a_request_that_is_not_there_is_not_found),
        T(a_request_outlives_the_server_that_took_it),
        T(a_server_that_ends_leaves_its_work_to_the_next),
        T(what_is_in_the_log_is_not_applied_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
