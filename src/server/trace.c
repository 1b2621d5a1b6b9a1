/* Ids are lower-case hexadecimal and not all zeros. */

#include "server/trace.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"

static bool is_id(Str text, size_t n)
{
    bool is_zero = true;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        is_zero = is_zero && c == '0';
    }
    return text.n == n && !is_zero;
}

static void copy(char *ret, Str text)
{
    memcpy(ret, text.p, text.n);
    ret[text.n] = '\0';
}

/* version-id-parent-flags; later versions may have more behind that (W3C Trace Context, 3.2). */
static bool read_traceparent(Str text, Trace *ret)
{
    Str rest = text;
    Str version = STR_NONE;
    Str id = STR_NONE;
    Str parent = STR_NONE;
    Str flags = STR_NONE;
    if (!str_split(&rest, '-', &version) || !str_split(&rest, '-', &id) ||
        !str_split(&rest, '-', &parent) || !str_split(&rest, '-', &flags))
        return false;
    if (version.n != 2 || str_eqz(version, "ff") || (str_eqz(version, "00") && rest.p) ||
        !is_id(id, TRACE_ID_MAX - 1) || !is_id(parent, TRACE_SPAN_MAX - 1) || flags.n != 2)
        return false;
    char low = flags.p[1];
    int digit = low >= '0' && low <= '9'   ? low - '0'
                : low >= 'a' && low <= 'f' ? low - 'a' + 10
                                           : 0;
    *ret = (Trace){.is_sampled = (digit & 1) != 0};
    copy(ret->id, id);
    copy(ret->parent, parent);
    return true;
}

/* Root=1-<8>-<24>;Parent=<16>;Sampled=1, in any order; only Root is needed. */
static bool read_xray(Str text, Trace *ret)
{
    Trace trace = {.is_sampled = true};
    Str rest = text;
    Str field = STR_NONE;
    while (str_split(&rest, ';', &field)) {
        Str value = str_trim(field);
        Str name = STR_NONE;
        if (!str_split(&value, '=', &name) || !value.p)
            continue;
        if (str_eqz(name, "Root") && value.n == 35 && str_starts(value, STR("1-")) &&
            value.p[10] == '-') {
            Str begun = str_slice(value, 2, 10);
            Str unique = str_slice(value, 11, 35);
            if (!is_id(unique, 24) || !is_id(begun, 8))
                return false;
            copy(trace.id, begun);
            copy(trace.id + begun.n, unique);
        } else if (str_eqz(name, "Parent") && is_id(value, TRACE_SPAN_MAX - 1)) {
            copy(trace.parent, value);
        } else if (str_eqz(name, "Sampled")) {
            trace.is_sampled = !str_eqz(value, "0");
        }
    }
    if (!trace.id[0])
        return false;
    *ret = trace;
    return true;
}

bool trace_read(Str traceparent, Str xray, Trace *ret)
{
    return (traceparent.p && read_traceparent(traceparent, ret)) ||
           (xray.p && read_xray(xray, ret));
}

static void random_hex(char *ret, size_t n_digits)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[TRACE_ID_MAX / 2];
    random_bytes(bytes, n_digits / 2);
    bytes[0] |= 1; /* never all zeros */
    for (size_t i = 0; i < n_digits; i++)
        ret[i] = digits[i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4];
    ret[n_digits] = '\0';
}

void trace_begin(Trace *ret)
{
    *ret = (Trace){.is_sampled = true};
    random_hex(ret->id, TRACE_ID_MAX - 1);
}

void trace_span(char ret[TRACE_SPAN_MAX])
{
    random_hex(ret, TRACE_SPAN_MAX - 1);
}

void trace_write(const Trace *trace, const char *span, char ret[TRACE_PARENT_MAX])
{
    (void)snprintf(ret, TRACE_PARENT_MAX, "00-%s-%s-%02x", trace->id, span, trace->is_sampled);
}
