/* The client over real sockets, against our own server and against a peer of raw bytes. */
#include "cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "http/client.h"
#include "http/server.h"
#include "http_peer.h"

typedef struct Peers {
    HttpServer *one;
    HttpServer *other;
    char one_url[64];
    char other_url[64];
    atomic_int n_authorized_at_other;
} Peers;

static Peers peers;

static HttpStreamStep drip(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)state;
    (void)wait_ms;
    if (http_stream_is_ending(stream))
        return HTTP_STREAM_END;
    buf_addz(out, "drop");
    return HTTP_STREAM_WAIT; /* and never again */
}

static void close_nothing(void *state)
{
    (void)state;
}

static const HttpStreamOps drip_ops = {drip, close_nothing};

static void redirect(HttpResponse *response, const char *base, const char *path)
{
    char target[128];
    (void)snprintf(target, sizeof(target), "%s%s", base, path);
    http_response_status(response, 302);
    http_response_header(response, "Location", str_of(target));
}

static void answer_echo(HttpRequest *request, HttpResponse *response)
{
    auto_error Error err = ERROR_INIT;
    Str body = STR_NONE;
    assert_int_equal(http_request_body(request, 1 << 20, &body, &err), 0);
    Buf text = BUF_INIT(2 << 20);
    buf_printf(&text, "%.*s auth=%.*s type=%.*s body=%.*s", STR_ARG(http_request_method(request)),
               STR_ARG(http_request_header(request, "Authorization")),
               STR_ARG(http_request_header(request, "Content-Type")), STR_ARG(body));
    http_response_header(response, "ETag", STR("\"e1\""));
    http_response_header(response, "Link",
                         STR("<http://h/1>; rel=\"prev\", <http://h/3>; rel=\"next\""));
    http_response_header(response, "Retry-After", STR("7"));
    http_response_buf(response, "text/plain", &text);
}

static void answer_zeros(HttpResponse *response)
{
    Buf zeros = BUF_INIT(2 << 20);
    memset(buf_room(&zeros, 2 << 20), '0', 2 << 20);
    buf_grew(&zeros, 2 << 20);
    http_response_buf(response, "text/plain", &zeros);
    http_response_compress(response);
}

static void handle(void *context, HttpRequest *request, HttpResponse *response)
{
    bool is_other = context != NULL;
    Str path = http_request_path(request);
    if (is_other && http_request_header(request, "Authorization").p)
        atomic_fetch_add(&peers.n_authorized_at_other, 1);
    if (str_eqz(path, "/away")) {
        redirect(response, peers.other_url, "/echo");
    } else if (str_eqz(path, "/near")) {
        redirect(response, "", "/echo");
    } else if (str_eqz(path, "/round")) {
        redirect(response, peers.one_url, "/round");
    } else if (str_eqz(path, "/drip")) {
        http_response_stream(response, "text/plain", &drip_ops, NULL);
    } else if (str_eqz(path, "/large")) {
        Buf large = BUF_INIT(8 << 20);
        char *room = buf_room(&large, 4 << 20);
        memset(room, 'x', 4 << 20);
        buf_grew(&large, 4 << 20);
        http_response_buf(response, "text/plain", &large);
    } else if (str_eqz(path, "/zeros")) {
        answer_zeros(response);
    } else if (str_eqz(path, "/refuse")) {
        http_response_status(response, 403);
        http_response_bytes(response, "text/plain", STR("no"));
    } else {
        answer_echo(request, response);
    }
}

static int start(void **state)
{
    (void)state;
    HttpServerOptions options = HTTP_SERVER_OPTIONS;
    auto_error Error err = ERROR_INIT;
    options.n_workers = 2;
    options.handler = handle;
    if (http_server_start(&options, &peers.one, &err) < 0)
        return -1;
    options.context = &peers;
    if (http_server_start(&options, &peers.other, &err) < 0)
        return -1;
    (void)snprintf(peers.one_url, sizeof(peers.one_url), "http://127.0.0.1:%d",
                   http_server_port(peers.one));
    (void)snprintf(peers.other_url, sizeof(peers.other_url), "http://127.0.0.1:%d",
                   http_server_port(peers.other));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    http_server_stop(peers.one, 1000);
    http_server_stop(peers.other, 1000);
    return 0;
}

/* Declares client, url, call, reply and err of one test. */
#define CALL(the_method, path)                                                                     \
    auto_http_client HttpClient *client = http_client_new();                                       \
    auto_http_reply HttpReply reply;                                                               \
    auto_error Error err = ERROR_INIT;                                                             \
    char url[128];                                                                                 \
    http_reply_init(&reply, 1 << 20);                                                              \
    (void)snprintf(url, sizeof(url), "%s%s", peers.one_url, path);                                 \
    const HttpHeader headers[] = {{"Authorization", STR("Bearer t")}};                             \
    HttpCall call = {.method = the_method, .url = url, .headers = headers, .n_headers = 1}

static void headers_and_bodies_go_both_ways(void **state)
{
    (void)state;
    CALL("POST", "/echo");
    call.body = STR("hello");
    assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body.data, "POST auth=Bearer t type= body=hello");
    assert_string_equal(reply.content_type.data, "text/plain");
    assert_string_equal(reply.etag.data, "\"e1\"");
    assert_string_equal(reply.next_link.data, "http://h/3");
    assert_string_equal(reply.retry_after.data, "7");
    assert_true(reply.date.len > 0);
}

static void every_method_is_sent_as_it_is_called(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        CALL(methods[i], "/echo");
        assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
        assert_true(str_starts(buf_str(&reply.body), str_of(methods[i])));
    }
}

static void a_body_is_sent_piece_by_piece_from_a_source(void **state)
{
    (void)state;
    CALL("PUT", "/echo");
    auto_buf Buf large = BUF_INIT(1 << 20);
    for (int i = 0; i < 100000; i++)
        buf_printf(&large, "%d,", i);
    auto_source Source *source = source_of_bytes(buf_str(&large), "large");
    call.body_source = source;
    for (int i = 0; i < 2; i++) { /* the second time on the same connection */
        assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
        assert_int_equal(reply.status, 200);
        assert_true(str_starts(buf_str(&reply.body), STR("PUT auth=Bearer t type= body=0,1,2,")));
        assert_true(str_ends(buf_str(&reply.body), STR(",99998,99999,")));
    }
}

static int read_never(Source *source, uint64_t offset, void *data, size_t n, Error *err)
{
    (void)source;
    (void)offset;
    (void)data;
    (void)n;
    return error_set(err, ERR_IO, "the disk is broken");
}

static void a_source_that_cannot_be_read_ends_the_call_with_its_error(void **state)
{
    (void)state;
    CALL("PUT", "/echo");
    auto_source Source *source = source_of_bytes(STR("abc"), "broken");
    source->read_at = read_never;
    call.body_source = source;
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_IO);
}

static void an_upload_follows_no_redirect(void **state)
{
    (void)state;
    CALL("PUT", "/near");
    auto_source Source *source = source_of_bytes(STR("abc"), "small");
    call.body_source = source;
    assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
    assert_int_equal(reply.status, 302);
}

static void head_has_no_body(void **state)
{
    (void)state;
    CALL("HEAD", "/echo");
    assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.len, 0);
}

static void a_redirect_to_the_same_origin_is_followed(void **state)
{
    (void)state;
    CALL("POST", "/near");
    call.body = STR("gone");
    assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body.data, "GET auth=Bearer t type= body=");
}

static void a_redirect_to_another_origin_is_answered_and_not_followed(void **state)
{
    (void)state;
    CALL("GET", "/away");
    assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
    assert_int_equal(reply.status, 302);
    assert_true(str_starts(buf_str(&reply.location), str_of(peers.other_url)));
    assert_int_equal(peers.n_authorized_at_other, 0);
}

static void a_redirect_is_kept_when_asked(void **state)
{
    (void)state;
    CALL("GET", "/near");
    call.keep_redirects = true;
    assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
    assert_int_equal(reply.status, 302);
    assert_string_equal(reply.location.data, "/echo");
}

static void redirects_in_a_circle_end(void **state)
{
    (void)state;
    CALL("GET", "/round");
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
}

static void a_body_over_the_maximum_fails(void **state)
{
    (void)state;
    CALL("GET", "/large");
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    assert_true(reply.body.len <= 1 << 20);
}

static void the_maximum_holds_for_what_was_packed(void **state)
{
    (void)state;
    CALL("GET", "/zeros");
    call.accept_gzip = true;
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    error_reset(&err);
    reply.body.max = 2 << 20;
    assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
    assert_int_equal(reply.body.len, 2 << 20);
    assert_int_equal(reply.body.data[1234567], '0');
}

static int count_bytes(void *context, Str bytes, Error *err)
{
    (void)err;
    *(size_t *)context += bytes.n;
    return 0;
}

static int refuse_bytes(void *context, Str bytes, Error *err)
{
    (void)context;
    (void)bytes;
    return error_set(err, ERR_NO_SPACE, "no room");
}

static void a_sink_gets_what_no_buffer_has_to_hold(void **state)
{
    (void)state;
    CALL("GET", "/large");
    size_t n = 0;
    call.sink = count_bytes;
    call.sink_context = &n;
    assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
    assert_int_equal(n, 4 << 20);
    assert_int_equal(reply.body.len, 0);
}

static void a_sink_that_fails_ends_the_call_with_its_error(void **state)
{
    (void)state;
    CALL("GET", "/large");
    call.sink = refuse_bytes;
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_NO_SPACE);
}

static void the_sink_does_not_get_the_body_of_an_error(void **state)
{
    (void)state;
    CALL("GET", "/refuse");
    call.sink = refuse_bytes;
    assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
    assert_int_equal(reply.status, 403);
    assert_string_equal(reply.body.data, "no");
}

static void a_call_ends_at_its_timeout(void **state)
{
    (void)state;
    CALL("GET", "/drip?token=secret");
    call.timeout_ms = 100;
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_null(strstr(error_text(&err), "secret"));
    assert_non_null(strstr(error_text(&err), "/drip"));
}

static void a_silent_server_ends_the_call_at_the_idle_timeout(void **state)
{
    (void)state;
    CALL("GET", "/drip");
    call.idle_timeout_ms = 50;
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
}

static bool always(void *context)
{
    (void)context;
    return true;
}

static void a_call_can_be_cancelled(void **state)
{
    (void)state;
    CALL("GET", "/drip");
    call.is_cancelled = always;
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_CANCELLED);
}

static void a_header_with_a_line_break_is_not_sent(void **state)
{
    (void)state;
    CALL("GET", "/echo");
    const HttpHeader bad[] = {{"X-A", STR("b\r\nX-C: d")}};
    call.headers = bad;
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void other_protocols_are_refused(void **state)
{
    (void)state;
    CALL("GET", "/echo");
    call.url = "file:///etc/passwd";
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

static void a_closed_port_is_unreachable(void **state)
{
    (void)state;
    CALL("GET", "/echo");
    call.url = "http://user:secret@127.0.0.1:1/x";
    assert_int_equal(http_client_send(client, &call, &reply, &err), -1);
    assert_int_equal(err.kind, ERR_UNREACHABLE);
    assert_null(strstr(error_text(&err), "secret"));
}

/* A peer that takes one connection and answers each request on it, counting. */
typedef struct RawPeer {
    int listen_fd;
    int port;
    int n_connections;
    int n_requests;
    const char *answer;
} RawPeer;

static void *run_raw_peer(void *context)
{
    RawPeer *peer = context;
    for (;;) {
        int fd = accept(peer->listen_fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        peer->n_connections++;
        auto_buf Buf request = BUF_INIT(1 << 20);
        while (peer_read_until(fd, &request, "\r\n\r\n")) {
            peer->n_requests++;
            buf_reset(&request);
            (void)peer_send(fd, str_of(peer->answer));
        }
        (void)close(fd);
    }
}

static pthread_t raw_peer_start(RawPeer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);
    pthread_t thread;
    peer->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listen_fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(peer->listen_fd, 8), 0);
    assert_int_equal(getsockname(peer->listen_fd, (struct sockaddr *)&address, &n), 0);
    peer->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&thread, NULL, run_raw_peer, peer), 0);
    return thread;
}

static void calls_of_one_client_share_a_connection(void **state)
{
    (void)state;
    RawPeer peer = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
    pthread_t thread = raw_peer_start(&peer);
    {
        CALL("GET", "/");
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", peer.port);
        for (int i = 0; i < 5; i++)
            assert_int_equal(http_client_send(client, &call, &reply, &err), 0);
        assert_string_equal(reply.body.data, "ok");
    }
    (void)shutdown(peer.listen_fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    (void)close(peer.listen_fd);
    assert_int_equal(peer.n_connections, 1);
    assert_int_equal(peer.n_requests, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_and_bodies_go_both_ways),
        cmocka_unit_test(every_method_is_sent_as_it_is_called),
        cmocka_unit_test(a_body_is_sent_piece_by_piece_from_a_source),
        cmocka_unit_test(a_source_that_cannot_be_read_ends_the_call_with_its_error),
        cmocka_unit_test(an_upload_follows_no_redirect),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(a_redirect_to_the_same_origin_is_followed),
        cmocka_unit_test(a_redirect_to_another_origin_is_answered_and_not_followed),
        cmocka_unit_test(a_redirect_is_kept_when_asked),
        cmocka_unit_test(redirects_in_a_circle_end),
        cmocka_unit_test(a_body_over_the_maximum_fails),
        cmocka_unit_test(the_maximum_holds_for_what_was_packed),
        cmocka_unit_test(a_sink_gets_what_no_buffer_has_to_hold),
        cmocka_unit_test(a_sink_that_fails_ends_the_call_with_its_error),
        cmocka_unit_test(the_sink_does_not_get_the_body_of_an_error),
        cmocka_unit_test(a_call_ends_at_its_timeout),
        cmocka_unit_test(a_silent_server_ends_the_call_at_the_idle_timeout),
        cmocka_unit_test(a_call_can_be_cancelled),
        cmocka_unit_test(a_header_with_a_line_break_is_not_sent),
        cmocka_unit_test(other_protocols_are_refused),
        cmocka_unit_test(a_closed_port_is_unreachable),
        cmocka_unit_test(calls_of_one_client_share_a_connection),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
