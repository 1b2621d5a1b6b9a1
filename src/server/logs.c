/* Names of logs, and permission to read them. */

#include "server/logs.h"

#include <string.h>

#include "access/access.h"
#include "base/mem.h"
#include "base/names.h"
#include "jobspec/jobspec.h"
#include "server/server_priv.h"
#include "warehouse/importer/importer.h"
#include "warehouse/queries/queries.h"

enum { MODELS_JSON_MAX = 4 << 20 };

bool logs_is_log(Str key)
{
    Str name = str_slice(key, (size_t)(str_rfind(key, '/') + 1), key.n);
    if (importer_is_log(key))
        return true;
    return str_ends(name, STR(".json")) && name.n > 20 && name.p[4] == '-' && name.p[10] == 'T';
}

/* --- permission --- */

/* NULL when there is none. */
static int read_models_json(RouteCtx *ctx, const char *key, Json **ret, Error *err)
{
    auto_buf Buf body = BUF_INIT(MODELS_JSON_MAX);
    *ret = NULL;
    if (store_get(ctx->app->store, key, &body, err) < 0) {
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        error_reset(err);
        return 0;
    }
    if (json_parse(ctx->arena, arena_str(ctx->arena, buf_str(&body)), &json_limits_config, ret,
                   err) < 0)
        return error_wrap(err, "%s", key);
    return 0;
}

/* What was found in its logs or results counts too, as it does for lists: a file of models that was
   changed, a model that a scanner called. */
static int add_found_groups(RouteCtx *ctx, JobType type, const char *job_id,
                            AccessResource *resource, Error *err)
{
    const Json *lists = NULL;
    Names names = {.arena = ctx->arena};
    if (ctx->caller->sees_all || !resource->groups_known)
        return 0;
    if (queries_groups(ctx->app->sql, type == JOB_SCAN, str_of(job_id), ctx->arena, &lists, err) <
        0)
        return -1;
    for (size_t i = 0; i < resource->n_groups; i++)
        names_add(&names, resource->groups[i]);
    for (const Json *list = lists->first; list; list = list->next) {
        for (const Json *group = list->first; group; group = group->next)
            names_add(&names, group->text);
        if (!list->first)
            names_add(&names, STR(ACCESS_GROUP_UNRESOLVED));
    }
    resource->groups = names.items;
    resource->n_groups = names.n;
    return 0;
}

/* Imported sets have a .models.json and no job. */
static int find_declared(RouteCtx *ctx, JobType type, const char *job_id, AccessResource *resource,
                         Error *err)
{
    const char *key = arena_printf(ctx->arena, "%s/%s/.models.json", job_type_root(type), job_id);
    Job job = {0};
    if (jobs_get(ctx->app->jobs, ctx->arena, job_id, &job, err) == 0 && job.type == type) {
        resource->owner = job.created_by;
        resource->groups = job.model_groups;
        resource->n_groups = job.n_model_groups;
        resource->groups_known = true;
        return 0;
    }
    if (err->kind != ERR_NONE && err->kind != ERR_NOT_FOUND)
        return -1;
    error_reset(err);
    Json *root = NULL;
    if (read_models_json(ctx, key, &root, err) < 0)
        return -1;
    const Json *groups = json_get(root, "model_groups");
    if (!groups || groups->type != JSON_ARRAY)
        return 0;
    Str *names = arena_array(ctx->arena, groups->n, sizeof(*names));
    for (const Json *node = groups->first; node; node = node->next)
        names[resource->n_groups++] =
            node->type == JSON_STRING ? node->text : STR(ACCESS_GROUP_UNRESOLVED);
    resource->groups = names;
    resource->groups_known = true;
    return 0;
}

static int find_resource(RouteCtx *ctx, JobType type, const char *job_id, AccessResource *resource,
                         Error *err)
{
    if (find_declared(ctx, type, job_id, resource, err) < 0)
        return -1;
    return add_found_groups(ctx, type, job_id, resource, err);
}

int logs_resource(RouteCtx *ctx, const char *eval_set_id, AccessResource *resource, Error *err)
{
    return find_resource(ctx, JOB_EVAL_SET, eval_set_id, resource, err);
}

int logs_scan_resource(RouteCtx *ctx, const char *job_id, AccessResource *resource, Error *err)
{
    return find_resource(ctx, JOB_SCAN, job_id, resource, err);
}

int logs_models(RouteCtx *ctx, const char *eval_set_id, const Str **ret, size_t *ret_n, Error *err)
{
    const char *key = arena_printf(ctx->arena, "evals/%s/.models.json", eval_set_id);
    const Json *called = NULL;
    Json *root = NULL;
    size_t n = 0;
    if (read_models_json(ctx, key, &root, err) < 0 ||
        queries_models(ctx->app->sql, str_of(eval_set_id), ctx->arena, &called, err) < 0)
        return -1;
    const Json *declared = json_get(root, "model_names");
    const Json *const lists[] = {declared && declared->type == JSON_ARRAY ? declared : NULL,
                                 called};
    Str *names = arena_array(ctx->arena, called->n + (lists[0] ? declared->n : 0), sizeof(*names));
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (const Json *item = lists[i] ? lists[i]->first : NULL; item; item = item->next)
            if (item->type == JSON_STRING &&
                !jobspec_is_no_model(arena_strndup(ctx->arena, item->text.p, item->text.n)))
                names[n++] = item->text;
    *ret = names;
    *ret_n = n;
    return 0;
}

int logs_open_sample(RouteCtx *ctx, const QueriesPlace *place, EvalLog **ret_log, SampleParts **ret,
                     Error *err)
{
    auto_source Source *source = NULL;
    auto_evallog EvalLog *log = NULL;
    const EvalLogSample *sample = NULL;
    if (store_source(ctx->app->store, place->log_key, &source, err) < 0 ||
        evallog_open(source, &log, err) < 0)
        return -1;
    source = NULL;
    if (evallog_find_sample(log, str_of(place->id), place->epoch, &sample, err) < 0 ||
        sample_parts_open(log, sample, ret, err) < 0)
        return -1;
    *ret_log = TAKE(log);
    return 0;
}

static int check_access(RouteCtx *ctx, const char *eval_set_id, Error *err)
{
    AccessResource resource = {.name = eval_set_id};
    if (logs_resource(ctx, eval_set_id, &resource, err) < 0)
        return -1;
    return access_allows(ctx->caller, ACCESS_LOG_READ, &resource, err);
}

/* --- names --- */

/* Cuts off "s3://.../evals/", "file:///.../evals/", "/.../evals/" and "evals/". */
static Str relative(Str given)
{
    ptrdiff_t at = str_find_str(given, STR("/evals/"));
    bool is_absolute = str_starts(given, STR("/")) || str_find_str(given, STR("://")) >= 0;
    if (is_absolute && at >= 0)
        return str_slice(given, (size_t)at + sizeof("/evals/") - 1, given.n);
    if (str_starts(given, STR("evals/")))
        return str_slice(given, sizeof("evals/") - 1, given.n);
    return given;
}

static int refuse(Str given, Error *err)
{
    return error_set(err, ERR_DENIED, "'%.*s' is not the name of a log here",
                     STR_ARG(str_slice(given, 0, 200)));
}

/* Checks the form only. */
static int parse(Arena *arena, Str given, bool is_folder, LogsName *ret, Error *err)
{
    Str path = relative(given);
    while (is_folder && str_ends(path, STR("/")))
        path.n--;
    auto_free char *key = mem_printf("evals/%.*s", STR_ARG(path));
    if (path.n == 0 || strlen(key) != path.n + 6 || !store_key_is_valid(str_of(key)) ||
        str_find(path, '?') >= 0 || str_find(path, '#') >= 0)
        return refuse(given, err);
    ptrdiff_t slash = str_find(path, '/');
    if ((slash < 0) != is_folder || (slash >= 0 && str_rfind(path, '/') != slash))
        return refuse(given, err);
    ret->key = arena_strdup(arena, key);
    ret->eval_set_id = slash < 0 ? ret->key + 6 : arena_strndup(arena, path.p, (size_t)slash);
    ret->file = slash < 0 ? NULL : ret->key + 6 + slash + 1;
    return 0;
}

int logs_name(RouteCtx *ctx, Str given, LogsName *ret, Error *err)
{
    if (parse(ctx->arena, given, false, ret, err) < 0)
        return -1;
    if (!logs_is_log(str_of(ret->key)))
        return refuse(given, err);
    return check_access(ctx, ret->eval_set_id, err);
}

int logs_dir(RouteCtx *ctx, Str given, LogsName *ret, Error *err)
{
    if (parse(ctx->arena, given, true, ret, err) < 0)
        return -1;
    return check_access(ctx, ret->eval_set_id, err);
}
