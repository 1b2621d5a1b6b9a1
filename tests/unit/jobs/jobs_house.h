/* An installation in a temporary folder, with a stand-in for the runner. */
#ifndef HAWK_TESTS_JOBS_HOUSE_H
#define HAWK_TESTS_JOBS_HOUSE_H

#include "cmocka_all.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "access/access.h"
#include "access/humans.h"
#include "access/models.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "database.h"
#include "jobs/executor.h"
#include "jobs/jobs.h"
#include "jobs/status.h"
#include "sql/sql.h"
#include "store/store.h"

enum { HOUSE_PATIENCE_MS = 60 * 1000 };

typedef struct House {
    char folder[64];
    char *database;      /* its address */
    const char *program; /* NULL: the stand-in */
    int max_running;
    int max_live;
    Waits retries;
    int (*edited)(SqlTx *tx, const char *job_id, bool *ret, Error *err); /* NULL: none is */
    Sql *sql;
    Store *store;
    Executor *executor;
    Jobs *jobs;
    Arena *arena;
} House;

static const char *const house_groups[] = {ACCESS_GROUP_LOCAL};
static const Caller house_admin = {
    .sub = "ann", .is_admin = true, .sees_all = true, .groups = house_groups, .n_groups = 1};

static int house_edited(void *context, SqlTx *tx, const char *job_id, bool *ret, Error *err)
{
    const House *house = context;
    return house->edited ? house->edited(tx, job_id, ret, err) : 0;
}

HAWK_UNUSED static void house_open(House *house)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *store = mem_printf("file:%s/store", house->folder);
    const char *program =
        house->program ? house->program : HAWK_TEST_DATA "/unit/jobs/stand_in_runner.py";
    if (sql_open(house->database, 4, &house->sql, &err) < 0 ||
        store_open(store, &house->store, &err) < 0 ||
        executor_process_open(house->folder, program, &house->executor, &err) < 0)
        fail_msg("%s", error_text(&err));
    const JobsOptions options = {
        .sql = house->sql,
        .store = house->store,
        .executor = house->executor,
        .hooks = {.context = house, .edited = house_edited},
        .max_running = house->max_running,
        .max_live = house->max_live,
        .retries = house->retries,
        .cancel_ms = 300,
    };
    if (models_migrate(house->sql, &err) < 0 || humans_migrate(house->sql, &err) < 0 ||
        jobs_open(&options, &house->jobs, &err) < 0 || jobs_start(house->jobs, &err) < 0)
        fail_msg("%s", error_text(&err));
    house->arena = arena_new();
}

/* As the end of the server does: runners go on. */
HAWK_UNUSED static void house_close(House *house)
{
    jobs_close(house->jobs);
    executor_close(house->executor);
    store_close(house->store);
    sql_close(house->sql);
    arena_free(house->arena);
    house->jobs = NULL;
    house->executor = NULL;
    house->store = NULL;
    house->sql = NULL;
    house->arena = NULL;
}

HAWK_UNUSED static House *house_new(int max_running)
{
    House *house = mem_alloc(sizeof(*house));
    (void)snprintf(house->folder, sizeof(house->folder), "/tmp/hawk-jobs-XXXXXX");
    assert_non_null(mkdtemp(house->folder));
    auto_free char *store = fs_join(house->folder, "store");
    auto_error Error err = ERROR_INIT;
    assert_int_equal(fs_make_dirs(store, 0700, &err), 0);
    house->max_running = max_running;
    house->database = database_url(house->folder);
    house_open(house);
    return house;
}

/* Everything ends: an installation without jobs that are live sweeps all runners. */
HAWK_UNUSED static void house_free(House *house)
{
    auto_error Error err = ERROR_INIT;
    if (house->jobs)
        house_close(house);
    auto_executor Executor *executor = NULL;
    assert_int_equal(executor_process_open(house->folder, "none", &executor, &err), 0);
    executor->sweep(executor);
    assert_int_equal(fs_remove_tree(house->folder, &err), 0);
    free(house->database);
    free(house);
}

/* A spec with this id (NULL: none) and metadata (JSON). */
HAWK_UNUSED static Jobspec *house_spec(House *house, const char *id, const char *metadata,
                                       const char *more)
{
    auto_error Error err = ERROR_INIT;
    Diagnostics list;
    diagnostics_init(&list, house->arena);
    Jobspec *spec = NULL;
    char *pin = id ? arena_printf(house->arena, "\"eval_set_id\": \"%s\",", id) : NULL;
    char *text = arena_printf(
        house->arena,
        "{%s \"name\": \"stand-in\", \"metadata\": %s, %s \"tasks\": [{\"package\": \"p\", "
        "\"name\": \"p\", \"items\": [{\"name\": \"t\"}]}]}",
        pin ? pin : "", metadata ? metadata : "{}", more ? more : "");
    const JobspecOptions options = {0};
    if (jobspec_load_text(house->arena, str_of(text), "test", JOBSPEC_EVAL_SET, &options, &list,
                          &spec, &err) < 0)
        fail_msg("%s", error_text(&err));
    return spec;
}

HAWK_UNUSED static int house_try(House *house, const JobsRequest *request, const char **ret_id,
                                 Error *err)
{
    JobsSubmitted submitted;
    if (jobs_submit(house->jobs, &house_admin, request, house->arena, &submitted, err) < 0)
        return -1;
    *ret_id = submitted.job_id;
    return 0;
}

HAWK_UNUSED static const char *house_submit(House *house, const char *id, const char *metadata)
{
    auto_error Error err = ERROR_INIT;
    const char *made = NULL;
    const JobsRequest request = {.spec = house_spec(house, id, metadata, NULL),
                                 .priority = JOB_MEDIUM};
    if (house_try(house, &request, &made, &err) < 0)
        fail_msg("%s", error_text(&err));
    return made;
}

HAWK_UNUSED static Job house_job(House *house, const char *job_id)
{
    auto_error Error err = ERROR_INIT;
    Job job;
    if (jobs_get(house->jobs, house->arena, job_id, &job, &err) < 0)
        fail_msg("%s", error_text(&err));
    return job;
}

/* Waits until the job is in the state, or over. */
HAWK_UNUSED static Job house_wait(House *house, const char *job_id, JobState until)
{
    int64_t deadline = clock_monotonic_ms() + HOUSE_PATIENCE_MS;
    for (;;) {
        Job job = house_job(house, job_id);
        if (job.state == until || job_state_is_over(job.state))
            return job;
        if (clock_monotonic_ms() > deadline)
            fail_msg("%s is still %s", job_id, job_state_name(job.state));
        (void)poll(NULL, 0, 5);
    }
}

HAWK_UNUSED static Job house_end(House *house, const char *job_id)
{
    return house_wait(house, job_id, JOB_COMPLETE);
}

/* A file of the job's folder as text, "" when there is none. */
HAWK_UNUSED static const char *house_file(House *house, const char *job_id, const char *name)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = mem_printf("%s/jobs/%s/%s", house->folder, job_id, name);
    auto_buf Buf text = BUF_INIT(1 << 20);
    if (fs_read_file(path, &text, &err) < 0)
        return "";
    return arena_strdup(house->arena, text.data);
}

/* Waits until a file of the job's folder holds the text. */
HAWK_UNUSED static void house_wait_file(House *house, const char *job_id, const char *name,
                                        const char *text)
{
    int64_t deadline = clock_monotonic_ms() + HOUSE_PATIENCE_MS;
    while (!strstr(house_file(house, job_id, name), text)) {
        if (clock_monotonic_ms() > deadline)
            fail_msg("%s of %s never held %s", name, job_id, text);
        (void)poll(NULL, 0, 5);
    }
}

/* How many lines of the notes begin with the word. */
HAWK_UNUSED static int house_count(House *house, const char *job_id, const char *word)
{
    Str rest = str_of(house_file(house, job_id, "notes"));
    Str line = STR_NONE;
    int n = 0;
    while (str_split(&rest, '\n', &line))
        if (str_starts(line, str_of(word)))
            n++;
    return n;
}

/* The number of the runner's process as runner.json says. */
HAWK_UNUSED static pid_t house_runner(House *house, const char *job_id)
{
    house_wait_file(house, job_id, "runner.json", "boot_id");
    const char *text = strstr(house_file(house, job_id, "runner.json"), "\"pid\": ");
    assert_non_null(text);
    return (pid_t)strtol(text + 7, NULL, 10);
}

#endif
