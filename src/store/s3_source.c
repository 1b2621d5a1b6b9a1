/* A source of an object of a bucket. Opening reads the end of it, where archives keep their
   directory, in the one request that also tells size and tag. Other reads ask for a little more
   than they need and keep the last of it. All name the tag, so that no bytes of another version
   come. */

#include <pthread.h>

#include "base/mem.h"
#include "store/s3_priv.h"

enum { TAIL_MAX = 128 * 1024, AHEAD = 128 * 1024 };

typedef struct S3Source {
    Source base;
    S3 *s3; /* outlives its sources */
    char *key;
    char etag[STORE_ETAG_MAX];
    char trace[STORE_TRACE_MAX]; /* that it was opened in; it may be read on other threads */
    Buf tail;                    /* the last bytes of the object */
    pthread_mutex_t lock;        /* of the three below */
    char *ahead;
    uint64_t ahead_from;
    size_t n_ahead;
} S3Source;

/* Copies what lies wholly within the bytes that begin at from. */
static bool copy_within(const char *bytes, uint64_t from, size_t n_bytes, uint64_t offset,
                        void *data, size_t n)
{
    if (offset < from || offset - from > n_bytes || n > n_bytes - (offset - from))
        return false;
    memcpy(data, bytes + (offset - from), n);
    return true;
}

static bool read_kept(S3Source *source, uint64_t offset, void *data, size_t n)
{
    uint64_t tail_from = source->base.size - source->tail.len;
    if (copy_within(source->tail.data, tail_from, source->tail.len, offset, data, n))
        return true;
    pthread_mutex_lock(&source->lock);
    bool is_kept = source->ahead &&
                   copy_within(source->ahead, source->ahead_from, source->n_ahead, offset, data, n);
    pthread_mutex_unlock(&source->lock);
    return is_kept;
}

static int fetch(const S3Source *source, uint64_t offset, char *data, size_t n, Error *err)
{
    auto_free char *range = mem_printf("bytes=%llu-%llu", (unsigned long long)offset,
                                       (unsigned long long)(offset + n - 1));
    auto_free char *expected =
        mem_printf("bytes %llu-%llu/%llu", (unsigned long long)offset,
                   (unsigned long long)(offset + n - 1), (unsigned long long)source->base.size);
    auto_free char *tag = mem_printf("\"%s\"", source->etag);
    const Sigv4Header headers[] = {{"Range", str_of(range)}, {"If-Match", str_of(tag)}};
    S3Sink sink = {.data = data, .n = n};
    S3Call call = {.method = "GET",
                   .key = source->key,
                   .headers = headers,
                   .n_headers = 2,
                   .sink = &sink,
                   .trace = source->trace};
    S3Answer answer;
    int result = s3_send(source->s3, &call, &answer, err);
    if (answer.status == 412) {
        error_reset(err);
        return error_set(err, ERR_CONFLICT, "%s was replaced while it was read", source->key);
    }
    if (result < 0)
        return -1;
    bool is_whole = answer.status == 200 && offset == 0 && n == source->base.size;
    if (!is_whole && (answer.status != 206 || strcmp(answer.content_range, expected) != 0))
        return error_set(err, ERR_BAD_DATA, "%s: another range came than was asked for",
                         source->key);
    return 0;
}

static int s3_read_at(Source *base, uint64_t offset, void *data, size_t n, Error *err)
{
    S3Source *source = (S3Source *)base;
    if (n == 0 || read_kept(source, offset, data, n))
        return 0;
    if (n >= AHEAD)
        return fetch(source, offset, data, n, err);
    uint64_t left = base->size - offset;
    size_t n_ahead = left < AHEAD ? (size_t)left : AHEAD;
    auto_free char *ahead = mem_alloc(n_ahead);
    if (fetch(source, offset, ahead, n_ahead, err) < 0)
        return -1;
    memcpy(data, ahead, n);
    pthread_mutex_lock(&source->lock);
    char *old = source->ahead;
    source->ahead = TAKE(ahead);
    source->ahead_from = offset;
    source->n_ahead = n_ahead;
    pthread_mutex_unlock(&source->lock);
    free(old);
    return 0;
}

static void s3_source_close(Source *base)
{
    S3Source *source = (S3Source *)base;
    pthread_mutex_destroy(&source->lock);
    buf_release(&source->tail);
    free(source->ahead);
    free(source->key);
}

/* "bytes A-B/TOTAL", which must be the end of the object and as long as what came. */
static int read_range(const char *text, size_t n, uint64_t *ret_total)
{
    Str rest = str_of(text);
    ptrdiff_t dash = str_find(rest, '-');
    ptrdiff_t slash = str_find(rest, '/');
    int64_t first = 0;
    int64_t last = 0;
    int64_t total = 0;
    if (!str_starts(rest, STR("bytes ")) || dash < 6 || slash < dash ||
        str_to_i64(str_slice(rest, 6, (size_t)dash), 0, INT64_MAX, &first) < 0 ||
        str_to_i64(str_slice(rest, (size_t)dash + 1, (size_t)slash), 0, INT64_MAX - 1, &last) < 0 ||
        str_to_i64(str_slice(rest, (size_t)slash + 1, rest.n), 0, INT64_MAX, &total) < 0)
        return -1;
    if (last != total - 1 || first > last || (uint64_t)(last - first + 1) != n)
        return -1;
    *ret_total = (uint64_t)total;
    return 0;
}

/* An empty object has no end to read. */
static int open_empty(S3 *s3, const char *key, char etag[STORE_ETAG_MAX], Error *err)
{
    S3Answer answer;
    StoreStat stat;
    if (s3_head(s3, key, &answer, &stat, err) < 0)
        return -1;
    if (stat.size != 0)
        return error_set(err, ERR_BAD_DATA, "%s: the server does not know its end", key);
    memcpy(etag, stat.etag, STORE_ETAG_MAX);
    return 0;
}

static int read_tail(S3 *s3, const char *key, Buf *tail, uint64_t *ret_size,
                     char etag[STORE_ETAG_MAX], Error *err)
{
    auto_free char *range = mem_printf("bytes=-%d", TAIL_MAX);
    const Sigv4Header headers[] = {{"Range", str_of(range)}};
    S3Sink sink = {.buf = tail};
    S3Call call = {.method = "GET", .key = key, .headers = headers, .n_headers = 1, .sink = &sink};
    S3Answer answer;
    int result = s3_send(s3, &call, &answer, err);
    if (answer.status == 416) {
        error_reset(err);
        *ret_size = 0;
        return open_empty(s3, key, etag, err);
    }
    if (result < 0)
        return -1;
    uint64_t size = tail->len;
    if (answer.status == 206 && read_range(answer.content_range, tail->len, &size) < 0)
        return error_set(err, ERR_BAD_DATA, "%s: another range came than was asked for", key);
    *ret_size = size;
    return s3_copy_etag(str_of(answer.etag), etag, err);
}

int s3_source_open(S3 *s3, const char *key, Source **ret, Error *err)
{
    auto_buf Buf tail = BUF_INIT(TAIL_MAX);
    uint64_t size = 0;
    char etag[STORE_ETAG_MAX];
    if (read_tail(s3, key, &tail, &size, etag, err) < 0)
        return -1;
    S3Source *source = mem_alloc(sizeof(*source));
    source->base = (Source){.read_at = s3_read_at,
                            .close = s3_source_close,
                            .size = size,
                            .read_cost = AHEAD,
                            .name = mem_strdup(key)};
    source->s3 = s3;
    source->key = mem_strdup(key);
    source->tail = tail;
    tail = BUF_INIT(TAIL_MAX);
    memcpy(source->etag, etag, sizeof(etag));
    memcpy(source->trace, store_priv_trace(), STORE_TRACE_MAX);
    pthread_mutex_init(&source->lock, NULL);
    *ret = &source->base;
    return 0;
}
