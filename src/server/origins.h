/* Origins: the pages that may speak to this server with the cookies of who looks at them, and what
   browsers ask before they let a page of another origin speak (CORS, as the Fetch standard has it).
 */
#ifndef HAWK_SERVER_ORIGINS_H
#define HAWK_SERVER_ORIGINS_H

#include "server/route.h"

typedef struct Origins Origins;

/* pattern is a regular expression (PCRE2) for whole origins. Without it: the viewer's, and with
   is_shared any port of localhost, for whoever works on the viewer. ERR_USAGE when it is none. */
int origins_new(const char *pattern, const char *viewer_url, bool is_shared, Origins **ret,
                Error *err) HAWK_MUST_USE;
void origins_free(Origins *origins);

/* Whether the page that sent a request may: its Origin, else its Referer (RFC 6454), is one of
   these or this server's own. Without either it may not. */
bool origins_allow(const RouteCtx *ctx);

/* Adds what lets a page of another origin read the answer, for addresses that pages are for. True
   when the request only asked whether it may: it has been answered. */
bool origins_answer(RouteCtx *ctx);

HAWK_DEFINE_AUTO(Origins, origins, origins_free)
#define auto_origins HAWK_CLEANUP(origins_cleanup_)

#endif
