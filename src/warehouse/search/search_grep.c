/* Regular expressions over documents. An expression has limits on steps, depth and memory; a
   request has a time, after which its answer is what was found so far and a cursor.

   Words that every match must have are looked up in the index first. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/clock.h"
#include "base/mem.h"
#include "warehouse/search/search_priv.h"

enum {
    PATTERN_MAX = 1000,
    STEPS_MAX = 2 * 1000 * 1000,
    DEPTH_MAX = 10000,
    HEAP_MAX_KIB = 20 * 1024,
    NESTING_MAX = 50,
    TIME_MAX_MS = 200, /* so that an answer takes no longer than one from the index */
};

typedef struct Pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
} Pattern;

static void pattern_release(Pattern *pattern)
{
    pcre2_match_data_free(pattern->match);
    pcre2_match_context_free(pattern->limits);
    pcre2_code_free(pattern->code);
}

/* 1 when the text has what is looked for, from *ret_from to *ret_to. */
static int match(const Pattern *pattern, Str text, size_t *ret_from, size_t *ret_to, Error *err)
{
    int rc = pcre2_match(pattern->code, (PCRE2_SPTR)text.p, text.n, 0, 0, pattern->match,
                         pattern->limits);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0) {
        (void)error_set(err, ERR_USAGE, "the expression takes too many steps");
        return error_fix(err, "use fewer repetitions inside of repetitions");
    }
    const PCRE2_SIZE *places = pcre2_get_ovector_pointer(pattern->match);
    *ret_from = places[0];
    *ret_to = places[1] > places[0] ? places[1] : places[0];
    return 1;
}

static int compile(const SearchQuestion *question, Pattern *ret, Error *err)
{
    if (question->q.n > PATTERN_MAX)
        return error_set(err, ERR_USAGE, "the expression is over %d bytes", PATTERN_MAX);
    int code = 0;
    PCRE2_SIZE at = 0;
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_MULTILINE |
                       PCRE2_NEVER_BACKSLASH_C | (question->match_case ? 0 : PCRE2_CASELESS);
    pcre2_compile_context *how = pcre2_compile_context_create(NULL);
    if (how)
        (void)pcre2_set_parens_nest_limit(how, NESTING_MAX);
    ret->code = pcre2_compile((PCRE2_SPTR)question->q.p, question->q.n, options, &code, &at, how);
    pcre2_compile_context_free(how);
    if (!ret->code) {
        PCRE2_UCHAR message[256] = "";
        (void)pcre2_get_error_message(code, message, sizeof(message));
        return error_set(err, ERR_USAGE, "bad expression at character %zu: %s", (size_t)at,
                         (const char *)message);
    }
    ret->match = pcre2_match_data_create_from_pattern(ret->code, NULL);
    ret->limits = pcre2_match_context_create(NULL);
    if (!ret->match || !ret->limits)
        return error_set(err, ERR_INTERNAL, "no memory for the expression");
    (void)pcre2_set_match_limit(ret->limits, STEPS_MAX);
    (void)pcre2_set_depth_limit(ret->limits, DEPTH_MAX);
    (void)pcre2_set_heap_limit(ret->limits, HEAP_MAX_KIB);
    size_t from = 0;
    size_t to = 0;
    int matches_nothing = match(ret, STR(""), &from, &to, err);
    if (matches_nothing < 0)
        return -1;
    if (matches_nothing) {
        (void)error_set(err, ERR_USAGE, "the expression is too broad: it fits an empty text");
        return error_fix(err, "put at least one character into it that must be there");
    }
    return 0;
}

/* ---- documents ---- */

typedef struct Grep {
    const SearchScope *scope;
    const Pattern *pattern;
    size_t limit;
    SearchHit *hits;
    size_t n;
    int64_t last; /* number of the last document that was tried */
    int64_t until_ms;
    bool is_cut; /* before the end of a batch, by time */
} Grep;

/* Tries the documents of these numbers until there are enough hits or time is up; one at least. */
static int try_batch(Grep *grep, const int64_t *numbers, size_t n, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, grep->scope->dialect);
    query_add(&query, "SELECT d.no, d.body FROM ");
    search_add_numbers(&query, numbers, n);
    query_add(&query, " CROSS JOIN search_doc d WHERE d.no = p.value ORDER BY p.key");
    if (query_run(&query, grep->scope->tx, &rows, err) < 0)
        return -1;
    int has_row = 0;
    while (grep->n < grep->limit && !grep->is_cut && (has_row = sql_rows_next(rows, err)) == 1) {
        SearchHit *hit = &grep->hits[grep->n];
        grep->last = sql_rows_int(rows, 0);
        int found = match(grep->pattern, sql_rows_text(rows, 1), &hit->from, &hit->to, err);
        if (found < 0)
            return -1;
        if (found) {
            hit->no = grep->last;
            hit->rank = 0;
            grep->n++;
        }
        grep->is_cut = clock_monotonic_ms() >= grep->until_ms;
    }
    return has_row < 0 ? -1 : 0;
}

int search_grep(const SearchScope *scope, const SearchQuestion *question, int64_t before,
                SearchHit *ret, size_t *ret_n, int64_t *ret_next, Error *err)
{
    HAWK_CLEANUP(pattern_release) Pattern pattern = {0};
    SearchWords words;
    int64_t numbers[SEARCH_BATCH_MAX];
    size_t batch = (size_t)question->batch_size;
    if (compile(question, &pattern, err) < 0)
        return -1;
    search_words_of_pattern(question->q, scope->arena, &words);
    Grep grep = {.scope = scope,
                 .pattern = &pattern,
                 .limit = (size_t)question->limit,
                 .hits = ret,
                 .last = before,
                 .until_ms = clock_monotonic_ms() + TIME_MAX_MS};
    bool has_more = true;
    while (has_more && grep.n < grep.limit && !grep.is_cut) {
        size_t n = 0;
        if (search_find(scope, words.n_terms ? &words : NULL, grep.last, batch, numbers, &n, err) <
            0)
            return -1;
        has_more = n == batch;
        if (n && try_batch(&grep, numbers, n, err) < 0)
            return -1;
        has_more = has_more || grep.n == grep.limit || grep.is_cut;
    }
    *ret_n = grep.n;
    *ret_next = has_more ? grep.last : 0;
    return 0;
}
