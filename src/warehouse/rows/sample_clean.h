/* SampleClean: makes what logs have fit for databases. */
#ifndef HAWK_WAREHOUSE_SAMPLE_CLEAN_H
#define HAWK_WAREHOUSE_SAMPLE_CLEAN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

typedef struct SampleCleanRules {
    size_t json_max; /* bytes of a JSON value; SAMPLE_CLEAN_JSON_MAX unless a database refused */
    bool is_wary;    /* look for numbers beyond all measure, too */
} SampleCleanRules;

#define SAMPLE_CLEAN_JSON_MAX ((size_t)64 << 20)

/* JSON that databases take: NaN and infinities become null, \u0000 is dropped, a lone surrogate
   becomes U+FFFD. What would take more than the ceiling is replaced by a note that names the field,
   {"__hawk_externalized__": {...}}; the value stays in the log. The input must be JSON; STR_NONE
   stays STR_NONE. The result is the input, or in the arena. */
Str sample_clean_json(Str json, const char *field, const SampleCleanRules *rules, Arena *arena);

/* A text without NUL bytes. */
Str sample_clean_text(Str text, Arena *arena);

#endif
