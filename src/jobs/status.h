/* Status: what a job looks like from outside, as JSON documents of the monitoring routes. Reads the
   job's files, its logs and live buffers, and the warehouse through the hooks of Jobs; memory is
   bounded whatever their size. */
#ifndef HAWK_JOBS_STATUS_H
#define HAWK_JOBS_STATUS_H

#include <stdbool.h>

#include "access/caller.h"
#include "base/buf.h"
#include "base/error.h"
#include "codec/json_out.h"
#include "jobs/job.h"
#include "jobs/jobs.h"

typedef enum JobStatus {
    JOB_STATUS_PENDING,
    JOB_STATUS_RUNNING,
    JOB_STATUS_WAITING,
    JOB_STATUS_IMPORTING,
    JOB_STATUS_STUCK,
    JOB_STATUS_COMPLETE,
    JOB_STATUS_FAILED,
    JOB_STATUS_DELETED,
} JobStatus;

enum { STATUS_ETAG_MAX = 72, STATUS_LOG_ENTRIES_MAX = 10000 };

/* "pending", ...; whether it will not change any more. */
const char *job_status_name(JobStatus status);
bool job_status_is_terminal(JobStatus status);

/* The status of a job whose imports (NULL: none known) are these. */
JobStatus job_status_of(const Job *job, const JobsImports *imports);

/* JobStatusResponse of GET /monitoring/jobs/{id}/job-status. */
int status_write_job(Jobs *jobs, const Job *job, JsonOut *out, Error *err) HAWK_MUST_USE;

/* What comes beside an EvalSetStatus. */
typedef struct StatusTag {
    char etag[STATUS_ETAG_MAX]; /* quoted, changes when the document does */
    bool is_terminal;
    bool is_unchanged; /* the etag is the known one: nothing was appended */
} StatusTag;

/* Appends an EvalSetStatus (the `data` of eval-set-status and of the events of its stream) as one
   line of JSON, unless its etag would be known_etag (STR_NONE: none), which is cheap to find out.
 */
int status_write_eval_set(Jobs *jobs, const Job *job, const Caller *caller, Str known_etag,
                          Buf *data, StatusTag *ret, Error *err) HAWK_MUST_USE;

/* Which log lines. */
typedef struct StatusLogQuery {
    int64_t since_us; /* only entries later than this */
    bool from_start;  /* as if since were the beginning */
    int64_t limit; /* 0: as many as allowed; the newest with descending, the oldest with ascending
                      order */
    bool is_ascending;
} StatusLogQuery;

/* The array of LogEntry of a job's output. */
int status_write_logs(Jobs *jobs, const Job *job, const StatusLogQuery *query, JsonOut *out,
                      Error *err) HAWK_MUST_USE;

/* JobMonitoringData of GET /monitoring/jobs/{id}/status (the `data`). */
int status_write_monitoring(Jobs *jobs, const Job *job, int64_t since_us, JsonOut *out,
                            Error *err) HAWK_MUST_USE;

/* JobsResponse of GET /meta/jobs. */
int status_write_list(Jobs *jobs, const Caller *caller, const JobsQuery *query, JsonOut *out,
                      Error *err) HAWK_MUST_USE;

#endif
