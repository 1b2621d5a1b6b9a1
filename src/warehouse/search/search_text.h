/* SearchText: the plain text of what a sample has as JSON, for the search index. */
#ifndef HAWK_WAREHOUSE_SEARCH_TEXT_H
#define HAWK_WAREHOUSE_SEARCH_TEXT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum {
    SEARCH_TEXT_MAX_CHARS = 100 * 1000,
    SEARCH_TEXT_MAX = 4 * SEARCH_TEXT_MAX_CHARS, /* bytes that these take at most */
};

/* Appends the content of an attachment, as far as it fits; nothing when there is none. */
typedef int SearchTextAttachment(void *context, Str key, Buf *ret, Error *err);

typedef struct SearchText {
    Buf *out; /* with a maximum of SEARCH_TEXT_MAX; what is beyond is left out */
    SearchTextAttachment *attachment;
    void *context;
} SearchText;

/* Append the words of a chat message: its content, its calls of tools, its error; those of any
   other JSON: its texts and numbers and the names of members; plain text. Each ends with a line
   end. What is not JSON is left out. */
int search_text_message(SearchText *text, Str json, Error *err) HAWK_MUST_USE;
int search_text_any(SearchText *text, Str json, Error *err) HAWK_MUST_USE;
int search_text_plain(SearchText *text, Str plain, Error *err) HAWK_MUST_USE;

/* The text within SEARCH_TEXT_MAX_CHARS characters and without white space at its ends. */
Str search_text_cut(Str text);

#endif
