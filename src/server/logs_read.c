/* Handlers that read into a log: headers, and the live buffer of a running one. */

#include "server/logs.h"

#include <math.h>

#include "base/mem.h"
#include "evallog/evallog.h"
#include "evallog/live.h"
#include "server/server_priv.h"

enum {
    HEADERS_MAX = 2000,
    HEADERS_BYTES_MAX = 256 << 20,
    PENDING_MAX = 512 << 20, /* events of one running sample, as the viewer asks for them */
    SEGMENT_NAME_MAX = 64,
};

static int open_log(RouteCtx *ctx, Str given, EvalLog **ret, Error *err)
{
    LogsName name = {0};
    auto_source Source *source = NULL;
    if (logs_name(ctx, given, &name, err) < 0 ||
        store_source(ctx->app->store, name.key, &source, err) < 0)
        return -1;
    if (evallog_open(source, ret, err) < 0)
        return -1;
    source = NULL;
    return 0;
}

/* What Inspect reads of a log without its samples: the header, and the scores reduced over epochs.
 */
static int read_header(RouteCtx *ctx, Str given, Buf *body, Error *err)
{
    auto_evallog EvalLog *log = NULL;
    const EvalLogHeader *header = NULL;
    Str reductions = STR_NONE;
    if (open_log(ctx, given, &log, err) < 0 || evallog_header(log, &header, err) < 0 ||
        evallog_reductions(log, &reductions, err) < 0)
        return -1;
    Str raw = str_trim(header->raw);
    if (!reductions.n) {
        buf_add_str(body, raw);
        return 0;
    }
    buf_add_str(body, str_slice(raw, 0, raw.n - 1));
    buf_addz(body, ",\"reductions\":");
    buf_add_str(body, reductions);
    buf_addc(body, '}');
    return 0;
}

int logs_view_header(RouteCtx *ctx, Error *err)
{
    auto_buf Buf body = BUF_INIT(HEADERS_BYTES_MAX);
    if (read_header(ctx, ctx->params[0], &body, err) < 0 || buf_check(&body, "the header", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

int logs_view_headers(RouteCtx *ctx, Error *err)
{
    auto_buf Buf body = BUF_INIT(HEADERS_BYTES_MAX);
    buf_addc(&body, '[');
    for (size_t i = 0;; i++) {
        Str file = http_request_param(ctx->request, "file", i);
        if (!file.p)
            break;
        if (i == HEADERS_MAX)
            return error_set(err, ERR_USAGE, "file: at most %d logs at once", HEADERS_MAX);
        if (i > 0)
            buf_addc(&body, ',');
        if (read_header(ctx, file, &body, err) < 0)
            return -1;
    }
    buf_addc(&body, ']');
    if (buf_check(&body, "the headers", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* --- live buffers --- */

typedef struct BufferFolder {
    Store *store;
    Buf key; /* "evals/<id>/.buffer/<log>" */
} BufferFolder;

static void buffer_folder_release(BufferFolder *folder)
{
    buf_release(&folder->key);
}

static int open_buffer_file(void *context, const char *name, Source **ret, Error *err)
{
    BufferFolder *folder = context;
    auto_free char *key = mem_printf("%s/%s", folder->key.data, name);
    return store_source(folder->store, key, ret, err);
}

static int find_buffer(RouteCtx *ctx, BufferFolder *folder, Error *err)
{
    LogsName name = {0};
    Str log = http_request_param(ctx->request, "log", 0);
    if (!log.p)
        return error_set(err, ERR_BAD_DATA, "log: this parameter is needed");
    if (logs_name(ctx, log, &name, err) < 0)
        return -1;
    folder->store = ctx->app->store;
    folder->key = BUF_INIT(STORE_KEY_MAX);
    live_folder_key(str_of(name.key), &folder->key);
    return buf_check(&folder->key, "the name of the log", err);
}

int logs_view_pending(RouteCtx *ctx, Error *err)
{
    HAWK_CLEANUP(buffer_folder_release) BufferFolder folder = {0};
    if (find_buffer(ctx, &folder, err) < 0)
        return -1;
    StoreStat stat = {0};
    auto_free char *manifest = mem_printf("%s/manifest.json", folder.key.data);
    if (store_stat(ctx->app->store, manifest, &stat, err) < 0)
        return -1;
    http_response_header(ctx->response, "ETag", str_of(stat.etag));
    if (str_eqz(http_request_header(ctx->request, "If-None-Match"), stat.etag)) {
        http_response_status(ctx->response, 304);
        return 0;
    }
    const LiveFolder live = {open_buffer_file, &folder};
    auto_buf Buf body = BUF_INIT(PENDING_MAX);
    if (live_samples(&live, str_of(stat.etag), &body, err) < 0 ||
        buf_check(&body, "the samples", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

static int read_cursors(RouteCtx *ctx, LiveCursors *ret, Error *err)
{
    if (route_param_int(ctx, "last-event-id", 0, INT64_MIN, INT64_MAX, &ret->event, err) < 0 ||
        route_param_int(ctx, "after-attachment-id", 0, INT64_MIN, INT64_MAX, &ret->attachment,
                        err) < 0 ||
        route_param_int(ctx, "after-message-pool-id", 0, INT64_MIN, INT64_MAX, &ret->message_pool,
                        err) < 0)
        return -1;
    return route_param_int(ctx, "after-call-pool-id", 0, INT64_MIN, INT64_MAX, &ret->call_pool,
                           err);
}

int logs_view_pending_data(RouteCtx *ctx, Error *err)
{
    HAWK_CLEANUP(buffer_folder_release) BufferFolder folder = {0};
    LiveQuery query = {.id = http_request_param(ctx->request, "id", 0), .max_segments = -1};
    if (!query.id.p)
        return error_set(err, ERR_BAD_DATA, "id: this parameter is needed");
    if (route_param_int(ctx, "epoch", 1, 0, INT32_MAX, &query.epoch, err) < 0 ||
        read_cursors(ctx, &query.seen, err) < 0 || find_buffer(ctx, &folder, err) < 0)
        return -1;
    const LiveFolder live = {open_buffer_file, &folder};
    auto_buf Buf body = BUF_INIT(PENDING_MAX);
    if (live_sample_data(&live, &query, &body, err) < 0 || buf_check(&body, "the events", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}
