/* Checks keys and hands over to the kind of store that the URL names. */

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "store/store_priv.h"

static const StoreKind *const kinds[] = {
    &store_kind_file,
    &store_kind_s3,
};

/* A handler reaches the store through code that knows of no requests, hence by its thread. */
static _Thread_local char trace[STORE_TRACE_MAX];

enum { PART_MAX = 255, COPY_STEP = 1 << 20 };

static bool part_is_valid(Str part)
{
    if (part.n == 0 || part.n > PART_MAX || str_eq(part, STR(".")) || str_eq(part, STR("..")))
        return false;
    if (str_ends(part, STR(STORE_TEMPORARY)))
        return false;
    for (size_t i = 0; i < part.n; i++) {
        unsigned char c = (unsigned char)part.p[i];
        if (c < 0x20 || c == 0x7f || c == '\\')
            return false;
    }
    return true;
}

void store_trace(const char *traceparent)
{
    size_t n = traceparent ? strlen(traceparent) : 0;
    bool fits = n == STORE_TRACE_MAX - 1;
    memcpy(trace, fits ? traceparent : "", fits ? n + 1 : 1);
}

const char *store_priv_trace(void)
{
    return trace;
}

bool store_key_is_valid(Str key)
{
    if (!key.p || key.n == 0 || key.n > STORE_KEY_MAX || !str_is_utf8(key))
        return false;
    Str rest = key;
    Str part = STR_NONE;
    while (str_split(&rest, '/', &part))
        if (!part_is_valid(part))
            return false;
    return true;
}

static int check_key(const char *key, Error *err)
{
    if (!store_key_is_valid(str_of(key)))
        return error_set(err, ERR_USAGE, "the name of an object is not well-formed");
    return 0;
}

/* A prefix without the '/' at its end; the empty one stands for the whole store. */
static int trim_prefix(const char *prefix, char **ret, Error *err)
{
    Str text = str_of(prefix);
    if (str_ends(text, STR("/")))
        text.n--;
    auto_free char *trimmed = mem_strndup(text.p, text.n);
    if (text.n > 0 && check_key(trimmed, err) < 0)
        return -1;
    *ret = TAKE(trimmed);
    return 0;
}

int store_open(const char *url, Store **ret, Error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_starts(str_of(url), str_of(kinds[i]->scheme)))
            return kinds[i]->open(url, ret, err);
    (void)error_set(err, ERR_UNSUPPORTED, "the address of the store is of no known kind");
    return error_fix(err, "use file:/path/to/folder or s3://bucket/prefix");
}

void store_close(Store *store)
{
    if (store)
        store->kind->close(store);
}

int store_stat(Store *store, const char *key, StoreStat *ret, Error *err)
{
    return check_key(key, err) < 0 ? -1 : store->kind->stat(store, key, ret, err);
}

int store_get(Store *store, const char *key, Buf *ret, Error *err)
{
    return check_key(key, err) < 0 ? -1 : store->kind->get(store, key, ret, err);
}

int store_source(Store *store, const char *key, Source **ret, Error *err)
{
    return check_key(key, err) < 0 ? -1 : store->kind->source(store, key, ret, err);
}

int store_put(Store *store, const char *key, Str bytes, bool only_new, Error *err)
{
    return check_key(key, err) < 0 ? -1 : store->kind->put(store, key, bytes, only_new, err);
}

int store_replace(Store *store, const char *key, const char *etag, const char *path, Error *err)
{
    return check_key(key, err) < 0 ? -1 : store->kind->replace(store, key, etag, path, err);
}

int store_put_file(Store *store, const char *key, int fd, Error *err)
{
    struct stat st;
    if (check_key(key, err) < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot look at the bytes of %s", key);
    uint64_t size = (uint64_t)st.st_size;
    if (size > STORE_FILE_MAX)
        return error_set(err, ERR_BAD_DATA, "%s is over the limit of %llu bytes", key,
                         (unsigned long long)STORE_FILE_MAX);
    return store->kind->put_file(store, key, fd, size, err);
}

int store_move(Store *store, const char *from, const char *to, const char *etag, Error *err)
{
    if (check_key(from, err) < 0 || check_key(to, err) < 0)
        return -1;
    return store->kind->move(store, from, to, etag, err);
}

int store_delete(Store *store, const char *key, Error *err)
{
    return check_key(key, err) < 0 ? -1 : store->kind->remove(store, key, err);
}

int store_delete_prefix(Store *store, const char *prefix, Error *err)
{
    auto_free char *trimmed = NULL;
    if (trim_prefix(prefix, &trimmed, err) < 0)
        return -1;
    if (!*trimmed)
        return error_set(err, ERR_USAGE, "a store is not emptied as a whole");
    return store->kind->remove_prefix(store, trimmed, err);
}

int store_list(Store *store, const char *prefix, bool recursive, StoreEach *each, void *context,
               Error *err)
{
    auto_free char *trimmed = NULL;
    if (trim_prefix(prefix, &trimmed, err) < 0)
        return -1;
    return store->kind->list(store, trimmed, recursive, each, context, err);
}

int store_link(Store *store, const char *key, int seconds, Buf *ret, Error *err)
{
    return check_key(key, err) < 0 ? -1 : store->kind->link(store, key, seconds, ret, err);
}

char *store_local_path(const Store *store, const char *key)
{
    return store_key_is_valid(str_of(key)) ? store->kind->local_path(store, key) : NULL;
}

char *store_location(const Store *store, const char *key)
{
    return store->kind->location(store, key);
}

int store_copy_out(Store *store, const char *key, const char *path, Error *err)
{
    auto_source Source *source = NULL;
    if (store_source(store, key, &source, err) < 0)
        return -1;
    auto_fd int fd = fs_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600, err);
    if (fd < 0)
        return -1;
    auto_free char *step = mem_alloc(COPY_STEP);
    for (uint64_t at = 0; at < source->size;) {
        size_t n = source->size - at < COPY_STEP ? (size_t)(source->size - at) : COPY_STEP;
        if (source_read_at(source, at, step, n, err) < 0 || fs_write_all(fd, step, n, err) < 0)
            return -1;
        at += n;
    }
    return 0;
}

static int note_object(void *context, const char *key, const StoreStat *stat, Error *err)
{
    bool *found = context;
    (void)key;
    (void)stat;
    *found = true;
    return error_set(err, ERR_CANCELLED, "one is enough");
}

int store_has_any(Store *store, const char *prefix, bool *ret, Error *err)
{
    bool found = false;
    auto_error Error looking = ERROR_INIT;
    if (store_list(store, prefix, true, note_object, &found, &looking) < 0 && !found)
        return error_move(err, &looking);
    *ret = found;
    return 0;
}
