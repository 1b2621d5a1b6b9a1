/* The pipes to and from the program: see parquet.h. */

#include "server/parquet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "server/frames.h"

enum { END_WAIT_MS = 60 * 1000, PUMP_WAIT_MS = 200, PUMP_STEP = 64 << 10 };

struct Parquet {
    Process process;
};

int parquet_start(const char *cache_dir, int out, Parquet **ret, Error *err)
{
    auto_parquet Parquet *parquet = mem_alloc(sizeof(*parquet));
    parquet->process = PROCESS_INIT;
    const FramesStart start = {.program = "hawk_frames.py", .in = PROCESS_PIPE, .out = out};
    if (frames_start(cache_dir, &start, &parquet->process, err) < 0)
        return -1;
    if (out == PROCESS_PIPE) {
        (void)fcntl(parquet->process.in, F_SETFL, O_NONBLOCK);
        (void)fcntl(parquet->process.out, F_SETFL, O_NONBLOCK);
    }
    *ret = TAKE(parquet);
    return 0;
}

void parquet_free(Parquet *parquet)
{
    if (!parquet)
        return;
    process_release(&parquet->process);
    free(parquet);
}

static void end_feed(Parquet *parquet)
{
    fs_close_cleanup(&parquet->process.in);
    parquet->process.in = -1;
}

static int wait_for_end(Parquet *parquet, Error *err)
{
    end_feed(parquet);
    if (frames_finish(&parquet->process, END_WAIT_MS, err) < 0)
        return error_wrap(err, "Parquet cannot be written");
    return 0;
}

int parquet_write(Parquet *parquet, Str bytes, Error *err)
{
    auto_error Error failed = ERROR_INIT;
    if (fs_write_all(parquet->process.in, bytes.p, bytes.n, &failed) == 0)
        return 0;
    if (wait_for_end(parquet, err) < 0)
        return -1;
    return error_set(err, ERR_FAILED, "the program that writes Parquet has ended too early");
}

int parquet_finish(Parquet *parquet, Error *err)
{
    return wait_for_end(parquet, err);
}

/* Writes what the pipe takes. A program that has ended is noticed at its other end. */
static void feed_some(Parquet *parquet, Buf *feed)
{
    while (feed->len > 0 && parquet->process.in >= 0) {
        ssize_t n = write(parquet->process.in, feed->data, feed->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            end_feed(parquet);
        if (n <= 0)
            return;
        buf_consume(feed, (size_t)n);
    }
}

/* 1 when bytes came or may still come, 0 at the end of the file. */
static int take_some(Parquet *parquet, size_t max, Buf *ret)
{
    while (ret->len < max) {
        size_t n_wanted = max - ret->len < PUMP_STEP ? max - ret->len : PUMP_STEP;
        char *room = buf_room(ret, n_wanted);
        if (!room)
            return 1;
        ssize_t n = read(parquet->process.out, room, n_wanted);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 1 : 0;
        if (n == 0)
            return 0;
        buf_grew(ret, (size_t)n);
    }
    return 1;
}

int parquet_pump(Parquet *parquet, Buf *feed, bool is_over, size_t max, Buf *ret, Error *err)
{
    size_t before = feed->len;
    feed_some(parquet, feed);
    if (is_over && feed->len == 0)
        end_feed(parquet);
    if (take_some(parquet, max, ret) == 0)
        return wait_for_end(parquet, err);
    bool is_stuck = ret->len == 0 && feed->len == before && (feed->len > 0 || is_over);
    struct pollfd ends[] = {{.fd = parquet->process.out, .events = POLLIN},
                            {.fd = feed->len > 0 ? parquet->process.in : -1, .events = POLLOUT}};
    if (is_stuck)
        (void)poll(ends, ARRAY_LEN(ends), PUMP_WAIT_MS);
    return 1;
}
