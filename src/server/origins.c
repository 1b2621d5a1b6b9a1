/* One expression for origins, and a table of what pages of other origins may do where. */

#include "server/origins.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/regex.h"
#include "server/server_priv.h"

enum { ORIGIN_MAX = 300, PATTERN_MAX = 4096, MATCH_MAX_MS = 50 };

#define LOCALHOST "https?://localhost(:[0-9]+)?"
#define HEADERS                                                                                    \
    "Accept, Accept-Language, Authorization, Cache-Control, Content-Language, Content-Type, "      \
    "Date, "                                                                                       \
    "ETag, Expires, If-Modified-Since, If-None-Match, Last-Modified, Pragma, Range, "              \
    "X-Inspect-View-Request, X-Requested-With"

struct Origins {
    Regex *regex;         /* NULL: none but this server's own */
    pthread_mutex_t lock; /* of regex, which works for one thread at a time */
};

typedef struct CorsRow {
    const char *prefix;
    const char *methods;
} CorsRow;

/* clang-format off */
static const CorsRow rows[] = {
    { "/auth/",       "GET, POST" },
    { "/code_rules/", "GET, POST, PUT, DELETE" },
    { "/eval_sets/",  "GET, POST, DELETE" },
    { "/meta/",       "GET, POST" },
    { "/monitoring/", "GET, POST" },
    { "/usage/",      "GET, POST" },
    { "/view/",       "GET, POST" },
};
/* clang-format on */

/* The viewer's address as an expression for itself: what is behind the authority is no part of an
   origin. */
static void add_literal(Buf *pattern, Str url)
{
    ptrdiff_t scheme = str_find_str(url, STR("://"));
    size_t start = scheme < 0 ? 0 : (size_t)scheme + 3;
    ptrdiff_t end = str_find(str_slice(url, start, url.n), '/');
    Str origin = end < 0 ? url : str_slice(url, 0, start + (size_t)end);
    buf_addz(pattern, "\\Q");
    buf_add_str(pattern, origin);
    buf_addz(pattern, "\\E");
}

int origins_new(const char *pattern, const char *viewer_url, bool is_shared, Origins **ret,
                Error *err)
{
    auto_buf Buf text = BUF_INIT(PATTERN_MAX);
    auto_regex Regex *regex = NULL;
    if (pattern) {
        buf_addz(&text, pattern);
    } else if (viewer_url) {
        buf_addz(&text, is_shared ? LOCALHOST "|" : "");
        add_literal(&text, str_of(viewer_url));
    } else if (is_shared) {
        buf_addz(&text, LOCALHOST);
    }
    if (buf_check(&text, "the expression for origins", err) < 0)
        return -1;
    if (text.len > 0 && regex_compile(buf_str(&text), REGEX_WHOLE, &regex, err) < 0)
        return error_wrap(err, "HAWK_API_CORS_ALLOWED_ORIGIN_REGEX");
    Origins *origins = mem_alloc(sizeof(*origins));
    origins->regex = TAKE(regex);
    if (pthread_mutex_init(&origins->lock, NULL) != 0)
        abort();
    *ret = origins;
    return 0;
}

void origins_free(Origins *origins)
{
    if (!origins)
        return;
    regex_free(origins->regex);
    (void)pthread_mutex_destroy(&origins->lock);
    free(origins);
}

static bool is_listed(Origins *origins, Str origin)
{
    auto_error Error ignored = ERROR_INIT;
    RegexPlace place;
    if (!origins->regex || origin.n == 0 || origin.n > ORIGIN_MAX)
        return false;
    (void)pthread_mutex_lock(&origins->lock);
    int found = regex_find(origins->regex, origin, 0, false, clock_monotonic_ms() + MATCH_MAX_MS,
                           &place, &ignored);
    (void)pthread_mutex_unlock(&origins->lock);
    return found == 1;
}

/* Scheme and authority of an Origin or a Referer; STR_NONE when it has none. */
static Str origin_of(Str given, Str *ret_authority)
{
    Str rest = given;
    if (!str_starts(given, STR("http://")) && !str_starts(given, STR("https://")))
        return STR_NONE;
    size_t start = (size_t)str_find_str(given, STR("//")) + 2;
    rest = str_slice(given, start, given.n);
    (void)str_split(&rest, '/', ret_authority);
    return str_slice(given, 0, start + ret_authority->n);
}

bool origins_allow(const RouteCtx *ctx)
{
    Str host = http_request_header(ctx->request, "Host");
    Str given = http_request_header(ctx->request, "Origin");
    Str authority = STR_NONE;
    if (!given.p)
        given = http_request_header(ctx->request, "Referer");
    Str origin = origin_of(given, &authority);
    if (!origin.p)
        return false;
    return (host.p && str_eq_nocase(authority, host)) || is_listed(ctx->app->origins, origin);
}

static const CorsRow *find_row(Str path)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Str prefix = str_of(rows[i].prefix);
        Str bare = str_slice(prefix, 0, prefix.n - 1);
        if (str_starts(path, prefix) || str_eq(path, bare))
            return &rows[i];
    }
    return NULL;
}

static bool has_method(const CorsRow *row, Str method)
{
    Str rest = str_of(row->methods);
    Str name = STR_NONE;
    while (str_split(&rest, ',', &name))
        if (str_eq(str_trim(name), method))
            return true;
    return false;
}

bool origins_answer(RouteCtx *ctx)
{
    HttpResponse *response = ctx->response;
    Str origin = http_request_header(ctx->request, "Origin");
    Str wanted = http_request_header(ctx->request, "Access-Control-Request-Method");
    bool is_question = str_eqz(http_request_method(ctx->request), "OPTIONS") && wanted.p;
    const CorsRow *row = origin.p ? find_row(http_request_path(ctx->request)) : NULL;
    if (!row)
        return false;
    http_response_header(response, "Vary", STR("Origin"));
    bool may = is_listed(ctx->app->origins, origin);
    if (may) {
        http_response_header(response, "Access-Control-Allow-Origin", origin);
        http_response_header(response, "Access-Control-Allow-Credentials", STR("true"));
    }
    if (!is_question) {
        if (may)
            http_response_header(response, "Access-Control-Expose-Headers",
                                 STR("Retry-After, X-Input-Type"));
        return false;
    }
    http_response_header(response, "Access-Control-Allow-Methods", str_of(row->methods));
    http_response_header(response, "Access-Control-Allow-Headers", STR(HEADERS));
    http_response_header(response, "Access-Control-Max-Age", STR("600"));
    may = may && has_method(row, wanted);
    http_response_status(response, may ? 200 : 400);
    http_response_bytes(response, "text/plain; charset=utf-8",
                        may ? STR("OK") : STR("this origin may not ask this"));
    return true;
}
