/* What is wrong with the head of a request. The library below is lenient where leniency lets two
   parties see two different requests in the same bytes (RFC 9112, sections 2.2, 3.2, 5.1 and 6.3);
   whatever is doubtful is refused here and its connection closed. */

#include <string.h>
#include <unistd.h>

#include "http/server_priv.h"

typedef struct HeaderCount {
    const char *next; /* where the next header has to begin; NULL: not known */
    size_t n_headers;
    size_t n_bytes;
    size_t n_host;
    size_t n_length;
    size_t n_encoding;
    size_t n_expect;
    Str host;
    Str length;
    Str encoding;
    bool is_malformed;
} HeaderCount;

/* RFC 9110, section 9.1, allows any token; those that anybody serves are of these characters, and
   what is glued to the front of a method by a body that ended elsewhere is not. */
static bool is_method(Str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < 'A' || s.p[i] > 'Z') && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return s.n > 0;
}

/* tchar of RFC 9110, section 5.6.2. */
static bool is_token(Str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.n > 0;
}

static bool has_control(Str s, unsigned char lowest)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < lowest && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* Version 0.9.75 joins a folded line to the one before without a space, ends a line at a bare LF
   and cuts a value at a NUL, and tells nobody. It parses in place, though: the end of a line
   becomes two NULs, and the next name begins right behind them. A header that is not where it
   should be has been through one of these. Other versions refuse them by themselves. A tab beside
   a value is white space to some and a part of it to others. */
static bool is_in_place(HeaderCount *count, Str name, Str value)
{
    if (!count->next)
        return true;
    bool is_right = name.p == count->next && value.p[value.n + 1] == '\0';
    const char *gap = name.p + name.n + 1;
    count->next = value.p + value.n + 2;
    return is_right && !str_ends(value, STR("\t")) && !memchr(gap, '\t', (size_t)(value.p - gap));
}

/* The same version passes over empty lines before a request, and takes for empty whatever begins
   with a NUL; RFC 9112, section 2.2, lets a server refuse both. Requests begin where the memory of
   the connection does, which is of whole pages. */
static bool is_first(HttpRequest *request, const char *url)
{
    size_t method_n = request->is_head ? strlen("HEAD") : request->method.n;
    const char *begin = url - 1 - method_n;
    HttpConnection *connection = request->connection;
    if (!connection->memory && (uintptr_t)begin % (uintptr_t)sysconf(_SC_PAGESIZE) == 0)
        connection->memory = begin;
    return begin == connection->memory;
}

static enum MHD_Result count_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                    size_t name_size, const char *text, size_t text_size)
{
    (void)kind;
    HeaderCount *count = cls;
    Str key = {name, name_size};
    Str value = {text ? text : "", text ? text_size : 0};
    count->n_headers++;
    count->n_bytes += name_size + text_size + 4;
    count->is_malformed |=
        !text || !is_token(key) || has_control(value, 0x20) || !is_in_place(count, key, value);
    if (str_eq_nocase(key, STR("Host"))) {
        count->n_host++;
        count->host = value;
    } else if (str_eq_nocase(key, STR("Content-Length"))) {
        count->n_length++;
        count->length = str_trim(value);
    } else if (str_eq_nocase(key, STR("Expect"))) {
        count->n_expect++;
    } else if (str_eq_nocase(key, STR("Transfer-Encoding"))) {
        count->n_encoding++;
        count->encoding = value;
    }
    return MHD_YES;
}

static int refuse(Error *err, int status, const char *why)
{
    error_set(err, ERR_USAGE, "%s", why);
    return status;
}

static int check_line(const HttpRequest *request, const char *version, Error *err)
{
    Str target = buf_str(&request->connection->uri);
    if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0 && strcmp(version, MHD_HTTP_VERSION_1_0) != 0)
        return refuse(err, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    if (!is_method(request->method))
        return refuse(err, 400, "the method is not a word in capitals");
    if (request->connection->uri.overflowed)
        return refuse(err, 414, "the address is too long");
    if (has_control(target, 0x21) || str_find(target, '\t') >= 0)
        return refuse(err, 400, "the address has a space or a control character in it");
    if (!str_starts(request->path, STR("/")) && !str_eqz(request->path, "*"))
        return refuse(err, 400, "the address does not begin with a slash");
    return 0;
}

/* Whether a length is digits and over the limit; not digits is -1. */
static int length_over(Str length, size_t max)
{
    int64_t n = 0;
    if (length.n == 0 || str_find(length, '-') >= 0)
        return -1;
    for (size_t i = 0; i < length.n; i++)
        if (length.p[i] < '0' || length.p[i] > '9')
            return -1;
    return str_to_i64(length, 0, INT64_MAX, &n) < 0 || (uint64_t)n > max;
}

static int check_body(const HttpRequest *request, const HeaderCount *count, bool is_1_0, Error *err)
{
    if (count->n_length > 1)
        return refuse(err, 400, "Content-Length is there more than once");
    if (count->n_encoding > 1)
        return refuse(err, 400, "Transfer-Encoding is there more than once");
    if (count->n_length && count->n_encoding)
        return refuse(err, 400, "Content-Length and Transfer-Encoding are both there");
    if (count->n_encoding && is_1_0)
        return refuse(err, 400, "HTTP/1.0 has no Transfer-Encoding");
    if (count->n_encoding && !str_eq_nocase(count->encoding, STR("chunked")))
        return refuse(err, 501, "the only Transfer-Encoding known here is chunked");
    int over = count->n_length ? length_over(count->length, request->body_max) : 0;
    if (over < 0)
        return refuse(err, 400, "Content-Length is not a number");
    if (over > 0) {
        error_set(err, ERR_BAD_DATA, "the body is over the limit of %zu bytes", request->body_max);
        return 413;
    }
    return 0;
}

/* The same version takes a line with an empty name for the end of the headers, and what follows it
   for the body or for another request. Behind the last header there has to be one empty line. */
static bool is_whole(const HttpRequest *request, const HeaderCount *count, const char *url)
{
    const union MHD_ConnectionInfo *info =
        libmhd.get_connection_info(request->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t method_n = request->is_head ? strlen("HEAD") : request->method.n;
    return info && url - 1 - method_n + info->header_size == count->next + 2;
}

int http_request_check(HttpRequest *request, const char *url, const char *version,
                       bool *ret_has_body, Error *err)
{
    HeaderCount count = {0};
    if (strcmp(libmhd.get_version(), "0.9.75") == 0) {
        count.next = version + strlen(version) + 2;
        count.is_malformed =
            url + request->connection->uri.len + 1 != version || !is_first(request, url);
    }
    (void)libmhd.get_connection_values_n(request->mhd, MHD_HEADER_KIND, count_header, &count);
    if (count.next && !count.is_malformed)
        count.is_malformed = !is_whole(request, &count, url);
    *ret_has_body = count.n_length > 0 || count.n_encoding > 0;
    request->must_close = count.n_encoding > 0; /* where chunks end is read leniently, too */
    int status = check_line(request, version, err);
    if (status)
        return status;
    bool is_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    if (count.n_headers > HTTP_HEADERS_MAX || count.n_bytes > HTTP_HEADER_BYTES_MAX)
        return refuse(err, 431, "the headers are over the limit of 100 lines and 32 KiB");
    if (count.is_malformed)
        return refuse(err, 400, "the request line or a header is malformed");
    if (count.n_host > 1)
        return refuse(err, 400, "Host is there more than once");
    if (count.n_expect > 1)
        return refuse(err, 400, "Expect is there more than once");
    if ((count.n_host == 0 || str_trim(count.host).n == 0) && !is_1_0)
        return refuse(err, 400, "Host is missing");
    const HttpServerOptions *options = &request->server->options;
    request->body_max = options->body_max;
    if (options->admit && options->admit(options->context, request, &request->body_max, err) < 0)
        return error_kind_http(err->kind);
    return check_body(request, &count, is_1_0, err);
}
