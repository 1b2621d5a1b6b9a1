/* The leaves of JSON: numbers, escaped strings, UTF-8; shared by the readers of this folder. */
#ifndef HAWK_CODEC_JSON_LEX_H
#define HAWK_CODEC_JSON_LEX_H

#include <stdbool.h>

#include "base/str.h"

enum { JSON_LEX_SHOWN_MAX = 64 };

/* Whether s is a number by the grammar of RFC 8259, section 6. */
bool json_lex_is_number(Str s);

/* Length of the number at the start of s by the same grammar, or 0. */
size_t json_lex_number(Str s);

/* A number by that grammar: as int64_t when it has neither fraction nor exponent and fits, and as
   the nearest double (infinite when too large). */
bool json_lex_i64(Str number, int64_t *ret);
double json_lex_double(Str number);

/* Writes the text between the quotes of a valid string to dst without its escapes and returns its
   length, which is at most body.n. A lone surrogate becomes U+FFFD. */
size_t json_lex_unescape(Str body, char *dst);

/* Writes a code point as UTF-8 and returns its length, 1 to 4. */
size_t json_lex_put_utf8(uint32_t code, char *dst);

/* A short text for messages from bytes of a stranger: cut at about 40 bytes, control characters as
 * '?'. Returns shown. */
const char *json_lex_show(Str s, char shown[JSON_LEX_SHOWN_MAX]);

#endif
