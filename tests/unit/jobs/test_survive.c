/* Fifty jobs, four at a time, and a controller that is killed twenty times at points nobody chose:
   every job runs once and ends once. */
#include "jobs_house.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/log.h"

enum { N_JOBS = 50, N_KILLS = 20, AT_A_TIME = 4 };

static void job_id_of(int i, char id[32])
{
    (void)snprintf(id, 32, "job-%02d", i);
}

/* Submits what is not there yet, as a client does that repeats what was not answered. */
static bool submit_all(House *house)
{
    bool is_done = true;
    for (int i = 0; i < N_JOBS; i++) {
        char id[32];
        const char *made = NULL;
        auto_error Error err = ERROR_INIT;
        auto_error Error missing = ERROR_INIT;
        Job job;
        job_id_of(i, id);
        if (jobs_get(house->jobs, house->arena, id, &job, &missing) < 0) {
            const JobsRequest request = {.spec = house_spec(house, id, "{\"seconds\": 0.05}", NULL),
                                         .priority = JOB_MEDIUM};
            if (house_try(house, &request, &made, &err) < 0)
                _exit(3);
            is_done = false;
        } else if (!job_state_is_over(job.state)) {
            is_done = false;
        }
    }
    return is_done;
}

/* One life of a server: works until all is done, or until it is killed. */
static HAWK_NORETURN void live(House *house)
{
    log_setup(LOG_ERROR, false);
    house_open(house);
    while (!submit_all(house)) {
        arena_reset(house->arena);
        (void)poll(NULL, 0, 20);
    }
    house_close(house);
    _exit(0);
}

static pid_t start_life(House *house)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        live(house);
    return pid;
}

/* The most jobs that were between their begin and end at the same time, by the stand-ins' own
 * clocks. */
static int count_overlap(House *house)
{
    double begins[N_JOBS];
    double ends[N_JOBS];
    int most = 0;
    for (int i = 0; i < N_JOBS; i++) {
        char id[32];
        job_id_of(i, id);
        const char *notes = house_file(house, id, "notes");
        const char *begin = strstr(notes, "begin ");
        const char *end = strstr(notes, "end ");
        assert_non_null(begin);
        assert_non_null(end);
        /* "<word> <attempt> <pid> <seconds>" */
        begins[i] = strtod(strchr(strchr(begin + 6, ' ') + 1, ' '), NULL);
        ends[i] = strtod(strchr(strchr(end + 4, ' ') + 1, ' '), NULL);
    }
    for (int i = 0; i < N_JOBS; i++) {
        int n = 0;
        for (int k = 0; k < N_JOBS; k++)
            n += begins[k] <= begins[i] && begins[i] < ends[k];
        most = n > most ? n : most;
    }
    return most;
}

static void every_job_runs_once_whenever_the_controller_dies(void **state)
{
    (void)state;
    House *house = house_new(AT_A_TIME);
    house_close(house);
    srandom(4711);
    for (int kills = 0; kills < N_KILLS; kills++) {
        pid_t pid = start_life(house);
        (void)poll(NULL, 0, 20 + (int)(random() % 400));
        (void)kill(pid, SIGKILL);
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    }
    int status = 0;
    pid_t last = start_life(house);
    assert_int_equal(waitpid(last, &status, 0), last);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);

    house_open(house);
    for (int i = 0; i < N_JOBS; i++) {
        char id[32];
        job_id_of(i, id);
        Job job = house_job(house, id);
        if (job.state != JOB_COMPLETE)
            fail_msg("%s is %s: %s", id, job_state_name(job.state), job.reason);
        assert_int_equal(job.attempt, 1);
        assert_int_equal(house_count(house, id, "begin"), 1);
        assert_int_equal(house_count(house, id, "end"), 1);
    }
    int overlap = count_overlap(house);
    assert_true(overlap >= 1 && overlap <= AT_A_TIME);
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_once_whenever_the_controller_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
