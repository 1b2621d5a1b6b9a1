/* The server over real sockets: requests, bodies, files, keeping alive. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/fs.h"
#include "base/mem.h"
#include "http/problem.h"
#include "http/server.h"
#include "http_peer.h"

static void describe(HttpRequest *request, HttpResponse *response)
{
    Buf text = BUF_INIT(1 << 20);
    buf_printf(&text, "method=%.*s;", STR_ARG(http_request_method(request)));
    buf_printf(&text, "path=%.*s;", STR_ARG(http_request_path(request)));
    buf_printf(&text, "query=%.*s;", STR_ARG(http_request_query(request)));
    buf_printf(&text, "a0=%.*s;", STR_ARG(http_request_param(request, "a", 0)));
    buf_printf(&text, "a1=%.*s;", STR_ARG(http_request_param(request, "a", 1)));
    buf_printf(&text, "cookie=%.*s;", STR_ARG(http_request_cookie(request, "c")));
    buf_printf(&text, "peer=%.*s;", STR_ARG(http_request_peer(request)));
    buf_printf(&text, "body=%llu;", (unsigned long long)http_request_body_size(request));
    http_response_buf(response, "text/plain", &text);
}

/* The sum of the body's bytes read through the descriptor, and of those in the arena. */
static void sum_body(HttpRequest *request, HttpResponse *response)
{
    auto_error Error err = ERROR_INIT;
    Str body = STR_NONE;
    unsigned long long sums[2] = {0};
    int fd = http_request_body_fd(request, &err);
    uint64_t n = http_request_body_size(request);
    if (fd < 0 || http_request_body(request, (size_t)n, &body, &err) < 0) {
        problem_respond(request, response, &err);
        return;
    }
    char block[4096];
    for (ssize_t got = read(fd, block, sizeof(block)); got > 0; got = read(fd, block, 4096))
        for (ssize_t i = 0; i < got; i++)
            sums[0] = sums[0] * 31 + (unsigned char)block[i];
    for (size_t i = 0; i < body.n; i++)
        sums[1] = sums[1] * 31 + (unsigned char)body.p[i];
    Buf text = BUF_INIT(4096);
    buf_printf(&text, "n=%zu;fd=%llu;arena=%llu;", body.n, sums[0], sums[1]);
    http_response_buf(response, "text/plain", &text);
}

static const char *file_path;

static void handle(void *context, HttpRequest *request, HttpResponse *response)
{
    (void)context;
    Str path = http_request_path(request);
    auto_error Error err = ERROR_INIT;
    if (str_eqz(path, "/sum")) {
        sum_body(request, response);
    } else if (str_eqz(path, "/file")) {
        int fd = fs_open(file_path, O_RDONLY, 0, &err);
        http_response_status(response, 206);
        http_response_file(response, "application/octet-stream", fd, 1000, 100000);
    } else if (str_eqz(path, "/problem")) {
        error_set(&err, ERR_CONFLICT, "job \"x\" exists");
        error_code(&err, "job.exists");
        error_fix(&err, "choose another id");
        http_response_bytes(response, "text/plain", STR("to be replaced"));
        problem_respond(request, response, &err);
    } else if (str_eqz(path, "/packed")) {
        Buf text = BUF_INIT(1 << 20);
        for (int i = 0; i < 2000; i++)
            buf_addz(&text, "{\"a\": 1}\n");
        http_response_buf(response, "application/json; charset=utf-8", &text);
        http_response_compress(response);
    } else if (str_eqz(path, "/header")) {
        http_response_header(response, "X-One", STR("a\r\nX-Two: b"));
        http_response_status(response, 204);
    } else {
        describe(request, response);
    }
}

static int start(void **state)
{
    HttpServerOptions options = HTTP_SERVER_OPTIONS;
    auto_error Error err = ERROR_INIT;
    HttpServer *server = NULL;
    options.n_workers = 4;
    options.handler = handle;
    options.body_max = 8 << 20;
    if (http_server_start(&options, &server, &err) < 0)
        return -1;
    *state = server;
    return 0;
}

static int stop(void **state)
{
    http_server_stop(*state, 1000);
    return 0;
}

#define EXCHANGE(text)                                                                             \
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);                                                \
    peer_exchange(http_server_port(*state), STR(text), &answer)

static void a_handler_sees_the_request_raw_and_decoded(void **state)
{
    EXCHANGE("GET /x%2Fy%20z?a=1%202+3&b=%zz&a=&c HTTP/1.1\r\nHost: h\r\nCookie: d=2; c=\"v\"\r\n"
             "Connection: close\r\n\r\n");
    assert_true(buf_has(&answer, "HTTP/1.1 200 OK\r\n"));
    assert_true(buf_has(&answer, "method=GET;path=/x%2Fy%20z;query=a=1%202+3&b=%zz&a=&c;a0=1 2 3;"
                                 "a1=;cookie=v;peer=127.0.0.1;body=0;"));
    assert_true(buf_has(&answer, "\r\nDate: "));
    assert_false(buf_has(&answer, "\r\nServer: "));
}

static void the_absolute_form_is_the_same_as_the_short_one(void **state)
{
    EXCHANGE("GET http://h:1/x?q HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_true(buf_has(&answer, "path=/x;query=q;"));
}

static void head_is_get_without_the_body(void **state)
{
    EXCHANGE("HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_true(buf_has(&answer, "Content-Length: "));
    assert_true(str_ends(buf_str(&answer), STR("\r\n\r\n")));
    assert_false(buf_has(&answer, "method="));
}

static void pipelined_requests_are_answered_in_order_on_one_connection(void **state)
{
    EXCHANGE("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3"
             "\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    ptrdiff_t first = str_find_str(buf_str(&answer), STR("path=/1;"));
    ptrdiff_t second = str_find_str(buf_str(&answer), STR("path=/2;"));
    ptrdiff_t third = str_find_str(buf_str(&answer), STR("path=/3;"));
    assert_true(0 < first && first < second && second < third);
    assert_true(buf_has(&answer, "body=3;"));
}

static void a_problem_document_carries_kind_code_and_fix(void **state)
{
    EXCHANGE("GET /problem HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_true(buf_has(&answer, "HTTP/1.1 409 Conflict\r\n"));
    assert_true(buf_has(&answer, "Content-Type: application/problem+json\r\n"));
    assert_true(buf_has(&answer, "{\"title\":\"Conflict\",\"status\":409,"
                                 "\"detail\":\"job \\\"x\\\" exists\",\"instance\":\"/problem\","
                                 "\"code\":\"job.exists\",\"fix\":\"choose another id\"}"));
}

static void a_header_value_cannot_begin_another_header(void **state)
{
    EXCHANGE("GET /header HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert_true(buf_has(&answer, "HTTP/1.1 204 No Content\r\n"));
    assert_true(buf_has(&answer, "X-One: aX-Two: b\r\n"));
}

static void make_file(char *path, size_t n)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t i = 0; i < n; i += 8) {
        char block[24];
        (void)snprintf(block, sizeof(block), "%08zu", i);
        assert_int_equal(write(fd, block, 8), 8);
    }
    (void)close(fd);
}

static void a_range_of_a_file_is_exact(void **state)
{
    char path[] = "/tmp/hawk-test-XXXXXX";
    make_file(path, 200000);
    file_path = path;
    EXCHANGE("GET /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    (void)unlink(path);
    assert_true(buf_has(&answer, "HTTP/1.1 206 Partial Content\r\n"));
    assert_true(buf_has(&answer, "Content-Length: 100000\r\n"));
    ptrdiff_t head = str_find_str(buf_str(&answer), STR("\r\n\r\n"));
    Str body = str_slice(buf_str(&answer), (size_t)head + 4, answer.len);
    assert_int_equal(body.n, 100000);
    assert_true(str_starts(body, STR("0000100000001008")));
    assert_true(str_ends(body, STR("0010098400100992")));
}

/* Sends n bytes to /sum, as one length or in chunks, and checks the sum that comes back. */
static void check_upload(void **state, size_t n, size_t chunk)
{
    auto_buf Buf request = BUF_INIT(PEER_BYTES_MAX);
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    unsigned long long sum = 0;
    buf_addz(&request, "POST /sum HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
    if (chunk)
        buf_addz(&request, "Transfer-Encoding: chunked\r\n\r\n");
    else
        buf_printf(&request, "Content-Length: %zu\r\n\r\n", n);
    for (size_t i = 0; i < n; i++) {
        if (chunk && i % chunk == 0)
            buf_printf(&request, "%s%zx\r\n", i ? "\r\n" : "", n - i < chunk ? n - i : chunk);
        unsigned char byte = (unsigned char)(i * 7 + i / 251);
        buf_addc(&request, (char)byte);
        sum = sum * 31 + byte;
    }
    if (chunk)
        buf_addz(&request, "\r\n0\r\n\r\n");
    char expected[128];
    (void)snprintf(expected, sizeof(expected), "n=%zu;fd=%llu;arena=%llu;", n, sum, sum);
    peer_exchange(http_server_port(*state), buf_str(&request), &answer);
    assert_true(buf_has(&answer, expected));
}

static void a_small_body_arrives_whole(void **state)
{
    check_upload(state, 1, 0);
    check_upload(state, 65536, 0);
    check_upload(state, 1000, 7);
}

static void a_large_body_arrives_whole_through_a_file(void **state)
{
    check_upload(state, 65537, 0);
    check_upload(state, 5000003, 0);
    check_upload(state, 3000001, 1000);
    check_upload(state, 3000001, 100000);
}

static size_t length_of_packed(void **state, const char *accept, bool *ret_is_packed)
{
    auto_buf Buf request = BUF_INIT(1024);
    auto_buf Buf answer = BUF_INIT(PEER_BYTES_MAX);
    buf_printf(&request, "GET /packed HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", accept);
    peer_exchange(http_server_port(*state), buf_str(&request), &answer);
    assert_true(buf_has(&answer, "Vary: Accept-Encoding\r\n"));
    *ret_is_packed = buf_has(&answer, "Content-Encoding: gzip\r\n");
    return answer.len;
}

static void an_answer_is_compressed_for_who_takes_it(void **state)
{
    bool is_packed = false;
    assert_true(length_of_packed(state, "", &is_packed) > 18000 && !is_packed);
    assert_true(length_of_packed(state, "Accept-Encoding: gzip;q=0\r\n", &is_packed) > 18000);
    assert_false(is_packed);
    assert_true(length_of_packed(state, "Accept-Encoding: br, gzip;q=0.5\r\n", &is_packed) < 1000);
    assert_true(is_packed);
}

static void a_request_without_host_is_refused(void **state)
{
    EXCHANGE("GET / HTTP/1.1\r\n\r\n");
    assert_true(buf_has(&answer, "HTTP/1.1 400 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_sees_the_request_raw_and_decoded),
        cmocka_unit_test(the_absolute_form_is_the_same_as_the_short_one),
        cmocka_unit_test(head_is_get_without_the_body),
        cmocka_unit_test(pipelined_requests_are_answered_in_order_on_one_connection),
        cmocka_unit_test(a_problem_document_carries_kind_code_and_fix),
        cmocka_unit_test(a_header_value_cannot_begin_another_header),
        cmocka_unit_test(a_range_of_a_file_is_exact),
        cmocka_unit_test(a_small_body_arrives_whole),
        cmocka_unit_test(a_large_body_arrives_whole_through_a_file),
        cmocka_unit_test(an_answer_is_compressed_for_who_takes_it),
        cmocka_unit_test(a_request_without_host_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
