/* Processes of jobs as the kernel lists them; for the process executor. */
#ifndef HAWK_JOBS_EXECUTOR_PRIV_H
#define HAWK_JOBS_EXECUTOR_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "jobs/job.h"

/* Set in every process of a job to the job's folder, so that what a runner leaves behind can be
 * told. */
#define EXECUTOR_MARK "HAWK_JOB_DIR"

enum { EXECUTOR_ID_MAX = 64 };

/* A process that belongs to a job below a jobs folder. */
typedef struct ExecutorProcess {
    pid_t pid;
    int pidfd; /* borrowed during the call */
    char job_id[EXECUTOR_ID_MAX];
    bool is_runner;  /* by its arguments */
    int64_t attempt; /* of a runner, else 0 */
} ExecutorProcess;

/* Calls each() for every process of this user that belongs to a job below jobs_dir; only_job (or
   NULL) narrows that to one. Never reports the calling process. */
typedef void ExecutorEach(void *context, const ExecutorProcess *process);
void executor_each(const char *jobs_dir, const char *only_job, ExecutorEach *each, void *context);

/* The trace that was written to last among those of a job's processes that run; NULL when there is
   none. The caller frees. */
char *executor_trace(const char *jobs_dir, const char *job_id);

#endif
