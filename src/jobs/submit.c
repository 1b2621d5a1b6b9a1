/* Submitting: check what the config asks for, reserve the id in the table, start the runner. A
   submit that does not come about leaves nothing behind; one that is cut short by a crash is found
   in the table by the next server. */

#include <assert.h>
#include <stdlib.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "jobs/submit_priv.h"
#include "jobspec/ids.h"

enum {
    CONFIG_MAX = 64 * 1024 * 1024,
    KEY_MAX = 160,
    JOBS_RETRY_S = 60, /* jobs end after minutes, not seconds */
};

/* ---- the config ---- */

static int load_saved(Submit *submit, Error *err)
{
    auto_free char *key = mem_printf("%s/%s/.config.yaml", job_type_root(submit->request->type),
                                     submit->request->job_id);
    auto_buf Buf text = BUF_INIT(CONFIG_MAX);
    auto_error Error reading = ERROR_INIT;
    if (store_get(submit->jobs->options.store, key, &text, &reading) < 0) {
        if (reading.kind != ERR_NOT_FOUND)
            return error_move(err, &reading);
        (void)error_set(err, ERR_NOT_FOUND, "the saved config of %s is missing",
                        submit->request->job_id);
        return error_code(err, "job.config_missing");
    }
    Str kept = arena_str(submit->arena, buf_str(&text));
    if (jobs_priv_spec(submit->arena, kept, submit->request->type, &submit->spec, err) < 0)
        return error_code(err, "job.config_invalid");
    return 0;
}

static int take_config(Submit *submit, Error *err)
{
    const JobsRequest *request = submit->request;
    if (!request->spec && !request->job_id) {
        (void)error_set(err, ERR_USAGE, "neither a config nor an id to resume was given");
        return error_code(err, "job.no_config");
    }
    if (request->spec) {
        submit->spec = arena_alloc(submit->arena, sizeof(*submit->spec));
        *submit->spec = *request->spec;
    } else if (load_saved(submit, err) < 0) {
        return -1;
    }
    auto_buf Buf text = BUF_INIT(CONFIG_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    jobspec_write(submit->spec, &out);
    if (buf_check(&text, "the config", err) < 0)
        return -1;
    submit->config = arena_str(submit->arena, buf_str(&text));
    return 0;
}

/* What another job was made of, if the caller may know. */
static int take_capsule(Submit *submit, Error *err)
{
    const char *from = submit->request->frozen_from;
    auto_error Error reading = ERROR_INIT;
    Job job;
    if (!from)
        return 0;
    if (jobs_get_for(submit->jobs, submit->caller, submit->arena, from, &job, err) < 0)
        return -1;
    if (jobs_priv_capsule(submit->jobs, submit->arena, &job, JOBS_CAPSULE_LEFT, &submit->capsule,
                          &reading) == 0)
        return 0;
    if (reading.kind != ERR_NOT_FOUND)
        return error_move(err, &reading);
    (void)error_set(err, ERR_CONFLICT, "%s has no capsule: it never came to its packages", from);
    (void)error_fix(err, "run it without --frozen");
    return error_code(err, "job.no_capsule");
}

/* ---- the id ---- */

static int check_id(Str id, Error *err)
{
    if (!ids_is_job_id(id)) {
        (void)error_set(err, ERR_USAGE,
                        "an id has 1 to 43 of the characters a-z, 0-9 and '-', and no '-' at its "
                        "ends");
        return error_code(err, "job.bad_id");
    }
    if (ids_is_imported(id)) {
        (void)error_set(err, ERR_USAGE, "ids that begin with \"imported-\" belong to imports");
        return error_code(err, "job.reserved_id");
    }
    return 0;
}

static int choose_id(Submit *submit, Error *err)
{
    Str pinned = jobspec_pinned_id(submit->spec);
    Str asked = str_of(submit->request->job_id);
    if (asked.p && pinned.p && !str_eq(asked, pinned)) {
        (void)error_set(err, ERR_USAGE, "the config is for %.*s, not for %.*s", STR_ARG(pinned),
                        STR_ARG(asked));
        return error_code(err, "job.id_conflict");
    }
    char made[IDS_JOB_ID_MAX + 1];
    Str id = asked.p ? asked : pinned;
    if (!id.p) {
        ids_generate(jobspec_name(submit->spec), made);
        id = str_of(made);
    }
    if (check_id(id, err) < 0)
        return -1;
    submit->job.job_id = arena_strndup(submit->arena, id.p, id.n);
    return 0;
}

/* ---- the row ---- */

static void fill_job(Submit *submit)
{
    const JobsRequest *request = submit->request;
    Str *names = arena_array(submit->arena, request->n_secrets + 1, sizeof(*names));
    for (size_t i = 0; i < request->n_secrets; i++)
        names[i] = str_of(request->secrets[i].name);
    Job *job = &submit->job;
    job->type = request->type;
    job->priority = request->priority;
    job->state = JOB_QUEUED;
    job->reason_code = "queue.turn";
    job->reason = "waits in the queue";
    job->created_by = submit->caller->sub;
    job->email = submit->caller->email;
    job->model_groups = submit->groups;
    job->n_model_groups = submit->n_groups;
    job->secret_names = names;
    job->n_secret_names = request->n_secrets;
    job->attempt = 1;
    job->home = submit->jobs->options.home;
    job->queued_us = clock_now_us();
}

/* Whether the caller may use an id that is there already, and whether that is the time. */
static int check_known(Submit *submit, const Job *known, Error *err)
{
    const AccessResource about = {.name = known->job_id, .owner = known->created_by};
    if (known->type != submit->job.type)
        return error_set(err, ERR_NOT_FOUND, "Job not found.");
    if (access_allows(submit->caller, ACCESS_JOB_CONTROL, &about, err) < 0)
        return -1;
    if (!job_state_is_over(known->state)) {
        (void)error_set(err, ERR_CONFLICT, "%s is %s", known->job_id, job_state_name(known->state));
        (void)error_fix(err, "wait until it is over, or end it with: hawk delete %s",
                        known->job_id);
        return error_code(err, "job.exists");
    }
    submit->job.attempt = known->attempt + 1;
    return 0;
}

/* An id without a row may still have logs: from another installation, say, or put there by hand.
   They stay, whatever becomes of this submit. */
static int check_outputs(Submit *submit, Error *err)
{
    auto_free char *prefix =
        mem_printf("%s/%s", job_type_root(submit->request->type), submit->job.job_id);
    if (store_has_any(submit->jobs->options.store, prefix, &submit->had_files, err) < 0)
        return -1;
    if (!submit->had_files)
        return 0;
    const AccessResource about = {.name = submit->job.job_id};
    return access_allows(submit->caller, ACCESS_JOB_CONTROL, &about, err);
}

/* What is changed in the logs of a run that goes on would be lost. */
static int check_edits(const Submit *submit, SqlTx *tx, Error *err)
{
    const JobsHooks *hooks = &submit->jobs->options.hooks;
    bool is_edited = false;
    if (hooks->edited && hooks->edited(hooks->context, tx, submit->job.job_id, &is_edited, err) < 0)
        return -1;
    if (!is_edited)
        return 0;
    (void)error_set(err, ERR_CONFLICT, "samples of %s are being edited", submit->job.job_id);
    (void)error_fix(err, "try again in a moment");
    return error_code(err, "job.editing");
}

static int write_row(Submit *submit, Error *err)
{
    const JobsRequest *request = submit->request;
    auto_sql_tx SqlTx *tx = NULL;
    Job known;
    if (sql_begin(submit->jobs->options.sql, SQL_WRITE, &tx, err) < 0)
        return -1;
    int found = job_table_find(tx, submit->arena, submit->job.job_id, &known, err);
    if (found < 0 || (found && check_known(submit, &known, err) < 0))
        return -1;
    if (!found && request->job_id)
        return error_set(err, ERR_NOT_FOUND, "Job not found.");
    submit->is_new = !found;
    bool changed = true;
    if (found) {
        if (check_edits(submit, tx, err) < 0 ||
            job_table_relaunch(tx, &submit->job, submit->config, request->log_dir_allow_dirty,
                               &changed, err) < 0)
            return -1;
        assert(changed);
    } else if (check_outputs(submit, err) < 0 || check_edits(submit, tx, err) < 0 ||
               job_table_insert(tx, &submit->job, submit->config, request->log_dir_allow_dirty,
                                err) < 0) {
        return -1;
    }
    return sql_commit(TAKE(tx), err);
}

static int check_own_jobs(const Submit *submit, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    int64_t max = submit->jobs->options.max_per_user;
    int64_t n = 0;
    if (max <= 0 || submit->request->is_forced)
        return 0;
    if (sql_begin(submit->jobs->options.sql, SQL_READ, &tx, err) < 0 ||
        job_table_count_live(tx, submit->caller->sub, &n, err) < 0)
        return -1;
    if (n < max)
        return 0;
    (void)error_set(err, ERR_BUSY, "you have %lld jobs that are not over; the limit is %lld",
                    (long long)n, (long long)max);
    (void)error_fix(err, "wait until some of them are over, or submit it with --force");
    (void)error_retry(err, JOBS_RETRY_S);
    return error_code(err, "outstanding_job_limit");
}

/* Makes the row durable and the job a live one that the controller leaves alone until it is
 * launched. */
static int reserve(Submit *submit, Error *err)
{
    Jobs *jobs = submit->jobs;
    JOBS_HOLD(&jobs->moving);
    JobsLive known;
    size_t n_live = 0;
    size_t n_running = 0;
    jobs_load(jobs, &n_live, &n_running);
    if (!jobs_priv_find_live(jobs, submit->job.job_id, &known) &&
        n_live >= (size_t)jobs->options.max_live) {
        (void)error_set(err, ERR_BUSY, "there are %zu jobs that are not over, which is the limit",
                        n_live);
        (void)error_fix(err, "wait until some of them are over");
        (void)error_retry(err, JOBS_RETRY_S);
        return error_code(err, "outstanding_job_limit");
    }
    if (check_own_jobs(submit, err) < 0 || write_row(submit, err) < 0)
        return -1;
    jobs_priv_add_live(jobs, submit->job.job_id,
                       &(JobsLive){.type = submit->job.type,
                                   .attempt = submit->job.attempt,
                                   .priority = submit->job.priority,
                                   .queued_us = submit->job.queued_us,
                                   .state = JOB_QUEUED,
                                   .is_launching = true});
    return 0;
}

/* ---- the launch ---- */

static int undo_new(Submit *submit, Error *err)
{
    Jobs *jobs = submit->jobs;
    Executor *executor = jobs->options.executor;
    const char *job_id = submit->job.job_id;
    if (!submit->had_files) {
        auto_free char *prefix = mem_printf("%s/%s", job_type_root(submit->job.type), job_id);
        if (store_delete_prefix(jobs->options.store, prefix, err) < 0)
            return -1;
    }
    if (executor->remove(executor, job_id, err) < 0)
        return -1;
    JOBS_HOLD(&jobs->moving);
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(jobs->options.sql, SQL_WRITE, &tx, err) < 0 ||
        job_table_remove(tx, job_id, err) < 0 || sql_commit(TAKE(tx), err) < 0)
        return -1;
    jobs_priv_drop_live(jobs, job_id);
    return 0;
}

static int undo_resumed(Submit *submit, const Error *why, Error *err)
{
    const JobMove move = {
        .job_id = submit->job.job_id,
        .attempt = submit->job.attempt,
        .to = JOB_FAILED,
        .reason_code = "launch.failed",
        .reason = error_text(why),
        .now_us = clock_now_us(),
        .exit_code = -1,
    };
    return jobs_priv_move(submit->jobs, &move, NULL, err);
}

/* What cannot be undone now is left to the controller, which finds a job without a runner. */
static void undo(Submit *submit, const Error *why)
{
    auto_error Error err = ERROR_INIT;
    int done = submit->is_new ? undo_new(submit, &err) : undo_resumed(submit, why, &err);
    if (done < 0)
        log_error("job.undo_failed", KV("job", submit->job.job_id), KV("error", error_text(&err)));
}

static int launch(Submit *submit, Error *err)
{
    const JobsLaunch what = {
        .job = &submit->job,
        .spec = submit->spec,
        .allow_dirty = submit->request->log_dir_allow_dirty,
        .secrets = submit->request->secrets,
        .n_secrets = submit->request->n_secrets,
        .traceparent = submit->request->traceparent,
        .capsule = submit->capsule,
    };
    int done = jobs_priv_launch(submit->jobs, &what, err);
    if (done < 0) {
        log_error("job.launch_failed", KV("job", submit->job.job_id), KV("error", error_text(err)));
        undo(submit, err);
        if (err->kind != ERR_NO_SPACE)
            (void)error_code(err, "job.launch");
    }
    jobs_priv_end_launch(submit->jobs, submit->job.job_id);
    Executor *executor = submit->jobs->options.executor;
    executor->wake(executor);
    return done;
}

static int check(Submit *submit, Error *err)
{
    if ((submit->request->job_id && check_id(str_of(submit->request->job_id), err) < 0) ||
        take_config(submit, err) < 0 || take_capsule(submit, err) < 0 ||
        choose_id(submit, err) < 0 || submit_priv_check_models(submit, err) < 0 ||
        submit_priv_check_secrets(submit, err) < 0)
        return -1;
    return 0;
}

int jobs_submit(Jobs *jobs, const Caller *caller, const JobsRequest *request, Arena *arena,
                JobsSubmitted *ret, Error *err)
{
    if (!atomic_load(&jobs->is_started))
        return error_set(err, ERR_BUSY, "the server is still starting");
    Submit submit = {.jobs = jobs, .caller = caller, .request = request, .arena = arena};
    if (check(&submit, err) < 0)
        return -1;
    fill_job(&submit);
    if (reserve(&submit, err) < 0 || launch(&submit, err) < 0)
        return -1;
    log_info("job.submitted", KV("job", submit.job.job_id), KV("by", caller->sub),
             KV_INT("attempt", submit.job.attempt));
    jobs_priv_changed(jobs, submit.job.job_id);
    *ret = (JobsSubmitted){.job_id = submit.job.job_id};
    return 0;
}
