/* Reading query strings and Cookie headers. */
#ifndef HAWK_HTTP_QUERY_H
#define HAWK_HTTP_QUERY_H

#include "base/arena.h"
#include "base/str.h"

/* The n-th value (from 0) of a name in application/x-www-form-urlencoded text, decoded into the
   arena; STR_NONE when there is none. A '%' without two hex digits stays as it is. */
Str query_param(Arena *arena, Str query, Str name, size_t n);

/* s with %XX decoded, and '+' as a space when plus_is_space; in the arena, or s itself when there
   is nothing to decode. */
Str query_decode(Arena *arena, Str s, bool plus_is_space);

/* The first cookie of that name in a Cookie header (RFC 6265, section 4.2.1), without quotes around
   it; STR_NONE when there is none. */
Str query_cookie(Str header, Str name);

#endif
