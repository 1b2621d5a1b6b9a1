/* A ring of spans, and a thread that sends what has gathered: when there is a batch, or after a
   second. */

#include "server/spans.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/json_out.h"
#include "codec/percent.h"
#include "http/client.h"

enum {
    HEADERS_MAX = 16,
    BODY_MAX = 4 << 20,
    ANSWER_MAX = 64 << 10,
    SEND_TIMEOUT_MS = 5000,
    PAUSE_MS = 1000,
    KIND_SERVER = 2,
    STATUS_ERROR = 2,
};

struct Spans {
    char *endpoint;
    char *service;
    char *names[HEADERS_MAX]; /* of headers that go along */
    char *values[HEADERS_MAX];
    size_t n_headers;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    Span *ring;
    size_t first;
    size_t n;
    uint64_t n_dropped;
    bool is_ending;
};

/* --- what is sent --- */

static void write_text(JsonOut *out, const char *key, const char *value)
{
    json_out_object(out);
    json_out_kvz(out, "key", key);
    json_out_kv_object(out, "value");
    json_out_kvz(out, "stringValue", value);
    json_out_end_object(out);
    json_out_end_object(out);
}

static void write_number(JsonOut *out, const char *key, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    json_out_object(out);
    json_out_kvz(out, "key", key);
    json_out_kv_object(out, "value");
    json_out_kvz(out, "intValue", text); /* 64-bit numbers are texts in protobuf's JSON */
    json_out_end_object(out);
    json_out_end_object(out);
}

static void write_instant(JsonOut *out, const char *key, int64_t instant_us)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%" PRId64 "000", instant_us);
    json_out_kvz(out, key, text);
}

static void write_span(JsonOut *out, const Span *span)
{
    char name[256];
    (void)snprintf(name, sizeof(name), "%s %s", span->method, span->route ? span->route : "");
    json_out_object(out);
    json_out_kvz(out, "traceId", span->trace.id);
    json_out_kvz(out, "spanId", span->id);
    if (span->trace.parent[0])
        json_out_kvz(out, "parentSpanId", span->trace.parent);
    json_out_kv_str(out, "name", str_trim(str_of(name)));
    json_out_kv_int(out, "kind", KIND_SERVER);
    write_instant(out, "startTimeUnixNano", span->begun_us);
    write_instant(out, "endTimeUnixNano", span->ended_us);
    json_out_kv_array(out, "attributes");
    write_text(out, "http.request.method", span->method);
    if (span->route)
        write_text(out, "http.route", span->route);
    write_number(out, "http.response.status_code", span->status);
    json_out_end_array(out);
    if (span->status >= 500) {
        json_out_kv_object(out, "status");
        json_out_kv_int(out, "code", STATUS_ERROR);
        json_out_end_object(out);
    }
    json_out_end_object(out);
}

/* ExportTraceServiceRequest of OpenTelemetry's protocol. */
static void write_batch(const Spans *spans, const Span *batch, size_t n, Buf *ret)
{
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "resourceSpans");
    json_out_object(&out);
    json_out_kv_object(&out, "resource");
    json_out_kv_array(&out, "attributes");
    write_text(&out, "service.name", spans->service);
    write_text(&out, "service.version", HAWK_VERSION);
    json_out_end_array(&out);
    json_out_end_object(&out);
    json_out_kv_array(&out, "scopeSpans");
    json_out_object(&out);
    json_out_kv_object(&out, "scope");
    json_out_kvz(&out, "name", "hawk");
    json_out_end_object(&out);
    json_out_kv_array(&out, "spans");
    for (size_t i = 0; i < n; i++)
        write_span(&out, &batch[i]);
    json_out_end_array(&out);
    json_out_end_object(&out);
    json_out_end_array(&out);
    json_out_end_object(&out);
    json_out_end_array(&out);
    json_out_end_object(&out);
}

static int send_batch(const Spans *spans, HttpClient *client, const Span *batch, size_t n,
                      Error *err)
{
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    auto_http_reply HttpReply reply;
    HttpHeader headers[HEADERS_MAX + 1] = {{"Content-Type", STR("application/json")}};
    for (size_t i = 0; i < spans->n_headers; i++)
        headers[i + 1] = (HttpHeader){spans->names[i], str_of(spans->values[i])};
    http_reply_init(&reply, ANSWER_MAX);
    write_batch(spans, batch, n, &body);
    const HttpCall call = {.method = "POST",
                           .url = spans->endpoint,
                           .headers = headers,
                           .n_headers = spans->n_headers + 1,
                           .body = buf_str(&body),
                           .timeout_ms = SEND_TIMEOUT_MS,
                           .keep_redirects = true};
    if (buf_check(&body, "spans", err) < 0 || http_client_send(client, &call, &reply, err) < 0)
        return -1;
    if (reply.status < 200 || reply.status > 299)
        return error_set(err, ERR_UNREACHABLE, "the collector answers with status %d",
                         reply.status);
    return 0;
}

/* --- the thread --- */

/* Waits for a batch, for a second, or for the end; takes what there is. False at the end, when
   nothing is left. */
static bool take_batch(Spans *spans, Span *batch, size_t *ret_n, uint64_t *ret_dropped)
{
    struct timespec until;
    int waited = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PAUSE_MS / 1000;
    pthread_mutex_lock(&spans->lock);
    while (spans->n < SPANS_BATCH_MAX && !spans->is_ending && waited == 0)
        waited = pthread_cond_timedwait(&spans->changed, &spans->lock, &until);
    size_t n = spans->n < SPANS_BATCH_MAX ? spans->n : SPANS_BATCH_MAX;
    for (size_t i = 0; i < n; i++)
        batch[i] = spans->ring[(spans->first + i) % SPANS_QUEUED_MAX];
    spans->first = (spans->first + n) % SPANS_QUEUED_MAX;
    spans->n -= n;
    *ret_dropped = spans->n_dropped;
    spans->n_dropped = 0;
    bool is_over = spans->is_ending && n == 0;
    pthread_mutex_unlock(&spans->lock);
    *ret_n = n;
    return !is_over;
}

static bool is_ending(Spans *spans)
{
    pthread_mutex_lock(&spans->lock);
    bool is_over = spans->is_ending;
    pthread_mutex_unlock(&spans->lock);
    return is_over;
}

/* Trouble is logged when it begins and when it ends. */
static void *run(void *context)
{
    Spans *spans = context;
    auto_http_client HttpClient *client = http_client_new();
    auto_free Span *batch = mem_array(SPANS_BATCH_MAX, sizeof(*batch));
    bool has_trouble = false;
    uint64_t n_lost = 0;
    size_t n = 0;
    uint64_t n_dropped = 0;
    while (take_batch(spans, batch, &n, &n_dropped)) {
        auto_error Error err = ERROR_INIT;
        n_lost += n_dropped;
        if (n == 0)
            continue;
        if (send_batch(spans, client, batch, n, &err) == 0) {
            if (has_trouble || n_lost > 0)
                log_info("spans.going_on", KV_INT("lost", (int64_t)n_lost));
            has_trouble = false;
            n_lost = 0;
            continue;
        }
        n_lost += n;
        if (!has_trouble)
            log_warn("spans.not_sent", KV("error", error_text(&err)));
        has_trouble = true;
        if (is_ending(spans))
            break;
    }
    return NULL;
}

void spans_add(Spans *spans, const Span *span)
{
    pthread_mutex_lock(&spans->lock);
    if (spans->n == SPANS_QUEUED_MAX) {
        spans->n_dropped++;
    } else {
        spans->ring[(spans->first + spans->n++) % SPANS_QUEUED_MAX] = *span;
        if (spans->n == SPANS_BATCH_MAX)
            pthread_cond_signal(&spans->changed);
    }
    pthread_mutex_unlock(&spans->lock);
}

/* --- beginning and end --- */

static int read_headers(Spans *spans, const char *headers, Error *err)
{
    Str rest = str_of(headers);
    Str pair = STR_NONE;
    while (headers && str_split(&rest, ',', &pair)) {
        Str value = str_trim(pair);
        Str name = STR_NONE;
        auto_buf Buf decoded = BUF_INIT(ANSWER_MAX);
        if (value.n == 0)
            continue;
        if (spans->n_headers == HEADERS_MAX || !str_split(&value, '=', &name) || !value.p ||
            str_trim(name).n == 0 || percent_decode(str_trim(value), false, &decoded, err) < 0) {
            error_reset(err);
            return error_set(err, ERR_USAGE,
                             "OTEL_EXPORTER_OTLP_HEADERS: expected up to %d "
                             "name=value, with ',' between",
                             HEADERS_MAX);
        }
        name = str_trim(name);
        spans->names[spans->n_headers] = mem_strndup(name.p, name.n);
        spans->values[spans->n_headers++] = mem_strndup(decoded.data, decoded.len);
    }
    return 0;
}

int spans_start(const char *endpoint, const char *headers, const char *service, Spans **ret,
                Error *err)
{
    auto_spans Spans *spans = mem_alloc(sizeof(*spans));
    spans->endpoint = mem_strdup(endpoint);
    spans->service = mem_strdup(service);
    spans->ring = mem_array(SPANS_QUEUED_MAX, sizeof(*spans->ring));
    pthread_mutex_init(&spans->lock, NULL);
    thread_cond_init(&spans->changed);
    if (read_headers(spans, headers, err) < 0)
        return -1;
    if (thread_start(&spans->thread, run, spans, err) < 0)
        return -1;
    spans->has_thread = true;
    *ret = TAKE(spans);
    return 0;
}

void spans_stop(Spans *spans)
{
    if (!spans)
        return;
    pthread_mutex_lock(&spans->lock);
    spans->is_ending = true;
    pthread_cond_signal(&spans->changed);
    pthread_mutex_unlock(&spans->lock);
    if (spans->has_thread)
        (void)pthread_join(spans->thread, NULL);
    for (size_t i = 0; i < spans->n_headers; i++) {
        mem_wipe(spans->values[i], strlen(spans->values[i]));
        free(spans->names[i]);
        free(spans->values[i]);
    }
    pthread_cond_destroy(&spans->changed);
    pthread_mutex_destroy(&spans->lock);
    free(spans->ring);
    free(spans->endpoint);
    free(spans->service);
    free(spans);
}
