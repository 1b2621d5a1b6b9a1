/* Reads the slices that the scanner gave: strings, numbers, words, and members of small objects. */

#include <math.h>

#include "base/mem.h"
#include "codec/json_lex.h"
#include "codec/json_scan_priv.h"

JsonScanKind json_scan_kind_at(const char *p, const char *end)
{
    if (p == end)
        return JSON_SCAN_NONE;
    switch (*p) {
    case 'n': return JSON_SCAN_NULL;
    case 't':
    case 'f': return JSON_SCAN_BOOL;
    case '"': return JSON_SCAN_STRING;
    case '[': return JSON_SCAN_ARRAY;
    case '{': return JSON_SCAN_OBJECT;
    case 'N':
    case 'I':
    case '-': return JSON_SCAN_NUMBER;
    default: return *p >= '0' && *p <= '9' ? JSON_SCAN_NUMBER : JSON_SCAN_NONE;
    }
}

JsonScanKind json_scan_kind_of(Str raw)
{
    if (raw.n > 1 && raw.p[0] == '-' && raw.p[1] == 'I')
        return JSON_SCAN_NUMBER;
    return raw.n > 0 ? json_scan_kind_at(raw.p, raw.p + raw.n) : JSON_SCAN_NONE;
}

static bool is_quoted(Str raw)
{
    return raw.n >= 2 && raw.p[0] == '"' && raw.p[raw.n - 1] == '"';
}

bool json_scan_str(Str raw, Arena *arena, Str *ret)
{
    if (!is_quoted(raw))
        return false;
    Str body = str_slice(raw, 1, raw.n - 1);
    if (str_find(body, '\\') >= 0) {
        char *copy = arena_alloc(arena, body.n + 1);
        body = (Str){copy, json_lex_unescape(body, copy)};
    }
    *ret = body;
    return true;
}

bool json_scan_add_str(Str raw, Buf *buf)
{
    if (!is_quoted(raw))
        return false;
    Str body = str_slice(raw, 1, raw.n - 1);
    if (str_find(body, '\\') < 0) {
        buf_add_str(buf, body);
        return true;
    }
    char *room = buf_room(buf, body.n);
    if (room)
        buf_grew(buf, json_lex_unescape(body, room));
    return true;
}

bool json_scan_i64(Str raw, int64_t *ret)
{
    return json_lex_is_number(raw) && json_lex_i64(raw, ret);
}

bool json_scan_double(Str raw, double *ret)
{
    if (json_lex_is_number(raw))
        *ret = json_lex_double(raw);
    else if (str_eqz(raw, "NaN"))
        *ret = (double)NAN;
    else if (str_eqz(raw, "Infinity"))
        *ret = (double)INFINITY;
    else if (str_eqz(raw, "-Infinity"))
        *ret = (double)-INFINITY;
    else
        return false;
    return true;
}

bool json_scan_bool(Str raw, bool *ret)
{
    if (!str_eqz(raw, "true") && !str_eqz(raw, "false"))
        return false;
    *ret = raw.p[0] == 't';
    return true;
}

bool json_scan_key_eq(Str key, const char *name)
{
    size_t n = strlen(name);
    if (key.n == n)
        return memcmp(key.p, name, n) == 0 && !memchr(name, '\\', n);
    /* Six bytes of an escape stand for one at least. */
    if (key.n < n || key.n > n * 6 || str_find(key, '\\') < 0)
        return false;
    auto_free char *plain = mem_alloc(key.n + 1);
    size_t len = json_lex_unescape(key, plain);
    return len == n && memcmp(plain, name, n) == 0;
}

Str json_scan_key_raw(Str key)
{
    return (Str){key.p - 1, key.n + 2};
}

bool json_scan_key_str(Str key, Arena *arena, Str *ret)
{
    return json_scan_str(json_scan_key_raw(key), arena, ret);
}

bool json_scan_get(Str raw, const char *name, Str *ret_raw)
{
    if (json_scan_kind_of(raw) != JSON_SCAN_OBJECT)
        return false;
    JsonScan scan;
    json_scan_init(&scan, raw, true);
    bool is_found = false;
    Str key = STR_NONE;
    (void)json_scan_object(&scan);
    while (json_scan_member(&scan, &key))
        if (json_scan_key_eq(key, name))
            is_found = json_scan_skip(&scan, ret_raw) || is_found;
    return is_found;
}
