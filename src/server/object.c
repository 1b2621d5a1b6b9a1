/* From a folder the kernel sends the file; from a bucket the bytes pass through here, in pieces. */

#include "server/object.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/digest.h"
#include "server/server_priv.h"

enum { PIECE_SIZE = 1 << 20, LINK_MAX = 16 << 10 };

/* --- bytes --- */

typedef struct Piecewise {
    Source *source;
    uint64_t at;
    uint64_t end;
} Piecewise;

static HttpStreamStep piecewise_next(void *state, HttpStream *stream, Buf *out, int *wait_ms)
{
    (void)stream;
    (void)wait_ms;
    Piecewise *self = state;
    auto_error Error ignored = ERROR_INIT; /* the client sees that the body breaks off */
    uint64_t left = self->end - self->at;
    size_t n = left < PIECE_SIZE ? (size_t)left : PIECE_SIZE;
    char *room = n > 0 ? buf_room(out, n) : NULL;
    if (n == 0)
        return HTTP_STREAM_END;
    if (!room || source_read_at(self->source, self->at, room, n, &ignored) < 0)
        return HTTP_STREAM_FAIL;
    buf_grew(out, n);
    self->at += n;
    return self->at == self->end ? HTTP_STREAM_END : HTTP_STREAM_MORE;
}

static void piecewise_close(void *state)
{
    Piecewise *self = state;
    source_close(self->source);
    free(self);
}

static const HttpStreamOps piecewise_ops = {piecewise_next, piecewise_close};

int object_send(RouteCtx *ctx, const char *key, uint64_t from, uint64_t n, Error *err)
{
    auto_free char *path = store_local_path(ctx->app->store, key);
    if (path) {
        int fd = fs_open(path, O_RDONLY, 0, err);
        if (fd < 0)
            return -1;
        http_response_file(ctx->response, "application/octet-stream", fd, from, n);
        return 0;
    }
    Source *source = NULL;
    if (store_source(ctx->app->store, key, &source, err) < 0)
        return -1;
    Piecewise *state = mem_alloc(sizeof(*state));
    *state = (Piecewise){.source = source, .at = from, .end = from + n};
    http_response_stream(ctx->response, "application/octet-stream", &piecewise_ops, state);
    return 0;
}

typedef enum Range {
    RANGE_ALL, /* none that has to be heeded (RFC 9110, section 14.2): other units, several,
                  nonsense */
    RANGE_PART,
    RANGE_NONE, /* nothing of it is there */
} Range;

/* Reads "bytes=A-B", "bytes=A-" or "bytes=-N" (RFC 9110, section 14.1.2). */
static Range read_range(Str header, uint64_t size, uint64_t *ret_from, uint64_t *ret_n)
{
    int64_t a = 0;
    int64_t b = 0;
    Str spec = str_starts(header, STR("bytes=")) ? str_slice(header, 6, header.n) : STR_NONE;
    ptrdiff_t dash = str_find(spec, '-');
    if (dash < 0)
        return RANGE_ALL;
    Str first = str_slice(spec, 0, (size_t)dash);
    Str last = str_slice(spec, (size_t)dash + 1, spec.n);
    if (first.n == 0) {
        if (str_to_i64(last, 0, INT64_MAX, &b) < 0)
            return RANGE_ALL;
        *ret_n = (uint64_t)b < size ? (uint64_t)b : size;
        *ret_from = size - *ret_n;
        return *ret_n > 0 ? RANGE_PART : RANGE_NONE;
    }
    if (str_to_i64(first, 0, INT64_MAX, &a) < 0 ||
        (last.n && str_to_i64(last, a, INT64_MAX, &b) < 0))
        return RANGE_ALL;
    if ((uint64_t)a >= size)
        return RANGE_NONE;
    *ret_from = (uint64_t)a;
    *ret_n = last.n && (uint64_t)b < size ? (uint64_t)(b - a) + 1 : size - (uint64_t)a;
    return RANGE_PART;
}

/* Says in the answer what of an object of a size it has. */
static Range answer_range(RouteCtx *ctx, Str etag, uint64_t size, uint64_t *ret_from,
                          uint64_t *ret_n)
{
    Str wanted = http_request_header(ctx->request, "Range");
    Str unless = http_request_header(ctx->request, "If-Range");
    *ret_from = 0;
    *ret_n = size;
    /* A part of what has changed would not go with the part that the client has. */
    if (!wanted.p || (unless.p && !str_eq(unless, etag)))
        return RANGE_ALL;
    Range range = read_range(wanted, size, ret_from, ret_n);
    if (range == RANGE_ALL)
        return range;
    const char *content = range == RANGE_NONE
                              ? arena_printf(ctx->arena, "bytes */%" PRIu64, size)
                              : arena_printf(ctx->arena, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                                             *ret_from, *ret_from + *ret_n - 1, size);
    http_response_status(ctx->response, range == RANGE_NONE ? 416 : 206);
    http_response_header(ctx->response, "Content-Range", str_of(content));
    return range;
}

/* Content-Disposition (RFC 6266). */
void object_add_filename(RouteCtx *ctx, const char *file)
{
    const char *encoded = route_encode(ctx->arena, str_of(file), "");
    bool is_plain = strcmp(encoded, file) == 0;
    http_response_header(
        ctx->response, "Content-Disposition",
        str_of(arena_printf(ctx->arena, "attachment; filename%s%s%s",
                            is_plain ? "=\"" : "*=utf-8''", encoded, is_plain ? "\"" : "")));
}

int object_send_download(RouteCtx *ctx, const char *key, Error *err)
{
    StoreStat stat = {0};
    if (store_stat(ctx->app->store, key, &stat, err) < 0)
        return -1;
    const char *etag = arena_printf(ctx->arena, "\"%s\"", stat.etag);
    http_response_header(ctx->response, "ETag", str_of(etag));
    http_response_header(ctx->response, "Accept-Ranges", STR("bytes"));
    object_add_filename(ctx, strrchr(key, '/') + 1);
    uint64_t from = 0;
    uint64_t n = 0;
    if (answer_range(ctx, str_of(etag), stat.size, &from, &n) == RANGE_NONE)
        return 0;
    return object_send(ctx, key, from, n, err);
}

/* --- links --- */

typedef struct Page {
    const char *address;
    const char *root; /* of the keys */
} Page;

static const Page pages[] = {
    [OBJECT_LOG] = {"download", "evals/"},
    [OBJECT_SCAN_FILE] = {"download-scan", "scans/"},
    [OBJECT_SCAN_ZIP] = {"download-scan-zip", "scans/"},
};

/* HMAC-SHA-256 over "<expires>\n<address>\n<key>", in hex. */
static const char *sign(const RouteCtx *ctx, ObjectPage page, const char *key, int64_t expires)
{
    const char *text =
        arena_printf(ctx->arena, "%" PRId64 "\n%s\n%s", expires, pages[page].address, key);
    unsigned char mac[DIGEST_SIZE];
    auto_buf Buf hex = BUF_INIT(DIGEST_HEX_MAX);
    digest_hmac_sha256(secret_reveal(ctx->app->link_key), str_of(text), mac);
    digest_add_hex(&hex, (Str){(const char *)mac, sizeof(mac)});
    return arena_strndup(ctx->arena, hex.data, hex.len);
}

int object_link(RouteCtx *ctx, ObjectPage page, const char *key, int seconds, const char **ret,
                Error *err)
{
    auto_buf Buf address = BUF_INIT(LINK_MAX);
    const char *root = pages[page].root;
    assert(str_starts(str_of(key), str_of(root)));
    if (page != OBJECT_SCAN_ZIP && store_link(ctx->app->store, key, seconds, &address, err) < 0)
        return -1;
    if (address.len == 0) {
        int64_t expires = clock_now_us() / CLOCK_SECOND + seconds;
        buf_printf(&address, "%s/%s/%s?expires=%" PRId64 "&signature=%s",
                   server_public_url(ctx->app), pages[page].address,
                   route_encode(ctx->arena, str_of(key + strlen(root)), "/"), expires,
                   sign(ctx, page, key, expires));
    }
    if (buf_check(&address, "the address of a file", err) < 0)
        return -1;
    *ret = arena_strndup(ctx->arena, address.data, address.len);
    return 0;
}

int object_check_link(RouteCtx *ctx, ObjectPage page, const char **ret_key, Error *err)
{
    int64_t expires = 0;
    Str signature = http_request_param(ctx->request, "signature", 0);
    if (route_param_int(ctx, "expires", 0, 0, INT64_MAX, &expires, err) < 0)
        return -1;
    const char *key = arena_printf(ctx->arena, "%s%.*s", pages[page].root, STR_ARG(ctx->params[0]));
    if (!signature.p || !digest_equal(str_of(sign(ctx, page, key, expires)), signature))
        return error_set(err, ERR_DENIED, "this link is not one of ours; ask for a new one");
    if (expires < clock_now_us() / CLOCK_SECOND)
        return error_set(err, ERR_DENIED, "this link has expired; ask for a new one");
    *ret_key = key;
    return 0;
}
