/* The life of jobs with a stand-in runner: turns, ends, conflicts, secrets, what a restart finds.
 */
#include "jobs_house.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/process.h"

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

static void expect_refused(const JobsRequest *request, const char *code)
{
    auto_error Error err = ERROR_INIT;
    const char *id = NULL;
    assert_int_equal(house_try(house, request, &id, &err), -1);
    assert_non_null(err.code);
    assert_string_equal(err.code, code);
    assert_non_null(jobs_problem(err.code));
}

static size_t count_jobs(void)
{
    auto_error Error err = ERROR_INIT;
    JobsList list;
    const JobsQuery query = {.page = 1, .limit = 500};
    assert_int_equal(jobs_list(house->jobs, &house_admin, &query, house->arena, &list, &err), 0);
    return list.n;
}

/* ---- ends ---- */

static void a_job_runs_once_and_is_complete(void **state)
{
    (void)state;
    const char *id = house_submit(house, NULL, NULL);
    Job job = house_end(house, id);
    assert_string_equal(job.reason_code, "done");
    assert_int_equal(job.state, JOB_COMPLETE);
    assert_int_equal(job.exit_code, 0);
    assert_int_equal(house_count(house, id, "begin"), 1);
    assert_true(job.finished_us >= job.started_us && job.started_us >= job.queued_us);
}

static void a_job_whose_samples_all_failed_has_failed(void **state)
{
    (void)state;
    Job all = house_end(house, house_submit(house, NULL, "{\"sample_errors\": 2}"));
    assert_int_equal(all.state, JOB_FAILED);
    assert_string_equal(all.reason_code, "samples.all_failed");
    assert_non_null(strstr(all.reason, "it broke"));
    Job one = house_end(house, house_submit(house, NULL, "{\"sample_errors\": 1}"));
    assert_int_equal(one.state, JOB_COMPLETE);
    assert_string_equal(one.reason_code, "samples.some_failed");
}

static void the_runners_own_words_are_the_reason(void **state)
{
    (void)state;
    const char *id = house_submit(house, NULL,
                                  "{\"exit_code\": 1, \"reason\": \"install_failed\", "
                                  "\"detail\": \"no such package\"}");
    Job job = house_end(house, id);
    assert_int_equal(job.state, JOB_FAILED);
    assert_int_equal(job.exit_code, 1);
    assert_string_equal(job.reason_code, "install_failed");
    assert_string_equal(job.reason, "no such package");
    assert_true(job.failed_us > 0);
}

static void a_killed_runner_is_a_failed_job_and_leaves_nothing_behind(void **state)
{
    (void)state;
    const char *id = house_submit(house, NULL, "{\"seconds\": 600, \"leave_child\": true}");
    house_wait_file(house, id, "child", "");
    while (!*house_file(house, id, "child"))
        (void)poll(NULL, 0, 5);
    pid_t child = (pid_t)strtol(house_file(house, id, "child"), NULL, 10);
    assert_int_equal(kill(house_runner(house, id), SIGKILL), 0);
    Job job = house_end(house, id);
    assert_int_equal(job.state, JOB_FAILED);
    assert_string_equal(job.reason_code, "run.killed");
    uint64_t ticks = 0;
    int64_t deadline = clock_monotonic_ms() + HOUSE_PATIENCE_MS;
    while (process_start_ticks(child, &ticks) == 0 && clock_monotonic_ms() < deadline)
        (void)poll(NULL, 0, 5);
    assert_int_equal(process_start_ticks(child, &ticks), -1);
}

/* ---- retries ---- */

static void open_with_retries(Waits retries)
{
    house_close(house);
    house->retries = retries;
    house_open(house);
}

/* Kills the runner of an attempt once it is at work. */
static void kill_attempt(const char *id, int attempt)
{
    house_wait_file(house, id, "notes", arena_printf(house->arena, "begin %d", attempt));
    assert_int_equal(kill(house_runner(house, id), SIGKILL), 0);
}

static void a_killed_runner_is_started_again_so_often_and_no_more(void **state)
{
    (void)state;
    open_with_retries((Waits){.n = 2});
    const char *id = house_submit(house, NULL, "{\"seconds\": 600}");
    for (int attempt = 1; attempt <= 3; attempt++)
        kill_attempt(id, attempt);
    Job job = house_end(house, id);
    assert_int_equal(job.state, JOB_FAILED);
    assert_string_equal(job.reason_code, "run.killed");
    assert_non_null(strstr(job.reason, "it was started again 2 times"));
    assert_int_equal(job.attempt, 3);
}

static void a_job_that_waits_to_be_started_again_says_why_and_can_be_ended(void **state)
{
    (void)state;
    open_with_retries((Waits){.seconds = {3600}, .n = 1});
    const char *id = house_submit(house, NULL, "{\"seconds\": 600}");
    auto_error Error err = ERROR_INIT;
    kill_attempt(id, 1);
    Job job = house_wait(house, id, JOB_QUEUED);
    assert_string_equal(job.reason_code, JOBS_RETRYING);
    assert_non_null(strstr(job.reason, "after a wait of 3600 s"));
    assert_int_equal(jobs_delete(house->jobs, &house_admin, id, &err), 0);
    assert_int_equal(house_end(house, id).state, JOB_CANCELLED);
}

static void what_ended_by_itself_is_not_started_again(void **state)
{
    (void)state;
    open_with_retries((Waits){.n = 3});
    const char *id = house_submit(house, NULL, "{\"exit_code\": 78, \"reason\": \"load.failed\"}");
    assert_int_equal(house_end(house, id).attempt, 1);
}

static void a_job_with_secrets_is_not_started_again_and_says_how(void **state)
{
    (void)state;
    open_with_retries((Waits){.n = 3});
    auto_error Error err = ERROR_INIT;
    const char *id = NULL;
    auto_secret Secret *value = secret_new(STR("hush"));
    const ExecutorSecret secret = {.name = "TOP_KEY", .value = value};
    const JobsRequest request = {.spec = house_spec(house, "secretive", "{\"seconds\": 600}", NULL),
                                 .secrets = &secret,
                                 .n_secrets = 1};
    assert_int_equal(house_try(house, &request, &id, &err), 0);
    kill_attempt(id, 1);
    Job job = house_end(house, id);
    assert_int_equal(job.state, JOB_FAILED);
    assert_non_null(strstr(job.reason, "hawk eval-set resume secretive"));
}

/* ---- turns ---- */

static void a_turn_that_the_runner_could_not_be_told_is_told_later(void **state)
{
    (void)state;
    house_close(house);
    house->max_running = 1;
    house_open(house);
    const char *first = house_submit(house, "first", "{\"seconds\": 600}");
    (void)house_wait(house, first, JOB_RUNNING);
    const char *second = house_submit(house, "second", NULL);
    auto_free char *in_the_way = mem_printf("%s/jobs/second/go", house->folder);
    auto_error Error err = ERROR_INIT;
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    assert_int_equal(jobs_delete(house->jobs, &house_admin, first, &err), 0);
    (void)house_wait(house, second, JOB_RUNNING);
    assert_int_equal(rmdir(in_the_way), 0);
    assert_int_equal(house_end(house, second).state, JOB_COMPLETE);
}

static void turns_go_by_priority_then_age(void **state)
{
    (void)state;
    house_close(house);
    house->max_running = 1;
    house_open(house);
    const char *first = house_submit(house, "first", "{\"seconds\": 1.0}");
    (void)house_wait(house, first, JOB_RUNNING);
    static const JobPriority wish[] = {JOB_LOW, JOB_MEDIUM, JOB_HIGH, JOB_MEDIUM};
    static const char *const ids[] = {"low", "medium-1", "high", "medium-2"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        auto_error Error err = ERROR_INIT;
        const char *made = NULL;
        const JobsRequest request = {.spec = house_spec(house, ids[i], NULL, NULL),
                                     .priority = wish[i]};
        assert_int_equal(house_try(house, &request, &made, &err), 0);
    }
    int64_t before = house_end(house, first).started_us;
    static const char *const order[] = {"high", "medium-1", "medium-2", "low"};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        Job job = house_end(house, order[i]);
        assert_int_equal(job.state, JOB_COMPLETE);
        assert_true(job.started_us > before);
        before = job.started_us;
    }
}

/* ---- conflicts and refusals ---- */

static void the_id_of_a_live_job_is_taken_and_of_an_ended_one_resumes_it(void **state)
{
    (void)state;
    (void)house_submit(house, "same", "{\"seconds\": 600}");
    const JobsRequest again = {.spec = house_spec(house, "same", NULL, NULL)};
    expect_refused(&again, "job.exists");
    auto_error Error err = ERROR_INIT;
    assert_int_equal(jobs_delete(house->jobs, &house_admin, "same", &err), 0);
    assert_int_equal(house_end(house, "same").state, JOB_CANCELLED);
    (void)house_submit(house, "same", NULL);
    Job job = house_end(house, "same");
    assert_int_equal(job.attempt, 2);
    assert_int_equal(job.state, JOB_COMPLETE);
    assert_int_equal(job.deleted_us, 0);
}

static int is_edited(SqlTx *tx, const char *job_id, bool *ret, Error *err)
{
    (void)tx;
    (void)err;
    *ret = strcmp(job_id, "held") == 0;
    return 0;
}

static void a_job_whose_samples_are_edited_gets_no_runner(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const char *id = NULL;
    const JobsRequest request = {.spec = house_spec(house, "held", NULL, NULL),
                                 .priority = JOB_MEDIUM};
    house->edited = is_edited;
    assert_int_equal(house_try(house, &request, &id, &err), -1);
    assert_string_equal(err.code, "job.editing");
    error_reset(&err);
    house->edited = NULL;
    assert_int_equal(house_try(house, &request, &id, &err), 0);
    assert_int_equal(house_end(house, "held").state, JOB_COMPLETE);
}

static void resuming_takes_the_saved_config(void **state)
{
    (void)state;
    (void)house_submit(house, "again", "{\"exit_code\": 1}");
    assert_int_equal(house_end(house, "again").state, JOB_FAILED);
    const JobsRequest resume = {.job_id = "again"};
    auto_error Error err = ERROR_INIT;
    const char *id = NULL;
    assert_int_equal(house_try(house, &resume, &id, &err), 0);
    Job job = house_end(house, "again");
    assert_int_equal(job.attempt, 2);
    assert_int_equal(job.exit_code, 1);
    assert_int_equal(house_count(house, "again", "begin"), 2);
}

static void what_cannot_work_is_refused_with_its_reason(void **state)
{
    (void)state;
    const JobsRequest nothing = {0};
    expect_refused(&nothing, "job.no_config");
    const JobsRequest other = {.spec = house_spec(house, "a", NULL, NULL), .job_id = "b"};
    expect_refused(&other, "job.id_conflict");
    const JobsRequest bad = {.job_id = "../b"};
    expect_refused(&bad, "job.bad_id");
    const JobsRequest reserved = {.spec = house_spec(house, NULL, NULL, NULL),
                                  .job_id = "imported-a"};
    expect_refused(&reserved, "job.reserved_id");
    const JobsRequest unknown = {.job_id = "never-there"};
    expect_refused(&unknown, "job.config_missing");
    const JobsRequest secret = {
        .spec = house_spec(house, "s", NULL, "\"runner\": {\"secrets\": [{\"name\": \"TOP\"}]},")};
    expect_refused(&secret, "job.secrets_missing");
    assert_int_equal(count_jobs(), 0);
}

static void a_launch_that_fails_leaves_nothing_behind(void **state)
{
    (void)state;
    house_close(house);
    house->program = "/nowhere/hawk";
    house_open(house);
    const JobsRequest request = {.spec = house_spec(house, "lost", NULL, NULL)};
    expect_refused(&request, "job.launch");
    assert_int_equal(count_jobs(), 0);
    assert_string_equal(house_file(house, "lost", "user-config.json"), "");
    auto_error Error err = ERROR_INIT;
    StoreStat stat;
    assert_int_equal(store_stat(house->store, "evals/lost/.models.json", &stat, &err), -1);
}

static void only_so_many_jobs_may_wait(void **state)
{
    (void)state;
    house_close(house);
    house->max_live = 1;
    house_open(house);
    (void)house_submit(house, "one", "{\"seconds\": 600}");
    const JobsRequest more = {.spec = house_spec(house, "two", NULL, NULL)};
    expect_refused(&more, "outstanding_job_limit");
}

static void only_the_owner_or_an_admin_may_end_a_job(void **state)
{
    (void)state;
    const char *id = house_submit(house, NULL, "{\"seconds\": 600}");
    const Caller other = {.sub = "bob", .groups = house_groups, .n_groups = 1};
    auto_error Error err = ERROR_INIT;
    assert_int_equal(jobs_delete(house->jobs, &other, id, &err), -1);
    assert_int_equal(err.kind, ERR_DENIED);
    error_reset(&err);
    assert_int_equal(jobs_stop(house->jobs, &other, id,
                               &(JobsStopHow){.sample_uuid = NULL, .action = JOBS_STOP_SCORE},
                               &err),
                     -1);
    assert_int_equal(err.kind, ERR_DENIED);
}

/* ---- secrets ---- */

static void search_folder(const char *folder, const char *text, int *n_found)
{
    const char *const argv[] = {"grep", "-r", "-a", "-l", "-F", "--", text, folder, NULL};
    const ProcessOptions options = {.argv = argv, PROCESS_STDIO_NULL};
    auto_buf Buf output = BUF_INIT(1 << 16);
    auto_error Error err = ERROR_INIT;
    int status = 0;
    assert_int_equal(process_run(&options, HOUSE_PATIENCE_MS, &output, &status, &err), 0);
    *n_found = status == 0 ? 1 : 0;
}

static void a_secret_is_in_the_runners_environment_and_in_no_file(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_secret Secret *value = secret_new(STR("sk-very-secret-0123456789"));
    const ExecutorSecret secrets[] = {{"TOP", value}};
    const JobsRequest request = {
        .spec = house_spec(house, "keeper", "{\"note_variable\": \"TOP\"}",
                           "\"runner\": {\"secrets\": [{\"name\": \"TOP\"}]},"),
        .secrets = secrets,
        .n_secrets = 1,
    };
    const char *id = NULL;
    assert_int_equal(house_try(house, &request, &id, &err), 0);
    assert_int_equal(house_end(house, id).state, JOB_COMPLETE);
    assert_int_equal(house_count(house, id, "variable 25 "), 1);
    int n_found = 0;
    search_folder(house->folder, "sk-very-secret", &n_found);
    assert_int_equal(n_found, 0);
    Job job = house_job(house, id);
    assert_int_equal(job.n_secret_names, 1);
    assert_true(str_eqz(job.secret_names[0], "TOP"));
}

static void a_variable_of_the_server_is_in_no_job(void **state)
{
    (void)state;
    assert_int_equal(setenv("OPENAI_API_KEY", "sk-of-the-server", 1), 0);
    const char *id = house_submit(house, NULL, "{\"note_variable\": \"OPENAI_API_KEY\"}");
    (void)house_end(house, id);
    assert_int_equal(unsetenv("OPENAI_API_KEY"), 0);
    assert_int_equal(house_count(house, id, "variable 0 "), 1);
}

/* ---- stopping and deleting ---- */

static void a_stopped_job_that_waits_ends_without_having_run(void **state)
{
    (void)state;
    house_close(house);
    house->max_running = 1;
    house_open(house);
    (void)house_submit(house, "runs", "{\"seconds\": 600}");
    (void)house_wait(house, "runs", JOB_RUNNING);
    (void)house_submit(house, "waits", NULL);
    auto_error Error err = ERROR_INIT;
    assert_int_equal(jobs_stop(house->jobs, &house_admin, "waits",
                               &(JobsStopHow){.sample_uuid = NULL, .action = JOBS_STOP_SCORE},
                               &err),
                     0);
    Job job = house_end(house, "waits");
    assert_int_equal(job.state, JOB_CANCELLED);
    assert_int_equal(house_count(house, "waits", "begin"), 0);
}

static void stopping_a_running_job_leaves_the_worker_a_command(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const char *id = house_submit(house, "stops", "{\"seconds\": 600}");
    house_wait_file(house, id, "status.json", "running");
    assert_int_equal(jobs_stop(house->jobs, &house_admin, id,
                               &(JobsStopHow){.sample_uuid = NULL, .action = JOBS_STOP_ERROR},
                               &err),
                     0);
    assert_int_equal(jobs_stop(house->jobs, &house_admin, id,
                               &(JobsStopHow){.sample_uuid = "uuid_1", .action = JOBS_STOP_SCORE},
                               &err),
                     0);
    auto_buf Buf text = BUF_INIT(1000);
    assert_int_equal(store_get(house->store, "evals/stops/.commands/stop.json", &text, &err), 0);
    assert_true(
        str_starts(buf_str(&text), STR("{\"type\":\"stop\",\"action\":\"error\",\"attempt\":1,"
                                       "\"by\":\"ann\",\"at\":\"")));
    buf_reset(&text);
    assert_int_equal(
        store_get(house->store, "evals/stops/.commands/stop-sample-uuid_1.json", &text, &err), 0);
    assert_int_equal(house_job(house, id).state, JOB_RUNNING);
    assert_int_equal(jobs_stop(house->jobs, &house_admin, id,
                               &(JobsStopHow){.sample_uuid = "../../x", .action = JOBS_STOP_SCORE},
                               &err),
                     -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void a_deleted_job_is_cancelled_and_its_logs_stay(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const char *id = house_submit(house, "gone", "{\"seconds\": 600}");
    house_wait_file(house, id, "notes", "begin");
    assert_int_equal(jobs_delete(house->jobs, &house_admin, id, &err), 0);
    Job job = house_end(house, id);
    assert_int_equal(job.state, JOB_CANCELLED);
    assert_true(job.deleted_us > 0);
    assert_int_equal(job_status_of(&job, NULL), JOB_STATUS_DELETED);
    assert_int_equal(house_count(house, id, "cancelled"), 1);
    StoreStat stat;
    assert_int_equal(store_stat(house->store, "evals/gone/.config.yaml", &stat, &err), 0);
    assert_int_equal(jobs_delete(house->jobs, &house_admin, id, &err), 0);
}

static void a_runner_that_does_not_listen_is_ended(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    const char *id = house_submit(house, "deaf", "{\"seconds\": 600, \"ignore_term\": true}");
    house_wait_file(house, id, "notes", "begin");
    assert_int_equal(jobs_delete(house->jobs, &house_admin, id, &err), 0);
    assert_int_equal(house_end(house, id).state, JOB_CANCELLED);
}

/* ---- restarts ---- */

static void a_running_job_is_adopted_by_the_next_server(void **state)
{
    (void)state;
    const char *id =
        arena_strdup(house->arena, house_submit(house, "goes-on", "{\"seconds\": 0.5}"));
    house_wait_file(house, id, "notes", "begin");
    house_close(house);
    house_open(house);
    Job job = house_end(house, "goes-on");
    assert_int_equal(job.state, JOB_COMPLETE);
    assert_int_equal(job.attempt, 1);
    assert_int_equal(house_count(house, "goes-on", "begin"), 1);
}

static void an_end_that_nobody_saw_is_found(void **state)
{
    (void)state;
    (void)house_submit(house, "alone", "{\"seconds\": 0.2}");
    house_wait_file(house, "alone", "notes", "begin");
    pid_t runner = house_runner(house, "alone");
    house_close(house);
    uint64_t ticks = 0;
    while (process_start_ticks(runner, &ticks) == 0)
        (void)poll(NULL, 0, 5);
    house_open(house);
    assert_int_equal(house_end(house, "alone").state, JOB_COMPLETE);
}

static void a_runner_that_died_while_nobody_watched_has_failed(void **state)
{
    (void)state;
    (void)house_submit(house, "dies", "{\"seconds\": 600}");
    house_wait_file(house, "dies", "notes", "begin");
    pid_t runner = house_runner(house, "dies");
    house_close(house);
    assert_int_equal(kill(runner, SIGKILL), 0);
    house_open(house);
    Job job = house_end(house, "dies");
    assert_int_equal(job.state, JOB_FAILED);
    assert_string_equal(job.reason_code, "run.gone");
    assert_int_equal(house_count(house, "dies", "begin"), 1);
}

/* Two jobs wait behind a third; their runners are lost together with the server. */
static void lose_waiting(const ExecutorSecret *secrets, size_t n_secrets)
{
    house_close(house);
    house->max_running = 1;
    house_open(house);
    auto_error Error err = ERROR_INIT;
    const char *id = NULL;
    (void)house_submit(house, "first", "{\"seconds\": 0.5}");
    (void)house_wait(house, "first", JOB_RUNNING);
    const JobsRequest request = {
        .spec = house_spec(house, "waits", NULL, NULL), .secrets = secrets, .n_secrets = n_secrets};
    assert_int_equal(house_try(house, &request, &id, &err), 0);
    pid_t runner = house_runner(house, "waits");
    uint64_t since = 0;
    assert_int_equal(process_start_ticks(runner, &since), 0);
    house_close(house);
    assert_int_equal(kill(runner, SIGKILL), 0);
    while (process_is_alive(runner, since)) /* it must be lost already when the next one looks */
        (void)usleep(1000);
    house_open(house);
}

static void a_waiting_job_without_secrets_gets_another_runner(void **state)
{
    (void)state;
    lose_waiting(NULL, 0);
    Job job = house_end(house, "waits");
    assert_int_equal(job.state, JOB_COMPLETE);
    assert_int_equal(house_count(house, "waits", "begin"), 1);
}

static void a_waiting_job_with_secrets_fails_and_says_how_to_go_on(void **state)
{
    (void)state;
    auto_secret Secret *value = secret_new(STR("x"));
    const ExecutorSecret secrets[] = {{"TOP", value}};
    lose_waiting(secrets, 1);
    Job job = house_end(house, "waits");
    assert_int_equal(job.state, JOB_FAILED);
    assert_string_equal(job.reason_code, "launch.lost");
    assert_non_null(strstr(job.reason, "TOP"));
    assert_non_null(strstr(job.reason, "hawk eval-set resume waits"));
    assert_int_equal(house_count(house, "waits", "begin"), 0);
}

static void a_runner_that_no_job_claims_is_ended(void **state)
{
    (void)state;
    (void)house_submit(house, "orphan", "{\"seconds\": 600}");
    house_wait_file(house, "orphan", "notes", "begin");
    pid_t runner = house_runner(house, "orphan");
    house_close(house);
    free(house->database);
    house->database = database_url(house->folder); /* an empty one */
    house_open(house);
    uint64_t ticks = 0;
    int64_t deadline = clock_monotonic_ms() + HOUSE_PATIENCE_MS;
    while (process_start_ticks(runner, &ticks) == 0 && clock_monotonic_ms() < deadline)
        (void)poll(NULL, 0, 5);
    assert_int_equal(process_start_ticks(runner, &ticks), -1);
}

/* ---- lists and watches ---- */

static void lists_filter_search_and_count(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    JobsList list;
    (void)house_submit(house, "set-a", NULL);
    (void)house_submit(house, "set-b", "{\"exit_code\": 1}");
    (void)house_submit(house, "other-c", NULL);
    (void)house_end(house, "set-a");
    (void)house_end(house, "set-b");
    (void)house_end(house, "other-c");
    JobsQuery query = {.page = 1, .limit = 2};
    assert_int_equal(jobs_list(house->jobs, &house_admin, &query, house->arena, &list, &err), 0);
    assert_int_equal(list.n, 2);
    assert_int_equal(list.total, 3);
    assert_string_equal(list.items[0].job.job_id, "other-c");
    query = (JobsQuery){.page = 1, .limit = 10, .search = STR("SET ann"), .status = STR("failed")};
    assert_int_equal(jobs_list(house->jobs, &house_admin, &query, house->arena, &list, &err), 0);
    assert_int_equal(list.n, 1);
    assert_int_equal(list.total, 1);
    assert_string_equal(list.items[0].job.job_id, "set-b");
    assert_int_equal(list.n_counts, 2);
    query = (JobsQuery){.page = 1, .limit = 10, .search = STR("_et")};
    assert_int_equal(jobs_list(house->jobs, &house_admin, &query, house->arena, &list, &err), 0);
    assert_int_equal(list.n, 0);
    const Caller outsider = {.sub = "eve"};
    query = (JobsQuery){.page = 1, .limit = 10};
    assert_int_equal(jobs_list(house->jobs, &outsider, &query, house->arena, &list, &err), 0);
    assert_int_equal(list.n, 0);
    query.limit = 0;
    assert_int_equal(jobs_list(house->jobs, &house_admin, &query, house->arena, &list, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void a_list_goes_on_at_its_cursor(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    JobsList list;
    static const char *const ids[] = {"set-c", "set-b", "set-a"}; /* newest first */
    for (size_t i = ARRAY_LEN(ids); i-- > 0;)
        (void)house_submit(house, ids[i], NULL);
    JobsQuery query = {.page = 1, .limit = 1, .search = STR("set")};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        assert_int_equal(jobs_list(house->jobs, &house_admin, &query, house->arena, &list, &err),
                         0);
        assert_int_equal(list.n, 1);
        assert_int_equal(list.total, 3);
        assert_string_equal(list.items[0].job.job_id, ids[i]);
        assert_int_equal(list.next.p != NULL, i + 1 < ARRAY_LEN(ids));
        query.cursor = i + 1 < ARRAY_LEN(ids) ? list.next : query.cursor;
    }
    query.search = STR_NONE;
    assert_int_equal(jobs_list(house->jobs, &house_admin, &query, house->arena, &list, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        (void)house_end(house, ids[i]);
}

static void note_change(void *context, const char *job_id)
{
    (void)job_id;
    atomic_int *n = context;
    atomic_fetch_add(n, 1);
}

static void watches_hear_of_every_change(void **state)
{
    (void)state;
    atomic_int n_one = 0;
    atomic_int n_any = 0;
    JobsWatch *one = jobs_watch(house->jobs, "heard", note_change, &n_one);
    JobsWatch *any = jobs_watch(house->jobs, NULL, note_change, &n_any);
    (void)house_submit(house, "heard", NULL);
    (void)house_submit(house, "other", NULL);
    (void)house_end(house, "heard");
    (void)house_end(house, "other");
    jobs_unwatch(house->jobs, one);
    jobs_unwatch(house->jobs, any);
    assert_true(atomic_load(&n_one) >= 2);
    assert_true(atomic_load(&n_any) >= 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_runs_once_and_is_complete),
        TEST(a_job_whose_samples_all_failed_has_failed),
        TEST(the_runners_own_words_are_the_reason),
        TEST(a_turn_that_the_runner_could_not_be_told_is_told_later),
        TEST(a_killed_runner_is_a_failed_job_and_leaves_nothing_behind),
        TEST(a_killed_runner_is_started_again_so_often_and_no_more),
        TEST(a_job_that_waits_to_be_started_again_says_why_and_can_be_ended),
        TEST(what_ended_by_itself_is_not_started_again),
        TEST(a_job_with_secrets_is_not_started_again_and_says_how),
        TEST(turns_go_by_priority_then_age),
        TEST(the_id_of_a_live_job_is_taken_and_of_an_ended_one_resumes_it),
        TEST(a_job_whose_samples_are_edited_gets_no_runner),
        TEST(resuming_takes_the_saved_config),
        TEST(what_cannot_work_is_refused_with_its_reason),
        TEST(a_launch_that_fails_leaves_nothing_behind),
        TEST(only_so_many_jobs_may_wait),
        TEST(only_the_owner_or_an_admin_may_end_a_job),
        TEST(a_secret_is_in_the_runners_environment_and_in_no_file),
        TEST(a_variable_of_the_server_is_in_no_job),
        TEST(a_stopped_job_that_waits_ends_without_having_run),
        TEST(stopping_a_running_job_leaves_the_worker_a_command),
        TEST(a_deleted_job_is_cancelled_and_its_logs_stay),
        TEST(a_runner_that_does_not_listen_is_ended),
        TEST(a_running_job_is_adopted_by_the_next_server),
        TEST(an_end_that_nobody_saw_is_found),
        TEST(a_runner_that_died_while_nobody_watched_has_failed),
        TEST(a_waiting_job_without_secrets_gets_another_runner),
        TEST(a_waiting_job_with_secrets_fails_and_says_how_to_go_on),
        TEST(a_runner_that_no_job_claims_is_ended),
        TEST(lists_filter_search_and_count),
        TEST(a_list_goes_on_at_its_cursor),
        TEST(watches_hear_of_every_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
