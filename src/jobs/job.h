/* Job: one row of the table `job`, its states and the words for them. */
#ifndef HAWK_JOBS_JOB_H
#define HAWK_JOBS_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/str.h"

typedef enum JobType { JOB_EVAL_SET, JOB_SCAN } JobType;
typedef enum JobPriority { JOB_LOW, JOB_MEDIUM, JOB_HIGH } JobPriority;

/* Where a job is. Only the moves of job_state_may are made. */
typedef enum JobState {
    JOB_QUEUED,   /* waits for its turn, also once more after its runner was lost; its runner may be
                     waiting already */
    JOB_RUNNING,  /* has its turn */
    JOB_STOPPING, /* was told to end; the runner is not gone yet */
    JOB_COMPLETE, /* over: every log says success */
    JOB_FAILED,   /* over: something did not work, see the reason */
    JOB_CANCELLED, /* over: it was told to end before it was done */
} JobState;

/* Strings live in the arena that the record was read into. */
typedef struct Job {
    const char *job_id;
    JobType type;
    JobPriority priority;
    JobState state;
    const char *reason_code; /* "queue.turn", "run.gone", ...; never NULL */
    const char *reason;      /* the same in words; never NULL */
    const char *created_by;  /* sub of the submitter */
    const char *email;       /* NULL when unknown */
    const Str *model_groups;
    size_t n_model_groups;
    const Str *secret_names; /* names only; the values are nowhere */
    size_t n_secret_names;
    const char *home; /* id of the data folder that has the last attempt; NULL: not known */
    int64_t attempt;  /* 1 for the first run, one more with every resume or retry */
    int64_t
        n_retries; /* attempts since the last submit that were begun because a runner was lost */
    bool launch_attempted;
    int64_t exit_code; /* of the runner in the last attempt; -1: not known */
    int64_t created_us;
    int64_t updated_us;
    int64_t queued_us; /* when this attempt was submitted */
    /* 0: has not happened */
    int64_t started_us;
    int64_t finished_us;
    int64_t deleted_us;
    int64_t failed_us;
} Job;

/* Whether a job may go from one state to the other; whether it is over in a state. */
bool job_state_may(JobState from, JobState to);
bool job_state_is_over(JobState state);

/* "queued", ...; -1 when no state has this name. */
const char *job_state_name(JobState state);
int job_state_of(Str name, JobState *ret) HAWK_MUST_USE;

/* Where the results of jobs of a type are in the store: "evals", "scans". */
const char *job_type_root(JobType type);

/* "eval-set", "scan"; "low", "medium", "high". The _of functions return -1 for other names. */
const char *job_type_name(JobType type);
int job_type_of(Str name, JobType *ret) HAWK_MUST_USE;
const char *job_priority_name(JobPriority priority);
int job_priority_of(Str name, JobPriority *ret) HAWK_MUST_USE;

#endif
