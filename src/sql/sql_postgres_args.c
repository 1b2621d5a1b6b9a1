/* Values on their way to PostgreSQL and back.

   Most values travel as text, whose type PostgreSQL infers from the statement. An instant, a
   boolean and a list say their type and travel in its binary form, which is exact and needs no
   calendar. Everything comes back as text: a query can return types of any kind, and each has one.
 */

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"
#include "sql/sql_postgres_priv.h"

enum { LIST_LENGTH_MAX = 1000 * 1000 };

#define EPOCH_US INT64_C(946684800000000) /* of timestamptz: 2000-01-01 */
#define DAY_SECONDS INT64_C(86400)

void pg_args_add_i16(Buf *buf, int16_t value)
{
    uint16_t wire = __builtin_bswap16((uint16_t)value);
    buf_add(buf, &wire, sizeof(wire));
}

void pg_args_add_i32(Buf *buf, int32_t value)
{
    uint32_t wire = __builtin_bswap32((uint32_t)value);
    buf_add(buf, &wire, sizeof(wire));
}

void pg_args_add_i64(Buf *buf, int64_t value)
{
    uint64_t wire = __builtin_bswap64((uint64_t)value);
    buf_add(buf, &wire, sizeof(wire));
}

int pg_args_add_instant(Buf *buf, int64_t instant_us, Error *err)
{
    int64_t wire = instant_us;
    bool is_infinite = instant_us == INT64_MAX || instant_us == INT64_MIN;
    if (!is_infinite && __builtin_sub_overflow(instant_us, EPOCH_US, &wire))
        return error_set(err, ERR_BAD_DATA, "the database cannot take an instant that long ago");
    pg_args_add_i64(buf, wire);
    return 0;
}

/* Appends the elements behind the header; counts them. */
static int add_elements(Buf *buf, Str json, int32_t *ret_n, Error *err)
{
    JsonScan scan;
    json_scan_init(&scan, json, false);
    int32_t n = 0;
    Str raw = STR_NONE;
    (void)json_scan_array(&scan);
    while (json_scan_item(&scan) && json_scan_skip(&scan, &raw)) {
        size_t at = buf->len;
        pg_args_add_i32(buf, 0);
        if (++n > LIST_LENGTH_MAX)
            return error_set(err, ERR_BAD_DATA, "a list has over %d elements", LIST_LENGTH_MAX);
        if (!json_scan_add_str(raw, buf))
            return error_set(err, ERR_BAD_DATA, "element %d of a list is no string", n);
        if (buf->overflowed)
            break; /* reported by whoever made the buffer */
        size_t length = buf->len - at - sizeof(int32_t);
        if (memchr(buf->data + at + sizeof(int32_t), '\0', length))
            return error_set(err, ERR_BAD_DATA, "the database cannot take a text with a NUL byte");
        uint32_t wire = __builtin_bswap32((uint32_t)length);
        memcpy(buf->data + at, &wire, sizeof(wire));
    }
    if (!buf->overflowed && json_scan_end(&scan, err) < 0)
        return error_wrap(err, "a list is no JSON array of strings");
    *ret_n = n;
    return 0;
}

int pg_args_add_list(Buf *buf, Str json, Error *err)
{
    static const int32_t head[] = {1, 0, PG_TEXT, 0, 1}; /* one dimension, no NULLs, n, from 1 */
    enum { N_AT = 3 * sizeof(int32_t), EMPTY_BYTES = 3 * sizeof(int32_t) };
    size_t at = buf->len;
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        pg_args_add_i32(buf, head[i]);
    int32_t n = 0;
    if (add_elements(buf, json, &n, err) < 0)
        return -1;
    if (buf->overflowed)
        return 0;
    uint32_t wire = __builtin_bswap32((uint32_t)n);
    memcpy(buf->data + at + N_AT, &wire, sizeof(wire));
    if (n == 0) { /* an empty array has no dimension */
        memset(buf->data + at, 0, sizeof(int32_t));
        buf_truncate(buf, at + EMPTY_BYTES);
    }
    return 0;
}

static void add_real(Buf *buf, double value)
{
    if (isnan(value))
        buf_addz(buf, "NaN"); /* printf may write a sign, which the server does not take */
    else
        buf_printf(buf, "%.17g", value);
}

static void add_hex(Buf *buf, Str bytes)
{
    static const char digits[] = "0123456789abcdef";
    buf_addz(buf, "\\x");
    for (size_t i = 0; i < bytes.n; i++) {
        buf_addc(buf, digits[(unsigned char)bytes.p[i] >> 4]);
        buf_addc(buf, digits[(unsigned char)bytes.p[i] & 15]);
    }
}

/* Appends one value; *ret_type is 0 for one in text form. */
static int add_value(Buf *buf, const SqlValue *value, Oid *ret_type, Error *err)
{
    switch (value->type) {
    case SQL_TYPE_INT: buf_add_i64(buf, value->integer); return 0;
    case SQL_TYPE_REAL: add_real(buf, value->real); return 0;
    case SQL_TYPE_BLOB: add_hex(buf, value->text); return 0;
    case SQL_TYPE_JSON:
    case SQL_TYPE_TEXT:
        if (memchr(value->text.p, '\0', value->text.n))
            return error_set(err, ERR_BAD_DATA, "the database cannot take a text with a NUL byte");
        buf_add_str(buf, value->text);
        return 0;
    case SQL_TYPE_BOOL:
        *ret_type = PG_BOOL;
        buf_addc(buf, value->integer != 0);
        return 0;
    case SQL_TYPE_INSTANT:
        *ret_type = PG_TIMESTAMPTZ;
        return pg_args_add_instant(buf, value->integer, err);
    case SQL_TYPE_LIST: *ret_type = PG_TEXT_LIST; return pg_args_add_list(buf, value->text, err);
    case SQL_TYPE_NULL: break;
    }
    return 0;
}

int pg_args_init(PgArgs *args, const SqlValue *values, size_t n, Error *err)
{
    size_t room = n ? n : 1;
    *args = (PgArgs){.n = n, .bytes = BUF_INIT(PG_VALUES_MAX)};
    args->values = mem_array(room, sizeof(*args->values));
    args->lengths = mem_array(room, sizeof(*args->lengths));
    args->formats = mem_array(room, sizeof(*args->formats));
    args->types = mem_array(room, sizeof(*args->types));
    for (size_t i = 0; i < n; i++) {
        size_t at = args->bytes.len;
        if (sql_value_is_null(&values[i]))
            continue;
        if (add_value(&args->bytes, &values[i], &args->types[i], err) < 0)
            return -1;
        args->formats[i] = args->types[i] != 0;
        args->lengths[i] = (int)(args->bytes.len - at);
        buf_addc(&args->bytes, '\0');
    }
    if (buf_check(&args->bytes, "what a statement is given", err) < 0)
        return -1;
    const char *at = args->bytes.data; /* which moves while it grows */
    for (size_t i = 0; i < n; i++)
        if (!sql_value_is_null(&values[i])) {
            args->values[i] = at;
            at += args->lengths[i] + 1;
        }
    return 0;
}

void pg_args_release(PgArgs *args)
{
    free(args->values);
    free(args->lengths);
    free(args->formats);
    free(args->types);
    if (args->bytes.data)
        buf_release(&args->bytes);
}

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

int pg_args_read_instant(Str text, int64_t *ret_us)
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

int pg_args_read_list(Str text, Buf *json)
{
    enum { DIMENSIONS_MAX = 6 };
    ptrdiff_t bounds = text.n > 0 && text.p[0] == '[' ? str_find(text, '=') : -1;
    text = str_slice(text, (size_t)(bounds + 1), text.n);
    auto_buf Buf element = BUF_INIT(PG_VALUES_MAX);
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

int pg_args_read_bytes(Str text, Buf *bytes)
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
