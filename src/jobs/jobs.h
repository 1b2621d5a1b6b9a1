/* Jobs: the life of every job. The database is the truth; runners are brought in line with it, also
   after this program was killed at any moment. All functions may be called from any thread; they do
   disk and SQL work, so never from an event loop. */
#ifndef HAWK_JOBS_JOBS_H
#define HAWK_JOBS_JOBS_H

#include <stdbool.h>

#include "access/caller.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"
#include "base/waits.h"
#include "jobs/executor.h"
#include "jobs/job.h"
#include "jobspec/jobspec.h"
#include "sql/sql.h"
#include "store/store.h"

typedef struct Jobs Jobs;

/* The reason code of a queued job whose runner was lost and that is about to be started again. */
#define JOBS_RETRYING "run.retrying"

/* One log of a job and how its import goes. */
typedef struct JobsImport {
    const char *location;
    const char *status; /* "pending", "importing", "success", "failed" */
    const char *error;  /* or NULL */
} JobsImport;

typedef struct JobsImports {
    int64_t total;
    int64_t pending;
    int64_t importing;
    int64_t success;
    int64_t failed;
    int64_t n_samples; /* rows in the warehouse */
    const JobsImport *logs;
    size_t n_logs;
    /* Of a scan; strings may be NULL. */
    const char *scan_id; /* of the latest of its models */
    const char *scan_name;
    const char *scan_errors; /* of scanners, a JSON array of texts */
    const char *scan_error;  /* why its results were not imported */
    int64_t n_results;
} JobsImports;

/* Functions of whoever opens Jobs, called on any thread without a lock held; each may be NULL. */
typedef struct JobsHooks {
    void *context;
    /* Fills the imports of a job from the warehouse. */
    int (*imports)(void *context, Arena *arena, const char *job_id, JobType type, JobsImports *ret,
                   Error *err);
    /* A job has come to its end, which is about to be recorded: its logs will not change any more.
     */
    void (*ended)(void *context, const char *job_id, JobType type);
    /* Whether the logs of an eval set are being changed, so that no runner may have it; asked in
       the transaction that would give it one. */
    int (*edited)(void *context, SqlTx *tx, const char *job_id, bool *ret, Error *err);
    /* A job has moved to another state, in the transaction that records it: -1 undoes the move. */
    int (*moved)(void *context, SqlTx *tx, const Job *job, Error *err);
} JobsHooks;

/* Borrowed things must outlive the Jobs. */
typedef struct JobsOptions {
    Sql *sql;
    Store *store;
    Executor *executor;
    JobsHooks hooks;
    int max_running;     /* jobs that have their turn at the same time; 0: 4 */
    int max_live;        /* jobs that are not over; more are refused; 0: 1000 */
    int max_per_user;    /* of those, of one person unless forced; 0: no limit */
    int cancel_ms;       /* from "end" to "end now" for a deleted job; 0: 30 s */
    int token_s;         /* how long a job's token counts after its last renewal; 0: an hour */
    Waits retries;       /* of jobs whose runner was killed or is gone, since their submit */
    const char *home;    /* id of the data folder; NULL: it has none */
    bool leaves_others;  /* jobs of another data folder are another server's */
    const char *api_url; /* where jobs find the server; NULL: in server.json only */
} JobsOptions;

/* Brings the schema up to date and reads what there is. */
int jobs_open(const JobsOptions *options, Jobs **ret, Error *err) HAWK_MUST_USE;

/* Takes over or ends what an earlier server left, then starts the controller. */
int jobs_start(Jobs *jobs, Error *err) HAWK_MUST_USE;

/* Stops the controller and frees; runners go on. NULL is fine. */
void jobs_close(Jobs *jobs);

/* What a scan reads: the groups and the models of an eval set. */
typedef struct JobsSourceFacts {
    const Str *groups;
    size_t n_groups;
    const Str *models; /* names, those of the config and those of the logs */
    size_t n_models;
} JobsSourceFacts;

/* For a scan: what there is to say of an eval set that it reads, in the arena. Fails when there is
   none or the caller may not read it. */
typedef int JobsSource(void *context, const char *eval_set_id, JobsSourceFacts *ret, Error *err);

/* What is asked for. */
typedef struct JobsRequest {
    JobType type;
    const Jobspec *spec; /* as checked; NULL: resume job_id with its saved config */
    const char *job_id;  /* not NULL: resume in place; must agree with the config's own id */
    JobPriority priority;
    const ExecutorSecret *secrets;
    size_t n_secrets;
    const char *traceparent; /* W3C Trace Context of who asks, for the runner; NULL: none */
    bool log_dir_allow_dirty;
    bool is_forced;     /* though the caller has as many as he may */
    JobsSource *source; /* needed for a scan */
    void *source_context;
    bool is_human_eval;      /* somebody works instead of a model: none need be declared */
    bool allows_cross_lab;   /* a scan of secret models of another lab (access/labs.h) */
    const char *frozen_from; /* not NULL: made of what this job, which the caller may read, was made
                                of, or not run */
} JobsRequest;

typedef struct JobsSubmitted {
    const char *job_id;
    const char *const *warnings;
    size_t n_warnings;
} JobsSubmitted;

/* Stores the job and starts its runner; answers only when both will survive a crash. Strings of ret
   are in the arena. Failures carry a code of jobs_problem. */
int jobs_submit(Jobs *jobs, const Caller *caller, const JobsRequest *request, Arena *arena,
                JobsSubmitted *ret, Error *err) HAWK_MUST_USE;

typedef enum JobsStop { JOBS_STOP_SCORE, JOBS_STOP_ERROR } JobsStop;

enum { JOBS_WITHIN_MIN_S = 5, JOBS_WITHIN_MAX_S = 7 * 24 * 3600 };

/* How a stop is to be. */
typedef struct JobsStopHow {
    const char *sample_uuid; /* NULL: all samples */
    JobsStop action;
    int64_t within_s; /* 0: as long as the samples take; else the run is over by then: asked first,
                         cancelled after three fifths (a scan at once), killed after four */
} JobsStopHow;

/* Asks a running job to end its samples and score them or mark them as errors. A job that has not
   begun its samples is ended, and so is a scan, which keeps what it has done. A job that is over is
   left alone. ERR_USAGE for a uuid that is none,
   a time out of bounds, or a time for one sample. */
int jobs_stop(Jobs *jobs, const Caller *caller, const char *job_id, const JobsStopHow *how,
              Error *err) HAWK_MUST_USE;

/* What a running job's tasks can be told besides. */
typedef enum JobsCommandKind {
    JOBS_PAUSE,   /* begin no more samples */
    JOBS_RESUME,  /* go on */
    JOBS_REQUEUE, /* run a sample that failed again */
    JOBS_RETRY,   /* the same with all that failed */
    JOBS_SCORE,   /* score what there is so far, and go on */
} JobsCommandKind;

/* "pause", ...; -1 when no command has this name. */
int jobs_command_of(Str name, JobsCommandKind *ret) HAWK_MUST_USE;

enum { JOBS_COMMAND_MAX = 24 };

/* Tells the tasks; ret_id is the command's, for jobs_answers, and "" for pause and resume, which
   hold until the other. sample_uuid is needed for JOBS_REQUEUE, may be for JOBS_SCORE and is NULL
   for others. ERR_CONFLICT when the job is not at its samples. */
int jobs_command(Jobs *jobs, const Caller *caller, const char *job_id, JobsCommandKind kind,
                 const char *sample_uuid, char ret_id[JOBS_COMMAND_MAX], Error *err) HAWK_MUST_USE;

/* Asks the tasks of a running eval set where they are; the answers are found by ret_id
   (reasons_write_answers) within seconds, and the command is to be forgotten then. ERR_CONFLICT
   "stack.not_running" when the job is not at its samples. */
int jobs_ask_stacks(Jobs *jobs, const Job *job, char ret_id[JOBS_COMMAND_MAX],
                    Error *err) HAWK_MUST_USE;
void jobs_forget_command(Jobs *jobs, const char *job_id, const char *id);

/* Ends the job, within deadlines, and marks it as deleted; its logs stay. Returns when the mark is
 * durable. */
int jobs_delete(Jobs *jobs, const Caller *caller, const char *job_id, Error *err) HAWK_MUST_USE;

/* Reads a job; ERR_NOT_FOUND "Job not found." when there is none. Does not ask whether anyone may
 * see it. */
int jobs_get(Jobs *jobs, Arena *arena, const char *job_id, Job *ret, Error *err) HAWK_MUST_USE;

/* A job as its own token shows it. */
typedef struct JobsSelf {
    Job job;
    int64_t expires_us; /* of the token */
    int64_t token_seconds;
} JobsSelf;

/* Whose token it is, in the arena; ERR_LOGIN when the token is none, has ended or its attempt is
   over. */
int jobs_self(Jobs *jobs, Arena *arena, Str token, JobsSelf *ret, Error *err) HAWK_MUST_USE;
/* Moves the end of the token on, also in `self`. */
int jobs_renew(Jobs *jobs, JobsSelf *self, Error *err) HAWK_MUST_USE;

/* The job if the caller may read it: ERR_NOT_FOUND or ERR_DENIED. */
int jobs_get_for(Jobs *jobs, const Caller *caller, Arena *arena, const char *job_id, Job *ret,
                 Error *err) HAWK_MUST_USE;

/* The path, on this machine, of Inspect's trace that a process of the job wrote to last; the caller
   frees. Fails when the job does not run ("trace.not_running") or has none yet ("trace.none"). */
int jobs_trace(Jobs *jobs, const Job *job, char **ret, Error *err) HAWK_MUST_USE;

/* The config of a job as JSON text, in the arena; ERR_NOT_FOUND when there is no such job. */
int jobs_config(Jobs *jobs, Arena *arena, const char *job_id, Str *ret, Error *err) HAWK_MUST_USE;

/* Which jobs: views that are STR_NONE do not filter. */
typedef struct JobsQuery {
    Str search; /* words that must all occur in id or creator */
    Str created_by;
    Str status;      /* a JobStatus name of status.h */
    bool is_waiting; /* only those in which somebody is asked for something */
    Str cursor;      /* where an earlier list ended; the page does not count then */
    int64_t page;    /* from 1 */
    int64_t limit;
} JobsQuery;

/* One line of a list. */
typedef struct JobsItem {
    Job job;
    const char *status; /* as status.h names it */
} JobsItem;

typedef struct JobsCount {
    const char *status;
    int64_t n;
} JobsCount;

typedef struct JobsList {
    JobsItem *items;
    size_t n;
    Str next; /* cursor, when there is more */
    int64_t total;
    JobsCount *counts; /* per status, of all that match but for the status itself */
    size_t n_counts;
} JobsList;

/* Newest first, only what the caller may read, in the arena. ERR_USAGE for a cursor of another
   list. */
int jobs_list(Jobs *jobs, const Caller *caller, const JobsQuery *query, Arena *arena, JobsList *ret,
              Error *err) HAWK_MUST_USE;

/* Jobs that are not over, and how many of those have their turn. */
void jobs_load(Jobs *jobs, size_t *ret_live, size_t *ret_running);

/* Calls changed() after every change of a job (any job when job_id is NULL), on the controller's or
   the changing thread; it must be quick and call nothing of Jobs. Ends with jobs_unwatch, after
   which no call is running. */
typedef struct JobsWatch JobsWatch;
typedef void JobsChanged(void *context, const char *job_id);
JobsWatch *jobs_watch(Jobs *jobs, const char *job_id, JobsChanged *changed,
                      void *context) HAWK_MUST_USE;
void jobs_unwatch(Jobs *jobs, JobsWatch *take_watch);

/* Title and HTTP status of the problem document for an error's code; NULL for codes that are not of
 * jobs. */
typedef struct JobsProblem {
    const char *code; /* "job.exists" */
    int status;
    const char *title; /* "Job already exists" */
} JobsProblem;
const JobsProblem *jobs_problem(const char *code);

/* The i-th setting that every eval set gets unless its config says otherwise, with its value as
   JSON; false past the last. */
bool jobs_default(size_t i, const char **ret_name, const char **ret_json);

HAWK_DEFINE_AUTO(Jobs, jobs, jobs_close)
#define auto_jobs HAWK_CLEANUP(jobs_cleanup_)

#endif
