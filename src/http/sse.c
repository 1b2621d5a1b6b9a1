/* Frames of server-sent events. */

#include "http/sse.h"

/* One "name: value" line; a line break inside would start a field of the sender's choosing. */
static void add_line(Buf *buf, const char *name, Str value)
{
    buf_addz(buf, name);
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] != '\n' && value.p[i] != '\r' && value.p[i] != '\0')
            buf_addc(buf, value.p[i]);
    buf_addc(buf, '\n');
}

/* The length of the first line of s, and in *ret_skip that of its end (CR LF, LF or CR). */
static size_t line_length(Str s, size_t *ret_skip)
{
    size_t n = 0;
    while (n < s.n && s.p[n] != '\n' && s.p[n] != '\r')
        n++;
    *ret_skip = n == s.n ? 0 : 1;
    if (n + 1 < s.n && s.p[n] == '\r' && s.p[n + 1] == '\n')
        *ret_skip = 2;
    return n;
}

void sse_add_event(Buf *buf, Str id, Str event, Str data)
{
    if (id.p)
        add_line(buf, "id: ", id);
    if (event.p)
        add_line(buf, "event: ", event);
    size_t skip = 1;
    for (Str rest = data; rest.p && skip > 0;) {
        size_t n = line_length(rest, &skip);
        buf_addz(buf, "data: ");
        buf_add(buf, rest.p, n);
        buf_addc(buf, '\n');
        rest = str_slice(rest, n + skip, rest.n);
    }
    buf_addc(buf, '\n');
}

void sse_add_comment(Buf *buf, Str text)
{
    add_line(buf, ": ", text);
    buf_addc(buf, '\n');
}

void sse_add_retry(Buf *buf, int retry_ms)
{
    buf_printf(buf, "retry: %d\n\n", retry_ms);
}
