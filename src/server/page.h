/* Pages made by the server: plain HTML without scripts, every text escaped. */
#ifndef HAWK_SERVER_PAGE_H
#define HAWK_SERVER_PAGE_H

#include "base/buf.h"
#include "server/route.h"

/* Begin a page with a title, and send it; the body is written in between. */
void page_begin(Buf *html, const char *title);
void page_send(RouteCtx *ctx, Buf *take_html);

/* Text as HTML text or attribute value. */
void page_text(Buf *html, Str text);

/* A page that takes the browser on to a path of ours. */
void page_forward(RouteCtx *ctx, Str path);

/* What a browser without a session sees; the status is set by the caller. */
void page_login_needed(RouteCtx *ctx);

#endif
