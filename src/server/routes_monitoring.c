/* /monitoring: status of a job, its output, and the stream that `hawk watch` follows. */

#include "server/routes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/sse.h"
#include "jobs/doctor.h"
#include "jobs/jobs.h"
#include "jobs/reasons.h"
#include "jobs/status.h"
#include "jobspec/ids.h"
#include "server/server_priv.h"

enum {
    ANSWER_MAX = 64 << 20, /* 10,000 log entries, or the samples of a large eval set */
    STREAM_POLL_MS = 1000, /* live buffers change without telling anyone */
    STREAM_PING_MS = 15 * 1000,
    DEFAULT_LOG_HOURS = 24,
};

int server_job_of_path(RouteCtx *ctx, Job *ret, Error *err)
{
    if (!ids_is_job_id(ctx->params[0]))
        return error_set(err, ERR_USAGE, "'%.*s' is not a job id", STR_ARG(ctx->params[0]));
    const char *id = arena_strndup(ctx->arena, ctx->params[0].p, ctx->params[0].n);
    return jobs_get_for(ctx->app->jobs, ctx->caller, ctx->arena, id, ret, err);
}

static int param_since(RouteCtx *ctx, int64_t hours, int64_t *ret, Error *err)
{
    Str text = http_request_param(ctx->request, "since", 0);
    *ret = clock_now_us() - hours * 3600 * CLOCK_SECOND;
    if (text.p && clock_parse(text, ret) < 0)
        return error_set(err, ERR_BAD_DATA, "since: expected a time such as 2026-01-31T10:00:00Z");
    return 0;
}

static int monitoring_status(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    int64_t since = 0;
    if (param_since(ctx, DEFAULT_LOG_HOURS, &since, err) < 0 ||
        server_job_of_path(ctx, &job, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_key(&out, STR("data"));
    if (status_write_monitoring(ctx->app->jobs, &job, since, &out, err) < 0)
        return -1;
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

static int param_bool(RouteCtx *ctx, const char *name)
{
    Str text = http_request_param(ctx->request, name, 0);
    return str_eqz(text, "true") || str_eqz(text, "1");
}

static int monitoring_logs(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    StatusLogQuery query = {0};
    Str sort = http_request_param(ctx->request, "sort", 0);
    if (sort.p && !str_eqz(sort, "asc") && !str_eqz(sort, "desc"))
        return error_set(err, ERR_BAD_DATA, "sort: expected asc or desc");
    query.is_ascending = str_eqz(sort, "asc");
    query.from_start = param_bool(ctx, "from_start");
    if (param_since(ctx, DEFAULT_LOG_HOURS, &query.since_us, err) < 0 ||
        route_param_int(ctx, "limit", 0, 1, INT32_MAX, &query.limit, err) < 0 ||
        server_job_of_path(ctx, &job, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_key(&out, STR("entries"));
    if (status_write_logs(ctx->app->jobs, &job, &query, &out, err) < 0)
        return -1;
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

static int monitoring_job_status(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    if (server_job_of_path(ctx, &job, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    if (status_write_job(ctx->app->jobs, &job, &out, err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

static int monitoring_explain(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    if (server_job_of_path(ctx, &job, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    reasons_write(ctx->app->jobs, &job, &out);
    if (buf_check(&body, "the explanation", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

static int monitoring_doctor(RouteCtx *ctx, Error *err)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    if (doctor_write(ctx->app->jobs, ctx->caller, &out, err) < 0 ||
        buf_check(&body, "the findings", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* {"data": <EvalSetStatus>, "etag": "..."} */
static int write_eval_set_status(App *app, const Caller *caller, const Job *job, Str known_etag,
                                 Buf *body, StatusTag *tag, Error *err)
{
    buf_addz(body, "{\"data\":");
    if (status_write_eval_set(app->jobs, job, caller, known_etag, body, tag, err) < 0)
        return -1;
    if (tag->is_unchanged)
        return 0;
    buf_addz(body, ",\"etag\":");
    JsonOut out;
    json_out_init(&out, body, 0);
    json_out_str(&out, str_of(tag->etag));
    buf_addz(body, "}");
    return buf_check(body, "the status", err);
}

static int monitoring_eval_set_status(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    StatusTag tag = {0};
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    if (server_job_of_path(ctx, &job, err) < 0 ||
        write_eval_set_status(ctx->app, ctx->caller, &job,
                              http_request_header(ctx->request, "If-None-Match"), &body, &tag,
                              err) < 0)
        return -1;
    http_response_header(ctx->response, "ETag", str_of(tag.etag));
    http_response_header(ctx->response, "Cache-Control", STR("no-cache"));
    if (tag.is_unchanged) {
        http_response_status(ctx->response, 304);
        return 0;
    }
    route_send_json(ctx, &body);
    return 0;
}

/* --- the stream --- */

typedef struct StatusStream {
    App *app;
    Arena *arena; /* holds the id and the caller */
    const char *job_id;
    Caller caller;
    char etag[STATUS_ETAG_MAX];
    int64_t last_sent_ms;
    JobsWatch *watch;
    HttpStream *stream; /* set by the first next() */
} StatusStream;

static void job_changed(void *context, const char *job_id)
{
    (void)job_id;
    StatusStream *state = context;
    HttpStream *stream = __atomic_load_n(&state->stream, __ATOMIC_ACQUIRE);
    if (stream)
        http_stream_wake(stream);
}

/* Appends a status event if the status is another than the last one sent; tells whether it was the
 * last. */
static int append_status(StatusStream *state, Buf *out, bool *ret_is_last, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Job job = {0};
    StatusTag tag = {0};
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    if (jobs_get_for(state->app->jobs, &state->caller, arena, state->job_id, &job, err) < 0 ||
        write_eval_set_status(state->app, &state->caller, &job, str_of(state->etag), &body, &tag,
                              err) < 0)
        return -1;
    *ret_is_last = tag.is_terminal;
    if (tag.is_unchanged)
        return 0;
    memcpy(state->etag, tag.etag, sizeof(state->etag));
    sse_add_event(out, STR_NONE, STR("status"), buf_str(&body));
    state->last_sent_ms = clock_monotonic_ms();
    return 0;
}

static HttpStreamStep stream_next(void *context, HttpStream *stream, Buf *out, int *wait_ms)
{
    StatusStream *state = context;
    auto_error Error err = ERROR_INIT;
    bool is_last = false;
    __atomic_store_n(&state->stream, stream, __ATOMIC_RELEASE);
    if (append_status(state, out, &is_last, &err) < 0) {
        sse_add_event(out, STR_NONE, STR("error"), STR("internal error"));
        return HTTP_STREAM_END;
    }
    bool has_expired = state->caller.expires_us && clock_now_us() >= state->caller.expires_us;
    if (is_last || has_expired || http_stream_is_ending(stream))
        return HTTP_STREAM_END;
    if (out->len == 0 && clock_monotonic_ms() - state->last_sent_ms >= STREAM_PING_MS) {
        sse_add_comment(out, STR("ping"));
        state->last_sent_ms = clock_monotonic_ms();
    }
    *wait_ms = STREAM_POLL_MS;
    return HTTP_STREAM_WAIT;
}

static void stream_close(void *context)
{
    StatusStream *state = context;
    jobs_unwatch(state->app->jobs, state->watch);
    arena_free(state->arena);
    free(state);
}

static const HttpStreamOps stream_ops = {stream_next, stream_close};

/* A copy that outlives the request. What the stream looks up again and again is no new decision,
   and who would be told of it has ended with the request. */
static Caller keep_caller(Arena *arena, const Caller *caller)
{
    Caller kept = *caller;
    kept.audit = NULL;
    const char **groups = arena_array(arena, caller->n_groups, sizeof(*groups));
    for (size_t i = 0; i < caller->n_groups; i++)
        groups[i] = arena_strdup(arena, caller->groups[i]);
    kept.groups = groups;
    kept.sub = arena_strdup(arena, caller->sub);
    kept.email = arena_strdup(arena, caller->email);
    return kept;
}

static int monitoring_eval_set_stream(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    if (server_job_of_path(ctx, &job, err) < 0)
        return -1;
    StatusStream *state = mem_alloc(sizeof(*state));
    state->app = ctx->app;
    state->arena = arena_new();
    state->job_id = arena_strdup(state->arena, job.job_id);
    state->caller = keep_caller(state->arena, ctx->caller);
    state->watch = jobs_watch(ctx->app->jobs, state->job_id, job_changed, state);
    http_response_header(ctx->response, "Cache-Control", STR("no-cache"));
    http_response_stream(ctx->response, "text/event-stream; charset=utf-8", &stream_ops, state);
    return 0;
}

/* clang-format off */
#define JOB_STATUSES \
    "'pending' | 'running' | 'waiting_for_capacity' | 'importing' | 'stuck' | 'complete' | 'failed' | 'deleted'"

static const Shape shapes[] = {
    { "LogEntry", "timestamp: time; service: str; message: str; level: str?; attributes: object" },
    { "PodCondition", "type: str; status: str; reason: str?; message: str?" },
    { "ContainerStatus", "name: str; ready: bool; state: str; reason: str?; message: str?; restart_count: int" },
    { "PodEvent", "type: str; reason: str; message: str; count: int; timestamp: time?; field_path: str?" },
    { "PodStatusInfo",
      "name: str; namespace: str; phase: str; component: str?; job_type: str?; sample_id: str?; conditions: PodCondition[];"
      " container_statuses: ContainerStatus[]; events: PodEvent[]; creation_timestamp: time?; pod_ip: str?" },
    { "PodStatusData", "pods: PodStatusInfo[]" },
    { "MetricsQueryResult", "value: num?; unit: str?" },
    { "AdmissionStatus",
      "state: 'pending' | 'queued' | 'admitted' | 'unknown'; queue: str?; priority_class: str?; priority: int?; reason: str?;"
      " message: str?; queued_at: time?; admitted_at: time?" },
    { "JobMonitoringData",
      "job_id: str; provider: str; fetch_timestamp: time; since: time; logs: {entries: LogEntry[]}?;"
      " metrics: MetricsQueryResult{}?; errors: str{}; user_config: str?; pod_status: PodStatusData?; performance: object?" },
    { "ImportStatusDetail", "location: str; status: 'pending' | 'importing' | 'success' | 'failed'; error_message: str?" },
    { "ImportSummary", "total: int; pending: int; importing: int; success: int; failed: int; details: ImportStatusDetail[]" },
    { "EvalSetDetails", "import_summary: ImportSummary?; warehouse_sample_count: int; trouble_reason: str?" },
    { "ScanDetails", "scan_id: str; scan_name: str?; errors: str[]?; scanner_result_count: int; trouble_reason: str?" },
    { "JobStatusResponse",
      "job_type: 'eval_set' | 'scan' | 'unknown'; status: " JOB_STATUSES "; pending_interactions: int;"
      " pod_status: PodStatusData?; pod_status_error: str?; unschedulable_sandboxes: int; admission: AdmissionStatus?;"
      " details: EvalSetDetails | ScanDetails" },
    { "StatusProgress", "total: int; completed: int; running: int; errored: int; canceled: int; limit: int; waiting: int" },
    { "EventBrief", "type: str; description: str?; timestamp: time?; duration_seconds: num?; pending: bool" },
    { "SampleStatus",
      "id: str; epoch: int; uuid: str?; phase: 'waiting' | 'init' | 'running' | 'scoring' | 'awaiting_approval' | 'completed'"
      " | 'errored' | 'limit' | 'canceled'; completed: bool; limit: str?; error: str?; retries: int?; started_at: time?;"
      " completed_at: time?; total_time: num?; working_time: num?; total_tokens: int?; latest_score: str?;"
      " last_events: EventBrief[]" },
    { "TaskStatus",
      "task_name: str; task_id: str?; model: str?; task_args: object?; log_file: str; eval_status: str?; live: bool; trouble_reason: str?;"
      " results?: int; progress: StatusProgress; samples: SampleStatus[]" },
    { "EvalSetStatus",
      "job_id: str; job_type: 'eval_set' | 'scan'; status: " JOB_STATUSES "; pending_interactions: int; created_by: str?; is_owner_or_admin: bool;"
      " trouble_reason: str?; pods: PodStatusData?; metrics: MetricsQueryResult{}?; admission: AdmissionStatus?;"
      " progress: StatusProgress; tasks: TaskStatus[]; waiting_samples: object[]; errors: str{}" },
    { "Finding", "what: str; job_id: str?; text: str; since: time?; fix: str" },
    { "Evidence", "reason: str; text: str; since: time?; task: str?; samples: int; trouble: bool" },
    { "Explanation",
      "job_id: str; status: " JOB_STATUSES "; state: str; reason: str; text: str; evidence: Evidence[]; running: int;"
      " killed: int" },
    { "EvalSetStatusResponse", "data: EvalSetStatus; etag: str" },
};

static const Route rows[] = {
    { "GET", "/monitoring/jobs/{job_id}/status",                 ROUTE_READ, monitoring_status, "everything known about a job",
      .query = "since?: time", .answer = "{data: JobMonitoringData}" },
    { "GET", "/monitoring/jobs/{job_id}/logs",                   ROUTE_READ, monitoring_logs, "output of a job's runner",
      .query = "since?: time; from_start: bool = false; limit?: int(1..2147483647); sort: 'asc' | 'desc' = 'desc'",
      .answer = "{entries: LogEntry[]}" },
    { "GET", "/monitoring/jobs/{job_id}/job-status",             ROUTE_READ, monitoring_job_status, "status of a job with its imports",
      .answer = "JobStatusResponse" },
    { "GET", "/monitoring/doctor",                               ROUTE_READ, monitoring_doctor, "what is wrong with jobs, and how to mend it",
      .answer = "{findings: Finding[]; jobs: int}" },
    { "GET", "/monitoring/jobs/{job_id}/explain",                ROUTE_READ, monitoring_explain, "why a job is not done, with the evidence",
      .answer = "Explanation" },
    { "GET", "/monitoring/jobs/{job_id}/eval-set-status",        ROUTE_READ, monitoring_eval_set_status, "tasks and samples of an eval set, scanners of a scan",
      .answer = "EvalSetStatusResponse; 304" },
    { "GET", "/monitoring/jobs/{job_id}/eval-set-status/stream", ROUTE_READ, monitoring_eval_set_stream, "the same as server-sent events",
      .answer = "text/event-stream" },
};
/* clang-format on */

const RouteTable routes_monitoring = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
