/* Words of queries and texts. */

#include "warehouse/search/search_words.h"

#include <math.h>

enum {
    BEFORE_MAX = 80,     /* bytes of a snippet in front of the first word found */
    SNIPPET_MAX = 240,   /* bytes of text */
    TEXT_MAX = 16 * 1024 /* of a query for an index */
};

static bool is_word_byte(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* The next word of a text from *at on; false at the end. */
static bool next_word(Str text, size_t *at, Str *ret)
{
    while (*at < text.n && !is_word_byte((unsigned char)text.p[*at]))
        ++*at;
    size_t from = *at;
    while (*at < text.n && is_word_byte((unsigned char)text.p[*at]))
        ++*at;
    *ret = str_slice(text, from, *at);
    return *at > from;
}

void search_words_plain(Str text, Buf *ret)
{
    size_t at = 0;
    Str word = STR_NONE;
    for (bool is_first = true; next_word(text, &at, &word); is_first = false) {
        if (!is_first)
            buf_addc(ret, ' ');
        buf_add_str(ret, word);
    }
}

/* ---- queries ---- */

static Str lowered(Arena *arena, Str text)
{
    char *copy = arena_strndup(arena, text.p, text.n);
    for (size_t i = 0; i < text.n; i++)
        copy[i] = lower(copy[i]);
    return (Str){copy, text.n};
}

/* The words of a piece of a query as a term; nothing when it has none. */
static int add_term(SearchWords *words, Str piece, bool is_negated, bool is_alternative,
                    Arena *arena, Error *err)
{
    auto_buf Buf text = BUF_INIT(SEARCH_QUERY_MAX + 1);
    search_words_plain(piece, &text);
    if (text.len == 0)
        return 0;
    if (words->n_terms == SEARCH_WORDS_MAX)
        return error_set(err, ERR_USAGE, "the search has over %d terms", SEARCH_WORDS_MAX);
    SearchTerm *term = &words->terms[words->n_terms++];
    *term = (SearchTerm){.words = lowered(arena, buf_str(&text)),
                         .is_negated = is_negated,
                         .is_alternative = is_alternative && words->n_terms > 1};
    size_t at = 0;
    Str word = STR_NONE;
    while (!is_negated && next_word(term->words, &at, &word))
        if (words->n_words < ARRAY_LEN(words->words))
            words->words[words->n_words++] = word;
    return 0;
}

/* Cuts the next piece off: a quoted text, or what reaches to the next space. */
static Str next_piece(Str query, size_t *at)
{
    bool is_quoted = query.p[*at] == '"';
    size_t from = *at + is_quoted;
    size_t end = from;
    while (end < query.n && (is_quoted ? query.p[end] != '"' : !strchr(" \t\r\n\"", query.p[end])))
        end++;
    *at = end + (is_quoted && end < query.n);
    return str_slice(query, from, end);
}

int search_words_read(Str query, Arena *arena, SearchWords *ret, Error *err)
{
    SearchWords words = {0};
    if (query.n > SEARCH_QUERY_MAX)
        return error_set(err, ERR_USAGE, "the search is over %d bytes", SEARCH_QUERY_MAX);
    if (query.n > 0 && (!str_is_utf8(query) || memchr(query.p, '\0', query.n)))
        return error_set(err, ERR_USAGE, "the search is not text");
    bool is_alternative = false;
    for (size_t at = 0; at < query.n;) {
        if (strchr(" \t\r\n", query.p[at])) {
            at++;
            continue;
        }
        bool is_negated = query.p[at] == '-';
        at += is_negated;
        if (at == query.n)
            break;
        bool is_quoted = query.p[at] == '"';
        Str piece = next_piece(query, &at);
        if (!is_quoted && !is_negated && str_eqz(piece, "OR")) {
            is_alternative = true;
            continue;
        }
        if (add_term(&words, piece, is_negated, is_alternative && !is_negated, arena, err) < 0)
            return -1;
        is_alternative = false;
    }
    if (words.n_words == 0) {
        (void)error_set(err, ERR_USAGE, "the search has no word to look for");
        return error_fix(err, "give a word of letters or digits; signs alone are found with a "
                              "regular expression (--regex, mode=grep)");
    }
    *ret = words;
    return 0;
}

/* Alternatives stand together in brackets, what must not be comes last. */
static void add_positive(const SearchWords *words, const char *quote, const char *and_text,
                         const char *or_text, Buf *text)
{
    bool is_first = true;
    for (size_t i = 0; i < words->n_terms; i++) {
        const SearchTerm *term = &words->terms[i];
        if (term->is_negated)
            continue;
        bool joins = !is_first && term->is_alternative;
        if (!is_first && !joins)
            buf_addc(text, ')');
        buf_addz(text, is_first ? "(" : joins ? or_text : and_text);
        if (!is_first && !joins)
            buf_addc(text, '(');
        buf_addz(text, quote);
        buf_add_str(text, term->words);
        buf_addz(text, quote);
        is_first = false;
    }
    buf_addc(text, ')');
}

Str search_words_text(const SearchWords *words, SqlDialect dialect, Arena *arena)
{
    bool is_fts5 = dialect == SQL_SQLITE;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    buf_addc(&text, '(');
    add_positive(words, is_fts5 ? "\"" : "'", is_fts5 ? " AND " : " & ", is_fts5 ? " OR " : " | ",
                 &text);
    buf_addc(&text, ')');
    for (size_t i = 0; i < words->n_terms; i++) {
        if (!words->terms[i].is_negated)
            continue;
        buf_printf(&text, is_fts5 ? " NOT \"%.*s\"" : " & !'%.*s'", STR_ARG(words->terms[i].words));
    }
    return arena_str(arena, buf_str(&text));
}

/* ---- regular expressions ---- */

/* Whether a character stands for itself, wherever it is. */
static bool is_plain(char c)
{
    return !strchr("\\^$.[]|()?*+{}", c);
}

/* Words stand for themselves only as long as nothing in front of them may be left out, repeated or
   chosen; expressions with brackets, alternatives or options are not looked into. */
void search_words_of_pattern(Str pattern, Arena *arena, SearchWords *ret)
{
    *ret = (SearchWords){0};
    for (size_t i = 0; i < pattern.n; i++)
        if (strchr("|()[]\\#", pattern.p[i]))
            return;
    for (size_t i = 1; i < pattern.n && ret->n_terms < SEARCH_WORDS_MAX; i++) {
        bool begins = is_word_byte((unsigned char)pattern.p[i]) &&
                      !is_word_byte((unsigned char)pattern.p[i - 1]) && is_plain(pattern.p[i - 1]);
        if (!begins)
            continue;
        size_t end = i;
        while (end < pattern.n && is_word_byte((unsigned char)pattern.p[end]))
            end++;
        /* Behind it stands a plain character, which is there for sure. */
        bool is_whole =
            end + 1 < pattern.n && is_plain(pattern.p[end]) && !strchr("?*{", pattern.p[end + 1]);
        bool is_ascii = true;
        for (size_t j = i; j < end; j++)
            is_ascii = is_ascii && (unsigned char)pattern.p[j] < 0x80;
        if (is_whole && is_ascii) {
            ret->terms[ret->n_terms++] =
                (SearchTerm){.words = lowered(arena, str_slice(pattern, i, end))};
        }
        i = end;
    }
}

/* ---- texts ---- */

static bool is_same_word(Str word, Str wanted)
{
    if (word.n != wanted.n)
        return false;
    for (size_t i = 0; i < word.n; i++)
        if (lower(word.p[i]) != wanted.p[i])
            return false;
    return true;
}

/* The number of the word among those wanted, or -1. */
static int find_wanted(const SearchWords *words, Str word)
{
    for (size_t i = 0; i < words->n_words; i++)
        if (is_same_word(word, words->words[i]))
            return (int)i;
    return -1;
}

double search_words_rank(const SearchWords *words, Str text)
{
    size_t counts[ARRAY_LEN(words->words)] = {0};
    size_t at = 0;
    Str word = STR_NONE;
    while (next_word(text, &at, &word)) {
        int found = find_wanted(words, word);
        if (found >= 0)
            counts[found]++;
    }
    /* Each word counts less the more often it was there before, and less in a long text. */
    double length = 0.5 + 0.5 * (double)text.n / 2000;
    double sum = 0;
    for (size_t i = 0; i < words->n_words; i++)
        sum += (double)counts[i] / ((double)counts[i] + length);
    return words->n_words ? sum / (double)words->n_words : 0;
}

/* Moves a place in a text to the beginning of a character. */
static size_t at_character(Str text, size_t at)
{
    while (at > 0 && at < text.n && ((unsigned char)text.p[at] & 0xC0) == 0x80)
        at--;
    return at < text.n ? at : text.n;
}

/* Appends text without the marks, which would be taken for ours. */
static void add_unmarked(Str text, Buf *ret)
{
    for (size_t i = 0; i < text.n; i++) {
        bool is_mark = text.n - i >= 3 && (memcmp(text.p + i, SEARCH_MARK_BEGIN, 3) == 0 ||
                                           memcmp(text.p + i, SEARCH_MARK_END, 3) == 0);
        if (is_mark)
            i += 2;
        else
            buf_addc(ret, text.p[i]);
    }
}

static Str window(Str text, size_t from, size_t *ret_start)
{
    size_t start = at_character(text, from > BEFORE_MAX ? from - BEFORE_MAX : 0);
    size_t end = start + SNIPPET_MAX < text.n ? at_character(text, start + SNIPPET_MAX) : text.n;
    *ret_start = start;
    return str_slice(text, start, end);
}

static void add_marked(Str word, Buf *ret)
{
    buf_addz(ret, SEARCH_MARK_BEGIN);
    add_unmarked(word, ret);
    buf_addz(ret, SEARCH_MARK_END);
}

/* Where the first wanted word is; 0 when there is none. */
static size_t first_found(const SearchWords *words, Str text)
{
    size_t at = 0;
    Str word = STR_NONE;
    while (next_word(text, &at, &word))
        if (find_wanted(words, word) >= 0)
            return (size_t)(word.p - text.p);
    return 0;
}

void search_words_snippet(const SearchWords *words, Str text, Buf *ret)
{
    size_t start = 0;
    Str part = window(text, first_found(words, text), &start);
    size_t at = 0;
    size_t done = 0;
    Str word = STR_NONE;
    while (next_word(part, &at, &word)) {
        if (find_wanted(words, word) < 0)
            continue;
        size_t from = (size_t)(word.p - part.p);
        add_unmarked(str_slice(part, done, from), ret);
        add_marked(word, ret);
        done = at;
    }
    add_unmarked(str_slice(part, done, part.n), ret);
}

void search_words_snippet_at(Str text, size_t from, size_t to, Buf *ret)
{
    size_t start = 0;
    Str part = window(text, from, &start);
    size_t end = to - start < part.n ? to - start : part.n;
    add_unmarked(str_slice(part, 0, from - start), ret);
    add_marked(str_slice(part, from - start, end), ret);
    add_unmarked(str_slice(part, end, part.n), ret);
}
