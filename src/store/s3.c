/* The environment is read once, when the bucket is opened. Credentials go into the signature and
   one header and nowhere else: no error says more than the object's address, the status and S3's
   word for what is wrong. */

#include <ctype.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/secret.h"
#include "codec/digest.h"
#include "codec/xml.h"
#include "http/client.h"
#include "store/s3_priv.h"

enum {
    CLIENTS_MAX = 8, /* idle ones that are kept */
    ATTEMPTS = 4,
    ATTEMPTS_MAX = 10,
    FIRST_PAUSE_MS = 100,
    PAUSE_MAX_MS = 4000,
    IDLE_TIMEOUT_MS = 20 * 1000,
    CALL_TIMEOUT_MS = 10 * 60 * 1000,
    ERROR_BODY_MAX = 1 << 20,
    URL_MAX = 16 * 1024,
    ENDPOINT_MAX = 512,
    AUTHORIZATION_MAX = 4096,
    PIECE_SIZE = 256 * 1024,
    XRAY_MAX = 96,
};

struct S3 {
    char *bucket;
    char *origin; /* "https://host:port" */
    char *host;   /* as in the header Host */
    char *base;   /* what stands before "/key" in paths: "" or "/bucket" */
    char *region;
    char *access_key;
    Secret *secret_key;
    Secret *session_token; /* or NULL */
    int n_attempts;
    pthread_mutex_t lock; /* of the two below */
    HttpClient *idle[CLIENTS_MAX];
    size_t n_idle;
};

typedef struct CodeRow {
    const char *code;
    ErrorKind kind;
    bool may_pass; /* trying again may help */
    const char *fix;
} CodeRow;

/* clang-format off */
static const CodeRow codes[] = {
    { "SlowDown",                     ERR_BUSY,      true,  NULL },
    { "ServiceUnavailable",           ERR_BUSY,      true,  NULL },
    { "InternalError",                ERR_UNREACHABLE, true, NULL },
    { "RequestTimeout",               ERR_TIMEOUT,   true,  NULL },
    { "ConditionalRequestConflict",   ERR_CONFLICT,  true,  NULL },
    { "NoSuchBucket",                 ERR_NOT_FOUND, false, "make the bucket, or correct its name" },
    { "InvalidAccessKeyId",           ERR_DENIED,    false, "check AWS_ACCESS_KEY_ID" },
    { "SignatureDoesNotMatch",        ERR_DENIED,    false, "check AWS_SECRET_ACCESS_KEY" },
    { "ExpiredToken",                 ERR_DENIED,    false, "renew the credentials" },
    { "InvalidToken",                 ERR_DENIED,    false, "check AWS_SESSION_TOKEN" },
    { "AccessDenied",                 ERR_DENIED,    false, NULL },
    { "RequestTimeTooSkewed",         ERR_DENIED,    false, "set the clock of this machine" },
    { "AuthorizationHeaderMalformed", ERR_USAGE,     false, "set AWS_REGION to that of the bucket" },
    { "PermanentRedirect",            ERR_USAGE,     false, "set AWS_REGION to that of the bucket" },
};

typedef struct StatusRow {
    int status;
    ErrorKind kind;
    bool may_pass;
    const char *fix;
} StatusRow;

/* Of answers without a word of S3's. */
static const StatusRow statuses[] = {
    { 301, ERR_USAGE,       false, "set AWS_REGION to that of the bucket" },
    { 307, ERR_UNREACHABLE, true,  NULL },
    { 408, ERR_TIMEOUT,     true,  NULL },
    { 412, ERR_CONFLICT,    false, NULL },
    { 416, ERR_BAD_DATA,    false, NULL },
    { 429, ERR_BUSY,        true,  NULL },
    { 500, ERR_UNREACHABLE, true,  NULL },
    { 502, ERR_UNREACHABLE, true,  NULL },
    { 503, ERR_BUSY,        true,  NULL },
    { 504, ERR_TIMEOUT,     true,  NULL },
};

typedef struct FieldRow {
    const char *name;
    size_t offset;
} FieldRow;

static const FieldRow fields[] = {
    { "content-length", offsetof(S3Answer, content_length) },
    { "content-range",  offsetof(S3Answer, content_range) },
    { "etag",           offsetof(S3Answer, etag) },
    { "last-modified",  offsetof(S3Answer, last_modified) },
    { S3_CLAIM,         offsetof(S3Answer, claim) },
};
/* clang-format on */

static const CodeRow *find_code(const char *code)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (strcmp(codes[i].code, code) == 0)
            return &codes[i];
    return NULL;
}

static const StatusRow *find_status(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].status == status)
            return &statuses[i];
    return NULL;
}

/* A field that is too long counts as missing. */
static void on_field(void *context, Str name, Str value)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (str_eq_nocase(name, str_of(fields[i].name)) && value.n < S3_FIELD_MAX)
            (void)snprintf((char *)context + fields[i].offset, S3_FIELD_MAX, "%.*s",
                           STR_ARG(value));
}

static int on_bytes(void *context, Str bytes, Error *err)
{
    S3Sink *sink = context;
    if (!sink)
        return 0;
    if (sink->buf) {
        buf_add_str(sink->buf, bytes);
        return buf_check(sink->buf, "the object", err);
    }
    if (bytes.n > sink->n - sink->got)
        return error_set(err, ERR_BAD_DATA, "more came than was asked for");
    memcpy(sink->data + sink->got, bytes.p, bytes.n);
    sink->got += bytes.n;
    return 0;
}

static void rewind_sink(S3Sink *sink)
{
    if (sink && sink->buf)
        buf_truncate(sink->buf, sink->from);
    if (sink)
        sink->got = 0;
}

/* Takes <Error><Code>; only a plain word, as it is shown. */
static int on_error_element(void *context, Str path, Str text, Error *err)
{
    (void)err;
    S3Answer *answer = context;
    if (!str_eqz(path, "Error/Code") || text.n >= 64)
        return 0;
    for (size_t i = 0; i < text.n; i++)
        if (!isalnum((unsigned char)text.p[i]))
            return 0;
    (void)snprintf(answer->code, sizeof(answer->code), "%.*s", STR_ARG(text));
    return 0;
}

static int explain(const S3 *s3, const S3Call *call, const S3Answer *answer, Error *err)
{
    const CodeRow *code = find_code(answer->code);
    const StatusRow *status = find_status(answer->status);
    ErrorKind kind = code ? code->kind : status ? status->kind : error_kind_of_http(answer->status);
    const char *fix = code ? code->fix : status ? status->fix : NULL;
    (void)error_set(err, kind, "s3://%s%s%s: %s%sstatus %d", s3->bucket, call->key ? "/" : "",
                    call->key ? call->key : "", answer->code, answer->code[0] ? ", " : "",
                    answer->status);
    return fix ? error_fix(err, "%s", fix) : -1;
}

static bool may_pass(const S3Answer *answer, const Error *err)
{
    if (answer->status < 300)
        return err->kind == ERR_UNREACHABLE || err->kind == ERR_TIMEOUT;
    const CodeRow *code = find_code(answer->code);
    const StatusRow *status = find_status(answer->status);
    return code ? code->may_pass : status && status->may_pass;
}

/* After how many seconds the server wants to be asked again; 0 when it does not say. */
static int asked_s(const HttpReply *reply)
{
    int64_t seconds = 0;
    if (str_to_i64(buf_str(&reply->retry_after), 0, 3600, &seconds) < 0)
        return 0;
    return (int)seconds;
}

/* A random part of a time that doubles, and at least what the server asks for. */
static void pause_before(int attempt, const HttpReply *reply)
{
    int64_t most_ms = FIRST_PAUSE_MS;
    for (int i = 1; i < attempt && most_ms < PAUSE_MAX_MS; i++)
        most_ms *= 2;
    uint32_t chance = 0;
    random_bytes(&chance, sizeof(chance));
    int64_t ms = (int64_t)asked_s(reply) * 1000 + chance % most_ms;
    if (ms > PAUSE_MAX_MS)
        ms = PAUSE_MAX_MS;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static HttpClient *take_client(S3 *s3)
{
    pthread_mutex_lock(&s3->lock);
    HttpClient *client = s3->n_idle > 0 ? s3->idle[--s3->n_idle] : NULL;
    pthread_mutex_unlock(&s3->lock);
    return client ? client : http_client_new();
}

static void give_client(S3 *s3, HttpClient *take_client)
{
    pthread_mutex_lock(&s3->lock);
    bool is_kept = s3->n_idle < ARRAY_LEN(s3->idle);
    if (is_kept)
        s3->idle[s3->n_idle++] = take_client;
    pthread_mutex_unlock(&s3->lock);
    if (!is_kept)
        http_client_free(take_client);
}

/* The call as it goes out, but for what each attempt has of its own. */
typedef struct Outgoing {
    const S3Call *call;
    char *path;
    Buf url;
    char hash[DIGEST_HEX_MAX];
} Outgoing;

/* The headers of the trace that a call belongs to, which are not signed: W3C Trace Context, and the
   same as X-Ray has it. Returns how many. */
static size_t trace_headers(const S3Call *call, char xray[XRAY_MAX], HttpHeader ret[2])
{
    const char *trace = call->trace ? call->trace : store_priv_trace();
    if (strlen(trace) != STORE_TRACE_MAX - 1)
        return 0;
    const char *id = trace + 3;
    const char *span = id + 33;
    (void)snprintf(xray, XRAY_MAX, "Root=1-%.8s-%.24s;Parent=%.16s;Sampled=%c", id, id + 8, span,
                   trace[STORE_TRACE_MAX - 2]);
    ret[0] = (HttpHeader){"traceparent", str_of(trace)};
    ret[1] = (HttpHeader){"X-Amzn-Trace-Id", str_of(xray)};
    return 2;
}

/* Signs, with the time of this attempt, and sends. */
static int send_signed(S3 *s3, HttpClient *client, const Outgoing *out, S3Answer *answer,
                       HttpReply *reply, Error *err)
{
    const S3Call *call = out->call;
    Sigv4Header signed_headers[S3_HEADERS_MAX + 2] = {{"Host", str_of(s3->host)},
                                                      {"x-amz-content-sha256", str_of(out->hash)}};
    for (size_t i = 0; i < call->n_headers; i++)
        signed_headers[2 + i] = call->headers[i];
    Sigv4Request request = {.method = call->method,
                            .path = str_of(out->path),
                            .query = str_of(call->query),
                            .headers = signed_headers,
                            .n_headers = 2 + call->n_headers,
                            .payload_hash = str_of(out->hash),
                            .region = s3->region,
                            .service = "s3",
                            .now_us = clock_now_us()};
    Sigv4Keys keys = {str_of(s3->access_key), secret_reveal(s3->secret_key),
                      s3->session_token ? secret_reveal(s3->session_token) : STR_NONE};
    auto_buf Buf authorization = BUF_INIT(AUTHORIZATION_MAX);
    char date[SIGV4_DATE_MAX];
    if (sigv4_sign(&request, &keys, &authorization, err) < 0)
        return -1;
    char xray[XRAY_MAX];
    HttpHeader headers[S3_HEADERS_MAX + 6] = {
        {"Authorization", buf_str(&authorization)},
        {"x-amz-date", str_of(sigv4_date(request.now_us, date))},
        {"x-amz-content-sha256", str_of(out->hash)}};
    size_t n = 3;
    for (size_t i = 0; i < call->n_headers; i++)
        headers[n++] = (HttpHeader){call->headers[i].name, call->headers[i].value};
    if (keys.session_token.n > 0)
        headers[n++] = (HttpHeader){"x-amz-security-token", keys.session_token};
    n += trace_headers(call, xray, headers + n);
    HttpCall http = {.method = call->method,
                     .url = out->url.data,
                     .headers = headers,
                     .n_headers = n,
                     .body = call->source ? STR_NONE : call->body,
                     .body_source = call->source,
                     .timeout_ms = CALL_TIMEOUT_MS,
                     .idle_timeout_ms = IDLE_TIMEOUT_MS,
                     .keep_redirects = true,
                     .sink = on_bytes,
                     .sink_context = call->sink,
                     .field = on_field,
                     .field_context = answer};
    return http_client_send(client, &http, reply, err);
}

static int attempt_call(S3 *s3, HttpClient *client, const Outgoing *out, S3Answer *answer,
                        HttpReply *reply, Error *err)
{
    const S3Call *call = out->call;
    *answer = (S3Answer){.n_attempts = answer->n_attempts + 1};
    rewind_sink(call->sink);
    int result = send_signed(s3, client, out, answer, reply, err);
    answer->status = result < 0 ? 0 : reply->status;
    if (result < 0)
        return -1;
    if (reply->status >= 200 && reply->status < 300) {
        if (call->sink && !call->sink->buf && call->sink->got != call->sink->n)
            return error_set(err, ERR_BAD_DATA, "s3://%s/%s: fewer bytes came than were asked for",
                             s3->bucket, call->key);
        return 0;
    }
    /* Not all errors have a body, and not all bodies are S3's. */
    auto_error Error ignored = ERROR_INIT;
    if (xml_read(buf_str(&reply->body), on_error_element, answer, &ignored) < 0)
        answer->code[0] = '\0';
    return explain(s3, call, answer, err);
}

/* The digest of what is sent, in hex. */
static int hash_body(const S3Call *call, char ret[DIGEST_HEX_MAX], Error *err)
{
    if (!call->source) {
        digest_sha256_hex(call->body, ret);
        return 0;
    }
    auto_free char *piece = mem_alloc(PIECE_SIZE);
    auto_digest Digest *digest = digest_new();
    for (uint64_t at = 0; at < call->source->size;) {
        uint64_t left = call->source->size - at;
        size_t n = left < PIECE_SIZE ? (size_t)left : PIECE_SIZE;
        if (source_read_at(call->source, at, piece, n, err) < 0)
            return -1;
        digest_add(digest, (Str){piece, n});
        at += n;
    }
    unsigned char bytes[DIGEST_SIZE];
    auto_buf Buf hex = BUF_INIT(DIGEST_HEX_MAX);
    digest_finish(digest, bytes);
    digest_add_hex(&hex, (Str){(const char *)bytes, sizeof(bytes)});
    (void)snprintf(ret, DIGEST_HEX_MAX, "%s", hex.data);
    return 0;
}

int s3_send(S3 *s3, const S3Call *call, S3Answer *ret, Error *err)
{
    if (call->sink && call->sink->buf)
        call->sink->from = call->sink->buf->len;
    auto_free char *path = call->key ? mem_printf("%s/%s", s3->base, call->key)
                                     : mem_strdup(s3->base[0] ? s3->base : "/");
    auto_buf Buf url = BUF_INIT(URL_MAX);
    buf_addz(&url, s3->origin);
    sigv4_add_path(&url, str_of(path));
    if (call->query)
        buf_printf(&url, "?%s", call->query);
    if (buf_check(&url, "the address of an object", err) < 0)
        return -1;
    Outgoing out = {.call = call, .path = path, .url = url};
    *ret = (S3Answer){.status = 0};
    if (hash_body(call, out.hash, err) < 0)
        return -1;
    auto_http_reply HttpReply reply;
    http_reply_init(&reply, ERROR_BODY_MAX);
    HttpClient *client = take_client(s3);
    int result = attempt_call(s3, client, &out, ret, &reply, err);
    while (result < 0 && ret->n_attempts < s3->n_attempts && may_pass(ret, err)) {
        pause_before(ret->n_attempts, &reply);
        error_reset(err);
        result = attempt_call(s3, client, &out, ret, &reply, err);
    }
    give_client(s3, client);
    if (result < 0)
        (void)error_retry(err, asked_s(&reply));
    return result;
}

ErrorKind s3_kind_of_code(const char *code)
{
    const CodeRow *row = find_code(code);
    return row ? row->kind : ERR_NONE;
}

int s3_copy_etag(Str text, char ret[STORE_ETAG_MAX], Error *err)
{
    if (str_starts(text, STR("W/")))
        text = str_slice(text, 2, text.n);
    if (text.n >= 2 && str_starts(text, STR("\"")) && str_ends(text, STR("\"")))
        text = str_slice(text, 1, text.n - 1);
    bool is_valid = text.n > 0 && text.n < STORE_ETAG_MAX;
    for (size_t i = 0; is_valid && i < text.n; i++)
        is_valid = isgraph((unsigned char)text.p[i]) && text.p[i] != '"' && text.p[i] != '\\';
    if (!is_valid)
        return error_set(err, ERR_BAD_DATA, "the ETag of an object is not well-formed");
    (void)snprintf(ret, STORE_ETAG_MAX, "%.*s", STR_ARG(text));
    return 0;
}

/* A variable of the environment; an empty one counts as not set. */
static const char *setting(const char *name, const char *or_name)
{
    const char *value = getenv(name);
    if ((!value || !*value) && or_name)
        value = getenv(or_name);
    return value && *value ? value : NULL;
}

static bool all_in(Str text, const char *more)
{
    for (size_t i = 0; i < text.n; i++)
        if (!isalnum((unsigned char)text.p[i]) && (!text.p[i] || !strchr(more, text.p[i])))
            return false;
    return text.n > 0;
}

/* S3, "Bucket naming rules". */
static bool bucket_is_valid(Str bucket)
{
    if (bucket.n < 3 || bucket.n > 63 || !all_in(bucket, ".-"))
        return false;
    for (size_t i = 0; i < bucket.n; i++)
        if (isupper((unsigned char)bucket.p[i]))
            return false;
    return isalnum((unsigned char)bucket.p[0]) && isalnum((unsigned char)bucket.p[bucket.n - 1]) &&
           str_find_str(bucket, STR("..")) < 0;
}

/* Splits "scheme://host:port/path"; the path may be missing. */
static int use_endpoint(S3 *s3, const char *url, Error *err)
{
    Str all = str_of(url);
    size_t scheme = str_starts(all, STR("https://")) ? 8 : str_starts(all, STR("http://")) ? 7 : 0;
    Str rest = str_slice(all, scheme, all.n);
    ptrdiff_t slash = str_find(rest, '/');
    Str host = slash < 0 ? rest : str_slice(rest, 0, (size_t)slash);
    Str path = slash < 0 ? STR("") : str_slice(rest, (size_t)slash, rest.n);
    while (str_ends(path, STR("/")))
        path.n--;
    if (scheme == 0 || all.n > ENDPOINT_MAX || !all_in(host, ".-:[]") ||
        (path.n > 0 && !all_in(path, "/-._~")))
        return error_set(err, ERR_USAGE,
                         "AWS_ENDPOINT_URL is not well-formed: expected http(s)://host:port");
    /* The client leaves the usual port out of the header. */
    Str usual = scheme == 8 ? STR(":443") : STR(":80");
    if (str_ends(host, usual))
        host.n -= usual.n;
    s3->host = mem_strndup(host.p, host.n);
    s3->origin = mem_printf("%.*s%s", (int)scheme, url, s3->host);
    s3->base = mem_printf("%.*s/%s", STR_ARG(path), s3->bucket);
    return 0;
}

/* The address at AWS. A bucket with a dot in its name is not covered by the certificate of the
   name that begins with it. */
static void use_aws(S3 *s3)
{
    bool has_dot = strchr(s3->bucket, '.') != NULL;
    const char *domain =
        str_starts(str_of(s3->region), STR("cn-")) ? "amazonaws.com.cn" : "amazonaws.com";
    s3->host = mem_printf("%s%ss3.%s.%s", has_dot ? "" : s3->bucket, has_dot ? "" : ".", s3->region,
                          domain);
    s3->origin = mem_printf("https://%s", s3->host);
    s3->base = has_dot ? mem_printf("/%s", s3->bucket) : mem_strdup("");
}

static int read_settings(S3 *s3, Error *err)
{
    const char *access_key = setting("AWS_ACCESS_KEY_ID", NULL);
    const char *secret_key = setting("AWS_SECRET_ACCESS_KEY", NULL);
    const char *token = setting("AWS_SESSION_TOKEN", NULL);
    const char *region = setting("AWS_REGION", "AWS_DEFAULT_REGION");
    const char *endpoint = setting("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
    const char *attempts = setting("AWS_MAX_ATTEMPTS", NULL);
    int64_t n_attempts = ATTEMPTS;
    if (!access_key || !secret_key) {
        (void)error_set(err, ERR_LOGIN, "there are no credentials for s3://%s", s3->bucket);
        return error_fix(err, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    }
    if (!all_in(str_of(access_key), "_-"))
        return error_set(err, ERR_USAGE, "AWS_ACCESS_KEY_ID is not well-formed");
    if (region && (!all_in(str_of(region), "-") || strlen(region) > 40))
        return error_set(err, ERR_USAGE, "AWS_REGION is not well-formed");
    if (attempts && str_to_i64(str_of(attempts), 1, ATTEMPTS_MAX, &n_attempts) < 0)
        return error_set(err, ERR_USAGE, "AWS_MAX_ATTEMPTS is not a number from 1 to %d",
                         ATTEMPTS_MAX);
    s3->access_key = mem_strdup(access_key);
    s3->secret_key = secret_new(str_of(secret_key));
    s3->session_token = token ? secret_new(str_of(token)) : NULL;
    s3->region = mem_strdup(region ? region : "us-east-1");
    s3->n_attempts = (int)n_attempts;
    if (endpoint)
        return use_endpoint(s3, endpoint, err);
    use_aws(s3);
    return 0;
}

int s3_open(Str bucket, S3 **ret, Error *err)
{
    if (!bucket_is_valid(bucket))
        return error_set(err, ERR_USAGE, "the name of the bucket is not well-formed");
    S3 *s3 = mem_alloc(sizeof(*s3));
    pthread_mutex_init(&s3->lock, NULL);
    s3->bucket = mem_strndup(bucket.p, bucket.n);
    if (read_settings(s3, err) < 0) {
        s3_close(s3);
        return -1;
    }
    *ret = s3;
    return 0;
}

void s3_close(S3 *s3)
{
    if (!s3)
        return;
    for (size_t i = 0; i < s3->n_idle; i++)
        http_client_free(s3->idle[i]);
    pthread_mutex_destroy(&s3->lock);
    secret_free(s3->secret_key);
    secret_free(s3->session_token);
    free(s3->access_key);
    free(s3->region);
    free(s3->base);
    free(s3->host);
    free(s3->origin);
    free(s3->bucket);
    free(s3);
}

const char *s3_bucket(const S3 *s3)
{
    return s3->bucket;
}

int s3_presign(S3 *s3, const char *key, int seconds, Buf *ret, Error *err)
{
    auto_free char *path = mem_printf("%s/%s", s3->base, key);
    const Sigv4Header host = {"Host", str_of(s3->host)};
    const Sigv4Request request = {.method = "GET",
                                  .path = str_of(path),
                                  .headers = &host,
                                  .n_headers = 1,
                                  .payload_hash = STR(SIGV4_UNSIGNED),
                                  .region = s3->region,
                                  .service = "s3",
                                  .now_us = clock_now_us()};
    const Sigv4Keys keys = {str_of(s3->access_key), secret_reveal(s3->secret_key),
                            s3->session_token ? secret_reveal(s3->session_token) : STR_NONE};
    buf_addz(ret, s3->origin);
    sigv4_add_path(ret, str_of(path));
    buf_addc(ret, '?');
    return sigv4_presign(&request, &keys, seconds, ret, err);
}
