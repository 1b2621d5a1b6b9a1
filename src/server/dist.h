/* Dist: the files of a viewer that a browser loads: index.html, and what lies below it. */
#ifndef HAWK_SERVER_DIST_H
#define HAWK_SERVER_DIST_H

#include "base/error.h"
#include "server/route.h"

typedef struct DistPlace {
    const char *dir;
    const char *version; /* of the viewer, for the tags of its files; may be "" */
} DistPlace;

/* Sends index.html with the content security policy that lies beside it. */
int dist_send_index(RouteCtx *ctx, const DistPlace *place, Error *err) HAWK_MUST_USE;

/* Sends a file by its path below the folder; ERR_NOT_FOUND for paths that are not plain. */
int dist_send_file(RouteCtx *ctx, const DistPlace *place, Str path, Error *err) HAWK_MUST_USE;

#endif
