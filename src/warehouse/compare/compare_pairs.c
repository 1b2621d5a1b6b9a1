/* The scores of two lanes, merged as they come: both sides in one query, in the order of scorer,
   sample, epoch, side, latest eval. Only means and the flips to be shown are kept. */

#include <string.h>

#include "base/mem.h"
#include "codec/json_scan.h"
#include "warehouse/compare/compare_priv.h"
#include "warehouse/compare/compare_stats.h"
#include "warehouse/queries/queries_priv.h"

enum { ROWS_MAX = 10000000, KEYS_MAX = 1000, VALUE_MAX = 16 << 20 };

enum Column { SCORER, ID, EPOCH, SIDE, UUID, VALUE };

/* clang-format off */
static const char *const bytewise[] = {
    [SQL_SQLITE]   = " COLLATE BINARY",
    [SQL_POSTGRES] = " COLLATE \"C\"",
};
static const char *const in_lane[] = {
    [SQL_SQLITE]   = "e.id IN (SELECT value FROM json_each(?))",
    [SQL_POSTGRES] = "e.id IN (SELECT jsonb_array_elements_text(?::jsonb))",
};
/* clang-format on */

/* What was read of one scorer, sample and epoch. */
typedef struct Slot {
    Buf scorer;
    Buf id;
    int64_t epoch;
    bool is_used;
    bool has[N_SIDES];
    Buf uuids[N_SIDES];
    Buf values[N_SIDES];
} Slot;

/* A series that grows, and the sample it is at. */
typedef struct Growing Growing;
struct Growing {
    Growing *next;
    CompareSeries *series;
    double *means[N_SIDES];
    size_t cap;
    double sums[N_SIDES]; /* of the sample at hand */
    size_t n_epochs;
};

typedef struct Merge {
    const CompareMatch *match;
    const CompareQuery *query;
    Arena *arena;
    Slot slot;
    Growing *growing; /* of the scorer at hand */
    CompareSeries ***last;
} Merge;

static void slot_init(Slot *slot)
{
    *slot = (Slot){.scorer = BUF_INIT(VALUE_MAX), .id = BUF_INIT(VALUE_MAX)};
    for (int side = 0; side < N_SIDES; side++) {
        slot->uuids[side] = BUF_INIT(VALUE_MAX);
        slot->values[side] = BUF_INIT(VALUE_MAX);
    }
}

static void merge_release(Merge *merge)
{
    buf_release(&merge->slot.scorer);
    buf_release(&merge->slot.id);
    for (int side = 0; side < N_SIDES; side++) {
        buf_release(&merge->slot.uuids[side]);
        buf_release(&merge->slot.values[side]);
    }
    while (merge->growing) {
        Growing *next = merge->growing->next;
        free(merge->growing->means[SIDE_A]);
        free(merge->growing->means[SIDE_B]);
        free(merge->growing);
        merge->growing = next;
    }
}

/* --- one series --- */

static void end_sample(Growing *growing)
{
    CompareSeries *series = growing->series;
    if (growing->n_epochs == 0)
        return;
    if (series->n_samples == growing->cap) {
        growing->cap = growing->cap ? growing->cap * 2 : 64;
        for (int side = 0; side < N_SIDES; side++)
            growing->means[side] =
                mem_resize(growing->means[side], growing->cap, sizeof(*growing->means[side]));
    }
    for (int side = 0; side < N_SIDES; side++) {
        growing->means[side][series->n_samples] = growing->sums[side] / (double)growing->n_epochs;
        growing->sums[side] = 0;
    }
    series->n_samples++;
    growing->n_epochs = 0;
}

static bool is_wanted(const CompareQuery *query, Str scorer, Str key)
{
    Str wanted = query->scorer;
    if (!wanted.p || str_eq(wanted, scorer))
        return true;
    return key.p && wanted.n == scorer.n + 1 + key.n && str_starts(wanted, scorer) &&
           wanted.p[scorer.n] == '.' && str_ends(wanted, key);
}

/* The series of a key of the scorer at hand; NULL when there are too many or it is not asked for.
 */
static Growing *growing_of(Merge *merge, Str key)
{
    size_t n = 0;
    Growing **place = NULL; /* keys are sorted: a database may keep them in an order of its own */
    Growing **link = &merge->growing;
    for (; *link; link = &(*link)->next, n++) {
        Str known = (*link)->series->key;
        if (known.p ? key.p && str_eq(known, key) : !key.p)
            return *link;
        if (!place && str_cmp(known, key) > 0)
            place = link;
    }
    if (n == KEYS_MAX || !is_wanted(merge->query, buf_str(&merge->slot.scorer), key))
        return NULL;
    CompareSeries *series = arena_alloc(merge->arena, sizeof(*series));
    series->match = merge->match;
    series->scorer = arena_str(merge->arena, buf_str(&merge->slot.scorer));
    series->key = key.p ? arena_str(merge->arena, key) : STR_NONE;
    series->is_binary = true;
    series->is_unit = true;
    series->up.last = &series->up.first;
    series->down.last = &series->down.first;
    Growing *growing = mem_alloc(sizeof(*growing));
    growing->series = series;
    link = place ? place : link;
    growing->next = *link;
    *link = growing;
    return growing;
}

static void note_flip(Merge *merge, CompareFlips *flips, const Str values[N_SIDES])
{
    if (flips->n++ >= merge->query->flips_max)
        return;
    const Slot *slot = &merge->slot;
    CompareFlip *flip = arena_alloc(merge->arena, sizeof(*flip));
    flip->id = arena_str(merge->arena, buf_str(&slot->id));
    flip->epoch = slot->epoch;
    for (int side = 0; side < N_SIDES; side++) {
        flip->uuids[side] = arena_str(merge->arena, buf_str(&slot->uuids[side]));
        flip->values[side] = arena_str(merge->arena, values[side]);
    }
    *flips->last = flip;
    flips->last = &flip->next;
}

/* One value of each side, STR_NONE where a side has none. */
static void add_pair(Merge *merge, Str key, const Str values[N_SIDES])
{
    Growing *growing = growing_of(merge, key);
    if (!growing)
        return;
    CompareSeries *series = growing->series;
    double numbers[N_SIDES] = {0};
    for (int side = 0; side < N_SIDES; side++) {
        if (!values[1 - side].p) {
            series->n_unpaired[side]++;
            return;
        }
    }
    for (int side = 0; side < N_SIDES; side++) {
        if (!compare_stats_number(values[side], &numbers[side])) {
            series->n_unusable++;
            return;
        }
    }
    for (int side = 0; side < N_SIDES; side++) {
        growing->sums[side] += numbers[side];
        series->is_binary = series->is_binary && (numbers[side] == 0 || numbers[side] == 1);
        series->is_unit = series->is_unit && numbers[side] >= 0 && numbers[side] <= 1;
    }
    growing->n_epochs++;
    series->n_pairs++;
    if (numbers[SIDE_B] > numbers[SIDE_A])
        note_flip(merge, &series->up, values);
    else if (numbers[SIDE_B] < numbers[SIDE_A])
        note_flip(merge, &series->down, values);
}

/* --- one slot --- */

/* The members of an object against those of the other side, which may have none. */
static void add_members(Merge *merge, int side, Str object, Str other, bool only_missing)
{
    JsonScan scan;
    Str key = STR_NONE;
    json_scan_init(&scan, object, true);
    if (!json_scan_object(&scan))
        return;
    auto_arena Arena *arena = arena_new();
    for (size_t n = 0; n < KEYS_MAX && json_scan_member(&scan, &key); n++) {
        Str values[N_SIDES] = {STR_NONE, STR_NONE};
        if (!json_scan_skip(&scan, &values[side]))
            return;
        Str name = STR_NONE;
        if (!json_scan_key_str(key, arena, &name))
            return;
        bool is_there = other.p && json_scan_get(other, arena_strndup(arena, name.p, name.n),
                                                 &values[1 - side]);
        if (!only_missing || !is_there)
            add_pair(merge, name, values);
    }
}

static bool is_object(Str value)
{
    return value.p && json_scan_kind_of(value) == JSON_SCAN_OBJECT;
}

static void end_slot(Merge *merge)
{
    Slot *slot = &merge->slot;
    Str values[N_SIDES] = {STR_NONE, STR_NONE};
    if (!slot->is_used)
        return;
    slot->is_used = false;
    for (int side = 0; side < N_SIDES; side++)
        if (slot->has[side])
            values[side] = buf_str(&slot->values[side]);
    bool objects[N_SIDES] = {is_object(values[SIDE_A]), is_object(values[SIDE_B])};
    for (int side = 0; side < N_SIDES; side++)
        slot->has[side] = false;
    if (!objects[SIDE_A] && !objects[SIDE_B]) {
        add_pair(merge, STR_NONE, values);
        return;
    }
    Str other = objects[SIDE_B] ? values[SIDE_B] : STR_NONE;
    if (objects[SIDE_A])
        add_members(merge, SIDE_A, values[SIDE_A], other, false);
    if (objects[SIDE_B])
        add_members(merge, SIDE_B, values[SIDE_B], objects[SIDE_A] ? values[SIDE_A] : STR_NONE,
                    true);
}

static void end_samples(Merge *merge)
{
    for (Growing *growing = merge->growing; growing; growing = growing->next)
        end_sample(growing);
}

/* Moves what has grown into the list; the arena gets the means. */
static void end_scorer(Merge *merge)
{
    end_samples(merge);
    while (merge->growing) {
        Growing *growing = merge->growing;
        CompareSeries *series = growing->series;
        for (int side = 0; side < N_SIDES; side++) {
            double *means = arena_array(merge->arena, series->n_samples + 1, sizeof(*means));
            if (series->n_samples > 0)
                memcpy(means, growing->means[side], series->n_samples * sizeof(*means));
            series->means[side] = means;
            free(growing->means[side]);
        }
        **merge->last = series;
        *merge->last = &series->next;
        merge->growing = growing->next;
        free(growing);
    }
}

static void set_text(Buf *buf, Str text)
{
    buf_reset(buf);
    buf_add_str(buf, text);
}

static int read_row(Merge *merge, const SqlRows *rows, Error *err)
{
    Slot *slot = &merge->slot;
    Str scorer = sql_rows_text(rows, SCORER);
    Str id = sql_rows_text(rows, ID);
    int64_t epoch = sql_rows_int(rows, EPOCH);
    bool same_scorer = slot->is_used && str_eq(buf_str(&slot->scorer), scorer);
    bool same_sample = same_scorer && str_eq(buf_str(&slot->id), id);
    if (!same_sample || slot->epoch != epoch) {
        end_slot(merge);
        if (!same_sample)
            end_samples(merge);
        if (!same_scorer)
            end_scorer(merge);
        set_text(&slot->scorer, scorer);
        set_text(&slot->id, id);
        slot->epoch = epoch;
        slot->is_used = true;
    }
    int side = sql_rows_int(rows, SIDE) == SIDE_A ? SIDE_A : SIDE_B;
    if (slot->has[side])
        return 0; /* an earlier try */
    slot->has[side] = true;
    set_text(&slot->uuids[side], sql_rows_text(rows, UUID));
    set_text(&slot->values[side], sql_rows_text(rows, VALUE));
    if (buf_check(&slot->id, "a sample's id", err) < 0)
        return -1;
    return buf_check(&slot->values[side], "a score", err);
}

/* --- the query --- */

static void add_side(Query *query, const CompareLane *lane, int side)
{
    query_add(query, side == SIDE_A ? "SELECT f.scorer AS scorer, s.id AS id, s.epoch AS epoch, 0 "
                                      "AS side, s.uuid AS uuid, f.value AS value, e.created_at AS "
                                      "created_at, e.pk AS pk"
                                    : "SELECT f.scorer, s.id, s.epoch, 1, s.uuid, f.value, "
                                      "e.created_at, e.pk");
    query_add(query, " FROM eval e JOIN sample s ON s.eval_pk = e.pk JOIN score f ON f.sample_pk = "
                     "s.pk WHERE NOT f.is_intermediate AND NOT s.is_invalid AND ");
    query_add_value(query, in_lane[query->dialect], SQL_TEXT(lane->evals));
}

static void add_scores(Query *query, const CompareMatch *match)
{
    const char *collate = bytewise[query->dialect];
    query_add(query, "SELECT r.scorer, r.id, r.epoch, r.side, r.uuid, r.value FROM (");
    add_side(query, match->lanes[SIDE_A], SIDE_A);
    query_add(query, " UNION ALL ");
    add_side(query, match->lanes[SIDE_B], SIDE_B);
    query_add(query, ") r ORDER BY r.scorer");
    query_add(query, collate);
    query_add(query, ", r.id");
    query_add(query, collate);
    query_add(query, ", r.epoch, r.side, r.created_at DESC, r.pk DESC");
}

int compare_pairs(SqlTx *tx, Sql *sql, const CompareMatch *match, const CompareQuery *query,
                  Arena *arena, CompareSeries ***ret, Error *err)
{
    HAWK_CLEANUP(merge_release)
    Merge merge = {.match = match, .query = query, .arena = arena, .last = ret};
    auto_query Query text = {0};
    auto_sql_rows SqlRows *rows = NULL;
    slot_init(&merge.slot);
    query_init(&text, sql);
    add_scores(&text, match);
    if (query_run(&text, tx, &rows, err) < 0)
        return -1;
    size_t n = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (n++ == ROWS_MAX) {
            (void)error_set(err, ERR_BAD_DATA, "the task %.*s has over %d scores",
                            STR_ARG(match->lanes[SIDE_A]->task), ROWS_MAX);
            return error_fix(err, "compare single evals instead of whole eval sets");
        }
        if (read_row(&merge, rows, err) < 0)
            return -1;
    }
    if (has_row < 0)
        return -1;
    end_slot(&merge);
    end_scorer(&merge);
    return 0;
}
