/* Trace: the distributed trace that a request belongs to, as its headers say (W3C Trace Context,
   "traceparent"; AWS X-Ray, "X-Amzn-Trace-Id"). */
#ifndef HAWK_SERVER_TRACE_H
#define HAWK_SERVER_TRACE_H

#include <stdbool.h>

#include "base/str.h"

enum { TRACE_ID_MAX = 33, TRACE_SPAN_MAX = 17, TRACE_PARENT_MAX = 56 };

typedef struct Trace {
    char id[TRACE_ID_MAX];       /* 32 hexadecimal digits */
    char parent[TRACE_SPAN_MAX]; /* 16, or "" when nobody said */
    bool is_sampled;             /* whether whoever began it wants to see it */
} Trace;

/* Reads either header; traceparent wins. False when there is none that is well-formed. */
bool trace_read(Str traceparent, Str xray, Trace *ret);

/* A trace that begins here. */
void trace_begin(Trace *ret);

/* Makes the id of a span. */
void trace_span(char ret[TRACE_SPAN_MAX]);

/* Writes the header that says that what follows is a part of a span (W3C Trace Context, 3.2). */
void trace_write(const Trace *trace, const char *span, char ret[TRACE_PARENT_MAX]);

#endif
