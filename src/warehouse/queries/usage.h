/* Usage: tokens by model and time, from what samples say that they used. */
#ifndef HAWK_WAREHOUSE_USAGE_H
#define HAWK_WAREHOUSE_USAGE_H

#include "warehouse/queries/queries.h"

/* What the tokens of a model are told apart by. */
typedef enum UsageGroup { USAGE_BY_USER, USAGE_BY_JOB, USAGE_BY_TASK } UsageGroup;

/* Samples that ended from start on and before end (seconds), in bins of so many seconds. */
typedef struct UsageWindow {
    double start_s;
    double end_s;
    double bin_s;
    UsageGroup group;
} UsageWindow;

/* One model, one bin, one user, job or task. */
typedef struct UsageRow {
    Str model; /* as Inspect names it: "openai/gpt-4o" */
    Str who;   /* STR_NONE: not known */
    int64_t bin;
    int64_t tokens;
    int64_t input;
    int64_t output;
    int64_t cache_read;
    int64_t cache_write;
} UsageRow;

enum { USAGE_ROWS_MAX = 200 * 1000 };

/* Calls each() for the rows in the order of model and bin; -1 from it ends that. Only what the
   caller may see counts. ERR_BAD_DATA when there are over USAGE_ROWS_MAX. */
typedef int UsageEach(void *context, const UsageRow *row, Error *err);
int usage_each(Sql *sql, const QueriesAccess *access, const UsageWindow *window, UsageEach *each,
               void *context, Error *err) HAWK_MUST_USE;

#endif
