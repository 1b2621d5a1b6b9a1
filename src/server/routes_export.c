/* /meta/export: tables of the warehouse, jobs and imports as files. Bytes are made at the pace of
   the client. */

#include "server/routes.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/export_lists.h"
#include "server/parquet.h"
#include "server/server_priv.h"
#include "warehouse/export/export.h"

enum { ROW_MAX = 256 << 20, SEND_MAX = 4 << 20 };

/* What has been made and not sent yet lies in `made` from n_sent on: a row may be larger than what
   a step of a stream may give. */
typedef struct Download {
    Export *export;   /* NULL: all is made from the beginning */
    Parquet *parquet; /* or NULL */
    Buf made;
    size_t n_sent;
    bool is_over; /* all is made */
} Download;

static int make_more(Download *download, Error *err)
{
    buf_reset(&download->made);
    download->n_sent = 0;
    int more = export_step(download->export, &download->made, err);
    download->is_over = more == 0;
    return more < 0 ? -1 : 0;
}

/* 1 when there is more to come, 0 at the end, -1 on failure. */
static int send_plain(Download *download, Buf *out, Error *err)
{
    if (download->n_sent == download->made.len && !download->is_over &&
        make_more(download, err) < 0)
        return -1;
    size_t n = download->made.len - download->n_sent;
    if (n > SEND_MAX)
        n = SEND_MAX;
    buf_add(out, download->made.data + download->n_sent, n);
    download->n_sent += n;
    return !download->is_over || download->n_sent < download->made.len;
}

static int send_parquet(Download *download, Buf *out, Error *err)
{
    if (download->made.len == 0 && !download->is_over && make_more(download, err) < 0)
        return -1;
    return parquet_pump(download->parquet, &download->made, download->is_over, SEND_MAX, out, err);
}

static HttpStreamStep download_next(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)wait_ms;
    Download *download = state;
    auto_error Error err = ERROR_INIT;
    if (http_stream_is_ending(stream))
        return HTTP_STREAM_FAIL;
    int more =
        download->parquet ? send_parquet(download, out, &err) : send_plain(download, out, &err);
    if (more < 0)
        log_error("export.failed", KV("kind", error_kind_name(err.kind)),
                  KV("error", error_text(&err)));
    return more < 0 ? HTTP_STREAM_FAIL : more > 0 ? HTTP_STREAM_MORE : HTTP_STREAM_END;
}

static void download_close(void *state)
{
    Download *download = state;
    export_close(download->export);
    parquet_free(download->parquet);
    buf_release(&download->made);
    free(download);
}

static const HttpStreamOps download_ops = {download_next, download_close};

/* What was asked for: a format of ours, or Parquet, which is made of the feed. */
typedef struct Format {
    FrameFormat frame;
    bool is_parquet;
} Format;

static bool find_format(Str name, Format *ret)
{
    ret->is_parquet = str_eqz(name, "parquet") || str_eq_nocase(name, STR(PARQUET_MEDIA_TYPE));
    if (ret->is_parquet)
        ret->frame = FRAME_FEED;
    return ret->is_parquet || frame_format_find(name, &ret->frame);
}

/* The first media type of Accept that is a format; JSON when none is. */
static Format accepted_format(RouteCtx *ctx)
{
    Format format = {.frame = FRAME_JSON};
    Str rest = http_request_header(ctx->request, "Accept");
    Str item = STR_NONE;
    while (rest.p && str_split(&rest, ',', &item)) {
        Str type = STR_NONE;
        if (str_split(&item, ';', &type) && find_format(str_trim(type), &format))
            return format;
    }
    return (Format){.frame = FRAME_JSON};
}

static int read_format(RouteCtx *ctx, Format *ret, Error *err)
{
    Str name = http_request_param(ctx->request, "format", 0);
    if (!name.p) {
        *ret = accepted_format(ctx);
        return 0;
    }
    if (!find_format(name, ret))
        return error_set(err, ERR_USAGE, "format: expected csv, json, ndjson or parquet");
    return 0;
}

/* What was asked for: a table of the warehouse or a list. */
typedef struct Wanted {
    ExportQuery query;
    const ExportList *list; /* or NULL */
    const char *name;
    Format format;
} Wanted;

static int read_wanted(RouteCtx *ctx, Wanted *ret, Error *err)
{
    ExportQuery *query = &ret->query;
    Str excel = http_request_param(ctx->request, "excel", 0);
    ret->list = export_list_find(ctx->params[0]);
    if (!ret->list && !export_table_find(ctx->params[0], &query->table))
        return error_set(err, ERR_NOT_FOUND, "there is no table '%.*s'", STR_ARG(ctx->params[0]));
    ret->name = ret->list ? export_list_name(ret->list) : export_table_name(query->table);
    if (read_format(ctx, &ret->format, err) < 0)
        return -1;
    query->format = ret->format.frame;
    query->for_excel = excel.p && (str_eqz(excel, "1") || str_eqz(excel, "true"));
    Str *ids = arena_array(ctx->arena, EXPORT_IDS_MAX, sizeof(*ids));
    for (;; query->n_ids++) {
        Str id = http_request_param(ctx->request, "id", query->n_ids);
        if (!id.p)
            break;
        if (query->n_ids == EXPORT_IDS_MAX)
            return error_set(err, ERR_USAGE, "id: at most %d values", EXPORT_IDS_MAX);
        ids[query->n_ids] = id;
    }
    query->ids = ids;
    return 0;
}

static int open_download(RouteCtx *ctx, const Wanted *wanted, Download *download, Error *err)
{
    const ExportQuery *query = &wanted->query;
    const QueriesAccess access = server_queries_access(ctx->caller);
    download->made = BUF_INIT(ROW_MAX);
    download->is_over = wanted->list != NULL;
    if (wanted->list ? export_list_write(ctx, wanted->list, query->ids, query->n_ids, query->format,
                                         query->for_excel, &download->made, err) < 0
                     : export_open(ctx->app->sql, &access, query, &download->export, err) < 0)
        return -1;
    if (!wanted->format.is_parquet)
        return 0;
    return parquet_start(ctx->app->cache_dir, PROCESS_PIPE, &download->parquet, err);
}

static void add_headers(RouteCtx *ctx, const char *table, const char *suffix)
{
    const char *name = arena_printf(ctx->arena, "attachment; filename=\"%s.%s\"", table, suffix);
    http_response_header(ctx->response, "Content-Disposition", str_of(name));
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    http_response_header(ctx->response, "Vary", STR("Accept"));
}

static int meta_export(RouteCtx *ctx, Error *err)
{
    Wanted wanted = {0};
    if (read_wanted(ctx, &wanted, err) < 0)
        return -1;
    Download *download = mem_alloc(sizeof(*download));
    if (open_download(ctx, &wanted, download, err) < 0) {
        download_close(download);
        return -1;
    }
    bool is_parquet = wanted.format.is_parquet;
    FrameFormat format = wanted.format.frame;
    add_headers(ctx, wanted.name, is_parquet ? "parquet" : frame_format_name(format));
    http_response_stream(ctx->response,
                         is_parquet ? PARQUET_MEDIA_TYPE : frame_format_media_type(format),
                         &download_ops, download);
    return 0;
}

/* clang-format off */
static const Route rows[] = {
    { "GET", "/meta/export/{table}", ROUTE_READ, meta_export, "a table of the warehouse as a file",
      .query = "format?: 'csv' | 'json' | 'ndjson' | 'parquet' | 'feed'; excel: bool = false; id?: str[]",
      .answer = "text/csv,application/json,application/x-ndjson,application/vnd.apache.parquet,application/vnd.hawk.feed" },
};
/* clang-format on */

const RouteTable routes_export = {rows, ARRAY_LEN(rows), NULL, 0};
