/* Doctor: what is wrong with the jobs that somebody may see, and how to mend it. */
#ifndef HAWK_JOBS_DOCTOR_H
#define HAWK_JOBS_DOCTOR_H

#include "access/caller.h"
#include "base/error.h"
#include "codec/json_out.h"
#include "jobs/jobs.h"

enum { DOCTOR_JOBS_MAX = 200 };

/* Writes {"findings": [{"what", "job_id", "text", "fix"}], "jobs": N}: the newest DOCTOR_JOBS_MAX
   jobs that the caller may see are looked at, and the disk that they are on. */
int doctor_write(Jobs *jobs, const Caller *caller, JsonOut *out, Error *err) HAWK_MUST_USE;

#endif
