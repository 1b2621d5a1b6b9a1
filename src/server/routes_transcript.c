/* /meta/samples/{uuid}/transcript: one sample as a document, made at the pace of the client. */

#include "server/routes.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "evallog/transcript.h"
#include "server/logs.h"
#include "server/server_priv.h"

enum { PIECE_MAX = 1 << 30, SEND_MAX = 4 << 20 };

/* A message may be larger than what a step of a stream may give: what has been made and not sent
   yet lies in `made` from n_sent on. */
typedef struct Reading {
    Arena *arena; /* of what the transcript says about the sample */
    EvalLog *log;
    Transcript *transcript;
    Buf made;
    size_t n_sent;
    bool is_over;
} Reading;

static void reading_close(void *state)
{
    Reading *reading = state;
    transcript_close(reading->transcript);
    evallog_close(reading->log);
    arena_free(reading->arena);
    buf_release(&reading->made);
    free(reading);
}

static void reading_cleanup(Reading **reading)
{
    if (*reading)
        reading_close(*reading);
}

static int make_more(Reading *reading, Error *err)
{
    buf_reset(&reading->made);
    reading->n_sent = 0;
    int more = transcript_step(reading->transcript, &reading->made, err);
    reading->is_over = more == 0;
    return more < 0 ? -1 : 0;
}

static HttpStreamStep reading_next(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)wait_ms;
    Reading *reading = state;
    auto_error Error err = ERROR_INIT;
    if (http_stream_is_ending(stream))
        return HTTP_STREAM_FAIL;
    if (reading->n_sent == reading->made.len && make_more(reading, &err) < 0) {
        log_error("transcript.failed", KV("kind", error_kind_name(err.kind)),
                  KV("error", error_text(&err)));
        return HTTP_STREAM_FAIL;
    }
    size_t n = reading->made.len - reading->n_sent;
    if (n > SEND_MAX)
        n = SEND_MAX;
    buf_add(out, reading->made.data + reading->n_sent, n);
    reading->n_sent += n;
    bool is_sent = reading->n_sent == reading->made.len;
    return reading->is_over && is_sent ? HTTP_STREAM_END : HTTP_STREAM_MORE;
}

static const HttpStreamOps reading_ops = {reading_next, reading_close};

/* The parameter, else the first media type of Accept that is a format, else Markdown. */
static int read_format(RouteCtx *ctx, TranscriptFormat *ret, Error *err)
{
    Str name = http_request_param(ctx->request, "format", 0);
    Str rest = http_request_header(ctx->request, "Accept");
    Str item = STR_NONE;
    *ret = TRANSCRIPT_MARKDOWN;
    if (name.p)
        return transcript_format_find(name, ret)
                   ? 0
                   : error_set(err, ERR_USAGE, "format: expected md, html or json");
    while (rest.p && str_split(&rest, ',', &item)) {
        Str type = STR_NONE;
        if (str_split(&item, ';', &type) && transcript_format_find(str_trim(type), ret))
            break;
    }
    return 0;
}

static int open_reading(RouteCtx *ctx, const QueriesPlace *place, TranscriptFormat format,
                        Reading *reading, Error *err)
{
    auto_sample_parts SampleParts *parts = NULL;
    const EvalLogHeader *header = NULL;
    if (logs_open_sample(ctx, place, &reading->log, &parts, err) < 0 ||
        evallog_header(reading->log, &header, err) < 0)
        return -1;
    const TranscriptAbout about = {.uuid = arena_str(reading->arena, ctx->params[0]),
                                   .eval_set_id =
                                       arena_str(reading->arena, str_of(place->eval_set_id)),
                                   .task = header->task,
                                   .model = header->model};
    if (transcript_open(parts, &about, format, &reading->transcript, err) < 0)
        return -1;
    parts = NULL;
    return 0;
}

static int sample_transcript(RouteCtx *ctx, Error *err)
{
    TranscriptFormat format = TRANSCRIPT_MARKDOWN;
    QueriesPlace place = {0};
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (read_format(ctx, &format, err) < 0 ||
        queries_place(ctx->app->sql, &access, ctx->params[0], ctx->arena, &place, err) < 0)
        return -1;
    HAWK_CLEANUP(reading_cleanup) Reading *reading = mem_alloc(sizeof(*reading));
    reading->arena = arena_new();
    reading->made = BUF_INIT(PIECE_MAX);
    if (open_reading(ctx, &place, format, reading, err) < 0)
        return -1;
    /* What a model wrote is shown, never run, and has nothing to do with this server's pages. */
    http_response_header(ctx->response, "Content-Security-Policy",
                         STR(TRANSCRIPT_POLICY "; sandbox"));
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    http_response_header(ctx->response, "Vary", STR("Accept"));
    http_response_stream(ctx->response, transcript_format_media_type(format), &reading_ops,
                         TAKE(reading));
    return 0;
}

/* clang-format off */
static const Route rows[] = {
    { "GET", "/meta/samples/{sample_uuid}/transcript", ROUTE_READ, sample_transcript, "a sample as Markdown, HTML or JSON",
      .query = "format?: 'md' | 'html' | 'json'", .answer = "text/markdown,text/html,application/json" },
};
/* clang-format on */

const RouteTable routes_transcript = {rows, ARRAY_LEN(rows), NULL, 0};
