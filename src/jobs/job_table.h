/* The table `job`: every statement about it. Functions work in the transaction they are given. */
#ifndef HAWK_JOBS_JOB_TABLE_H
#define HAWK_JOBS_JOB_TABLE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "jobs/job.h"
#include "jobs/jobs.h"
#include "sql/sql.h"

/* Brings the table up to date. */
int job_table_migrate(Sql *sql, Error *err) HAWK_MUST_USE;

/* Reads a job without its config; 1 when there is one, 0 when not, -1 on failure. */
int job_table_find(SqlTx *tx, Arena *arena, const char *job_id, Job *ret, Error *err) HAWK_MUST_USE;

/* The config as JSON text, and whether its log folder may hold other things; ERR_NOT_FOUND when
 * there is no job. */
int job_table_config(SqlTx *tx, Arena *arena, const char *job_id, Str *ret, bool *ret_allow_dirty,
                     Error *err) HAWK_MUST_USE;

/* Adds a job that is queued for its first attempt; ERR_CONFLICT when the id is taken. */
int job_table_insert(SqlTx *tx, const Job *job, Str config, bool allow_dirty,
                     Error *err) HAWK_MUST_USE;

/* Queues a job that is over for its next attempt, with what may have changed; its groups only grow.
   ret_changed is false when the job is not over. */
int job_table_relaunch(SqlTx *tx, const Job *job, Str config, bool allow_dirty, bool *ret_changed,
                       Error *err) HAWK_MUST_USE;

/* A move of a job from the states that allow it. */
typedef struct JobMove {
    const char *job_id;
    int64_t attempt; /* 0: whatever it is */
    JobState to;
    const char *reason_code;
    const char *reason;
    int64_t now_us;
    int64_t exit_code; /* -1: not known */
    bool is_deletion;  /* stamps deleted_at as well */
    bool is_retry;     /* with `to` JOB_QUEUED: it is for the next attempt */
    int64_t retry_ms;  /* from now until that is started */
} JobMove;

/* Makes the move if the job is in a state that allows it; says whether it was. */
int job_table_move(SqlTx *tx, const JobMove *move, bool *ret_changed, Error *err) HAWK_MUST_USE;

/* Stamps deleted_at of a job, in whatever state. */
int job_table_delete_mark(SqlTx *tx, const char *job_id, int64_t now_us, Error *err) HAWK_MUST_USE;

/* Says that a data folder has the files of a job's last attempt. */
int job_table_bring_home(SqlTx *tx, const char *job_id, const char *home, Error *err) HAWK_MUST_USE;

/* Removes the row of a job whose first launch did not come about. */
int job_table_remove(SqlTx *tx, const char *job_id, Error *err) HAWK_MUST_USE;

/* All jobs that are not over, oldest first, in the arena. */
int job_table_live(SqlTx *tx, Arena *arena, Job **ret, size_t *ret_n, Error *err) HAWK_MUST_USE;

/* How many jobs of a person are not over. */
int job_table_count_live(SqlTx *tx, const char *created_by, int64_t *ret, Error *err) HAWK_MUST_USE;

/* A page of jobs. */
int job_table_list(SqlTx *tx, SqlDialect dialect, Arena *arena, const Caller *caller,
                   const JobsQuery *query, JobsList *ret, Error *err) HAWK_MUST_USE;

/* A list of texts as JSON, in the arena. */
Str job_table_json_list(Arena *arena, const Str *items, size_t n);

#endif
