/* What the files that write status documents share. */
#ifndef HAWK_JOBS_STATUS_PRIV_H
#define HAWK_JOBS_STATUS_PRIV_H

#include "codec/json_out.h"
#include "jobs/jobs_priv.h"
#include "jobs/reasons.h"
#include "jobs/status.h"

/* The imports of a job through the hook; zeros when there is no hook. */
int status_priv_imports(Jobs *jobs, Arena *arena, const Job *job, JobsImports *ret,
                        Error *err) HAWK_MUST_USE;

/* Why the job is in trouble, in the arena; NULL when it is not. */
const char *status_priv_trouble(Arena *arena, const Job *job, const JobsImports *imports,
                                const Reasons *reasons);

/* As job_status_of, and "stuck" when a process of a running job does not run at all. */
JobStatus status_priv_now(const Job *job, const JobsImports *imports, const Reasons *reasons);

/* Position in the queue from 1, and how many wait; 0 when the job does not. */
size_t status_priv_queue_position(Jobs *jobs, const char *job_id, size_t *ret_n);

/* Write PodStatusData and AdmissionStatus of a job. */
void status_priv_pods(Jobs *jobs, const Job *job, const ExecutorState *state, JsonOut *out);
void status_priv_admission(Jobs *jobs, const Job *job, JsonOut *out);

#endif
