/* Str: a view (pointer and length) into bytes that someone else keeps. Not NUL-terminated unless
 * said. */
#ifndef HAWK_BASE_STR_H
#define HAWK_BASE_STR_H

#include <stdbool.h>
#include <string.h>

#include "base/base.h"

typedef struct Str {
    const char *p;
    size_t n;
} Str;

#define STR(literal) ((Str){(literal), sizeof(literal) - 1})
#define STR_NONE ((Str){NULL, 0})
/* For printf: "%.*s" with STR_ARG(s). */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

/* A view of a C string; NULL gives STR_NONE. */
static inline Str str_of(const char *s)
{
    return s ? (Str){s, strlen(s)} : STR_NONE;
}

/* Equality of bytes; str_eqz compares with a C string, str_eq_nocase ignores ASCII case. */
bool str_eq(Str a, Str b);
bool str_eqz(Str a, const char *b);
bool str_eq_nocase(Str a, Str b);

/* Byte order comparison as memcmp, shorter first. */
int str_cmp(Str a, Str b);

/* Whether the first or last bytes are these. */
bool str_starts(Str s, Str prefix);
bool str_ends(Str s, Str suffix);

/* Whether the last parts of a path, at a '/', are these; a path is no end of itself. */
bool str_ends_path(Str path, Str end);

/* Index of the first byte or text, or -1. */
ptrdiff_t str_find(Str s, char c);
ptrdiff_t str_rfind(Str s, char c);
ptrdiff_t str_find_str(Str s, Str needle);

/* Bytes [from, to) of s, clamped to its length. */
Str str_slice(Str s, size_t from, size_t to);

/* Without ASCII white space at both ends. */
Str str_trim(Str s);

/* Cuts *rest at the first sep: returns the part before it and moves *rest behind it. false when
 *rest is used up (rest->p NULL); an empty input yields one empty part. */
bool str_split(Str *rest, char sep, Str *ret);

/* Parse a whole decimal number within [min, max]; -1 when it is anything else. No sign but '-', no
 * spaces. */
int str_to_i64(Str s, int64_t min, int64_t max, int64_t *ret) HAWK_MUST_USE;

/* Parse a whole finite decimal floating-point number; -1 when it is anything else. */
int str_to_double(Str s, double *ret) HAWK_MUST_USE;

/* Length of the UTF-8 sequence that s begins with, or 0 when it is none (RFC 3629, section 4). */
size_t str_utf8_char(Str s);

/* How many of the first bytes are valid UTF-8. */
size_t str_utf8_prefix(Str s);

/* Whether the bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(Str s);

/* Whether it has the form of a UUID (RFC 9562, section 4), in small or capital letters. */
bool str_is_uuid(Str s);

/* Number of edits (insert, delete, replace, swap of neighbours) between two short names; for
   did-you-mean. Names over 64 bytes count as 64 edits apart. */
size_t str_distance(Str a, Str b);

#endif
