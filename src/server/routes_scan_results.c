/* /meta/scans and /meta/scan-export: what scans have found. */

#include "server/routes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/frames.h"
#include "server/scans.h"
#include "server/server_priv.h"
#include "warehouse/scans/scan_queries.h"

enum {
    LIST_MAX_BYTES = 64 << 20,
    PAGE_MAX = 1000000000,
    LIMIT_MAX = 500,
    SEND_STEP = 64 << 10,
    SEND_MAX = 1 << 20,
    READ_WAIT_MS = 200,
    END_WAIT_MS = 60 * 1000,
};

/* --- the list --- */

static int meta_scans(RouteCtx *ctx, Error *err)
{
    auto_buf Buf body = BUF_INIT(LIST_MAX_BYTES);
    JsonOut out;
    const QueriesAccess access = server_queries_access(ctx->caller);
    ScanQueriesList list = {
        .search = http_request_param(ctx->request, "search", 0),
        .sort_by = http_request_param(ctx->request, "sort_by", 0),
        .sort_order = http_request_param(ctx->request, "sort_order", 0),
    };
    json_out_init(&out, &body, 0);
    if (route_param_int(ctx, "page", 1, 1, PAGE_MAX, &list.page.page, err) < 0 ||
        route_param_int(ctx, "limit", 100, 1, LIMIT_MAX, &list.page.limit, err) < 0 ||
        scan_queries_list(ctx->app->sql, &access, &list, &out, err) < 0)
        return -1;
    if (buf_check(&body, "the answer", err) < 0)
        return error_fix(err, "ask for fewer items with limit");
    route_send_json(ctx, &body);
    return 0;
}

/* --- the export --- */

typedef struct Download {
    ScansCopy copy;
    Process process;
} Download;

/* Appends what there is; true until the end of the file. */
static bool take_some(const Download *download, Buf *out)
{
    while (out->len < SEND_MAX) {
        char *room = buf_room(out, SEND_STEP);
        if (!room)
            return true;
        ssize_t n = read(download->process.out, room, SEND_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        buf_grew(out, (size_t)n);
    }
    return true;
}

static HttpStreamStep download_next(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)wait_ms;
    Download *download = state;
    auto_error Error err = ERROR_INIT;
    size_t before = out->len;
    if (http_stream_is_ending(stream))
        return HTTP_STREAM_FAIL;
    if (take_some(download, out)) {
        struct pollfd more = {.fd = download->process.out, .events = POLLIN};
        if (out->len == before)
            (void)poll(&more, 1, READ_WAIT_MS);
        return HTTP_STREAM_MORE;
    }
    if (frames_finish(&download->process, END_WAIT_MS, &err) == 0)
        return HTTP_STREAM_END;
    log_error("scan_export.failed", KV("error", error_text(&err)));
    return HTTP_STREAM_FAIL;
}

static void download_close(void *state)
{
    Download *download = state;
    process_release(&download->process);
    scans_copy_release(&download->copy);
    free(download);
}

static const HttpStreamOps download_ops = {download_next, download_close};

static int open_download(RouteCtx *ctx, const ScanResultFile *file, const char *form,
                         Download *download, Error *err)
{
    const char *name = arena_printf(ctx->arena, "%s.parquet", file->scanner_key);
    const char *key = arena_printf(ctx->arena, "%s/%s", file->folder, name);
    StoreStat stat;
    auto_error Error missing = ERROR_INIT;
    if (strchr(name, '/') || !store_key_is_valid(str_of(key)) ||
        store_stat(ctx->app->store, key, &stat, &missing) < 0)
        return error_set(err, ERR_NOT_FOUND, "Scan results data not found");
    if (scans_copy(ctx->app, file->folder, name, &download->copy, err) < 0)
        return -1;
    const char *const words[] = {form, download->copy.path, NULL};
    const FramesStart start = {
        .program = "hawk_scans.py", .words = words, .in = PROCESS_NULL, .out = PROCESS_PIPE};
    if (frames_start(ctx->app->cache_dir, &start, &download->process, err) < 0)
        return -1;
    (void)fcntl(download->process.out, F_SETFL, O_NONBLOCK);
    return 0;
}

/* A scanner's name for a file: what is no letter, digit, '-', '.' or '_' is '_'. */
static const char *file_name_of(Arena *arena, const char *scanner)
{
    char *name = arena_strdup(arena, scanner);
    for (char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              *p == '-' || *p == '.'))
            *p = '_';
    return name;
}

static int meta_scan_export(RouteCtx *ctx, Error *err)
{
    ScanResultFile file = {0};
    const QueriesAccess access = server_queries_access(ctx->caller);
    Str scanner = http_request_param(ctx->request, "scanner", 0);
    Str format = http_request_param(ctx->request, "format", 0);
    bool is_parquet = format.p && str_eqz(format, "parquet");
    if (format.p && !is_parquet && !str_eqz(format, "csv"))
        return error_set(err, ERR_USAGE, "format: expected csv or parquet");
    if (scan_queries_file(ctx->app->sql, &access, ctx->params[0], scanner, ctx->arena, &file, err) <
        0)
        return -1;
    const char *form = is_parquet ? "parquet" : "csv";
    Download *download = mem_alloc(sizeof(*download));
    download->process = PROCESS_INIT;
    if (open_download(ctx, &file, form, download, err) < 0) {
        download_close(download);
        return -1;
    }
    const char *name = arena_printf(ctx->arena, "attachment; filename=\"%s_%s.%s\"", file.scan_id,
                                    file_name_of(ctx->arena, file.scanner_name), form);
    http_response_header(ctx->response, "Content-Disposition", str_of(name));
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    http_response_stream(ctx->response, is_parquet ? "application/vnd.apache.parquet" : "text/csv",
                         &download_ops, download);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "ScanListItem",
      "pk: str; scan_id: str; scan_name: str?; meta_name: str?; job_id: str?; location: str; scan_folder: str;"
      " timestamp: time; created_at: time; errors: str[]?; scanner_result_count: int" },
    { "ScansResponse", "items: ScanListItem[]; total: int; page: int; limit: int" },
};

static const Route rows[] = {
    { "GET", "/meta/scans", ROUTE_READ, meta_scans, "scans that have results, newest first",
      .query = "page: int(1..1000000000) = 1; limit: int(1..500) = 100; search?: str; sort_by: str = 'timestamp';"
               " sort_order: 'asc' | 'desc' = 'desc'",
      .answer = "ScansResponse" },
    { "GET", "/meta/scan-export/{scanner_result_uuid}", ROUTE_READ, meta_scan_export,
      "all results of a scanner, by one of them or by the id of the scan",
      .query = "format: 'csv' | 'parquet' = 'csv'; scanner?: str", .answer = "text/csv,application/vnd.apache.parquet" },
};
/* clang-format on */

const RouteTable routes_scan_results = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
