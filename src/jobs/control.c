/* Stopping, deleting, pausing: what users ask of a job that is there. The wish is made durable
   here; the controller carries it out, also after a crash, or the tasks that look for it do. */

#include <stdlib.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "jobs/job_token.h"
#include "jobs/jobs_priv.h"

enum { COMMAND_MAX = 4096, SAMPLE_UUID_MAX = 64, BY_MAX = 256 };

static const char *const actions[] = {[JOBS_STOP_SCORE] = "score", [JOBS_STOP_ERROR] = "error"};

/* A job that is not over and not one of ours is another server's, which would not hear of a change:
   its runner would go on. One of ours may end between two looks. */
static int check_is_here(Jobs *jobs, Arena *arena, Job *job, Error *err)
{
    JobsLive live;
    if (!jobs->options.leaves_others || job_state_is_over(job->state) ||
        jobs_priv_find_live(jobs, job->job_id, &live))
        return 0;
    if (jobs_get(jobs, arena, job->job_id, job, err) < 0)
        return -1;
    if (job_state_is_over(job->state))
        return 0;
    (void)error_set(err, ERR_CONFLICT, "another server has %s", job->job_id);
    (void)error_fix(err, "ask the server that it was submitted to");
    return error_code(err, "job.elsewhere");
}

/* The job if the caller may change it, here. */
static int get_to_change(Jobs *jobs, const Caller *caller, Arena *arena, const char *job_id,
                         Job *ret, Error *err)
{
    Job job;
    if (jobs_get(jobs, arena, job_id, &job, err) < 0)
        return -1;
    const AccessResource about = {.name = job.job_id, .owner = job.created_by};
    if (access_allows(caller, ACCESS_JOB_CONTROL, &about, err) < 0)
        return -1;
    if (check_is_here(jobs, arena, &job, err) < 0)
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

/* The key of a command; the caller frees. */
static char *command_key(JobType type, const char *job_id, const char *name, const char *of)
{
    return mem_printf("%s/%s/.commands/%s%s.json", job_type_root(type), job_id, name, of ? of : "");
}

bool jobs_priv_has_command(Jobs *jobs, const Job *job, const char *name)
{
    auto_free char *key = command_key(job->type, job->job_id, name, NULL);
    auto_error Error err = ERROR_INIT;
    StoreStat stat;
    return store_stat(jobs->options.store, key, &stat, &err) == 0;
}

/* When a stop turns into a cancel and that into a kill, in this attempt. */
static void write_deadlines(int64_t within_s, int64_t now_us, JsonOut *out)
{
    if (!within_s)
        return;
    json_out_kv_int(out, "cancel_at_us", now_us + within_s * CLOCK_SECOND * 3 / 5);
    json_out_kv_int(out, "kill_at_us", now_us + within_s * CLOCK_SECOND * 4 / 5);
}

/* The worker looks for these files while samples run. */
static int put_stop(Jobs *jobs, const Caller *caller, const Job *job, const JobsStopHow *how,
                    Error *err)
{
    int64_t now_us = clock_now_us();
    Str by = str_of(caller->email ? caller->email : caller->sub);
    auto_free char *key = command_key(job->type, job->job_id,
                                      how->sample_uuid ? "stop-sample-" : "stop", how->sample_uuid);
    auto_buf Buf text = BUF_INIT(COMMAND_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_object(&out);
    json_out_kvz(&out, "type", "stop");
    json_out_kvz(&out, "action", actions[how->action]);
    json_out_kv_int(&out, "attempt", job->attempt);
    json_out_kv_str(&out, "by", str_slice(by, 0, BY_MAX));
    json_out_kv_time(&out, "at", now_us);
    write_deadlines(how->within_s, now_us, &out);
    json_out_end_object(&out);
    return store_put(jobs->options.store, key, buf_str(&text), false, err);
}

/* The instant a deadline falls on, on the clock that only runs forward; 0 for none. */
static int64_t monotonic_of(int64_t at_us)
{
    return at_us ? clock_monotonic_ms() + (at_us - clock_now_us()) / 1000 : 0;
}

/* The file that asks a job to stop; NULL when there is none. */
static const Json *read_stop(Jobs *jobs, Arena *arena, JobType type, const char *job_id)
{
    auto_free char *key = command_key(type, job_id, "stop", NULL);
    auto_buf Buf text = BUF_INIT(COMMAND_MAX);
    auto_error Error err = ERROR_INIT;
    Json *node = NULL;
    if (store_get(jobs->options.store, key, &text, &err) < 0 ||
        json_parse(arena, arena_str(arena, buf_str(&text)), &json_limits_config, &node, &err) < 0)
        return NULL;
    return node;
}

bool jobs_priv_stopped(Jobs *jobs, Arena *arena, const Job *job, JobsStopped *ret)
{
    const Json *node = read_stop(jobs, arena, job->type, job->job_id);
    int64_t at_us = 0;
    Str by = json_text(node, "by", STR_NONE);
    if (!by.n || clock_parse(json_text(node, "at", STR("")), &at_us) < 0 ||
        json_int(node, "attempt", -1) != job->attempt)
        return false;
    *ret = (JobsStopped){.by = arena_strndup(arena, by.p, by.n),
                         .at_us = at_us,
                         .as_errors = str_eqz(json_text(node, "action", STR("")), "error")};
    return true;
}

void jobs_priv_read_deadlines(Jobs *jobs, const char *job_id, JobsLive *live)
{
    auto_arena Arena *arena = arena_new();
    const Json *node = read_stop(jobs, arena, live->type, job_id);
    if (json_int(node, "attempt", -1) != live->attempt)
        return;
    live->cancel_at_ms = monotonic_of(json_int(node, "cancel_at_us", 0));
    live->last_at_ms = monotonic_of(json_int(node, "kill_at_us", 0));
}

/* Lets the controller know of the deadlines of a stop. */
static void set_deadlines(Jobs *jobs, const char *job_id)
{
    JobsLive live;
    if (!jobs_priv_find_live(jobs, job_id, &live))
        return;
    jobs_priv_read_deadlines(jobs, job_id, &live);
    jobs_priv_keep_flags(jobs, job_id, &live);
}

int jobs_priv_begin_end(Jobs *jobs, const char *job_id, const char *code, const char *reason,
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

static int check_how(const JobsStopHow *how, Error *err)
{
    if (how->sample_uuid && !is_sample_uuid(how->sample_uuid))
        return error_set(err, ERR_USAGE, "the uuid of the sample is not well-formed");
    if (!how->within_s)
        return 0;
    if (how->within_s < JOBS_WITHIN_MIN_S || how->within_s > JOBS_WITHIN_MAX_S)
        return error_set(err, ERR_USAGE, "the time to stop within is %d seconds to 7 days",
                         JOBS_WITHIN_MIN_S);
    if (how->sample_uuid)
        return error_set(err, ERR_USAGE,
                         "one sample cannot be stopped within a time: what does "
                         "not end by itself can only be killed with its task");
    return 0;
}

int jobs_stop(Jobs *jobs, const Caller *caller, const char *job_id, const JobsStopHow *how,
              Error *err)
{
    auto_arena Arena *arena = arena_new();
    Job job;
    if (check_how(how, err) < 0 || get_to_change(jobs, caller, arena, job_id, &job, err) < 0)
        return -1;
    if (how->sample_uuid && job.type == JOB_SCAN)
        return error_set(err, ERR_USAGE, "%s is a scan, which has no samples of its own", job_id);
    if (job_state_is_over(job.state))
        return 0;
    if (how->sample_uuid)
        return put_stop(jobs, caller, &job, how, err);
    bool is_scan = job.type == JOB_SCAN;
    bool is_asked = !is_scan && is_at_samples(jobs, &job);
    auto_error Error untold = ERROR_INIT;
    if (put_stop(jobs, caller, &job, how, &untold) < 0 && (is_asked || how->within_s))
        return error_move(err, &untold);
    if (how->within_s)
        set_deadlines(jobs, job_id);
    if (is_asked)
        return 0;
    return jobs_priv_begin_end(jobs, job_id, "stop.asked",
                               is_scan ? "was stopped" : "was stopped before its samples began",
                               false, NULL, err);
}

/* clang-format off */
static const struct {
    const char *name;
    bool takes_sample;
    bool needs_sample;
} kinds[] = {
    [JOBS_PAUSE]   = {"pause",   false, false},
    [JOBS_RESUME]  = {"resume",  false, false},
    [JOBS_REQUEUE] = {"requeue", true,  true},
    [JOBS_RETRY]   = {"retry",   false, false},
    [JOBS_SCORE]   = {"score",   true,  false},
};
/* clang-format on */

int jobs_command_of(Str name, JobsCommandKind *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eqz(name, kinds[i].name)) {
            *ret = (JobsCommandKind)i;
            return 0;
        }
    return -1;
}

static int check_sample(JobsCommandKind kind, const char *sample_uuid, Error *err)
{
    if (sample_uuid ? !kinds[kind].takes_sample : kinds[kind].needs_sample)
        return error_set(err, ERR_USAGE,
                         sample_uuid ? "%s is not for one sample" : "%s needs the uuid of a sample",
                         kinds[kind].name);
    if (sample_uuid && !is_sample_uuid(sample_uuid))
        return error_set(err, ERR_USAGE, "the uuid of the sample is not well-formed");
    return 0;
}

/* A command that holds has no id. */
static int put_command(Jobs *jobs, const char *job_id, const char *name, const char *sample_uuid,
                       const char *id, Error *err)
{
    auto_free char *key = command_key(JOB_EVAL_SET, job_id, id ? "do-" : name, id);
    auto_buf Buf text = BUF_INIT(COMMAND_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_object(&out);
    json_out_kvz(&out, "type", name);
    json_out_kvz(&out, "sample_uuid", sample_uuid);
    json_out_kv_real(&out, "at", (double)clock_now_us() / (double)CLOCK_SECOND);
    json_out_end_object(&out);
    return store_put(jobs->options.store, key, buf_str(&text), false, err);
}

int jobs_command(Jobs *jobs, const Caller *caller, const char *job_id, JobsCommandKind kind,
                 const char *sample_uuid, char ret_id[JOBS_COMMAND_MAX], Error *err)
{
    auto_arena Arena *arena = arena_new();
    Job job;
    if (check_sample(kind, sample_uuid, err) < 0 ||
        get_to_change(jobs, caller, arena, job_id, &job, err) < 0)
        return -1;
    if (job.type == JOB_SCAN)
        return error_set(err, ERR_USAGE, "%s is a scan, which has no samples of its own", job_id);
    bool goes_on = kind == JOBS_RESUME && jobs_priv_has_command(jobs, &job, "pause");
    if (job_state_is_over(job.state) || !(goes_on || is_at_samples(jobs, &job))) {
        (void)error_set(err, ERR_CONFLICT, "%s is not running samples: it is %s", job_id,
                        job.state == JOB_RUNNING ? "still loading, or at its end"
                                                 : job_state_name(job.state));
        return error_fix(err, "'hawk explain %s' says why", job_id);
    }
    ret_id[0] = '\0';
    if (kind == JOBS_RESUME) {
        auto_free char *key = command_key(JOB_EVAL_SET, job_id, "pause", NULL);
        return store_delete(jobs->options.store, key, err);
    }
    if (kind != JOBS_PAUSE)
        random_id(ret_id, JOBS_COMMAND_MAX - 1);
    return put_command(jobs, job_id, kinds[kind].name, sample_uuid, ret_id[0] ? ret_id : NULL, err);
}

int jobs_ask_stacks(Jobs *jobs, const Job *job, char ret_id[JOBS_COMMAND_MAX], Error *err)
{
    if (job->type == JOB_SCAN || !is_at_samples(jobs, job)) {
        (void)error_set(err, ERR_CONFLICT, "where a job is can be told while it runs samples");
        return error_code(err, "stack.not_running");
    }
    random_id(ret_id, JOBS_COMMAND_MAX - 1);
    return put_command(jobs, job->job_id, "stack", NULL, ret_id, err);
}

void jobs_forget_command(Jobs *jobs, const char *job_id, const char *id)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *key = command_key(JOB_EVAL_SET, job_id, "do-", id);
    if (store_delete(jobs->options.store, key, &err) < 0)
        error_reset(&err); /* what stays goes with the run */
}

static int mark_deleted(Jobs *jobs, const char *job_id, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(jobs->options.sql, SQL_WRITE, &tx, err) < 0 ||
        job_table_delete_mark(tx, job_id, clock_now_us(), err) < 0 ||
        job_token_revoke(tx, job_id, err) < 0)
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
        jobs_priv_begin_end(jobs, job_id, "stop.deleted", "is being ended because it was deleted",
                            true, &changed, err) < 0)
        return -1;
    /* It was over, or on its way there: then the mark is all that is missing. */
    if (!changed && mark_deleted(jobs, job_id, err) < 0)
        return -1;
    log_info("job.deleted", KV("job", job_id), KV("by", caller->sub));
    jobs_priv_changed(jobs, job_id);
    return 0;
}
