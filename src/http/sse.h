/* Server-sent events (WHATWG HTML, section 9.2): frames of a text/event-stream body. */
#ifndef HAWK_HTTP_SSE_H
#define HAWK_HTTP_SSE_H

#include "base/buf.h"
#include "base/str.h"

#define SSE_CONTENT_TYPE "text/event-stream"

/* Appends one event. Data of several lines becomes several data fields; STR_NONE leaves out id,
   event or data. Line breaks and NULs inside id and event are dropped. */
void sse_add_event(Buf *buf, Str id, Str event, Str data);

/* Appends a comment, which clients ignore; keeps a quiet connection alive. */
void sse_add_comment(Buf *buf, Str text);

/* Appends how long a client waits before it connects again. */
void sse_add_retry(Buf *buf, int retry_ms);

#endif
