/* Reasons: why a job is not done, with the evidence, out of what its runner and its tasks write
   down (docs/runs.md): tasks.json, live/<task>.json, results/<task>.json. What is not there or
   cannot be read says nothing. */
#ifndef HAWK_JOBS_REASONS_H
#define HAWK_JOBS_REASONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "jobs/job.h"
#include "jobs/jobs.h"

/* One thing that is known; texts live in the arena. */
typedef struct Reason {
    const char *code; /* "model.rate_limited" */
    const char *text; /* a sentence without its period */
    int64_t since_us; /* 0 when unknown */
    const char *task; /* NULL: of the job as a whole, or of several */
    int64_t n;        /* samples it concerns; 0 when it is none */
    int rank;         /* smaller is the better answer to "why is it not done" */
    bool is_trouble;  /* somebody should look */
} Reason;

/* What is known of a job now. */
typedef struct Reasons {
    Arena *arena;
    Reason *items; /* best first */
    size_t n;
    const Json *pool;   /* tasks.json, or NULL */
    const Json *tasks;  /* of it, or NULL */
    int64_t n_tasks;    /* known by now */
    int64_t n_over;     /* tasks */
    int64_t n_running;  /* samples */
    int64_t n_ended;    /* samples, in the processes that run now */
    int64_t n_approval; /* samples that wait for somebody */
    int64_t n_killed;   /* samples that ran when their process was killed, once the job is over */
    bool is_frozen;     /* a process does not run at all */
} Reasons;

/* Looks. Everything in ret lives in the arena. */
void reasons_look(Jobs *jobs, const Job *job, Arena *arena, Reasons *ret);

/* The best reason; never NULL. */
const Reason *reasons_first(const Reasons *reasons);

/* Writes the Explanation of GET /monitoring/jobs/{id}/explain. */
void reasons_write(Jobs *jobs, const Job *job, JsonOut *out);

/* Writes the members of waiting_samples of an EvalSetStatus. */
void reasons_write_waiting(Jobs *jobs, const Job *job, const Reasons *reasons, JsonOut *out);

/* Writes what tasks have answered to a command of jobs_command. */
void reasons_write_answers(Jobs *jobs, const Job *job, Str command, JsonOut *out);

#endif
