/* Cursor: where in a list the next page begins, as a text that clients hand back unread.

   It holds the sort values of the last row that was shown, so that the next page is found by its
   place in an index, however deep. It gives no access to anything: the conditions of the list are
   asked anew with each page. A digest ties it to the list's filters and sort order. */
#ifndef HAWK_SQL_CURSOR_H
#define HAWK_SQL_CURSOR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "sql/sql.h"

enum { CURSOR_VALUES_MAX = 6, CURSOR_TEXT_MAX = 6000 };

/* Null, whole numbers, instants, numbers and texts, as sql.h has them. */
typedef struct Cursor {
    SqlValue values[CURSOR_VALUES_MAX];
    size_t n;
} Cursor;

/* Appends the cursor; `list` is a text that is equal for all pages of one list and no other. A text
   value over 2000 bytes is cut at a character: lists sort by the beginnings of texts. */
void cursor_write(const Cursor *cursor, Str list, Buf *ret);

/* Reads what cursor_write wrote for the same list, with n values; texts go to the arena. ERR_USAGE
   when it is anything else. */
int cursor_read(Str text, Str list, size_t n, Arena *arena, Cursor *ret, Error *err) HAWK_MUST_USE;

#endif
