/* What the files of this folder share of a Jobs. */
#ifndef HAWK_JOBS_JOBS_PRIV_H
#define HAWK_JOBS_JOBS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"
#include "codec/json_out.h"
#include "jobs/job_table.h"
#include "jobs/jobs.h"

/* A job that is not over, as the controller sees it; the table is the truth, this is what is fast
 * to ask. */
typedef struct JobsLive {
    char *job_id;
    JobType type;
    int64_t attempt;
    JobPriority priority;
    int64_t queued_us;
    JobState state;
    bool needs_launch;     /* has no runner, the controller starts one */
    int64_t launch_at_ms;  /* not before this; 0: at once */
    bool needs_grant;      /* has its turn, which its runner could not be told */
    bool is_launching;     /* its runner is being started by a submit; hands off */
    bool was_cancelled;    /* its runner was asked to end */
    int64_t kill_at_ms;    /* when it is ended by force; 0: never */
    int64_t cancel_at_ms;  /* when a stop that has not come about turns into a cancel; 0: never */
    int64_t last_at_ms;    /* when it is ended by force at the latest; 0: no such time */
    int64_t ended_seen_ms; /* when its result was first seen while the runner still lived */
    int64_t end_at_ms; /* when its end is recorded though logs could not be closed; 0: not set */
} JobsLive;

struct JobsWatch {
    char *job_id; /* NULL: any */
    JobsChanged *changed;
    void *context;
    JobsWatch *next;
};

struct Jobs {
    JobsOptions options;
    pthread_mutex_t
        moving; /* held while a move is decided, recorded in the table and in `live`; covers SQL */
    pthread_mutex_t lock; /* of live */
    JobsLive *live;
    size_t n_live;
    size_t room;
    pthread_mutex_t watching; /* of watches; held while they are called, so that unwatch can wait */
    JobsWatch *watches;
    pthread_t thread;
    bool has_thread;
    atomic_bool is_started; /* what an earlier server left has been taken over */
    atomic_bool is_closing;
};

/* Lets go of a lock, for JOBS_HOLD. */
void jobs_priv_unlock(pthread_mutex_t **lock);

/* Holds a lock until the end of the scope. */
#define JOBS_HOLD(mutex)                                                                           \
    HAWK_CLEANUP(jobs_priv_unlock) pthread_mutex_t *held_ = (mutex);                               \
    (void)pthread_mutex_lock(held_)

/* Puts a job among the live ones, or replaces what is known of it. */
void jobs_priv_add_live(Jobs *jobs, const char *job_id, const JobsLive *live);
/* The runner of a live job has been started, or it is known that it has not. */
void jobs_priv_end_launch(Jobs *jobs, const char *job_id);
void jobs_priv_drop_live(Jobs *jobs, const char *job_id);

/* Copies what is known of a live job; false when it is none. The id is not copied. */
bool jobs_priv_find_live(Jobs *jobs, const char *job_id, JobsLive *ret);

/* Stores changed flags of a live job, if it still is one in the same attempt; the state is not
 * touched. */
void jobs_priv_keep_flags(Jobs *jobs, const char *job_id, const JobsLive *flags);

/* Copies of all live jobs in an arena, best turn first: priority, then age. */
JobsLive *jobs_priv_snapshot(Jobs *jobs, Arena *arena, size_t *ret_n);

/* Makes a move durable and tells the watches; ret_changed may be NULL. */
int jobs_priv_move(Jobs *jobs, const JobMove *move, bool *ret_changed, Error *err) HAWK_MUST_USE;

/* Tells the watches that a job has changed. */
void jobs_priv_changed(Jobs *jobs, const char *job_id);

/* Capsules of a job beside its logs: what an attempt was made of, and what all are bound to. */
#define JOBS_CAPSULE_LEFT "capsule.json"
#define JOBS_CAPSULE_BOUND "frozen.json"

/* Reads one of them into the arena; ERR_NOT_FOUND when there is none. */
int jobs_priv_capsule(Jobs *jobs, Arena *arena, const Job *job, const char *name, Str *ret,
                      Error *err) HAWK_MUST_USE;
/* Binds a job to a capsule. */
int jobs_priv_bind_capsule(Jobs *jobs, const Job *job, Str capsule, Error *err) HAWK_MUST_USE;
/* Puts the one that a runner left in its folder beside the logs, where it could not itself. */
int jobs_priv_keep_capsule(Jobs *jobs, JobType type, const char *job_id, Error *err) HAWK_MUST_USE;

/* What is started; secrets may be none. */
typedef struct JobsLaunch {
    const Job *job;
    const Jobspec *spec;
    bool allow_dirty;
    const ExecutorSecret *secrets;
    size_t n_secrets;
    const char *traceparent; /* or NULL */
    bool is_human_eval;      /* found as the runner is started */
    Str capsule;             /* to bind the job to; STR_NONE: nothing new */
    bool keeps_commands;     /* nobody has asked for this attempt: it is as the last one was */
} JobsLaunch;
/* Writes the infrastructure config of an attempt as JSON. */
void jobs_priv_infra(const Jobs *jobs, const JobsLaunch *launch, JsonOut *out);

/* Writes what the job's folder in the store needs and starts its runner. */
int jobs_priv_launch(Jobs *jobs, const JobsLaunch *launch, Error *err) HAWK_MUST_USE;

/* Reads a job's config from JSON or YAML text and checks it again. */
int jobs_priv_spec(Arena *arena, Str text, JobType type, Jobspec **ret, Error *err) HAWK_MUST_USE;

/* The job's environment as its config says, in the arena; values are freed with
 * jobs_priv_free_secrets. */
ExecutorSecret *jobs_priv_environment(Arena *arena, const Jobspec *spec, size_t *ret_n);
void jobs_priv_free_secrets(ExecutorSecret *secrets, size_t n);

/* What a job that ran to its end has come to, as its logs say. */
typedef struct JobsVerdict {
    JobState state;
    const char *reason_code;
    char *reason; /* the caller frees */
} JobsVerdict;
void jobs_priv_verdict(Jobs *jobs, const char *job_id, JobsVerdict *ret);
/* The same for a scan, as the summaries of its results say. */
void jobs_priv_scan_verdict(Jobs *jobs, const char *job_id, JobsVerdict *ret);

/* Moves the end of a job's token on, whether it has ended or not. */
int jobs_priv_extend_token(Jobs *jobs, const char *job_id, Error *err) HAWK_MUST_USE;

/* Moves a job that is not over to "stopping" and wakes the controller. */
int jobs_priv_begin_end(Jobs *jobs, const char *job_id, const char *code, const char *reason,
                        bool is_deletion, bool *ret_changed, Error *err) HAWK_MUST_USE;

/* Whether a job has been told something that holds: "stop", "pause". */
bool jobs_priv_has_command(Jobs *jobs, const Job *job, const char *name);

/* Who asked this attempt of a job to stop, in the arena; false when nobody has. */
typedef struct JobsStopped {
    const char *by;
    int64_t at_us;
    bool as_errors; /* instead of scoring what samples had */
} JobsStopped;
bool jobs_priv_stopped(Jobs *jobs, Arena *arena, const Job *job, JobsStopped *ret);

/* The deadlines of a stop that was asked for, also by way of an earlier server. */
void jobs_priv_read_deadlines(Jobs *jobs, const char *job_id, JobsLive *live);

/* The controller's thread. */
void *jobs_priv_control(void *context);
int jobs_priv_reconcile(Jobs *jobs, Error *err) HAWK_MUST_USE;

#endif
