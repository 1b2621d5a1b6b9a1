/* Object: sending objects of the store, and links that work without credentials for a while. */
#ifndef HAWK_SERVER_OBJECT_H
#define HAWK_SERVER_OBJECT_H

#include "server/route.h"

/* Answers with n bytes from an offset, which are there. */
int object_send(RouteCtx *ctx, const char *key, uint64_t from, uint64_t n,
                Error *err) HAWK_MUST_USE;

/* Answers with an object as a file to be kept, or the range of it that was asked for. */
int object_send_download(RouteCtx *ctx, const char *key, Error *err) HAWK_MUST_USE;

/* A link to an object below "evals/" for whoever has it: to the bucket, else to /download here,
   signed with a key that is made at each start of the server. */
int object_link(RouteCtx *ctx, const char *key, int seconds, const char **ret,
                Error *err) HAWK_MUST_USE;

/* The key of the object that a request for /download/{path*} is allowed to see by its link. */
int object_check_link(RouteCtx *ctx, const char **ret_key, Error *err) HAWK_MUST_USE;

#endif
