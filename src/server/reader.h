/* Reader: the connection of its own that statements of users are run over (`hawk sql`), since what
   a user types must not reach what hawk itself may. */
#ifndef HAWK_SERVER_READER_H
#define HAWK_SERVER_READER_H

#include "base/arena.h"
#include "base/error.h"
#include "server/route.h"
#include "sql/sql.h"

/* Opens it. ERR_UNSUPPORTED when the operator gave no role for it. */
int reader_open(const App *app, Sql **ret, Error *err) HAWK_MUST_USE;

/* At the start: refuses a role that is or may become the server's own, and logs a warning when row
   security hides something from it. Without HAWK_API_READER_DATABASE_URL there is nothing to check.
 */
int reader_check(const App *app, Error *err) HAWK_MUST_USE;

/* What row security may hide from the reader, in words and in the arena; NULL when it hides
   nothing. */
int reader_hidden(Sql *reader, Arena *arena, const char **ret, Error *err) HAWK_MUST_USE;

#endif
