/* The server: starts and stops the loops of libmicrohttpd and moves each request through its
   states. The library parses, sends and keeps connections; what it does not do is beside: checks
   (framing.c), deadlines (watch.c), large bodies (body.c), steps of streams (stream.c).

   Known about version 0.9.75: a response queued before the body has come leaves the body to be read
   as the next request unless the connection closes; a response cannot be queued in the middle of a
   body, so a refusal there is written to the socket directly. */

#include "http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/problem.h"
#include "http/server_priv.h"

enum {
    CONNECTION_MEMORY = 64 * 1024, /* headers there and back, and one piece of a body */
    BACKLOG = 511,
    DISCARD_MAX = 64 << 20,
    REFUSAL_MAX = 4096,
    LOOPS_MAX = 16
};

bool http_server_suspend(HttpServer *server, struct MHD_Connection *mhd)
{
    pthread_mutex_lock(&server->lock);
    bool may = !server->is_closing;
    if (may) {
        server->n_suspended++;
        libmhd.suspend_connection(mhd);
    }
    pthread_mutex_unlock(&server->lock);
    return may;
}

void http_server_resume(HttpServer *server, struct MHD_Connection *mhd)
{
    pthread_mutex_lock(&server->lock);
    libmhd.resume_connection(mhd);
    server->n_suspended--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* Begins a phase of the connection, for its deadline. */
static void enter(HttpConnection *connection, HttpPhase phase)
{
    atomic_store(&connection->since_ms, clock_monotonic_ms());
    atomic_store(&connection->phase, (int)phase);
}

static HttpConnection *connection_of(struct MHD_Connection *mhd)
{
    return libmhd.get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* Queues the answer that was built. */
static enum MHD_Result send_answer(HttpRequest *request)
{
    request->state = HTTP_REQUEST_ANSWERED;
    atomic_store(&request->connection->pace, request->response.pace);
    enter(request->connection, HTTP_PHASE_REPLY);
    if (request->response.stream)
        http_watch_stream(request->server->watch, request->connection, request->response.stream);
    enum MHD_Result queued =
        libmhd.queue_response(request->mhd, (unsigned)request->response.status, request->built);
    if (queued == MHD_YES && request->response.stream && !request->is_head)
        http_stream_start(request->response.stream);
    return queued;
}

/* Replaces whatever answer there is by the error. */
static void build_problem(HttpRequest *request, int status, const Error *err)
{
    http_response_reset(&request->response);
    problem_respond_as(request, &request->response, status, NULL, err);
    request->built = http_response_build(&request->response);
}

/* Refuses a request whose body is still to come: the answer goes to the socket as it is, and what
   comes is read and dropped for a while, because closing at once would make the kernel reset the
   connection and the client would see that instead of the answer. */
static enum MHD_Result refuse_directly(HttpRequest *request, int status, const Error *err)
{
    auto_buf Buf body = BUF_INIT(REFUSAL_MAX);
    auto_buf Buf head = BUF_INIT(2 * REFUSAL_MAX);
    problem_add(&body, status, NULL, err, STR_NONE);
    buf_printf(&head,
               "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
               "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
               status, problem_title(status), PROBLEM_CONTENT_TYPE, body.len);
    if (!request->is_head)
        buf_add_str(&head, buf_str(&body));
    int fd = request->connection->fd;
    (void)!send(fd, head.data, head.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (http_request_header(request, "Expect").p)
        return MHD_NO;
    (void)shutdown(fd, SHUT_WR);
    request->state = HTTP_REQUEST_DISCARDING;
    enter(request->connection, HTTP_PHASE_DISCARD);
    return MHD_YES;
}

/* Worker: lets the handler answer. */
static void run_handler(void *context)
{
    HttpRequest *request = context;
    HttpServer *server = request->server;
    if (request->spool_fd >= 0 && request->failure.kind == ERR_NONE)
        http_request_spool(request);
    if (request->failure.kind != ERR_NONE) {
        build_problem(request, error_kind_http(request->failure.kind), &request->failure);
    } else {
        server->options.handler(server->options.context, request, &request->response);
        request->built = http_response_build(&request->response);
    }
    request->state = HTTP_REQUEST_WORKED;
    http_server_resume(server, request->mhd);
}

/* Worker: moves a piece of the body to the file. */
static void run_spool(void *context)
{
    HttpRequest *request = context;
    http_request_spool(request);
    request->state = HTTP_REQUEST_READING;
    http_server_resume(request->server, request->mhd);
}

/* The body is whole: the handler's turn. */
static enum MHD_Result dispatch(HttpRequest *request)
{
    request->state = HTTP_REQUEST_WORKING;
    enter(request->connection, HTTP_PHASE_WORK);
    if (!http_server_suspend(request->server, request->mhd))
        return MHD_NO;
    if (pool_submit(request->server->pool, run_handler, request))
        return MHD_YES;
    auto_error Error err = ERROR_INIT;
    error_set(&err, ERR_BUSY, "too many requests are waiting; try again in a second");
    build_problem(request, 503, &err);
    request->state = HTTP_REQUEST_WORKED;
    http_server_resume(request->server, request->mhd);
    return MHD_YES;
}

/* A part of the body has come. */
static enum MHD_Result take_body(HttpRequest *request, const char *data, size_t n)
{
    if (request->failure.kind != ERR_NONE)
        return refuse_directly(request, error_kind_http(request->failure.kind), &request->failure);
    if (n > request->body_max - request->body_size) {
        auto_error Error err = ERROR_INIT;
        error_set(&err, ERR_BAD_DATA, "the body is over the limit of %zu bytes", request->body_max);
        return refuse_directly(request, 413, &err);
    }
    http_request_take(request, data, n);
    if (!http_request_is_full(request))
        return MHD_YES;
    request->state = HTTP_REQUEST_WORKING;
    if (!http_server_suspend(request->server, request->mhd))
        return MHD_NO;
    pool_submit_admitted(request->server->pool, run_spool, request);
    return MHD_YES;
}

/* The headers have come. */
static enum MHD_Result begin(HttpRequest *request, const char *url, const char *version)
{
    auto_error Error err = ERROR_INIT;
    bool has_body = false;
    int status = http_request_check(request, url, version, &has_body, &err);
    if (status == 0) {
        enter(request->connection, HTTP_PHASE_BODY);
        return MHD_YES;
    }
    if (has_body)
        return refuse_directly(request, status, &err);
    request->must_close = true;
    build_problem(request, status, &err);
    return send_answer(request);
}

static void count_request(HttpServer *server, bool begins)
{
    pthread_mutex_lock(&server->lock);
    if (begins)
        server->n_requests++;
    else
        server->n_requests--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* Whether a worker has the request; the library may come with the next chunk of a body although the
   call for the last one suspended the connection. */
static bool is_suspended(struct MHD_Connection *mhd)
{
    return libmhd.get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED)->suspended ==
           MHD_YES;
}

/* Loop: the library's handler. It comes once for the headers, then for each part of the body, then
   with an empty part; a suspended connection's last call is repeated after the resumption. What is
   left in *n comes again. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **con_cls)
{
    (void)cls;
    HttpRequest *request = *con_cls;
    if (!request) {
        request = http_request_new(connection_of(mhd), mhd, method);
        *con_cls = request;
        count_request(request->server, true);
        return begin(request, url, version);
    }
    if (is_suspended(mhd))
        return MHD_YES;
    size_t n_data = *n;
    *n = 0;
    switch (request->state) {
    case HTTP_REQUEST_READING: return n_data ? take_body(request, data, n_data) : dispatch(request);
    case HTTP_REQUEST_WORKED: return send_answer(request);
    case HTTP_REQUEST_DISCARDING:
        request->n_discarded += n_data;
        return n_data && request->n_discarded < DISCARD_MAX ? MHD_YES : MHD_NO;
    case HTTP_REQUEST_WORKING:
    case HTTP_REQUEST_ANSWERED: return MHD_YES;
    }
    return MHD_NO;
}

/* Loop: the answer has been sent, or the connection broke. */
static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    (void)code;
    HttpServer *server = cls;
    HttpRequest *request = *con_cls;
    HttpConnection *connection = connection_of(mhd);
    *con_cls = NULL;
    if (!request)
        return;
    if (request->response.stream)
        http_watch_stream(server->watch, connection, NULL);
    http_request_free(request);
    enter(connection, HTTP_PHASE_IDLE);
    count_request(server, false);
}

/* Loop: the request line has come. The library decodes and cuts its copy; this one stays raw. */
static void *on_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    (void)cls;
    HttpConnection *connection = connection_of(mhd);
    buf_reset(&connection->uri);
    buf_addz(&connection->uri, uri);
    enter(connection, HTTP_PHASE_HEADER);
    return NULL;
}

/* The library would decode the target in place; it is left alone. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *s)
{
    (void)cls;
    (void)mhd;
    return strlen(s);
}

static void name_peer(HttpConnection *connection)
{
    struct sockaddr_storage peer = {0};
    socklen_t n = sizeof(peer);
    if (getpeername(connection->fd, (struct sockaddr *)&peer, &n) < 0)
        return;
    const void *address = peer.ss_family == AF_INET6
                              ? (const void *)&((struct sockaddr_in6 *)&peer)->sin6_addr
                              : (const void *)&((struct sockaddr_in *)&peer)->sin_addr;
    (void)inet_ntop(peer.ss_family, address, connection->peer, sizeof(connection->peer));
}

/* Loop: a connection begins or ends; its descriptor is open in both calls. */
static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    HttpServer *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*socket_context)
            http_watch_drop(server->watch, *socket_context);
        *socket_context = NULL;
        return;
    }
    HttpConnection *connection = mem_alloc(sizeof(*connection));
    connection->server = server;
    connection->fd = libmhd.get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    connection->uri = BUF_INIT(HTTP_HEADER_BYTES_MAX);
    enter(connection, HTTP_PHASE_IDLE);
    connection->seen_phase = HTTP_PHASE_IDLE;
    connection->seen_since_ms = atomic_load(&connection->since_ms);
    name_peer(connection);
    *socket_context = connection;
    http_watch_add(server->watch, connection);
}

static int listen_on(const struct addrinfo *address, const HttpServerOptions *options, Error *err)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(err, errno, "cannot make a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error_errno(err, errno, "cannot listen on %s port %d", options->address, options->port);
    (void)close(fd);
    return -1;
}

static int open_listener(HttpServer *server, Error *err)
{
    const HttpServerOptions *options = &server->options;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", options->port);
    if (server->listen_fd < 0) {
        if (getaddrinfo(options->address, port, &hints, &found) != 0)
            return error_set(err, ERR_USAGE, "%s is not an address to listen on", options->address);
        server->listen_fd = listen_on(found, options, err);
        freeaddrinfo(found);
    }
    if (server->listen_fd < 0)
        return -1;
    /* Several loops wait at it: the one that comes late must not hang in accept. */
    int flags = fcntl(server->listen_fd, F_GETFL);
    if (flags < 0 || fcntl(server->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno(err, errno, "cannot listen on descriptor %d", server->listen_fd);
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound = {.v6 = {0}};
    socklen_t n = sizeof(bound);
    if (getsockname(server->listen_fd, &bound.any, &n) < 0)
        return error_errno(err, errno, "cannot ask for the port");
    bool is_v6 = bound.any.sa_family == AF_INET6;
    server->port = ntohs(is_v6 ? bound.v6.sin6_port : bound.v4.sin_port);
    return 0;
}

static int start_loops(HttpServer *server, Error *err)
{
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n_loops = n_cores < 1 ? 1 : n_cores > LOOPS_MAX ? LOOPS_MAX : (unsigned)n_cores;
    size_t n_connections = server->options.n_connections_max;
    if (n_connections < n_loops)
        n_loops = 1;
    sigset_t before;
    thread_block_signals(&before);
    server->daemon = libmhd.start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, server->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)n_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_URI_LOG_CALLBACK, on_target, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        n_loops > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, n_loops, MHD_OPTION_END);
    thread_unblock_signals(&before);
    if (!server->daemon)
        return error_set(err, ERR_INTERNAL, "cannot start the loops of the HTTP server");
    server->accept_fd = server->listen_fd;
    server->listen_fd = -1;
    return 0;
}

/* A socket that listens under a name that was told to nobody. */
static int open_deaf(HttpServer *server, Error *err)
{
    const struct sockaddr_un none = {.sun_family = AF_UNIX};
    server->deaf_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->deaf_fd < 0 ||
        bind(server->deaf_fd, (const struct sockaddr *)&none, sizeof(sa_family_t)) < 0 ||
        listen(server->deaf_fd, 0) < 0)
        return error_errno(err, errno, "cannot make a socket");
    return 0;
}

/* Refuses whoever comes from now on. The loops keep their descriptor, behind which there is then a
   socket on which nothing happens: MHD_quiesce_daemon takes it from each loop while that may be
   taking it out itself, and ends the program when both do. */
static void stop_listening(HttpServer *server)
{
    (void)dup3(server->deaf_fd, server->accept_fd, O_CLOEXEC);
}

static void server_free(HttpServer *server)
{
    if (!server)
        return;
    if (server->daemon)
        libmhd.stop_daemon(server->daemon);
    pool_stop(server->pool);
    http_watch_stop(server->watch);
    if (server->listen_fd >= 0)
        (void)close(server->listen_fd);
    if (server->deaf_fd >= 0)
        (void)close(server->deaf_fd);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

HAWK_DEFINE_AUTO(HttpServer, server, server_free)

int http_server_start(const HttpServerOptions *options, HttpServer **ret, Error *err)
{
    HAWK_CLEANUP(server_cleanup_) HttpServer *server = mem_alloc(sizeof(*server));
    server->options = *options;
    server->listen_fd = options->listen_fd;
    server->deaf_fd = -1;
    pthread_mutex_init(&server->lock, NULL);
    thread_cond_init(&server->changed);
    if (mhd_load(err) < 0 || open_listener(server, err) < 0 || open_deaf(server, err) < 0)
        return -1;
    if (pool_start(options->n_workers, options->n_queued_max, &server->pool, err) < 0)
        return -1;
    if (http_watch_start(server, &server->watch, err) < 0)
        return -1;
    if (start_loops(server, err) < 0)
        return -1;
    *ret = TAKE(server);
    return 0;
}

int http_server_port(const HttpServer *server)
{
    return server->port;
}

/* Waits until no request is left, at most drain_ms. */
static void drain(HttpServer *server, int drain_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += drain_ms / 1000;
    until.tv_nsec += (long)(drain_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&server->lock);
    int waited = 0;
    while (server->n_requests > 0 && waited == 0)
        waited = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    pthread_mutex_unlock(&server->lock);
}

void http_server_stop(HttpServer *server, int drain_ms)
{
    if (!server)
        return;
    atomic_store(&server->is_draining, true);
    stop_listening(server);
    http_watch_each_stream(server->watch, http_stream_wake);
    drain(server, drain_ms);
    pthread_mutex_lock(&server->lock);
    server->is_closing = true;
    pthread_mutex_unlock(&server->lock);
    http_watch_each_stream(server->watch, http_stream_abandon);
    pthread_mutex_lock(&server->lock);
    while (server->n_suspended > 0)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    server_free(server);
}
