/* Percent-encoding both ways. */

#include "codec/percent.h"

enum { NAME_MAX_BYTES = 1024 };

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void percent_encode(Buf *buf, Str s, const char *safe)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (is_unreserved(c) || (c != '\0' && strchr(safe, c)))
            buf_addc(buf, c);
        else
            buf_printf(buf, "%%%02X", (unsigned char)c);
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int percent_decode(Str s, bool is_query, Buf *ret, Error *err)
{
    size_t from = ret->len;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '+' && is_query) {
            buf_addc(ret, ' ');
            continue;
        }
        if (s.p[i] != '%') {
            buf_addc(ret, s.p[i]);
            continue;
        }
        int high = s.n - i > 2 ? hex_value(s.p[i + 1]) : -1;
        int low = s.n - i > 2 ? hex_value(s.p[i + 2]) : -1;
        if (high < 0 || low < 0)
            return error_set(err, ERR_BAD_DATA, "expected two hexadecimal digits behind '%%'");
        buf_addc(ret, (char)(high * 16 + low));
        i += 2;
    }
    if (buf_check(ret, "the decoded text", err) < 0)
        return -1;
    Str decoded = str_slice(buf_str(ret), from, ret->len);
    if (str_find(decoded, '\0') >= 0 || !str_is_utf8(decoded))
        return error_set(err, ERR_BAD_DATA, "expected percent escapes that make UTF-8 without NUL");
    return 0;
}

void percent_add_pair(Buf *buf, Str name, Str value)
{
    if (buf->len > 0 && buf->data[buf->len - 1] != '?' && buf->data[buf->len - 1] != '&')
        buf_addc(buf, '&');
    percent_encode(buf, name, "");
    buf_addc(buf, '=');
    percent_encode(buf, value, "");
}

bool percent_next_pair(Str *query, Str *ret_name, Str *ret_value)
{
    Str pair = STR_NONE;
    while (str_split(query, '&', &pair)) {
        if (pair.n == 0)
            continue;
        ptrdiff_t equals = str_find(pair, '=');
        *ret_name = equals < 0 ? pair : str_slice(pair, 0, (size_t)equals);
        *ret_value = equals < 0 ? str_slice(pair, pair.n, pair.n)
                                : str_slice(pair, (size_t)equals + 1, pair.n);
        return true;
    }
    return false;
}

int percent_query_get(Str query, const char *name, Buf *ret, bool *ret_found, Error *err)
{
    Str given = STR_NONE;
    Str value = STR_NONE;
    while (percent_next_pair(&query, &given, &value)) {
        /* A name too long to be one of ours is not worth decoding. */
        if (given.n > NAME_MAX_BYTES)
            continue;
        auto_buf Buf decoded = BUF_INIT(NAME_MAX_BYTES);
        if (percent_decode(given, true, &decoded, err) < 0)
            return -1;
        if (!str_eqz(buf_str(&decoded), name))
            continue;
        if (percent_decode(value, true, ret, err) < 0)
            return error_wrap(err, "%s", name);
        *ret_found = true;
        return 0;
    }
    *ret_found = false;
    return 0;
}
