/* The streaming writer. */

#include "codec/json_out.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/json_lex.h"

static void newline(JsonOut *out)
{
    if (out->indent == 0)
        return;
    buf_addc(out->buf, '\n');
    for (int i = 0; i < out->depth * out->indent; i++)
        buf_addc(out->buf, ' ');
}

/* What stands between the last thing written and the next item. */
static void before_item(JsonOut *out)
{
    if (out->after_key) {
        out->after_key = false;
        return;
    }
    if (out->depth == 0)
        return;
    if (out->has_items[out->depth])
        buf_addc(out->buf, ',');
    out->has_items[out->depth] = true;
    newline(out);
}

static void open_container(JsonOut *out, char bracket)
{
    before_item(out);
    assert(out->depth < JSON_OUT_DEPTH_MAX);
    buf_addc(out->buf, bracket);
    out->has_items[++out->depth] = false;
}

static void close_container(JsonOut *out, char bracket)
{
    assert(out->depth > 0 && !out->after_key);
    bool has_items = out->has_items[out->depth--];
    if (has_items)
        newline(out);
    buf_addc(out->buf, bracket);
}

void json_out_init(JsonOut *out, Buf *buf, int indent)
{
    out->buf = buf;
    out->indent = indent;
    out->depth = 0;
    out->has_items[0] = false;
    out->after_key = false;
}

void json_out_object(JsonOut *out)
{
    open_container(out, '{');
}

void json_out_array(JsonOut *out)
{
    open_container(out, '[');
}

void json_out_end_object(JsonOut *out)
{
    close_container(out, '}');
}

void json_out_end_array(JsonOut *out)
{
    close_container(out, ']');
}

static void add_escaped(Buf *buf, unsigned char c)
{
    static const char shorts[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (c == '"' || c == '\\') {
        buf_addc(buf, '\\');
        buf_addc(buf, (char)c);
    } else if (c < sizeof(shorts) && shorts[c]) {
        buf_addc(buf, '\\');
        buf_addc(buf, shorts[c]);
    } else {
        buf_printf(buf, "\\u%04x", c);
    }
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* Whether any of eight bytes is no ASCII or needs an escape; the high bit of a byte tells. A byte
   behind one that does may be told of wrongly, which does not matter. */
static bool is_any_special(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = ones * 0x80;
    uint64_t quote = eight ^ ones * '"';
    uint64_t backslash = eight ^ ones * '\\';
    uint64_t found = (eight - ones * 0x20) | (quote - ones) | (backslash - ones) | eight;
    return (found & highs) != 0;
}

/* Whether a text is ASCII that needs no escapes. */
static bool is_plain(Str s)
{
    size_t i = 0;
    for (; s.n - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
        uint64_t eight = 0;
        memcpy(&eight, s.p + i, sizeof(eight));
        if (is_any_special(eight))
            return false;
    }
    for (; i < s.n; i++)
        if (needs_escape((unsigned char)s.p[i]) || (unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* Adds bytes that are valid UTF-8. */
static void add_body(Buf *buf, Str s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!needs_escape((unsigned char)s.p[i]))
            continue;
        buf_add(buf, s.p + from, i - from);
        add_escaped(buf, (unsigned char)s.p[i]);
        from = i + 1;
    }
    if (from < s.n)
        buf_add(buf, s.p + from, s.n - from);
}

/* Most strings are plain, and are copied at once. */
static void add_plain(Buf *buf, Str s)
{
    char *room = buf->overflowed ? NULL : buf_room(buf, s.n + 2);
    if (!room)
        return;
    room[0] = '"';
    memcpy(room + 1, s.p, s.n);
    room[s.n + 1] = '"';
    buf_grew(buf, s.n + 2);
}

static void add_string(Buf *buf, Str s)
{
    if (s.n > 0 && is_plain(s)) {
        add_plain(buf, s);
        return;
    }
    buf_addc(buf, '"');
    while (s.n > 0) {
        size_t good = str_utf8_prefix(s);
        add_body(buf, str_slice(s, 0, good));
        if (good == s.n)
            break;
        buf_addz(buf, "\xEF\xBF\xBD");
        s = str_slice(s, good + 1, s.n);
    }
    buf_addc(buf, '"');
}

void json_out_key(JsonOut *out, Str key)
{
    assert(out->depth > 0 && !out->after_key);
    before_item(out);
    add_string(out->buf, key);
    buf_addz(out->buf, out->indent ? ": " : ":");
    out->after_key = true;
}

void json_out_raw(JsonOut *out, Str json)
{
    before_item(out);
    buf_add_str(out->buf, json);
}

void json_out_null(JsonOut *out)
{
    json_out_raw(out, STR("null"));
}

void json_out_bool(JsonOut *out, bool value)
{
    json_out_raw(out, value ? STR("true") : STR("false"));
}

void json_out_int(JsonOut *out, int64_t value)
{
    before_item(out);
    buf_add_i64(out->buf, value);
}

/* Writes a number of at most 15 digits that needs no exponent, as most are; false for any other.
   The quotient of two such whole numbers is the number that its digits stand for (both are exact,
   and division rounds once), so nothing has to be read back. */
static bool add_short_real(JsonOut *out, double value)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                    1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    double size = fabs(value);
    bool is_zero = size == 0 && !signbit(value);
    if ((size < 1e-4 && !is_zero) || size >= 1e15)
        return false;
    int n_behind = 0; /* digits behind the point */
    while (n_behind + 1 < (int)ARRAY_LEN(powers) && size * powers[n_behind + 1] < 1e15)
        n_behind++;
    double whole = rint(size * powers[n_behind]);
    if (whole >= 1e15 || whole / powers[n_behind] != size)
        return false;
    uint64_t digits = (uint64_t)whole;
    for (; n_behind > 1 && digits % 10 == 0; n_behind--)
        digits /= 10;
    if (n_behind == 0) { /* of 15 digits before the point */
        digits *= 10;
        n_behind = 1;
    }
    char text[40];
    char *at = text + sizeof(text);
    for (int i = 0; i <= n_behind || digits > 0; i++) {
        if (i == n_behind)
            *--at = '.';
        *--at = (char)('0' + digits % 10);
        digits /= 10;
    }
    if (value < 0)
        *--at = '-';
    json_out_raw(out, (Str){at, (size_t)(text + sizeof(text) - at)});
    return true;
}

void json_out_real(JsonOut *out, double value)
{
    if (!isfinite(value)) {
        json_out_null(out);
        return;
    }
    if (add_short_real(out, value))
        return;
    char text[40];
    /* 15 digits are always kept, but by the smallest numbers, which have fewer. */
    for (int precision = fabs(value) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    json_out_raw(out, str_of(text));
    if (!strpbrk(text, ".e"))
        buf_addz(out->buf, ".0");
}

void json_out_real_text(JsonOut *out, Str s)
{
    if (!json_lex_is_number(s)) {
        json_out_null(out);
        return;
    }
    json_out_raw(out, s);
    if (!memchr(s.p, '.', s.n) && !memchr(s.p, 'e', s.n))
        buf_addz(out->buf, ".0");
}

void json_out_str(JsonOut *out, Str s)
{
    if (!s.p) {
        json_out_null(out);
        return;
    }
    before_item(out);
    add_string(out->buf, s);
}

void json_out_time(JsonOut *out, int64_t instant_us)
{
    before_item(out);
    buf_addc(out->buf, '"');
    clock_add(out->buf, instant_us);
    buf_addc(out->buf, '"');
}

static void out_number(JsonOut *out, const Json *node)
{
    if (json_lex_is_number(node->text))
        json_out_raw(out, node->text);
    else if (node->type == JSON_INT)
        json_out_int(out, node->integer);
    else
        json_out_real(out, node->real);
}

static void out_object(JsonOut *out, const Json *node)
{
    json_out_object(out);
    for (const Json *child = node->first; child; child = child->next) {
        json_out_key(out, child->key);
        json_out_node(out, child);
    }
    json_out_end_object(out);
}

static void out_array(JsonOut *out, const Json *node)
{
    json_out_array(out);
    for (const Json *child = node->first; child; child = child->next)
        json_out_node(out, child);
    json_out_end_array(out);
}

void json_out_node(JsonOut *out, const Json *node)
{
    if (json_is_null(node)) {
        json_out_null(out);
        return;
    }
    switch (node->type) {
    case JSON_NULL: break;
    case JSON_BOOL: json_out_bool(out, node->boolean); break;
    case JSON_INT:
    case JSON_REAL: out_number(out, node); break;
    case JSON_STRING: json_out_str(out, node->text.p ? node->text : STR("")); break;
    case JSON_ARRAY: out_array(out, node); break;
    case JSON_OBJECT: out_object(out, node); break;
    }
}

void json_out_kv_null(JsonOut *out, const char *key)
{
    json_out_key(out, str_of(key));
    json_out_null(out);
}

void json_out_kv_bool(JsonOut *out, const char *key, bool value)
{
    json_out_key(out, str_of(key));
    json_out_bool(out, value);
}

void json_out_kv_int(JsonOut *out, const char *key, int64_t value)
{
    json_out_key(out, str_of(key));
    json_out_int(out, value);
}

void json_out_kv_real(JsonOut *out, const char *key, double value)
{
    json_out_key(out, str_of(key));
    json_out_real(out, value);
}

void json_out_kv_str(JsonOut *out, const char *key, Str s)
{
    json_out_key(out, str_of(key));
    json_out_str(out, s);
}

void json_out_kvz(JsonOut *out, const char *key, const char *s)
{
    json_out_kv_str(out, key, str_of(s));
}

void json_out_kv_time(JsonOut *out, const char *key, int64_t instant_us)
{
    json_out_key(out, str_of(key));
    json_out_time(out, instant_us);
}

void json_out_kv_node(JsonOut *out, const char *key, const Json *node)
{
    json_out_key(out, str_of(key));
    json_out_node(out, node);
}

void json_out_kv_object(JsonOut *out, const char *key)
{
    json_out_key(out, str_of(key));
    json_out_object(out);
}

void json_out_kv_array(JsonOut *out, const char *key)
{
    json_out_key(out, str_of(key));
    json_out_array(out);
}
