/* Views of text: comparing, cutting, checked number parsing. */

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

enum { DISTANCE_MAX = 64, NUMBER_MAX = 64 };

bool str_eq(Str a, Str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eqz(Str a, const char *b)
{
    return str_eq(a, str_of(b));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(Str a, Str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

int str_cmp(Str a, Str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(Str s, Str prefix)
{
    return s.n >= prefix.n && str_eq(str_slice(s, 0, prefix.n), prefix);
}

bool str_ends(Str s, Str suffix)
{
    return s.n >= suffix.n && str_eq(str_slice(s, s.n - suffix.n, s.n), suffix);
}

bool str_ends_path(Str path, Str end)
{
    return path.n > end.n && str_ends(path, end) && path.p[path.n - end.n - 1] == '/';
}

ptrdiff_t str_find(Str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t str_rfind(Str s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t str_find_str(Str s, Str needle)
{
    if (needle.n == 0)
        return 0;
    const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? at - s.p : -1;
}

Str str_slice(Str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return s.p ? (Str){s.p + from, to - from} : STR_NONE;
}

Str str_trim(Str s)
{
    while (s.n && isspace((unsigned char)s.p[0]))
        s = str_slice(s, 1, s.n);
    while (s.n && isspace((unsigned char)s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_split(Str *rest, char sep, Str *ret)
{
    if (!rest->p)
        return false;
    ptrdiff_t at = str_find(*rest, sep);
    if (at < 0) {
        *ret = *rest;
        *rest = STR_NONE;
    } else {
        *ret = str_slice(*rest, 0, (size_t)at);
        *rest = str_slice(*rest, (size_t)at + 1, rest->n);
    }
    return true;
}

int str_to_i64(Str s, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == s.n)
        return -1;
    int64_t value = 0;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        int digit = s.p[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return -1;
    }
    if (value < min || value > max)
        return -1;
    *ret = value;
    return 0;
}

int str_to_double(Str s, double *ret)
{
    char text[NUMBER_MAX];
    if (s.n == 0 || s.n >= sizeof(text))
        return -1;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789+-.eE", s.p[i]) || s.p[i] == '\0')
            return -1;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    char *end = NULL;
    errno = 0;
    double value = strtod(text, &end);
    if (end != text + s.n || !isfinite(value))
        return -1;
    *ret = value;
    return 0;
}

size_t str_utf8_char(Str s)
{
    if (s.n == 0)
        return 0;
    const unsigned char *p = (const unsigned char *)s.p;
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    size_t len = c >= 0xC2 && c <= 0xDF   ? 2
                 : (c & 0xF0) == 0xE0     ? 3
                 : c >= 0xF0 && c <= 0xF4 ? 4
                                          : 0;
    if (len == 0 || len > s.n)
        return 0;
    unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned char high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

size_t str_utf8_prefix(Str s)
{
    size_t i = 0;
    while (i < s.n) {
        uint64_t eight = 0;
        /* Most text is ASCII; the last eight bytes may have been looked at in part. */
        if (s.n >= sizeof(eight)) {
            size_t from = s.n - i >= sizeof(eight) ? i : s.n - sizeof(eight);
            memcpy(&eight, s.p + from, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i = from + sizeof(eight);
                continue;
            }
        }
        size_t len = str_utf8_char((Str){s.p + i, s.n - i});
        if (len == 0)
            return i;
        i += len;
    }
    return i;
}

bool str_is_utf8(Str s)
{
    return str_utf8_prefix(s) == s.n;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

size_t str_distance(Str a, Str b)
{
    if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
        return DISTANCE_MAX;
    size_t rows[3][DISTANCE_MAX + 1] = {0};
    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *row = rows[i % 3];
        const size_t *up = rows[(i + 2) % 3];
        const size_t *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t change = a.p[i - 1] == b.p[j - 1] ? 0 : 1;
            row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + change);
            bool swapped = i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1];
            if (swapped && up2[j - 2] + 1 < row[j])
                row[j] = up2[j - 2] + 1;
        }
    }
    return rows[a.n % 3][b.n];
}

bool str_is_uuid(Str s)
{
    enum { UUID_CHARS = 36 };
    if (s.n != UUID_CHARS)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        bool is_dash_due = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash_due ? c != '-' : !is_digit)
            return false;
    }
    return true;
}
