/* Percent-encoding of URLs (RFC 3986) and query strings. */
#ifndef HAWK_CODEC_PERCENT_H
#define HAWK_CODEC_PERCENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

/* Appends s; letters, digits and "-._~" stay as they are, and so do the characters in safe ("/" for
 * a path). */
void percent_encode(Buf *buf, Str s, const char *safe);

/* Appends what s stands for. In a query '+' is a space. ERR_BAD_DATA when an escape is incomplete
   or the result is not UTF-8 or has a NUL. */
int percent_decode(Str s, bool is_query, Buf *ret, Error *err) HAWK_MUST_USE;

/* Appends "name=value" to a query, after '&' unless the buffer is empty or ends with '?' or '&'. */
void percent_add_pair(Buf *buf, Str name, Str value);

/* Cuts the next pair off *query ("a=1&b"), still encoded; a name without '=' has the value "".
 * false at the end. */
bool percent_next_pair(Str *query, Str *ret_name, Str *ret_value);

/* Appends the decoded value of the first pair with this name; *ret_found tells whether there is
 * one. */
int percent_query_get(Str query, const char *name, Buf *ret, bool *ret_found,
                      Error *err) HAWK_MUST_USE;

#endif
