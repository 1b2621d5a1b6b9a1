/* Numbers, escapes and UTF-8 of JSON. Plain loops: what has to be fast is in json_scan.c. */

#include "codec/json_lex.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

enum { SHOWN_CUT = 40, NUMBER_ON_STACK = 256, EXPONENT_MAX = 100000 };

static size_t digits(Str s, size_t i)
{
    size_t from = i;
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i - from;
}

size_t json_lex_number(Str s)
{
    size_t i = s.n > 0 && s.p[0] == '-' ? 1 : 0;
    if (i < s.n && s.p[i] == '0') {
        i++;
    } else {
        size_t n = digits(s, i);
        if (n == 0)
            return 0;
        i += n;
    }
    if (i < s.n && s.p[i] == '.') {
        size_t n = digits(s, i + 1);
        if (n == 0)
            return 0;
        i += 1 + n;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        size_t sign = i + 1 < s.n && (s.p[i + 1] == '+' || s.p[i + 1] == '-') ? 1 : 0;
        size_t n = digits(s, i + 1 + sign);
        if (n == 0)
            return 0;
        i += 1 + sign + n;
    }
    return i;
}

bool json_lex_is_number(Str s)
{
    return s.n > 0 && json_lex_number(s) == s.n;
}

bool json_lex_i64(Str number, int64_t *ret)
{
    return str_to_i64(number, INT64_MIN, INT64_MAX, ret) == 0;
}

/* Exact by construction: up to 2^53 times or divided by an exact power of ten rounds once. Returns
   false when the number is not that small. */
static bool small_double(Str s, double *ret)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    size_t i = s.p[0] == '-' ? 1 : 0;
    uint64_t mantissa = 0;
    int n_digits = 0;
    int exponent = 0;
    bool in_fraction = false;
    for (; i < s.n && s.p[i] != 'e' && s.p[i] != 'E'; i++) {
        if (s.p[i] == '.') {
            in_fraction = true;
            continue;
        }
        mantissa = mantissa * 10 + (uint64_t)(s.p[i] - '0');
        n_digits += mantissa != 0;
        exponent -= in_fraction;
        if (n_digits > 18 || exponent < -EXPONENT_MAX)
            return false;
    }
    if (i < s.n) {
        int64_t written = 0;
        size_t plus = i + 1 < s.n && s.p[i + 1] == '+' ? 1 : 0;
        if (str_to_i64(str_slice(s, i + 1 + plus, s.n), -EXPONENT_MAX, EXPONENT_MAX, &written) < 0)
            return false;
        exponent += (int)written;
    }
    if (mantissa > (UINT64_C(1) << 53) || exponent < -22 || exponent > 22)
        return false;
    double value =
        exponent < 0 ? (double)mantissa / powers[-exponent] : (double)mantissa * powers[exponent];
    *ret = s.p[0] == '-' ? -value : value;
    return true;
}

double json_lex_double(Str number)
{
    double value = 0;
    if (number.n == 0 || small_double(number, &value))
        return value;
    /* strtod wants a NUL behind the digits. Out of range it returns infinity or the nearest tiny
     * number. */
    char small[NUMBER_ON_STACK];
    auto_free char *large = number.n < sizeof(small) ? NULL : mem_alloc(number.n + 1);
    char *text = large ? large : small;
    memcpy(text, number.p, number.n);
    text[number.n] = '\0';
    return strtod(text, NULL);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four hexadecimal digits at s.p[i], or -1. */
static int32_t hex4(Str s, size_t i)
{
    if (s.n < 4 || i > s.n - 4)
        return -1;
    int32_t value = 0;
    for (size_t k = 0; k < 4; k++) {
        int digit = hex_digit(s.p[i + k]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

size_t json_lex_put_utf8(uint32_t code, char *dst)
{
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        dst[0] = (char)(0xC0 | code >> 6);
        dst[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        dst[0] = (char)(0xE0 | code >> 12);
        dst[1] = (char)(0x80 | (code >> 6 & 0x3F));
        dst[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    dst[0] = (char)(0xF0 | code >> 18);
    dst[1] = (char)(0x80 | (code >> 12 & 0x3F));
    dst[2] = (char)(0x80 | (code >> 6 & 0x3F));
    dst[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* Reads the escape \uXXXX at body.p[*i], a pair of them when they are surrogates, and moves behind
 * it. */
static uint32_t unicode_escape(Str body, size_t *i)
{
    int32_t code = hex4(body, *i + 2);
    *i += 6;
    if (code < 0)
        return 0xFFFD;
    if (code < 0xD800 || code > 0xDFFF)
        return (uint32_t)code;
    if (code > 0xDBFF || *i + 6 > body.n || body.p[*i] != '\\' || body.p[*i + 1] != 'u')
        return 0xFFFD;
    int32_t low = hex4(body, *i + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0xFFFD;
    *i += 6;
    return 0x10000 + ((uint32_t)(code - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
}

static char short_escape(char c)
{
    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
    }
}

size_t json_lex_unescape(Str body, char *dst)
{
    size_t out = 0;
    size_t i = 0;
    while (i < body.n) {
        const char *slash = memchr(body.p + i, '\\', body.n - i);
        size_t plain = (slash ? (size_t)(slash - body.p) : body.n) - i;
        memcpy(dst + out, body.p + i, plain);
        out += plain;
        i += plain;
        if (i + 1 >= body.n)
            break;
        if (body.p[i + 1] == 'u') {
            out += json_lex_put_utf8(unicode_escape(body, &i), dst + out);
        } else {
            dst[out++] = short_escape(body.p[i + 1]);
            i += 2;
        }
    }
    return out;
}

const char *json_lex_show(Str s, char shown[JSON_LEX_SHOWN_MAX])
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t out = 0;
    size_t i = 0;
    while (i < s.n && out < SHOWN_CUT) {
        size_t len = str_utf8_char((Str){s.p + i, s.n - i});
        bool is_control =
            len == 0 || p[i] < 0x20 || p[i] == 0x7F || (p[i] == 0xC2 && p[i + 1] < 0xA0);
        if (is_control)
            shown[out++] = '?';
        else
            for (size_t k = 0; k < len; k++)
                shown[out++] = s.p[i + k];
        i += len ? len : 1;
    }
    memcpy(shown + out, i < s.n ? "..." : "", i < s.n ? 4 : 1);
    return shown;
}
