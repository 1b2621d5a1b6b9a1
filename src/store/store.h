/* Store: named objects in a folder ("file:") or a bucket ("s3:"). Keys are relative paths such as
   "evals/<id>/<log>.eval"; what they mean is nobody's business here. */
#ifndef HAWK_STORE_STORE_H
#define HAWK_STORE_STORE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/source.h"
#include "base/str.h"

typedef struct Store Store;

enum { STORE_KEY_MAX = 1024, STORE_ETAG_MAX = 80, STORE_PUT_MAX = 64 << 20 };
#define STORE_FILE_MAX ((uint64_t)5 << 30) /* what a bucket takes at once */

typedef struct StoreStat {
    uint64_t size;
    int64_t modified_us;
    char etag[STORE_ETAG_MAX]; /* changes whenever the bytes do */
} StoreStat;

/* Opens "file:/folder" or "s3://bucket/prefix". Of a bucket, the environment tells the rest:
   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL_S3 or
   AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS. It is not asked before the first use. */
int store_open(const char *url, Store **ret, Error *err) HAWK_MUST_USE;
void store_close(Store *store);

/* Says what the calls of this thread to stores, and the sources that it opens, belong to from now
   on: a "traceparent" (W3C Trace Context, 3.2), which requests to a bucket then carry, for X-Ray
   too. NULL, or what is none: to nothing. */
void store_trace(const char *traceparent);

/* Whether a key is well-formed: parts of printable bytes other than '\\', none empty, "." or "..",
   none ending in the temporary suffix. Every other function refuses a key that is not, with
   ERR_USAGE. */
bool store_key_is_valid(Str key);

/* ERR_NOT_FOUND when the object is not there. A source never mixes the bytes of two versions of an
   object: it gives those that were there when it was opened or, in a bucket, ERR_CONFLICT once they
   are replaced. */
int store_stat(Store *store, const char *key, StoreStat *ret, Error *err) HAWK_MUST_USE;
int store_get(Store *store, const char *key, Buf *ret, Error *err) HAWK_MUST_USE;
int store_source(Store *store, const char *key, Source **ret, Error *err) HAWK_MUST_USE;

/* Copies an object into a new file, 0600, piece by piece. */
int store_copy_out(Store *store, const char *key, const char *path, Error *err) HAWK_MUST_USE;

/* Replaces the object in one step, durable when it returns. With only_new it fails with
   ERR_CONFLICT if it exists. A bucket takes up to STORE_PUT_MAX bytes. */
int store_put(Store *store, const char *key, Str bytes, bool only_new, Error *err) HAWK_MUST_USE;

/* Replaces an object that still is the one with this etag by the bytes of a file, in one step,
   durable when it returns. ERR_CONFLICT when it has changed, ERR_NOT_FOUND when it is gone. The
   file may be moved away or not, whatever comes of it. A bucket takes up to STORE_FILE_MAX
   bytes. */
int store_replace(Store *store, const char *key, const char *etag, const char *path,
                  Error *err) HAWK_MUST_USE;

/* As store_put, with the bytes of an open file, up to STORE_FILE_MAX, which nobody changes
   meanwhile. A file without a name (fs_open_unlinked) on the disk of a folder's store becomes the
   object without being copied. */
int store_put_file(Store *store, const char *key, int fd, Error *err) HAWK_MUST_USE;

/* Gives an object another key, over what is there; in a bucket by copying and deleting, so that for
   a moment it has both. ERR_NOT_FOUND when it is not there; unless etag is NULL, ERR_CONFLICT when
   it has another. */
int store_move(Store *store, const char *from, const char *to, const char *etag,
               Error *err) HAWK_MUST_USE;

/* Deletes one object, or all below a prefix; what is not there is no error. A prefix names a
   folder, with or without
   '/' at its end: "evals/a" does not mean "evals/ab". */
int store_delete(Store *store, const char *key, Error *err) HAWK_MUST_USE;
int store_delete_prefix(Store *store, const char *prefix, Error *err) HAWK_MUST_USE;

/* Calls each() for the objects below prefix ("" for all) in key order; recursive or only those
   directly below. A return of -1 from each() (with an error) stops it. */
typedef int StoreEach(void *context, const char *key, const StoreStat *stat, Error *err);
int store_list(Store *store, const char *prefix, bool recursive, StoreEach *each, void *context,
               Error *err) HAWK_MUST_USE;

/* Whether there is any object below prefix. */
int store_has_any(Store *store, const char *prefix, bool *ret, Error *err) HAWK_MUST_USE;

/* The local path of a key when the store is a folder, else NULL; the caller frees. For sendfile and
 * watching. */
char *store_local_path(const Store *store, const char *key) HAWK_MUST_USE;

/* The address of a key as users see it ("/folder/evals/x.eval", "s3://bucket/..."); the caller
 * frees. */
char *store_location(const Store *store, const char *key) HAWK_MUST_USE;

/* Appends an address at which anybody can read the object for some seconds (up to a week); nothing
   when the store is a folder. Whether the object is there is not looked at. */
int store_link(Store *store, const char *key, int seconds, Buf *ret, Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(Store, store, store_close)
#define auto_store HAWK_CLEANUP(store_cleanup_)

#endif
