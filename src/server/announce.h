/* Announce: what is told about jobs to the operator's webhook. */
#ifndef HAWK_SERVER_ANNOUNCE_H
#define HAWK_SERVER_ANNOUNCE_H

#include "base/error.h"
#include "jobs/job.h"
#include "server/route.h"
#include "sql/sql.h"

/* The types of notices. */
#define ANNOUNCE_TYPES                                                                             \
    "job.complete job.failed job.cancelled job.retrying job.approval job.no_progress"

/* Whether there are notices of a type. */
bool announce_is_type(Str type);

/* A hook of Jobs (`moved`), whose context is the App: leaves a notice "job.complete", "job.failed"
   or "job.cancelled" for each attempt of a job that is over, "job.retrying" when another is made
   because the runner was lost. */
int announce_job(void *context, SqlTx *tx, const Job *job, Error *err) HAWK_MUST_USE;

/* Looks at running jobs from time to time, on a thread, and leaves a notice when one begins to wait
   for somebody's approval ("job.approval") or makes no progress any more ("job.no_progress"). */
typedef struct Announcer Announcer;
int announcer_start(App *app, Announcer **ret, Error *err) HAWK_MUST_USE;
void announcer_stop(Announcer *announcer); /* NULL is fine */

#endif
