/* /scans: submit, resume, stop, delete, the saved config. */

#include "server/routes.h"

#include <string.h>

#include "access/access.h"
#include "jobs/jobs.h"
#include "jobspec/ids.h"
#include "jobspec/jobspec.h"
#include "server/imports.h"
#include "server/logs.h"
#include "server/server_priv.h"
#include "server/submits.h"

#define NOT_FOUND "Scan run not found."

enum { ANSWER_MAX = 64 << 10 };

/* --- what a scan reads --- */

static int check_is_there(RouteCtx *ctx, const char *eval_set_id, Error *err)
{
    bool found = false;
    const char *folder = arena_printf(ctx->arena, "evals/%s", eval_set_id);
    if (store_has_any(ctx->app->store, folder, &found, err) < 0)
        return -1;
    if (found)
        return 0;
    (void)error_set(err, ERR_NOT_FOUND, "there is no eval set %s to be scanned", eval_set_id);
    return error_fix(err, "'hawk list eval-sets' shows those that you may read");
}

/* What nobody knows the groups of is for those who see everything. */
static int find_source(void *context, const char *eval_set_id, JobsSourceFacts *ret, Error *err)
{
    static const Str unknown[] = {{ACCESS_GROUP_UNRESOLVED, sizeof(ACCESS_GROUP_UNRESOLVED) - 1}};
    RouteCtx *ctx = context;
    AccessResource resource = {.name = eval_set_id};
    auto_error Error refused = ERROR_INIT;
    if (check_is_there(ctx, eval_set_id, err) < 0 ||
        logs_resource(ctx, eval_set_id, &resource, err) < 0)
        return -1;
    if (access_allows(ctx->caller, ACCESS_LOG_READ, &resource, &refused) < 0)
        return error_set(err, ERR_DENIED, "You do not have permission to run this scan.");
    bool is_known = resource.groups_known && resource.n_groups > 0;
    ret->groups = is_known ? resource.groups : unknown;
    ret->n_groups = is_known ? resource.n_groups : ARRAY_LEN(unknown);
    return logs_models(ctx, eval_set_id, &ret->models, &ret->n_models, err);
}

/* --- handlers --- */

static int submit(RouteCtx *ctx, JobsRequest *request, Error *err)
{
    JobsSubmitted submitted = {0};
    request->type = JOB_SCAN;
    request->source = find_source;
    request->source_context = ctx;
    if (jobs_submit(ctx->app->jobs, ctx->caller, request, ctx->arena, &submitted, err) < 0)
        return -1;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kvz(&out, "scan_run_id", submitted.job_id);
    json_out_end_object(&out);
    route_send_json(ctx, &answer);
    return 0;
}

static int scan_create(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    auto_submits_secrets SubmitsSecrets secrets = {0};
    JobsRequest request = {0};
    if (route_body_json(ctx, &body, err) < 0 ||
        submits_read(ctx, body, STR("low"), &request, &secrets, err) < 0)
        return -1;
    request.allows_cross_lab = json_bool(body, "allow_sensitive_cross_lab_scan", false);
    const Json *config = json_get(body, "scan_config");
    if (json_is_null(config))
        return error_set(err, ERR_BAD_DATA, "scan_config: is needed");
    if (submits_config(ctx, config, "scan_config", JOBSPEC_SCAN, &secrets, &request.spec, err) < 0)
        return -1;
    return submit(ctx, &request, err);
}

static int scan_resume(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    auto_submits_secrets SubmitsSecrets secrets = {0};
    JobsRequest request = {0};
    if (submits_job_id(ctx, JOB_SCAN, NOT_FOUND, &request.job_id, err) < 0 ||
        (http_request_body_size(ctx->request) > 0 && route_body_json(ctx, &body, err) < 0) ||
        submits_read(ctx, body, STR("low"), &request, &secrets, err) < 0)
        return -1;
    request.allows_cross_lab = json_bool(body, "allow_sensitive_cross_lab_scan", false);
    return submit(ctx, &request, err);
}

static void send_null(RouteCtx *ctx)
{
    http_response_bytes(ctx->response, "application/json", STR("null"));
}

static int scan_stop(RouteCtx *ctx, Error *err)
{
    const char *id = NULL;
    Json *body = NULL;
    if (submits_job_id(ctx, JOB_SCAN, NOT_FOUND, &id, err) < 0 ||
        (http_request_body_size(ctx->request) > 0 && route_body_json(ctx, &body, err) < 0))
        return -1;
    const JobsStopHow how = {.within_s = json_int(body, "within_seconds", 0)};
    if (jobs_stop(ctx->app->jobs, ctx->caller, id, &how, err) < 0)
        return -1;
    send_null(ctx);
    return 0;
}

static int scan_delete(RouteCtx *ctx, Error *err)
{
    const char *id = NULL;
    int result = ids_is_imported(ctx->params[0])
                     ? imports_remove(ctx, IMPORTS_SCANS, ctx->params[0], err)
                 : submits_job_id(ctx, JOB_SCAN, NOT_FOUND, &id, err) < 0
                     ? -1
                     : jobs_delete(ctx->app->jobs, ctx->caller, id, err);
    if (result < 0)
        return -1;
    send_null(ctx);
    return 0;
}

static int scan_config(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    Str config = STR_NONE;
    const char *id = NULL;
    if (submits_job_id(ctx, JOB_SCAN, NOT_FOUND, &id, err) < 0 ||
        jobs_get_for(ctx->app->jobs, ctx->caller, ctx->arena, id, &job, err) < 0 ||
        jobs_config(ctx->app->jobs, ctx->arena, job.job_id, &config, err) < 0)
        return -1;
    http_response_bytes(ctx->response, "application/json", config);
    return 0;
}

/* clang-format off */
#define SUBMIT_MEMBERS \
    "priority: 'low' | 'medium' | 'high' = 'low'; image?: str?; image_tag?: str?; secrets?: str{}?; refresh_token?: str?;" \
    " force: bool = false; allow_sensitive_cross_lab_scan: bool = false"

static const Shape shapes[] = {
    { "CreateScanRequest", "scan_config: ScanConfig; " SUBMIT_MEMBERS },
    { "ResumeScanRequest", SUBMIT_MEMBERS },
    { "ScanSubmitted",     "scan_run_id: str" },
    { "StopScanRequest",   "within_seconds?: int?" },
};

#define ONE "/scans/{scan_run_id}"

static const Route rows[] = {
    { "POST",   "/scans/",     ROUTE_CHANGE, scan_create, "submit a scan of transcripts",
      .body = "CreateScanRequest", .answer = "ScanSubmitted" },
    { "POST",   "/scans",      ROUTE_CHANGE, scan_create, "the same",
      .body = "CreateScanRequest", .answer = "ScanSubmitted" },
    { "POST",   ONE "/resume", ROUTE_CHANGE, scan_resume, "go on with a scan that was stopped or has failed",
      .body = "ResumeScanRequest?", .answer = "ScanSubmitted" },
    { "POST",   ONE "/stop",   ROUTE_CHANGE, scan_stop,   "end a scan, within a time if one is given; what it has done is kept",
      .body = "StopScanRequest?", .answer = "null" },
    { "DELETE", ONE,           ROUTE_CHANGE, scan_delete, "end a scan and mark it as deleted; its results stay, but for those of an import",
      .answer = "null" },
    { "GET",    ONE "/config", ROUTE_READ,   scan_config, "the config as it was submitted, with every default",
      .answer = "ScanConfig" },
};
/* clang-format on */

const RouteTable routes_scans = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
