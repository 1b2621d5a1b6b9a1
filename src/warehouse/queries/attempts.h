/* Attempts: which rows of an eval set are of tries that a later log of the same task has replaced.
 */
#ifndef HAWK_WAREHOUSE_ATTEMPTS_H
#define HAWK_WAREHOUSE_ATTEMPTS_H

#include "warehouse/queries/queries.h"

/* AttemptsResponse: the evals of which a later log goes on, and their samples that failed, or were
   not over, and are there again; what a later log took over is not among them. job says what the
   job of the set is at, "queued", "running" or "over", or is NULL when it has none; until it is
   over, samples count too that will be there again. Of what the caller may see, ATTEMPTS_MAX of
   each at most. */
enum { ATTEMPTS_MAX = 100000 };
int attempts_write(Sql *sql, const QueriesAccess *access, Str eval_set_id, const char *job,
                   JsonOut *out, Error *err) HAWK_MUST_USE;

#endif
