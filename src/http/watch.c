/* The watch: one thread that ends what takes too long, notices clients that left and wakes streams.

   Deadlines cost a request nothing: at each tick the kernel is asked how many bytes each connection
   has moved. A connection is ended by shutting its socket down; its loop sees that and cleans up.
 */

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/thread.h"
#include "http/server_priv.h"

enum {
    N_EVENTS = 32,
    N_DUE = 32,
    TICK_MIN_MS = 5,
    TICK_MAX_MS = 1000,
    PROGRESS_BYTES = 1024 /* fewer in one idle time-out do not count as progress */
};

struct HttpWatch {
    HttpServer *server;
    pthread_t thread;
    int epoll_fd;
    int event_fd;
    int tick_ms;

    pthread_mutex_t lock; /* guards everything below */
    HttpConnection *connections;
    HttpConnection *dead; /* may still be named by an event that was fetched */
    HttpStream *timers;
    int64_t sleeps_until_ms;
    bool is_stopping;
};

static void nudge(HttpWatch *watch)
{
    uint64_t one = 1;
    (void)!write(watch->event_fd, &one, sizeof(one));
}

void http_watch_add(HttpWatch *watch, HttpConnection *connection)
{
    pthread_mutex_lock(&watch->lock);
    connection->next = watch->connections;
    if (connection->next)
        connection->next->prev = connection;
    watch->connections = connection;
    pthread_mutex_unlock(&watch->lock);
}

void http_watch_drop(HttpWatch *watch, HttpConnection *take_connection)
{
    pthread_mutex_lock(&watch->lock);
    if (take_connection->prev)
        take_connection->prev->next = take_connection->next;
    else
        watch->connections = take_connection->next;
    if (take_connection->next)
        take_connection->next->prev = take_connection->prev;
    take_connection->prev = NULL;
    take_connection->next = watch->dead;
    watch->dead = take_connection;
    pthread_mutex_unlock(&watch->lock);
}

void http_watch_stream(HttpWatch *watch, HttpConnection *connection, HttpStream *stream)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    pthread_mutex_lock(&watch->lock);
    int change = stream && !connection->stream ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
    if (!stream != !connection->stream)
        (void)epoll_ctl(watch->epoll_fd, change, connection->fd, &event);
    connection->stream = stream;
    pthread_mutex_unlock(&watch->lock);
}

/* Takes the stream's timer off the list; the lock is held. */
static void timer_clear(HttpWatch *watch, HttpStream *stream)
{
    HttpTimer *timer = http_stream_timer(stream);
    if (timer->due_ms == 0)
        return;
    if (timer->prev)
        http_stream_timer(timer->prev)->next = timer->next;
    else
        watch->timers = timer->next;
    if (timer->next)
        http_stream_timer(timer->next)->prev = timer->prev;
    *timer = (HttpTimer){0};
}

void http_watch_timer(HttpWatch *watch, HttpStream *stream, int64_t due_ms)
{
    HttpTimer *timer = http_stream_timer(stream);
    pthread_mutex_lock(&watch->lock);
    timer_clear(watch, stream);
    bool is_sooner = due_ms && due_ms < watch->sleeps_until_ms;
    if (due_ms) {
        *timer = (HttpTimer){.next = watch->timers, .due_ms = due_ms};
        if (timer->next)
            http_stream_timer(timer->next)->prev = stream;
        watch->timers = stream;
    }
    if (is_sooner)
        watch->sleeps_until_ms = due_ms;
    pthread_mutex_unlock(&watch->lock);
    if (is_sooner)
        nudge(watch);
}

void http_watch_each_stream(HttpWatch *watch, void (*each)(HttpStream *stream))
{
    pthread_mutex_lock(&watch->lock);
    size_t n = 0;
    for (HttpConnection *c = watch->connections; c; c = c->next)
        n += c->stream != NULL;
    HttpStream **streams = mem_array(n + 1, sizeof(HttpStream *));
    n = 0;
    for (HttpConnection *c = watch->connections; c; c = c->next)
        if (c->stream)
            streams[n++] = http_stream_ref(c->stream);
    pthread_mutex_unlock(&watch->lock);
    for (size_t i = 0; i < n; i++) {
        each(streams[i]);
        http_stream_unref(streams[i]);
    }
    free(streams);
}

/* Bytes that the phase is about: received, or taken by the client. */
static uint64_t bytes_moved(int fd, HttpPhase phase)
{
    struct tcp_info info = {0};
    socklen_t n = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0)
        return 0;
    return phase == HTTP_PHASE_REPLY ? info.tcpi_bytes_acked : info.tcpi_bytes_received;
}

/* Whether there is something the client could take; a stream may have nothing to say for long. */
static bool has_unsent(int fd)
{
    int n = 0;
    return ioctl(fd, SIOCOUTQ, &n) == 0 && n > 0;
}

/* How many bytes are progress. */
static uint64_t progress_bytes(const HttpConnection *c, HttpPhase phase)
{
    int64_t pace = phase == HTTP_PHASE_REPLY ? atomic_load(&c->pace) : 0;
    uint64_t n = (uint64_t)pace * (uint64_t)c->server->options.idle_timeout_ms / 1000;
    return n > PROGRESS_BYTES ? n : PROGRESS_BYTES;
}

/* Moves the mark of progress; returns for how long there has been none. */
static int64_t stalled_ms(HttpConnection *c, HttpPhase phase, int64_t now_ms)
{
    uint64_t bytes = bytes_moved(c->fd, phase);
    bool waits_for_us = phase == HTTP_PHASE_REPLY && !has_unsent(c->fd);
    if (bytes >= c->bytes + progress_bytes(c, phase) || waits_for_us) {
        c->bytes = bytes;
        c->progress_ms = now_ms;
    }
    return now_ms - c->progress_ms;
}

/* Whether the connection has had its time. */
static bool is_overdue(HttpConnection *c, int64_t now_ms)
{
    const HttpServerOptions *options = &c->server->options;
    HttpPhase phase = (HttpPhase)atomic_load(&c->phase);
    int64_t since_ms = atomic_load(&c->since_ms);
    int64_t age_ms = now_ms - since_ms;
    if ((int)phase != c->seen_phase || since_ms != c->seen_since_ms) {
        c->seen_phase = (int)phase;
        c->seen_since_ms = since_ms;
        c->bytes = bytes_moved(c->fd, phase);
        c->progress_ms = since_ms;
        c->begun_ms = 0;
    }
    switch (phase) {
    case HTTP_PHASE_IDLE:
        if (c->begun_ms == 0 && bytes_moved(c->fd, phase) > c->bytes)
            c->begun_ms = now_ms;
        return age_ms > options->idle_timeout_ms ||
               (c->begun_ms && now_ms - c->begun_ms > options->header_timeout_ms);
    case HTTP_PHASE_HEADER:
    case HTTP_PHASE_DISCARD: return age_ms > options->header_timeout_ms;
    case HTTP_PHASE_BODY:
    case HTTP_PHASE_REPLY: return stalled_ms(c, phase, now_ms) > options->idle_timeout_ms;
    case HTTP_PHASE_WORK: return false;
    }
    return false;
}

/* Ends the socket; its loop sees that and closes. What the client would not take is dropped, or the
   kernel would keep it for minutes. */
static void end_connection(HttpConnection *c)
{
    struct linger at_once = {.l_onoff = 1};
    if (c->seen_phase == HTTP_PHASE_REPLY)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)shutdown(c->fd, SHUT_RDWR);
}

static void end_overdue(HttpWatch *watch, int64_t now_ms)
{
    pthread_mutex_lock(&watch->lock);
    for (HttpConnection *c = watch->connections; c; c = c->next)
        if (is_overdue(c, now_ms))
            end_connection(c);
    pthread_mutex_unlock(&watch->lock);
}

static void wake_due(HttpWatch *watch, int64_t now_ms)
{
    HttpStream *due[N_DUE];
    size_t n = N_DUE;
    while (n == N_DUE) {
        n = 0;
        pthread_mutex_lock(&watch->lock);
        HttpStream *next = NULL;
        for (HttpStream *s = watch->timers; s && n < N_DUE; s = next) {
            next = http_stream_timer(s)->next;
            if (http_stream_timer(s)->due_ms > now_ms)
                continue;
            timer_clear(watch, s);
            due[n++] = http_stream_ref(s);
        }
        pthread_mutex_unlock(&watch->lock);
        for (size_t i = 0; i < n; i++) {
            http_stream_wake(due[i]);
            http_stream_unref(due[i]);
        }
    }
}

/* The client of this connection has closed, or an error ended the socket. */
static void client_gone(HttpWatch *watch, HttpConnection *connection)
{
    pthread_mutex_lock(&watch->lock);
    HttpStream *stream = connection->stream ? http_stream_ref(connection->stream) : NULL;
    pthread_mutex_unlock(&watch->lock);
    if (stream)
        http_stream_abandon(stream);
    http_stream_unref(stream);
}

/* How long to sleep; remembers until when. */
static int sleep_ms(HttpWatch *watch, int64_t tick_due_ms)
{
    int64_t until_ms = tick_due_ms;
    pthread_mutex_lock(&watch->lock);
    for (HttpStream *s = watch->timers; s; s = http_stream_timer(s)->next)
        if (http_stream_timer(s)->due_ms < until_ms)
            until_ms = http_stream_timer(s)->due_ms;
    watch->sleeps_until_ms = until_ms;
    pthread_mutex_unlock(&watch->lock);
    int64_t now_ms = clock_monotonic_ms();
    return until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
}

static bool is_stopping(HttpWatch *watch)
{
    pthread_mutex_lock(&watch->lock);
    bool stopping = watch->is_stopping;
    pthread_mutex_unlock(&watch->lock);
    return stopping;
}

static void free_dead(HttpWatch *watch)
{
    pthread_mutex_lock(&watch->lock);
    HttpConnection *dead = TAKE(watch->dead);
    pthread_mutex_unlock(&watch->lock);
    while (dead) {
        HttpConnection *next = dead->next;
        buf_release(&dead->uri);
        free(dead);
        dead = next;
    }
}

static void *run(void *context)
{
    HttpWatch *watch = context;
    struct epoll_event events[N_EVENTS];
    int64_t tick_due_ms = clock_monotonic_ms() + watch->tick_ms;
    while (!is_stopping(watch)) {
        int n = epoll_wait(watch->epoll_fd, events, N_EVENTS, sleep_ms(watch, tick_due_ms));
        for (int i = 0; i < n; i++) {
            uint64_t ignored = 0;
            if (events[i].data.ptr)
                client_gone(watch, events[i].data.ptr);
            else
                (void)!read(watch->event_fd, &ignored, sizeof(ignored));
        }
        int64_t now_ms = clock_monotonic_ms();
        wake_due(watch, now_ms);
        if (now_ms >= tick_due_ms) {
            end_overdue(watch, now_ms);
            tick_due_ms = now_ms + watch->tick_ms;
        }
        free_dead(watch);
    }
    return NULL;
}

static void watch_free(HttpWatch *watch)
{
    if (!watch)
        return;
    free_dead(watch);
    if (watch->epoll_fd >= 0)
        (void)close(watch->epoll_fd);
    if (watch->event_fd >= 0)
        (void)close(watch->event_fd);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
}

HAWK_DEFINE_AUTO(HttpWatch, watch, watch_free)

int http_watch_start(HttpServer *server, HttpWatch **ret, Error *err)
{
    HAWK_CLEANUP(watch_cleanup_) HttpWatch *watch = mem_alloc(sizeof(*watch));
    const HttpServerOptions *o = &server->options;
    int shortest_ms =
        o->idle_timeout_ms < o->header_timeout_ms ? o->idle_timeout_ms : o->header_timeout_ms;
    watch->server = server;
    watch->tick_ms = shortest_ms / 8;
    if (watch->tick_ms < TICK_MIN_MS)
        watch->tick_ms = TICK_MIN_MS;
    if (watch->tick_ms > TICK_MAX_MS)
        watch->tick_ms = TICK_MAX_MS;
    pthread_mutex_init(&watch->lock, NULL);
    watch->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (watch->event_fd < 0 || watch->epoll_fd < 0 ||
        epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, watch->event_fd, &event) < 0)
        return error_errno(err, errno, "cannot watch connections");
    if (thread_start(&watch->thread, run, watch, err) < 0)
        return -1;
    *ret = TAKE(watch);
    return 0;
}

void http_watch_stop(HttpWatch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->is_stopping = true;
    pthread_mutex_unlock(&watch->lock);
    nudge(watch);
    pthread_join(watch->thread, NULL);
    watch_free(watch);
}
