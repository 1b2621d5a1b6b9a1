/* RowsMaker: makes the rows of one sample out of its parts, in two passes: what is true of the
   whole is known before the first row is made. */
#ifndef HAWK_WAREHOUSE_ROWS_MAKER_H
#define HAWK_WAREHOUSE_ROWS_MAKER_H

#include "evallog/sample_parts.h"
#include "warehouse/rows/rows.h"

typedef struct RowsMaker RowsMaker;

/* A maker that can be used for one sample after the other, in one thread. */
RowsMaker *rows_maker_new(void) HAWK_MUST_USE;
void rows_maker_free(RowsMaker *maker); /* NULL is fine */

/* Puts all rows of a sample, its own first. When the sample is broken (ERR_BAD_DATA), nothing has
   been put. */
int rows_maker_sample(RowsMaker *maker, SampleParts *parts, const SampleCleanRules *rules,
                      RowsSink *sink, Error *err) HAWK_MUST_USE;

/* The same of a line of the summaries, for a sample whose own record is still to come; it may have
   events, events_data and attachments as a sample has. ERR_BAD_DATA when it has no id or epoch. */
int rows_maker_summary(RowsMaker *maker, Str json, const SampleCleanRules *rules, RowsSink *sink,
                       Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(RowsMaker, rows_maker, rows_maker_free)
#define auto_rows_maker HAWK_CLEANUP(rows_maker_cleanup_)

#endif
