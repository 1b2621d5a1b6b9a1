/* What the files of SampleFacts share. */
#ifndef HAWK_WAREHOUSE_SAMPLE_FACTS_PRIV_H
#define HAWK_WAREHOUSE_SAMPLE_FACTS_PRIV_H

#include "warehouse/rows/sample_facts.h"

/* Takes one event. */
void sample_facts_event(SampleFacts *facts, const RowsMembers *event);

/* Adds the scores of the sample in front of those that events had. */
void sample_facts_scores(SampleFacts *facts);

/* Reads a score, an object or a bare value, into a row; *ret_history is its raw history. */
void sample_facts_score(SampleFacts *facts, Str raw, SqlValue values[N_SCORE_COLUMNS],
                        Str *ret_history);

/* The text, or a copy when what parts give does not stay. */
Str sample_facts_keep(SampleFacts *facts, Str text);

/* The value that raw is in a column, kept; NULL when it does not fit. */
SqlValue sample_facts_value(SampleFacts *facts, Str raw, const SqlColumn *column);

#endif
