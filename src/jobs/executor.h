/* Executor: where the runner of a job lives. The jobs folder says what should be; an executor makes
   it so and tells what is. Doing anything twice does nothing the second time. */
#ifndef HAWK_JOBS_EXECUTOR_H
#define HAWK_JOBS_EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"

/* One variable of a job's environment. */
typedef struct ExecutorSecret {
    const char *name;
    Secret *value;
} ExecutorSecret;

/* What to start. */
typedef struct ExecutorRun {
    const char *job_id;
    const char *job_type; /* "eval-set" */
    int64_t attempt;
    Str user_config;                   /* JSON */
    Str infra_config;                  /* JSON */
    const char *traceparent;           /* W3C Trace Context; NULL: none */
    const ExecutorSecret *environment; /* not secret, but later in force than the server's own */
    size_t n_environment;
    const ExecutorSecret *secrets;
    size_t n_secrets;
    const Secret *token; /* of the attempt; NULL: none */
    const char *api_url; /* where its processes find the server; NULL: in server.json only */
} ExecutorRun;

/* Exit status of a runner that could not write its own files, exit.json or those before it. */
enum { EXECUTOR_UNWRITTEN = 74 };

typedef enum ExecutorLife {
    EXECUTOR_NONE,  /* no runner of this attempt is known: it never was there, or is gone without a
                       word */
    EXECUTOR_ALIVE, /* a runner is there */
    EXECUTOR_ENDED, /* the attempt is over and left its result */
} ExecutorLife;

/* How a runner is, or was. Strings live in the arena. */
typedef struct ExecutorState {
    ExecutorLife life;
    int64_t pid;       /* 0 when unknown */
    int64_t exit_code; /* -1 when unknown */
    int64_t signal;    /* that killed it; 0 when none or unknown */
    const char *phase; /* "queued", "installing", "retrying", "loading", "running", "stopping"; NULL
                          when unknown */
    int64_t phase_since_us;
    const char *phase_detail; /* or NULL */
    const char *reason;       /* code of the end, as the runner says it; NULL */
    const char *detail;       /* the same in words; NULL */
    int64_t finished_us;      /* 0 when unknown */
    bool was_granted;         /* its turn was granted in this attempt */
    bool was_rebooted;        /* the machine started anew since the runner began */
} ExecutorState;

typedef enum ExecutorSignal { EXECUTOR_CANCEL, EXECUTOR_KILL } ExecutorSignal;

typedef struct Executor Executor;
struct Executor {
    const char *name; /* "process", "kubernetes" */
    /* Starts the runner; it waits until it is granted its turn. */
    int (*start)(Executor *executor, const ExecutorRun *run, Error *err);
    /* Finds the runner that an earlier server started and watches it. */
    ExecutorLife (*adopt)(Executor *executor, const char *job_id, int64_t attempt);
    /* Ends all runners of this installation, and what runners left behind, that nobody started or
     * adopted. */
    void (*sweep)(Executor *executor);
    /* Lets a waiting runner begin. */
    int (*grant)(Executor *executor, const char *job_id, int64_t attempt, Error *err);
    /* Whether the runner lives: cheap; and all that is known about it. */
    ExecutorLife (*look)(Executor *executor, const char *job_id, int64_t attempt);
    void (*probe)(Executor *executor, Arena *arena, const char *job_id, int64_t attempt,
                  ExecutorState *ret);
    /* Asks it to end as Inspect's own cancel does, or ends it with all it started. */
    void (*signal)(Executor *executor, const char *job_id, ExecutorSignal which);
    /* Ends what an ended runner left behind and forgets it. */
    void (*settle)(Executor *executor, const char *job_id);
    /* Waits up to timeout_ms until a runner may have ended or wake was called; only the controller
     * calls it. */
    void (*wait)(Executor *executor, int timeout_ms);
    void (*wake)(Executor *executor);
    /* Path of a file of the job ("runner.log") when it is a local one, else NULL; the caller frees.
     */
    char *(*file)(Executor *executor, const char *job_id, const char *name);
    /* Path of Inspect's trace that a process of the job wrote to last, if that runs and here; else
     * NULL. The caller frees. */
    char *(*trace)(Executor *executor, const char *job_id);
    /* Removes the job's files, for a submit that did not come about. */
    int (*remove)(Executor *executor, const char *job_id, Error *err);
    /* Leaves the runners running. */
    void (*close)(Executor *executor);
};

/* Runners as child processes, one folder per job below data_dir/jobs. program is what is run with
   the arguments "runner eval-set ..."; NULL: this very program. */
int executor_process_open(const char *data_dir, const char *program, Executor **ret,
                          Error *err) HAWK_MUST_USE;
void executor_close(Executor *executor);

HAWK_DEFINE_AUTO(Executor, executor, executor_close)
#define auto_executor HAWK_CLEANUP(executor_cleanup_)

#endif
