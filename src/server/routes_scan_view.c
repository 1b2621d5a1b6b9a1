/* /view/scans and /api/v2: what Scout's own viewer asks for, answered by Scout once it is known
   that the caller may see the scan; and the viewer's page and files.

   Folders in addresses are base64url of a path below the folder of all scans: "<job>" or
   "<job>/scan_id=<scan>". */

#include "server/routes.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "jobspec/ids.h"
#include "server/dist.h"
#include "server/logs.h"
#include "server/scout.h"
#include "server/server_priv.h"
#include "warehouse/scans/scan_imports.h"

enum {
    PATH_MAX_BYTES = 4096,
    QUERY_MAX = 64 << 10,
    BODY_MAX = 1 << 20,
    ERROR_BODY_MAX = 1 << 20,
    TOPICS_RETRY_MS = 60000
};

#define SCANS "scans/"

/* --- what is meant, and for whom --- */

static int bad_path(Error *err)
{
    return error_set(err, ERR_USAGE, "Invalid scan path");
}

static int decode_path(RouteCtx *ctx, Str encoded, const char **ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    if (encoded.n > PATH_MAX_BYTES || digest_read_base64url(encoded, &path) < 0 || path.len == 0 ||
        memchr(path.data, 0, path.len) || !scans_path_is_safe(buf_str(&path)))
        return bad_path(err);
    *ret = arena_strndup(ctx->arena, path.data, path.len);
    return 0;
}

/* The folder as Scout is to open it, encoded again. */
static const char *encode_folder(RouteCtx *ctx, const char *folder)
{
    auto_buf Buf text = BUF_INIT(2 * PATH_MAX_BYTES);
    auto_free char *key = mem_printf(SCANS "%s", folder);
    auto_free char *location = store_location(ctx->app->store, key);
    digest_add_base64url(&text, str_of(location));
    return arena_strndup(ctx->arena, text.data, text.len);
}

/* --- what Scout says --- */

static HttpStreamStep answer_next(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)wait_ms;
    auto_error Error err = ERROR_INIT;
    if (http_stream_is_ending(stream))
        return HTTP_STREAM_FAIL;
    int more = scout_answer_next(state, out, &err);
    if (more < 0)
        log_error("scout.failed", KV("error", error_text(&err)));
    return more < 0 ? HTTP_STREAM_FAIL : more > 0 ? HTTP_STREAM_MORE : HTTP_STREAM_END;
}

static void answer_close(void *state)
{
    scout_answer_free(state);
}

static const HttpStreamOps answer_ops = {answer_next, answer_close};

/* Scout's own words for what it does not answer. */
static int refuse(RouteCtx *ctx, ScoutAnswer *answer, Error *err)
{
    auto_buf Buf body = BUF_INIT(ERROR_BODY_MAX);
    auto_error Error ignored = ERROR_INIT;
    Json *root = NULL;
    int more = 1;
    while (more > 0 && body.len < ERROR_BODY_MAX / 2)
        more = scout_answer_next(answer, &body, &ignored);
    error_reset(&ignored);
    Str detail = STR_NONE;
    auto_buf Buf list = BUF_INIT(ERROR_BODY_MAX);
    JsonOut out;
    json_out_init(&out, &list, 0);
    if (json_parse(ctx->arena, arena_str(ctx->arena, buf_str(&body)), &json_limits_config, &root,
                   &ignored) == 0) {
        const Json *said = json_get(root, "detail");
        json_out_node(&out, said ? said : json_new(ctx->arena, JSON_NULL));
        detail = said && said->type == JSON_STRING ? said->text : buf_str(&list);
    }
    int status = scout_answer_status(answer);
    ErrorKind kind = status == 404 ? ERR_NOT_FOUND : status < 500 ? ERR_BAD_DATA : ERR_FAILED;
    /* What it says of a folder that is not there names the folder. */
    if (status == 404 || !detail.p)
        return error_set(err, kind, status == 404 ? "Scan not found" : "Scout cannot answer this");
    return error_set(err, kind, "%.*s", STR_ARG(detail));
}

static int ask(RouteCtx *ctx, ScoutRequest *request, Error *err)
{
    ScoutAnswer *answer = NULL;
    auto_free char *root = store_location(ctx->app->store, "scans");
    auto_free char *below = mem_printf("%s/", root);
    request->root = below;
    if (scout_ask(ctx->app->scout, request, &answer, err) < 0)
        return -1;
    if (scout_answer_status(answer) != 200) {
        int result = refuse(ctx, answer, err);
        scout_answer_free(answer);
        return result;
    }
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    http_response_stream(ctx->response, arena_strdup(ctx->arena, scout_answer_type(answer)),
                         &answer_ops, answer);
    return 0;
}

/* --- handlers --- */

/* Adds a parameter as often as it is given. */
static const char *params_of(RouteCtx *ctx, const char *name)
{
    auto_buf Buf query = BUF_INIT(QUERY_MAX);
    for (size_t i = 0;; i++) {
        Str value = http_request_param(ctx->request, name, i);
        if (!value.p)
            break;
        buf_printf(&query, "%s%s=%s", i ? "&" : "", name, route_encode(ctx->arena, value, ""));
    }
    return arena_strndup(ctx->arena, query.data ? query.data : "", query.len);
}

/* POST /scans/{dir} and /scans/{dir}/distinct. */
static int ask_about(RouteCtx *ctx, const char *what, Error *err)
{
    const char *folder = NULL;
    Json *body = NULL;
    auto_buf Buf text = BUF_INIT(BODY_MAX);
    JsonOut out;
    if (decode_path(ctx, ctx->params[0], &folder, err) < 0 ||
        scans_check_access(ctx, folder, err) < 0 ||
        (http_request_body_size(ctx->request) > 0 && route_body_json(ctx, &body, err) < 0))
        return -1;
    json_out_init(&out, &text, 0);
    if (body)
        json_out_node(&out, body);
    if (buf_check(&text, "the request", err) < 0)
        return -1;
    ScoutRequest request = {
        .method = "POST",
        .path = arena_printf(ctx->arena, "/scans/%s%s", encode_folder(ctx, folder), what),
        .query = "",
        .body = body ? buf_str(&text) : STR_NONE};
    return ask(ctx, &request, err);
}

static int view_scans(RouteCtx *ctx, Error *err)
{
    return ask_about(ctx, "", err);
}

static int view_distinct(RouteCtx *ctx, Error *err)
{
    return ask_about(ctx, "/distinct", err);
}

static int view_active(RouteCtx *ctx, Error *err)
{
    (void)err;
    http_response_bytes(ctx->response, "application/json", STR("{\"items\":{}}"));
    return 0;
}

/* GET /scans/{dir}/{scan}[/{scanner}[/{uuid}]]. */
static int ask_of(RouteCtx *ctx, size_t n_rest, const char *param, Error *err)
{
    const char *folder = NULL;
    const char *scan = NULL;
    auto_buf Buf path = BUF_INIT(4 * PATH_MAX_BYTES);
    if (decode_path(ctx, ctx->params[0], &folder, err) < 0 ||
        decode_path(ctx, ctx->params[1], &scan, err) < 0 ||
        scans_check_access(ctx, folder, err) < 0)
        return -1;
    buf_printf(&path, "/scans/%s/%.*s", encode_folder(ctx, folder), STR_ARG(ctx->params[1]));
    for (size_t i = 0; i < n_rest; i++) {
        if (!scans_path_is_safe(ctx->params[2 + i]) || str_find(ctx->params[2 + i], '/') >= 0)
            return bad_path(err);
        buf_printf(&path, "/%.*s", STR_ARG(ctx->params[2 + i]));
    }
    if (buf_check(&path, "the path", err) < 0)
        return -1;
    ScoutRequest request = {.method = "GET",
                            .path = path.data,
                            .query = param ? params_of(ctx, param) : "",
                            .body = STR_NONE};
    return ask(ctx, &request, err);
}

static int view_scan(RouteCtx *ctx, Error *err)
{
    return ask_of(ctx, 0, NULL, err);
}

static int view_scanner(RouteCtx *ctx, Error *err)
{
    return ask_of(ctx, 1, "exclude_column", err);
}

static int view_result(RouteCtx *ctx, Error *err)
{
    return ask_of(ctx, 2, "column", err);
}

/* The job that the page which asks was opened for. */
static const char *job_of_page(RouteCtx *ctx)
{
    Str page = http_request_header(ctx->request, "Referer");
    ptrdiff_t at = str_find_str(page, STR("?job="));
    Str id = at < 0 ? STR_NONE : str_slice(page, (size_t)at + strlen("?job="), page.n);
    return id.p && ids_is_job_id(id) ? arena_strndup(ctx->arena, id.p, id.n) : "scans";
}

/* There is no project and there are no transcripts here, and the folder of scans is that of a job.
 */
static int view_config(RouteCtx *ctx, Error *err)
{
    (void)err;
    const char *config = arena_printf(
        ctx->arena,
        "{\"home_dir\":\"file:///home\",\"project_dir\":\"file:///project\",\"filter\":[],"
        "\"transcripts\":null,\"scans\":{\"dir\":\"%s\",\"source\":\"cli\"},\"trust_content\":"
        "false}",
        job_of_page(ctx));
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    http_response_bytes(ctx->response, "application/json", str_of(config));
    return 0;
}

/* What of the viewer's caches still holds: what it knows of scans, for a minute. */
static const char *topics(RouteCtx *ctx)
{
    long long minute = (long long)(clock_now_us() / CLOCK_SECOND / 60);
    return arena_printf(ctx->arena, "{\"project-config\":\"0\",\"scans\":\"%lld\"}", minute);
}

static int view_topics(RouteCtx *ctx, Error *err)
{
    (void)err;
    http_response_bytes(ctx->response, "application/json", str_of(topics(ctx)));
    return 0;
}

/* Ends at once; the viewer comes again a few seconds later. */
static int view_topics_stream(RouteCtx *ctx, Error *err)
{
    (void)err;
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    http_response_bytes(ctx->response, "text/event-stream",
                        str_of(arena_printf(ctx->arena, "data: %s\n\n", topics(ctx))));
    return 0;
}

/* Scout's own server starts scans, runs code and writes to its disk; this one lets nobody, and says
   so rather than that there is no such address. */
static int view_refused(RouteCtx *ctx, Error *err)
{
    (void)ctx;
    return error_set(err, ERR_DENIED, "of Scout's server only the results of scans are here");
}

/* --- the page --- */

static int find_dist(RouteCtx *ctx, DistPlace *ret, Error *err)
{
    ret->version = "";
    return scout_dist(ctx->app->scout, ctx->arena, &ret->dir, err);
}

static int scan_viewer_index(RouteCtx *ctx, Error *err)
{
    DistPlace place = {0};
    return find_dist(ctx, &place, err) < 0 ? -1 : dist_send_index(ctx, &place, err);
}

static int scan_viewer_file(RouteCtx *ctx, Error *err)
{
    DistPlace place = {0};
    return find_dist(ctx, &place, err) < 0 ? -1 : dist_send_file(ctx, &place, ctx->params[0], err);
}

/* Leads to the one scan of a job, or to the list of its scans. */
static int scan_page(RouteCtx *ctx, Error *err)
{
    auto_buf Buf folder = BUF_INIT(PATH_MAX_BYTES);
    ScanImportsState state = {0};
    if (!ids_is_job_id(ctx->params[0]))
        return error_set(err, ERR_NOT_FOUND, "Scan run not found.");
    const char *job_id = arena_strndup(ctx->arena, ctx->params[0].p, ctx->params[0].n);
    if (scans_check_access(ctx, job_id, err) < 0 ||
        scan_imports_of_job(ctx->app->sql, ctx->arena, job_id, &state, err) < 0)
        return -1;
    digest_add_base64url(&folder, ctx->params[0]);
    const char *to =
        state.n_success == 1 && state.scan_id
            ? arena_printf(ctx->arena, "/scan-viewer/?job=%s#/scan/%s/scan_id=%s", job_id,
                           folder.data, state.scan_id)
            : arena_printf(ctx->arena, "/scan-viewer/?job=%s#/scans/%s", job_id, folder.data);
    http_response_status(ctx->response, 302);
    http_response_header(ctx->response, "Location", str_of(to));
    return 0;
}

/* clang-format off */
#define VIEW_ROUTES(base) \
    { "POST", base "/scans/{dir}",                         ROUTE_READ, view_scans,    "scans of a folder, as Scout lists them", \
      .body = "object?", .answer = "object" }, \
    { "POST", base "/scans/{dir}/distinct",                ROUTE_READ, view_distinct, "values of a column of that list", \
      .body = "object?", .answer = "any" }, \
    { "GET",  base "/scans/active",                        ROUTE_READ, view_active,   "scans that run: none that this can see into", \
      .answer = "object" }, \
    { "GET",  base "/scans/{dir}/{scan}",                  ROUTE_READ, view_scan,     "status of a scan", .answer = "object" }, \
    { "GET",  base "/scans/{dir}/{scan}/{scanner}",        ROUTE_READ, view_scanner,  "results of a scanner as an Arrow stream", \
      .query = "exclude_column?: str[]", .answer = "application/vnd.apache.arrow.stream" }, \
    { "GET",  base "/scans/{dir}/{scan}/{scanner}/{uuid}", ROUTE_READ, view_result,   "columns of one result", \
      .query = "column?: str[]", .answer = "object" }

#define REFUSED(method, path) { method, "/view/scans" path, ROUTE_READ, view_refused, "refused" }

static const Route rows[] = {
    VIEW_ROUTES("/view/scans"),
    VIEW_ROUTES("/api/v2"),
    REFUSED("POST",   "/startscan"),
    REFUSED("GET",    "/app-config"),
    REFUSED("GET",    "/topics/stream"),
    REFUSED("GET",    "/project/config"),
    REFUSED("PUT",    "/project/config"),
    REFUSED("GET",    "/scanners"),
    REFUSED("POST",   "/code"),
    REFUSED("GET",    "/transcripts/{path*}"),
    REFUSED("POST",   "/transcripts/{path*}"),
    REFUSED("GET",    "/validations"),
    REFUSED("POST",   "/validations"),
    REFUSED("GET",    "/validations/{path*}"),
    REFUSED("POST",   "/validations/{path*}"),
    REFUSED("PUT",    "/validations/{path*}"),
    REFUSED("DELETE", "/validations/{path*}"),
    REFUSED("DELETE", "/scans/{dir}/{scan}"),
    { "GET", "/view/scans/topics",   ROUTE_READ, view_topics,       "what has changed: Scout's viewer asks again by itself", .answer = "object" },
    { "GET", "/api/v2/app-config",   ROUTE_READ, view_config,       "what Scout's viewer is told at its start", .answer = "object" },
    { "GET", "/api/v2/topics",       ROUTE_READ, view_topics,       "what has changed: Scout's viewer asks again by itself", .answer = "object" },
    { "GET", "/api/v2/topics/stream", ROUTE_READ, view_topics_stream, "the same as a server-sent event", .answer = "text/event-stream" },
    { "GET", "/scan/{job_id}",       ROUTE_READ, scan_page,         "a scan in the viewer", .answer = "302" },
    { "GET", "/scan-viewer/",        ROUTE_READ, scan_viewer_index, "Scout's viewer", .answer = "text/html; 304" },
    { "GET", "/scan-viewer/{path*}", ROUTE_READ, scan_viewer_file,  "files of Scout's viewer", .answer = "*/*; 304" },
};
/* clang-format on */

const RouteTable routes_scan_view = {rows, ARRAY_LEN(rows), NULL, 0};
