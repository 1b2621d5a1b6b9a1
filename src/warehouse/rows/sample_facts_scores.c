/* Scores: those of the sample, and when each was made. */

#include <math.h>

#include "codec/json_scan.h"
#include "codec/murmur3.h"
#include "warehouse/hash_map.h"
#include "warehouse/rows/sample_facts_priv.h"

enum { SCORER_MAX = 500 };

static SqlValue value_in(SampleFacts *facts, Str raw, enum ScoreColumn column)
{
    return sample_facts_value(facts, raw, &rows_spec(ROWS_SCORE)->columns[column]);
}

/* Sets what a score's value is worth as a number. */
static void set_value(SampleFacts *facts, Str raw, SqlValue values[N_SCORE_COLUMNS])
{
    double number = 0;
    bool flag = false;
    values[SCORE_VALUE] = value_in(facts, raw, SCORE_VALUE);
    if (values[SCORE_VALUE].type == SQL_TYPE_NULL)
        values[SCORE_VALUE] = SQL_TEXTZ("null");
    if (json_scan_bool(raw, &flag))
        values[SCORE_VALUE_FLOAT] = SQL_REAL(flag ? 1 : 0);
    else if (json_scan_double(raw, &number))
        values[SCORE_VALUE_FLOAT] = SQL_REAL(number);
    if (!isfinite(number))
        values[SCORE_VALUE_NONFINITE] = SQL_TEXTZ(isnan(number) ? "nan"
                                                  : number > 0  ? "inf"
                                                                : "-inf");
}

void sample_facts_score(SampleFacts *facts, Str raw, SqlValue values[N_SCORE_COLUMNS],
                        Str *ret_history)
{
    memset(values, 0, N_SCORE_COLUMNS * sizeof(values[0]));
    values[SCORE_IS_INTERMEDIATE] = SQL_BOOL(false);
    values[SCORE_META] = SQL_TEXTZ("{}");
    *ret_history = STR_NONE;
    RowsMembers *members = &facts->inner;
    if (!rows_members_read(members, raw, facts->arena)) {
        set_value(facts, raw, values); /* a bare value, as early logs have */
        return;
    }
    Str meta = rows_members_get(members, STR("metadata"));
    Str history = rows_members_get(members, STR("history"));
    set_value(facts, rows_members_get(members, STR("value")), values);
    values[SCORE_ANSWER] = value_in(facts, rows_members_get(members, STR("answer")), SCORE_ANSWER);
    values[SCORE_EXPLANATION] =
        value_in(facts, rows_members_get(members, STR("explanation")), SCORE_EXPLANATION);
    if (meta.p)
        values[SCORE_META] = value_in(facts, meta, SCORE_META);
    if (!rows_members_has_items(history))
        return;
    values[SCORE_HISTORY] = value_in(facts, history, SCORE_HISTORY);
    *ret_history = history;
}

static Str last_item(Str array)
{
    JsonScan scan;
    Str item = STR_NONE;
    json_scan_init(&scan, array, true);
    (void)json_scan_array(&scan);
    while (json_scan_item(&scan))
        (void)json_scan_skip(&scan, &item);
    return item;
}

/* A score that was edited was made then; any other when the sample was complete. */
static SqlValue scored_at(SampleFacts *facts, Str scorer, Str history)
{
    Str provenance = STR_NONE;
    Str timestamp = STR_NONE;
    if (!history.p)
        return facts->own_completed;
    if (json_scan_get(last_item(history), "provenance", &provenance) &&
        json_scan_get(provenance, "timestamp", &timestamp))
        return value_in(facts, timestamp, SCORE_SCORED_AT);
    for (const SampleFactsEdit *edit = facts->edits; edit; edit = edit->next)
        if (str_eq(edit->scorer, scorer))
            return edit->at;
    return facts->own_completed;
}

/* Completes the scores of events. One that has the name of a final score gives way to it. */
static void finish_intermediate(SampleFacts *facts, SampleFactsScore **at, const HashMap *names)
{
    while (*at) {
        SqlValue *values = (*at)->values;
        SqlValue *usage = &values[SCORE_MODEL_USAGE];
        usage->text = model_name_resolve_keys(usage->text, &facts->called, facts->arena);
        if (hash_map_find(names, murmur3_of(values[SCORE_SCORER].text)))
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

/* A name as the tables have it: of one that no index would take, its beginning and its hash. */
static Str scorer_name(Str key, Arena *arena)
{
    char hash[MURMUR3_HEX_MAX];
    Str name = sample_clean_text(key, arena);
    if (name.n <= SCORER_MAX)
        return name;
    Str beginning = str_slice(name, 0, SCORER_MAX - MURMUR3_HEX_MAX);
    beginning.n = str_utf8_prefix(beginning);
    return str_of(
        arena_printf(arena, "%.*s~%s", STR_ARG(beginning), murmur3_hex(murmur3_of(name), hash)));
}

void sample_facts_scores(SampleFacts *facts)
{
    RowsMembers *members = &facts->members;
    HashMap names = {0}; /* of equal ones the last counts */
    SampleFactsScore *intermediate = facts->scores;
    facts->scores = NULL;
    (void)rows_members_read(members, facts->scores_raw, facts->arena);
    SampleFactsScore *last = NULL;
    for (size_t i = members->n; i > 0; i--) {
        const RowsMember *member = &members->items[i - 1];
        Str name = scorer_name(member->key, facts->arena);
        Str history = STR_NONE;
        if (!hash_map_add(&names, murmur3_of(name), 0))
            continue;
        SampleFactsScore *score = arena_alloc(facts->arena, sizeof(*score));
        sample_facts_score(facts, member->raw, score->values, &history);
        score->values[SCORE_SCORER] = SQL_TEXT(name);
        score->values[SCORE_SCORED_AT] = scored_at(facts, member->key, history);
        score->next = facts->scores;
        facts->scores = score;
        last = last ? last : score;
    }
    finish_intermediate(facts, &intermediate, &names);
    hash_map_release(&names);
    *(last ? &last->next : &facts->scores) = intermediate;
}
