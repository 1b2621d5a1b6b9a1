/* SampleFacts: what is true of a sample as a whole, found in a first pass over its parts: its own
   row, its scores, the models that it called, and what rows of its parts have to know. */
#ifndef HAWK_WAREHOUSE_SAMPLE_FACTS_H
#define HAWK_WAREHOUSE_SAMPLE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "evallog/sample_parts.h"
#include "warehouse/model_name.h"
#include "warehouse/rows/rows_columns.h"
#include "warehouse/rows/rows_earliest.h"
#include "warehouse/rows/rows_members.h"

typedef struct SampleFactsScore SampleFactsScore;
struct SampleFactsScore {
    SampleFactsScore *next;
    SqlValue values[N_SCORE_COLUMNS];
};

/* Which score an event says was made or edited, and when. */
typedef struct SampleFactsEdit SampleFactsEdit;
struct SampleFactsEdit {
    SampleFactsEdit *next;
    Str scorer;
    SqlValue at;
};

typedef struct SampleFacts {
    /* Given. */
    Arena *arena; /* of what is found */
    const SampleCleanRules *rules;
    bool is_summary;
    bool is_whole; /* what parts give stays valid */

    /* Found. */
    SqlValue values[N_SAMPLE_COLUMNS]; /* those that the log tells */
    SampleFactsScore *scores;
    ModelNames called;       /* as the warehouse has them */
    ModelNames called_plain; /* of these, those that raw calls name */
    ModelNames observed;     /* as a registry has them */
    RowsEarliest earliest;
    size_t n_pool_messages;
    size_t n_pool_calls;

    /* While reading. */
    Arena *scratch;           /* of one part */
    const RowsMembers *event; /* that is looked at */
    RowsMembers members;
    RowsMembers inner;
    Str scores_raw;
    Str usage_raw;
    Str output_raw;
    SqlValue own_started;
    SqlValue own_completed;
    SampleFactsEdit *edits; /* the newest first */
    SampleFactsScore **tail;
    int64_t n_messages;
    int64_t n_tools;
    int64_t n_intermediate;
    int64_t n_events;
    int32_t event_order;
    double generation_time;
    SqlValue first_at;
    SqlValue last_at;
    SqlValue end_at; /* where the sample's own work ended, when an event says so */
} SampleFacts;

/* Starts with nothing found. The arenas, rules and flags are set by the caller before. */
void sample_facts_begin(SampleFacts *facts);

/* Takes the next part; event is its members if it is an event and an object, else NULL. */
void sample_facts_add(SampleFacts *facts, const SamplePart *part, const RowsMembers *event);

/* Completes what has been found. ERR_BAD_DATA when it is no sample (no id or epoch). */
int sample_facts_end(SampleFacts *facts, Error *err) HAWK_MUST_USE;

/* Gives memory back, but that in the arenas. */
void sample_facts_release(SampleFacts *facts);

#endif
