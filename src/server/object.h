/* Object: sending objects of the store, and links that work without credentials for a while. */
#ifndef HAWK_SERVER_OBJECT_H
#define HAWK_SERVER_OBJECT_H

#include "server/route.h"

/* Answers with n bytes from an offset, which are there. */
int object_send(RouteCtx *ctx, const char *key, uint64_t from, uint64_t n,
                Error *err) HAWK_MUST_USE;

/* Answers with an object as a file to be kept, or the range of it that was asked for. */
int object_send_download(RouteCtx *ctx, const char *key, Error *err) HAWK_MUST_USE;

/* Says under which name the answer is to be kept. */
void object_add_filename(RouteCtx *ctx, const char *file);

/* What a link of ours may lead to: an object below "evals/", one below "scans/", or all that is
   below a folder of scans in an archive. */
typedef enum ObjectPage { OBJECT_LOG, OBJECT_SCAN_FILE, OBJECT_SCAN_ZIP } ObjectPage;

/* A link for whoever has it: to the bucket, else to a page here, signed with a key that is made at
   each start of the server. */
int object_link(RouteCtx *ctx, ObjectPage page, const char *key, int seconds, const char **ret,
                Error *err) HAWK_MUST_USE;

/* The key that a request for such a page, "/<page>/{path*}", is allowed to see by its link. */
int object_check_link(RouteCtx *ctx, ObjectPage page, const char **ret_key,
                      Error *err) HAWK_MUST_USE;

#endif
