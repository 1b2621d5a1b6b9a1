/* Children of a runner: what they say, and how they end. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "runner/run.h"

enum { LONG_MS = 60 * 1000, SHORT_MS = 300, FILE_MAX_BYTES = 1 << 20 };

#define SHELL(script) ((const char *const[]){"sh", "-c", (script), NULL})

typedef struct Place {
    char folder[64];
    Run run;
} Place;

/* Signals arrive at run.signal_fd, as in the runner. */
static int watch_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int set_up(void **state)
{
    auto_error Error err = ERROR_INIT;
    Place *place = mem_alloc(sizeof(*place));
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/hawk-run-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    const OutputOptions options = {.folder = place->folder};
    place->run = (Run){.arena = arena_new(), .folder = place->folder, .signal_fd = watch_signals()};
    assert_true(place->run.signal_fd >= 0);
    assert_int_equal(output_open(&options, &place->run.output, &err), 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    Place *place = *state;
    auto_error Error err = ERROR_INIT;
    (void)close(place->run.signal_fd);
    output_close(place->run.output);
    arena_free(place->run.arena);
    (void)!fs_remove_tree(place->folder, &err);
    free(place);
    return 0;
}

static RunChild run_script(Place *place, const char *script, int timeout_ms, int grace_ms)
{
    auto_error Error err = ERROR_INIT;
    RunChild child = {0};
    const RunCommand command = {.service = "child",
                                .argv = SHELL(script),
                                .cwd = place->folder,
                                .timeout_ms = timeout_ms,
                                .grace_ms = grace_ms};
    assert_int_equal(run_command(&place->run, &command, &child, &err), 0);
    return child;
}

static char *read_file(const Place *place, const char *name)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(place->folder, name);
    auto_buf Buf text = BUF_INIT(FILE_MAX_BYTES);
    assert_int_equal(fs_read_file(path, &text, &err), 0);
    return buf_take(&text);
}

static void assert_said(const Place *place, const char *what)
{
    auto_free char *log = read_file(place, "runner.log");
    if (!strstr(log, what))
        fail_msg("no %s in %s", what, log);
}

static pid_t read_pid(const Place *place, const char *name)
{
    auto_free char *text = read_file(place, name);
    int64_t pid = 0;
    assert_int_equal(str_to_i64(str_trim(str_of(text)), 1, INT32_MAX, &pid), 0);
    return (pid_t)pid;
}

/* Waits for a file that a child writes in one step. */
static void wait_for_file(const Place *place, const char *name)
{
    auto_free char *path = fs_join(place->folder, name);
    int64_t deadline = clock_monotonic_ms() + LONG_MS;
    while (!fs_exists(path)) {
        assert_true(clock_monotonic_ms() < deadline);
        (void)usleep(1000);
    }
}

static void wait_until_gone(pid_t pid)
{
    uint64_t ticks = 0;
    int64_t deadline = clock_monotonic_ms() + LONG_MS;
    while (process_start_ticks(pid, &ticks) == 0) {
        assert_true(clock_monotonic_ms() < deadline);
        (void)usleep(1000);
    }
}

/* --- output and exit status --- */

static void both_streams_are_heard_to_their_end(void **state)
{
    Place *place = *state;
    RunChild child = run_script(place, "echo out; echo err >&2; printf unfinished; exit 7", 0, 0);
    assert_int_equal(child.exit_status, 7);
    assert_false(child.timed_out);
    assert_said(place, "\"service\":\"child\",\"message\":\"out\"");
    assert_said(place, "\"message\":\"err\"");
    assert_said(place, "\"message\":\"unfinished\"");
}

static void much_output_on_both_streams_blocks_nobody(void **state)
{
    Place *place = *state;
    RunChild child = run_script(place,
                                "i=0; while [ $i -lt 3000 ]; do echo \"out $i\"; echo \"a rather "
                                "long line on the other stream, number $i\" >&2; i=$((i+1)); done",
                                LONG_MS, 0);
    assert_int_equal(child.exit_status, 0);
    assert_said(place, "\"message\":\"out 2999\"");
    assert_said(place, "other stream, number 2999\"");
}

static void a_child_that_dies_of_a_signal_tells_which(void **state)
{
    assert_int_equal(run_script(*state, "kill -SEGV $$", 0, 0).exit_status, 128 + SIGSEGV);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
    Place *place = *state;
    auto_error Error err = ERROR_INIT;
    RunChild child = {0};
    const RunCommand command = {.service = "child",
                                .argv = (const char *const[]){"/no/such/program", NULL}};
    assert_int_equal(run_command(&place->run, &command, &child, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void the_child_gets_nothing_on_its_input(void **state)
{
    assert_int_equal(run_script(*state, "read line && exit 9; exit 0", LONG_MS, 0).exit_status, 0);
}

/* --- what outlives the child --- */

static void a_grandchild_that_keeps_the_pipe_ends_with_the_child(void **state)
{
    Place *place = *state;
    RunChild child = run_script(place, "sleep 600 & echo $! >grandchild; echo said", 0, 0);
    assert_int_equal(child.exit_status, 0);
    assert_said(place, "\"message\":\"said\"");
    wait_until_gone(read_pid(place, "grandchild"));
}

static void a_grandchild_in_its_own_session_does_not_block(void **state)
{
    Place *place = *state;
    RunChild child =
        run_script(place,
                   "setsid sh -c 'echo $$ >pid.new; mv pid.new grandchild; exec sleep 600' &"
                   "while [ ! -e grandchild ]; do sleep 0.01; done; echo said; exit 3",
                   0, 0);
    assert_int_equal(child.exit_status, 3);
    assert_said(place, "\"message\":\"said\"");
    (void)kill(read_pid(place, "grandchild"), SIGKILL);
}

/* --- being told to end --- */

static void a_child_over_its_time_is_killed(void **state)
{
    RunChild child = run_script(*state, "trap '' TERM; sleep 600 & wait; sleep 600", SHORT_MS, 0);
    assert_true(child.timed_out);
    assert_int_equal(child.exit_status, 128 + SIGKILL);
}

static void a_signal_is_passed_on_and_the_child_may_finish(void **state)
{
    Place *place = *state;
    RunChild child = run_script(
        place, "trap 'echo ending; exit 130' TERM; kill -TERM $PPID; while :; do sleep 0.01; done",
        0, LONG_MS);
    assert_int_equal(child.exit_status, 130);
    assert_true(place->run.is_stopping);
    assert_said(place, "\"message\":\"ending\"");
    auto_free char *status = read_file(place, "status.json");
    assert_non_null(strstr(status, "\"phase\":\"stopping\""));
}

static void a_child_that_ignores_sigterm_is_killed_after_its_grace(void **state)
{
    Place *place = *state;
    RunChild child = run_script(
        place, "trap '' TERM; kill -TERM $PPID; while :; do sleep 0.01; done", 0, SHORT_MS);
    assert_int_equal(child.exit_status, 128 + SIGKILL);
    assert_false(child.timed_out);
    assert_said(place, "has not ended in time");
}

static void a_child_that_starts_when_the_end_was_asked_for_is_told_at_once(void **state)
{
    Place *place = *state;
    place->run.is_stopping = true;
    RunChild child = run_script(place, "sleep 600", 0, LONG_MS);
    assert_int_equal(child.exit_status, 128 + SIGTERM);
}

/* The runner's part in a process of its own, so that it can be killed. */
static pid_t fork_runner(Place *place, const char *script)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        auto_error Error err = ERROR_INIT;
        RunChild child = {0};
        const RunCommand command = {
            .service = "child", .argv = SHELL(script), .cwd = place->folder};
        _exit(run_command(&place->run, &command, &child, &err) < 0 ? 1 : 0);
    }
    return pid;
}

static void the_child_dies_with_its_runner(void **state)
{
    Place *place = *state;
    pid_t runner = fork_runner(
        place, "trap '' TERM HUP; echo $$ >new; mv new child; while :; do sleep 600; done");
    wait_for_file(place, "child");
    assert_int_equal(kill(runner, SIGKILL), 0);
    assert_int_equal(waitpid(runner, NULL, 0), runner);
    wait_until_gone(read_pid(place, "child"));
}

static void a_pipe_that_somebody_keeps_open_is_read_until_nothing_is_there(void **state)
{
    Place *place = *state;
    int ends[2];
    auto_buf Buf part = BUF_INIT(OUTPUT_LINE_MAX);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(write(ends[1], "a line\n", 7), 7);
    assert_true(run_read_pipe(&place->run, "child", &ends[0], &part));
    assert_false(run_read_pipe(&place->run, "child", &ends[0], &part));
    assert_true(ends[0] >= 0);
    (void)close(ends[1]);
    assert_false(run_read_pipe(&place->run, "child", &ends[0], &part));
    assert_int_equal(ends[0], -1);
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(both_streams_are_heard_to_their_end),
        ROW(much_output_on_both_streams_blocks_nobody),
        ROW(a_child_that_dies_of_a_signal_tells_which),
        ROW(a_program_that_is_not_there_is_an_error),
        ROW(the_child_gets_nothing_on_its_input),
        ROW(a_grandchild_that_keeps_the_pipe_ends_with_the_child),
        ROW(a_grandchild_in_its_own_session_does_not_block),
        ROW(a_child_over_its_time_is_killed),
        ROW(a_signal_is_passed_on_and_the_child_may_finish),
        ROW(a_child_that_ignores_sigterm_is_killed_after_its_grace),
        ROW(a_child_that_starts_when_the_end_was_asked_for_is_told_at_once),
        ROW(the_child_dies_with_its_runner),
        ROW(a_pipe_that_somebody_keeps_open_is_read_until_nothing_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
