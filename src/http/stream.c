/* Streams: bodies whose bytes come from steps on workers, at the pace of the client.

   There are at most two pieces: `sending`, from which the loop takes, and `ready`, the next one. A
   step runs only while `ready` is empty. When both are, the loop suspends the connection and the
   step that brings bytes resumes it. */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/server_priv.h"

struct HttpStream {
    atomic_int n_owners;
    HttpServer *server;
    struct MHD_Connection *mhd;
    int fd; /* of the connection */
    const HttpStreamOps *ops;
    void *state;
    HttpTimer timer;

    pthread_mutex_t lock; /* guards everything below */
    Buf sending;
    size_t n_sent; /* of `sending` */
    Buf ready;
    bool is_busy;    /* a step is queued or runs */
    bool wants_step; /* when `ready` is empty */
    bool is_woken;   /* while a step ran */
    bool is_over;    /* no more steps: ended, failed or gone; close() has been or is being called */
    bool has_failed;
    bool is_gone;      /* nobody takes the bytes */
    bool is_suspended; /* the connection, by the reader */
};

HttpTimer *http_stream_timer(HttpStream *stream)
{
    return &stream->timer;
}

HttpStream *http_stream_ref(HttpStream *stream)
{
    atomic_fetch_add(&stream->n_owners, 1);
    return stream;
}

void http_stream_unref(HttpStream *stream)
{
    if (!stream || atomic_fetch_sub(&stream->n_owners, 1) != 1)
        return;
    buf_release(&stream->sending);
    buf_release(&stream->ready);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}

static void run_step(void *context);

/* Queues a step when one is wanted and possible, or the one that closes. */
static void schedule(HttpStream *stream)
{
    if (stream->is_busy || stream->is_over)
        return;
    if (!stream->is_gone && (!stream->wants_step || stream->ready.len > 0))
        return;
    stream->is_busy = true;
    pool_submit_admitted(stream->server->pool, run_step, http_stream_ref(stream));
}

/* Lets the loop look again when it has a reason to. */
static void resume(HttpStream *stream)
{
    bool has_reason = stream->ready.len > 0 || stream->is_over || stream->is_gone;
    if (!stream->is_suspended || !has_reason)
        return;
    stream->is_suspended = false;
    http_server_resume(stream->server, stream->mhd);
}

/* Writes down what a step said. */
static void settle(HttpStream *stream, HttpStreamStep step, int wait_ms)
{
    stream->is_busy = false;
    if (step == HTTP_STREAM_FAIL)
        stream->has_failed = true;
    if (step == HTTP_STREAM_END || step == HTTP_STREAM_FAIL || stream->is_gone)
        stream->is_over = true;
    else if (step == HTTP_STREAM_MORE || stream->is_woken || wait_ms == 0)
        stream->wants_step = true;
    else if (wait_ms > 0)
        http_watch_timer(stream->server->watch, stream, clock_monotonic_ms() + wait_ms);
    resume(stream);
    schedule(stream);
}

static void run_step(void *context)
{
    HttpStream *stream = context;
    auto_buf Buf out = BUF_INIT(HTTP_STREAM_STEP_MAX);
    HttpStreamStep step = HTTP_STREAM_END;
    int wait_ms = -1;
    pthread_mutex_lock(&stream->lock);
    bool is_gone = stream->is_gone;
    stream->wants_step = false;
    stream->is_woken = false;
    pthread_mutex_unlock(&stream->lock);
    if (!is_gone) {
        step = stream->ops->next(stream->state, stream, &out, &wait_ms);
        if (out.overflowed)
            step = HTTP_STREAM_FAIL;
    }
    pthread_mutex_lock(&stream->lock);
    if (out.len > 0) {
        Buf empty = stream->ready;
        stream->ready = out;
        out = empty;
    }
    settle(stream, step, wait_ms);
    bool is_over = stream->is_over;
    pthread_mutex_unlock(&stream->lock);
    if (is_over) {
        http_watch_timer(stream->server->watch, stream, 0);
        stream->ops->close(stream->state);
    }
    http_stream_unref(stream);
}

HttpStream *http_stream_new(HttpRequest *request, const HttpStreamOps *ops, void *take_state)
{
    HttpStream *stream = mem_alloc(sizeof(*stream));
    stream->n_owners = 1;
    stream->server = request->server;
    stream->mhd = request->mhd;
    stream->fd = request->connection->fd;
    stream->ops = ops;
    stream->state = take_state;
    stream->sending = BUF_INIT(HTTP_STREAM_STEP_MAX);
    stream->ready = BUF_INIT(HTTP_STREAM_STEP_MAX);
    pthread_mutex_init(&stream->lock, NULL);
    return stream;
}

void http_stream_start(HttpStream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->wants_step = true;
    schedule(stream);
    pthread_mutex_unlock(&stream->lock);
}

void http_stream_abandon(HttpStream *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->is_gone = true;
    resume(stream);
    schedule(stream);
    pthread_mutex_unlock(&stream->lock);
}

void http_stream_wake(HttpStream *stream)
{
    http_watch_timer(stream->server->watch, stream, 0);
    pthread_mutex_lock(&stream->lock);
    stream->is_woken = true;
    stream->wants_step = true;
    schedule(stream);
    pthread_mutex_unlock(&stream->lock);
}

bool http_stream_is_ending(const HttpStream *stream)
{
    return atomic_load(&stream->server->is_draining);
}

/* Breaks the connection off. The library has a word for that, MHD_CONTENT_READER_END_WITH_ERROR,
   but version 0.9.75 then forgets the connection while any older one is open, and its descriptor
   with it. So the socket is shut down and a byte is offered that cannot be sent: the library cleans
   up properly after a failed write. */
static ssize_t cut(HttpStream *stream, char *buf)
{
    (void)shutdown(stream->fd, SHUT_RDWR);
    buf[0] = '\n';
    return 1;
}

/* What the reader says when there are no bytes. */
static ssize_t read_nothing(HttpStream *stream, char *buf)
{
    if (stream->has_failed)
        return cut(stream, buf);
    if (stream->is_over)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (!http_server_suspend(stream->server, stream->mhd))
        return cut(stream, buf);
    stream->is_suspended = true;
    return 0;
}

static ssize_t read_some(HttpStream *stream, char *buf, size_t max)
{
    if (stream->is_gone)
        return cut(stream, buf);
    if (stream->n_sent == stream->sending.len && stream->ready.len > 0) {
        Buf spent = stream->sending;
        stream->sending = stream->ready;
        stream->ready = spent;
        stream->n_sent = 0;
        buf_reset(&stream->ready);
        schedule(stream);
    }
    size_t n = stream->sending.len - stream->n_sent;
    if (n == 0)
        return read_nothing(stream, buf);
    if (n > max)
        n = max;
    memcpy(buf, stream->sending.data + stream->n_sent, n);
    stream->n_sent += n;
    return (ssize_t)n;
}

ssize_t http_stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    (void)pos;
    HttpStream *stream = cls;
    pthread_mutex_lock(&stream->lock);
    ssize_t n = read_some(stream, buf, max);
    pthread_mutex_unlock(&stream->lock);
    return n;
}
