/* The request as handlers see it: line, headers, cookies, query. The body is in body.c, the checks
   in framing.c. */

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/query.h"
#include "http/server_priv.h"

/* Splits the target into path and query; the absolute form loses scheme and authority. */
static void split_target(HttpRequest *request, Str target)
{
    ptrdiff_t scheme = str_find_str(target, STR("://"));
    if (!str_starts(target, STR("/")) && scheme > 0) {
        Str rest = str_slice(target, (size_t)scheme + 3, target.n);
        ptrdiff_t slash = str_find(rest, '/');
        target = slash < 0 ? STR("/") : str_slice(rest, (size_t)slash, rest.n);
    }
    ptrdiff_t mark = str_find(target, '?');
    request->path = mark < 0 ? target : str_slice(target, 0, (size_t)mark);
    request->query = mark < 0 ? STR_NONE : str_slice(target, (size_t)mark + 1, target.n);
}

HttpRequest *http_request_new(HttpConnection *connection, struct MHD_Connection *mhd,
                              const char *method)
{
    HttpRequest *request = mem_alloc(sizeof(*request));
    request->connection = connection;
    request->server = connection->server;
    request->mhd = mhd;
    request->method = str_of(method);
    request->is_head = str_eqz(request->method, "HEAD");
    if (request->is_head)
        request->method = STR("GET");
    split_target(request, buf_str(&connection->uri));
    request->body = BUF_INIT(HTTP_BODY_IN_MEMORY + HTTP_HEADER_BYTES_MAX * 4);
    request->body_max = request->server->options.body_max;
    request->spool_fd = -1;
    request->memory_fd = -1;
    http_response_init(&request->response, request);
    return request;
}

void http_request_free(HttpRequest *request)
{
    if (!request)
        return;
    if (request->done)
        request->done(request->done_context);
    if (request->built)
        libmhd.destroy_response(request->built);
    http_response_release(&request->response);
    buf_release(&request->body);
    if (request->spool_fd >= 0)
        (void)close(request->spool_fd);
    if (request->memory_fd >= 0)
        (void)close(request->memory_fd);
    error_release(&request->failure);
    arena_free(request->arena);
    free(request);
}

Str http_request_method(const HttpRequest *request)
{
    return request->method;
}

bool http_request_is_head(const HttpRequest *request)
{
    return request->is_head;
}

Str http_request_path(const HttpRequest *request)
{
    return request->path;
}

Str http_request_query(const HttpRequest *request)
{
    return request->query;
}

Str http_request_header(const HttpRequest *request, const char *name)
{
    const char *value = NULL;
    size_t n = 0;
    if (libmhd.lookup_connection_value_n(request->mhd, MHD_HEADER_KIND, name, strlen(name), &value,
                                         &n) == MHD_NO ||
        !value)
        return STR_NONE;
    return str_trim((Str){value, n});
}

Str http_request_cookie(const HttpRequest *request, const char *name)
{
    return query_cookie(http_request_header(request, "Cookie"), str_of(name));
}

Str http_request_peer(const HttpRequest *request)
{
    return str_of(request->connection->peer);
}

Arena *http_request_arena(HttpRequest *request)
{
    if (!request->arena)
        request->arena = arena_new();
    return request->arena;
}

bool http_request_is_abandoned(const HttpRequest *request)
{
    struct pollfd peer = {.fd = request->connection->fd, .events = POLLRDHUP};
    return poll(&peer, 1, 0) > 0;
}

Str http_request_param(HttpRequest *request, const char *name, size_t n)
{
    return query_param(http_request_arena(request), request->query, str_of(name), n);
}
