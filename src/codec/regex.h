/* Regular expressions of strangers over texts of strangers (PCRE2, "pcre2api"): each search has
   limits on steps, depth and memory, and a time by which it ends whatever the expression. */
#ifndef HAWK_CODEC_REGEX_H
#define HAWK_CODEC_REGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

typedef struct Regex Regex;

typedef enum RegexOption {
    REGEX_CASELESS = 1 << 0,
    REGEX_MULTILINE = 1 << 1, /* ^ and $ at each line */
    REGEX_UNICODE = 1 << 2,   /* \w, \d and the like beyond ASCII */
    REGEX_WHOLE = 1 << 3,     /* all of the text, in whatever way it can */
} RegexOption;

/* Compiles an expression over UTF-8; what is no UTF-8 in a text is not matched. Release with
   regex_free. ERR_USAGE with the place and what is wrong there. */
int regex_compile(Str pattern, unsigned options, Regex **ret, Error *err) HAWK_MUST_USE;
void regex_free(Regex *regex);
static inline void regex_freep(Regex **regex)
{
    regex_free(*regex);
}
#define auto_regex HAWK_CLEANUP(regex_freep)

typedef struct RegexPlace {
    size_t from;
    size_t to; /* not below from */
} RegexPlace;

/* Looks for the first place at or after `at`; 1 with it, 0 when there is none. may_be_empty: also
   one without a character right at `at`. Ends shortly after the monotonic time until_ms with
   ERR_TIMEOUT. ERR_USAGE when it takes too many steps. For one thread at a time. */
int regex_find(Regex *regex, Str text, size_t at, bool may_be_empty, int64_t until_ms,
               RegexPlace *ret, Error *err) HAWK_MUST_USE;

#endif
