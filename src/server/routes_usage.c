/* /usage: tokens by model, from the samples that the caller may see; and what is known of the
   models' prices. */

#include "server/routes.h"

#include <math.h>
#include <stdlib.h>

#include "access/access.h"
#include "access/models.h"
#include "base/clock.h"
#include "server/server_priv.h"
#include "warehouse/queries/usage.h"

enum { ANSWER_MAX = 64 << 20, LIVE_SECONDS = 300, BIN_SECONDS = 300, BINS_MAX = 1000 };

/* How tokens may be told apart; nothing here knows of teams. */
typedef struct GroupRow {
    const char *name;   /* of the parameter, and of an entry's member */
    const char *member; /* the list of entries */
    bool is_known;
    UsageGroup group;
} GroupRow;

/* clang-format off */
static const GroupRow groups[] = {
    { "user", "users", true,  USAGE_BY_USER },
    { "team", "teams", false, USAGE_BY_USER },
    { "job",  "jobs",  true,  USAGE_BY_JOB },
    { "task", "tasks", true,  USAGE_BY_TASK },
};
/* clang-format on */

static int param_group(RouteCtx *ctx, const GroupRow **ret, Error *err)
{
    Str given = http_request_param(ctx->request, "group_by", 0);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (given.p ? str_eqz(given, groups[i].name) : i == 0) {
            *ret = &groups[i];
            return 0;
        }
    return error_set(err, ERR_BAD_DATA, "group_by: expected user, team, job or task");
}

/* --- writing --- */

typedef struct Writer {
    JsonOut *out;
    Arena *arena;
    const GroupRow *group;
    const UsageWindow *window;
    bool is_history;
    Str model; /* the one that is being written; STR_NONE: none */
    int64_t bin;
    bool has_bin;
    UsageRow sum; /* of the bin */
} Writer;

static void kv_unknown(JsonOut *out, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_out_kv_null(out, names[i]);
}

static void write_counts(JsonOut *out, const UsageRow *row)
{
    static const char *const unknown[] = {"cache_write_5m_tokens", "cache_write_1h_tokens"};
    json_out_kv_int(out, "input_tokens", row->input);
    json_out_kv_int(out, "output_tokens", row->output);
    json_out_kv_int(out, "cache_read_tokens", row->cache_read);
    json_out_kv_int(out, "cache_write_tokens", row->cache_write);
    kv_unknown(out, unknown, ARRAY_LEN(unknown));
}

static void write_entry(Writer *writer, const UsageRow *row)
{
    JsonOut *out = writer->out;
    json_out_object(out);
    json_out_kv_int(out, "tokens", row->tokens);
    json_out_kv_null(out, "uncached_input_tokens");
    write_counts(out, row);
    json_out_kv_str(out, writer->group->name, row->who.p ? row->who : STR("unknown"));
    json_out_end_object(out);
}

/* Lists come in a fixed order; those before and behind the one that is asked for are empty. */
static void begin_lists(Writer *writer)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        json_out_kv_array(writer->out, groups[i].member);
        if (&groups[i] == writer->group)
            return;
        json_out_end_array(writer->out);
    }
}

static void end_lists(Writer *writer)
{
    json_out_end_array(writer->out);
    for (const GroupRow *row = writer->group + 1; row < groups + ARRAY_LEN(groups); row++) {
        json_out_kv_array(writer->out, row->member);
        json_out_end_array(writer->out);
    }
}

static void begin_bin(Writer *writer, const UsageRow *row)
{
    writer->has_bin = true;
    writer->bin = row->bin;
    writer->sum = (UsageRow){0};
    if (writer->is_history) {
        json_out_object(writer->out);
        json_out_kv_real(writer->out, "start",
                         writer->window->start_s + (double)row->bin * writer->window->bin_s);
    }
    begin_lists(writer);
}

static void end_bin(Writer *writer)
{
    static const char *const counts[] = {"requests", "rate_limited", "cache_read", "cache_write"};
    if (!writer->has_bin)
        return;
    writer->has_bin = false;
    end_lists(writer);
    if (!writer->is_history)
        return;
    write_counts(writer->out, &writer->sum);
    /* Calls are not counted here: what was not seen is 0. */
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        json_out_kv_int(writer->out, counts[i], 0);
    json_out_end_object(writer->out);
}

static void begin_model(Writer *writer, Str model)
{
    JsonOut *out = writer->out;
    ptrdiff_t slash = str_find(model, '/');
    writer->model = arena_str(writer->arena, model);
    json_out_object(out);
    json_out_kv_str(out, "provider", slash < 0 ? STR("") : str_slice(model, 0, (size_t)slash));
    json_out_kv_str(out, "model", slash < 0 ? model : str_slice(model, (size_t)slash + 1, model.n));
    if (!writer->is_history)
        return;
    json_out_kv_int(out, "tokens_limit", 0);
    json_out_kv_array(out, "bins");
}

static void end_model(Writer *writer)
{
    if (!writer->model.p)
        return;
    end_bin(writer);
    if (writer->is_history) {
        json_out_end_array(writer->out);
        json_out_kv_null(writer->out, "team_filter");
    }
    json_out_end_object(writer->out);
    writer->model = STR_NONE;
}

static int write_row(void *context, const UsageRow *row, Error *err)
{
    (void)err;
    Writer *writer = context;
    if (!writer->model.p || !str_eq(writer->model, row->model)) {
        end_model(writer);
        begin_model(writer, row->model);
    }
    if (!writer->has_bin || writer->bin != row->bin) {
        end_bin(writer);
        begin_bin(writer, row);
    }
    writer->sum.input += row->input;
    writer->sum.output += row->output;
    writer->sum.cache_read += row->cache_read;
    writer->sum.cache_write += row->cache_write;
    if (writer->group->is_known)
        write_entry(writer, row);
    return 0;
}

static int send_usage(RouteCtx *ctx, const GroupRow *group, UsageWindow window, bool is_history,
                      Error *err)
{
    const QueriesAccess access = server_queries_access(ctx->caller);
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    window.group = group->group;
    Writer writer = {.out = &out,
                     .arena = ctx->arena,
                     .group = group,
                     .window = &window,
                     .is_history = is_history};
    json_out_init(&out, &body, 0);
    json_out_array(&out);
    /* Nobody is in a team that is not known. */
    bool is_empty = http_request_param(ctx->request, "team", 0).p != NULL;
    if (!is_empty && usage_each(ctx->app->sql, &access, &window, write_row, &writer, err) < 0)
        return -1;
    end_model(&writer);
    json_out_end_array(&out);
    if (buf_check(&body, "the answer", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* --- routes --- */

static int usage_live(RouteCtx *ctx, Error *err)
{
    const GroupRow *group = NULL;
    double now_s = (double)clock_now_us() / 1e6;
    const UsageWindow window = {
        .start_s = now_s - LIVE_SECONDS, .end_s = now_s, .bin_s = LIVE_SECONDS * 2};
    if (param_group(ctx, &group, err) < 0)
        return -1;
    return send_usage(ctx, group, window, false, err);
}

static int param_seconds(RouteCtx *ctx, const char *name, double *ret, Error *err)
{
    Str text = http_request_param(ctx->request, name, 0);
    if (!text.p || str_to_double(text, ret) < 0 || !isfinite(*ret) || fabs(*ret) > 1e11)
        return error_set(err, ERR_BAD_DATA, "%s: expected a time in seconds since 1970", name);
    return 0;
}

static int usage_history(RouteCtx *ctx, Error *err)
{
    const GroupRow *group = NULL;
    UsageWindow window = {0};
    int64_t bin_s = 0;
    if (param_seconds(ctx, "start", &window.start_s, err) < 0 ||
        param_seconds(ctx, "end", &window.end_s, err) < 0 ||
        route_param_int(ctx, "bin_seconds", BIN_SECONDS, INT32_MIN, INT32_MAX, &bin_s, err) < 0 ||
        param_group(ctx, &group, err) < 0)
        return -1;
    if (bin_s < 60 || bin_s % 60 != 0)
        return error_set(err, ERR_USAGE, "bin_seconds must be a positive multiple of 60");
    if (window.end_s <= window.start_s)
        return error_set(err, ERR_USAGE, "end must be after start");
    if ((window.end_s - window.start_s) / (double)bin_s > BINS_MAX)
        return error_set(err, ERR_USAGE, "range too wide: more than %d bins", BINS_MAX);
    if (http_request_param(ctx->request, "team", 0).p && group != &groups[0])
        return error_set(err, ERR_USAGE, "team requires group_by=user");
    window.bin_s = (double)bin_s;
    return send_usage(ctx, group, window, true, err);
}

/* Limits are known to whoever calls the models, which is not this server. */
static int usage_limits(RouteCtx *ctx, Error *err)
{
    (void)err;
    http_response_bytes(ctx->response, "application/json", STR("[]"));
    return 0;
}

static void write_price(JsonOut *out, const Model *model)
{
    static const char *const prices[] = {
        "input_cost_per_1m",
        "output_cost_per_1m",
        "cache_read_input_cost_per_1m",
        "cache_write_input_cost_per_1m",
        "cache_write_1h_input_cost_per_1m",
    };
    double price = 0;
    json_out_object(out);
    json_out_kv_str(out, "model", model->name);
    json_out_kv_str(out, "provider", json_text(model->config, "provider", STR_NONE));
    for (size_t i = 0; i < ARRAY_LEN(prices); i++) {
        if (json_number(json_get(model->config, prices[i]), &price))
            json_out_kv_real(out, prices[i], price);
        else
            json_out_kv_null(out, prices[i]);
    }
    json_out_end_object(out);
}

static int usage_prices(RouteCtx *ctx, Error *err)
{
    Models models = {0};
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    if (models_load(ctx->app->sql, ctx->arena, &models, err) < 0)
        return -1;
    json_out_init(&out, &body, 0);
    json_out_array(&out);
    for (size_t i = 0; i < models.n; i++)
        if (access_is_in(ctx->caller, models.items[i].group))
            write_price(&out, &models.items[i]);
    json_out_end_array(&out);
    if (buf_check(&body, "the answer", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* clang-format off */
#define COUNTS "tokens: int; input_tokens: int?; output_tokens: int?; uncached_input_tokens: int?; cache_read_tokens: int?;" \
               " cache_write_tokens: int?; cache_write_5m_tokens: int?; cache_write_1h_tokens: int?; "
#define GROUPS "users: UserUsage[]; teams: TeamUsage[]; jobs: JobUsage[]; tasks: TaskUsage[]"

static const Shape shapes[] = {
    { "UserUsage",  COUNTS "user: str" },
    { "TeamUsage",  COUNTS "team: str" },
    { "JobUsage",   COUNTS "job: str" },
    { "TaskUsage",  COUNTS "task: str" },
    { "ModelUsage", "provider: str; model: str; " GROUPS },
    { "HistoryBin", "start: num; " GROUPS "; input_tokens: int?; output_tokens: int?; cache_read_tokens: int?; cache_write_tokens: int?;"
                    " cache_write_5m_tokens: int?; cache_write_1h_tokens: int?; requests: int; rate_limited: int; cache_read: int;"
                    " cache_write: int" },
    { "ModelHistory", "provider: str; model: str; tokens_limit: int; bins: HistoryBin[]; team_filter: str?" },
    { "ModelPrice", "model: str; provider: str?; input_cost_per_1m: num?; output_cost_per_1m: num?;"
                    " cache_read_input_cost_per_1m: num?; cache_write_input_cost_per_1m: num?; cache_write_1h_input_cost_per_1m: num?" },
};

#define GROUP_BY "group_by: 'user' | 'team' | 'job' | 'task' = 'user'"

static const Route rows[] = {
    { "GET", "/usage/",        ROUTE_READ, usage_live,    "tokens of samples that have just ended, by model", .query = GROUP_BY,
      .answer = "ModelUsage[]" },
    { "GET", "/usage",         ROUTE_READ, usage_live,    "the same", .query = GROUP_BY, .answer = "ModelUsage[]" },
    { "GET", "/usage/history", ROUTE_READ, usage_history, "tokens by model and time",
      .query = "start: num; end: num; bin_seconds: int(60..) = 300; " GROUP_BY "; team?: str", .answer = "ModelHistory[]" },
    { "GET", "/usage/limits",  ROUTE_READ, usage_limits,  "limits of providers, as far as they are known", .answer = "object[]" },
    { "GET", "/usage/prices",  ROUTE_READ, usage_prices,  "what the models cost that one may use", .answer = "ModelPrice[]" },
};
/* clang-format on */

const RouteTable routes_usage = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
