/* The comparison as a document: see compare.h. */

#include "warehouse/compare/compare.h"

#include "base/arena.h"
#include "warehouse/compare/compare_priv.h"
#include "warehouse/queries/queries_priv.h"

static int check(const CompareQuery *query, Error *err)
{
    if (!query->a.p || query->a.n == 0)
        return error_set(err, ERR_USAGE, "there is nothing to compare");
    if (query->flips_max > COMPARE_FLIPS_MAX)
        return error_set(err, ERR_USAGE, "at most %d flips are listed", COMPARE_FLIPS_MAX);
    return 0;
}

static void write_alone(const char *key, const CompareLane *lanes, JsonOut *out)
{
    json_out_kv_array(out, key);
    for (const CompareLane *lane = lanes; lane; lane = lane->next) {
        json_out_object(out);
        json_out_kv_str(out, "task", lane->task);
        json_out_kv_str(out, "model", lane->traits[TRAIT_MODEL]);
        json_out_kv_str(out, "agent", lane->traits[TRAIT_AGENT]);
        json_out_end_object(out);
    }
    json_out_end_array(out);
}

int compare_write(Sql *sql, const QueriesAccess *access, const CompareQuery *query, JsonOut *out,
                  Error *err)
{
    auto_arena Arena *arena = arena_new();
    CompareSides sides = {0};
    CompareSeries *series = NULL;
    CompareSeries **last = &series;
    auto_sql_tx SqlTx *tx = NULL;
    if (check(query, err) < 0 || query_begin_as(sql, access, &tx, err) < 0 ||
        compare_lanes(tx, sql, access, query, arena, &sides, err) < 0)
        return -1;
    for (const CompareMatch *match = sides.matches; match; match = match->next)
        if (compare_pairs(tx, sql, match, query, arena, &last, err) < 0)
            return -1;
    sql_rollback(TAKE(tx));
    json_out_object(out);
    json_out_kv_str(out, "a", query->a);
    json_out_kv_str(out, "b", query->b.p ? query->b : query->a);
    json_out_kv_int(out, "seed", (int64_t)query->seed);
    compare_write_series(series, query, out);
    write_alone("only_a", sides.alone[SIDE_A], out);
    write_alone("only_b", sides.alone[SIDE_B], out);
    json_out_end_object(out);
    return 0;
}
