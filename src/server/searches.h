/* Searches: what people have looked for in transcripts, the latest of all in a table of fixed size
   in memory. Each sees his own only; a server that is restarted begins anew. */
#ifndef HAWK_SERVER_SEARCHES_H
#define HAWK_SERVER_SEARCHES_H

#include "base/arena.h"
#include "codec/json_out.h"

enum { SEARCHES_MAX = 500, SEARCHES_ID = 12 };

typedef struct Searches Searches;

typedef struct SearchesInput {
    char id[SEARCHES_ID + 1];
    Str query; /* of a text up to GREP_QUERY_MAX bytes */
    bool is_regex;
    bool ignores_case;
    bool has_word_boundary;
} SearchesInput;

/* The caller frees; NULL is fine there. */
Searches *searches_new(void) HAWK_MUST_USE;
void searches_free(Searches *searches);

/* The id of an input: of equal ones it is the same, as Inspect Scout makes it. */
void searches_name(SearchesInput *input);

/* Notes that a person has looked for something now; the oldest of all makes room. */
void searches_add(Searches *searches, const char *sub, const SearchesInput *input);

/* Writes what a person has looked for, the newest first, as items of a list. */
void searches_write(Searches *searches, const char *sub, int64_t count, JsonOut *out);

/* What a person looked for under an id, in the arena; false when it is not there any more. */
bool searches_find(Searches *searches, const char *sub, Str id, Arena *arena, SearchesInput *ret);

#endif
