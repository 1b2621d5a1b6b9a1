/* Grep: where in one sample a text or an expression is, as Inspect Scout's grep scanner tells it:
   how often, each place with fifty characters around it, and references to the messages and events
   that have it. Regular expressions are those of PCRE2, which has Python's and more. */
#ifndef HAWK_EVALLOG_GREP_H
#define HAWK_EVALLOG_GREP_H

#include "codec/json.h"
#include "codec/json_out.h"
#include "evallog/sample_parts.h"

/* Ceilings: bytes of a query, and places that are told; more are an error. */
enum { GREP_QUERY_MAX = 1000, GREP_PLACES_MAX = 20000 };

typedef struct GrepQuestion {
    Str query; /* UTF-8 */
    bool is_regex;
    bool ignores_case;
    bool has_word_boundary;
    const Json *messages; /* which: "all", a list of roles, or NULL or null for none */
    const Json *events;   /* the same with kinds of events */
} GrepQuestion;

/* Writes the result as an object: uuid, value (how many places), explanation, references, and what
   is null. ERR_USAGE for an expression that is wrong, or takes too many steps, and for too many
   places; ERR_TIMEOUT after ten seconds. */
int grep_sample(SampleParts *parts, const GrepQuestion *question, JsonOut *out,
                Error *err) HAWK_MUST_USE;

#endif
