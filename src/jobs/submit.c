/* Submitting: check what the config asks for, reserve the id in the table, start the runner. A
   submit that does not come about leaves nothing behind; one that is cut short by a crash is found
   in the table by the next server. */

#include <assert.h>
#include <stdlib.h>

#include "access/access.h"
#include "access/models.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/json_out.h"
#include "jobs/executor_env.h"
#include "jobs/jobs_priv.h"
#include "jobspec/ids.h"

/* The kernel refuses a variable of 128 KiB, and with the usual stack 2 MiB of all arguments and
   variables; what is passed on from the server's environment has to fit as well. */
enum {
    CONFIG_MAX = 64 * 1024 * 1024,
    VARIABLE_MAX = 120 * 1024,
    VARIABLES_MAX = 1000,
    VARIABLES_BYTES_MAX = 1024 * 1024,
    KEY_MAX = 160,
    JOBS_RETRY_S = 60,        /* jobs end after minutes, not seconds */
    SECRET_IN_CONFIG_MIN = 8, /* shorter ones may be ordinary words */
};

/* A submit on its way. */
typedef struct Submit {
    Jobs *jobs;
    const Caller *caller;
    const JobsRequest *request;
    Arena *arena;
    Jobspec *spec;
    Job job;
    Str config;
    Str capsule;       /* STR_NONE: the packages are found anew */
    const Str *groups; /* of the models */
    size_t n_groups;
    bool is_new;    /* there was no row */
    bool had_files; /* there were logs or files of this id before */
} Submit;

static int coded(Error *err, const char *code)
{
    return error_code(err, code);
}

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
        return coded(err, "job.config_missing");
    }
    Str kept = arena_str(submit->arena, buf_str(&text));
    if (jobs_priv_spec(submit->arena, kept, submit->request->type, &submit->spec, err) < 0)
        return coded(err, "job.config_invalid");
    return 0;
}

static int take_config(Submit *submit, Error *err)
{
    const JobsRequest *request = submit->request;
    if (!request->spec && !request->job_id) {
        (void)error_set(err, ERR_USAGE, "neither a config nor an id to resume was given");
        return coded(err, "job.no_config");
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
    return coded(err, "job.no_capsule");
}

/* ---- the id ---- */

static int check_id(Str id, Error *err)
{
    if (!ids_is_job_id(id)) {
        (void)error_set(err, ERR_USAGE,
                        "an id has 1 to 43 of the characters a-z, 0-9 and '-', and no '-' at its "
                        "ends");
        return coded(err, "job.bad_id");
    }
    if (ids_is_imported(id)) {
        (void)error_set(err, ERR_USAGE, "ids that begin with \"imported-\" belong to imports");
        return coded(err, "job.reserved_id");
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
        return coded(err, "job.id_conflict");
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

/* ---- secrets ---- */

static bool has_name(const ExecutorSecret *items, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(items[i].name, name) == 0)
            return true;
    return false;
}

static int check_variable(const ExecutorSecret *item, Error *err)
{
    Str value = secret_reveal(item->value);
    if (!executor_env_is_allowed(str_of(item->name))) {
        (void)error_set(err, ERR_USAGE, "\"%.100s\" cannot be a variable of a job", item->name);
        return coded(err, "job.secret_name");
    }
    if (value.n > VARIABLE_MAX || str_find(value, '\0') >= 0) {
        (void)error_set(err, ERR_USAGE, "the value of %s is over %d bytes or has a zero byte in it",
                        item->name, VARIABLE_MAX);
        return coded(err, "job.secret_name");
    }
    return 0;
}

static size_t size_of_variables(const ExecutorSecret *items, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += strlen(items[i].name) + secret_reveal(items[i].value).n + 2 + sizeof(char *);
    return size;
}

/* A runner that could not be given all of them would not start. */
static int check_together(const JobsRequest *request, const ExecutorSecret *environment,
                          size_t n_environment, Error *err)
{
    if (request->n_secrets + n_environment <= VARIABLES_MAX &&
        size_of_variables(request->secrets, request->n_secrets) +
                size_of_variables(environment, n_environment) <=
            VARIABLES_BYTES_MAX)
        return 0;
    (void)error_set(err, ERR_BAD_DATA,
                    "the secrets and runner.environment are over %d variables or %d bytes together",
                    VARIABLES_MAX, VARIABLES_BYTES_MAX);
    return error_fix(err, "put what is large into a file that the task reads");
}

static int check_declared(const Submit *submit, const ExecutorSecret *environment,
                          size_t n_environment, Error *err)
{
    const JobsRequest *request = submit->request;
    JobspecSecrets declared = jobspec_secrets(submit->arena, submit->spec);
    auto_buf Buf missing = BUF_INIT(2000);
    for (size_t i = 0; i < declared.n; i++) {
        const char *name = declared.items[i].name;
        bool is_given = has_name(request->secrets, request->n_secrets, name);
        if (declared.items[i].is_aws && is_given) {
            (void)error_set(err, ERR_USAGE, "%s comes from the secrets manager, do not send it",
                            name);
            return coded(err, "job.secret_source");
        }
        if (declared.items[i].is_aws) {
            (void)error_set(err, ERR_USAGE, "%s: this server has no secrets manager", name);
            (void)error_fix(err, "declare it with type: env and give its value");
            return coded(err, "job.secrets_aws");
        }
        if (!is_given && !has_name(environment, n_environment, name))
            buf_printf(&missing, "%s%s", missing.len ? ", " : "", name);
    }
    if (!missing.len)
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "the config needs secrets that were not given: %s",
                    missing.data);
    (void)error_fix(err, "set them in your environment or a .env file and name them with --secret");
    return coded(err, "job.secrets_missing");
}

static bool is_declared(const JobspecSecrets *declared, const char *name)
{
    for (size_t i = 0; i < declared->n; i++)
        if (strcmp(declared->items[i].name, name) == 0)
            return true;
    return false;
}

/* A config is stored and shown to whoever may see the job, so what is a secret for certain may not
 * stand in it. */
static int check_config_is_clean(const Submit *submit, Error *err)
{
    const JobsRequest *request = submit->request;
    JobspecSecrets declared = jobspec_secrets(submit->arena, submit->spec);
    for (size_t i = 0; i < request->n_secrets; i++) {
        const ExecutorSecret *item = &request->secrets[i];
        Str value = secret_reveal(item->value);
        if (value.n < SECRET_IN_CONFIG_MIN ||
            (!secret_sounds(str_of(item->name)) && !is_declared(&declared, item->name)))
            continue;
        auto_buf Buf quoted = BUF_INIT(8 * VARIABLE_MAX);
        JsonOut out;
        json_out_init(&out, &quoted, 0);
        json_out_str(&out, value);
        bool is_there =
            str_find_str(submit->config, str_slice(buf_str(&quoted), 1, quoted.len - 1)) >= 0;
        mem_wipe(quoted.data, quoted.len);
        if (!is_there)
            continue;
        (void)error_set(err, ERR_USAGE, "the value of the secret %s stands in the config",
                        item->name);
        (void)error_fix(err, "let the task read the variable %s instead", item->name);
        return coded(err, "job.secret_in_config");
    }
    return 0;
}

static int check_secrets(Submit *submit, Error *err)
{
    const JobsRequest *request = submit->request;
    size_t n_environment = 0;
    ExecutorSecret *environment =
        jobs_priv_environment(submit->arena, submit->spec, &n_environment);
    int done = check_together(request, environment, n_environment, err);
    for (size_t i = 0; done == 0 && i < request->n_secrets; i++)
        done = check_variable(&request->secrets[i], err);
    for (size_t i = 0; done == 0 && i < n_environment; i++)
        done = check_variable(&environment[i], err);
    if (done == 0)
        done = check_declared(submit, environment, n_environment, err);
    if (done == 0)
        done = check_config_is_clean(submit, err);
    jobs_priv_free_secrets(environment, n_environment);
    return done;
}

/* ---- models ---- */

typedef struct Groups {
    Arena *arena;
    Str *items; /* each once */
    size_t n;
    size_t room;
} Groups;

static void add_group(Groups *groups, Str group)
{
    for (size_t i = 0; i < groups->n; i++)
        if (str_eq(groups->items[i], group))
            return;
    if (groups->n == groups->room) {
        size_t room = groups->room ? groups->room * 2 : 8;
        Str *larger = arena_array(groups->arena, room, sizeof(*larger));
        if (groups->n > 0)
            memcpy(larger, groups->items, groups->n * sizeof(*larger));
        groups->items = larger;
        groups->room = room;
    }
    groups->items[groups->n++] = group;
}

/* Adds the groups of everything that a name may mean; all of it must be there to be used. */
static int add_model(const Models *models, const char *name, Groups *groups, Error *err)
{
    size_t n = 0;
    for (const Model *model = NULL; (model = models_match(models, str_of(name), n)) != NULL; n++) {
        if (model->is_dead) {
            (void)error_set(err, ERR_USAGE, "%s is not served any more", name);
            return coded(err, "job.models_dead");
        }
        if (!model->is_active)
            break;
        add_group(groups, model->group);
    }
    if (n > 0 && !models_match(models, str_of(name), n))
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "%s is no model that this server knows", name);
    (void)error_fix(err, "an administrator can add it to the registry of models");
    return coded(err, "job.model_unknown");
}

/* Where groups decide who may see what, those of an eval set come from its models, so there must be
   one. A scan may do without: it has the groups of what it reads too. */
static int add_models(Submit *submit, Groups *groups, Error *err)
{
    Models models = {0};
    bool has_model = false;
    JobspecItems items = jobspec_models(submit->arena, submit->spec);
    if (models_load(submit->jobs->options.sql, submit->arena, &models, err) < 0)
        return -1;
    for (size_t i = 0; i < items.n; i++) {
        if (jobspec_is_no_model(items.items[i].name))
            continue;
        has_model = true;
        if (add_model(&models, items.items[i].name, groups, err) < 0)
            return -1;
    }
    if (!has_model && submit->request->type != JOB_SCAN) {
        (void)error_set(err, ERR_BAD_DATA, "the config declares no model");
        (void)error_fix(err, "name the models it uses under models or model_roles");
        return coded(err, "job.no_model");
    }
    return 0;
}

/* Whoever may see the results of a scan must be allowed to see what it has read. */
static int add_sources(const Submit *submit, Groups *groups, Error *err)
{
    const JobsRequest *request = submit->request;
    JobspecStrings ids = jobspec_scanned_ids(submit->arena, submit->spec);
    for (size_t i = 0; i < ids.n; i++) {
        const Str *found = NULL;
        size_t n = 0;
        if (request->source(request->source_context, ids.items[i], &found, &n, err) < 0)
            return -1;
        for (size_t k = 0; k < n; k++)
            add_group(groups, found[k]);
    }
    return 0;
}

static int check_models(Submit *submit, Error *err)
{
    Groups groups = {.arena = submit->arena};
    if (submit->caller->sees_all)
        add_group(&groups, STR(ACCESS_GROUP_LOCAL));
    else if (add_models(submit, &groups, err) < 0)
        return -1;
    if (submit->request->type == JOB_SCAN && add_sources(submit, &groups, err) < 0)
        return -1;
    submit->groups = groups.items;
    submit->n_groups = groups.n;
    const AccessResource about = {.name = "this config",
                                  .groups = submit->groups,
                                  .n_groups = submit->n_groups,
                                  .groups_known = true};
    return access_allows(submit->caller, ACCESS_JOB_CREATE, &about, err);
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
    job->reason = "waits for its turn";
    job->created_by = submit->caller->sub;
    job->email = submit->caller->email;
    job->model_groups = submit->groups;
    job->n_model_groups = submit->n_groups;
    job->secret_names = names;
    job->n_secret_names = request->n_secrets;
    job->attempt = 1;
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
        return coded(err, "job.exists");
    }
    submit->job.attempt = known->attempt + 1;
    return 0;
}

static int note_object(void *context, const char *key, const StoreStat *stat, Error *err)
{
    bool *found = context;
    (void)key;
    (void)stat;
    *found = true;
    return error_set(err, ERR_CANCELLED, "one is enough");
}

/* An id without a row may still have logs: from another installation, say, or put there by hand.
   They stay, whatever becomes of this submit. */
static int check_outputs(Submit *submit, Error *err)
{
    auto_free char *prefix =
        mem_printf("%s/%s", job_type_root(submit->request->type), submit->job.job_id);
    auto_error Error looking = ERROR_INIT;
    if (store_list(submit->jobs->options.store, prefix, true, note_object, &submit->had_files,
                   &looking) < 0 &&
        !submit->had_files)
        return error_move(err, &looking);
    if (!submit->had_files)
        return 0;
    const AccessResource about = {.name = submit->job.job_id};
    return access_allows(submit->caller, ACCESS_JOB_CONTROL, &about, err);
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
        if (job_table_relaunch(tx, &submit->job, submit->config, request->log_dir_allow_dirty,
                               &changed, err) < 0)
            return -1;
        assert(changed);
    } else if (check_outputs(submit, err) < 0 ||
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
    return coded(err, "outstanding_job_limit");
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
        return coded(err, "outstanding_job_limit");
    }
    if (jobs_priv_is_held(jobs, submit->job.job_id)) {
        (void)error_set(err, ERR_CONFLICT, "samples of %s are being edited", submit->job.job_id);
        (void)error_fix(err, "try again in a moment");
        return coded(err, "job.editing");
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
            (void)coded(err, "job.launch");
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
        choose_id(submit, err) < 0 || check_models(submit, err) < 0 ||
        check_secrets(submit, err) < 0)
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
