/* Announce: what is told about jobs to the operator's webhook. */
#ifndef HAWK_SERVER_ANNOUNCE_H
#define HAWK_SERVER_ANNOUNCE_H

#include "base/error.h"
#include "jobs/job.h"
#include "sql/sql.h"

/* A hook of Jobs (`moved`), whose context is the App: leaves a notice "job.complete", "job.failed"
   or "job.cancelled" for each attempt of a job that is over. */
int announce_job(void *context, SqlTx *tx, const Job *job, Error *err) HAWK_MUST_USE;

#endif
