/* Values as Python writes them; pprint is in python_pprint.c. */

#include "codec/python_text.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "codec/json_lex.h"
#include "codec/json_scan.h"

enum { REAL_MAX = 40, STR_MAX_BYTES = 1 << 30, REPR_WHOLE_DIGITS = 16, REPR_LEAST_EXPONENT = -4 };

/* --- numbers --- */

/* The shortest digits that read back equal, and the exponent of the first. */
static size_t shortest_digits(double value, char digits[REAL_MAX], int *ret_exponent)
{
    char text[REAL_MAX];
    /* 15 digits are always kept, but by the smallest numbers, which have fewer. */
    for (int precision = fabs(value) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision - 1, fabs(value));
        if (strtod(text, NULL) == fabs(value))
            break;
    }
    size_t n = 0;
    const char *p = text;
    for (; *p && *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    assert(n > 0);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    *ret_exponent = (int)strtol(p + 1, NULL, 10);
    return n;
}

static void add_scientific(Buf *buf, const char *digits, size_t n, int exponent)
{
    buf_addc(buf, digits[0]);
    if (n > 1) {
        buf_addc(buf, '.');
        buf_add(buf, digits + 1, n - 1);
    }
    buf_printf(buf, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

static void add_positional(Buf *buf, const char *digits, size_t n, int exponent)
{
    if (exponent < 0) {
        buf_addz(buf, "0.");
        for (int i = -1; i > exponent; i--)
            buf_addc(buf, '0');
        buf_add(buf, digits, n);
        return;
    }
    size_t whole = (size_t)exponent + 1;
    for (size_t i = 0; i < whole; i++)
        buf_addc(buf, i < n ? digits[i] : '0');
    buf_addc(buf, '.');
    if (n > whole)
        buf_add(buf, digits + whole, n - whole);
    else
        buf_addc(buf, '0');
}

void python_text_real(Buf *buf, double value)
{
    char digits[REAL_MAX];
    int exponent = 0;
    if (!isfinite(value)) {
        buf_addz(buf, isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return;
    }
    size_t n = shortest_digits(value, digits, &exponent);
    if (signbit(value))
        buf_addc(buf, '-');
    if (exponent < REPR_LEAST_EXPONENT || exponent >= REPR_WHOLE_DIGITS)
        add_scientific(buf, digits, n, exponent);
    else
        add_positional(buf, digits, n, exponent);
}

/* Whole numbers have any length in Python; "-0" is 0 there. */
static void add_number(Buf *buf, Str raw, bool for_json)
{
    double value = 0;
    bool is_whole = str_find(raw, '.') < 0 && str_find(raw, 'e') < 0 && str_find(raw, 'E') < 0 &&
                    str_find(raw, 'N') < 0 && str_find(raw, 'I') < 0;
    if (is_whole) {
        buf_add_str(buf, str_eqz(raw, "-0") ? STR("0") : raw);
        return;
    }
    if (!json_scan_double(raw, &value))
        return;
    if (for_json && !isfinite(value))
        buf_addz(buf, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    else
        python_text_real(buf, value);
}

/* --- characters --- */

/* The code point at the start of s, which is not empty; a byte that is no UTF-8 stands for U+FFFD.
 */
static uint32_t code_point(Str s, size_t *ret_n)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = str_utf8_char(s);
    *ret_n = n ? n : 1;
    switch (n) {
    case 1: return p[0];
    case 2: return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    case 3: return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    case 4:
        return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    default: return 0xFFFD;
    }
}

typedef struct Range {
    uint32_t first;
    uint32_t last;
} Range;

/* clang-format off */
/* General categories Cc, Cf, Cs, Co, Zl, Zp and Zs of Unicode 14, but for the space. */
static const Range unprintable[] = {
    {0x0, 0x1F}, {0x7F, 0xA0}, {0xAD, 0xAD}, {0x600, 0x605}, {0x61C, 0x61C}, {0x6DD, 0x6DD}, {0x70F, 0x70F},
    {0x890, 0x891}, {0x8E2, 0x8E2}, {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200F}, {0x2028, 0x202F},
    {0x205F, 0x2064}, {0x2066, 0x206F}, {0x3000, 0x3000}, {0xD800, 0xF8FF}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB},
    {0x110BD, 0x110BD}, {0x110CD, 0x110CD}, {0x13430, 0x13438}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
    {0xE0001, 0xE0001}, {0xE0020, 0xE007F}, {0xF0000, 0xFFFFD}, {0x100000, 0x10FFFD},
};
static const Range spaces[] = {
    {0x9, 0xD}, {0x1C, 0x20}, {0x85, 0x85}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029},
    {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
};
/* clang-format on */

static bool is_in(const Range *ranges, size_t n, uint32_t code)
{
    for (size_t i = 0; i < n && ranges[i].first <= code; i++)
        if (code <= ranges[i].last)
            return true;
    return false;
}

size_t python_text_space(Str text)
{
    size_t n = 0;
    if (text.n == 0)
        return 0;
    return is_in(spaces, ARRAY_LEN(spaces), code_point(text, &n)) ? n : 0;
}

Str python_text_strip(Str text)
{
    for (size_t n = python_text_space(text); n > 0; n = python_text_space(text))
        text = str_slice(text, n, text.n);
    while (text.n > 0) {
        size_t at = text.n - 1;
        while (at > 0 && text.n - at < 4 && ((unsigned char)text.p[at] & 0xC0) == 0x80)
            at--;
        if (python_text_space(str_slice(text, at, text.n)) != text.n - at)
            break;
        text.n = at;
    }
    return text;
}

size_t python_text_length(Str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
    return n;
}

/* --- strings --- */

static void add_json_code(Buf *buf, uint32_t code)
{
    static const char plain[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    if (code >= ' ' && code <= '~' && code != '"' && code != '\\') {
        buf_addc(buf, (char)code);
        return;
    }
    for (const char *p = plain; *p; p += 2) {
        if (code == (unsigned char)p[0]) {
            buf_addc(buf, '\\');
            buf_addc(buf, p[1]);
            return;
        }
    }
    if (code >= 0x10000)
        buf_printf(buf, "\\u%04x\\u%04x", 0xD800 + ((code - 0x10000) >> 10),
                   0xDC00 + ((code - 0x10000) & 0x3FF));
    else
        buf_printf(buf, "\\u%04x", code);
}

void python_text_dumps_str(Buf *buf, Str text)
{
    size_t n = 0;
    buf_addc(buf, '"');
    for (size_t i = 0; i < text.n; i += n)
        add_json_code(buf, code_point(str_slice(text, i, text.n), &n));
    buf_addc(buf, '"');
}

static void add_repr_code(Buf *buf, Str text, uint32_t code, char quote)
{
    if (code == (unsigned char)quote || code == '\\') {
        buf_addc(buf, '\\');
        buf_addc(buf, (char)code);
    } else if (code == '\n' || code == '\r' || code == '\t') {
        buf_addz(buf, code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t");
    } else if (!is_in(unprintable, ARRAY_LEN(unprintable), code)) {
        buf_add_str(buf, text);
    } else if (code < 0x100) {
        buf_printf(buf, "\\x%02x", code);
    } else if (code < 0x10000) {
        buf_printf(buf, "\\u%04x", code);
    } else {
        buf_printf(buf, "\\U%08x", code);
    }
}

void python_text_repr_str(Buf *buf, Str text)
{
    char quote = str_find(text, '\'') >= 0 && str_find(text, '"') < 0 ? '"' : '\'';
    size_t n = 0;
    buf_addc(buf, quote);
    for (size_t i = 0; i < text.n; i += n) {
        uint32_t code = code_point(str_slice(text, i, text.n), &n);
        add_repr_code(buf, str_slice(text, i, i + n), code, quote);
    }
    buf_addc(buf, quote);
}

/* --- values --- */

typedef struct Style {
    const char *null_word;
    const char *true_word;
    const char *false_word;
    void (*add_str)(Buf *buf, Str text);
    bool is_json;
} Style;

static const Style json_style = {"null", "true", "false", python_text_dumps_str, true};
static const Style repr_style = {"None", "True", "False", python_text_repr_str, false};

/* A string slice with its quotes. */
static void add_string(Buf *buf, const Style *style, Str quoted)
{
    auto_buf Buf text = BUF_INIT(STR_MAX_BYTES);
    if (json_scan_add_str(quoted, &text))
        style->add_str(buf, buf_str(&text));
}

/* Depth is bounded by the scanner. */
static void add_value(Buf *buf, const Style *style, JsonScan *scan)
{
    Str key = STR_NONE;
    Str raw = STR_NONE;
    JsonScanKind kind = json_scan_kind(scan);
    if (kind == JSON_SCAN_OBJECT && json_scan_object(scan)) {
        buf_addc(buf, '{');
        for (bool is_first = true; json_scan_member(scan, &key); is_first = false) {
            buf_addz(buf, is_first ? "" : ", ");
            add_string(buf, style, json_scan_key_raw(key));
            buf_addz(buf, ": ");
            add_value(buf, style, scan);
        }
        buf_addc(buf, '}');
    } else if (kind == JSON_SCAN_ARRAY && json_scan_array(scan)) {
        buf_addc(buf, '[');
        for (bool is_first = true; json_scan_item(scan); is_first = false) {
            buf_addz(buf, is_first ? "" : ", ");
            add_value(buf, style, scan);
        }
        buf_addc(buf, ']');
    } else if (json_scan_skip(scan, &raw)) {
        bool flag = false;
        if (kind == JSON_SCAN_STRING)
            add_string(buf, style, raw);
        else if (kind == JSON_SCAN_NUMBER)
            add_number(buf, raw, style->is_json);
        else if (json_scan_bool(raw, &flag))
            buf_addz(buf, flag ? style->true_word : style->false_word);
        else
            buf_addz(buf, style->null_word);
    }
}

static void add_styled(Buf *buf, const Style *style, Str json)
{
    JsonScan scan;
    json_scan_init(&scan, json, true);
    add_value(buf, style, &scan);
}

void python_text_dumps(Buf *buf, Str json)
{
    add_styled(buf, &json_style, json);
}

void python_text_repr(Buf *buf, Str json)
{
    add_styled(buf, &repr_style, json);
}

void python_text_str(Buf *buf, Str json)
{
    if (json_scan_kind_of(json) != JSON_SCAN_STRING)
        python_text_repr(buf, json);
    else
        (void)json_scan_add_str(json, buf);
}
