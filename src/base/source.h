/* Source: bytes that can be read by range (a file, an object of a store, memory). */
#ifndef HAWK_BASE_SOURCE_H
#define HAWK_BASE_SOURCE_H

#include <stdint.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

typedef struct Source Source;
struct Source {
    /* Reads exactly n bytes at offset; offset + n is within size. Safe to call from several threads
     * at once. */
    int (*read_at)(Source *source, uint64_t offset, void *data, size_t n, Error *err);
    void (*close)(Source *source);
    uint64_t size;
    size_t read_cost; /* a read costs as much as so many bytes; 0: no more than one of a file */
    char *name;       /* for messages */
};

/* Opens a file, or wraps bytes that outlive the source. The caller frees with source_close. */
int source_open_file(const char *path, Source **ret, Error *err) HAWK_MUST_USE;
Source *source_of_bytes(Str bytes, const char *name) HAWK_MUST_USE;

/* The first bytes of an open file, through a copy of the descriptor; the name is for messages. */
int source_of_fd(int fd, uint64_t size, const char *name, Source **ret, Error *err) HAWK_MUST_USE;

/* Reads exactly n bytes at offset; ERR_BAD_DATA when they are not all there. */
int source_read_at(Source *source, uint64_t offset, void *data, size_t n, Error *err) HAWK_MUST_USE;

/* Closes and frees; NULL is fine. */
void source_close(Source *source);

HAWK_DEFINE_AUTO(Source, source, source_close)
#define auto_source HAWK_CLEANUP(source_cleanup_)

#endif
