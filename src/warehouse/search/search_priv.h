/* What the files of search share. */
#ifndef HAWK_WAREHOUSE_SEARCH_PRIV_H
#define HAWK_WAREHOUSE_SEARCH_PRIV_H

#include "warehouse/queries/queries_priv.h"
#include "warehouse/search/search.h"
#include "warehouse/search/search_words.h"

enum {
    SEARCH_WINDOW = 400,    /* matches that are ranked together */
    SEARCH_EVAL_SHIFT = 32, /* of a document's number, down to that of its eval */
};

/* Where is looked: documents below a number, of evals that the reader may see. */
typedef struct SearchScope {
    SqlTx *tx;
    SqlDialect dialect;
    Arena *arena;
    bool is_open;   /* all evals */
    int64_t *evals; /* their numbers, the newest first */
    size_t n_evals;
    Str evals_text; /* the same as a list for SQL */
    int64_t first;  /* numbers of documents, [first, end) */
    int64_t end;
} SearchScope;

/* Fills in the scope; it is empty (first == end) when there is nothing that may be seen. */
int search_scope_open(SqlTx *tx, SqlDialect dialect, const QueriesAccess *access,
                      const SearchQuestion *question, Arena *arena, SearchScope *ret,
                      Error *err) HAWK_MUST_USE;

/* Numbers of documents in the scope below `before`, the newest first; those that have the words,
   or all when words is NULL. */
int search_find(const SearchScope *scope, const SearchWords *words, int64_t before, size_t max,
                int64_t *ret, size_t *ret_n, Error *err) HAWK_MUST_USE;

/* One stretch of numbers, with the evals of the scope as a condition or without; *ret has room for
   max of them, n is how many there are. */
typedef struct SearchStretch {
    const SearchScope *scope;
    const SearchWords *words; /* or NULL */
    int64_t first;
    int64_t end;
    bool tests_evals;
    size_t max;
    int64_t *ret;
    size_t n;
} SearchStretch;

/* Appends the condition that a number is in the stretch. */
void search_add_stretch(Query *query, const SearchStretch *stretch, const char *no);

/* Finds the newest documents of the stretch that have the words, in PostgreSQL. */
int search_find_places(SearchStretch *stretch, Error *err) HAWK_MUST_USE;

/* Appends "p (value, key)", a table of numbers in their order. */
void search_add_numbers(Query *query, const int64_t *numbers, size_t n);
Str search_list(const SearchScope *scope, const int64_t *numbers, size_t n);

/* One hit of a page. */
typedef struct SearchHit {
    int64_t no;
    double rank;
    size_t from; /* of an expression: what was found */
    size_t to;
} SearchHit;

/* Documents that an expression fits, up to the limit; *ret_next is the number below which to go on,
   0 when there is nothing left. */
int search_grep(const SearchScope *scope, const SearchQuestion *question, int64_t before,
                SearchHit *ret, size_t *ret_n, int64_t *ret_next, Error *err) HAWK_MUST_USE;

/* Words that every text has that the expression fits, as far as one can tell; ret->n_terms is 0
   when there are none. Texts go to the arena. */

#endif
