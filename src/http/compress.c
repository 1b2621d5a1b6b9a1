/* Compression of answers with gzip, for clients that take it. */

#include <libdeflate.h>
#include <stdlib.h>

#include "http/server_priv.h"

enum { WORTH_IT = 1024, TOO_LARGE = 64 << 20, LEVEL = 4 };

/* Types that shrink; the others of the web are compressed already. */
static const char *const types[] = {
    "application/json",
    "application/problem+json",
    "application/javascript",
    "image/svg+xml",
    "text/html",
    "text/css",
    "text/javascript",
    "text/plain",
};

/* Whether one element of Accept-Encoding names gzip and does not rule it out with q=0. */
static bool takes_gzip(Str element)
{
    Str rest = element;
    Str name = STR_NONE;
    (void)str_split(&rest, ';', &name);
    if (!str_eq_nocase(str_trim(name), STR("gzip")))
        return false;
    Str weight = rest.p ? str_trim(rest) : STR_NONE;
    double q = 1;
    if (str_starts(weight, STR("q=")))
        return str_to_double(str_slice(weight, 2, weight.n), &q) == 0 && q > 0;
    return true;
}

static bool client_takes_gzip(const HttpRequest *request)
{
    Str rest = http_request_header(request, "Accept-Encoding");
    Str element = STR_NONE;
    while (str_split(&rest, ',', &element))
        if (takes_gzip(element))
            return true;
    return false;
}

static bool is_compressible(const HttpResponse *response)
{
    Str type = str_of(response->content_type);
    ptrdiff_t parameters = str_find(type, ';');
    if (parameters >= 0)
        type = str_trim(str_slice(type, 0, (size_t)parameters));
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eqz(type, types[i]))
            return true;
    return false;
}

void http_response_compress(HttpResponse *response)
{
    size_t n = response->body.len;
    if (response->stream || response->fd >= 0 || n < WORTH_IT || n > TOO_LARGE ||
        response->status == MHD_HTTP_PARTIAL_CONTENT || !is_compressible(response))
        return;
    http_response_header(response, "Vary", STR("Accept-Encoding"));
    if (!client_takes_gzip(response->request))
        return;
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(LEVEL);
    if (!compressor)
        abort(); /* out of memory */
    size_t bound = libdeflate_gzip_compress_bound(compressor, n);
    Buf packed = BUF_INIT(bound);
    size_t n_packed = libdeflate_gzip_compress(compressor, response->body.data, n,
                                               buf_room(&packed, bound), bound);
    libdeflate_free_compressor(compressor);
    if (n_packed == 0 || n_packed >= n) {
        buf_release(&packed);
        return;
    }
    buf_grew(&packed, n_packed);
    buf_release(&response->body);
    response->body = packed;
    http_response_header(response, "Content-Encoding", STR("gzip"));
}
