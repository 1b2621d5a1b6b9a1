/* Stopping and deleting: what users ask of a job that is there. The wish is made durable here; the
   controller carries it out, also after a crash. */

#include "access/access.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "jobs/jobs_priv.h"

enum { COMMAND_MAX = 256, SAMPLE_UUID_MAX = 64 };

static const char *const actions[] = {[JOBS_STOP_SCORE] = "score", [JOBS_STOP_ERROR] = "error"};

/* The job if the caller may change it. */
static int get_to_change(Jobs *jobs, const Caller *caller, Arena *arena, const char *job_id,
                         Job *ret, Error *err)
{
    Job job;
    if (jobs_get(jobs, arena, job_id, &job, err) < 0)
        return -1;
    const AccessResource about = {.name = job.job_id, .owner = job.created_by};
    if (access_allows(caller, ACCESS_JOB_CONTROL, &about, err) < 0)
        return -1;
    if (strcmp(caller->sub, job.created_by) != 0)
        log_info("job.admin_override", KV("job", job_id), KV("by", caller->sub),
                 KV("owner", job.created_by));
    *ret = job;
    return 0;
}

static bool is_sample_uuid(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return n > 0 && n <= SAMPLE_UUID_MAX;
}

/* The worker looks for these files while samples run. */
static int put_command(Jobs *jobs, const char *job_id, const char *sample_uuid, JobsStop action,
                       Error *err)
{
    auto_free char *key = mem_printf("evals/%s/.commands/stop%s%s.json", job_id,
                                     sample_uuid ? "-sample-" : "", sample_uuid ? sample_uuid : "");
    char text[COMMAND_MAX];
    int n = snprintf(text, sizeof(text), "{\"type\":\"stop\",\"action\":\"%s\"}", actions[action]);
    return store_put(jobs->options.store, key, (Str){text, (size_t)n}, false, err);
}

static int begin_end(Jobs *jobs, const char *job_id, const char *code, const char *reason,
                     bool is_deletion, bool *ret_changed, Error *err)
{
    const JobMove move = {
        .job_id = job_id,
        .to = JOB_STOPPING,
        .reason_code = code,
        .reason = reason,
        .now_us = clock_now_us(),
        .exit_code = -1,
        .is_deletion = is_deletion,
    };
    if (jobs_priv_move(jobs, &move, ret_changed, err) < 0)
        return -1;
    Executor *executor = jobs->options.executor;
    executor->wake(executor);
    return 0;
}

/* Whether the runner is at the samples, where a command is heard; before that there is nothing to
 * score. */
static bool is_at_samples(Jobs *jobs, const Job *job)
{
    if (job->state != JOB_RUNNING)
        return false;
    auto_arena Arena *arena = arena_new();
    Executor *executor = jobs->options.executor;
    ExecutorState state;
    executor->probe(executor, arena, job->job_id, job->attempt, &state);
    static const char *const phases[] = {"running", "stopping", "finishing"};
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        if (state.phase && strcmp(state.phase, phases[i]) == 0)
            return true;
    return false;
}

int jobs_stop(Jobs *jobs, const Caller *caller, const char *job_id, const char *sample_uuid,
              JobsStop action, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Job job;
    if (sample_uuid && !is_sample_uuid(sample_uuid))
        return error_set(err, ERR_USAGE, "the uuid of the sample is not well-formed");
    if (get_to_change(jobs, caller, arena, job_id, &job, err) < 0)
        return -1;
    if (sample_uuid && job.type == JOB_SCAN)
        return error_set(err, ERR_USAGE, "%s is a scan, which has no samples of its own", job_id);
    if (job_state_is_over(job.state))
        return 0;
    if (job.type == JOB_SCAN)
        return begin_end(jobs, job_id, "stop.asked", "was stopped", false, NULL, err);
    if (sample_uuid || is_at_samples(jobs, &job))
        return put_command(jobs, job_id, sample_uuid, action, err);
    return begin_end(jobs, job_id, "stop.asked", "was stopped before its samples began", false,
                     NULL, err);
}

static int mark_deleted(Jobs *jobs, const char *job_id, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(jobs->options.sql, SQL_WRITE, &tx, err) < 0 ||
        job_table_delete_mark(tx, job_id, clock_now_us(), err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

int jobs_delete(Jobs *jobs, const Caller *caller, const char *job_id, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Job job;
    bool changed = false;
    if (get_to_change(jobs, caller, arena, job_id, &job, err) < 0)
        return -1;
    if (!job_state_is_over(job.state) &&
        begin_end(jobs, job_id, "stop.deleted", "is being ended because it was deleted", true,
                  &changed, err) < 0)
        return -1;
    /* It was over, or on its way there: then the mark is all that is missing. */
    if (!changed && mark_deleted(jobs, job_id, err) < 0)
        return -1;
    log_info("job.deleted", KV("job", job_id), KV("by", caller->sub));
    jobs_priv_changed(jobs, job_id);
    return 0;
}
