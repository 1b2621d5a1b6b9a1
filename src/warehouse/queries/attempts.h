/* Attempts: which rows of an eval set are of tries that a later log of the same task has replaced.
 */
#ifndef HAWK_WAREHOUSE_ATTEMPTS_H
#define HAWK_WAREHOUSE_ATTEMPTS_H

#include "warehouse/queries/queries.h"

/* AttemptsResponse: the evals of which a later log goes on, and their samples that failed, or were
   not over, and are there again; what a later log took over is not among them. With goes_on, which
   says that somebody writes to logs that are not over, those too that will be there again. Of what
   the caller may see, ATTEMPTS_MAX of each at most. */
enum { ATTEMPTS_MAX = 100000 };
int attempts_write(Sql *sql, const QueriesAccess *access, Str eval_set_id, bool goes_on,
                   JsonOut *out, Error *err) HAWK_MUST_USE;

#endif
