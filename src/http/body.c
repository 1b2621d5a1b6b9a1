/* The body of a request: up to 64 KiB in memory, above that in an unlinked file. The file is
   written by workers, a piece at a time, while the connection is suspended. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "http/server_priv.h"

void http_request_take(HttpRequest *request, const char *data, size_t n)
{
    request->body_size += n;
    buf_add(&request->body, data, n);
}

bool http_request_is_full(const HttpRequest *request)
{
    return request->body.len > HTTP_BODY_IN_MEMORY;
}

void http_request_spool(HttpRequest *request)
{
    Error *err = &request->failure;
    if (request->spool_fd < 0)
        request->spool_fd = fs_open_unlinked(request->server->options.spool_dir, err);
    if (request->spool_fd < 0)
        return;
    if (fs_write_all(request->spool_fd, request->body.data, request->body.len, err) < 0)
        error_wrap(err, "cannot keep the body of the request");
    buf_reset(&request->body);
}

uint64_t http_request_body_size(const HttpRequest *request)
{
    return request->body_size;
}

int http_request_body(HttpRequest *request, size_t max, Str *ret, Error *err)
{
    if (request->body_size > max)
        return error_set(err, ERR_BAD_DATA, "the body is over the limit of %zu bytes", max);
    if (request->spool_fd < 0) {
        *ret = buf_str(&request->body);
        return 0;
    }
    size_t n = (size_t)request->body_size;
    char *bytes = arena_alloc(http_request_arena(request), n + 1);
    if (fs_read_at(request->spool_fd, 0, bytes, n, err) < 0)
        return -1;
    *ret = (Str){bytes, n};
    return 0;
}

int http_request_body_fd(HttpRequest *request, Error *err)
{
    if (request->spool_fd < 0 && request->memory_fd < 0) {
        auto_fd int fd = memfd_create("body", MFD_CLOEXEC);
        if (fd < 0)
            return error_errno(err, errno, "cannot make a memory file");
        if (fs_write_all(fd, request->body.data, request->body.len, err) < 0)
            return -1;
        request->memory_fd = TAKE_FD(fd);
    }
    int fd = request->spool_fd >= 0 ? request->spool_fd : request->memory_fd;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return error_errno(err, errno, "cannot rewind the body");
    return fd;
}
