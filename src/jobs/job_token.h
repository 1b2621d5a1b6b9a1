/* JobToken: the credential of one attempt of a job, with which its processes come to the server.
   It says nothing of people: a run outlives the login of whoever submitted it. Only its hash is
   kept; it counts until its end, which its runner moves on, and as long as that attempt is not
   over. docs/architecture.md, "The token of a job". */
#ifndef HAWK_JOBS_JOB_TOKEN_H
#define HAWK_JOBS_JOB_TOKEN_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/secret.h"
#include "jobs/job.h"
#include "sql/sql.h"

/* What tells such a token from those of people. */
#define JOB_TOKEN_PREFIX "hawk-job-"

/* Makes the token of an attempt, in the place of any that the job has; the caller frees. */
int job_token_mint(SqlTx *tx, const char *job_id, int64_t attempt, int64_t expires_us, Secret **ret,
                   Error *err) HAWK_MUST_USE;

/* The job of a token, in the arena, and when the token ends; 1 when it counts now, 0 when not. */
int job_token_find(SqlTx *tx, Arena *arena, Str token, int64_t now_us, Job *ret,
                   int64_t *ret_expires_us, Error *err) HAWK_MUST_USE;

/* Moves the end of a job's token, also of one that has ended. */
int job_token_extend(SqlTx *tx, const char *job_id, int64_t expires_us, Error *err) HAWK_MUST_USE;

/* Takes a job's token away. */
int job_token_revoke(SqlTx *tx, const char *job_id, Error *err) HAWK_MUST_USE;

#endif
