/* Children of a runner: started, listened to, ended. */

#include "runner/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json_out.h"

enum { READ_MAX = 64 * 1024, DRAIN_MS = 2000, TICK_MS = 500, OWN_FDS = 4, GUEST_FDS = 1024 };

/* clang-format off */
/* What is told of a phase in the output; of others, something else tells. */
static const struct {
    const char *phase;
    const char *text;
} phases[] = {
    { "queued",     "waiting in the queue" },
    { "installing", "preparing packages" },
    { "loading",    "loading packages, models and tasks" },
    { "running",    "running" },
    { "stopping",   "finishing logs" },
};
/* clang-format on */

static void say_phase(Run *run, const char *phase, const char *detail)
{
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        if (strcmp(phase, phases[i].phase) == 0)
            output_say(run->output, "info", "attempt %lld: %s", (long long)run->attempt,
                       detail ? detail : phases[i].text);
}

void run_phase(Run *run, const char *phase, const char *detail)
{
    auto_buf Buf body = BUF_INIT(64 * 1024);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "phase", phase);
    json_out_kv_time(&out, "since", clock_now_us());
    json_out_kvz(&out, "detail", detail);
    json_out_end_object(&out);
    auto_free char *path = fs_join(run->folder, "status.json");
    auto_error Error err = ERROR_INIT;
    if (fs_write_file(path, buf_str(&body), 0600, &err) < 0)
        output_say(run->output, "error", "cannot write the status: %s", error_text(&err));
    say_phase(run, phase, detail);
}

bool run_told_to_end(Run *run, int timeout_ms)
{
    struct pollfd watched = {.fd = run->signal_fd, .events = POLLIN};
    struct signalfd_siginfo info;
    if (poll(&watched, 1, timeout_ms) > 0 &&
        read(run->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        run->is_stopping = true;
    return run->is_stopping;
}

typedef struct Child {
    Run *run;
    const RunCommand *command;
    Process process;
    Buf parts[2];        /* unfinished lines of standard output and error */
    int64_t deadline_ms; /* INT64_MAX: none */
    int64_t kill_ms;     /* when SIGTERM turns into SIGKILL; INT64_MAX: not told to end */
    bool timed_out;
} Child;

static void child_release(Child *child)
{
    process_release(&child->process);
    buf_release(&child->parts[0]);
    buf_release(&child->parts[1]);
}

bool run_read_pipe(Run *run, const char *service, int *fd, Buf *part)
{
    char bytes[READ_MAX];
    ssize_t n = read(*fd, bytes, sizeof(bytes));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    output_feed(run->output, service, part, (Str){bytes, n > 0 ? (size_t)n : 0}, n <= 0);
    if (n <= 0) {
        (void)close(*fd);
        *fd = -1;
    }
    return n > 0;
}

static void begin_end(Child *child)
{
    if (child->kill_ms != INT64_MAX)
        return;
    child->kill_ms = clock_monotonic_ms() + child->command->grace_ms;
    run_phase(child->run, "stopping", NULL);
    output_say(child->run->output, "info", "told to end; ending the %s", child->command->service);
    /* The process only: a worker ends its own children. */
    (void)kill(child->process.pid, SIGTERM);
}

static void check_deadlines(Child *child)
{
    int64_t now = clock_monotonic_ms();
    if (now >= child->deadline_ms) {
        child->timed_out = true;
        child->deadline_ms = INT64_MAX;
        process_signal(&child->process, SIGKILL);
    }
    if (child->kill_ms != INT64_MAX && now >= child->kill_ms) {
        output_say(child->run->output, "warn", "the %s has not ended in time; killing it",
                   child->command->service);
        child->kill_ms = INT64_MAX - 1;
        process_signal(&child->process, SIGKILL);
    }
}

/* One round of waiting: output, a signal, the end of the child, or a tick. */
static int wait_round(Child *child, Error *err)
{
    Process *process = &child->process;
    const RunCommand *command = child->command;
    const RunGuest *guest = command->guest;
    struct pollfd watched[OWN_FDS + GUEST_FDS] = {
        {.fd = child->run->signal_fd, .events = POLLIN},
        {.fd = process->out, .events = POLLIN},
        {.fd = process->err, .events = POLLIN},
        {.fd = process->ended ? -1 : process->pidfd, .events = POLLIN},
    };
    size_t n_guest = guest ? guest->watch(guest->context, watched + OWN_FDS, GUEST_FDS) : 0;
    if (poll(watched, OWN_FDS + n_guest, TICK_MS) < 0 && errno != EINTR)
        return error_errno(err, errno, "cannot wait for the %s", command->service);
    if (watched[1].revents)
        (void)run_read_pipe(child->run, command->service, &process->out, &child->parts[0]);
    if (watched[2].revents)
        (void)run_read_pipe(child->run, command->service, &process->err, &child->parts[1]);
    if (run_told_to_end(child->run, 0))
        begin_end(child);
    if (guest && guest->look(guest->context, watched + OWN_FDS, n_guest, err) < 0)
        return -1;
    check_deadlines(child);
    if (!process->ended && process_wait(process, 0, err) < 0) {
        if (err->kind != ERR_TIMEOUT)
            return -1;
        error_reset(err);
    }
    return 0;
}

/* What the child started and left behind ends with it, and with that the pipes close; unless it has
   left the group too, and then what it still writes is of no interest. */
static int listen_to(Child *child, Error *err)
{
    int64_t drained_ms = INT64_MAX;
    while (!child->process.ended || child->process.out >= 0 || child->process.err >= 0) {
        if (wait_round(child, err) < 0)
            return -1;
        if (child->process.ended && drained_ms == INT64_MAX) {
            drained_ms = clock_monotonic_ms() + DRAIN_MS;
            process_signal(&child->process, SIGKILL);
        }
        if (clock_monotonic_ms() >= drained_ms)
            break;
    }
    output_feed(child->run->output, child->command->service, &child->parts[0], STR(""), true);
    output_feed(child->run->output, child->command->service, &child->parts[1], STR(""), true);
    return 0;
}

int run_command(Run *run, const RunCommand *command, RunChild *ret, Error *err)
{
    HAWK_CLEANUP(child_release)
    Child child = {
        .run = run,
        .command = command,
        .process = PROCESS_INIT,
        .parts = {BUF_INIT(OUTPUT_LINE_MAX), BUF_INIT(OUTPUT_LINE_MAX)},
        .deadline_ms = command->timeout_ms ? clock_monotonic_ms() + command->timeout_ms : INT64_MAX,
        .kill_ms = INT64_MAX,
    };
    const ProcessOptions options = {
        .argv = command->argv,
        .envp = command->envp,
        .cwd = command->cwd,
        .in = command->input ? *command->input : PROCESS_NULL,
        .out = PROCESS_PIPE,
        .err = PROCESS_PIPE,
        .own_group = true,
        .parent_death_signal = SIGKILL,
    };
    if (process_start(&options, &child.process, err) < 0)
        return -1;
    if (run->is_stopping)
        begin_end(&child);
    if (listen_to(&child, err) < 0)
        return -1;
    *ret = (RunChild){.exit_status = child.process.exit_status, .timed_out = child.timed_out};
    return 0;
}
