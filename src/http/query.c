/* Query strings and cookies. */

#include "http/query.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte of "%XX" at s.p[i], or -1. */
static int escaped_byte(Str s, size_t i)
{
    if (s.p[i] != '%' || s.n - i < 3)
        return -1;
    int high = hex_digit(s.p[i + 1]);
    int low = hex_digit(s.p[i + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

Str query_decode(Arena *arena, Str s, bool plus_is_space)
{
    if (str_find(s, '%') < 0 && (!plus_is_space || str_find(s, '+') < 0))
        return s;
    char *text = arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int byte = escaped_byte(s, i);
        if (byte >= 0) {
            text[n++] = (char)byte;
            i += 2;
        } else if (s.p[i] == '+' && plus_is_space) {
            text[n++] = ' ';
        } else {
            text[n++] = s.p[i];
        }
    }
    return (Str){text, n};
}

Str query_param(Arena *arena, Str query, Str name, size_t n)
{
    Str rest = query;
    Str pair = STR_NONE;
    while (str_split(&rest, '&', &pair)) {
        ptrdiff_t equals = str_find(pair, '=');
        Str key = equals < 0 ? pair : str_slice(pair, 0, (size_t)equals);
        if (pair.n == 0 || !str_eq(query_decode(arena, key, true), name))
            continue;
        if (n == 0)
            return equals < 0
                       ? STR("")
                       : query_decode(arena, str_slice(pair, (size_t)equals + 1, pair.n), true);
        n--;
    }
    return STR_NONE;
}

Str query_cookie(Str header, Str name)
{
    Str rest = header;
    Str pair = STR_NONE;
    while (str_split(&rest, ';', &pair)) {
        ptrdiff_t equals = str_find(pair, '=');
        if (equals < 0 || !str_eq(str_trim(str_slice(pair, 0, (size_t)equals)), name))
            continue;
        Str value = str_trim(str_slice(pair, (size_t)equals + 1, pair.n));
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            return str_slice(value, 1, value.n - 1);
        return value;
    }
    return STR_NONE;
}
