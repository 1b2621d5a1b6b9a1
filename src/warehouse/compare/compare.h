/* Compare: two runs of the same tasks, sample by sample.

   Samples are paired by task, id and epoch. Where a side ran a task in several ways (models,
   agents, arguments), what differs within a side must agree between the sides; what is one thing on
   each side may differ, for that is what is being compared. Of several tries of a sample the latest
   that was scored counts. Intermediate scores and samples that were invalidated do not. */
#ifndef HAWK_WAREHOUSE_COMPARE_H
#define HAWK_WAREHOUSE_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "codec/json_out.h"
#include "sql/sql.h"
#include "warehouse/queries/queries.h"

enum { COMPARE_FLIPS_MAX = 1000 };

/* Views that are STR_NONE do not filter. */
typedef struct CompareQuery {
    Str a; /* id of an eval set or of an eval */
    Str b; /* STR_NONE with by_model: the two models of a */
    bool by_model;
    Str model_a;
    Str model_b;
    Str task;   /* its name, with or without what stands before its last '/' */
    Str scorer; /* "name", or "name.key" of a score that is an object */
    uint64_t seed;
    size_t flips_max; /* listed in each direction; at most COMPARE_FLIPS_MAX */
    Str link;         /* what makes an address of a sample's uuid when it stands before it */
} CompareQuery;

/* Writes {"a", "b", "seed", "level", "comparisons": [...], "only_a": [...], "only_b": [...]}, as
   docs/compare.md describes it. ERR_NOT_FOUND when the caller may see no eval of a side, ERR_USAGE
   when the sides are not two. */
int compare_write(Sql *sql, const QueriesAccess *access, const CompareQuery *query, JsonOut *out,
                  Error *err) HAWK_MUST_USE;

#endif
