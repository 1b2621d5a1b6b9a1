/* Buf: bytes that grow up to a maximum chosen where it is made.

   The bytes are always followed by a NUL that `len` does not count, so `data` is a C string when no
   NUL is inside. Adding past the maximum keeps the bytes there were, drops the rest and marks the
   buffer as overflowed; the mark stays until buf_reset, so a writer may add many times and ask once
   with buf_check. */
#ifndef HAWK_BASE_BUF_H
#define HAWK_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

typedef struct Buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool overflowed;
} Buf;

#define BUF_INIT(maximum) ((Buf){.data = buf_empty, .max = (maximum)})
#define auto_buf HAWK_CLEANUP(buf_release)

/* The shared empty string of buffers that own nothing yet; never written. */
extern char buf_empty[1];

/* Append bytes, a view, a C string, one byte, a number, or printf output. */
void buf_add(Buf *buf, const void *data, size_t n);
void buf_add_str(Buf *buf, Str s);
void buf_addz(Buf *buf, const char *s);
void buf_addc(Buf *buf, char c);
void buf_add_i64(Buf *buf, int64_t value);
void buf_printf(Buf *buf, const char *fmt, ...) HAWK_PRINTF(2, 3);
void buf_vprintf(Buf *buf, const char *fmt, va_list args) HAWK_PRINTF(2, 0);

/* Makes room for n more bytes and returns where they go, or NULL past the maximum; then buf_grew(n)
 * counts them. */
char *buf_room(Buf *buf, size_t n);
void buf_grew(Buf *buf, size_t n);

/* Drops the first n bytes, or all behind len. */
void buf_consume(Buf *buf, size_t n);
void buf_truncate(Buf *buf, size_t len);

/* 0, or -1 with ERR_BAD_DATA "<what> is over the limit of N bytes" when anything did not fit. */
int buf_check(const Buf *buf, const char *what, Error *err) HAWK_MUST_USE;

/* A view of the bytes, valid until the buffer changes. */
Str buf_str(const Buf *buf);

/* Hands the bytes over as a C string that the caller frees; the buffer is empty afterwards. */
char *buf_take(Buf *buf) HAWK_MUST_USE;

/* Empty for reuse, keeping the memory; or give the memory back. */
void buf_reset(Buf *buf);
void buf_release(Buf *buf);

#endif
