/* /meta: lists over the warehouse and the jobs. */

#include "server/routes.h"

#include "base/clock.h"
#include "jobs/status.h"
#include "server/server_priv.h"
#include "warehouse/queries/attempts.h"
#include "warehouse/queries/queries.h"

enum { LIST_MAX_BYTES = 64 << 20, LIMIT_MAX = 500, PAGE_MAX = 1000000000, STATUSES_MAX = 32 };

typedef struct Answer {
    Buf body;
    JsonOut out;
} Answer;

static void answer_init(Answer *answer)
{
    answer->body = BUF_INIT(LIST_MAX_BYTES);
    json_out_init(&answer->out, &answer->body, 0);
}

static void answer_release(Answer *answer)
{
    buf_release(&answer->body);
}

#define auto_answer HAWK_CLEANUP(answer_release)

static int answer_send(RouteCtx *ctx, Answer *answer, Error *err)
{
    if (buf_check(&answer->body, "the answer", err) < 0)
        return error_fix(err, "ask for fewer items with limit");
    route_send_json(ctx, &answer->body);
    return 0;
}

QueriesAccess server_queries_access(const Caller *caller)
{
    return (QueriesAccess){
        .sees_all = caller->sees_all, .groups = caller->groups, .n_groups = caller->n_groups};
}

static int param_page(RouteCtx *ctx, int64_t limit, QueriesPage *ret, Error *err)
{
    ret->cursor = http_request_param(ctx->request, "cursor", 0);
    if (route_param_int(ctx, "page", 1, 1, PAGE_MAX, &ret->page, err) < 0)
        return -1;
    return route_param_int(ctx, "limit", limit, 1, LIMIT_MAX, &ret->limit, err);
}

static Str param(RouteCtx *ctx, const char *name)
{
    return http_request_param(ctx->request, name, 0);
}

static int meta_eval_sets(RouteCtx *ctx, Error *err)
{
    auto_answer Answer answer;
    QueriesPage page = {0};
    answer_init(&answer);
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (param_page(ctx, 100, &page, err) < 0 ||
        queries_eval_sets(ctx->app->sql, &access, page, param(ctx, "search"), &answer.out, err) < 0)
        return -1;
    return answer_send(ctx, &answer, err);
}

static int param_eval_set(RouteCtx *ctx, Str *ret, Error *err)
{
    *ret = param(ctx, "eval_set_id");
    if (!ret->p)
        return error_set(err, ERR_BAD_DATA, "eval_set_id: this parameter is needed");
    return 0;
}

static int meta_evals(RouteCtx *ctx, Error *err)
{
    auto_answer Answer answer;
    QueriesPage page = {0};
    Str id = STR_NONE;
    answer_init(&answer);
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (param_eval_set(ctx, &id, err) < 0 || param_page(ctx, 100, &page, err) < 0 ||
        queries_evals(ctx->app->sql, &access, page, id, &answer.out, err) < 0)
        return -1;
    return answer_send(ctx, &answer, err);
}

static int meta_attempts(RouteCtx *ctx, Error *err)
{
    auto_answer Answer answer;
    auto_error Error unknown = ERROR_INIT; /* logs that were brought along have none */
    Str id = STR_NONE;
    Job job;
    const char *at = NULL;
    answer_init(&answer);
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (param_eval_set(ctx, &id, err) < 0)
        return -1;
    if (jobs_get_for(ctx->app->jobs, ctx->caller, ctx->arena, arena_strndup(ctx->arena, id.p, id.n),
                     &job, &unknown) == 0)
        at = job_state_is_over(job.state) ? "over" : job.state == JOB_QUEUED ? "queued" : "running";
    if (attempts_write(ctx->app->sql, &access, id, at, &answer.out, err) < 0)
        return -1;
    return answer_send(ctx, &answer, err);
}

static bool names_no_finite(Str text)
{
    static const char *const names[] = {"nan", "inf", "infinity"};
    if (str_starts(text, STR("-")) || str_starts(text, STR("+")))
        text = str_slice(text, 1, text.n);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(text, str_of(names[i])))
            return true;
    return false;
}

static int param_real(RouteCtx *ctx, const char *name, bool *ret_has, double *ret, Error *err)
{
    Str text = param(ctx, name);
    *ret_has = text.p != NULL;
    if (text.p && str_to_double(text, ret) < 0)
        return error_set(err, names_no_finite(text) ? ERR_USAGE : ERR_BAD_DATA,
                         "%s: expected a finite number", name);
    return 0;
}

/* A time, or a day, which stands for its beginning in UTC. */
static int parse_time(Str text, int64_t *ret)
{
    auto_buf Buf whole = BUF_INIT(64);
    buf_add_str(&whole, text);
    if (text.n == strlen("2026-01-31"))
        buf_addz(&whole, "T00:00:00Z");
    return whole.overflowed ? -1 : clock_parse(buf_str(&whole), ret);
}

static int param_time(RouteCtx *ctx, const char *name, bool *ret_has, int64_t *ret, Error *err)
{
    Str text = param(ctx, name);
    *ret_has = text.p != NULL;
    if (text.p && parse_time(text, ret) < 0)
        return error_set(err, ERR_BAD_DATA, "%s: expected a time such as 2026-01-31T10:00:00Z",
                         name);
    return 0;
}

static int param_statuses(RouteCtx *ctx, QueriesSamples *filter, Error *err)
{
    Str *statuses = arena_array(ctx->arena, STATUSES_MAX, sizeof(*statuses));
    for (;;) {
        Str text = http_request_param(ctx->request, "status", filter->n_statuses);
        if (!text.p)
            break;
        if (filter->n_statuses == STATUSES_MAX)
            return error_set(err, ERR_BAD_DATA, "status: at most %d values", STATUSES_MAX);
        statuses[filter->n_statuses++] = text;
    }
    filter->statuses = statuses;
    return 0;
}

/* A blank name stands for none. */
static Str param_scorer(RouteCtx *ctx)
{
    Str name = param(ctx, "scorer");
    return name.p && str_trim(name).n == 0 ? STR_NONE : name;
}

static int meta_samples(RouteCtx *ctx, Error *err)
{
    auto_answer Answer answer;
    answer_init(&answer);
    const QueriesAccess access = server_queries_access(ctx->caller);
    QueriesSamples filter = {
        .eval_set_id = param(ctx, "eval_set_id"),
        .search = param(ctx, "search"),
        .scorer = param_scorer(ctx),
        .sort_by = param(ctx, "sort_by"),
        .sort_order = param(ctx, "sort_order"),
        .model = param(ctx, "filter_model"),
        .created_by = param(ctx, "filter_created_by"),
        .task_name = param(ctx, "filter_task_name"),
        .task_version = param(ctx, "filter_task_version"),
    };
    if (param_page(ctx, 50, &filter.page, err) < 0 || param_statuses(ctx, &filter, err) < 0 ||
        param_real(ctx, "score_min", &filter.has_score_min, &filter.score_min, err) < 0 ||
        param_real(ctx, "score_max", &filter.has_score_max, &filter.score_max, err) < 0 ||
        param_time(ctx, "completed_after", &filter.has_completed_after, &filter.completed_after_us,
                   err) < 0 ||
        param_time(ctx, "completed_before", &filter.has_completed_before,
                   &filter.completed_before_us, err) < 0 ||
        queries_samples(ctx->app->sql, &access, &filter, &answer.out, err) < 0)
        return -1;
    return answer_send(ctx, &answer, err);
}

static int meta_sample(RouteCtx *ctx, Error *err)
{
    auto_answer Answer answer;
    answer_init(&answer);
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (queries_sample(ctx->app->sql, &access, ctx->params[0], &answer.out, err) < 0)
        return -1;
    return answer_send(ctx, &answer, err);
}

static int meta_sample_scores(RouteCtx *ctx, Error *err)
{
    auto_answer Answer answer;
    answer_init(&answer);
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (queries_sample_scores(ctx->app->sql, &access, ctx->params[0], &answer.out, err) < 0)
        return -1;
    return answer_send(ctx, &answer, err);
}

static int param_flag(RouteCtx *ctx, const char *name, bool *ret, Error *err)
{
    Str text = param(ctx, name);
    *ret = str_eqz(text, "true") || str_eqz(text, "1");
    if (!text.p || *ret || str_eqz(text, "false") || str_eqz(text, "0"))
        return 0;
    return error_set(err, ERR_BAD_DATA, "%s: expected true or false", name);
}

static int meta_sample_events(RouteCtx *ctx, Error *err)
{
    auto_answer Answer answer;
    answer_init(&answer);
    Str types[QUERIES_EVENT_TYPES_MAX + 1];
    QueriesEvents filter = {.types = types, .uuid = param(ctx, "event_uuid")};
    while (filter.n_types <= QUERIES_EVENT_TYPES_MAX) {
        types[filter.n_types] = http_request_param(ctx->request, "event_type", filter.n_types);
        if (!types[filter.n_types].p)
            break;
        filter.n_types++;
    }
    if (param_flag(ctx, "resolve", &filter.is_resolved, err) < 0 ||
        route_param_int(ctx, "from_order", 0, 0, INT32_MAX, &filter.from_order, err) < 0 ||
        route_param_int(ctx, "limit", 100, 1, 1000, &filter.limit, err) < 0)
        return -1;
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (queries_sample_events(ctx->app->sql, &access, ctx->params[0], &filter, &answer.out, err) <
        0)
        return -1;
    return answer_send(ctx, &answer, err);
}

static int meta_jobs(RouteCtx *ctx, Error *err)
{
    auto_answer Answer answer;
    answer_init(&answer);
    QueriesPage page = {0};
    bool is_waiting = false;
    if (param_page(ctx, 50, &page, err) < 0 || param_flag(ctx, "waiting", &is_waiting, err) < 0)
        return -1;
    const JobsQuery query = {
        .is_waiting = is_waiting,
        .search = param(ctx, "search"),
        .created_by = param(ctx, "created_by"),
        .status = param(ctx, "status"),
        .cursor = page.cursor,
        .page = page.page,
        .limit = page.limit,
    };
    if (status_write_list(ctx->app->jobs, ctx->caller, &query, &answer.out, err) < 0)
        return -1;
    return answer_send(ctx, &answer, err);
}

/* clang-format off */
#define PAGE(limit) "page: int(1..1000000000) = 1; limit: int(1..500) = " #limit "; cursor?: str(1..)"

static const Shape shapes[] = {
    { "EvalSetInfo", "eval_set_id: str; created_at: time; eval_count: int; latest_eval_created_at: time; task_names: str[];"
                     " created_by: str?" },
    { "EvalSetsResponse", "items: EvalSetInfo[]; total: int; page: int; limit: int; next_cursor: str?" },
    { "EvalInfo", "id: str; eval_set_id: str; task_name: str; model: str; status: str; total_samples: int;"
                  " completed_samples: int; created_by: str?; started_at: time?; completed_at: time?" },
    { "EvalsResponse", "items: EvalInfo[]; total: int; page: int; limit: int; next_cursor: str?" },
    { "AttemptsResponse", "eval_ids: str[]; sample_uuids: str[]; truncated: bool; job: 'queued' | 'running' | 'over'?" },
    { "SampleScore", "scorer: str; value: any; value_float: num?; value_nonfinite: 'nan' | 'inf' | '-inf'?; is_intermediate: bool" },
    { "SampleListItem",
      "pk: str; uuid: str; id: str; epoch: int; started_at: time?; completed_at: time?; input_tokens: int?; output_tokens: int?;"
      " reasoning_tokens: int?; total_tokens: int?; input_tokens_cache_read: int?; input_tokens_cache_write: int?;"
      " action_count: int?; message_count: int?; working_time_seconds: num?; total_time_seconds: num?;"
      " generation_time_seconds: num?; error_message: str?; limit: str?; status: 'success' | 'error' | 'context_limit' |"
      " 'time_limit' | 'working_limit' | 'message_limit' | 'token_limit' | 'cost_limit' | 'operator_limit' | 'custom_limit';"
      " is_provisional: bool; is_invalid: bool; invalidation_timestamp: time?; invalidation_author: str?;"
      " invalidation_reason: str?; eval_id: str; eval_set_id: str; task_name: str; task_version: str?; model: str;"
      " location: str; filename: str; created_by: str?; scores: SampleScore[]; score_value: str?; score_scorer: str?" },
    { "SamplesResponse", "items: SampleListItem[]; total: int?; page: int; limit: int; has_more: bool; next_cursor: str?" },
    { "SampleMetaResponse", "location: str; filename: str; eval_set_id: str; epoch: int; id: str; uuid: str" },
    { "ScoreItem",
      "scorer: str; value: any; value_float: num?; value_nonfinite: 'nan' | 'inf' | '-inf'?; explanation: str?; answer: str?;"
      " metadata: object; is_intermediate: bool; scored_at: time?" },
    { "SampleScoresResponse", "sample_uuid: str; scores: ScoreItem[]" },
    { "EventsData", "messages: object[]; calls: object[]" },
    { "EventsDataOrders", "messages: int[]; calls: int[]" },
    { "SampleEventsResponse",
      "sample_uuid: str; events: object[]; event_orders: int[]; events_data: EventsData; events_data_orders: EventsDataOrders;"
      " attachments: str{}; next_from_order: int?; has_more: bool; total: int" },
    { "JobInfo", "job_id: str; job_type: 'eval-set' | 'scan' | 'scan-resume'; created_at: time; created_by: str; status: str?;"
                 " pending_interactions: int; admission: AdmissionStatus?" },
    { "JobsResponse", "items: JobInfo[]; total: int; page: int; limit: int; next_cursor: str?; status_counts: int{}" },
};

static const Route rows[] = {
    { "GET", "/meta/eval-sets",                    ROUTE_READ, meta_eval_sets, "eval sets, newest first",
      .query = PAGE(100) "; search?: str", .answer = "EvalSetsResponse" },
    { "GET", "/meta/evals",                        ROUTE_READ, meta_evals, "evals of an eval set",
      .query = "eval_set_id: str; " PAGE(100), .answer = "EvalsResponse" },
    { "GET", "/meta/attempts",                     ROUTE_READ, meta_attempts, "evals and samples of an eval set that were run again",
      .query = "eval_set_id: str", .answer = "AttemptsResponse" },
    { "GET", "/meta/samples",                      ROUTE_READ, meta_samples, "samples, filtered and sorted",
      .query = PAGE(50) "; eval_set_id?: str; search?: str; status?: str[](0..32); score_min?: num; score_max?: num;"
               " scorer?: str; sort_by: str = 'completed_at'; sort_order: 'asc' | 'desc' = 'desc'; filter_model?: str;"
               " filter_created_by?: str; filter_task_name?: str; filter_task_version?: str; completed_after?: time;"
               " completed_before?: time",
      .answer = "SamplesResponse" },
    { "GET", "/meta/samples/{sample_uuid}",        ROUTE_READ, meta_sample, "where a sample is", .answer = "SampleMetaResponse" },
    { "GET", "/meta/samples/{sample_uuid}/scores", ROUTE_READ, meta_sample_scores, "scores of a sample",
      .answer = "SampleScoresResponse" },
    { "GET", "/meta/samples/{sample_uuid}/events", ROUTE_READ, meta_sample_events, "events of a sample",
      .query = "from_order: int(0..2147483647) = 0; limit: int(1..1000) = 100; event_type?: str[]; event_uuid?: str;"
               " resolve: bool = false",
      .answer = "SampleEventsResponse" },
    { "GET", "/meta/jobs",                         ROUTE_READ, meta_jobs, "jobs, newest first",
      .query = PAGE(50) "; search?: str; created_by?: str; status?: str; waiting: bool = false", .answer = "JobsResponse" },
};
/* clang-format on */

const RouteTable routes_meta = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
