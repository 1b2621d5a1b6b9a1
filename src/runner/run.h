/* Run: what the steps of a runner share: the job, its folder, its output, and whether it was told
   to end. */
#ifndef HAWK_RUNNER_RUN_H
#define HAWK_RUNNER_RUN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/process.h"
#include "codec/json.h"
#include "jobs/executor.h"
#include "jobspec/jobspec.h"
#include "runner/output.h"

/* Exit statuses of a runner. */
enum {
    RUN_DONE = 0,
    RUN_FAILED = 1,
    RUN_UNWRITTEN = EXECUTOR_UNWRITTEN,
    RUN_TAKEN = 75,
    RUN_CANNOT_WORK = 78,
    RUN_CANCELLED = 130,
};

typedef struct Run {
    Arena *arena;
    const char *user_config; /* paths */
    const char *infra_config;
    char *folder; /* that holds them */
    int64_t attempt;
    Output *output;
    int signal_fd; /* SIGTERM, SIGINT and SIGHUP arrive here */
    bool is_stopping;
    const Jobspec *spec;         /* NULL for an edit of a log */
    JobspecStrings requirements; /* what to install; empty: what the spec says */
    const Json *infra;           /* NULL for an edit of a log */
    char *outcome;               /* the worker's last word; or NULL */
} Run;

/* What a child has come to. */
typedef struct RunChild {
    int exit_status; /* or 128 + signal */
    bool timed_out;
} RunChild;

/* How it ended; texts are on the heap. */
typedef struct RunEnd {
    int exit_code;
    const char *reason; /* a code: "run.done", "install.failed", ... */
    char *detail;       /* in words */
} RunEnd;

/* Writes exit.json, which says that the attempt is over. */
int run_write_end(const Run *run, const RunEnd *end, Error *err) HAWK_MUST_USE;

/* What a worker with this exit status has come to, in its own words where it left any. */
RunEnd run_end_of_worker(const Run *run, const RunChild *child);

/* Follows what the worker says about itself: the OutputOptions.event of a run. */
void run_worker_event(void *context, Str event, Str message);

/* Signals that end a run, as a descriptor for Run.signal_fd; -1 with an error. */
int run_open_signals(Error *err) HAWK_MUST_USE;

/* Replaces status.json. Failing to write it is only said in the output. */
void run_phase(Run *run, const char *phase, const char *detail);

/* What else is watched while a child runs. */
typedef struct RunGuest {
    void *context;
    /* Adds what to wait for behind `fds`, at most n; returns how many. */
    size_t (*watch)(void *context, struct pollfd *fds, size_t n);
    /* Called after each wait with what watch added; fds that are no longer of interest are closed
       here. Fails when the child can no longer be made use of. */
    int (*look)(void *context, const struct pollfd *fds, size_t n, Error *err);
} RunGuest;

typedef struct RunCommand {
    const char *service; /* in the output: "uv", "worker" */
    const char *const *argv;
    char *const *envp;
    const char *cwd;
    int timeout_ms;        /* 0: none */
    int grace_ms;          /* from SIGTERM to SIGKILL when the run is told to end */
    const int *input;      /* its standard input, which stays the caller's; NULL: none */
    const RunGuest *guest; /* or NULL */
} RunCommand;

/* Runs a child to its end, its output going to the run's. A SIGTERM to the runner is passed on; the
   child and its group die with the runner. Fails only when the child cannot be started or watched.
 */
int run_command(Run *run, const RunCommand *command, RunChild *ret, Error *err) HAWK_MUST_USE;

/* Reads once from a pipe that a child writes its output to; `part` keeps what is not a whole line
   yet. False when nothing is there to be read: for now, or for good, and then it is closed and -1.
 */
bool run_read_pipe(Run *run, const char *service, int *fd, Buf *part);

/* Waits up to timeout_ms for a signal; true when the run has been told to end. */
bool run_told_to_end(Run *run, int timeout_ms);

#endif
