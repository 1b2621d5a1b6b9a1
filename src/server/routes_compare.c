/* /meta/compare: two runs of the same tasks, sample by sample. */

#include "server/routes.h"

#include "server/server_priv.h"
#include "warehouse/compare/compare.h"

enum { ANSWER_MAX = 64 << 20, FLIPS = 10 };

static Str param(RouteCtx *ctx, const char *name)
{
    return http_request_param(ctx->request, name, 0);
}

static int param_by(RouteCtx *ctx, bool *ret, Error *err)
{
    Str by = param(ctx, "by");
    if (by.p && !str_eqz(by, "model"))
        return error_set(err, ERR_USAGE, "by: expected model");
    *ret = by.p != NULL;
    return 0;
}

static int meta_compare(RouteCtx *ctx, Error *err)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    int64_t seed = 0;
    int64_t flips = 0;
    CompareQuery query = {
        .a = param(ctx, "a"),
        .b = param(ctx, "b"),
        .model_a = param(ctx, "model_a"),
        .model_b = param(ctx, "model_b"),
        .task = param(ctx, "task"),
        .scorer = param(ctx, "scorer"),
    };
    if (!query.a.p)
        return error_set(err, ERR_USAGE, "a: this parameter is needed");
    if (param_by(ctx, &query.by_model, err) < 0 ||
        route_param_int(ctx, "seed", 0, 0, INT64_MAX, &seed, err) < 0 ||
        route_param_int(ctx, "flips", FLIPS, 0, COMPARE_FLIPS_MAX, &flips, err) < 0)
        return -1;
    query.seed = (uint64_t)seed;
    query.flips_max = (size_t)flips;
    query.link = str_of(arena_printf(ctx->arena, "%s/permalink/sample/", ctx->app->url));
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (compare_write(ctx->app->sql, &access, &query, &out, err) < 0)
        return -1;
    if (buf_check(&body, "the comparison", err) < 0)
        return error_fix(err, "ask for fewer flips, or for one task or scorer");
    route_send_json(ctx, &body);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "ComparisonLane", "task: str; model: str?; agent: str?" },
    { "ComparisonFlip",
      "id: str; epoch: int; value_a: any; value_b: any; uuid_a: str; uuid_b: str; link_a?: str; link_b?: str" },
    { "Comparison",
      "task: str; model_a: str?; model_b: str?; agent_a: str?; agent_b: str?; scorer: str; key: str?; n_samples: int; n_pairs: int;"
      " n_unpaired_a: int; n_unpaired_b: int; n_not_numbers: int; mean_a: num?; mean_b: num?; difference: num?;"
      " interval: num[](2..2)?; resamples: int?; test: str; p_value: num; p_adjusted: num;"
      " verdict: 'too_few' | 'a_better' | 'b_better' | 'not_distinguishable'; words: str; n_up: int; n_down: int;"
      " up: ComparisonFlip[]; down: ComparisonFlip[]" },
    { "ComparisonResponse",
      "a: str; b: str; seed: int; comparisons: Comparison[]; only_a: ComparisonLane[]; only_b: ComparisonLane[]" },
};

static const Route rows[] = {
    { "GET", "/meta/compare", ROUTE_READ, meta_compare, "two runs of the same tasks, sample by sample",
      .query = "a: str(1..); b?: str; by?: 'model'; model_a?: str; model_b?: str; task?: str; scorer?: str;"
               " seed: int(0..) = 0; flips: int(0..) = 10",
      .answer = "ComparisonResponse" },
};
/* clang-format on */

const RouteTable routes_compare = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
