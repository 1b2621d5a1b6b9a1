/* Local: the server of this machine's data folder: finding it, starting it in the background,
 * ending it. */
#ifndef HAWK_CLI_LOCAL_H
#define HAWK_CLI_LOCAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"

/* What DATA/server.json says of a server that runs. */
typedef struct Local {
    const char *data_dir;
    const char *url;
    const char *version;
    const char *started_at;
    pid_t pid;
} Local;

/* The data folder as an option (or NULL), the environment or XDG say; absolute, in the arena. */
const char *local_data_dir(Arena *arena, const char *given);

/* The server of a data folder, in the arena; false when none runs. That it runs is told by the lock
   it holds, not by a number or a port, which may have passed to another program. */
bool local_find(Arena *arena, const char *data_dir, Local *ret);

/* Starts `hawk serve` with the given further options (may be NULL, ends with NULL) in the
   background and returns when it answers; when another process starts one at the same time, that is
   the one. The server gets only those variables of the environment that it needs, and no keys. */
int local_start(Arena *arena, const char *data_dir, const char *const *options, Local *ret,
                Error *err) HAWK_MUST_USE;

/* Asks the server to end and waits until its process has; ERR_TIMEOUT when it does not within a
 * minute. */
int local_stop(Arena *arena, const Local *local, Error *err) HAWK_MUST_USE;

#endif
