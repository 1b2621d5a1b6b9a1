/* Metrics: what has been asked of this process, counted without locks, in the text format of
   Prometheus (exposition format 0.0.4). No ids of users, jobs or samples are labels. */
#ifndef HAWK_SERVER_METRICS_H
#define HAWK_SERVER_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "server/route.h"

typedef struct Metrics Metrics;

/* Counters for the rows of all route tables. */
Metrics *metrics_new(const RouteTable *const *tables, size_t n_tables) HAWK_MUST_USE;
void metrics_free(Metrics *metrics); /* NULL is fine */

/* Counts a request that was answered after so many microseconds (of a stream: until it began);
   route is NULL when no row fitted. */
void metrics_count(Metrics *metrics, const Route *route, int status, int64_t took_us);

/* Appends all counters. */
void metrics_write(const Metrics *metrics, Buf *ret);

/* Appends one more value: "# HELP", "# TYPE name gauge" once per name by metrics_gauge_head, then
   "name{label="value"} n". */
void metrics_gauge_head(Buf *ret, const char *name, const char *help);
void metrics_gauge(Buf *ret, const char *name, const char *label, const char *value, int64_t n);

#endif
