/* Audit: who asked for what and whether it was allowed, one JSON object a line in a file that only
   grows. Full files are set aside with a number; AUDIT_FILES of them are kept. Safe from several
   threads. */
#ifndef HAWK_SERVER_AUDIT_H
#define HAWK_SERVER_AUDIT_H

#include <stdbool.h>

#include "access/caller.h"
#include "base/arena.h"
#include "base/error.h"

enum { AUDIT_FILES = 9, AUDIT_FILE_MAX = 64 << 20 };

typedef struct Audit Audit;

/* Opens the file, made 0600 when it is not there. */
int audit_open(const char *path, Audit **ret, Error *err) HAWK_MUST_USE;
void audit_close(Audit *audit); /* NULL is fine */

/* What a Caller's decisions are written through; lives in the arena, as long as the request. */
const CallerAudit *audit_of_request(Audit *audit, Arena *arena, const char *sub, Str request_id,
                                    Str peer);

#endif
