/* The id of an eval whose log has none, as versions of Inspect before 0.3.71 or so wrote them. */
#ifndef HAWK_EVALLOG_EVALLOG_ID_H
#define HAWK_EVALLOG_EVALLOG_ID_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/* The id that Inspect's reader gives to such an eval: the same each time it is read. */
Str evallog_id_of(Str run_id, Str task_id, int64_t created_us, Arena *arena);

#endif
