/* Spans: what requests took, sent to a collector of OpenTelemetry (OTLP/HTTP with JSON, version 1).

   Sending is a thread of its own; requests leave their span in a queue and go on. When the queue is
   full because the collector is slow or away, spans are dropped and counted. */
#ifndef HAWK_SERVER_SPANS_H
#define HAWK_SERVER_SPANS_H

#include <stdint.h>

#include "base/error.h"
#include "server/trace.h"

typedef struct Spans Spans;

enum { SPANS_QUEUED_MAX = 4096, SPANS_BATCH_MAX = 512 };

/* One request. Texts are borrowed and outlive the queue: they are those of the route tables. */
typedef struct Span {
    Trace trace;
    char id[TRACE_SPAN_MAX];
    const char *method;
    const char *route; /* NULL: none fitted */
    int status;
    int64_t begun_us;
    int64_t ended_us;
} Span;

/* endpoint is the address of the collector's traces ("http://127.0.0.1:4318/v1/traces"); headers
   ("a=b,c=d", percent-encoded values) go with each message, NULL: none. Texts are copied. ERR_USAGE
   for headers that are none. */
int spans_start(const char *endpoint, const char *headers, const char *service, Spans **ret,
                Error *err) HAWK_MUST_USE;

/* Sends what is queued, if that works at once, and ends; NULL is fine. */
void spans_stop(Spans *spans);

/* Leaves a copy in the queue, or drops it; never waits. */
void spans_add(Spans *spans, const Span *span);

HAWK_DEFINE_AUTO(Spans, spans, spans_stop)
#define auto_spans HAWK_CLEANUP(spans_cleanup_)

#endif
