/* The text forms in which PostgreSQL gives values. -1 when a text is none. */
#ifndef HAWK_SQL_SQL_POSTGRES_TEXT_PRIV_H
#define HAWK_SQL_SQL_POSTGRES_TEXT_PRIV_H

#include "base/buf.h"
#include "base/str.h"

/* A date, timestamp or timestamptz as microseconds; infinity is INT64_MAX or INT64_MIN. */
int sql_postgres_text_instant(Str text, int64_t *ret_us) HAWK_MUST_USE;

/* An array of texts as a JSON array; and bytea in hexadecimal digits as bytes. Both are appended.
 */
int sql_postgres_text_list(Str text, Buf *json) HAWK_MUST_USE;
int sql_postgres_text_bytes(Str text, Buf *bytes) HAWK_MUST_USE;

#endif
