/* SearchWords: what is looked for, as terms of words, and where a text has them.

   A term is a word or, in double quotes, words in a row. All must be there; "-" before a term means
   that it must not, OR between two that one will do. A word is a run of letters and digits:
   "foo-bar" is the two words of a phrase. Case does not count. */
#ifndef HAWK_WAREHOUSE_SEARCH_WORDS_H
#define HAWK_WAREHOUSE_SEARCH_WORDS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "sql/sql.h"

enum { SEARCH_WORDS_MAX = 16, SEARCH_QUERY_MAX = 1000 };

/* What a found word stands between in a snippet: U+E000 and U+E001. */
#define SEARCH_MARK_BEGIN "\xEE\x80\x80"
#define SEARCH_MARK_END "\xEE\x80\x81"

typedef struct SearchTerm {
    Str words; /* in lower case (ASCII), one space between */
    bool is_negated;
    bool is_alternative; /* of the term before it */
} SearchTerm;

typedef struct SearchWords {
    SearchTerm terms[SEARCH_WORDS_MAX];
    size_t n_terms;
    Str words[SEARCH_WORDS_MAX * 2]; /* of the terms that are not negated */
    size_t n_words;
} SearchWords;

/* Reads what a user typed; texts go to the arena. ERR_USAGE when it has no word to look for, or too
   many. */
int search_words_read(Str query, Arena *arena, SearchWords *ret, Error *err) HAWK_MUST_USE;

/* The condition as the full-text index of a database takes it: for FTS5, or for to_tsquery with the
   configuration "simple". In the arena. */
Str search_words_text(const SearchWords *words, SqlDialect dialect, Arena *arena);

/* Appends the words of a text with spaces between, as both databases are to see it. */
void search_words_plain(Str text, Buf *ret);

/* The words that every text has which a regular expression fits, as far as one can tell; n_terms is
   0 when there are none. */
void search_words_of_pattern(Str pattern, Arena *arena, SearchWords *ret);

/* How much a text is about the words: 0 to 1. */
double search_words_rank(const SearchWords *words, Str text);

/* Appends the part of a text where words are first found, these marked. */
void search_words_snippet(const SearchWords *words, Str text, Buf *ret);

/* The same for one stretch of bytes that was found. */
void search_words_snippet_at(Str text, size_t from, size_t to, Buf *ret);

#endif
