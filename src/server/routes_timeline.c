/* /meta/samples/{uuid}/timeline, /meta/eval-sets/{id}/timeline: where the time went. */

#include "server/routes.h"

#include "server/logs.h"
#include "server/server_priv.h"
#include "warehouse/queries/timeline.h"

enum { ANSWER_MAX = 64 << 20 };

typedef int Writer(Sql *sql, const QueriesAccess *access, Str of, JsonOut *out, Error *err);

static int send_timeline(RouteCtx *ctx, Writer *write, Error *err)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (write(ctx->app->sql, &access, ctx->params[0], &out, err) < 0 ||
        buf_check(&body, "the timeline", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

static int sample_timeline(RouteCtx *ctx, Error *err)
{
    return send_timeline(ctx, timeline_sample, err);
}

static int set_timeline(RouteCtx *ctx, Error *err)
{
    LogsName set = {0};
    return logs_dir(ctx, ctx->params[0], &set, err) < 0 ? -1
                                                        : send_timeline(ctx, timeline_set, err);
}

static int set_samples(RouteCtx *ctx, Error *err)
{
    LogsName set = {0};
    return logs_dir(ctx, ctx->params[0], &set, err) < 0
               ? -1
               : send_timeline(ctx, timeline_set_samples, err);
}

/* clang-format off */
#define CATEGORY "'setup' | 'run' | 'sample' | 'execution' | 'scoring' | 'model' | 'tool' | 'middleman' | 'provider' | 'heartbeat' | 'other'"

static const Shape shapes[] = {
    { "TimelineSpan", "span_id: str?; parent_id: str?; name: str; category: " CATEGORY "; kind: str; start_ms: num; end_ms: num;"
                      " duration_ms: num; attributes: object" },
    { "SampleTimelineResponse", "sample_uuid: str; eval_set_id: str?; eval_id: str?; spans: TimelineSpan[]; truncated: bool" },
    { "CategoryTotal",          "category: " CATEGORY "; total_ms: num; count: int" },
    { "LongToolCall",           "sample_uuid: str?; tool_name: str?; duration_ms: num; failed: bool" },
    { "EvalSetTimelineResponse",
      "eval_set_id: str; categories: CategoryTotal[]; longest_tool_calls: LongToolCall[]; span_count: int; truncated: bool" },
    { "TimelineSample",                 "sample_uuid: str; sample_id: str?; epoch: int?; eval_id: str?" },
    { "EvalSetTimelineSamplesResponse", "eval_set_id: str; samples: TimelineSample[]; truncated: bool" },
};

static const Route rows[] = {
    { "GET", "/meta/samples/{sample_uuid}/timeline",           ROUTE_READ, sample_timeline, "spans of a sample, its calls of models and tools",
      .answer = "SampleTimelineResponse" },
    { "GET", "/meta/eval-sets/{eval_set_id}/timeline",         ROUTE_READ, set_timeline,    "how long models and tools of an eval set took",
      .answer = "EvalSetTimelineResponse" },
    { "GET", "/meta/eval-sets/{eval_set_id}/timeline-samples", ROUTE_READ, set_samples,     "samples of an eval set that have a timeline",
      .answer = "EvalSetTimelineSamplesResponse" },
};
/* clang-format on */

const RouteTable routes_timeline = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
