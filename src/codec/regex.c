#define PCRE2_CODE_UNIT_WIDTH 8
#include "codec/regex.h"

#include <pcre2.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    STEPS_MAX = 2 * 1000 * 1000, /* from one place on; PCRE2 counts anew at the next */
    DEPTH_MAX = 10000,
    HEAP_MAX_KIB = 20 * 1024,
    NESTING_MAX = 50,
    CALLS_PER_LOOK =
        16, /* at the clock; one call may be as dear as a walk through the whole text */
};

struct Regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    bool is_whole;
    int64_t until_ms;
    unsigned n_calls;
};

void regex_free(Regex *regex)
{
    if (!regex)
        return;
    pcre2_match_data_free(regex->match);
    pcre2_match_context_free(regex->limits);
    pcre2_code_free(regex->code);
    free(regex);
}

/* Before each item of the expression, because steps are not counted over all places of a text. */
static int look_at_clock(pcre2_callout_block *block, void *context)
{
    Regex *regex = context;
    (void)block;
    if (++regex->n_calls % CALLS_PER_LOOK != 0 || clock_monotonic_ms() < regex->until_ms)
        return 0;
    return PCRE2_ERROR_CALLOUT;
}

static uint32_t pcre2_options(unsigned options)
{
    return PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT |
           (options & REGEX_CASELESS ? PCRE2_CASELESS : 0) |
           (options & REGEX_MULTILINE ? PCRE2_MULTILINE : 0) |
           (options & REGEX_UNICODE ? PCRE2_UCP : 0) |
           (options & REGEX_WHOLE ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0);
}

int regex_compile(Str pattern, unsigned options, Regex **ret, Error *err)
{
    auto_regex Regex *regex = mem_alloc(sizeof(*regex));
    int code = 0;
    PCRE2_SIZE at = 0;
    pcre2_compile_context *how = pcre2_compile_context_create(NULL);
    if (!how)
        return error_set(err, ERR_INTERNAL, "no memory for the expression");
    (void)pcre2_set_parens_nest_limit(how, NESTING_MAX);
    regex->code =
        pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, pcre2_options(options), &code, &at, how);
    pcre2_compile_context_free(how);
    if (!regex->code) {
        PCRE2_UCHAR message[256] = "";
        (void)pcre2_get_error_message(code, message, sizeof(message));
        return error_set(err, ERR_USAGE, "bad expression at character %zu: %s", (size_t)at,
                         (const char *)message);
    }
    regex->match = pcre2_match_data_create_from_pattern(regex->code, NULL);
    regex->limits = pcre2_match_context_create(NULL);
    if (!regex->match || !regex->limits)
        return error_set(err, ERR_INTERNAL, "no memory for the expression");
    regex->is_whole = options & REGEX_WHOLE;
    (void)pcre2_set_match_limit(regex->limits, STEPS_MAX);
    (void)pcre2_set_depth_limit(regex->limits, DEPTH_MAX);
    (void)pcre2_set_heap_limit(regex->limits, HEAP_MAX_KIB);
    (void)pcre2_set_callout(regex->limits, look_at_clock, regex);
    *ret = TAKE(regex);
    return 0;
}

int regex_find(Regex *regex, Str text, size_t at, bool may_be_empty, int64_t until_ms,
               RegexPlace *ret, Error *err)
{
    regex->until_ms = until_ms;
    int found = pcre2_match(regex->code, (PCRE2_SPTR)(text.n ? text.p : ""), text.n, at,
                            may_be_empty ? 0 : PCRE2_NOTEMPTY_ATSTART, regex->match, regex->limits);
    if (found == PCRE2_ERROR_NOMATCH)
        return 0;
    if (found == PCRE2_ERROR_CALLOUT) {
        (void)error_set(err, ERR_TIMEOUT, "the expression takes too long");
        return error_fix(err, "use fewer repetitions, or begin it with letters that must be there");
    }
    if (found < 0) {
        (void)error_set(err, ERR_USAGE, "the expression takes too many steps");
        return error_fix(err, "use fewer repetitions inside of repetitions");
    }
    const PCRE2_SIZE *places = pcre2_get_ovector_pointer(regex->match);
    /* Of a text that is no UTF-8, PCRE2 takes what lies between the bad bytes for a text. */
    if (regex->is_whole && !str_is_utf8(text))
        return 0;
    *ret = (RegexPlace){places[0], places[1] > places[0] ? places[1] : places[0]};
    return 1;
}
