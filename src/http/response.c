/* The answer: what a handler sets, and the library's response that is made of it. */

#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/server_priv.h"

enum { BLOCK = 64 * 1024, HEADERS_MAX = 32 * 1024 };

void http_response_init(HttpResponse *response, HttpRequest *request)
{
    *response = (HttpResponse){
        .request = request,
        .status = MHD_HTTP_OK,
        .headers = BUF_INIT(HEADERS_MAX),
        .body = BUF_INIT(SIZE_MAX / 2),
        .fd = -1,
    };
}

/* Drops the body there is. */
static void drop_body(HttpResponse *response)
{
    if (response->stream) {
        http_stream_abandon(response->stream);
        http_stream_unref(TAKE(response->stream));
    }
    if (response->fd >= 0)
        (void)close(TAKE_FD(response->fd));
    buf_reset(&response->body);
    response->content_type = NULL;
}

void http_response_reset(HttpResponse *response)
{
    drop_body(response);
    buf_reset(&response->headers);
    response->status = MHD_HTTP_OK;
    response->pace = 0;
}

void http_response_release(HttpResponse *response)
{
    drop_body(response);
    buf_release(&response->headers);
    buf_release(&response->body);
}

void http_response_status(HttpResponse *response, int status)
{
    response->status = status;
}

int http_response_get_status(const HttpResponse *response)
{
    return response->status;
}

void http_response_header(HttpResponse *response, const char *name, Str value)
{
    buf_addz(&response->headers, name);
    buf_addc(&response->headers, '\0');
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if (c >= 0x20 && c != 0x7f)
            buf_addc(&response->headers, value.p[i]);
    }
    buf_addc(&response->headers, '\0');
}

/* content_type lives as long as the request. */
static void set_type(HttpResponse *response, const char *content_type)
{
    response->content_type =
        content_type ? arena_strdup(http_request_arena(response->request), content_type) : NULL;
}

void http_response_retype(HttpResponse *response, const char *content_type)
{
    set_type(response, content_type);
}

void http_response_bytes(HttpResponse *response, const char *content_type, Str bytes)
{
    drop_body(response);
    set_type(response, content_type);
    buf_add_str(&response->body, bytes);
}

void http_response_buf(HttpResponse *response, const char *content_type, Buf *take_body)
{
    drop_body(response);
    set_type(response, content_type);
    Buf empty = response->body;
    buf_release(&empty);
    response->body = *take_body;
    *take_body = BUF_INIT(take_body->max);
}

void http_response_file(HttpResponse *response, const char *content_type, int take_fd,
                        uint64_t offset, uint64_t n)
{
    drop_body(response);
    set_type(response, content_type);
    response->fd = take_fd;
    response->offset = offset;
    response->n = n;
}

void http_response_stream(HttpResponse *response, const char *content_type,
                          const HttpStreamOps *ops, void *take_state)
{
    drop_body(response);
    set_type(response, content_type);
    response->stream = http_stream_new(response->request, ops, take_state);
}

void http_response_pace(HttpResponse *response, int64_t bytes_per_second)
{
    response->pace = bytes_per_second;
}

bool http_response_is_stream(const HttpResponse *response)
{
    return response->stream != NULL;
}

void http_response_when_done(HttpResponse *response, void (*done)(void *context), void *context)
{
    response->request->done = done;
    response->request->done_context = context;
}

static struct MHD_Response *build_body(HttpResponse *response)
{
    if (response->stream)
        return libmhd.create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, http_stream_read,
                                                    response->stream, NULL);
    if (response->fd >= 0 && response->n > 0)
        return libmhd.create_response_from_fd_at_offset64(response->n, TAKE_FD(response->fd),
                                                          response->offset);
    return libmhd.create_response_from_buffer(response->body.len, response->body.data,
                                              MHD_RESPMEM_PERSISTENT);
}

struct MHD_Response *http_response_build(HttpResponse *response)
{
    struct MHD_Response *built = build_body(response);
    if (!built)
        abort(); /* out of memory */
    if (response->content_type)
        (void)libmhd.add_response_header(built, "Content-Type", response->content_type);
    const char *p = response->headers.data;
    const char *end = p + response->headers.len;
    while (p < end && !response->headers.overflowed) {
        const char *name = p;
        const char *value = name + strlen(name) + 1;
        p = value + strlen(value) + 1;
        (void)libmhd.add_response_header(built, name, value);
    }
    if (response->request->must_close || atomic_load(&response->request->server->is_draining))
        (void)libmhd.add_response_header(built, "Connection", "close");
    return built;
}
