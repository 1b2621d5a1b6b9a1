/* What is true of the server as a whole: health, version. */

#include "server/routes.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "server/openapi.h"
#include "server/server_priv.h"

#define API_VERSION "3.7.2"

enum { METRICS_MAX = 4 << 20, OPENAPI_MAX = 8 << 20, HEALTH_WAIT_MS = 2000 };

static int health_live(RouteCtx *ctx, Error *err)
{
    (void)err;
    http_response_bytes(ctx->response, "application/json", STR("{\"status\":\"ok\"}"));
    return 0;
}

/* "version" is that of the API which clients of the Python hawk know: in a terminal they ask before
   each command whether to go on when its first number is not theirs. */
static int version(RouteCtx *ctx, Error *err)
{
    (void)err;
    http_response_bytes(ctx->response, "application/json",
                        STR("{\"version\":\"" API_VERSION "\",\"hawk\":\"" HAWK_VERSION "\"}"));
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
    if (sql_begin_within(app->sql, HEALTH_WAIT_MS, &tx, err) < 0 ||
        sql_tx_limit_ms(tx, HEALTH_WAIT_MS, err) < 0 ||
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

static int openapi(RouteCtx *ctx, Error *err)
{
    auto_buf Buf body = BUF_INIT(OPENAPI_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    openapi_write(server_route_tables, server_n_route_tables, ctx->arena, &out);
    if (buf_check(&body, "the document", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    http_response_compress(ctx->response);
    return 0;
}

static void write_jobs(App *app, Arena *arena, Buf *ret)
{
    static const Caller everybody = {.sub = "metrics", .is_admin = true, .sees_all = true};
    const JobsQuery query = {.page = 1, .limit = 1};
    JobsList list = {0};
    auto_error Error ignored = ERROR_INIT; /* a scrape without these is better than none */
    if (jobs_list(app->jobs, &everybody, &query, arena, &list, &ignored) < 0)
        return;
    metrics_gauge_head(ret, "hawk_jobs", "Jobs by status.");
    for (size_t i = 0; i < list.n_counts; i++)
        metrics_gauge(ret, "hawk_jobs", "status", list.counts[i].status, list.counts[i].n);
}

/* Resident memory in bytes (proc(5), statm); 0 when it cannot be told. */
static int64_t resident_bytes(void)
{
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(4096);
    Str whole = STR_NONE;
    Str held = STR_NONE;
    int64_t pages = 0;
    if (fs_read_file("/proc/self/statm", &text, &ignored) < 0)
        return 0;
    Str rest = buf_str(&text);
    if (!str_split(&rest, ' ', &whole) || !str_split(&rest, ' ', &held) ||
        str_to_i64(held, 0, INT64_MAX / 65536, &pages) < 0)
        return 0;
    return pages * sysconf(_SC_PAGESIZE);
}

static int metrics(RouteCtx *ctx, Error *err)
{
    if (!ctx->app->settings.has_open_metrics && !route_is_local(ctx)) {
        (void)error_set(err, ERR_DENIED, "metrics are for this machine only");
        return error_fix(err, "set HAWK_API_METRICS_OPEN=true");
    }
    Buf body = BUF_INIT(METRICS_MAX);
    metrics_write(ctx->app->metrics, &body);
    write_jobs(ctx->app, ctx->arena, &body);
    metrics_gauge_head(&body, "process_resident_memory_bytes", "Resident memory.");
    metrics_gauge(&body, "process_resident_memory_bytes", NULL, NULL, resident_bytes());
    metrics_gauge_head(&body, "process_start_time_seconds", "When the server started.");
    metrics_gauge(&body, "process_start_time_seconds", NULL, NULL,
                  ctx->app->started_us / CLOCK_SECOND);
    http_response_buf(ctx->response, "text/plain; version=0.0.4; charset=utf-8", &body);
    return 0;
}

/* Whether this server should be sent requests: it is not draining and its database answers. */
static int health_ready(RouteCtx *ctx, Error *err)
{
    if (check_database(ctx->app, err) < 0)
        return -1;
    http_response_bytes(ctx->response, "application/json", STR("{\"status\":\"ok\"}"));
    return 0;
}

/* A picture of the tables is not drawn here. */
static int schema(RouteCtx *ctx, Error *err)
{
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    (void)error_set(err, ERR_UNSUPPORTED, "this server draws no picture of its tables");
    (void)error_fix(err, "docs/warehouse.md has them in words");
    return error_code(err, "schema.none");
}

/* clang-format off */
static const Shape shapes[] = {
    { "HealthCheck", "status: 'ok' | 'error'; latency_ms?: int; reason?: str" },
    { "Health",      "status: 'ok' | 'unhealthy'; checks: HealthCheck{}" },
};

static const Route rows[] = {
    { "GET", "/health",       ROUTE_OPEN, health,       "whether the database and the store answer",
      .answer = "Health; 503 Health" },
    { "GET", "/health/live",  ROUTE_OPEN, health_live,  "whether this process answers", .answer = "{status: 'ok'}" },
    { "GET", "/health/ready", ROUTE_OPEN, health_ready, "whether this process should get requests", .answer = "{status: 'ok'}" },
    { "GET", "/metrics",      ROUTE_OPEN, metrics,      "counters for Prometheus", .answer = "text/plain" },
    { "GET", "/version",      ROUTE_OPEN, version,      "version of the server", .answer = "{version: str; hawk: str}" },
    { "GET", "/schema.svg",   ROUTE_OPEN, schema,       "never there" },
    { "GET", "/schema.png",   ROUTE_OPEN, schema,       "the same" },
    { "GET", "/schema.pdf",   ROUTE_OPEN, schema,       "the same" },
    { "GET", "/openapi.json", ROUTE_OPEN, openapi,      "this document", .answer = "object" },
};
/* clang-format on */

const RouteTable routes_root = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
