/* The client over libcurl. One easy handle per client, which keeps its connections. Redirects are
   followed here and not by the library, because it would send the caller's headers along. */

#include "http/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "http/curl_priv.h"
#include "http/loopback.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    IDLE_TIMEOUT_MS = 60000,
    REDIRECTS_MAX = 5,
    UPLOAD_PIECE = 256 * 1024,
    FIELD_MAX = 16 * 1024
};

struct HttpClient {
    const Curl *curl; /* NULL until the first call */
    CURL *easy;
};

/* One attempt: a call may take several when it is redirected. */
typedef struct Attempt {
    const Curl *curl;
    CURL *easy;
    const HttpCall *call;
    HttpReply *reply;
    const char *method;
    Str body;
    uint64_t n_read; /* of the source */
    curl_off_t n_moved;
    int64_t moved_ms;
    Error failure; /* of the sink, a limit or a deadline */
} Attempt;

typedef struct CodeRow {
    CURLcode code;
    ErrorKind kind;
} CodeRow;

/* clang-format off */
/* Any other is ERR_UNREACHABLE. */
static const CodeRow codes[] = {
    { CURLE_OPERATION_TIMEDOUT,      ERR_TIMEOUT },
    { CURLE_URL_MALFORMAT,           ERR_USAGE },
    { CURLE_UNSUPPORTED_PROTOCOL,    ERR_USAGE },
    { CURLE_WEIRD_SERVER_REPLY,      ERR_BAD_DATA },
    { CURLE_PEER_FAILED_VERIFICATION, ERR_BAD_DATA },
    { CURLE_SSL_CACERT_BADFILE,      ERR_USAGE },
    { CURLE_BAD_CONTENT_ENCODING,    ERR_BAD_DATA },
};
/* clang-format on */

typedef struct FieldRow {
    const char *name;
    size_t offset;
} FieldRow;

static const FieldRow fields[] = {
    {"content-type", offsetof(HttpReply, content_type)},
    {"etag", offsetof(HttpReply, etag)},
    {"location", offsetof(HttpReply, location)},
    {"retry-after", offsetof(HttpReply, retry_after)},
    {"date", offsetof(HttpReply, date)},
};

void http_reply_init(HttpReply *reply, size_t body_max)
{
    *reply = (HttpReply){.body = BUF_INIT(body_max), .next_link = BUF_INIT(FIELD_MAX)};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        *(Buf *)((char *)reply + fields[i].offset) = BUF_INIT(FIELD_MAX);
}

void http_reply_release(HttpReply *reply)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        buf_release((Buf *)((char *)reply + fields[i].offset));
    buf_release(&reply->next_link);
    buf_release(&reply->body);
}

/* Empties the answer for a new one. */
static void reply_reset(HttpReply *reply)
{
    reply->status = 0;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        buf_reset((Buf *)((char *)reply + fields[i].offset));
    buf_reset(&reply->next_link);
    buf_reset(&reply->body);
}

/* Takes the target of rel="next" out of a Link header (RFC 8288, section 3). */
static void read_link(Buf *ret, Str value)
{
    Str rest = value;
    while (ret->len == 0) {
        ptrdiff_t open = str_find(rest, '<');
        ptrdiff_t close = str_find(rest, '>');
        if (open < 0 || close < open)
            return;
        Str target = str_slice(rest, (size_t)open + 1, (size_t)close);
        rest = str_slice(rest, (size_t)close + 1, rest.n);
        ptrdiff_t following = str_find(rest, '<');
        Str parameters = following < 0 ? rest : str_slice(rest, 0, (size_t)following);
        if (str_find_str(parameters, STR("rel=\"next\"")) >= 0 ||
            str_find_str(parameters, STR("rel=next")) >= 0)
            buf_add_str(ret, target);
    }
}

static size_t on_header(char *data, size_t size, size_t n, void *context)
{
    (void)size;
    Attempt *attempt = context;
    Str line = str_trim((Str){data, n});
    ptrdiff_t colon = str_find(line, ':');
    if (str_starts(line, STR("HTTP/")))
        reply_reset(attempt->reply);
    if (colon <= 0)
        return n;
    Str name = str_slice(line, 0, (size_t)colon);
    Str value = str_trim(str_slice(line, (size_t)colon + 1, line.n));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!str_eq_nocase(name, str_of(fields[i].name)))
            continue;
        Buf *field = (Buf *)((char *)attempt->reply + fields[i].offset);
        buf_reset(field);
        buf_add_str(field, value);
    }
    if (str_eq_nocase(name, STR("link")))
        read_link(&attempt->reply->next_link, value);
    if (attempt->call->field)
        attempt->call->field(attempt->call->field_context, name, value);
    return n;
}

static int status_of(const Attempt *attempt)
{
    long status = 0;
    (void)attempt->curl->easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
    (void)size;
    Attempt *attempt = context;
    int status = status_of(attempt);
    if (attempt->call->sink && status >= 200 && status < 300)
        return attempt->call->sink(attempt->call->sink_context, (Str){data, n}, &attempt->failure) <
                       0
                   ? 0
                   : n;
    buf_add(&attempt->reply->body, data, n);
    return buf_check(&attempt->reply->body, "the answer", &attempt->failure) < 0 ? 0 : n;
}

/* The next bytes of a body that is read piece by piece. */
static size_t on_read(char *data, size_t size, size_t n, void *context)
{
    Attempt *attempt = context;
    Source *source = attempt->call->body_source;
    uint64_t left = source->size - attempt->n_read;
    size_t n_piece = size * n < left ? size * n : (size_t)left;
    if (source_read_at(source, attempt->n_read, data, n_piece, &attempt->failure) < 0)
        return CURL_READFUNC_ABORT;
    attempt->n_read += n_piece;
    return n_piece;
}

/* The library begins anew when a kept connection turns out to be closed. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    Attempt *attempt = context;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > attempt->call->body_source->size)
        return CURL_SEEKFUNC_FAIL;
    attempt->n_read = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* Called about once a second and after each piece; anything but 0 ends the call. */
static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    (void)down_total;
    (void)up_total;
    Attempt *attempt = context;
    const HttpCall *call = attempt->call;
    int idle_ms = call->idle_timeout_ms ? call->idle_timeout_ms : IDLE_TIMEOUT_MS;
    int64_t now_ms = clock_monotonic_ms();
    if (down + up != attempt->n_moved) {
        attempt->n_moved = down + up;
        attempt->moved_ms = now_ms;
    }
    if (call->is_cancelled && call->is_cancelled(call->cancel_context))
        return error_set(&attempt->failure, ERR_CANCELLED, "cancelled");
    if (now_ms - attempt->moved_ms > idle_ms)
        return error_set(&attempt->failure, ERR_TIMEOUT, "nothing came for %d ms", idle_ms);
    return 0;
}

/* The URL for messages: without user, password and query, where secrets are. */
static char *url_shown(const char *url)
{
    Str shown = str_of(url);
    ptrdiff_t query = str_find(shown, '?');
    if (query >= 0)
        shown = str_slice(shown, 0, (size_t)query);
    ptrdiff_t scheme = str_find_str(shown, STR("://"));
    size_t host = scheme < 0 ? 0 : (size_t)scheme + 3;
    Str rest = str_slice(shown, host, shown.n);
    ptrdiff_t slash = str_find(rest, '/');
    ptrdiff_t at = str_rfind(slash < 0 ? rest : str_slice(rest, 0, (size_t)slash), '@');
    if (at >= 0)
        rest = str_slice(rest, (size_t)at + 1, rest.n);
    return mem_printf("%.*s%.*s", (int)host, shown.p, STR_ARG(rest));
}

static bool has_header(const HttpCall *call, const char *name)
{
    for (size_t i = 0; i < call->n_headers; i++)
        if (str_eq_nocase(str_of(call->headers[i].name), str_of(name)))
            return true;
    return false;
}

/* The headers as the library wants them; NULL with an error when one could begin another. */
static struct curl_slist *make_headers(const Attempt *attempt, Error *err)
{
    const Curl *curl = attempt->curl;
    const HttpCall *call = attempt->call;
    struct curl_slist *list = curl->slist_append(NULL, "Expect:");
    if (!has_header(call, "Content-Type"))
        list = curl->slist_append(list, "Content-Type:");
    for (size_t i = 0; i < call->n_headers; i++) {
        const HttpHeader *header = &call->headers[i];
        for (size_t k = 0; k < header->value.n; k++) {
            unsigned char c = (unsigned char)header->value.p[k];
            if ((c >= 0x20 && c != 0x7f) || c == '\t')
                continue;
            curl->slist_free_all(list);
            error_set(err, ERR_USAGE, "the header %s has a control character", header->name);
            return NULL;
        }
        /* A name with ';' behind it is how the library is told of an empty value. */
        auto_free char *line = header->value.n
                                   ? mem_printf("%s: %.*s", header->name, STR_ARG(header->value))
                                   : mem_printf("%s;", header->name);
        list = curl->slist_append(list, line);
        mem_wipe(line, strlen(line));
    }
    return list;
}

static void set_source(Attempt *attempt)
{
    const Curl *curl = attempt->curl;
    CURL *easy = attempt->easy;
    attempt->n_read = 0;
    curl->easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl->easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)attempt->call->body_source->size);
    curl->easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl->easy_setopt(easy, CURLOPT_READDATA, attempt);
    curl->easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl->easy_setopt(easy, CURLOPT_SEEKDATA, attempt);
    curl->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_PIECE);
    curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, attempt->method);
}

static void set_method(Attempt *attempt)
{
    const Curl *curl = attempt->curl;
    CURL *easy = attempt->easy;
    bool has_body = attempt->body.p != NULL;
    if (attempt->call->body_source) {
        set_source(attempt);
        return;
    }
    if (strcmp(attempt->method, "HEAD") == 0) {
        curl->easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (!has_body && strcmp(attempt->method, "GET") == 0) {
        curl->easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    if (has_body || strcmp(attempt->method, "POST") == 0 || strcmp(attempt->method, "PUT") == 0) {
        curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)attempt->body.n);
        curl->easy_setopt(easy, CURLOPT_POSTFIELDS, has_body ? attempt->body.p : "");
    }
    curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, attempt->method);
}

static void set_options(Attempt *attempt, const char *url, int timeout_ms)
{
    const Curl *curl = attempt->curl;
    CURL *easy = attempt->easy;
    const char *authorities = getenv("SSL_CERT_FILE");
    curl->easy_reset(easy);
    curl->easy_setopt(easy, CURLOPT_URL, url);
    curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl->easy_setopt(easy, CURLOPT_USERAGENT, "hawk/" HAWK_VERSION);
    curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl->easy_setopt(easy, CURLOPT_HEADERDATA, attempt);
    curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_setopt(easy, CURLOPT_WRITEDATA, attempt);
    curl->easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl->easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl->easy_setopt(easy, CURLOPT_XFERINFODATA, attempt);
    if (authorities && authorities[0])
        curl->easy_setopt(easy, CURLOPT_CAINFO, authorities);
    /* No proxy of the environment can reach this machine. */
    if (loopback_is_url(str_of(url)))
        curl->easy_setopt(easy, CURLOPT_PROXY, "");
    if (attempt->call->accept_gzip)
        curl->easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    set_method(attempt);
}

static int explain(Attempt *attempt, CURLcode code, const char *url, Error *err)
{
    auto_free char *shown = url_shown(url);
    if (attempt->failure.kind != ERR_NONE) {
        (void)error_move(err, &attempt->failure);
        return error_wrap(err, "%s", shown);
    }
    ErrorKind kind = ERR_UNREACHABLE;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].code == code)
            kind = codes[i].kind;
    if (code == CURLE_SSL_CACERT_BADFILE)
        return error_set(err, kind, "SSL_CERT_FILE is no file of certificates");
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        (void)error_set(err, kind,
                        "%s: its certificate is not trusted here, or is for another name", shown);
        return error_fix(err, "when a CA of your own made it, set SSL_CERT_FILE to that CA's "
                              "certificate");
    }
    return error_set(err, kind, "%s: %s", shown, attempt->curl->easy_strerror(code));
}

static int perform(Attempt *attempt, const char *url, int timeout_ms, Error *err)
{
    struct curl_slist *headers = make_headers(attempt, err);
    if (!headers)
        return -1;
    attempt->n_moved = 0;
    attempt->moved_ms = clock_monotonic_ms();
    reply_reset(attempt->reply);
    set_options(attempt, url, timeout_ms);
    attempt->curl->easy_setopt(attempt->easy, CURLOPT_HTTPHEADER, headers);
    CURLcode code = attempt->curl->easy_perform(attempt->easy);
    attempt->curl->slist_free_all(headers);
    if (code != CURLE_OK)
        return explain(attempt, code, url, err);
    attempt->reply->status = status_of(attempt);
    return 0;
}

/* A part of a URL with defaults filled in; "" when there is none. The caller frees. */
static char *url_part(const Curl *curl, const char *url, CURLUPart part)
{
    CURLU *parsed = curl->url();
    char *text = NULL;
    if (parsed && curl->url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
        (void)curl->url_get(parsed, part, &text, CURLU_DEFAULT_PORT);
    char *copy = mem_strdup(text ? text : "");
    if (text)
        curl->free(text);
    curl->url_cleanup(parsed);
    return copy;
}

static bool same_origin(const Curl *curl, const char *a, const char *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        auto_free char *of_a = url_part(curl, a, parts[i]);
        auto_free char *of_b = url_part(curl, b, parts[i]);
        if (of_a[0] == '\0' || !str_eq_nocase(str_of(of_a), str_of(of_b)))
            return false;
    }
    return true;
}

/* Where to go next; NULL when the answer is final. */
static char *redirect_of(const Attempt *attempt, const char *url)
{
    char *target = NULL;
    int status = attempt->reply->status;
    bool is_redirect =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!is_redirect || attempt->call->keep_redirects || attempt->call->body_source)
        return NULL;
    (void)attempt->curl->easy_getinfo(attempt->easy, CURLINFO_REDIRECT_URL, &target);
    return target && same_origin(attempt->curl, url, target) ? mem_strdup(target) : NULL;
}

/* What is left of the time for the call: at least 1, and 0 for no limit. */
static int time_left(const HttpCall *call, int64_t began_ms)
{
    int64_t left = call->timeout_ms - (clock_monotonic_ms() - began_ms);
    if (call->timeout_ms == 0)
        return 0;
    return left < 1 ? 1 : (int)left;
}

HttpClient *http_client_new(void)
{
    return mem_alloc(sizeof(HttpClient));
}

void http_client_free(HttpClient *client)
{
    if (!client)
        return;
    if (client->easy)
        client->curl->easy_cleanup(client->easy);
    free(client);
}

static int client_open(HttpClient *client, Error *err)
{
    if (client->easy)
        return 0;
    client->curl = curl_load(err);
    if (!client->curl)
        return -1;
    client->easy = client->curl->easy_init();
    if (!client->easy)
        abort(); /* out of memory */
    return 0;
}

int http_client_send(HttpClient *client, const HttpCall *call, HttpReply *reply, Error *err)
{
    if (client_open(client, err) < 0)
        return -1;
    Attempt attempt = {.curl = client->curl,
                       .easy = client->easy,
                       .call = call,
                       .reply = reply,
                       .method = call->method,
                       .body = call->body};
    auto_free char *url = mem_strdup(call->url);
    int64_t began_ms = clock_monotonic_ms();
    for (int n = 0; n <= REDIRECTS_MAX; n++) {
        if (perform(&attempt, url, time_left(call, began_ms), err) < 0)
            return -1;
        char *target = redirect_of(&attempt, url);
        if (!target)
            return 0;
        free(url);
        url = target;
        if (reply->status == 303 || (reply->status < 303 && strcmp(attempt.method, "POST") == 0)) {
            attempt.method = strcmp(attempt.method, "HEAD") == 0 ? "HEAD" : "GET";
            attempt.body = STR_NONE;
        }
    }
    auto_free char *shown = url_shown(url);
    return error_set(err, ERR_BAD_DATA, "%s: more than %d redirects", shown, REDIRECTS_MAX);
}
