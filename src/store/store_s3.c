/* A store in a bucket, below a prefix. */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/xml.h"
#include "store/s3_priv.h"

enum { COPY_ANSWER_MAX = 64 * 1024 };

typedef struct S3Store {
    Store base;
    S3 *s3;
    char *prefix; /* "" or with '/' at its end */
} S3Store;

static char *whole_key(const Store *base, const char *key)
{
    return mem_printf("%s%s", ((const S3Store *)base)->prefix, key);
}

/* "Wed, 21 Oct 2015 07:28:00 GMT" (RFC 9110, section 5.6.7). */
static int read_date(Str text, int64_t *ret)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.n != 29)
        return -1;
    ptrdiff_t month = str_find_str(str_of(months), str_slice(text, 8, 11));
    if (month < 0 || month % 3 != 0)
        return -1;
    auto_free char *iso = mem_printf("%.4s-%02d-%.2sT%.8sZ", text.p + 12, (int)month / 3 + 1,
                                     text.p + 5, text.p + 17);
    return clock_parse(str_of(iso), ret);
}

int s3_head(S3 *s3, const char *key, S3Answer *answer, StoreStat *ret, Error *err)
{
    S3Call call = {.method = "HEAD", .key = key};
    if (s3_send(s3, &call, answer, err) < 0)
        return -1;
    StoreStat stat = {.size = 0};
    int64_t size = 0;
    if (str_to_i64(str_of(answer->content_length), 0, INT64_MAX, &size) < 0 ||
        read_date(str_of(answer->last_modified), &stat.modified_us) < 0)
        return error_set(err, ERR_BAD_DATA, "%s: the answer lacks size or time", key);
    if (s3_copy_etag(str_of(answer->etag), stat.etag, err) < 0)
        return error_wrap(err, "%s", key);
    stat.size = (uint64_t)size;
    *ret = stat;
    return 0;
}

static int s3_store_stat(Store *base, const char *key, StoreStat *ret, Error *err)
{
    auto_free char *whole = whole_key(base, key);
    S3Answer answer;
    return s3_head(((S3Store *)base)->s3, whole, &answer, ret, err);
}

static int s3_store_get(Store *base, const char *key, Buf *ret, Error *err)
{
    auto_free char *whole = whole_key(base, key);
    S3Answer answer;
    S3Sink sink = {.buf = ret};
    S3Call call = {.method = "GET", .key = whole, .sink = &sink};
    return s3_send(((S3Store *)base)->s3, &call, &answer, err);
}

static int s3_store_source(Store *base, const char *key, Source **ret, Error *err)
{
    auto_free char *whole = whole_key(base, key);
    return s3_source_open(((S3Store *)base)->s3, whole, ret, err);
}

/* Whether the object that is in the way is the one that an earlier attempt wrote, whose answer got
   lost. */
static int check_claim(S3 *s3, const char *key, const char *claim, Error *err)
{
    S3Answer answer;
    StoreStat stat;
    if (s3_head(s3, key, &answer, &stat, err) < 0)
        return -1;
    return strcmp(answer.claim, claim) == 0 ? 0 : error_set(err, ERR_CONFLICT, "%s exists", key);
}

static int s3_store_put(Store *base, const char *key, Str bytes, bool only_new, Error *err)
{
    if (bytes.n > STORE_PUT_MAX)
        return error_set(err, ERR_BAD_DATA, "%s is over the limit of %d bytes", key, STORE_PUT_MAX);
    S3 *s3 = ((S3Store *)base)->s3;
    auto_free char *whole = whole_key(base, key);
    char claim[25];
    random_id(claim, sizeof(claim) - 1);
    const Sigv4Header headers[] = {{"Content-Type", STR("application/octet-stream")},
                                   {"If-None-Match", STR("*")},
                                   {S3_CLAIM, str_of(claim)}};
    S3Answer answer;
    S3Call call = {.method = "PUT",
                   .key = whole,
                   .headers = headers,
                   .n_headers = only_new ? 3 : 1,
                   .body = bytes.n > 0 ? bytes : STR("")};
    if (s3_send(s3, &call, &answer, err) == 0)
        return 0;
    if (!only_new || answer.status != 412)
        return -1;
    error_reset(err);
    if (answer.n_attempts > 1)
        return check_claim(s3, whole, claim, err);
    return error_set(err, ERR_CONFLICT, "%s exists", key);
}

/* The bytes of a file, as long as it is mapped. */
typedef struct Mapping {
    void *data;
    size_t n;
} Mapping;

static void unmap(Mapping *mapping)
{
    if (mapping->data)
        (void)munmap(mapping->data, mapping->n);
}

static int map_file(const char *path, Mapping *ret, Error *err)
{
    auto_fd int fd = fs_open(path, O_RDONLY, 0, err);
    struct stat st;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot look at %s", path);
    if (st.st_size <= 0 || (uint64_t)st.st_size > STORE_FILE_MAX)
        return error_set(err, ERR_BAD_DATA, "%s is empty or over the limit of 5 GiB", path);
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return error_errno(err, errno, "cannot read %s", path);
    *ret = (Mapping){data, (size_t)st.st_size};
    return 0;
}

/* Not every service knows If-Match in a PUT, so the tag is looked at beforehand too. */
static int s3_store_replace(Store *base, const char *key, const char *etag, const char *path,
                            Error *err)
{
    S3 *s3 = ((S3Store *)base)->s3;
    HAWK_CLEANUP(unmap) Mapping file = {0};
    auto_free char *whole = whole_key(base, key);
    S3Answer answer;
    StoreStat now;
    if (map_file(path, &file, err) < 0 || s3_head(s3, whole, &answer, &now, err) < 0)
        return -1;
    if (strcmp(now.etag, etag) != 0)
        return error_set(err, ERR_CONFLICT, "%s has changed", key);
    char claim[25];
    random_id(claim, sizeof(claim) - 1);
    auto_free char *quoted = mem_printf("\"%s\"", etag);
    const Sigv4Header headers[] = {{"Content-Type", STR("application/octet-stream")},
                                   {"If-Match", str_of(quoted)},
                                   {S3_CLAIM, str_of(claim)}};
    const S3Call call = {.method = "PUT",
                         .key = whole,
                         .headers = headers,
                         .n_headers = ARRAY_LEN(headers),
                         .body = {file.data, file.n}};
    if (s3_send(s3, &call, &answer, err) == 0)
        return 0;
    if (answer.status != 412)
        return -1;
    error_reset(err);
    if (answer.n_attempts > 1 && check_claim(s3, whole, claim, err) == 0)
        return 0;
    error_reset(err);
    return error_set(err, ERR_CONFLICT, "%s has changed", key);
}

static int s3_store_put_file(Store *base, const char *key, int fd, uint64_t size, Error *err)
{
    auto_free char *whole = whole_key(base, key);
    auto_source Source *source = NULL;
    const Sigv4Header headers[] = {{"Content-Type", STR("application/octet-stream")}};
    S3Answer answer;
    if (source_of_fd(fd, size, key, &source, err) < 0)
        return -1;
    S3Call call = {
        .method = "PUT", .key = whole, .headers = headers, .n_headers = 1, .source = source};
    return s3_send(((S3Store *)base)->s3, &call, &answer, err);
}

static int on_copy_element(void *context, Str path, Str text, Error *err)
{
    (void)text;
    (void)err;
    if (str_eqz(path, "Error/Code"))
        *(bool *)context = true;
    return 0;
}

/* A copy that fails late has the status of one that did not. */
static int check_copy(Str body, const char *key, Error *err)
{
    bool has_failed = false;
    if (xml_read(body, on_copy_element, &has_failed, err) < 0)
        return error_wrap(err, "copying %s", key);
    return has_failed ? error_set(err, ERR_UNREACHABLE, "%s could not be copied", key) : 0;
}

/* The condition of the copy says the same, where the server knows it: not all that speak S3 do. */
static int check_etag(S3 *s3, const char *key, const char *etag, Error *err)
{
    S3Answer answer;
    StoreStat stat;
    if (s3_head(s3, key, &answer, &stat, err) < 0)
        return -1;
    return strcmp(etag, stat.etag) == 0 ? 0 : error_set(err, ERR_CONFLICT, "%s has changed", key);
}

static int s3_store_move(Store *base, const char *from, const char *to, const char *etag,
                         Error *err)
{
    S3 *s3 = ((S3Store *)base)->s3;
    auto_free char *old_key = whole_key(base, from);
    auto_free char *new_key = whole_key(base, to);
    auto_buf Buf source = BUF_INIT(4 * STORE_KEY_MAX);
    auto_buf Buf body = BUF_INIT(COPY_ANSWER_MAX);
    auto_free char *quoted = mem_printf("\"%s\"", etag ? etag : "");
    buf_printf(&source, "/%s/", s3_bucket(s3));
    sigv4_add_path(&source, str_of(old_key));
    const Sigv4Header headers[] = {{"x-amz-copy-source", buf_str(&source)},
                                   {"x-amz-copy-source-if-match", str_of(quoted)}};
    S3Answer answer;
    S3Sink sink = {.buf = &body};
    S3Call call = {.method = "PUT",
                   .key = new_key,
                   .headers = headers,
                   .n_headers = etag ? 2 : 1,
                   .body = STR(""),
                   .sink = &sink};
    if (buf_check(&source, "the address of an object", err) < 0 ||
        (etag && check_etag(s3, old_key, etag, err) < 0) || s3_send(s3, &call, &answer, err) < 0 ||
        check_copy(buf_str(&body), from, err) < 0)
        return -1;
    return s3_delete(s3, old_key, err);
}

static int s3_store_remove(Store *base, const char *key, Error *err)
{
    auto_free char *whole = whole_key(base, key);
    return s3_delete(((S3Store *)base)->s3, whole, err);
}

static int s3_store_remove_prefix(Store *base, const char *prefix, Error *err)
{
    auto_free char *whole = mem_printf("%s%s/", ((S3Store *)base)->prefix, prefix);
    return s3_delete_all(((S3Store *)base)->s3, whole, err);
}

typedef struct Listing {
    size_t n_prefix;
    StoreEach *each;
    void *context;
} Listing;

static int list_object(void *context, const char *key, const StoreStat *stat, Error *err)
{
    const Listing *listing = context;
    const char *inside = key + listing->n_prefix;
    if (!store_key_is_valid(str_of(inside)))
        return 0; /* not ours: a folder's marker, say */
    return listing->each(listing->context, inside, stat, err);
}

static int s3_store_list(Store *base, const char *prefix, bool recursive, StoreEach *each,
                         void *context, Error *err)
{
    const S3Store *store = (S3Store *)base;
    auto_free char *whole = mem_printf("%s%s%s", store->prefix, prefix, *prefix ? "/" : "");
    Listing listing = {strlen(store->prefix), each, context};
    return s3_list(store->s3, whole, !recursive, list_object, &listing, err);
}

static int s3_store_link(Store *base, const char *key, int seconds, Buf *ret, Error *err)
{
    auto_free char *whole = whole_key(base, key);
    return s3_presign(((S3Store *)base)->s3, whole, seconds, ret, err);
}

static char *s3_store_local_path(const Store *base, const char *key)
{
    (void)base;
    (void)key;
    return NULL;
}

static char *s3_store_location(const Store *base, const char *key)
{
    const S3Store *store = (const S3Store *)base;
    return mem_printf("s3://%s/%s%s", s3_bucket(store->s3), store->prefix, key);
}

static int s3_store_open(const char *url, Store **ret, Error *err)
{
    Str rest = str_of(url + strlen(store_kind_s3.scheme));
    ptrdiff_t slash = str_find(rest, '/');
    Str bucket = slash < 0 ? rest : str_slice(rest, 0, (size_t)slash);
    Str prefix = slash < 0 ? STR("") : str_slice(rest, (size_t)slash + 1, rest.n);
    if (str_ends(prefix, STR("/")))
        prefix.n--;
    if (prefix.n > 0 && !store_key_is_valid(prefix))
        return error_set(err, ERR_USAGE, "the prefix of the store is not well-formed");
    S3 *s3 = NULL;
    if (s3_open(bucket, &s3, err) < 0)
        return -1;
    S3Store *store = mem_alloc(sizeof(*store));
    *store = (S3Store){.base = {.kind = &store_kind_s3},
                       .s3 = s3,
                       .prefix = mem_printf("%.*s%s", STR_ARG(prefix), prefix.n > 0 ? "/" : "")};
    *ret = &store->base;
    return 0;
}

static void s3_store_close(Store *base)
{
    S3Store *store = (S3Store *)base;
    s3_close(store->s3);
    free(store->prefix);
    free(store);
}

const StoreKind store_kind_s3 = {
    .scheme = "s3://",
    .open = s3_store_open,
    .close = s3_store_close,
    .stat = s3_store_stat,
    .get = s3_store_get,
    .source = s3_store_source,
    .put = s3_store_put,
    .put_file = s3_store_put_file,
    .move = s3_store_move,
    .replace = s3_store_replace,
    .remove = s3_store_remove,
    .remove_prefix = s3_store_remove_prefix,
    .list = s3_store_list,
    .link = s3_store_link,
    .local_path = s3_store_local_path,
    .location = s3_store_location,
};
