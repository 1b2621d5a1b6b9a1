/* Decoding and checking what a submit brings. */

#include "server/submits.h"

#include <string.h>

#include "base/mem.h"
#include "jobspec/diagnostics.h"
#include "server/server_priv.h"

enum { SECRETS_MAX = 500 };

static int decode_priority(const Json *body, Str fallback, JobPriority *ret, Error *err)
{
    Str text = json_text(body, "priority", fallback);
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

void submits_secrets_release(SubmitsSecrets *secrets)
{
    for (size_t i = 0; i < secrets->n; i++)
        secret_free((Secret *)(uintptr_t)secrets->items[i].value);
    free(secrets->items);
}

static int decode_secrets(RouteCtx *ctx, const Json *body, SubmitsSecrets *ret, Error *err)
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
static int check_secrets(RouteCtx *ctx, const Jobspec *spec, const SubmitsSecrets *given,
                         Error *err)
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

static int fail_config(const Diagnostics *list, const char *name, Error *err)
{
    auto_buf Buf text = BUF_INIT(64 * 1024);
    for (size_t i = 0; i < list->n; i++) {
        const Diagnostic *item = &list->items[i];
        if (item->severity == DIAGNOSTIC_ERROR)
            buf_printf(&text, "%s%s%s%s", text.len ? "; " : "", item->path, *item->path ? ": " : "",
                       item->message);
    }
    (void)error_set(err, ERR_BAD_DATA, "%s: %s", name, text.data);
    return error_code(err, "job.config_invalid");
}

int submits_read(RouteCtx *ctx, const Json *body, Str priority, JobsRequest *request,
                 SubmitsSecrets *secrets, Error *err)
{
    if (decode_priority(body, priority, &request->priority, err) < 0 ||
        decode_secrets(ctx, body, secrets, err) < 0)
        return -1;
    request->secrets = secrets->items;
    request->n_secrets = secrets->n;
    request->traceparent = route_traceparent(ctx);
    request->is_forced = json_bool(body, "force", false);
    return 0;
}

int submits_config(RouteCtx *ctx, const Json *config, const char *name, JobspecKind kind,
                   const SubmitsSecrets *secrets, const Jobspec **ret, Error *err)
{
    Diagnostics list;
    diagnostics_init(&list, ctx->arena);
    const JobspecOptions options = {.refuse_credentials = !ctx->caller->sees_all};
    Jobspec *spec = NULL;
    auto_error Error refused = ERROR_INIT;
    if (jobspec_check(ctx->arena, config, name, kind, &options, &list, &spec, &refused) < 0)
        return list.n_errors ? fail_config(&list, name, err) : error_move(err, &refused);
    if (check_secrets(ctx, spec, secrets, err) < 0)
        return -1;
    *ret = spec;
    return 0;
}

int submits_job_id(RouteCtx *ctx, JobType type, const char *not_found, const char **ret, Error *err)
{
    Job job = {0};
    const char *id = arena_strndup(ctx->arena, ctx->params[0].p, ctx->params[0].n);
    if (jobs_get(ctx->app->jobs, ctx->arena, id, &job, err) < 0) {
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        error_reset(err);
        return error_set(err, ERR_NOT_FOUND, "%s", not_found);
    }
    if (job.type != type)
        return error_set(err, ERR_NOT_FOUND, "%s", not_found);
    *ret = job.job_id;
    return 0;
}
