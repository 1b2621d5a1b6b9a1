/* Like: patterns of LIKE that find a text as it is. */
#ifndef HAWK_SQL_LIKE_H
#define HAWK_SQL_LIKE_H

#include "base/arena.h"
#include "base/str.h"

/* "%text%" in the arena, for LIKE with ESCAPE '\': the text's own %, _ and \ stand for themselves.
 */
Str like_containing(Arena *arena, Str text);

#endif
