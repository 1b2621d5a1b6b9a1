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

typedef struct HttpServerOptions {
    const char *address; /* "127.0.0.1", "::1", ... */
    int port;            /* 0: any free one */
    int listen_fd;       /* -1, or a socket that listens already (systemd) */
    size_t n_workers;
    size_t n_queued_max; /* requests waiting for a worker; more get 503 with Retry-After */
    size_t n_connections_max;
    size_t body_max;       /* bytes; more get 413 */
    int idle_timeout_ms;   /* between requests, and between two reads or writes */
    int header_timeout_ms; /* from the first byte to the end of the headers */
    HttpHandler *handler;
    void *context;
} HttpServerOptions;

/* Starts to listen and serve. ERR_CONFLICT when the port is in use. */
int http_server_start(const HttpServerOptions *options, HttpServer **ret, Error *err) HAWK_MUST_USE;
int http_server_port(const HttpServer *server);

/* Takes no new connections, waits up to drain_ms for running requests (streams are told to end),
   then closes and frees. NULL is fine. */
void http_server_stop(HttpServer *server, int drain_ms);

/* The request. All views live until the response has been sent. */
Str http_request_method(const HttpRequest *request);
Str http_request_path(
    const HttpRequest *request); /* raw, still percent-encoded, without the query */
Str http_request_query(
    const HttpRequest *request); /* raw, without '?'; STR_NONE when there is none */
Str http_request_header(const HttpRequest *request, const char *name); /* STR_NONE when missing */
Str http_request_cookie(const HttpRequest *request, const char *name);
Str http_request_peer(const HttpRequest *request); /* address of the client */
Arena *http_request_arena(HttpRequest *request);   /* ends with the request */

/* A decoded query parameter (+ and %XX), the n-th of that name from 0; STR_NONE when there is none.
 */
Str http_request_param(HttpRequest *request, const char *name, size_t n);

/* The body: its size, the whole of it in the arena (ERR_BAD_DATA over max), or a descriptor to read
 * it from. */
uint64_t http_request_body_size(const HttpRequest *request);
int http_request_body(HttpRequest *request, size_t max, Str *ret, Error *err) HAWK_MUST_USE;
int http_request_body_fd(HttpRequest *request,
                         Error *err) HAWK_MUST_USE; /* borrowed, at offset 0 */

/* The response: a status and headers, then exactly one body. Without a body call it is empty. */
void http_response_status(HttpResponse *response, int status);
void http_response_header(HttpResponse *response, const char *name,
                          Str value); /* control bytes are dropped */

/* Copies the bytes. */
void http_response_bytes(HttpResponse *response, const char *content_type, Str bytes);

/* Takes over a buffer; it is empty afterwards. */
void http_response_buf(HttpResponse *response, const char *content_type, Buf *take_body);

/* Serves [offset, offset + n) of an open file; the descriptor is closed by the server, also on
 * failure. */
void http_response_file(HttpResponse *response, const char *content_type, int take_fd,
                        uint64_t offset, uint64_t n);

/* Streams: next() is called on a worker whenever the client has taken what there was. It appends to
   `out` and returns HTTP_STREAM_MORE to be called again at once, HTTP_STREAM_WAIT to be called
   after *wait_ms or http_stream_wake, HTTP_STREAM_END when done. close() is called exactly once,
   also when the client has gone. */
typedef enum HttpStreamStep { HTTP_STREAM_MORE, HTTP_STREAM_WAIT, HTTP_STREAM_END } HttpStreamStep;
typedef struct HttpStreamOps {
    HttpStreamStep (*next)(void *state, HttpStream *stream, Buf *out, int *wait_ms);
    void (*close)(void *state);
} HttpStreamOps;

/* Takes over state. The stream stays valid until close() returns. */
void http_response_stream(HttpResponse *response, const char *content_type,
                          const HttpStreamOps *ops, void *take_state);

/* Has next() called soon; from any thread, while close() has not been called. */
void http_stream_wake(HttpStream *stream);

/* Whether the server is draining and the stream should end. */
bool http_stream_is_ending(const HttpStream *stream);

#endif
