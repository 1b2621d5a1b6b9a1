/* What the files of the comparison share: evals become lanes, lanes of both sides match, a match
   becomes a series of pairs for each scorer, a series becomes figures. */
#ifndef HAWK_WAREHOUSE_COMPARE_PRIV_H
#define HAWK_WAREHOUSE_COMPARE_PRIV_H

#include "base/arena.h"
#include "sql/sql.h"
#include "warehouse/compare/compare.h"

enum { SIDE_A, SIDE_B, N_SIDES };

/* What may differ between evals of one task. */
typedef enum CompareTrait { TRAIT_MODEL, TRAIT_AGENT, TRAIT_ARGS, N_TRAITS } CompareTrait;

/* Evals of one task in one side that differ in nothing that counts: tries of one thing. */
typedef struct CompareLane CompareLane;
struct CompareLane {
    CompareLane *next;
    Str task;
    Str traits[N_TRAITS]; /* of its latest eval; STR_NONE: none */
    Str evals;            /* their ids, a JSON array */
};

typedef struct CompareMatch CompareMatch;
struct CompareMatch {
    CompareMatch *next;
    const CompareLane *lanes[N_SIDES];
};

/* Both sides, matched; in the arena. */
typedef struct CompareSides {
    CompareMatch *matches;
    CompareLane *alone[N_SIDES];
} CompareSides;

/* Reads the evals of both sides that the caller may see and matches them; fails as compare_write.
 */
int compare_lanes(SqlTx *tx, Sql *sql, const QueriesAccess *access, const CompareQuery *query,
                  Arena *arena, CompareSides *ret, Error *err) HAWK_MUST_USE;

/* A pair whose values differ. */
typedef struct CompareFlip CompareFlip;
struct CompareFlip {
    CompareFlip *next;
    Str id;
    int64_t epoch;
    Str uuids[N_SIDES];
    Str values[N_SIDES]; /* JSON */
};

typedef struct CompareFlips {
    size_t n;           /* all there are */
    CompareFlip *first; /* the first flips_max */
    CompareFlip **last;
} CompareFlips;

/* The pairs of one task by one scorer, in the arena. A sample is one item of `means`, however many
   epochs it has: the mean over those that are paired. */
typedef struct CompareSeries CompareSeries;
struct CompareSeries {
    CompareSeries *next;
    const CompareMatch *match;
    Str scorer;
    Str key; /* STR_NONE: the score itself */
    double *means[N_SIDES];
    size_t n_samples;
    size_t n_pairs;
    size_t n_unpaired[N_SIDES];
    size_t n_unusable; /* pairs with a value that is no number */
    bool is_binary;    /* each value is 0 or 1 */
    bool is_unit;      /* each value is from 0 to 1 */
    CompareFlips up;   /* B has more */
    CompareFlips down;
};

/* Appends the series of a match to the list at *ret, sorted by scorer. */
int compare_pairs(SqlTx *tx, Sql *sql, const CompareMatch *match, const CompareQuery *query,
                  Arena *arena, CompareSeries ***ret, Error *err) HAWK_MUST_USE;

/* Writes figures and flips of all series. */
void compare_write_series(const CompareSeries *first, const CompareQuery *query, JsonOut *out);

#endif
