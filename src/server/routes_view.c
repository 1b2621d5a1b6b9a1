/* /view/logs and /api: what Inspect's log viewer asks for (inspect_ai, _view/inspect-openapi.json).
   Names of logs are
   "<eval set>/<file>" as one encoded segment or several; "evals/..." and absolute addresses of the
   store are cut off. */

#include "server/routes.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "server/logs.h"
#include "server/object.h"
#include "server/server_priv.h"

enum {
    LISTING_MAX = 64 << 20,
    LINKS_MAX = 1000,
    LINK_SECONDS = 900,
    DIRS_MAX = 100,
    LOGS_MAX = 200000, /* of all that are listed at once */
    EVAL_SET_JSON_MAX = 64 << 20,
};

/* --- listings --- */

typedef struct ListedLog {
    Str name;
    double ms; /* when it was changed */
    size_t i;
} ListedLog;

typedef struct Listing {
    Arena *arena;
    ListedLog *logs;
    size_t n;
    size_t room;
} Listing;

static void listing_release(Listing *listing)
{
    free(listing->logs);
}

#define auto_listing HAWK_CLEANUP(listing_release)

/* The task and its id as Inspect writes them into file names: {timestamp}_{task}_{id}.eval. */
static void add_task_of_name(JsonOut *out, Str name)
{
    Str parts[4] = {STR_NONE, STR_NONE, STR_NONE, STR_NONE};
    size_t n = 0;
    Str part = STR_NONE;
    Str rest = str_slice(name, 0, (size_t)str_rfind(name, '.'));
    while (n < 4 && str_split(&rest, '_', &part))
        parts[n++] = part;
    bool is_dated = n >= 2 && parts[0].n >= 16 && parts[0].p[4] == '-' && parts[0].p[10] == 'T';
    Str id = n > 3 ? parts[3] : parts[2];
    ptrdiff_t dash = id.p ? str_find(id, '-') : -1;
    if (dash >= 0)
        id = str_slice(id, 0, (size_t)dash);
    json_out_kv_str(out, "task", is_dated ? parts[1] : STR(""));
    json_out_kv_str(out, "task_id", is_dated && id.p ? id : STR(""));
}

static int list_one(void *context, const char *key, const StoreStat *stat, Error *err)
{
    Listing *listing = context;
    Str name = str_of(key);
    if (!logs_is_log(name))
        return 0;
    if (listing->n == LOGS_MAX)
        return error_set(err, ERR_BAD_DATA, "there are more than %d logs", LOGS_MAX);
    if (listing->n == listing->room) {
        listing->room = listing->room ? 2 * listing->room : 64;
        listing->logs = mem_resize(listing->logs, listing->room, sizeof(*listing->logs));
    }
    listing->logs[listing->n] =
        (ListedLog){.name = arena_str(listing->arena, str_slice(name, strlen("evals/"), name.n)),
                    .ms = (double)stat->modified_us / 1000.0,
                    .i = listing->n};
    listing->n++;
    return 0;
}

/* The newest first, as Inspect has them. */
static int by_age(const void *a, const void *b)
{
    const ListedLog *x = a;
    const ListedLog *y = b;
    if (x->ms != y->ms)
        return x->ms > y->ms ? -1 : 1;
    return x->i < y->i ? -1 : 1;
}

/* The logs that were changed after an instant. */
static void write_listing(const Listing *listing, double newer_than_ms, JsonOut *out)
{
    for (size_t i = 0; i < listing->n; i++) {
        const ListedLog *log = &listing->logs[i];
        if (log->ms <= newer_than_ms)
            continue;
        json_out_object(out);
        json_out_kv_str(out, "name", log->name);
        json_out_kv_real(out, "mtime", log->ms);
        add_task_of_name(
            out, str_slice(log->name, (size_t)(str_rfind(log->name, '/') + 1), log->name.n));
        json_out_end_object(out);
    }
}

/* The logs of one eval set, or of several with commas between, when the caller may read all of
 * them. */
static int list_dirs(RouteCtx *ctx, Listing *listing, Error *err)
{
    Str dirs = http_request_param(ctx->request, "log_dir", 0);
    Str dir = STR_NONE;
    if (!dirs.p || dirs.n == 0)
        return error_set(err, ERR_DENIED,
                         "the list of all eval sets is not a folder; name one with log_dir");
    for (size_t i = 0; str_split(&dirs, ',', &dir); i++) {
        LogsName name = {0};
        if (i == DIRS_MAX)
            return error_set(err, ERR_USAGE, "log_dir: at most %d eval sets at once", DIRS_MAX);
        if (logs_dir(ctx, dir, &name, err) < 0 ||
            store_list(ctx->app->store, arena_printf(ctx->arena, "%s/", name.key), false, list_one,
                       listing, err) < 0)
            return -1;
    }
    if (listing->n > 1)
        qsort(listing->logs, listing->n, sizeof(*listing->logs), by_age);
    return 0;
}

static int view_logs(RouteCtx *ctx, Error *err)
{
    auto_buf Buf body = BUF_INIT(LISTING_MAX);
    auto_listing Listing listing = {.arena = ctx->arena};
    JsonOut out;
    if (list_dirs(ctx, &listing, err) < 0)
        return -1;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_str(&out, "log_dir", http_request_param(ctx->request, "log_dir", 0));
    json_out_kv_str(&out, "log_dir_uri", http_request_param(ctx->request, "log_dir", 0));
    json_out_kv_array(&out, "files");
    write_listing(&listing, -1, &out);
    json_out_end_array(&out);
    json_out_end_object(&out);
    if (buf_check(&body, "the list of logs", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* The client's token W/"<newest mtime>-<count>": the files it has. */
static void read_token(const RouteCtx *ctx, double *ret_ms, int64_t *ret_n)
{
    Str token = http_request_header(ctx->request, "If-None-Match");
    *ret_ms = 0;
    *ret_n = -1;
    if (str_starts(token, STR("W/\"")) && str_ends(token, STR("\"")))
        token = str_slice(token, 3, token.n - 1);
    ptrdiff_t dash = str_rfind(token, '-');
    if (dash <= 0)
        return;
    double ms = 0;
    int64_t n = 0;
    if (str_to_double(str_slice(token, 0, (size_t)dash), &ms) == 0 &&
        str_to_i64(str_slice(token, (size_t)dash + 1, token.n), 0, INT32_MAX, &n) == 0) {
        *ret_ms = ms;
        *ret_n = n;
    }
}

static int view_log_files(RouteCtx *ctx, Error *err)
{
    double known_ms = 0;
    int64_t known_n = 0;
    auto_buf Buf body = BUF_INIT(LISTING_MAX);
    auto_listing Listing listing = {.arena = ctx->arena};
    JsonOut out;
    read_token(ctx, &known_ms, &known_n);
    if (list_dirs(ctx, &listing, err) < 0)
        return -1;
    bool is_full = (int64_t)listing.n != known_n;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "response_type", is_full ? "full" : "incremental");
    json_out_kv_array(&out, "files");
    write_listing(&listing, is_full ? -1 : known_ms, &out);
    json_out_end_array(&out);
    json_out_end_object(&out);
    if (buf_check(&body, "the list of logs", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* --- one log --- */

static int view_log_size(RouteCtx *ctx, Error *err)
{
    LogsName name = {0};
    StoreStat stat = {0};
    if (logs_name(ctx, ctx->params[0], &name, err) < 0 ||
        store_stat(ctx->app->store, name.key, &stat, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(64);
    buf_printf(&body, "%" PRIu64, stat.size);
    route_send_json(ctx, &body);
    return 0;
}

static int view_log_info(RouteCtx *ctx, Error *err)
{
    LogsName name = {0};
    StoreStat stat = {0};
    if (logs_name(ctx, ctx->params[0], &name, err) < 0 ||
        store_stat(ctx->app->store, name.key, &stat, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(1024);
    buf_printf(&body, "{\"size\":%" PRIu64 ",\"etag\":\"%s\"}", stat.size, stat.etag);
    route_send_json(ctx, &body);
    return 0;
}

static int view_log_bytes(RouteCtx *ctx, Error *err)
{
    LogsName name = {0};
    StoreStat stat = {0};
    int64_t start = 0;
    int64_t end = 0;
    if (route_param_int(ctx, "start", -1, 0, INT64_MAX - 1, &start, err) < 0 ||
        route_param_int(ctx, "end", -1, 0, INT64_MAX - 1, &end, err) < 0)
        return -1;
    if (start < 0 || end < start)
        return error_set(err, ERR_BAD_DATA,
                         "start and end: two offsets are needed, the second not before the first");
    if (logs_name(ctx, ctx->params[0], &name, err) < 0 ||
        store_stat(ctx->app->store, name.key, &stat, err) < 0)
        return -1;
    if ((uint64_t)start >= stat.size) {
        http_response_status(ctx->response, 416);
        http_response_header(ctx->response, "Content-Range",
                             str_of(arena_printf(ctx->arena, "bytes */%" PRIu64, stat.size)));
        return 0;
    }
    uint64_t last = (uint64_t)end < stat.size ? (uint64_t)end : stat.size - 1;
    return object_send(ctx, name.key, (uint64_t)start, last - (uint64_t)start + 1, err);
}

static int view_log_download(RouteCtx *ctx, Error *err)
{
    LogsName name = {0};
    if (logs_name(ctx, ctx->params[0], &name, err) < 0)
        return -1;
    return object_send_download(ctx, name.key, err);
}

/* --- links that work without credentials for a while --- */

static int add_link(RouteCtx *ctx, JsonOut *out, const LogsName *name, Error *err)
{
    const char *url = NULL;
    if (object_link(ctx, OBJECT_LOG, name->key, LINK_SECONDS, &url, err) < 0)
        return -1;
    json_out_object(out);
    json_out_kvz(out, "url", url);
    json_out_kvz(out, "filename", name->file);
    json_out_end_object(out);
    return 0;
}

static int view_log_download_url(RouteCtx *ctx, Error *err)
{
    LogsName name = {0};
    StoreStat stat = {0};
    if (logs_name(ctx, ctx->params[0], &name, err) < 0 ||
        store_stat(ctx->app->store, name.key, &stat, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(16384);
    JsonOut out;
    json_out_init(&out, &body, 0);
    if (add_link(ctx, &out, &name, err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

static int view_log_download_urls(RouteCtx *ctx, Error *err)
{
    Json *request = NULL;
    if (route_body_json(ctx, &request, err) < 0)
        return -1;
    const Json *logs = json_get(request, "logs");
    if (!logs || logs->type != JSON_ARRAY || logs->n > LINKS_MAX)
        return error_set(err, ERR_BAD_DATA, "logs: expected an array of at most %d names",
                         LINKS_MAX);
    auto_buf Buf body = BUF_INIT(LISTING_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "urls");
    for (const Json *log = logs->first; log; log = log->next) {
        LogsName name = {0};
        if (log->type != JSON_STRING)
            return error_set(err, ERR_BAD_DATA, "logs: expected names, found %s",
                             json_type_name(log->type));
        if (logs_name(ctx, log->text, &name, err) < 0 || add_link(ctx, &out, &name, err) < 0)
            return -1;
    }
    json_out_end_array(&out);
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

static int download_signed(RouteCtx *ctx, Error *err)
{
    const char *key = NULL;
    if (object_check_link(ctx, OBJECT_LOG, &key, err) < 0)
        return -1;
    return object_send_download(ctx, key, err);
}

/* --- the viewer's start --- */

static int view_log_dir(RouteCtx *ctx, Error *err)
{
    (void)err;
    auto_buf Buf body = BUF_INIT(16384);
    JsonOut out;
    json_out_init(&out, &body, 0);
    Str dir = http_request_param(ctx->request, "log_dir", 0);
    json_out_object(&out);
    json_out_kv_str(&out, "log_dir", dir.p ? dir : STR(""));
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

static int view_eval_set(RouteCtx *ctx, Error *err)
{
    LogsName name = {0};
    Str dir = http_request_param(ctx->request, "log_dir", 0);
    auto_buf Buf body = BUF_INIT(EVAL_SET_JSON_MAX);
    if (!dir.p || dir.n == 0 || str_find(dir, ',') >= 0) {
        http_response_bytes(ctx->response, "application/json", STR("null"));
        return 0;
    }
    if (logs_dir(ctx, dir, &name, err) < 0)
        return -1;
    if (store_get(ctx->app->store, arena_printf(ctx->arena, "%s/eval-set.json", name.key), &body,
                  err) < 0) {
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        error_reset(err);
        http_response_bytes(ctx->response, "application/json", STR("null"));
        return 0;
    }
    route_send_json(ctx, &body);
    return 0;
}

static int view_flow(RouteCtx *ctx, Error *err)
{
    (void)ctx;
    return error_set(err, ERR_NOT_FOUND, "eval sets have no flow here");
}

/* The viewer asks each second whether logs have changed since a time (milliseconds) that it was
 * told before. */
static int view_events(RouteCtx *ctx, Error *err)
{
    int64_t since = 0;
    if (route_param_int(ctx, "last_eval_time", INT64_MAX, 0, INT64_MAX, &since, err) < 0)
        return -1;
    int64_t changed = __atomic_load_n(&ctx->app->logs_changed_ms, __ATOMIC_RELAXED);
    http_response_bytes(ctx->response, "application/json",
                        changed > since ? STR("[\"refresh-evals\"]") : STR("[]"));
    return 0;
}

static int view_user_info(RouteCtx *ctx, Error *err)
{
    (void)err;
    auto_buf Buf body = BUF_INIT(4096);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "name", ctx->caller->sub);
    if (ctx->caller->email)
        json_out_kvz(&out, "email", ctx->caller->email);
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

static int view_app_config(RouteCtx *ctx, Error *err)
{
    ViewerPlace place = {.version = ""};
    if (viewer_find(ctx->app->viewer, ctx->arena, &place, err) < 0)
        error_reset(err);
    auto_buf Buf body = BUF_INIT(4096);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "inspect_version", place.version);
    json_out_kv_null(&out, "scout_version");
    json_out_kv_null(&out, "trust_content");
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

static int view_log_message(RouteCtx *ctx, Error *err)
{
    if (!str_eqz(http_request_header(ctx->request, "X-Inspect-View-Request"), "true"))
        return error_set(err, ERR_DENIED, "only the viewer may send messages");
    http_response_status(ctx->response, 204);
    return 0;
}

static int view_never(RouteCtx *ctx, Error *err)
{
    (void)ctx;
    return error_set(err, ERR_DENIED, "logs cannot be changed through the viewer");
}

/* clang-format off */
#define FILE_ANSWER "application/octet-stream; 206 application/octet-stream; 416"

#define PENDING_QUERY \
    "log: str; id: str; epoch: int(0..2147483647) = 1; last-event-id?: int; after-attachment-id?: int;" \
    " after-message-pool-id?: int; after-call-pool-id?: int"

static const Shape shapes[] = {
    { "LogFile",            "name: str; mtime: num?; task: str?; task_id: str?" },
    { "LogListingResponse", "log_dir: str; log_dir_uri: str; files: LogFile[]" },
    { "LogFilesResponse",   "response_type: 'incremental' | 'full'; files: LogFile[]" },
    { "EvalLogHeader",      "version: int; status: str; eval: object; plan?: object; results?: object?; stats?: object; ..." },
    { "LogInfo",            "size: int; etag: str?" },
    { "LogLink",            "url: str; filename: str" },
    { "LogDirResponse",     "log_dir: str" },
    { "UserInfo",           "name: str; email?: str" },
    { "AppConfig",          "inspect_version: str; scout_version: str?; trust_content: bool?" },
    { "PendingSamples",     "samples: object[]; metrics: object[]; refresh: int; etag: str" },
    { "PendingSampleData",  "events: object[]; attachments: object[]; message_pool: object[]; call_pool: object[]" },
};

#define VIEW_ROUTES(base) \
    { "GET",    base "/logs",                     ROUTE_READ,   view_logs,              "logs of an eval set", \
      .query = "log_dir: str", .answer = "LogListingResponse" }, \
    { "GET",    base "/logs/{log*}",              ROUTE_READ,   logs_view_header,       "header of a log", \
      .query = "header-only?: str", .answer = "EvalLogHeader" }, \
    { "GET",    base "/log-files",                ROUTE_READ,   view_log_files,         "logs that have changed", \
      .query = "log_dir: str", .answer = "LogFilesResponse" }, \
    { "GET",    base "/log-headers",              ROUTE_READ,   logs_view_headers,      "headers of several logs", \
      .query = "file?: str[]", .answer = "EvalLogHeader[]" }, \
    { "GET",    base "/log-size/{log*}",          ROUTE_READ,   view_log_size,          "size of a log", .answer = "int" }, \
    { "GET",    base "/log-info/{log*}",          ROUTE_READ,   view_log_info,          "size and tag of a log", .answer = "LogInfo" }, \
    { "GET",    base "/log-bytes/{log*}",         ROUTE_READ,   view_log_bytes,         "bytes of a log, end inclusive", \
      .query = "start: int(0..); end: int(0..)", .answer = "application/octet-stream; 416" }, \
    { "GET",    base "/log-download/{log*}",      ROUTE_READ,   view_log_download,      "a log as a file", .answer = FILE_ANSWER }, \
    { "GET",    base "/log-download-url/{log*}",  ROUTE_READ,   view_log_download_url,  "a link to a log that needs no credentials", \
      .answer = "LogLink" }, \
    { "POST",   base "/log-download-urls",        ROUTE_READ,   view_log_download_urls, "links to several logs", \
      .body = "{logs: str[](0..1000)}", .answer = "{urls: LogLink[]}" }, \
    { "GET",    base "/log-dir",                  ROUTE_READ,   view_log_dir,           "the folder that is looked at", \
      .query = "log_dir?: str", .answer = "LogDirResponse" }, \
    { "GET",    base "/eval-set",                 ROUTE_READ,   view_eval_set,          "eval-set.json", \
      .query = "log_dir?: str; dir?: str", .answer = "object?" }, \
    { "GET",    base "/flow",                     ROUTE_READ,   view_flow,              "never there", \
      .query = "log_dir?: str; dir?: str" }, \
    { "GET",    base "/events",                   ROUTE_READ,   view_events,            "whether logs have changed", \
      .query = "last_eval_time?: int(0..)", .answer = "str[]" }, \
    { "GET",    base "/user-info",                ROUTE_READ,   view_user_info,         "who is looking", .answer = "UserInfo" }, \
    { "GET",    base "/app-config",               ROUTE_READ,   view_app_config,        "versions", .answer = "AppConfig" }, \
    { "GET",    base "/pending-samples",          ROUTE_READ,   logs_view_pending,      "samples of a running log", \
      .query = "log: str", .answer = "PendingSamples; 304" }, \
    { "GET",    base "/pending-sample-data",      ROUTE_READ,   logs_view_pending_data, "events of a running sample", \
      .query = PENDING_QUERY, .answer = "PendingSampleData" }, \
    { "GET",    base "/pending-sample-data-urls", ROUTE_READ,   view_flow,              "never there: clients then read pending-sample-data", \
      .query = PENDING_QUERY "; max-segments?: int; tail: bool = false" }, \
    { "POST",   base "/log-message",              ROUTE_CHANGE, view_log_message,       "a message of the viewer", \
      .query = "log_file?: str; message?: str", .answer = "204" }, \
    { "POST",   base "/log-edit/{log*}",          ROUTE_CHANGE, view_never,             "refused" }, \
    { "DELETE", base "/log-delete/{log*}",        ROUTE_CHANGE, view_never,             "refused" }

static const Route rows[] = {
    VIEW_ROUTES("/view/logs"),
    VIEW_ROUTES("/api"),
    { "GET", "/download/{path*}", ROUTE_OPEN, download_signed, "a file by a signed link",
      .query = "expires: int; signature: str", .answer = FILE_ANSWER },
};
/* clang-format on */

const RouteTable routes_view = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
