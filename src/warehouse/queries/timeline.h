/* Timeline: where the time of samples went, out of the events that their logs have. */
#ifndef HAWK_WAREHOUSE_TIMELINE_H
#define HAWK_WAREHOUSE_TIMELINE_H

#include "warehouse/queries/queries.h"

/* SampleTimelineResponse: the sample, its spans, calls of models and of tools, each with begin and
   end. Fails as queries_sample. */
int timeline_sample(Sql *sql, const QueriesAccess *access, Str uuid, JsonOut *out,
                    Error *err) HAWK_MUST_USE;

/* EvalSetTimelineResponse: how long models and tools took in all, and the longest calls of tools;
   ERR_TIMEOUT when there are too many events to add up. EvalSetTimelineSamplesResponse: the samples
   that have a timeline. Whether the caller may see the set is asked before. */
int timeline_set(Sql *sql, const QueriesAccess *access, Str eval_set_id, JsonOut *out,
                 Error *err) HAWK_MUST_USE;
int timeline_set_samples(Sql *sql, const QueriesAccess *access, Str eval_set_id, JsonOut *out,
                         Error *err) HAWK_MUST_USE;

#endif
