/* What the files that find reasons share. */
#ifndef HAWK_JOBS_REASONS_PRIV_H
#define HAWK_JOBS_REASONS_PRIV_H

#include "jobs/reasons.h"

/* Adds a reason. */
void reasons_priv_add(Reasons *reasons, const Reason *reason);

/* Adds what the tasks of a job that has its turn are at. */
void reasons_priv_tasks(Jobs *jobs, const Job *job, Reasons *reasons);

/* A file of the job as JSON in the arena, or NULL; live/<number>.json, or NULL. */
const Json *reasons_priv_file(Jobs *jobs, Arena *arena, const char *job_id, const char *name);
const Json *reasons_priv_live(Jobs *jobs, Arena *arena, const char *job_id, int64_t number);

/* Calls each() for each task that runs, with what it tells of itself. */
typedef void ReasonsEach(void *context, const Json *task, const Json *live);
void reasons_priv_each_live(Jobs *jobs, const Job *job, const Reasons *reasons, ReasonsEach *each,
                            void *context);

/* "1 sample", "3 samples"; "45 s", "12 min", "3 h". In the arena. */
const char *reasons_priv_count(Arena *arena, int64_t n, const char *what);
const char *reasons_priv_age(Arena *arena, int64_t since_us);

#endif
