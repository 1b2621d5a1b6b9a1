/* /eval_sets: submit, resume, stop, delete, the saved config. */

#include "server/routes.h"

#include <string.h>

#include "access/humans.h"
#include "jobs/jobs.h"
#include "jobs/reasons.h"
#include "jobspec/ids.h"
#include "jobspec/jobspec.h"
#include "server/imports.h"
#include "server/server_priv.h"
#include "server/submits.h"

enum { ANSWER_MAX = 8 << 20 };

static int decode_config(RouteCtx *ctx, const Json *body, const SubmitsSecrets *secrets,
                         const Jobspec **ret, Error *err)
{
    const Json *config = json_get(body, "eval_set_config");
    *ret = NULL;
    if (!json_is_null(config))
        return submits_config(ctx, config, "eval_set_config", JOBSPEC_EVAL_SET, secrets, ret, err);
    if (!json_is_null(json_get(body, "eval_set_id")))
        return 0;
    return error_set(err, ERR_USAGE, "Missing eval_set_config");
}

static int eval_set_create(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    auto_submits_secrets SubmitsSecrets secrets = {0};
    JobsRequest request = {.type = JOB_EVAL_SET};
    if (route_body_json(ctx, &body, err) < 0 ||
        submits_read(ctx, body, STR("medium"), &request, &secrets, err) < 0 ||
        decode_config(ctx, body, &secrets, &request.spec, err) < 0)
        return -1;
    Str id = json_text(body, "eval_set_id", STR_NONE);
    if (id.p)
        request.job_id = arena_strndup(ctx->arena, id.p, id.n);
    const char *human = NULL;
    Str known = !id.p && request.spec ? jobspec_pinned_id(request.spec) : id;
    if (known.p && humans_assigned(ctx->app->sql, ctx->arena, known, &human, err) < 0)
        return -1;
    if (human) {
        (void)error_set(err, ERR_CONFLICT, "%.*s was for %s to take", STR_ARG(known), human);
        return error_code(err, "human.resume");
    }
    Str from = json_text(body, "frozen_from", STR_NONE);
    if (from.p)
        request.frozen_from = arena_strndup(ctx->arena, from.p, from.n);
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
    const char *id = NULL;
    int result = ids_is_imported(ctx->params[0])
                     ? imports_remove(ctx, IMPORTS_LOGS, ctx->params[0], err)
                 : submits_job_id(ctx, JOB_EVAL_SET, "Eval set not found.", &id, err) < 0
                     ? -1
                     : jobs_delete(ctx->app->jobs, ctx->caller, id, err);
    if (result < 0)
        return -1;
    send_null(ctx);
    return 0;
}

/* The sample that a body names, or NULL. */
static const char *sample_of(RouteCtx *ctx, const Json *body)
{
    Str uuid = json_text(body, "sample_uuid", STR_NONE);
    return uuid.p ? arena_strndup(ctx->arena, uuid.p, uuid.n) : NULL;
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
    const JobsStopHow how = {
        .sample_uuid = sample_of(ctx, body),
        .action = str_eqz(action, "error") ? JOBS_STOP_ERROR : JOBS_STOP_SCORE,
        .within_s = json_int(body, "within_seconds", 0),
    };
    if (jobs_stop(ctx->app->jobs, ctx->caller, job_id(ctx), &how, err) < 0)
        return -1;
    send_null(ctx);
    return 0;
}

static int eval_set_control(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    JobsCommandKind kind = JOBS_PAUSE;
    char id[JOBS_COMMAND_MAX] = "";
    if (route_body_json(ctx, &body, err) < 0)
        return -1;
    Str action = json_text(body, "action", STR(""));
    if (jobs_command_of(action, &kind) < 0)
        return error_set(err, ERR_BAD_DATA,
                         "action: expected pause, resume, requeue, retry or score, found '%.*s'",
                         STR_ARG(action));
    if (jobs_command(ctx->app->jobs, ctx->caller, job_id(ctx), kind, sample_of(ctx, body), id,
                     err) < 0)
        return -1;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kvz(&out, "command", id[0] ? id : NULL);
    json_out_end_object(&out);
    route_send_json(ctx, &answer);
    return 0;
}

static int eval_set_answers(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    if (jobs_get_for(ctx->app->jobs, ctx->caller, ctx->arena, job_id(ctx), &job, err) < 0)
        return -1;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &answer, 0);
    reasons_write_answers(ctx->app->jobs, &job, ctx->params[1], &out);
    if (buf_check(&answer, "the answers", err) < 0)
        return -1;
    route_send_json(ctx, &answer);
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
      " allow_sensitive_cross_lab_scan: bool = false; frozen_from?: str?" },
    { "CreateEvalSetResponse", "eval_set_id: str; warnings: str[]" },
    { "StopEvalSetRequest",    "sample_uuid?: str?; action: 'score' | 'error' = 'score'; within_seconds?: int?" },
    { "ControlRequest",
      "action: 'pause' | 'resume' | 'requeue' | 'retry' | 'score'; sample_uuid?: str?" },
    { "ControlAnswer",         "task: str; ok: bool; text: str; result: any" },
};

static const Route rows[] = {
    { "POST",   "/eval_sets/",                     ROUTE_CHANGE, eval_set_create, "submit an eval set, or resume one in place",
      .body = "CreateEvalSetRequest", .answer = "CreateEvalSetResponse" },
    { "POST",   "/eval_sets",                      ROUTE_CHANGE, eval_set_create, "the same",
      .body = "CreateEvalSetRequest", .answer = "CreateEvalSetResponse" },
    { "DELETE", "/eval_sets/{eval_set_id}",        ROUTE_CHANGE, eval_set_delete,
      "end an eval set and mark it as deleted, its logs stay; remove one that was imported, with its logs", .answer = "null" },
    { "POST",   "/eval_sets/{eval_set_id}/stop",   ROUTE_CHANGE, eval_set_stop,
      "let an eval set, or one sample of it, come to an end", .body = "StopEvalSetRequest?", .answer = "null" },
    { "POST",   "/eval_sets/{eval_set_id}/control", ROUTE_CHANGE, eval_set_control,
      "pause a running eval set, go on, run failed samples again, score what there is", .body = "ControlRequest",
      .answer = "{command: str?}" },
    { "GET",    "/eval_sets/{eval_set_id}/control/{command}", ROUTE_READ, eval_set_answers,
      "what the tasks that run have answered to a command", .answer = "{answers: ControlAnswer[]; waiting: int}" },
    { "GET",    "/eval_sets/{eval_set_id}/config", ROUTE_READ,   eval_set_config,
      "the config as it was submitted, with every default", .answer = "EvalSetConfig" },
};
/* clang-format on */

const RouteTable routes_eval_sets = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
