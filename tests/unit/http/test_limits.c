/* What is too large, too slow or too much. Each test starts a server with limits of its own. */
#include "cmocka_all.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "gate.h"
#include "http/server.h"
#include "http_peer.h"

enum { LARGE = 64 << 20 };

static Gate gate;

static void handle(void *context, HttpRequest *request, HttpResponse *response)
{
    (void)context;
    Str path = http_request_path(request);
    if (str_eqz(path, "/gate")) {
        gate_pass(&gate);
    } else if (str_eqz(path, "/gone")) {
        gate_pass(&gate);
        while (!http_request_is_abandoned(request))
            ;
        gate_count(&gate);
    } else if (str_eqz(path, "/large") || str_eqz(path, "/paced")) {
        if (str_eqz(path, "/paced"))
            http_response_pace(response, INT64_C(1) << 30);
        Buf large = BUF_INIT(LARGE);
        memset(buf_room(&large, LARGE), 'x', LARGE);
        buf_grew(&large, LARGE);
        http_response_buf(response, "text/plain", &large);
        return;
    }
    http_response_bytes(response, "text/plain", STR("done"));
}

static HttpServer *start(const HttpServerOptions *options)
{
    auto_error Error err = ERROR_INIT;
    HttpServer *server = NULL;
    HttpServerOptions with_handler = *options;
    with_handler.handler = handle;
    gate = (Gate)GATE_INIT;
    assert_int_equal(http_server_start(&with_handler, &server, &err), 0);
    return server;
}

/* Declares a server and what one connection to it sent back. */
#define SERVER(...)                                                                                \
    HttpServerOptions options = HTTP_SERVER_OPTIONS;                                               \
    __VA_ARGS__;                                                                                   \
    HttpServer *server = start(&options);                                                          \
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);                                                \
    int fd = peer_connect(http_server_port(server))

#define END_SERVER()                                                                               \
    (void)close(fd);                                                                               \
    http_server_stop(server, 0)

static void a_length_over_the_limit_is_refused_before_the_body_comes(void **state)
{
    (void)state;
    SERVER(options.body_max = 1000);
    assert_true(peer_send(fd, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n")));
    assert_true(peer_read_until(fd, &answer, "bad_data"));
    assert_true(str_starts(buf_str(&answer), STR("HTTP/1.1 413 ")));
    END_SERVER();
}

/* "/more" may send more than others, "/no" nothing at all. */
static int admit(void *context, HttpRequest *request, size_t *body_max, Error *err)
{
    (void)context;
    if (str_eqz(http_request_path(request), "/more"))
        *body_max = 2000;
    if (str_eqz(http_request_path(request), "/no"))
        return error_set(err, ERR_DENIED, "not you");
    return 0;
}

static void a_request_may_be_allowed_a_larger_body_than_others(void **state)
{
    (void)state;
    SERVER(options.body_max = 1000, options.admit = admit);
    auto_buf Buf body = BUF_INIT(2000);
    memset(buf_room(&body, 2000), 'x', 2000);
    buf_grew(&body, 2000);
    assert_true(
        peer_send(fd, STR("PUT /more HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n")));
    assert_true(peer_send(fd, buf_str(&body)));
    assert_true(peer_read_until(fd, &answer, "done"));
    assert_true(
        peer_send(fd, STR("PUT /more HTTP/1.1\r\nHost: h\r\nContent-Length: 2001\r\n\r\n")));
    assert_true(peer_read_until(fd, &answer, "HTTP/1.1 413 "));
    END_SERVER();
}

static void a_request_that_is_not_admitted_is_refused_before_its_body_comes(void **state)
{
    (void)state;
    SERVER(options.admit = admit);
    assert_true(peer_send(fd, STR("PUT /no HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")));
    assert_true(peer_read_until(fd, &answer, "not you"));
    assert_true(str_starts(buf_str(&answer), STR("HTTP/1.1 403 ")));
    END_SERVER();
}

static void who_asks_before_sending_is_refused_without_being_told_to_go_on(void **state)
{
    (void)state;
    SERVER(options.body_max = 1000);
    assert_true(peer_send(fd, STR("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                                  "Content-Length: 1001\r\n\r\n")));
    peer_read_all(fd, &answer);
    assert_true(str_starts(buf_str(&answer), STR("HTTP/1.1 413 ")));
    assert_false(buf_has(&answer, "100 Continue"));
    END_SERVER();
}

static void who_asks_before_sending_is_told_to_go_on(void **state)
{
    (void)state;
    SERVER(options.body_max = 1000);
    assert_true(peer_send(fd, STR("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                                  "Content-Length: 3\r\n\r\n")));
    assert_true(peer_read_until(fd, &answer, "HTTP/1.1 100 Continue\r\n\r\n"));
    assert_true(peer_send(fd, STR("abc")));
    assert_true(peer_read_until(fd, &answer, "done"));
    END_SERVER();
}

/* Sends chunks without end until the other side breaks off. */
static void send_chunks(int fd, size_t n_max)
{
    auto_buf Buf chunk = BUF_INIT(1 << 20);
    buf_addz(&chunk, "10000\r\n");
    memset(buf_room(&chunk, 65536), 'x', 65536);
    buf_grew(&chunk, 65536);
    buf_addz(&chunk, "\r\n");
    while (n_max-- > 0 && peer_send(fd, buf_str(&chunk)))
        ;
}

static void a_chunked_body_is_refused_when_it_passes_the_limit(void **state)
{
    (void)state;
    SERVER(options.body_max = 1 << 20);
    assert_true(
        peer_send(fd, STR("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")));
    send_chunks(fd, 64);
    assert_true(peer_read_until(fd, &answer, "bad_data"));
    assert_true(str_starts(buf_str(&answer), STR("HTTP/1.1 413 ")));
    END_SERVER();
}

static void a_client_that_sends_all_of_a_refused_body_still_gets_the_answer(void **state)
{
    (void)state;
    SERVER(options.body_max = 1000);
    auto_buf Buf body = BUF_INIT(LARGE);
    buf_printf(&body, "PATCH / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", 20 << 20);
    memset(buf_room(&body, 20 << 20), 'x', 20 << 20);
    buf_grew(&body, 20 << 20);
    assert_true(peer_send(fd, buf_str(&body)));
    peer_read_all(fd, &answer);
    assert_true(str_starts(buf_str(&answer), STR("HTTP/1.1 413 ")));
    END_SERVER();
}

static void a_full_disk_is_told_apart(void **state)
{
    (void)state;
    SERVER(options.body_max = LARGE);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 200000, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_true(
        peer_send(fd, STR("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")));
    send_chunks(fd, 16);
    bool has_come = peer_read_until(fd, &answer, "no_space");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(has_come);
    assert_true(str_starts(buf_str(&answer), STR("HTTP/1.1 507 ")));
    END_SERVER();
}

static void requests_past_the_queue_are_asked_to_come_back(void **state)
{
    (void)state;
    SERVER(options.n_workers = 1, options.n_queued_max = 1);
    int waiting = peer_connect(http_server_port(server));
    int third = peer_connect(http_server_port(server));
    auto_buf Buf second = BUF_INIT(PEER_BYTES_MAX);
    assert_true(peer_send(fd, STR("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_true(gate_await(&gate, 1));
    /* One of these waits in the queue, the other finds it full; which, is the kernel's choice. */
    assert_true(peer_send(waiting, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_true(peer_send(third, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
    struct pollfd either[] = {{.fd = waiting, .events = POLLIN}, {.fd = third, .events = POLLIN}};
    assert_int_equal(poll(either, 2, PEER_PATIENCE_MS), 1);
    int refused = either[0].revents ? waiting : third;
    int served = either[0].revents ? third : waiting;
    assert_true(peer_read_until(refused, &answer, "busy"));
    assert_true(str_starts(buf_str(&answer), STR("HTTP/1.1 503 ")));
    assert_true(buf_has(&answer, "Retry-After: 1\r\n"));
    gate_open(&gate);
    assert_true(peer_read_until(served, &second, "done"));
    (void)close(waiting);
    (void)close(third);
    END_SERVER();
}

static void connections_past_the_ceiling_wait_until_one_ends(void **state)
{
    (void)state;
    SERVER(options.n_connections_max = 1);
    auto_buf Buf second = BUF_INIT(PEER_BYTES_MAX);
    assert_true(peer_send(fd, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_true(peer_read_until(fd, &answer, "done"));
    int waiting = peer_connect(http_server_port(server));
    assert_true(peer_send(waiting, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
    struct pollfd readable = {.fd = waiting, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 50), 0);
    (void)shutdown(fd, SHUT_RDWR);
    assert_true(peer_read_until(waiting, &second, "done"));
    (void)close(waiting);
    END_SERVER();
}

static void a_handler_can_see_that_its_client_has_gone(void **state)
{
    (void)state;
    SERVER(options.n_workers = 1);
    assert_true(peer_send(fd, STR("GET /gone HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_true(gate_await(&gate, 1));
    (void)shutdown(fd, SHUT_RDWR);
    gate_open(&gate);
    assert_true(gate_await(&gate, 2));
    END_SERVER();
}

static void headers_that_do_not_end_are_cut_off(void **state)
{
    (void)state;
    SERVER(options.header_timeout_ms = 50);
    assert_true(peer_send(fd, STR("GET / HTTP/1.1\r\nHost: h\r\nX-A: ")));
    peer_read_all(fd, &answer);
    assert_int_equal(answer.len, 0);
    END_SERVER();
}

static void a_first_line_that_does_not_end_is_cut_off(void **state)
{
    (void)state;
    SERVER(options.header_timeout_ms = 50);
    assert_true(peer_send(fd, STR("GET /")));
    peer_read_all(fd, &answer);
    assert_int_equal(answer.len, 0);
    END_SERVER();
}

static void headers_that_drip_are_cut_off(void **state)
{
    (void)state;
    SERVER(options.header_timeout_ms = 50);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_true(peer_send(fd, STR("GET / HTTP/1.1\r\nHost: h\r\nX-A: ")));
    int n_drops = 0;
    while (poll(&readable, 1, 5) == 0 && n_drops++ < 4000)
        (void)peer_send(fd, STR("a"));
    assert_true(n_drops < 4000);
    END_SERVER();
}

static void an_idle_connection_is_closed_and_an_answer_before_is_whole(void **state)
{
    (void)state;
    SERVER(options.idle_timeout_ms = 50);
    assert_true(peer_send(fd, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n")));
    peer_read_all(fd, &answer);
    assert_true(buf_has(&answer, "done"));
    END_SERVER();
}

static void a_body_that_stops_coming_is_given_up(void **state)
{
    (void)state;
    SERVER(options.idle_timeout_ms = 50);
    assert_true(peer_send(fd, STR("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")));
    peer_read_all(fd, &answer);
    assert_false(buf_has(&answer, "200 OK"));
    END_SERVER();
}

static void an_answer_that_is_not_taken_is_given_up(void **state)
{
    (void)state;
    SERVER(options.idle_timeout_ms = 50);
    int small = 4096;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_true(peer_send(fd, STR("GET /large HTTP/1.1\r\nHost: h\r\n\r\n")));
    struct pollfd ended = {.fd = fd, .events = POLLRDHUP};
    assert_int_equal(poll(&ended, 1, PEER_PATIENCE_MS), 1);
    peer_read_all(fd, &answer);
    assert_true(answer.len < LARGE);
    END_SERVER();
}

/* Each step is progress for answers that have no pace. */
static void an_answer_that_is_taken_below_its_pace_is_given_up(void **state)
{
    (void)state;
    SERVER(options.idle_timeout_ms = 100);
    int small = 4096;
    size_t n_read = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    assert_true(peer_send(fd, STR("GET /paced HTTP/1.1\r\nHost: h\r\n\r\n")));
    for (size_t n = 0; n_read > 0 && n < LARGE; n += n_read) {
        (void)poll(NULL, 0, 1);
        n_read = peer_read(fd, &answer, 64 << 10);
    }
    assert_true(answer.len < LARGE);
    END_SERVER();
}

static void a_slow_handler_has_no_deadline_here(void **state)
{
    (void)state;
    SERVER(options.idle_timeout_ms = 20, options.header_timeout_ms = 20);
    int idle = peer_connect(http_server_port(server));
    auto_buf Buf nothing = BUF_INIT(1024);
    assert_true(peer_send(fd, STR("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n")));
    assert_true(gate_await(&gate, 1));
    /* Two connections that are closed for being idle, one after the other, have taken longer. */
    peer_read_all(idle, &nothing);
    (void)close(idle);
    idle = peer_connect(http_server_port(server));
    peer_read_all(idle, &nothing);
    (void)close(idle);
    gate_open(&gate);
    assert_true(peer_read_until(fd, &answer, "done"));
    END_SERVER();
}

static void a_port_in_use_is_a_conflict(void **state)
{
    (void)state;
    SERVER();
    auto_error Error err = ERROR_INIT;
    HttpServer *second = NULL;
    options.handler = handle;
    options.port = http_server_port(server);
    assert_int_equal(http_server_start(&options, &second, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    END_SERVER();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_length_over_the_limit_is_refused_before_the_body_comes),
        cmocka_unit_test(a_request_may_be_allowed_a_larger_body_than_others),
        cmocka_unit_test(a_request_that_is_not_admitted_is_refused_before_its_body_comes),
        cmocka_unit_test(who_asks_before_sending_is_refused_without_being_told_to_go_on),
        cmocka_unit_test(who_asks_before_sending_is_told_to_go_on),
        cmocka_unit_test(a_chunked_body_is_refused_when_it_passes_the_limit),
        cmocka_unit_test(a_client_that_sends_all_of_a_refused_body_still_gets_the_answer),
        cmocka_unit_test(a_full_disk_is_told_apart),
        cmocka_unit_test(requests_past_the_queue_are_asked_to_come_back),
        cmocka_unit_test(connections_past_the_ceiling_wait_until_one_ends),
        cmocka_unit_test(a_handler_can_see_that_its_client_has_gone),
        cmocka_unit_test(headers_that_do_not_end_are_cut_off),
        cmocka_unit_test(a_first_line_that_does_not_end_is_cut_off),
        cmocka_unit_test(headers_that_drip_are_cut_off),
        cmocka_unit_test(an_idle_connection_is_closed_and_an_answer_before_is_whole),
        cmocka_unit_test(a_body_that_stops_coming_is_given_up),
        cmocka_unit_test(an_answer_that_is_not_taken_is_given_up),
        cmocka_unit_test(an_answer_that_is_taken_below_its_pace_is_given_up),
        cmocka_unit_test(a_slow_handler_has_no_deadline_here),
        cmocka_unit_test(a_port_in_use_is_a_conflict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
