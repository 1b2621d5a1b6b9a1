/* Scout: answers of Inspect Scout's own viewer API, from processes that are kept warm: Python of
   the newest virtualenv that has inspect_scout, which every scan brings along. Who may see what has
   been decided by whoever asks. */
#ifndef HAWK_SERVER_SCOUT_H
#define HAWK_SERVER_SCOUT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

typedef struct Scout Scout;
typedef struct ScoutAnswer ScoutAnswer;

/* cache_dir is where virtualenvs are; nothing is started yet. */
Scout *scout_new(const char *cache_dir) HAWK_MUST_USE;
void scout_free(Scout *scout); /* every answer has been freed; NULL is fine */

/* The folder of the newest viewer's files, in the arena; ERR_NOT_FOUND when no scan has run here.
 */
int scout_dist(Scout *scout, Arena *arena, const char **ret, Error *err) HAWK_MUST_USE;

typedef struct ScoutRequest {
    const char *method;
    const char *path;  /* "/scans/<encoded folder>" */
    const char *query; /* encoded, without '?' */
    Str body;          /* JSON, or STR_NONE */
    const char *root;  /* that locations in the answer are to be below, with '/' at its end */
} ScoutRequest;

/* Asks, waiting for a process that is free, and returns when the answer begins. */
int scout_ask(Scout *scout, const ScoutRequest *request, ScoutAnswer **ret,
              Error *err) HAWK_MUST_USE;
int scout_answer_status(const ScoutAnswer *answer);
const char *scout_answer_type(const ScoutAnswer *answer);

/* Appends what there is of the body; waits a short while when there is nothing yet. 1 when it goes
   on, 0 when it is whole. */
int scout_answer_next(ScoutAnswer *answer, Buf *out, Error *err) HAWK_MUST_USE;

/* A process whose answer was not read to its end is ended. */
void scout_answer_free(ScoutAnswer *answer);

#endif
