/* Rows: the columns of the tables that one sample fills, and how the importer hands their rows on.

   Rows are made without the columns that say where they belong (the first four of each table below
   "sample": pk, created_at, updated_at, sample_pk); whoever writes them fills these in. */
#ifndef HAWK_WAREHOUSE_ROWS_H
#define HAWK_WAREHOUSE_ROWS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "sql/sql.h"
#include "warehouse/rows/sample_clean.h"

typedef enum RowsTable {
    ROWS_SAMPLE, /* always the first row of a sample */
    ROWS_SCORE,
    ROWS_SAMPLE_MODEL,
    ROWS_MESSAGE,
    ROWS_ATTACHMENT,
    ROWS_EVENT,
    ROWS_MESSAGE_POOL,
    ROWS_CALL_POOL,
    ROWS_OBSERVED, /* no table: names for eval.observed_model_names */
    ROWS_CALLED,   /* no table: names that raw calls have for models */
    N_ROWS_TABLES,
} RowsTable;

typedef struct RowsSpec {
    const char *name;
    const SqlColumn *columns;
    size_t n_columns;
} RowsSpec;

/* Of tables below a sample. */
enum { ROWS_PK, ROWS_CREATED_AT, ROWS_UPDATED_AT, ROWS_SAMPLE_PK, N_ROWS_COMMON };

/* As many columns as any table has, at most. */
enum { ROWS_COLUMNS_MAX = 128 };

/* Name and columns of a table. */
const RowsSpec *rows_spec(RowsTable table);

/* Takes rows; values are as many as the table has columns, and live until it returns. */
typedef struct RowsSink RowsSink;
struct RowsSink {
    int (*put)(RowsSink *sink, RowsTable table, const SqlValue *values, Error *err);
};

/* Hands a row to a sink; fails as the sink does. */
static inline HAWK_MUST_USE int rows_put(RowsSink *sink, RowsTable table, const SqlValue *values,
                                         Error *err)
{
    return sink->put(sink, table, values, err);
}

/* What a JSON value becomes in a column of some kind; false when it does not fit there. null is
   SQL's NULL. Views point into raw or the arena. */
bool rows_value(Str raw, const SqlColumn *column, const SampleCleanRules *rules, Arena *arena,
                SqlValue *ret);

/* The key of the n-th row below a sample: the sample's, counted on, so that rows come in the order
   of their keys and get the same ones again. sample_pk and ret are UUIDs as text. */
enum { ROWS_PK_MAX = 37 };
void rows_child_pk(const char *sample_pk, uint64_t n, char ret[ROWS_PK_MAX]);

/* A new key for a sample, with room for the keys of rows below it; each is above the one before. */
typedef struct RowsKeys {
    uint64_t millisecond;
    uint64_t number;
} RowsKeys;
void rows_sample_pk(RowsKeys *keys, char ret[ROWS_PK_MAX]);

#endif
