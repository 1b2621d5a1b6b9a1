/* From a checked config to a runner: the set's files in the store, the infrastructure config, the
 * start. */

#include <stdlib.h>

#include "access/humans.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "codec/yaml.h"
#include "jobs/executor_env.h"
#include "jobs/job_token.h"
#include "jobs/jobs_priv.h"

enum { DOCUMENT_MAX = 64 * 1024 * 1024, INFRA_MAX = 48 * 1024 * 1024, KEY_MAX = 160 };

/* How often a running eval shares what it has: a folder on this machine costs nothing, a bucket
 * does. */
enum { SHARED_LOCAL_SECONDS = 2, SHARED_SECONDS = 60 };

/* Values that are the same for every eval set, as they go into its infrastructure config. */
/* clang-format off */
static const char *const eval_set_values[][2] = {
    { "retry_attempts",              "null" },
    { "retry_wait",                  "null" },
    { "retry_connections",           "null" },
    { "retry_cleanup",               "false" },
    { "retry_on_error",              "null" },
    { "continue_on_fail",            "true" },
    { "cleanup",                     "null" },
    { "tags",                        "null" },
    { "trace",                       "null" },
    { "display",                     "null" },
    { "log_level",                   "\"notset\"" },
    { "log_level_transcript",        "null" },
    { "log_format",                  "null" },
    { "fail_on_error",               "null" },
    { "debug_errors",                "null" },
    { "max_samples",                 "1000" },
    { "max_tasks",                   "1000" },
    { "max_subprocesses",            "null" },
    { "max_sandboxes",               "null" },
    { "log_samples",                 "null" },
    { "log_buffer",                  "null" },
    { "bundle_dir",                  "null" },
    { "bundle_overwrite",            "false" },
    { "coredns_image_uri",           "null" },
    { "sandbox_admission",           "null" },
    { "sandbox_runtime_class_name",  "null" },
    { "gpu_node_tolerations",        "[{\"key\":\"nvidia.com/gpu\",\"operator\":\"Exists\",\"effect\":\"NoSchedule\"}]" },
    { "hardened_runtime_class_name", "null" },
    { "eval_task_architecture",      "null" },
    { "acp_server",                  "null" },
    { "approval_timeout_minutes",    "null" },
};

/* The same for scans. */
static const char *const scan_values[][2] = {
    { "tags",                        "null" },
    { "display",                     "null" },
    { "log_level",                   "\"info\"" },
    { "log_level_transcript",        "null" },
    { "log_format",                  "null" },
};
/* clang-format on */

/* How this program's processor is called in images. */
static const char *architecture(void)
{
#if defined(__aarch64__)
    return "arm64";
#else
    return "amd64";
#endif
}

bool jobs_default(size_t i, const char **ret_name, const char **ret_json)
{
    if (i >= ARRAY_LEN(eval_set_values))
        return false;
    *ret_name = eval_set_values[i][0];
    *ret_json = eval_set_values[i][1];
    return true;
}

static void write_values(const char *const (*values)[2], size_t n, JsonOut *out)
{
    for (size_t i = 0; i < n; i++) {
        json_out_key(out, str_of(values[i][0]));
        json_out_raw(out, str_of(values[i][1]));
    }
}

static void write_eval_set(const Jobs *jobs, const JobsLaunch *launch, JsonOut *out)
{
    const Job *job = launch->job;
    auto_free char *key = mem_printf("evals/%s", job->job_id);
    auto_free char *log_dir = store_location(jobs->options.store, key);
    json_out_kvz(out, "log_dir", log_dir);
    json_out_kv_object(out, "metadata");
    json_out_kvz(out, "eval_set_id", job->job_id);
    json_out_kvz(out, "created_by", job->created_by);
    json_out_end_object(out);
    json_out_kv_bool(out, "log_dir_allow_dirty", launch->allow_dirty);
    json_out_kv_bool(out, "is_human_eval", launch->is_human_eval);
    auto_free char *local = store_local_path(jobs->options.store, key);
    json_out_kv_int(out, "log_shared", local ? SHARED_LOCAL_SECONDS : SHARED_SECONDS);
    write_values(eval_set_values, ARRAY_LEN(eval_set_values), out);
}

static void write_scan(const Jobs *jobs, const Job *job, const Jobspec *spec, JsonOut *out)
{
    auto_arena Arena *arena = arena_new();
    JobspecStrings ids = jobspec_scanned_ids(arena, spec);
    auto_free char *key = mem_printf("scans/%s", job->job_id);
    auto_free char *results_dir = store_location(jobs->options.store, key);
    json_out_kvz(out, "results_dir", results_dir);
    json_out_kv_array(out, "transcripts");
    for (size_t i = 0; i < ids.n; i++) {
        auto_free char *source = mem_printf("evals/%s", ids.items[i]);
        auto_free char *location = store_location(jobs->options.store, source);
        json_out_str(out, str_of(location));
    }
    json_out_end_array(out);
    json_out_kv_object(out, "metadata");
    json_out_kvz(out, "created_by", job->created_by);
    json_out_end_object(out);
    write_values(scan_values, ARRAY_LEN(scan_values), out);
}

void jobs_priv_infra(const Jobs *jobs, const JobsLaunch *launch, JsonOut *out)
{
    const Job *job = launch->job;
    json_out_object(out);
    json_out_kvz(out, "job_type", job_type_name(job->type));
    json_out_kvz(out, "job_id", job->job_id);
    json_out_kvz(out, "priority", job_priority_name(job->priority));
    json_out_kvz(out, "created_by", job->created_by);
    json_out_kvz(out, "email", job->email ? job->email : "unknown");
    json_out_kv_array(out, "model_groups");
    for (size_t i = 0; i < job->n_model_groups; i++)
        json_out_str(out, job->model_groups[i]);
    json_out_end_array(out);
    json_out_kvz(out, "cpu_architecture", architecture());
    if (launch->capsule.p) {
        json_out_key(out, STR("frozen"));
        json_out_raw(out, launch->capsule);
    }
    if (job->type == JOB_SCAN)
        write_scan(jobs, job, launch->spec, out);
    else
        write_eval_set(jobs, launch, out);
    json_out_end_object(out);
}

int jobs_priv_spec(Arena *arena, Str text, JobType type, Jobspec **ret, Error *err)
{
    const JobspecOptions options = {0};
    Diagnostics list;
    diagnostics_init(&list, arena);
    return jobspec_load_text(arena, text, "config",
                             type == JOB_SCAN ? JOBSPEC_SCAN : JOBSPEC_EVAL_SET, &options, &list,
                             ret, err);
}

ExecutorSecret *jobs_priv_environment(Arena *arena, const Jobspec *spec, size_t *ret_n)
{
    const Json *environment = json_get(json_get(spec->full, "runner"), "environment");
    *ret_n = 0;
    if (!environment || environment->type != JSON_OBJECT)
        return NULL;
    ExecutorSecret *items = arena_array(arena, environment->n + 1, sizeof(*items));
    for (const Json *item = environment->first; item; item = item->next)
        if (item->type == JSON_STRING)
            items[(*ret_n)++] =
                (ExecutorSecret){.name = arena_strndup(arena, item->key.p, item->key.n),
                                 .value = secret_new(item->text)};
    return items;
}

void jobs_priv_free_secrets(ExecutorSecret *secrets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        secret_free(secrets[i].value);
}

static const char *key_of(const Job *job, const char *name, char key[KEY_MAX])
{
    (void)snprintf(key, KEY_MAX, "%s/%s/%s", job_type_root(job->type), job->job_id, name);
    return key;
}

/* What decides who may read the set's logs. */
static int put_models(Jobs *jobs, const JobsLaunch *launch, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_buf Buf text = BUF_INIT(INFRA_MAX);
    JobspecItems models = jobspec_models(arena, launch->spec);
    JsonOut out;
    char key[KEY_MAX];
    json_out_init(&out, &text, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "model_names");
    for (size_t i = 0; i < models.n; i++)
        json_out_str(&out, str_of(models.items[i].name));
    json_out_end_array(&out);
    json_out_kv_array(&out, "model_groups");
    for (size_t i = 0; i < launch->job->n_model_groups; i++)
        json_out_str(&out, launch->job->model_groups[i]);
    json_out_end_array(&out);
    json_out_end_object(&out);
    if (buf_check(&text, "the list of models", err) < 0)
        return -1;
    return store_put(jobs->options.store, key_of(launch->job, ".models.json", key), buf_str(&text),
                     false, err);
}

static int put_config(Jobs *jobs, const JobsLaunch *launch, Error *err)
{
    auto_buf Buf text = BUF_INIT(DOCUMENT_MAX);
    char key[KEY_MAX];
    yaml_write(&text, launch->spec->full);
    if (buf_check(&text, "the config", err) < 0)
        return -1;
    return store_put(jobs->options.store, key_of(launch->job, ".config.yaml", key), buf_str(&text),
                     false, err);
}

/* What the job is bound to, from now on or since its first attempt. */
static int bind(Jobs *jobs, JobsLaunch *launch, Arena *arena, Error *err)
{
    auto_error Error none = ERROR_INIT;
    if (launch->capsule.p)
        return jobs_priv_bind_capsule(jobs, launch->job, launch->capsule, err);
    if (jobs_priv_capsule(jobs, arena, launch->job, JOBS_CAPSULE_BOUND, &launch->capsule, &none) <
            0 &&
        none.kind != ERR_NOT_FOUND)
        return error_move(err, &none);
    return 0;
}

/* Commands to an earlier attempt are not for this one. Of those that are kept its first process
 * forgets all but the pause. */
static int drop_commands(Jobs *jobs, const JobsLaunch *launch, Error *err)
{
    char key[KEY_MAX];
    if (launch->keeps_commands)
        return 0;
    return store_delete_prefix(jobs->options.store, key_of(launch->job, ".commands", key), err);
}

/* Whether somebody works instead of a model. Asked anew for each attempt: it is no part of the
 * config. */
static int find_human(const Jobs *jobs, JobsLaunch *launch, Arena *arena, Error *err)
{
    const char *human = NULL;
    if (humans_assigned(jobs->options.sql, arena, str_of(launch->job->job_id), &human, err) < 0)
        return -1;
    launch->is_human_eval = human != NULL;
    return 0;
}

static int mint_token(Jobs *jobs, const Job *job, Secret **ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_secret Secret *token = NULL;
    int64_t expires_us = clock_now_us() + jobs->options.token_s * CLOCK_SECOND;
    if (sql_begin(jobs->options.sql, SQL_WRITE, &tx, err) < 0 ||
        job_token_mint(tx, job->job_id, job->attempt, expires_us, &token, err) < 0 ||
        sql_commit(TAKE(tx), err) < 0)
        return error_wrap(err, "cannot make the job's token");
    *ret = TAKE(token);
    return 0;
}

static int start_runner(Jobs *jobs, const JobsLaunch *asked, Error *err)
{
    auto_arena Arena *arena = arena_new();
    JobsLaunch bound = *asked;
    const JobsLaunch *launch = &bound;
    auto_buf Buf user = BUF_INIT(DOCUMENT_MAX);
    auto_buf Buf infra = BUF_INIT(INFRA_MAX);
    JsonOut out;
    if (bind(jobs, &bound, arena, err) < 0 || find_human(jobs, &bound, arena, err) < 0)
        return -1;
    json_out_init(&out, &user, 2);
    jobspec_write(launch->spec, &out);
    json_out_init(&out, &infra, 2);
    jobs_priv_infra(jobs, launch, &out);
    if (buf_check(&user, "the config", err) < 0 || buf_check(&infra, "the config", err) < 0)
        return -1;
    auto_secret Secret *token = NULL;
    if (mint_token(jobs, launch->job, &token, err) < 0)
        return -1;
    size_t n_environment = 0;
    ExecutorSecret *environment = jobs_priv_environment(arena, launch->spec, &n_environment);
    const ExecutorRun run = {
        .job_id = launch->job->job_id,
        .job_type = job_type_name(launch->job->type),
        .attempt = launch->job->attempt,
        .user_config = buf_str(&user),
        .infra_config = buf_str(&infra),
        .traceparent = launch->traceparent,
        .environment = environment,
        .n_environment = n_environment,
        .secrets = launch->secrets,
        .n_secrets = launch->n_secrets,
        .token = token,
        .api_url = jobs->options.api_url,
    };
    Executor *executor = jobs->options.executor;
    int done = executor->start(executor, &run, err);
    jobs_priv_free_secrets(environment, n_environment);
    return done;
}

int jobs_priv_launch(Jobs *jobs, const JobsLaunch *launch, Error *err)
{
    if (put_models(jobs, launch, err) < 0 || put_config(jobs, launch, err) < 0 ||
        drop_commands(jobs, launch, err) < 0)
        return error_wrap(err, "cannot store the job's files");
    return start_runner(jobs, launch, err);
}
