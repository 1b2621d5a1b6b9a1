/* Requests in which two readers could see two different things, byte for byte. Behind each stands a
   second request that must not be answered: a refusal closes the connection. */
#include "cmocka_all.h"

#include <stdio.h>

#include "http/server.h"
#include "http_peer.h"

typedef struct Attack {
    const char *name;
    Str bytes;
    const char *status; /* of the one answer */
} Attack;

#define HOST "Host: h\r\n"
#define NEXT "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
#define ATTACK(name, status, bytes)                                                                \
    {                                                                                              \
        name, STR(bytes NEXT), status                                                              \
    }

/* clang-format off */
static const Attack attacks[] = {
    ATTACK("two lengths",              "400", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    ATTACK("two different lengths",    "400", "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nContent-Length: 30\r\n\r\n"),
    ATTACK("a list of lengths",        "400", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3, 3\r\n\r\nabc"),
    ATTACK("a length with a plus",     "400", "POST / HTTP/1.1\r\n" HOST "Content-Length: +3\r\n\r\nabc"),
    ATTACK("a negative length",        "400", "POST / HTTP/1.1\r\n" HOST "Content-Length: -3\r\n\r\nabc"),
    ATTACK("a hexadecimal length",     "400", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x3\r\n\r\nabc"),
    ATTACK("a length past 64 bits",    "413", "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\nabc"),
    ATTACK("length and encoding",      "400", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ATTACK("encoding and length",      "400", "PATCH / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ATTACK("two encodings",            "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ATTACK("an unknown encoding",      "501", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ATTACK("an encoding of two",       "501", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ATTACK("an encoding with a space", "501", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n"),
    ATTACK("an encoding with a tab",   "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n"),
    ATTACK("a folded encoding",        "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chun\r\n ked\r\n\r\n0\r\n\r\n"),
    ATTACK("an encoding in 1.0",       "400", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ATTACK("a space before the colon", "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ATTACK("a folded header",          "400", "GET / HTTP/1.1\r\n" HOST "X-A: b\r\n c\r\n\r\n"),
    ATTACK("a folded host",            "400", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"),
    ATTACK("a fold at the start",      "400", "GET / HTTP/1.1\r\n X-A: b\r\n" HOST "\r\n"),
    ATTACK("a NUL in a header",        "400", "GET / HTTP/1.1\r\n" HOST "X-A: b\0c\r\n\r\n"),
    ATTACK("a NUL in the address",     "400", "GET /a\0b HTTP/1.1\r\n" HOST "\r\n"),
    ATTACK("a bare LF",                "400", "GET / HTTP/1.1\r\n" HOST "X-A: b\nContent-Length: 3\r\n\r\nabc"),
    ATTACK("bare LFs everywhere",      "400", "GET / HTTP/1.1\nHost: h\n\n"),
    ATTACK("a bare CR",                "400", "GET / HTTP/1.1\r\n" HOST "X-A: b\rContent-Length: 3\r\n\r\nabc"),
    ATTACK("a line without a colon",   "400", "GET / HTTP/1.1\r\n" HOST "Foo\r\n\r\n"),
    ATTACK("a tab before a value",     "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n"),
    ATTACK("a tab behind a space",     "400", "POST / HTTP/1.1\r\n" HOST "Content-Length: \t3\r\n\r\nabc"),
    ATTACK("a tab behind a value",     "400", "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\t\r\n\r\nabc"),
    ATTACK("a NUL before the request", "400", "\0A\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
    ATTACK("an empty line before it",  "400", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
    ATTACK("no host",                  "400", "GET / HTTP/1.1\r\n\r\n"),
    ATTACK("an empty host",            "400", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    ATTACK("two hosts",                "400", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ATTACK("two expectations",         "400", "GET / HTTP/1.1\r\n" HOST "Expect: 1\r\nExpect: 100-continue\r\n\r\n"),
    ATTACK("no version",               "400", "GET /\r\n\r\n"),
    ATTACK("a version to come",        "505", "GET / HTTP/2.0\r\n" HOST "\r\n"),
    ATTACK("a version between",        "505", "GET / HTTP/1.9\r\n" HOST "\r\n"),
    ATTACK("another protocol",         "400", "GET / XTTP/1.1\r\n" HOST "\r\n"),
    ATTACK("a space in the address",   "400", "GET /a b HTTP/1.1\r\n" HOST "\r\n"),
    ATTACK("an address of a host",     "400", "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n"),
    ATTACK("a chunk size of letters",  "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
    ATTACK("a chunk size with 0x",     "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n"),
    ATTACK("a negative chunk size",    "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n"),
    ATTACK("a chunk size past 64 bits", "413", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ATTACK("an empty chunk size",      "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n"),
    ATTACK("a chunk past its size",    "400", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n"),
};
/* clang-format on */

static void handle(void *context, HttpRequest *request, HttpResponse *response)
{
    (void)context;
    http_response_bytes(response, "text/plain", http_request_path(request));
}

static int start(void **state)
{
    HttpServerOptions options = HTTP_SERVER_OPTIONS;
    auto_error Error err = ERROR_INIT;
    HttpServer *server = NULL;
    options.n_workers = 2;
    options.handler = handle;
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

static void each_attack_is_refused_and_what_stands_behind_is_not_answered(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
        auto_buf Buf answer = BUF_INIT(1 << 20);
        char line[32];
        peer_exchange(http_server_port(*state), attacks[i].bytes, &answer);
        (void)snprintf(line, sizeof(line), "HTTP/1.1 %s ", attacks[i].status);
        if (!str_starts(buf_str(&answer), str_of(line)) || buf_has(&answer, "smuggled") ||
            buf_has(&answer, "200 OK"))
            fail_msg("%s: %s", attacks[i].name, answer.data);
    }
}

static void a_line_that_begins_with_a_nul_is_refused_between_requests(void **state)
{
    static const char *const lines[] = {"A\r\n", "\r\n", "\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        auto_buf Buf answer = BUF_INIT(1 << 20);
        auto_buf Buf request = BUF_INIT(1 << 20);
        buf_addz(&request, "GET /first HTTP/1.1\r\n" HOST "\r\n");
        buf_addc(&request, '\0');
        buf_addz(&request, lines[i]);
        buf_addz(&request, NEXT);
        peer_exchange(http_server_port(*state), buf_str(&request), &answer);
        ssize_t refusal = str_find_str(buf_str(&answer), STR("HTTP/1.1 400 "));
        assert_true(buf_has(&answer, "/first") && refusal > 0);
        Str behind = str_slice(buf_str(&answer), (size_t)refusal, answer.len);
        assert_true(str_find_str(behind, STR("200 OK")) < 0);
    }
}

static void a_body_in_chunks_is_the_last_of_its_connection(void **state)
{
    auto_buf Buf answer = BUF_INIT(1 << 20);
    peer_exchange(
        http_server_port(*state),
        STR("POST /first HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\r" NEXT),
        &answer);
    assert_true(str_starts(buf_str(&answer), STR("HTTP/1.1 200 ")));
    assert_false(buf_has(&answer, "/smuggled"));
}

/* A request with that many bytes of headers, or that many headers. */
static void exchange_headers(int port, size_t n_bytes, size_t n_lines, Buf *answer)
{
    auto_buf Buf request = BUF_INIT(1 << 20);
    buf_addz(&request, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
    for (size_t i = 0; i < n_lines; i++)
        buf_addz(&request, "X: y\r\n");
    buf_addz(&request, "X: ");
    for (size_t i = 0; i < n_bytes; i++)
        buf_addc(&request, 'a');
    buf_addz(&request, "\r\n\r\n");
    peer_exchange(port, buf_str(&request), answer);
}

static void headers_have_a_ceiling(void **state)
{
    static const size_t too_large[] = {33 * 1024, 40000, 70000, 200000};
    int port = http_server_port(*state);
    for (size_t i = 0; i < ARRAY_LEN(too_large); i++) {
        auto_buf Buf answer = BUF_INIT(1 << 20);
        exchange_headers(port, too_large[i], 0, &answer);
        assert_true(str_starts(buf_str(&answer), STR("HTTP/1.1 431 ")));
    }
    auto_buf Buf many = BUF_INIT(1 << 20);
    exchange_headers(port, 1, 100, &many);
    assert_true(str_starts(buf_str(&many), STR("HTTP/1.1 431 ")));
    auto_buf Buf enough = BUF_INIT(1 << 20);
    exchange_headers(port, 30 * 1024, 90, &enough);
    assert_true(str_starts(buf_str(&enough), STR("HTTP/1.1 200 ")));
}

static void ordinary_requests_pass(void **state)
{
    static const char *const requests[] = {
        "GET / HTTP/1.0\r\n\r\n",
        "GET /a?b HTTP/1.1\r\nhost:h\r\nX-Empty:\r\nconnection:close\r\nAccept:  */* \r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n"
        "3;ext=1\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
        "DELETE / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 03\r\nConnection: close\r\n\r\nabc",
    };
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        auto_buf Buf answer = BUF_INIT(1 << 20);
        peer_exchange(http_server_port(*state), str_of(requests[i]), &answer);
        if (!str_starts(buf_str(&answer), STR("HTTP/1.1 200 ")) &&
            !str_starts(buf_str(&answer), STR("HTTP/1.0 200 ")))
            fail_msg("%zu: %s", i, answer.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_attack_is_refused_and_what_stands_behind_is_not_answered),
        cmocka_unit_test(a_line_that_begins_with_a_nul_is_refused_between_requests),
        cmocka_unit_test(a_body_in_chunks_is_the_last_of_its_connection),
        cmocka_unit_test(headers_have_a_ceiling),
        cmocka_unit_test(ordinary_requests_pass),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
