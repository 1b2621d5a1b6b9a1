/* Opening and closing, the list of live jobs, watches, and reading. */

#include "jobs/jobs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/job_token.h"
#include "jobs/jobs_priv.h"

enum {
    DEFAULT_RUNNING = 4,
    DEFAULT_LIVE = 1000,
    DEFAULT_CANCEL_MS = 30 * 1000,
    DEFAULT_TOKEN_S = 3600,
    LIMIT_MAX = 500
};

/* clang-format off */
static const JobsProblem problems[] = {
    { "job.exists",            409, "Job already exists" },
    { "job.elsewhere",         409, "Another server has this job" },
    { "job.busy",              409, "Launch already in progress" },
    { "job.editing",           409, "Samples are being edited" },
    { "job.bad_id",            400, "Invalid eval_set_id" },
    { "job.reserved_id",       400, "Reserved eval_set_id" },
    { "job.id_conflict",       400, "Conflicting eval_set_id" },
    { "job.no_config",         400, "Missing eval_set_config" },
    { "job.config_missing",    404, "Saved configuration not found" },
    { "job.config_invalid",    422, "Saved configuration is invalid" },
    { "job.secrets_missing",   422, "Missing required secrets" },
    { "job.secret_source",     400, "Secret source mismatch" },
    { "job.secret_name",       400, "Invalid secret name" },
    { "job.secret_in_config",  400, "Secret in the config" },
    { "job.secrets_aws",       400, "Secrets manager not available" },
    { "job.model_unknown",     422, "Declared model unavailable" },
    { "job.scan_models",       400, "Unknown models in scan" },
    { "job.cross_lab",         403, "Cross-lab scan not allowed" },
    { "job.lab_unknown",       422, "Model provider unknown" },
    { "job.models_dead",       400, "Dead models" },
    { "job.no_model",          422, "Evaluation model declaration required" },
    { "outstanding_job_limit", 429, "Too many outstanding jobs" },
    { "job.no_capsule",        409, "No capsule" },
    { "job.launch",            500, "Failed to start eval-set" },
};
/* clang-format on */

const JobsProblem *jobs_problem(const char *code)
{
    for (size_t i = 0; code && i < ARRAY_LEN(problems); i++)
        if (strcmp(problems[i].code, code) == 0)
            return &problems[i];
    return NULL;
}

void jobs_priv_unlock(pthread_mutex_t **lock)
{
    (void)pthread_mutex_unlock(*lock);
}

/* ---- live jobs ---- */

static JobsLive *find_live(const Jobs *jobs, const char *job_id)
{
    for (size_t i = 0; i < jobs->n_live; i++)
        if (strcmp(jobs->live[i].job_id, job_id) == 0)
            return &jobs->live[i];
    return NULL;
}

void jobs_priv_add_live(Jobs *jobs, const char *job_id, const JobsLive *live)
{
    JOBS_HOLD(&jobs->lock);
    JobsLive *known = find_live(jobs, job_id);
    if (!known && jobs->n_live == jobs->room) {
        jobs->room = jobs->room ? jobs->room * 2 : 16;
        jobs->live = mem_resize(jobs->live, jobs->room, sizeof(*jobs->live));
    }
    char *own_id = known ? known->job_id : mem_strdup(job_id);
    if (!known)
        known = &jobs->live[jobs->n_live++];
    *known = *live;
    known->job_id = own_id;
}

void jobs_priv_end_launch(Jobs *jobs, const char *job_id)
{
    JOBS_HOLD(&jobs->lock);
    JobsLive *live = find_live(jobs, job_id);
    if (live)
        live->is_launching = false;
}

void jobs_priv_drop_live(Jobs *jobs, const char *job_id)
{
    JOBS_HOLD(&jobs->lock);
    JobsLive *live = find_live(jobs, job_id);
    if (!live)
        return;
    free(live->job_id);
    *live = jobs->live[--jobs->n_live];
}

bool jobs_priv_find_live(Jobs *jobs, const char *job_id, JobsLive *ret)
{
    JOBS_HOLD(&jobs->lock);
    const JobsLive *live = find_live(jobs, job_id);
    if (!live)
        return false;
    *ret = *live;
    ret->job_id = NULL;
    return true;
}

void jobs_priv_keep_flags(Jobs *jobs, const char *job_id, const JobsLive *flags)
{
    JOBS_HOLD(&jobs->lock);
    JobsLive *live = find_live(jobs, job_id);
    if (!live || live->attempt != flags->attempt)
        return;
    live->needs_launch = flags->needs_launch;
    live->needs_grant = flags->needs_grant;
    live->was_cancelled = flags->was_cancelled;
    live->kill_at_ms = flags->kill_at_ms;
    live->cancel_at_ms = flags->cancel_at_ms;
    live->last_at_ms = flags->last_at_ms;
    live->ended_seen_ms = flags->ended_seen_ms;
    live->end_at_ms = flags->end_at_ms;
}

static int compare_turns(const void *a, const void *b)
{
    const JobsLive *x = a;
    const JobsLive *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->queued_us != y->queued_us)
        return x->queued_us < y->queued_us ? -1 : 1;
    return strcmp(x->job_id, y->job_id);
}

JobsLive *jobs_priv_snapshot(Jobs *jobs, Arena *arena, size_t *ret_n)
{
    JOBS_HOLD(&jobs->lock);
    JobsLive *copy = arena_array(arena, jobs->n_live + 1, sizeof(*copy));
    for (size_t i = 0; i < jobs->n_live; i++) {
        copy[i] = jobs->live[i];
        copy[i].job_id = arena_strdup(arena, jobs->live[i].job_id);
    }
    *ret_n = jobs->n_live;
    qsort(copy, jobs->n_live, sizeof(*copy), compare_turns);
    return copy;
}

void jobs_load(Jobs *jobs, size_t *ret_live, size_t *ret_running)
{
    JOBS_HOLD(&jobs->lock);
    *ret_live = jobs->n_live;
    *ret_running = 0;
    for (size_t i = 0; i < jobs->n_live; i++)
        if (jobs->live[i].state != JOB_QUEUED)
            (*ret_running)++;
}

/* ---- moves ---- */

static int tell_moved(Jobs *jobs, SqlTx *tx, const char *job_id, Error *err)
{
    auto_arena Arena *arena = arena_new();
    const JobsHooks *hooks = &jobs->options.hooks;
    Job job;
    if (!hooks->moved)
        return 0;
    int found = job_table_find(tx, arena, job_id, &job, err);
    return found == 1 ? hooks->moved(hooks->context, tx, &job, err) : found;
}

static int record(Jobs *jobs, const JobMove *move, bool *ret_changed, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(jobs->options.sql, SQL_WRITE, &tx, err) < 0 ||
        job_table_move(tx, move, ret_changed, err) < 0 ||
        (*ret_changed && tell_moved(jobs, tx, move->job_id, err) < 0))
        return -1;
    bool is_last_word = move->is_retry || move->is_deletion || job_state_is_over(move->to);
    if (*ret_changed && is_last_word && job_token_revoke(tx, move->job_id, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

static void follow(Jobs *jobs, const JobMove *move)
{
    if (job_state_is_over(move->to)) {
        jobs_priv_drop_live(jobs, move->job_id);
        return;
    }
    JOBS_HOLD(&jobs->lock);
    JobsLive *live = find_live(jobs, move->job_id);
    if (!live)
        return;
    live->state = move->to;
    if (!move->is_retry)
        return;
    *live = (JobsLive){.job_id = live->job_id,
                       .type = live->type,
                       .attempt = live->attempt + 1,
                       .priority = live->priority,
                       .queued_us = live->queued_us,
                       .state = move->to,
                       .needs_launch = true,
                       .launch_at_ms = clock_monotonic_ms() + move->retry_ms};
}

static int move_held(Jobs *jobs, const JobMove *move, bool *ret_changed, Error *err)
{
    JOBS_HOLD(&jobs->moving);
    if (record(jobs, move, ret_changed, err) < 0)
        return -1;
    if (*ret_changed)
        follow(jobs, move);
    return 0;
}

int jobs_priv_move(Jobs *jobs, const JobMove *move, bool *ret_changed, Error *err)
{
    bool changed = false;
    if (move_held(jobs, move, &changed, err) < 0)
        return -1;
    if (changed) {
        log_info("job.moved", KV("job", move->job_id), KV("to", job_state_name(move->to)),
                 KV("reason", move->reason_code));
        jobs_priv_changed(jobs, move->job_id);
    }
    if (ret_changed)
        *ret_changed = changed;
    return 0;
}

/* ---- watches ---- */

JobsWatch *jobs_watch(Jobs *jobs, const char *job_id, JobsChanged *changed, void *context)
{
    JobsWatch *watch = mem_alloc(sizeof(*watch));
    *watch = (JobsWatch){.job_id = mem_strdup(job_id), .changed = changed, .context = context};
    JOBS_HOLD(&jobs->watching);
    watch->next = jobs->watches;
    jobs->watches = watch;
    return watch;
}

void jobs_unwatch(Jobs *jobs, JobsWatch *take_watch)
{
    if (!take_watch)
        return;
    JOBS_HOLD(&jobs->watching);
    JobsWatch **at = &jobs->watches;
    while (*at && *at != take_watch)
        at = &(*at)->next;
    if (*at)
        *at = take_watch->next;
    free(take_watch->job_id);
    free(take_watch);
}

void jobs_priv_changed(Jobs *jobs, const char *job_id)
{
    JOBS_HOLD(&jobs->watching);
    for (const JobsWatch *watch = jobs->watches; watch; watch = watch->next)
        if (!watch->job_id || strcmp(watch->job_id, job_id) == 0)
            watch->changed(watch->context, job_id);
}

/* ---- reading ---- */

int jobs_get(Jobs *jobs, Arena *arena, const char *job_id, Job *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(jobs->options.sql, SQL_READ, &tx, err) < 0)
        return -1;
    int found = job_table_find(tx, arena, job_id, ret, err);
    if (found < 0)
        return -1;
    return found ? 0 : error_set(err, ERR_NOT_FOUND, "Job not found.");
}

int jobs_self(Jobs *jobs, Arena *arena, Str token, JobsSelf *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    JobsSelf self = {.token_seconds = jobs->options.token_s};
    if (sql_begin(jobs->options.sql, SQL_READ, &tx, err) < 0)
        return -1;
    int found = job_token_find(tx, arena, token, clock_now_us(), &self.job, &self.expires_us, err);
    if (found < 0)
        return -1;
    if (!found)
        return error_set(err, ERR_LOGIN, "this is for a running job, with its own token");
    *ret = self;
    return 0;
}

static int extend_token(Jobs *jobs, const char *job_id, int64_t *ret_expires_us, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    int64_t expires_us = clock_now_us() + jobs->options.token_s * CLOCK_SECOND;
    if (sql_begin(jobs->options.sql, SQL_WRITE, &tx, err) < 0 ||
        job_token_extend(tx, job_id, expires_us, err) < 0 || sql_commit(TAKE(tx), err) < 0)
        return -1;
    if (ret_expires_us)
        *ret_expires_us = expires_us;
    return 0;
}

int jobs_renew(Jobs *jobs, JobsSelf *self, Error *err)
{
    return extend_token(jobs, self->job.job_id, &self->expires_us, err);
}

int jobs_priv_extend_token(Jobs *jobs, const char *job_id, Error *err)
{
    return extend_token(jobs, job_id, NULL, err);
}

int jobs_get_for(Jobs *jobs, const Caller *caller, Arena *arena, const char *job_id, Job *ret,
                 Error *err)
{
    Job job;
    if (jobs_get(jobs, arena, job_id, &job, err) < 0)
        return -1;
    const AccessResource about = {
        .name = job.job_id,
        .owner = job.created_by,
        .groups = job.model_groups,
        .n_groups = job.n_model_groups,
        .groups_known = true,
    };
    if (access_allows(caller, ACCESS_JOB_READ, &about, err) < 0)
        return -1;
    *ret = job;
    return 0;
}

int jobs_config(Jobs *jobs, Arena *arena, const char *job_id, Str *ret, Error *err)
{
    bool allow_dirty = false;
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(jobs->options.sql, SQL_READ, &tx, err) < 0)
        return -1;
    return job_table_config(tx, arena, job_id, ret, &allow_dirty, err);
}

int jobs_list(Jobs *jobs, const Caller *caller, const JobsQuery *query, Arena *arena, JobsList *ret,
              Error *err)
{
    if (access_allows(caller, ACCESS_JOB_LIST, NULL, err) < 0)
        return -1;
    if (query->page < 1 || query->page > INT32_MAX || query->limit < 1 || query->limit > LIMIT_MAX)
        return error_set(err, ERR_USAGE, "page must be at least 1 and limit within 1 and %d",
                         LIMIT_MAX);
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(jobs->options.sql, SQL_READ, &tx, err) < 0)
        return -1;
    return job_table_list(tx, sql_dialect(jobs->options.sql), arena, caller, query, ret, err);
}

/* ---- opening and closing ---- */

int jobs_open(const JobsOptions *options, Jobs **ret, Error *err)
{
    if (job_table_migrate(options->sql, err) < 0)
        return -1;
    Jobs *jobs = mem_alloc(sizeof(*jobs));
    jobs->options = *options;
    if (jobs->options.max_running <= 0)
        jobs->options.max_running = DEFAULT_RUNNING;
    if (jobs->options.max_live <= 0)
        jobs->options.max_live = DEFAULT_LIVE;
    if (jobs->options.cancel_ms <= 0)
        jobs->options.cancel_ms = DEFAULT_CANCEL_MS;
    (void)pthread_mutex_init(&jobs->moving, NULL);
    (void)pthread_mutex_init(&jobs->lock, NULL);
    (void)pthread_mutex_init(&jobs->watching, NULL);
    if (jobs->options.token_s <= 0)
        jobs->options.token_s = DEFAULT_TOKEN_S;
    *ret = jobs;
    return 0;
}

int jobs_start(Jobs *jobs, Error *err)
{
    if (jobs_priv_reconcile(jobs, err) < 0)
        return error_wrap(err, "cannot take over the jobs of an earlier server");
    int failed = pthread_create(&jobs->thread, NULL, jobs_priv_control, jobs);
    if (failed)
        return error_errno(err, failed, "cannot start the thread that controls jobs");
    jobs->has_thread = true;
    atomic_store(&jobs->is_started, true);
    return 0;
}

void jobs_close(Jobs *jobs)
{
    if (!jobs)
        return;
    atomic_store(&jobs->is_closing, true);
    if (jobs->has_thread) {
        Executor *executor = jobs->options.executor;
        executor->wake(executor);
        (void)pthread_join(jobs->thread, NULL);
    }
    for (size_t i = 0; i < jobs->n_live; i++)
        free(jobs->live[i].job_id);
    free(jobs->live);
    while (jobs->watches)
        jobs_unwatch(jobs, jobs->watches);
    (void)pthread_mutex_destroy(&jobs->watching);
    (void)pthread_mutex_destroy(&jobs->lock);
    (void)pthread_mutex_destroy(&jobs->moving);
    free(jobs);
}
