/* Regular expressions over documents. An expression has limits on steps, depth and memory; a
   request has a time, after which its answer is what was found so far and a cursor.

   Words that every match must have are looked up in the index first. */

#include "base/clock.h"
#include "base/mem.h"
#include "codec/regex.h"
#include "warehouse/search/search_priv.h"

enum {
    PATTERN_MAX = 1000,
    TIME_MAX_MS = 200,      /* so that an answer takes no longer than one from the index */
    TEXT_TIME_MAX_MS = 2000 /* beyond that, for the document at hand */
};

static int compile(const SearchQuestion *question, Regex **ret, Error *err)
{
    auto_regex Regex *regex = NULL;
    RegexPlace place;
    if (question->q.n > PATTERN_MAX)
        return error_set(err, ERR_USAGE, "the expression is over %d bytes", PATTERN_MAX);
    unsigned options = REGEX_MULTILINE | (question->match_case ? 0 : REGEX_CASELESS);
    if (regex_compile(question->q, options, &regex, err) < 0)
        return -1;
    int matches_nothing =
        regex_find(regex, STR(""), 0, true, clock_monotonic_ms() + TEXT_TIME_MAX_MS, &place, err);
    if (matches_nothing < 0)
        return -1;
    if (matches_nothing) {
        (void)error_set(err, ERR_USAGE, "the expression is too broad: it fits an empty text");
        return error_fix(err, "put at least one character into it that must be there");
    }
    *ret = TAKE(regex);
    return 0;
}

/* ---- documents ---- */

typedef struct Grep {
    const SearchScope *scope;
    Regex *regex;
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
        RegexPlace place = {0};
        int found = regex_find(grep->regex, sql_rows_text(rows, 1), 0, true,
                               grep->until_ms + TEXT_TIME_MAX_MS, &place, err);
        if (found < 0)
            return -1;
        if (found) {
            hit->from = place.from;
            hit->to = place.to;
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
    auto_regex Regex *regex = NULL;
    SearchWords words;
    int64_t numbers[SEARCH_BATCH_MAX];
    size_t batch = (size_t)question->batch_size;
    if (compile(question, &regex, err) < 0)
        return -1;
    search_words_of_pattern(question->q, scope->arena, &words);
    Grep grep = {.scope = scope,
                 .regex = regex,
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
