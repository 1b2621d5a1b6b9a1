/* Which evals stand against which: see compare.h. */

#include "base/buf.h"
#include "codec/json_out.h"
#include "warehouse/compare/compare_priv.h"
#include "warehouse/queries/queries_priv.h"

enum { EVALS_MAX = 10000, IDS_MAX = 1 << 20 };

typedef struct Eval {
    Str id;
    Str task;
    Str traits[N_TRAITS];
    bool is_taken; /* by a lane */
} Eval;

/* The evals of a side, newest first. */
typedef struct Side {
    Eval *evals;
    size_t n;
} Side;

static bool same(Str a, Str b)
{
    return (!a.p && !b.p) || (a.p && b.p && str_eq(a, b));
}

/* "mmlu" also means "inspect_evals/mmlu". */
static bool is_task(Str name, Str wanted)
{
    ptrdiff_t slash = str_rfind(name, '/');
    return !wanted.p || str_eq(name, wanted) ||
           str_eq(str_slice(name, (size_t)(slash + 1), name.n), wanted);
}

static Str copy(Arena *arena, const SqlRows *rows, int column)
{
    Str text = sql_rows_text(rows, column);
    return text.p ? arena_str(arena, text) : STR_NONE;
}

static void add_evals(Query *query, const QueriesAccess *access, Str id, Str model)
{
    query_add(query, "SELECT e.id, e.task_name, e.model, e.agent, e.task_args FROM eval e");
    query_where_value(query, "(e.eval_set_id = ?", SQL_TEXT(id));
    query_add_value(query, " OR e.id = ?)", SQL_TEXT(id));
    query_where(query, "");
    query_add_access(query, access);
    if (model.p)
        query_where_value(query, "e.model = ?", SQL_TEXT(model));
    query_add(query, " ORDER BY e.created_at DESC, e.pk DESC");
    query_add_value(query, " LIMIT ?", SQL_INT(EVALS_MAX + 1));
}

static int read_side(SqlTx *tx, Sql *sql, const QueriesAccess *access, Str id, Str model, Str task,
                     Arena *arena, Side *ret, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_init(&query, sql);
    add_evals(&query, access, id, model);
    if (query_run(&query, tx, &rows, err) < 0)
        return -1;
    Eval *evals = arena_array(arena, EVALS_MAX, sizeof(*evals));
    size_t n = 0;
    size_t n_seen = 0;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (n_seen++ == EVALS_MAX)
            return error_set(err, ERR_BAD_DATA, "%.*s has over %d evals", STR_ARG(id), EVALS_MAX);
        if (!is_task(sql_rows_text(rows, 1), task))
            continue;
        Eval *eval = &evals[n++];
        eval->id = copy(arena, rows, 0);
        eval->task = copy(arena, rows, 1);
        for (int i = 0; i < N_TRAITS; i++)
            eval->traits[i] = copy(arena, rows, 2 + i);
    }
    if (has_row < 0)
        return -1;
    if (n_seen == 0)
        return error_set(err, ERR_NOT_FOUND, "there is no eval set or eval '%.*s'%s%.*s",
                         STR_ARG(id), model.p ? " with the model " : "", STR_ARG(model));
    if (n == 0)
        return error_set(err, ERR_NOT_FOUND, "%.*s has no task '%.*s'", STR_ARG(id), STR_ARG(task));
    *ret = (Side){evals, n};
    return 0;
}

/* Whether evals of this task in the side differ in the trait. */
static bool differs_within(const Side *side, Str task, int trait)
{
    const Eval *first = NULL;
    for (size_t i = 0; i < side->n; i++) {
        if (!str_eq(side->evals[i].task, task))
            continue;
        if (!first)
            first = &side->evals[i];
        else if (!same(first->traits[trait], side->evals[i].traits[trait]))
            return true;
    }
    return false;
}

/* The traits of a task that tell lanes apart. */
typedef struct Counts {
    bool of[N_TRAITS];
} Counts;

static Counts counting_traits(const Side sides[N_SIDES], Str task)
{
    Counts counts = {0};
    for (int trait = 0; trait < N_TRAITS; trait++)
        counts.of[trait] = differs_within(&sides[SIDE_A], task, trait) ||
                           differs_within(&sides[SIDE_B], task, trait);
    return counts;
}

static bool agree(const Counts *counts, const Str *a, const Str *b)
{
    for (int trait = 0; trait < N_TRAITS; trait++)
        if (counts->of[trait] && !same(a[trait], b[trait]))
            return false;
    return true;
}

/* A lane of all evals that go with `eval`, which no lane has yet. */
static CompareLane *make_lane(Side *side, const Eval *eval, const Counts *counts, Arena *arena)
{
    auto_buf Buf ids = BUF_INIT(IDS_MAX);
    JsonOut out;
    json_out_init(&out, &ids, 0);
    json_out_array(&out);
    for (size_t i = 0; i < side->n; i++) {
        Eval *other = &side->evals[i];
        if (!str_eq(other->task, eval->task) || !agree(counts, other->traits, eval->traits))
            continue;
        other->is_taken = true;
        json_out_str(&out, other->id);
    }
    json_out_end_array(&out);
    CompareLane *lane = arena_alloc(arena, sizeof(*lane));
    lane->task = eval->task;
    for (int trait = 0; trait < N_TRAITS; trait++)
        lane->traits[trait] = eval->traits[trait];
    lane->evals = arena_str(arena, buf_str(&ids));
    return lane;
}

static int compare_lane_order(const CompareLane *a, const CompareLane *b)
{
    int order = str_cmp(a->task, b->task);
    for (int trait = 0; order == 0 && trait < N_TRAITS; trait++)
        order = str_cmp(a->traits[trait], b->traits[trait]);
    return order;
}

static void insert_lane(CompareLane **list, CompareLane *lane)
{
    while (*list && compare_lane_order(*list, lane) <= 0)
        list = &(*list)->next;
    lane->next = *list;
    *list = lane;
}

static CompareLane *lanes_of(Side *side, const Side sides[N_SIDES], Arena *arena)
{
    CompareLane *lanes = NULL;
    for (size_t i = 0; i < side->n; i++) {
        if (side->evals[i].is_taken)
            continue;
        Counts counts = counting_traits(sides, side->evals[i].task);
        insert_lane(&lanes, make_lane(side, &side->evals[i], &counts, arena));
    }
    return lanes;
}

/* Takes the lane that goes with another out of a list; NULL when there is none. */
static CompareLane *take_partner(CompareLane **list, const CompareLane *of, const Counts *counts)
{
    for (CompareLane **link = list; *link; link = &(*link)->next) {
        CompareLane *lane = *link;
        if (!str_eq(lane->task, of->task) || !agree(counts, lane->traits, of->traits))
            continue;
        *link = lane->next;
        lane->next = NULL;
        return lane;
    }
    return NULL;
}

static void match_lanes(Side sides[N_SIDES], Arena *arena, CompareSides *ret)
{
    CompareLane *left = lanes_of(&sides[SIDE_A], sides, arena);
    CompareLane *right = lanes_of(&sides[SIDE_B], sides, arena);
    CompareMatch **last = &ret->matches;
    CompareLane **last_alone = &ret->alone[SIDE_A];
    while (left) {
        CompareLane *lane = left;
        left = lane->next;
        lane->next = NULL;
        Counts counts = counting_traits(sides, lane->task);
        CompareLane *partner = take_partner(&right, lane, &counts);
        if (!partner) {
            *last_alone = lane;
            last_alone = &lane->next;
            continue;
        }
        CompareMatch *match = arena_alloc(arena, sizeof(*match));
        match->lanes[SIDE_A] = lane;
        match->lanes[SIDE_B] = partner;
        *last = match;
        last = &match->next;
    }
    ret->alone[SIDE_B] = right;
}

/* The two models of a set, by name; ERR_USAGE when there are not two. */
static int two_models(const Side *side, Str id, Str ret[N_SIDES], Error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < side->n; i++) {
        Str model = side->evals[i].traits[TRAIT_MODEL];
        bool is_known = false;
        for (size_t j = 0; j < n && j < N_SIDES; j++)
            is_known = is_known || same(ret[j], model);
        if (!is_known && n < N_SIDES)
            ret[n] = model;
        n += !is_known;
    }
    if (n != N_SIDES) {
        (void)error_set(err, ERR_USAGE, "%.*s has %s than two models to compare", STR_ARG(id),
                        n < N_SIDES ? "fewer" : "more");
        if (n < N_SIDES)
            return -1;
        return error_fix(err, "name one with --model-a and one with --model-b");
    }
    if (str_cmp(ret[SIDE_A], ret[SIDE_B]) > 0) {
        Str first = ret[SIDE_B];
        ret[SIDE_B] = ret[SIDE_A];
        ret[SIDE_A] = first;
    }
    return 0;
}

int compare_lanes(SqlTx *tx, Sql *sql, const QueriesAccess *access, const CompareQuery *query,
                  Arena *arena, CompareSides *ret, Error *err)
{
    Side sides[N_SIDES] = {0};
    Str ids[N_SIDES] = {query->a, query->b.p ? query->b : query->a};
    Str models[N_SIDES] = {query->model_a, query->model_b};
    if (query->by_model && !models[SIDE_A].p && !models[SIDE_B].p) {
        if (query->b.p)
            return error_set(err, ERR_USAGE, "by model, one eval set is compared with itself");
        if (read_side(tx, sql, access, query->a, STR_NONE, query->task, arena, &sides[0], err) <
                0 ||
            two_models(&sides[0], query->a, models, err) < 0)
            return -1;
    }
    if (!query->b.p && (!models[SIDE_A].p || !models[SIDE_B].p))
        return error_set(err, ERR_USAGE, "there is nothing to compare %.*s with",
                         STR_ARG(query->a));
    for (int side = 0; side < N_SIDES; side++)
        if (read_side(tx, sql, access, ids[side], models[side], query->task, arena, &sides[side],
                      err) < 0)
            return -1;
    *ret = (CompareSides){0};
    match_lanes(sides, arena, ret);
    return 0;
}
