/* How a run ends: what the worker said, the signals that end it, exit.json. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "runner/run.h"

enum { END_MAX = 1 << 20, DETAIL_MAX = 4000 };

int run_open_signals(Error *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : error_errno(err, errno, "cannot watch for signals");
}

void run_worker_event(void *context, Str event, Str message)
{
    Run *run = context;
    if (str_eqz(event, "phase") && !run->is_stopping) {
        run_phase(run, str_eqz(message, "running") ? "running" : "stopping", NULL);
    } else if (str_eqz(event, "outcome")) {
        free(run->outcome);
        run->outcome = mem_strndup(message.p, message.n > DETAIL_MAX ? DETAIL_MAX : message.n);
    }
}

/* The worker's own last word, else the last line it wrote. */
static char *last_word(const Run *run)
{
    if (run->outcome)
        return mem_strdup(run->outcome);
    Str tail = output_tail(run->output);
    ptrdiff_t at = str_rfind(tail, '\n');
    Str line = at < 0 ? tail : str_slice(tail, (size_t)at + 1, tail.n);
    return line.n ? mem_strndup(line.p, line.n) : mem_strdup("the worker said nothing");
}

RunEnd run_end_of_worker(const Run *run, const RunChild *child)
{
    auto_free char *word = last_word(run);
    switch (child->exit_status) {
    case RUN_DONE: return (RunEnd){RUN_DONE, "run.done", TAKE(word)};
    case RUN_CANNOT_WORK: return (RunEnd){RUN_CANNOT_WORK, "load.failed", TAKE(word)};
    case RUN_CANCELLED: return (RunEnd){RUN_CANCELLED, "run.cancelled", TAKE(word)};
    default: break;
    }
    if (run->is_stopping)
        return (RunEnd){RUN_CANCELLED, "run.cancelled",
                        mem_strdup("told to end; the worker had to be killed")};
    if (child->exit_status > 128)
        return (RunEnd){RUN_FAILED, "worker.killed",
                        mem_printf("the worker was killed by signal %d (%s)%s",
                                   child->exit_status - 128, strsignal(child->exit_status - 128),
                                   child->exit_status == 128 + SIGKILL
                                       ? "; the machine may be out of memory"
                                       : "")};
    return (RunEnd){RUN_FAILED, "run.failed", TAKE(word)};
}

int run_write_end(const Run *run, const RunEnd *end, Error *err)
{
    auto_buf Buf body = BUF_INIT(END_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_int(&out, "attempt", run->attempt);
    json_out_kv_int(&out, "exit_code", end->exit_code);
    json_out_kvz(&out, "reason", end->reason);
    json_out_kvz(&out, "detail", end->detail);
    json_out_kv_time(&out, "finished_at", clock_now_us());
    json_out_end_object(&out);
    auto_free char *path = fs_join(run->folder, "exit.json");
    return fs_write_file(path, buf_str(&body), 0600, err);
}
