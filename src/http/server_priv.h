/* What the files of the server share: the connection, the request and who may touch what.

   Threads: the loops (MHD's own; they run the callbacks), the workers (the pool; they run handlers
   and steps of streams) and the watch (deadlines, clients that left, timers). A connection is
   suspended while a worker has its request; then the loop does not touch it, and the worker may.
   Locks, in the order in which they may be taken: stream, server, watch, MHD's own and the pool's.
 */
#ifndef HAWK_HTTP_SERVER_PRIV_H
#define HAWK_HTTP_SERVER_PRIV_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/pool.h"
#include "http/mhd_priv.h"
#include "http/server.h"

typedef struct HttpConnection HttpConnection;
typedef struct HttpStream HttpStream;
typedef struct HttpWatch HttpWatch;

enum {
    HTTP_HEADER_BYTES_MAX = 32 * 1024,
    HTTP_HEADERS_MAX = 100,
    HTTP_BODY_IN_MEMORY = 64 * 1024,
};

typedef struct HttpServer {
    HttpServerOptions options;
    struct MHD_Daemon *daemon;
    int listen_fd; /* -1 once the daemon has it */
    int accept_fd; /* it, as the daemon has it */
    int deaf_fd;   /* a socket to which nobody can connect */
    int port;
    Pool *pool;
    HttpWatch *watch;
    atomic_bool is_draining; /* answers close their connections, streams should end */
    pthread_mutex_t lock;    /* guards the three below */
    pthread_cond_t changed;
    bool is_closing;    /* nothing is suspended any more */
    size_t n_requests;  /* from the end of the headers to the end of the answer */
    size_t n_suspended; /* connections */
} HttpServer;

/* What a connection is waiting for; the deadline depends on it. */
typedef enum HttpPhase {
    HTTP_PHASE_IDLE,    /* the first byte of a request, or more of its first line */
    HTTP_PHASE_HEADER,  /* the rest of the headers */
    HTTP_PHASE_BODY,    /* more of the body */
    HTTP_PHASE_WORK,    /* the handler: no deadline here */
    HTTP_PHASE_REPLY,   /* the client to take the answer */
    HTTP_PHASE_DISCARD, /* the end of a body that was refused */
} HttpPhase;

/* A connection is made and dropped by its loop and freed by the watch. */
typedef struct HttpConnection {
    HttpServer *server;
    int fd;
    char peer[INET6_ADDRSTRLEN];
    Buf uri;            /* of the request at hand, as it was sent */
    const char *memory; /* where requests begin; NULL: none has come */
    atomic_int phase;
    atomic_llong since_ms; /* when the phase began */
    atomic_llong pace;     /* bytes a second that the client has to take of the answer; 0: any */

    /* Guarded by the watch's lock. */
    HttpConnection *prev;
    HttpConnection *next;
    HttpStream *stream; /* the answer at hand, when it is one */
    int seen_phase;
    int64_t seen_since_ms;
    uint64_t bytes;      /* received or acknowledged when progress was last seen */
    int64_t progress_ms; /* when that was */
    int64_t begun_ms;    /* when a byte of a request was first noticed; 0: not yet */
} HttpConnection;

typedef struct HttpResponse {
    HttpRequest *request;
    int status;
    Buf headers; /* name, NUL, value, NUL, ... */
    const char *content_type;
    Buf body;
    int fd; /* -1, or the file that is the body */
    uint64_t offset;
    uint64_t n;
    HttpStream *stream;
    int64_t pace; /* bytes a second; 0: none */
} HttpResponse;

typedef enum HttpRequestState {
    HTTP_REQUEST_READING,   /* takes the body */
    HTTP_REQUEST_WORKING,   /* a worker has it */
    HTTP_REQUEST_WORKED,    /* the answer can be queued */
    HTTP_REQUEST_ANSWERED,  /* the library sends */
    HTTP_REQUEST_DISCARDING /* refused early; the rest of the body is dropped, then it closes */
} HttpRequestState;

typedef struct HttpRequest {
    HttpConnection *connection;
    HttpServer *server;
    struct MHD_Connection *mhd;
    HttpRequestState state;
    bool is_head;
    bool must_close; /* the connection, after the answer */
    Str method;
    Str path;
    Str query;
    Arena *arena; /* NULL until asked for */

    size_t body_max;
    uint64_t body_size;
    Buf body;      /* what is not in the file */
    int spool_fd;  /* -1, or the unlinked file */
    int memory_fd; /* -1, or a copy of the body made for http_request_body_fd */
    uint64_t n_discarded;
    Error failure; /* of the spool */

    void (*done)(void *context); /* or NULL */
    void *done_context;

    HttpResponse response;
    struct MHD_Response *built;
} HttpRequest;

/* Stops the loop from touching the connection, for a worker's sake; false when the server closes,
   and then the connection must end. Whoever suspended resumes once. */
bool http_server_suspend(HttpServer *server, struct MHD_Connection *mhd) HAWK_MUST_USE;
void http_server_resume(HttpServer *server, struct MHD_Connection *mhd);

/* A request of the headers that have arrived; and its end, from the loop. */
HttpRequest *http_request_new(HttpConnection *connection, struct MHD_Connection *mhd,
                              const char *method) HAWK_MUST_USE;
void http_request_free(HttpRequest *request);

/* Checks headers and framing; 0, or the status to refuse with (and an error that says why). url and
   version are where the library has them. *ret_has_body tells whether a body is announced. */
int http_request_check(HttpRequest *request, const char *url, const char *version,
                       bool *ret_has_body, Error *err);

/* Takes a part of the body; http_request_is_full says when http_request_spool has to be called, on
   a worker, to write it to the file. When that fails it sets request->failure. */
void http_request_take(HttpRequest *request, const char *data, size_t n);
bool http_request_is_full(const HttpRequest *request);
void http_request_spool(HttpRequest *request);

/* An empty answer, and the end of one with what it holds. */
void http_response_init(HttpResponse *response, HttpRequest *request);
void http_response_release(HttpResponse *response);

/* Drops status, headers and body, so that another answer can be given. */
void http_response_reset(HttpResponse *response);

/* Makes the library's response; the bytes stay with ours. */
struct MHD_Response *http_response_build(HttpResponse *response);

/* A stream has owners: the answer, a queued or running step, the watch for a moment. */
HttpStream *http_stream_new(HttpRequest *request, const HttpStreamOps *ops,
                            void *take_state) HAWK_MUST_USE;
HttpStream *http_stream_ref(HttpStream *stream);
void http_stream_unref(HttpStream *stream);

/* Begins to call next(); without it only close() is called. */
void http_stream_start(HttpStream *stream);

/* The client has left, or does not want the body: next() is not called again, close() soon is. */
void http_stream_abandon(HttpStream *stream);

/* The library's reader; cls is the stream. */
ssize_t http_stream_read(void *cls, uint64_t pos, char *buf, size_t max);

/* The timer links of a stream, guarded by the watch's lock. */
typedef struct HttpTimer {
    HttpStream *prev;
    HttpStream *next;
    int64_t due_ms; /* 0: not set */
} HttpTimer;
HttpTimer *http_stream_timer(HttpStream *stream);

/* Starts the thread; stopping it comes after the loops and the workers have ended. */
int http_watch_start(HttpServer *server, HttpWatch **ret, Error *err) HAWK_MUST_USE;
void http_watch_stop(HttpWatch *watch);

/* Connections come and go; dropping one gives it away. */
void http_watch_add(HttpWatch *watch, HttpConnection *connection);
void http_watch_drop(HttpWatch *watch, HttpConnection *take_connection);

/* Watches for the client leaving while it gets this stream; NULL: no longer. */
void http_watch_stream(HttpWatch *watch, HttpConnection *connection, HttpStream *stream);

/* Wakes the stream at an instant of the monotonic clock; 0: not any more. */
void http_watch_timer(HttpWatch *watch, HttpStream *stream, int64_t due_ms);

/* Calls each() for every stream that is being sent. */
void http_watch_each_stream(HttpWatch *watch, void (*each)(HttpStream *stream));

#endif
