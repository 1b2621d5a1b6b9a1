/* What a kind of store provides to store.c, which has checked every key and prefix. */
#ifndef HAWK_STORE_STORE_PRIV_H
#define HAWK_STORE_STORE_PRIV_H

#include "store/store.h"

typedef struct StoreKind {
    const char *scheme; /* what its URLs begin with */
    int (*open)(const char *url, Store **ret, Error *err);
    void (*close)(Store *store);
    int (*stat)(Store *store, const char *key, StoreStat *ret, Error *err);
    int (*get)(Store *store, const char *key, Buf *ret, Error *err);
    int (*source)(Store *store, const char *key, Source **ret, Error *err);
    int (*put)(Store *store, const char *key, Str bytes, bool only_new, Error *err);
    int (*replace)(Store *store, const char *key, const char *etag, const char *path, Error *err);
    int (*put_file)(Store *store, const char *key, int fd, uint64_t size, Error *err);
    int (*move)(Store *store, const char *from, const char *to, const char *etag, Error *err);
    int (*remove)(Store *store, const char *key, Error *err);
    int (*remove_prefix)(Store *store, const char *prefix, Error *err); /* without '/' at the end */
    int (*list)(Store *store, const char *prefix, bool recursive, StoreEach *each, void *context,
                Error *err);
    int (*link)(Store *store, const char *key, int seconds, Buf *ret, Error *err);
    char *(*local_path)(const Store *store, const char *key);
    char *(*location)(const Store *store, const char *key);
} StoreKind;

/* First member of every kind's store. */
struct Store {
    const StoreKind *kind;
};

enum { STORE_TRACE_MAX = 56 };

/* What store_trace said last on this thread; "" when nothing. */
const char *store_priv_trace(void);

/* Names that end so are half-written objects and are never shown. */
#define STORE_TEMPORARY ".hawk-tmp"

extern const StoreKind store_kind_file;
extern const StoreKind store_kind_s3;

#endif
