/* HTTP/1.1 server: an event loop that never waits, and a pool of workers on which handlers may.

   One handler gets every request, on a worker thread, after the body has arrived whole (in memory
   up to 64 KiB, above that in an unlinked temporary file, never over the limit). It fills the
   response; a stream response is asked for more bytes, again on a worker, whenever the client has
   taken what there was. Requests whose framing is ambiguous (RFC 9112, section 6.3: two
   Content-Lengths, Content-Length with Transfer-Encoding), without Host, or with headers over the
   limit never reach the handler. */
#ifndef HAWK_HTTP_SERVER_H
#define HAWK_HTTP_SERVER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

typedef struct HttpServer HttpServer;
typedef struct HttpRequest HttpRequest;
typedef struct HttpResponse HttpResponse;
typedef struct HttpStream HttpStream;

typedef void HttpHandler(void *context, HttpRequest *request, HttpResponse *response);

/* Texts are borrowed for as long as the server runs. */
typedef struct HttpServerOptions {
    const char *address; /* "127.0.0.1", "::1", ... */
    int port;            /* 0: any free one */
    int listen_fd;       /* -1, or a socket that listens already; the server closes it */
    size_t n_workers;
    size_t n_queued_max; /* requests waiting for a worker; more get 503 with Retry-After */
    size_t n_connections_max;
    size_t body_max; /* bytes; more get 413 */
    /* Asked on a loop's thread when the headers of a request have come, so it must not wait; it may
       set another limit for the body, or refuse the request before its body comes. NULL: takes all.
     */
    int (*admit)(void *context, HttpRequest *request, size_t *body_max, Error *err);
    int idle_timeout_ms;   /* between requests, and without progress of a body or an answer */
    int header_timeout_ms; /* from the first byte to the end of the headers */
    const char *spool_dir; /* for large bodies; NULL: $TMPDIR, else /tmp */
    HttpHandler *handler;
    void *context;
} HttpServerOptions;

/* Sane values for everything but the handler. */
#define HTTP_SERVER_OPTIONS                                                                        \
    ((HttpServerOptions){                                                                          \
        .address = "127.0.0.1",                                                                    \
        .listen_fd = -1,                                                                           \
        .n_workers = 16,                                                                           \
        .n_queued_max = 256,                                                                       \
        .n_connections_max = 1024,                                                                 \
        .body_max = 64 << 20,                                                                      \
        .idle_timeout_ms = 60000,                                                                  \
        .header_timeout_ms = 10000,                                                                \
    })

/* Starts to listen and serve. ERR_CONFLICT when the port is in use. */
int http_server_start(const HttpServerOptions *options, HttpServer **ret, Error *err) HAWK_MUST_USE;
int http_server_port(const HttpServer *server);

/* Takes no new connections, waits up to drain_ms for running requests (streams are told to end),
   breaks off what is left, waits for handlers that still run, and frees. NULL is fine. */
void http_server_stop(HttpServer *server, int drain_ms);

/* The request line. HEAD is reported as GET: the server leaves out the body. The path is raw, still
   percent-encoded; the query is raw without '?', STR_NONE when there is none. All views live until
   the response has been sent. */
Str http_request_method(const HttpRequest *request);
bool http_request_is_head(const HttpRequest *request);
Str http_request_path(const HttpRequest *request);
Str http_request_query(const HttpRequest *request);

/* The first header or cookie of that name, STR_NONE when missing; the address of the client. */
Str http_request_header(const HttpRequest *request, const char *name);
Str http_request_cookie(const HttpRequest *request, const char *name);
Str http_request_peer(const HttpRequest *request);

/* Memory that ends with the request. */
Arena *http_request_arena(HttpRequest *request);

/* Whether the client has closed its side, so that long work may stop; only while the handler runs.
 */
bool http_request_is_abandoned(const HttpRequest *request);

/* A decoded query parameter (+ and %XX), the n-th of that name from 0; STR_NONE when none. */
Str http_request_param(HttpRequest *request, const char *name, size_t n);

/* The body: its size, the whole of it in the arena (ERR_BAD_DATA over max), or a descriptor to read
   it from, borrowed and at offset 0. */
uint64_t http_request_body_size(const HttpRequest *request);
int http_request_body(HttpRequest *request, size_t max, Str *ret, Error *err) HAWK_MUST_USE;
int http_request_body_fd(HttpRequest *request, Error *err) HAWK_MUST_USE;

/* The response: a status (200 unless set) and headers, then at most one body; a later body replaces
   an earlier one. Control bytes in header values are dropped. */
void http_response_status(HttpResponse *response, int status);
int http_response_get_status(const HttpResponse *response);
void http_response_header(HttpResponse *response, const char *name, Str value);

/* Copies the bytes. */
void http_response_bytes(HttpResponse *response, const char *content_type, Str bytes);

/* Takes over a buffer; it is empty afterwards. */
void http_response_buf(HttpResponse *response, const char *content_type, Buf *take_body);

/* Gives the body set so far another type. */
void http_response_retype(HttpResponse *response, const char *content_type);

/* Compresses the body set so far with gzip when it is text of some size and the client takes that;
   says in Vary that answers differ. For the last step of a handler, not for answers with ranges. */
void http_response_compress(HttpResponse *response);

/* Serves [offset, offset + n) of an open file; the server closes the descriptor in any case. */
void http_response_file(HttpResponse *response, const char *content_type, int take_fd,
                        uint64_t offset, uint64_t n);

/* What a step of a stream says: call again as soon as the client has taken the bytes; call after
   *wait_ms (-1 unless set: never) or http_stream_wake; the body is whole; break the connection off,
   so that the client sees that the body is not whole. */
typedef enum HttpStreamStep {
    HTTP_STREAM_MORE,
    HTTP_STREAM_WAIT,
    HTTP_STREAM_END,
    HTTP_STREAM_FAIL,
} HttpStreamStep;

enum { HTTP_STREAM_STEP_MAX = 16 << 20 };

/* next() is called on a worker, never twice at a time, and appends up to HTTP_STREAM_STEP_MAX bytes
   to `out`, which is empty at each call. close() is called exactly once, on a worker, also when the
   client has gone and when next() was never called. */
typedef struct HttpStreamOps {
    HttpStreamStep (*next)(void *state, HttpStream *stream, Buf *out, int *wait_ms);
    void (*close)(void *state);
} HttpStreamOps;

/* Takes over state. The stream stays valid until close() returns. */
void http_response_stream(HttpResponse *response, const char *content_type,
                          const HttpStreamOps *ops, void *take_state);

/* The answer is broken off when the client takes fewer bytes a second than this, on average over
   the idle time-out; 0, as it is unless set: a client has to take a little in that time. */
void http_response_pace(HttpResponse *response, int64_t bytes_per_second);

/* Whether the body is a stream so far. */
bool http_response_is_stream(const HttpResponse *response);

/* Calls done() once, when the answer has been sent or the connection has broken; on a loop's
   thread, so it must not wait. Its context may be in the arena of the request. */
void http_response_when_done(HttpResponse *response, void (*done)(void *context), void *context);

/* Has next() called soon; from any thread, while close() has not been called. */
void http_stream_wake(HttpStream *stream);

/* Whether the server is draining and the stream should end. */
bool http_stream_is_ending(const HttpStream *stream);

#endif
