/* Imports: what is in the import queue. */

#include "server/routes.h"

#include "server/server_priv.h"
#include "warehouse/queries.h"

enum { LIST_MAX_BYTES = 64 << 20, LIMIT_MAX = 500, LIMIT = 50 };

static Str param(RouteCtx *ctx, const char *name)
{
    return http_request_param(ctx->request, name, 0);
}

static int meta_imports(RouteCtx *ctx, Error *err)
{
    Str states[IMPORT_STATES_N];
    QueriesImportList list = {
        .eval_set_id = param(ctx, "eval_set_id"), .states = states, .cursor = param(ctx, "cursor")};
    if (route_param_int(ctx, "limit", LIMIT, 1, LIMIT_MAX, &list.limit, err) < 0)
        return -1;
    for (;;) {
        Str state = http_request_param(ctx->request, "state", list.n_states);
        if (!state.p)
            break;
        if (list.n_states == IMPORT_STATES_N)
            return error_set(err, ERR_USAGE, "state: at most %d values", IMPORT_STATES_N);
        states[list.n_states++] = state;
    }
    const QueriesAccess access = server_queries_access(ctx->caller);
    auto_buf Buf body = BUF_INIT(LIST_MAX_BYTES);
    JsonOut out;
    json_out_init(&out, &body, 0);
    if (queries_import_list(ctx->app->sql, ctx->app->store, &access, &list, &out, err) < 0 ||
        buf_check(&body, "the answer", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* clang-format off */
static const Route rows[] = {
    { "GET", "/meta/imports", ROUTE_READ, meta_imports, "logs and how their import goes, those seen last first" },
};
/* clang-format on */

const RouteTable routes_imports = {rows, ARRAY_LEN(rows)};
