/* /eval_sets: submit, resume, stop, delete, the saved config. */

#include "server/routes.h"

#include <string.h>

#include "access/access.h"
#include "base/mem.h"
#include "jobs/jobs.h"
#include "jobspec/diagnostics.h"
#include "jobspec/ids.h"
#include "jobspec/jobspec.h"
#include "server/server_priv.h"

enum { SECRETS_MAX = 500, CONFIG_MAX = 8 << 20 };

/* --- decoding --- */

static int decode_priority(const Json *body, JobPriority *ret, Error *err)
{
    Str text = json_text(body, "priority", STR("medium"));
    if (job_priority_of(text, ret) < 0)
        return error_set(err, ERR_BAD_DATA, "priority: expected low, medium or high, found '%.*s'",
                         STR_ARG(text));
    return 0;
}

static bool is_variable_name(Str name)
{
    if (name.n == 0 || name.n > 255 || (name.p[0] >= '0' && name.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!word)
            return false;
    }
    return true;
}

typedef struct SecretList {
    ExecutorSecret *items;
    size_t n;
} SecretList;

static void secret_list_release(SecretList *list)
{
    for (size_t i = 0; i < list->n; i++)
        secret_free((Secret *)(uintptr_t)list->items[i].value);
    free(list->items);
}

static int decode_secrets(RouteCtx *ctx, const Json *body, SecretList *ret, Error *err)
{
    const Json *secrets = json_get(body, "secrets");
    if (json_is_null(secrets))
        return 0;
    if (secrets->type != JSON_OBJECT || secrets->n > SECRETS_MAX)
        return error_set(err, ERR_BAD_DATA,
                         "secrets: expected an object of at most %d names and values", SECRETS_MAX);
    ret->items = mem_array(secrets->n, sizeof(*ret->items));
    for (const Json *node = secrets->first; node; node = node->next) {
        if (node->type != JSON_STRING || !is_variable_name(node->key) ||
            memchr(node->text.p, 0, node->text.n))
            return error_set(err, ERR_BAD_DATA,
                             "secrets: '%.*s' is not a variable name with a text value",
                             STR_ARG(node->key));
        ret->items[ret->n++] =
            (ExecutorSecret){.name = arena_strndup(ctx->arena, node->key.p, node->key.n),
                             .value = secret_new(node->text)};
    }
    return 0;
}

/* Every declared secret that a user has to give is there. */
static int check_secrets(RouteCtx *ctx, const Jobspec *spec, const SecretList *given, Error *err)
{
    JobspecSecrets declared = jobspec_secrets(ctx->arena, spec);
    auto_buf Buf missing = BUF_INIT(4096);
    for (size_t i = 0; i < declared.n; i++) {
        bool found = declared.items[i].is_aws;
        for (size_t k = 0; k < given->n && !found; k++)
            found = strcmp(given->items[k].name, declared.items[i].name) == 0;
        if (!found)
            buf_printf(&missing, "%s%s", missing.len ? ", " : "", declared.items[i].name);
    }
    if (missing.len == 0)
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "required secrets were not given: %s", missing.data);
    (void)error_code(err, "job.secrets_missing");
    return error_fix(err,
                     "give each with --secret NAME (from your environment) or --secrets-file FILE");
}

static int fail_config(const Diagnostics *list, Error *err)
{
    auto_buf Buf text = BUF_INIT(64 * 1024);
    for (size_t i = 0; i < list->n; i++) {
        const Diagnostic *item = &list->items[i];
        if (item->severity == DIAGNOSTIC_ERROR)
            buf_printf(&text, "%s%s%s%s", text.len ? "; " : "", item->path, *item->path ? ": " : "",
                       item->message);
    }
    (void)error_set(err, ERR_BAD_DATA, "eval_set_config: %s", text.data);
    return error_code(err, "job.config_invalid");
}

static int decode_config(RouteCtx *ctx, const Json *body, const SecretList *secrets,
                         const Jobspec **ret, Error *err)
{
    const Json *config = json_get(body, "eval_set_config");
    *ret = NULL;
    if (json_is_null(config)) {
        if (!json_is_null(json_get(body, "eval_set_id")))
            return 0;
        return error_set(err, ERR_USAGE, "Missing eval_set_config");
    }
    Diagnostics list;
    diagnostics_init(&list, ctx->arena);
    const JobspecOptions options = {0};
    Jobspec *spec = NULL;
    auto_error Error refused = ERROR_INIT;
    if (jobspec_check(ctx->arena, config, "eval_set_config", JOBSPEC_EVAL_SET, &options, &list,
                      &spec, &refused) < 0)
        return list.n_errors ? fail_config(&list, err) : error_move(err, &refused);
    if (check_secrets(ctx, spec, secrets, err) < 0)
        return -1;
    *ret = spec;
    return 0;
}

/* --- handlers --- */

static int eval_set_create(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    HAWK_CLEANUP(secret_list_release) SecretList secrets = {0};
    JobsRequest request = {.type = JOB_EVAL_SET};
    if (route_body_json(ctx, &body, err) < 0 || decode_priority(body, &request.priority, err) < 0 ||
        decode_secrets(ctx, body, &secrets, err) < 0 ||
        decode_config(ctx, body, &secrets, &request.spec, err) < 0)
        return -1;
    Str id = json_text(body, "eval_set_id", STR_NONE);
    if (id.p)
        request.job_id = arena_strndup(ctx->arena, id.p, id.n);
    request.secrets = secrets.items;
    request.n_secrets = secrets.n;
    request.is_forced = json_bool(body, "force", false);
    request.log_dir_allow_dirty = json_bool(body, "log_dir_allow_dirty", false);
    JobsSubmitted submitted = {0};
    if (jobs_submit(ctx->app->jobs, ctx->caller, &request, ctx->arena, &submitted, err) < 0)
        return -1;
    auto_buf Buf answer = BUF_INIT(64 * 1024);
    JsonOut out;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kvz(&out, "eval_set_id", submitted.job_id);
    json_out_kv_array(&out, "warnings");
    for (size_t i = 0; i < submitted.n_warnings; i++)
        json_out_str(&out, str_of(submitted.warnings[i]));
    json_out_end_array(&out);
    json_out_end_object(&out);
    route_send_json(ctx, &answer);
    return 0;
}

static const char *job_id(RouteCtx *ctx)
{
    return arena_strndup(ctx->arena, ctx->params[0].p, ctx->params[0].n);
}

static void send_null(RouteCtx *ctx)
{
    http_response_bytes(ctx->response, "application/json", STR("null"));
}

static int eval_set_delete(RouteCtx *ctx, Error *err)
{
    if (jobs_delete(ctx->app->jobs, ctx->caller, job_id(ctx), err) < 0)
        return -1;
    send_null(ctx);
    return 0;
}

static int eval_set_stop(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    if (http_request_body_size(ctx->request) > 0 && route_body_json(ctx, &body, err) < 0)
        return -1;
    Str action = json_text(body, "action", STR("score"));
    if (!str_eqz(action, "score") && !str_eqz(action, "error"))
        return error_set(err, ERR_BAD_DATA, "action: expected score or error, found '%.*s'",
                         STR_ARG(action));
    Str uuid = json_text(body, "sample_uuid", STR_NONE);
    const char *sample = uuid.p ? arena_strndup(ctx->arena, uuid.p, uuid.n) : NULL;
    JobsStop how = str_eqz(action, "error") ? JOBS_STOP_ERROR : JOBS_STOP_SCORE;
    if (jobs_stop(ctx->app->jobs, ctx->caller, job_id(ctx), sample, how, err) < 0)
        return -1;
    send_null(ctx);
    return 0;
}

static int eval_set_config(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    if (jobs_get_for(ctx->app->jobs, ctx->caller, ctx->arena, job_id(ctx), &job, err) < 0)
        return -1;
    Str config = STR_NONE;
    if (jobs_config(ctx->app->jobs, ctx->arena, job.job_id, &config, err) < 0)
        return -1;
    http_response_bytes(ctx->response, "application/json", config);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "CreateEvalSetRequest",
      "eval_set_config?: EvalSetConfig?; eval_set_id?: str?; priority: 'low' | 'medium' | 'high' = 'medium'; image?: str?;"
      " image_tag?: str?; secrets?: str{}?; log_dir_allow_dirty: bool = false; refresh_token?: str?; force: bool = false;"
      " allow_sensitive_cross_lab_scan: bool = false" },
    { "CreateEvalSetResponse", "eval_set_id: str; warnings: str[]" },
    { "StopEvalSetRequest",    "sample_uuid?: str?; action: 'score' | 'error' = 'score'" },
};

static const Route rows[] = {
    { "POST",   "/eval_sets/",                     ROUTE_CHANGE, eval_set_create, "submit an eval set, or resume one in place",
      .body = "CreateEvalSetRequest", .answer = "CreateEvalSetResponse" },
    { "POST",   "/eval_sets",                      ROUTE_CHANGE, eval_set_create, "the same",
      .body = "CreateEvalSetRequest", .answer = "CreateEvalSetResponse" },
    { "DELETE", "/eval_sets/{eval_set_id}",        ROUTE_CHANGE, eval_set_delete,
      "end an eval set and mark it as deleted; its logs stay", .answer = "null" },
    { "POST",   "/eval_sets/{eval_set_id}/stop",   ROUTE_CHANGE, eval_set_stop,
      "let an eval set, or one sample of it, come to an end", .body = "StopEvalSetRequest?", .answer = "null" },
    { "GET",    "/eval_sets/{eval_set_id}/config", ROUTE_READ,   eval_set_config,
      "the config as it was submitted, with every default", .answer = "EvalSetConfig" },
};
/* clang-format on */

const RouteTable routes_eval_sets = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
