/* Lists, page by page (ListObjectsV2), and what is built on them. Keys must come in their order, so
   no server can keep us for ever. */

#include "base/clock.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/percent.h"
#include "codec/xml.h"
#include "store/s3_priv.h"

enum {
    PAGE_MAX = 16 << 20,
    QUERY_MAX = 16 * 1024,
    TOKEN_MAX = 2048,
    EMPTY_PAGES_MAX = 10000, /* with folders only, each of which holds many */
    BATCH_KEYS = 1000,       /* what one request may delete */
    BATCH_MAX = 8 << 20,
};

typedef struct Listing {
    const char *prefix;
    StoreEach *each;
    void *context;
    Buf last; /* key */
    /* Of the page. */
    Buf token;
    bool is_truncated;
    bool is_list;
    size_t n_objects;
    /* Of the object. */
    Buf key;
    bool has_size;
    StoreStat stat;
} Listing;

static int bad_list(const char *what, Error *err)
{
    return error_set(err, ERR_BAD_DATA, "the list has %s", what);
}

static int read_key(Listing *listing, Str text, Error *err)
{
    buf_reset(&listing->key);
    buf_add_str(&listing->key, text);
    return buf_check(&listing->key, "a key of the list", err);
}

static int read_size(Listing *listing, Str text, Error *err)
{
    int64_t size = 0;
    if (str_to_i64(text, 0, INT64_MAX, &size) < 0)
        return bad_list("a size that is no number", err);
    listing->stat.size = (uint64_t)size;
    listing->has_size = true;
    return 0;
}

static int read_modified(Listing *listing, Str text, Error *err)
{
    return clock_parse(text, &listing->stat.modified_us) < 0 ? bad_list("a bad time", err) : 0;
}

static int read_etag(Listing *listing, Str text, Error *err)
{
    return s3_copy_etag(text, listing->stat.etag, err);
}

static int end_object(Listing *listing, Str text, Error *err)
{
    (void)text;
    Str key = buf_str(&listing->key);
    if (key.n == 0 || !listing->has_size || !listing->stat.etag[0])
        return bad_list("an object without key, size or tag", err);
    if (!str_starts(key, str_of(listing->prefix)))
        return bad_list("a key that does not belong to it", err);
    if (listing->last.len > 0 && str_cmp(buf_str(&listing->last), key) >= 0)
        return bad_list("keys out of order", err);
    buf_reset(&listing->last);
    buf_add_str(&listing->last, key);
    listing->n_objects++;
    int result = listing->each(listing->context, listing->last.data, &listing->stat, err);
    buf_reset(&listing->key);
    listing->has_size = false;
    listing->stat = (StoreStat){.size = 0};
    return result;
}

static int read_truncated(Listing *listing, Str text, Error *err)
{
    listing->is_truncated = str_eqz(text, "true");
    if (!listing->is_truncated && !str_eqz(text, "false"))
        return bad_list("no clear end", err);
    return 0;
}

static int read_token(Listing *listing, Str text, Error *err)
{
    buf_reset(&listing->token);
    buf_add_str(&listing->token, text);
    return buf_check(&listing->token, "the mark of the next page", err);
}

static int end_list(Listing *listing, Str text, Error *err)
{
    (void)text;
    (void)err;
    listing->is_list = true;
    return 0;
}

typedef struct ElementRow {
    const char *path;
    int (*read)(Listing *listing, Str text, Error *err);
} ElementRow;

/* clang-format off */
static const ElementRow elements[] = {
    { "ListBucketResult/Contents/Key",           read_key },
    { "ListBucketResult/Contents/Size",          read_size },
    { "ListBucketResult/Contents/LastModified",  read_modified },
    { "ListBucketResult/Contents/ETag",          read_etag },
    { "ListBucketResult/Contents",               end_object },
    { "ListBucketResult/IsTruncated",            read_truncated },
    { "ListBucketResult/NextContinuationToken",  read_token },
    { "ListBucketResult",                        end_list },
};
/* clang-format on */

static int on_list_element(void *context, Str path, Str text, Error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(elements); i++)
        if (str_eqz(path, elements[i].path))
            return elements[i].read(context, text, err);
    return 0;
}

static int list_page(S3 *s3, Listing *listing, bool only_direct, Error *err)
{
    auto_buf Buf query = BUF_INIT(QUERY_MAX);
    buf_addz(&query, "list-type=2");
    percent_add_pair(&query, STR("prefix"), str_of(listing->prefix));
    if (only_direct)
        percent_add_pair(&query, STR("delimiter"), STR("/"));
    if (listing->is_truncated)
        percent_add_pair(&query, STR("continuation-token"), buf_str(&listing->token));
    if (buf_check(&query, "the query of a list", err) < 0)
        return -1;
    auto_buf Buf page = BUF_INIT(PAGE_MAX);
    S3Sink sink = {.buf = &page};
    S3Call call = {.method = "GET", .query = query.data, .sink = &sink};
    S3Answer answer;
    if (s3_send(s3, &call, &answer, err) < 0)
        return -1;
    auto_free char *token = mem_strndup(listing->token.data, listing->token.len);
    listing->is_truncated = false;
    listing->is_list = false;
    listing->n_objects = 0;
    if (xml_read(buf_str(&page), on_list_element, listing, err) < 0)
        return -1;
    if (!listing->is_list)
        return error_set(err, ERR_BAD_DATA, "not the XML expected: no list of objects");
    /* At the first page both are empty when the answer has none. */
    if (listing->is_truncated && str_eqz(buf_str(&listing->token), token))
        return bad_list("no next page but goes on", err);
    return 0;
}

int s3_list(S3 *s3, const char *prefix, bool only_direct, StoreEach *each, void *context,
            Error *err)
{
    Listing listing = {.prefix = prefix,
                       .each = each,
                       .context = context,
                       .last = BUF_INIT(XML_TEXT_MAX),
                       .token = BUF_INIT(TOKEN_MAX),
                       .key = BUF_INIT(XML_TEXT_MAX)};
    int result = 0;
    int n_empty = 0;
    do {
        result = list_page(s3, &listing, only_direct, err);
        n_empty = listing.n_objects > 0 ? 0 : n_empty + 1;
        if (result == 0 && n_empty > EMPTY_PAGES_MAX)
            result = bad_list("too many pages without an object", err);
    } while (result == 0 && listing.is_truncated);
    buf_release(&listing.last);
    buf_release(&listing.token);
    buf_release(&listing.key);
    return result;
}

int s3_delete(S3 *s3, const char *key, Error *err)
{
    S3Answer answer;
    S3Call call = {.method = "DELETE", .key = key};
    int result = s3_send(s3, &call, &answer, err);
    if (answer.status != 404 || strcmp(answer.code, "NoSuchBucket") == 0)
        return result;
    error_reset(err);
    return 0;
}

/* Keys to delete in one request. */
typedef struct Batch {
    S3 *s3;
    Buf body;
    size_t n;
} Batch;

typedef struct Outcome {
    bool is_result;
    char code[S3_FIELD_MAX];
} Outcome;

static int on_delete_element(void *context, Str path, Str text, Error *err)
{
    (void)err;
    Outcome *outcome = context;
    if (str_eqz(path, "DeleteResult"))
        outcome->is_result = true;
    if (str_eqz(path, "DeleteResult/Error/Code") && !str_eqz(text, "NoSuchKey"))
        (void)snprintf(outcome->code, sizeof(outcome->code), "%.*s", text.n < 64 ? (int)text.n : 64,
                       text.p);
    return 0;
}

static int batch_read(const Batch *batch, Str answer, Error *err)
{
    Outcome outcome = {.is_result = false};
    if (xml_read(answer, on_delete_element, &outcome, err) < 0)
        return -1;
    if (!outcome.is_result)
        return error_set(err, ERR_BAD_DATA, "not the XML expected: no result of deleting");
    if (!outcome.code[0])
        return 0;
    ErrorKind kind = s3_kind_of_code(outcome.code);
    return error_set(err, kind == ERR_NONE ? ERR_FAILED : kind,
                     "s3://%s: some objects cannot be deleted%s", s3_bucket(batch->s3),
                     kind == ERR_DENIED ? ": access denied" : "");
}

static int batch_send(Batch *batch, Error *err)
{
    if (batch->n == 0)
        return 0;
    buf_addz(&batch->body, "</Delete>");
    if (buf_check(&batch->body, "a list of objects to delete", err) < 0)
        return -1;
    unsigned char digest[DIGEST_SIZE];
    auto_buf Buf sum = BUF_INIT(64);
    digest_sha256(buf_str(&batch->body), digest);
    digest_add_base64(&sum, (Str){(const char *)digest, sizeof(digest)});
    const Sigv4Header headers[] = {{"Content-Type", STR("application/xml")},
                                   {"x-amz-checksum-sha256", buf_str(&sum)},
                                   {"x-amz-sdk-checksum-algorithm", STR("SHA256")}};
    auto_buf Buf page = BUF_INIT(PAGE_MAX);
    S3Sink sink = {.buf = &page};
    S3Call call = {.method = "POST",
                   .query = "delete=",
                   .headers = headers,
                   .n_headers = ARRAY_LEN(headers),
                   .body = buf_str(&batch->body),
                   .sink = &sink};
    S3Answer answer;
    if (s3_send(batch->s3, &call, &answer, err) < 0)
        return -1;
    buf_reset(&batch->body);
    batch->n = 0;
    return batch_read(batch, buf_str(&page), err);
}

/* Control characters cannot be said in XML. */
static bool is_plain(const char *key)
{
    for (const char *c = key; *c; c++)
        if ((unsigned char)*c < 0x20)
            return false;
    return true;
}

static int batch_add(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    Batch *batch = context;
    if (!is_plain(key))
        return s3_delete(batch->s3, key, err);
    if (batch->n == 0)
        buf_addz(&batch->body, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                               "<Quiet>true</Quiet>");
    buf_addz(&batch->body, "<Object><Key>");
    xml_add_text(&batch->body, str_of(key));
    buf_addz(&batch->body, "</Key></Object>");
    batch->n++;
    return batch->n == BATCH_KEYS ? batch_send(batch, err) : 0;
}

int s3_delete_all(S3 *s3, const char *prefix, Error *err)
{
    Batch batch = {.s3 = s3, .body = BUF_INIT(BATCH_MAX)};
    int result = s3_list(s3, prefix, false, batch_add, &batch, err);
    if (result == 0)
        result = batch_send(&batch, err);
    buf_release(&batch.body);
    return result;
}
