/* The environment of a runner: few variables of the server's own, then the job's. */
#ifndef HAWK_JOBS_EXECUTOR_ENV_H
#define HAWK_JOBS_EXECUTOR_ENV_H

#include "base/process.h"
#include "jobs/executor.h"

/* Names of the job's secrets, separated by commas, for the runner to keep their values out of its
   log. It tells the worker in the same way which values to keep out of Inspect's. */
#define EXECUTOR_SECRETS "HAWK_RUNNER_SECRETS"

/* The token of the attempt, for its processes to come to the server with. */
#define EXECUTOR_TOKEN "HAWK_JOB_TOKEN"

/* Where the server is, if it has been told that itself (HAWK_API_PUBLIC_URL). */
#define EXECUTOR_API_URL "HAWK_RUNNER_API_URL"

/* Fills env, which the caller releases; it holds secrets. Later ones win: the server's, the job's
   secrets, the job's environment, and what tells a runner which job it is. */
void executor_env_make(const ExecutorRun *run, ProcessEnv *env);

/* Whether a job may set a variable of this name: a C identifier that is none of the last kind. */
bool executor_env_is_allowed(Str name);

#endif
