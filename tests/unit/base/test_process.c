/* Children: wiring, ends, deadlines, environment, recognition by start time. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"

enum { SOON_MS = 20000 };

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static int run(const ProcessOptions *options, Buf *output, Error *err)
{
    int exit_status = -1;
    return process_run(options, SOON_MS, output, &exit_status, err) < 0 ? -1 : exit_status;
}

static void output_of_both_streams_is_collected_with_the_exit_status(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf output = BUF_INIT(1000);
    ProcessOptions options = {.argv = ARGV("sh", "-c", "echo one; echo two >&2; exit 7"),
                              PROCESS_STDIO_NULL};
    assert_int_equal(run(&options, &output, &err), 7);
    assert_string_equal(output.data, "one\ntwo\n");
}

static void a_program_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_process Process process = PROCESS_INIT;
    ProcessOptions options = {.argv = ARGV("no-such-program-anywhere"), PROCESS_STDIO_NULL};
    assert_int_equal(process_start(&options, &process, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void a_folder_that_is_not_there_fails_the_start(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_process Process process = PROCESS_INIT;
    ProcessOptions options = {.argv = ARGV("true"), .cwd = "/no/such/folder", PROCESS_STDIO_NULL};
    assert_int_equal(process_start(&options, &process, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void the_child_sees_only_the_environment_it_is_given(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf output = BUF_INIT(1000);
    auto_process_env ProcessEnv env = {0};
    process_env_init(&env, false);
    process_env_set(&env, "ONE", "1");
    process_env_set(&env, "TWO", "2");
    process_env_set(&env, "ONE", "uno");
    process_env_set(&env, "TWO", NULL);
    ProcessOptions options = {.argv = ARGV("env"), .envp = env.items, PROCESS_STDIO_NULL};
    assert_int_equal(run(&options, &output, &err), 0);
    assert_string_equal(output.data, "ONE=uno\n");
    assert_string_equal(process_env_get(&env, "ONE"), "uno");
    assert_null(process_env_get(&env, "TWO"));
}

static void pipes_connect_to_the_child(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_process Process process = PROCESS_INIT;
    ProcessOptions options = {
        .argv = ARGV("cat"), .in = PROCESS_PIPE, .out = PROCESS_PIPE, .err = PROCESS_NULL};
    assert_int_equal(process_start(&options, &process, &err), 0);
    assert_int_equal(fs_write_all(process.in, "hello", 5, &err), 0);
    (void)close(TAKE_FD(process.in));
    char text[16] = {0};
    assert_int_equal(read(process.out, text, sizeof(text) - 1), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(process_wait(&process, SOON_MS, &err), 0);
    assert_int_equal(process.exit_status, 0);
}

static void other_descriptors_do_not_reach_the_child(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf output = BUF_INIT(1000);
    auto_fd int leaked =
        open("/dev/null", O_RDONLY); /* without close-on-exec, as a library might */
    ProcessOptions options = {.argv = ARGV("ls", "/proc/self/fd"), PROCESS_STDIO_NULL};
    assert_int_equal(run(&options, &output, &err), 0);
    assert_string_equal(output.data, "0\n1\n2\n3\n"); /* 3 is ls reading the folder */
}

static void waiting_for_a_process_that_runs_times_out_and_the_signal_ends_it(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_process Process process = PROCESS_INIT;
    ProcessOptions options = {.argv = ARGV("sleep", "1000"), PROCESS_STDIO_NULL};
    assert_int_equal(process_start(&options, &process, &err), 0);
    assert_int_equal(process_wait(&process, 0, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    error_reset(&err);
    process_signal(&process, SIGTERM);
    assert_int_equal(process_wait(&process, SOON_MS, &err), 0);
    assert_int_equal(process.exit_status, 128 + SIGTERM);
}

static void the_deadline_of_a_run_kills_the_whole_group(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf output = BUF_INIT(1000);
    int exit_status = 0;
    ProcessOptions options = {
        .argv = ARGV("sh", "-c", "sleep 1000 & sleep 1000"), .own_group = true, PROCESS_STDIO_NULL};
    assert_int_equal(process_run(&options, 100, &output, &exit_status, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
}

static void signals_ignored_here_are_not_ignored_in_the_child(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_process Process process = PROCESS_INIT;
    (void)signal(SIGUSR1, SIG_IGN);
    ProcessOptions options = {.argv = ARGV("sleep", "1000"), PROCESS_STDIO_NULL};
    assert_int_equal(process_start(&options, &process, &err), 0);
    process_signal(&process, SIGUSR1);
    assert_int_equal(process_wait(&process, SOON_MS, &err), 0);
    assert_int_equal(process.exit_status, 128 + SIGUSR1);
}

static void the_child_dies_with_its_starter_when_asked(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t starter = fork();
    if (starter == 0) {
        auto_error Error err = ERROR_INIT;
        Process process = PROCESS_INIT;
        ProcessOptions options = {.argv = ARGV("sleep", "1000"),
                                  .in = PROCESS_NULL,
                                  .out = ends[1],
                                  .err = PROCESS_NULL,
                                  .parent_death_signal = SIGKILL};
        _exit(process_start(&options, &process, &err) < 0);
    }
    (void)close(ends[1]);
    int status = -1;
    assert_int_equal(waitpid(starter, &status, 0), starter);
    assert_int_equal(status, 0);
    struct pollfd hang_up = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&hang_up, 1, SOON_MS), 1); /* nobody holds the other end any more */
    (void)close(ends[0]);
}

static void a_detached_process_is_not_our_child_and_is_recognised(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_process Process process = PROCESS_INIT;
    ProcessOptions options = {
        .argv = ARGV("sleep", "1000"), .own_session = true, .detached = true, PROCESS_STDIO_NULL};
    assert_int_equal(process_start(&options, &process, &err), 0);
    assert_int_equal(waitpid(process.pid, NULL, WNOHANG), -1);
    assert_int_equal(getpgid(process.pid), process.pid);
    assert_true(process_is_alive(process.pid, process.start_ticks));
    assert_false(process_is_alive(process.pid, process.start_ticks + 1));
    process_signal(&process, SIGKILL);
    struct pollfd ended = {.fd = process.pidfd, .events = POLLIN};
    assert_int_equal(poll(&ended, 1, SOON_MS), 1);
    assert_false(process_is_alive(process.pid, process.start_ticks));
}

static void a_failing_detached_start_is_told(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_process Process process = PROCESS_INIT;
    ProcessOptions options = {
        .argv = ARGV("true"), .cwd = "/no/such/folder", .detached = true, PROCESS_STDIO_NULL};
    assert_int_equal(process_start(&options, &process, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void this_process_knows_itself(void **state)
{
    (void)state;
    uint64_t ticks = 0;
    char boot[PROCESS_BOOT_ID_MAX];
    assert_int_equal(process_start_ticks(getpid(), &ticks), 0);
    assert_true(process_is_alive(getpid(), ticks));
    assert_int_equal(strlen(process_boot_id(boot)), 36);
    auto_free char *path = process_self_path();
    assert_non_null(strstr(path, "test_process"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_of_both_streams_is_collected_with_the_exit_status),
        cmocka_unit_test(a_program_that_is_not_there_is_not_found),
        cmocka_unit_test(a_folder_that_is_not_there_fails_the_start),
        cmocka_unit_test(the_child_sees_only_the_environment_it_is_given),
        cmocka_unit_test(pipes_connect_to_the_child),
        cmocka_unit_test(other_descriptors_do_not_reach_the_child),
        cmocka_unit_test(waiting_for_a_process_that_runs_times_out_and_the_signal_ends_it),
        cmocka_unit_test(the_deadline_of_a_run_kills_the_whole_group),
        cmocka_unit_test(signals_ignored_here_are_not_ignored_in_the_child),
        cmocka_unit_test(the_child_dies_with_its_starter_when_asked),
        cmocka_unit_test(a_detached_process_is_not_our_child_and_is_recognised),
        cmocka_unit_test(a_failing_detached_start_is_told),
        cmocka_unit_test(this_process_knows_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
