/* What is true of the server as a whole: health, version. */

#include "server/routes.h"

#include "base/clock.h"
#include "server/server_priv.h"

static int health_live(RouteCtx *ctx, Error *err)
{
    (void)err;
    http_response_bytes(ctx->response, "application/json", STR("{\"status\":\"ok\"}"));
    return 0;
}

static int version(RouteCtx *ctx, Error *err)
{
    (void)err;
    http_response_bytes(ctx->response, "application/json",
                        STR("{\"version\":\"" HAWK_VERSION "\"}"));
    return 0;
}

/* One row of the health answer: runs the check and tells how long it took. */
static bool write_check(JsonOut *out, const char *name, int (*check)(App *app, Error *err),
                        App *app)
{
    auto_error Error failed = ERROR_INIT;
    int64_t begun = clock_monotonic_ms();
    bool is_ok = check(app, &failed) == 0;
    json_out_kv_object(out, name);
    json_out_kvz(out, "status", is_ok ? "ok" : "error");
    json_out_kv_int(out, "latency_ms", clock_monotonic_ms() - begun);
    if (!is_ok)
        json_out_kvz(out, "reason", error_kind_name(failed.kind));
    json_out_end_object(out);
    return is_ok;
}

static int check_database(App *app, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(app->sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, "select 1", SQL_NO_ARGS, &rows, err) < 0)
        return -1;
    return sql_rows_next(rows, err) < 0 ? -1 : 0;
}

static int ignore_object(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)context;
    (void)key;
    (void)stat;
    (void)err;
    return 0;
}

static int check_store(App *app, Error *err)
{
    return store_list(app->store, "health/", false, ignore_object, NULL, err);
}

static int health(RouteCtx *ctx, Error *err)
{
    auto_buf Buf checks = BUF_INIT(4096);
    auto_buf Buf body = BUF_INIT(4096);
    JsonOut out;
    (void)err;
    json_out_init(&out, &checks, 0);
    json_out_object(&out);
    bool is_ok = write_check(&out, "database", check_database, ctx->app);
    json_out_kv_object(&out, "migrations");
    json_out_kvz(&out, "status", "ok");
    json_out_end_object(&out);
    is_ok = write_check(&out, "s3", check_store, ctx->app) && is_ok;
    json_out_end_object(&out);
    buf_printf(&body, "{\"status\":\"%s\",\"checks\":%s}", is_ok ? "ok" : "unhealthy", checks.data);
    http_response_status(ctx->response, is_ok ? 200 : 503);
    route_send_json(ctx, &body);
    return 0;
}

/* clang-format off */
static const Route rows[] = {
    { "GET", "/health",      ROUTE_OPEN, health,      "whether the database and the store answer" },
    { "GET", "/health/live", ROUTE_OPEN, health_live, "whether this process answers" },
    { "GET", "/version",     ROUTE_OPEN, version,     "version of the server" },
};
/* clang-format on */

const RouteTable routes_root = {rows, ARRAY_LEN(rows)};
