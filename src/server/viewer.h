/* Viewer: Inspect's own log viewer, as the `inspect_ai` wheel carries it, found on this machine. */
#ifndef HAWK_SERVER_VIEWER_H
#define HAWK_SERVER_VIEWER_H

#include "base/arena.h"
#include "base/base.h"
#include "base/error.h"

typedef struct Viewer Viewer;

/* Looks in `given` when it is not NULL, else in the virtualenvs below cache_dir, which every run
 * brings along. */
Viewer *viewer_new(const char *cache_dir, const char *given) HAWK_MUST_USE;
void viewer_free(Viewer *viewer);

typedef struct ViewerPlace {
    const char *dir;     /* holds index.html and assets/ */
    const char *version; /* of Inspect: "0.3.285", or "" when it is not known */
} ViewerPlace;

/* The newest viewer, its strings in the arena; ERR_NOT_FOUND when there is none yet. Looks again
 * from time to time. */
int viewer_find(Viewer *viewer, Arena *arena, ViewerPlace *ret, Error *err) HAWK_MUST_USE;

#endif
