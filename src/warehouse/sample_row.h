/* SampleRow: what the warehouse keeps of one sample, drawn from its JSON in one pass.

   Takes a whole sample of a log as well as a summary, which has the same names but less. Views
   point into the JSON or the arena. Numbers that are missing are SAMPLE_ROW_NONE or NAN. */
#ifndef HAWK_WAREHOUSE_SAMPLE_ROW_H
#define HAWK_WAREHOUSE_SAMPLE_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

#define SAMPLE_ROW_NONE INT64_MIN

typedef enum SampleRowUsage {
    USAGE_INPUT,
    USAGE_OUTPUT,
    USAGE_TOTAL,
    USAGE_CACHE_WRITE,
    USAGE_CACHE_READ,
    USAGE_REASONING,
    N_USAGES,
} SampleRowUsage;

typedef struct SampleRowScore SampleRowScore;
struct SampleRowScore {
    SampleRowScore *next;
    Str scorer;
    bool is_intermediate;
    Str value; /* JSON that any database takes */
    double value_float;
    const char *value_nonfinite; /* "nan", "inf", "-inf" or NULL */
    Str explanation;
    Str answer;
    Str meta;        /* JSON */
    Str model_usage; /* JSON */
    Str history;     /* JSON */
    int64_t scored_us;
};

typedef struct SampleRowModel SampleRowModel;
struct SampleRowModel {
    SampleRowModel *next;
    Str name; /* as the provider was asked for it */
};

typedef struct SampleRow {
    Str id;
    int64_t epoch;
    Str uuid;
    int64_t started_us;
    int64_t completed_us;
    int64_t invalidated_us;
    Str invalidation_author;
    Str invalidation_reason;
    Str input;  /* JSON */
    Str output; /* JSON */
    int64_t usage[N_USAGES];
    int64_t action_count;
    int64_t message_count;
    double working_time;
    double total_time;
    double generation_time;
    Str model_usage; /* JSON */
    Str error_message;
    Str error_traceback;
    Str error_traceback_ansi;
    const char *limit; /* a name that the warehouse knows, or NULL */
    Str meta;          /* JSON */
    SampleRowScore *scores;
    SampleRowModel *models; /* each once */
} SampleRow;

/* ERR_BAD_DATA when json is not a sample (no id or epoch). */
int sample_row_read(Str json, Arena *arena, SampleRow *ret, Error *err) HAWK_MUST_USE;

/* JSON that every database and parser takes: NaN and Infinity become null, \u0000 is dropped, a
   lone surrogate becomes U+FFFD; over 64 MiB it is replaced by a note that names the field. The
   input must be JSON; STR_NONE stays STR_NONE. */
Str sample_row_clean(Str json, const char *field, Arena *arena);

/* A text without NUL bytes, which some databases refuse. */
Str sample_row_clean_text(Str text, Arena *arena);

#endif
