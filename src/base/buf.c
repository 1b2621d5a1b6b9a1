/* The growing byte buffer with a ceiling. */

#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SMALLEST = 64 };

char buf_empty[1];

char *buf_room(Buf *buf, size_t n)
{
    if (n > buf->max || buf->len > buf->max - n) {
        buf->overflowed = true;
        return NULL;
    }
    size_t wanted = buf->len + n + 1;
    if (wanted > buf->cap) {
        size_t cap = buf->cap + buf->cap / 2;
        if (cap < wanted)
            cap = wanted;
        if (cap < SMALLEST)
            cap = SMALLEST;
        buf->data = mem_resize(buf->cap ? buf->data : NULL, cap, 1);
        buf->cap = cap;
        buf->data[buf->len] = '\0';
    }
    return buf->data + buf->len;
}

/* Room for n more bytes, mostly there already. */
static inline char *room_for(Buf *buf, size_t n)
{
    bool has_room = n < buf->cap - buf->len && n <= buf->max - buf->len;
    return buf->cap && has_room ? buf->data + buf->len : buf_room(buf, n);
}

void buf_grew(Buf *buf, size_t n)
{
    assert(buf->cap > buf->len + n || n == 0);
    buf->len += n;
    if (buf->cap)
        buf->data[buf->len] = '\0';
}

void buf_add(Buf *buf, const void *data, size_t n)
{
    if (n == 0 || buf->overflowed)
        return;
    char *room = room_for(buf, n);
    if (!room)
        return;
    memcpy(room, data, n);
    buf->len += n;
    room[n] = '\0';
}

void buf_add_str(Buf *buf, Str s)
{
    buf_add(buf, s.p, s.n);
}

void buf_addz(Buf *buf, const char *s)
{
    buf_add(buf, s, strlen(s));
}

void buf_addc(Buf *buf, char c)
{
    char *room = buf->overflowed ? NULL : room_for(buf, 1);
    if (!room)
        return;
    room[0] = c;
    room[1] = '\0';
    buf->len++;
}

/* By hand: most of an answer with many numbers would else be spent in printf. */
void buf_add_i64(Buf *buf, int64_t value)
{
    enum { DIGITS_MAX = 20 };
    char text[DIGITS_MAX + 1];
    char *at = text + sizeof(text);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--at = '-';
    buf_add(buf, at, (size_t)(text + sizeof(text) - at));
}

void buf_printf(Buf *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_vprintf(buf, fmt, args);
    va_end(args);
}

void buf_vprintf(Buf *buf, const char *fmt, va_list args)
{
    if (buf->overflowed)
        return;
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    assert(n >= 0);
    char *room = buf_room(buf, (size_t)n);
    if (room) {
        (void)vsnprintf(room, (size_t)n + 1, fmt, again);
        buf_grew(buf, (size_t)n);
    }
    va_end(again);
}

void buf_consume(Buf *buf, size_t n)
{
    assert(n <= buf->len);
    if (n == 0)
        return;
    memmove(buf->data, buf->data + n, buf->len - n);
    buf_truncate(buf, buf->len - n);
}

void buf_truncate(Buf *buf, size_t len)
{
    assert(len <= buf->len);
    buf->len = len;
    if (buf->cap)
        buf->data[len] = '\0';
}

int buf_check(const Buf *buf, const char *what, Error *err)
{
    if (!buf->overflowed)
        return 0;
    return error_set(err, ERR_BAD_DATA, "%s is over the limit of %zu bytes", what, buf->max);
}

Str buf_str(const Buf *buf)
{
    return (Str){buf->data, buf->len};
}

char *buf_take(Buf *buf)
{
    char *data = buf->cap ? buf->data : mem_alloc(1);
    *buf = BUF_INIT(buf->max);
    return data;
}

void buf_reset(Buf *buf)
{
    buf_truncate(buf, 0);
    buf->overflowed = false;
}

void buf_release(Buf *buf)
{
    if (buf->cap)
        free(buf->data);
    *buf = BUF_INIT(buf->max);
}
