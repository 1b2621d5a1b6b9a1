/* Submits: what the requests that submit an eval set and a scan have in common. */
#ifndef HAWK_SERVER_SUBMITS_H
#define HAWK_SERVER_SUBMITS_H

#include "codec/json.h"
#include "jobs/jobs.h"
#include "jobspec/jobspec.h"
#include "server/route.h"

/* Secrets that came with a request. */
typedef struct SubmitsSecrets {
    ExecutorSecret *items;
    size_t n;
} SubmitsSecrets;
void submits_secrets_release(SubmitsSecrets *secrets);
#define auto_submits_secrets HAWK_CLEANUP(submits_secrets_release)

/* Reads `priority`, `secrets` and `force` of a request's body into request; the secrets belong to
   the caller. ERR_BAD_DATA when one is of another form. */
int submits_read(RouteCtx *ctx, const Json *body, Str priority, JobsRequest *request,
                 SubmitsSecrets *secrets, Error *err) HAWK_MUST_USE;

/* Checks the config in the body's member `name`, and that every secret it declares was given.
   Failures have the codes job.config_invalid and job.secrets_missing. */
int submits_config(RouteCtx *ctx, const Json *config, const char *name, JobspecKind kind,
                   const SubmitsSecrets *secrets, const Jobspec **ret, Error *err) HAWK_MUST_USE;

/* The job id in the path if there is such a job of this type, else ERR_NOT_FOUND with the text. */
int submits_job_id(RouteCtx *ctx, JobType type, const char *not_found, const char **ret,
                   Error *err) HAWK_MUST_USE;

#endif
