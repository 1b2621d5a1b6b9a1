/* Reads the text forms of PostgreSQL (its manual, "Date/Time Output", "Array Input and Output
   Syntax", "bytea Hex Format"). Everything comes from the server as text: a query can return types
   of any kind, and each has one. */

#include "codec/json_out.h"
#include "sql/sql_postgres_text_priv.h"

#define DAY_SECONDS INT64_C(86400)

/* Takes digits from the front; -1 when there are not between min and max of them. */
static int take_number(Str *text, size_t min, size_t max, int64_t *ret)
{
    size_t n = 0;
    int64_t value = 0;
    while (n < text->n && n < max && text->p[n] >= '0' && text->p[n] <= '9')
        value = value * 10 + (text->p[n++] - '0');
    if (n < min)
        return -1;
    *text = str_slice(*text, n, text->n);
    *ret = value;
    return 0;
}

static bool take_char(Str *text, char c)
{
    if (text->n == 0 || text->p[0] != c)
        return false;
    *text = str_slice(*text, 1, text->n);
    return true;
}

/* Days since 1970-01-01 in the Gregorian calendar, for any year; year 0 is 1 BC. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int take_date(Str *text, int64_t ret[3])
{
    if (take_number(text, 4, 7, &ret[0]) < 0 || !take_char(text, '-') ||
        take_number(text, 2, 2, &ret[1]) < 0 || !take_char(text, '-'))
        return -1;
    return take_number(text, 2, 2, &ret[2]);
}

/* Takes hours, minutes and, if they are there, seconds. */
static int take_clock(Str *text, int64_t *ret_seconds)
{
    int64_t part[3] = {0};
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        if (i > 0 && !take_char(text, ':'))
            break;
        if (take_number(text, 2, 2, &part[i]) < 0)
            return -1;
    }
    *ret_seconds = part[0] * 3600 + part[1] * 60 + part[2];
    return 0;
}

static int take_fraction(Str *text, int64_t *ret_us)
{
    if (!take_char(text, '.'))
        return 0;
    size_t before = text->n;
    if (take_number(text, 1, 6, ret_us) < 0)
        return -1;
    for (size_t n = before - text->n; n < 6; n++)
        *ret_us *= 10;
    return 0;
}

int sql_postgres_text_instant(Str text, int64_t *ret_us)
{
    if (str_eqz(text, "infinity") || str_eqz(text, "-infinity")) {
        *ret_us = text.p[0] == '-' ? INT64_MIN : INT64_MAX;
        return 0;
    }
    int64_t date[3] = {0};
    int64_t seconds = 0;
    int64_t us = 0;
    int64_t offset = 0;
    if (take_date(&text, date) < 0)
        return -1;
    if (text.n > 2 && text.p[1] != 'B' && /* a date has no clock */
        (!take_char(&text, ' ') || take_clock(&text, &seconds) < 0 ||
         take_fraction(&text, &us) < 0))
        return -1;
    bool is_west = text.n > 0 && text.p[0] == '-';
    if ((take_char(&text, '+') || take_char(&text, '-')) && take_clock(&text, &offset) < 0)
        return -1;
    if (str_eqz(text, " BC"))
        date[0] = 1 - date[0];
    else if (text.n > 0)
        return -1;
    int64_t total = days_of(date[0], date[1], date[2]) * DAY_SECONDS + seconds;
    total += is_west ? offset : -offset;
    return __builtin_mul_overflow(total, 1000000, &total) ||
                   __builtin_add_overflow(total, us, ret_us)
               ? -1
               : 0;
}

/* Takes one element of an array: in quotes, with backslashes before what is special, or bare. */
static int take_element(Str *text, Buf *ret, bool *ret_null)
{
    buf_reset(ret);
    bool is_quoted = take_char(text, '"');
    while (text->n > 0) {
        char c = text->p[0];
        if (is_quoted ? c == '"' : c == ',' || c == '}')
            break;
        if (c == '\\' && text->n > 1) {
            c = text->p[1];
            *text = str_slice(*text, 1, text->n);
        }
        buf_addc(ret, c);
        *text = str_slice(*text, 1, text->n);
    }
    *ret_null = !is_quoted && str_eqz(buf_str(ret), "NULL");
    return is_quoted && !take_char(text, '"') ? -1 : 0;
}

int sql_postgres_text_list(Str text, Buf *json)
{
    enum { DIMENSIONS_MAX = 6 };
    ptrdiff_t bounds = text.n > 0 && text.p[0] == '[' ? str_find(text, '=') : -1;
    text = str_slice(text, (size_t)(bounds + 1), text.n);
    auto_buf Buf element = BUF_INIT(json->max);
    JsonOut out;
    json_out_init(&out, json, 0);
    size_t depth = 0;
    do {
        if (take_char(&text, '{')) {
            if (++depth > DIMENSIONS_MAX)
                return -1;
            json_out_array(&out);
        } else if (take_char(&text, '}')) {
            if (depth-- == 0)
                return -1;
            json_out_end_array(&out);
        } else if (depth == 0) {
            return -1;
        } else if (!take_char(&text, ',')) {
            bool is_none = false;
            if (take_element(&text, &element, &is_none) < 0)
                return -1;
            json_out_str(&out, is_none ? STR_NONE : buf_str(&element));
        }
    } while (depth > 0 && text.n > 0);
    return depth == 0 && text.n == 0 ? 0 : -1;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int sql_postgres_text_bytes(Str text, Buf *bytes)
{
    if (!str_starts(text, STR("\\x")) || text.n % 2 != 0)
        return -1;
    for (size_t i = 2; i < text.n; i += 2) {
        int high = digit_of(text.p[i]);
        int low = digit_of(text.p[i + 1]);
        if (high < 0 || low < 0)
            return -1;
        buf_addc(bytes, (char)(high * 16 + low));
    }
    return 0;
}
