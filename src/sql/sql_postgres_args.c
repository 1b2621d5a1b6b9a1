/* Values on their way to PostgreSQL.

   Most values travel as text, whose type PostgreSQL infers from the statement. An instant, a
   boolean and a list say their type and travel in its binary form, which is exact and needs no
   calendar. Everything comes back as text: a query can return types of any kind, and each has one.
 */

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan.h"
#include "sql/sql_postgres_priv.h"

enum { LIST_LENGTH_MAX = 1000 * 1000 };

#define EPOCH_US INT64_C(946684800000000) /* of timestamptz: 2000-01-01 */

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
