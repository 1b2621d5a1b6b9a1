/* Streams: pace, timers, ends, clients that leave, and a server that stops. */
#include "cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/mem.h"
#include "gate.h"
#include "http/server.h"
#include "http/sse.h"
#include "http_peer.h"

enum { STEP = 64 * 1024, TOTAL = 96 << 20, AHEAD_MAX = 24 << 20 };

typedef struct Source {
    size_t n_steps;
} Source;

static Gate stepped;
static Gate closed;
static Gate handler;
static atomic_size_t n_pulled;
static _Atomic(HttpStream *) sleeper;

static HttpStreamStep step_many(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)stream;
    (void)wait_ms;
    Source *source = state;
    memset(buf_room(out, STEP), 'x', STEP);
    buf_grew(out, STEP);
    atomic_fetch_add(&n_pulled, STEP);
    return ++source->n_steps == TOTAL / STEP ? HTTP_STREAM_END : HTTP_STREAM_MORE;
}

static HttpStreamStep step_ticks(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)stream;
    Source *source = state;
    char number[24];
    (void)snprintf(number, sizeof(number), "%zu", source->n_steps);
    sse_add_event(out, STR_NONE, STR("tick"), str_of(number));
    *wait_ms = 5;
    return source->n_steps++ == 4 ? HTTP_STREAM_END : HTTP_STREAM_WAIT;
}

static HttpStreamStep step_asleep(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)wait_ms;
    Source *source = state;
    atomic_store(&sleeper, stream);
    buf_printf(out, "step %zu;", source->n_steps++);
    gate_count(&stepped);
    return http_stream_is_ending(stream) ? HTTP_STREAM_END : HTTP_STREAM_WAIT;
}

static HttpStreamStep step_deaf(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)state;
    (void)stream;
    (void)wait_ms;
    buf_addz(out, "deaf;");
    gate_count(&stepped);
    return HTTP_STREAM_WAIT;
}

static HttpStreamStep step_failing(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)stream;
    (void)wait_ms;
    Source *source = state;
    buf_addz(out, "part;");
    return source->n_steps++ == 1 ? HTTP_STREAM_FAIL : HTTP_STREAM_MORE;
}

static HttpStreamStep step_empty(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)state;
    (void)stream;
    (void)out;
    (void)wait_ms;
    return HTTP_STREAM_END;
}

static void close_source(void *state)
{
    free(state);
    gate_count(&closed);
}

typedef struct SourceRow {
    const char *path;
    HttpStreamOps ops;
} SourceRow;

static const SourceRow sources[] = {
    {"/many", {step_many, close_source}},       {"/ticks", {step_ticks, close_source}},
    {"/asleep", {step_asleep, close_source}},   {"/deaf", {step_deaf, close_source}},
    {"/failing", {step_failing, close_source}}, {"/empty", {step_empty, close_source}},
};

static void handle(void *context, HttpRequest *request, HttpResponse *response)
{
    (void)context;
    Str path = http_request_path(request);
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (str_eqz(path, sources[i].path))
            http_response_stream(response, SSE_CONTENT_TYPE, &sources[i].ops,
                                 mem_alloc(sizeof(Source)));
    if (str_eqz(path, "/handler")) {
        gate_pass(&handler);
        http_response_bytes(response, "text/plain", STR("handled"));
    }
    if (str_eqz(path, "/replaced")) {
        http_response_stream(response, SSE_CONTENT_TYPE, &sources[0].ops,
                             mem_alloc(sizeof(Source)));
        http_response_bytes(response, "text/plain", STR("instead"));
    }
}

static HttpServer *server;

static int start(void **state)
{
    (void)state;
    HttpServerOptions options = HTTP_SERVER_OPTIONS;
    auto_error Error err = ERROR_INIT;
    options.n_workers = 2;
    options.handler = handle;
    stepped = (Gate)GATE_INIT;
    closed = (Gate)GATE_INIT;
    handler = (Gate)GATE_INIT;
    n_pulled = 0;
    return http_server_start(&options, &server, &err);
}

static int stop(void **state)
{
    (void)state;
    http_server_stop(server, 0);
    server = NULL;
    return 0;
}

/* Connects and asks for a path. */
static int ask(const char *method, const char *path)
{
    char request[128];
    int fd = peer_connect(http_server_port(server));
    (void)snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, path);
    assert_true(peer_send(fd, str_of(request)));
    return fd;
}

static void the_end_of_a_stream_keeps_the_connection(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    int fd = ask("GET", "/ticks");
    assert_true(peer_read_until(fd, &answer, "\r\n0\r\n\r\n"));
    assert_true(buf_has(&answer, "Transfer-Encoding: chunked\r\n"));
    assert_true(buf_has(&answer, "event: tick\ndata: 4\n\n"));
    assert_true(gate_await(&closed, 1));
    buf_reset(&answer);
    assert_true(peer_send(fd, STR("GET /empty HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_true(peer_read_until(fd, &answer, "\r\n\r\n0\r\n\r\n"));
    assert_true(gate_await(&closed, 2));
    (void)close(fd);
}

static void an_old_client_gets_a_stream_that_ends_with_the_connection(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    peer_exchange(http_server_port(server), STR("GET /ticks HTTP/1.0\r\n\r\n"), &answer);
    assert_false(buf_has(&answer, "Transfer-Encoding"));
    assert_true(str_ends(buf_str(&answer), STR("event: tick\ndata: 4\n\n")));
}

static void a_slow_reader_does_not_pull_the_stream_into_memory(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    int fd = ask("GET", "/many");
    size_t n_read = 0;
    while (!str_ends(buf_str(&answer), STR("\r\n0\r\n\r\n"))) {
        buf_consume(&answer, answer.len < 8 ? 0 : answer.len - 8);
        n_read += peer_read(fd, &answer, STEP);
        size_t pulled = atomic_load(&n_pulled);
        if (pulled > n_read + AHEAD_MAX)
            fail_msg("%zu bytes pulled, %zu read", pulled, n_read);
    }
    assert_true(n_read > TOTAL);
    assert_int_equal(n_pulled, TOTAL);
    (void)close(fd);
}

static void a_client_that_leaves_a_silent_stream_closes_it(void **state)
{
    (void)state;
    int fd = ask("GET", "/asleep");
    assert_true(gate_await(&stepped, 1));
    (void)close(fd);
    assert_true(gate_await(&closed, 1));
}

static void a_client_that_leaves_a_full_stream_closes_it(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    int fd = ask("GET", "/many");
    assert_true(peer_read(fd, &answer, 1000) > 0);
    (void)close(fd);
    assert_true(gate_await(&closed, 1));
    assert_true(atomic_load(&n_pulled) < TOTAL);
}

static void a_sleeping_stream_goes_on_when_it_is_woken(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    int fd = ask("GET", "/asleep");
    assert_true(peer_read_until(fd, &answer, "step 0;"));
    http_stream_wake(atomic_load(&sleeper));
    assert_true(peer_read_until(fd, &answer, "step 1;"));
    (void)close(fd);
    assert_true(gate_await(&closed, 1));
}

static void a_stream_that_fails_is_seen_to_be_cut(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    int fd = ask("GET", "/failing");
    peer_read_all(fd, &answer);
    assert_true(buf_has(&answer, "part;"));
    assert_false(buf_has(&answer, "\r\n0\r\n"));
    assert_true(gate_await(&closed, 1));
    (void)close(fd);
}

static void head_of_a_stream_closes_it_without_a_step(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    int fd = ask("HEAD", "/asleep");
    assert_true(peer_read_until(fd, &answer, "\r\n\r\n"));
    assert_true(gate_await(&closed, 1));
    assert_int_equal(stepped.n_come, 0);
    assert_true(str_ends(buf_str(&answer), STR("\r\n\r\n")));
    (void)close(fd);
}

static void a_replaced_stream_is_closed(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    int fd = ask("GET", "/replaced");
    assert_true(peer_read_until(fd, &answer, "instead"));
    assert_true(gate_await(&closed, 1));
    (void)close(fd);
}

static void many_streams_at_once_all_end(void **state)
{
    (void)state;
    enum { N = 200 };
    int fds[N];
    for (size_t i = 0; i < N; i++)
        fds[i] = ask("GET", i % 3 ? "/ticks" : "/asleep");
    for (size_t i = 0; i < N; i++) {
        auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
        assert_true(peer_read_until(fds[i], &answer, i % 3 ? "\r\n0\r\n\r\n" : "step 0;"));
        (void)close(fds[i]);
    }
    assert_true(gate_await(&closed, N));
}

/* Counts by name, because looking at a descriptor races with the loop that closes it. */
static size_t count_sockets(void)
{
    size_t n = 0;
    for (int fd = 0; fd < 4096; fd++) {
        char path[64];
        char target[64] = "";
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n += readlink(path, target, sizeof(target) - 1) > 0 &&
             str_starts(str_of(target), STR("socket:"));
    }
    return n;
}

static void broken_streams_leave_no_sockets_behind_while_others_stay_open(void **state)
{
    (void)state;
    enum { N_OLD = 40, N = 100 };
    int old[N_OLD];
    for (size_t i = 0; i < N_OLD; i++) {
        auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
        old[i] = ask("GET", "/empty");
        assert_true(peer_read_until(old[i], &answer, "\r\n\r\n0\r\n\r\n"));
    }
    size_t n_before = count_sockets();
    for (size_t i = 0; i < N; i++) {
        static const char *const paths[] = {"/asleep", "/many", "/failing"};
        auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
        int fd = ask("GET", paths[i % 3]);
        assert_true(peer_read(fd, &answer, 1000) > 0);
        (void)close(fd);
    }
    assert_true(gate_await(&closed, N_OLD + N));
    size_t n_looks = 0;
    while (count_sockets() > n_before && n_looks++ < 5000)
        (void)poll(NULL, 0, 1);
    assert_true(count_sockets() <= n_before);
    for (size_t i = 0; i < N_OLD; i++)
        (void)close(old[i]);
}

static void *stop_patiently(void *context)
{
    (void)context;
    http_server_stop(server, 60000);
    return NULL;
}

static void a_server_that_stops_lets_requests_end(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    auto_buf Buf streamed = BUF_INIT(PEER_BYTES_MAX);
    pthread_t thread;
    int fd = ask("GET", "/handler");
    int stream = ask("GET", "/asleep");
    assert_true(gate_await(&handler, 1));
    assert_true(peer_read_until(stream, &streamed, "step 0;"));
    assert_int_equal(pthread_create(&thread, NULL, stop_patiently, NULL), 0);
    assert_true(peer_read_until(stream, &streamed, "step 1;"));
    assert_true(peer_read_until(stream, &streamed, "\r\n0\r\n\r\n"));
    gate_open(&handler);
    peer_read_all(fd, &answer);
    assert_true(buf_has(&answer, "handled"));
    assert_true(buf_has(&answer, "Connection: close\r\n"));
    pthread_join(thread, NULL);
    server = NULL;
    (void)close(fd);
    (void)close(stream);
}

static void a_server_that_stops_breaks_off_what_does_not_end(void **state)
{
    (void)state;
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    int deaf = ask("GET", "/deaf");
    int full = ask("GET", "/many");
    int idle = peer_connect(http_server_port(server));
    assert_true(peer_read_until(deaf, &answer, "deaf;"));
    assert_true(peer_read(full, &answer, 1000) > 0);
    http_server_stop(TAKE(server), 20);
    assert_int_equal(closed.n_come, 2);
    peer_read_all(deaf, &answer);
    peer_read_all(idle, &answer);
    assert_false(buf_has(&answer, "\r\n0\r\n"));
    (void)close(deaf);
    (void)close(full);
    (void)close(idle);
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(the_end_of_a_stream_keeps_the_connection),
        STREAM_TEST(an_old_client_gets_a_stream_that_ends_with_the_connection),
        STREAM_TEST(a_slow_reader_does_not_pull_the_stream_into_memory),
        STREAM_TEST(a_client_that_leaves_a_silent_stream_closes_it),
        STREAM_TEST(a_client_that_leaves_a_full_stream_closes_it),
        STREAM_TEST(a_sleeping_stream_goes_on_when_it_is_woken),
        STREAM_TEST(a_stream_that_fails_is_seen_to_be_cut),
        STREAM_TEST(head_of_a_stream_closes_it_without_a_step),
        STREAM_TEST(a_replaced_stream_is_closed),
        STREAM_TEST(many_streams_at_once_all_end),
        STREAM_TEST(broken_streams_leave_no_sockets_behind_while_others_stay_open),
        STREAM_TEST(a_server_that_stops_lets_requests_end),
        STREAM_TEST(a_server_that_stops_breaks_off_what_does_not_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
