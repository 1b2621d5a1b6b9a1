/* Events tell when the work began and ended, what was called, and how the sample was scored on the
   way. */

#include <math.h>

#include "codec/json_scan.h"
#include "warehouse/rows/sample_facts_priv.h"

static bool is_type(Str raw, const char *type)
{
    size_t n = strlen(type);
    return raw.n == n + 2 && memcmp(raw.p + 1, type, n) == 0;
}

static Str get(const SampleFacts *facts, const char *name)
{
    return rows_members_get(facts->event, str_of(name));
}

static Str text_of(SampleFacts *facts, Str raw)
{
    Str text = STR_NONE;
    (void)json_scan_str(raw, facts->scratch, &text);
    return text;
}

static void observe(SampleFacts *facts, Str name)
{
    if (name.p)
        model_names_add(&facts->observed, model_name_registry(name));
}

/* Models that events inside old tool and subtask events called. */
static void observe_nested(SampleFacts *facts, Str events, int depth)
{
    JsonScan scan;
    Str raw = STR_NONE;
    Str part = STR_NONE;
    json_scan_init(&scan, events, true);
    if (depth == 0 || json_scan_kind(&scan) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
        return;
    while (json_scan_item(&scan) && json_scan_skip(&scan, &raw)) {
        if (!json_scan_get(raw, "event", &part))
            continue;
        if (is_type(part, "model") && json_scan_get(raw, "model", &part))
            observe(facts, text_of(facts, part));
        else if (json_scan_get(raw, "events", &part))
            observe_nested(facts, part, depth - 1);
    }
}

static void see_model(SampleFacts *facts)
{
    double seconds = 0;
    if (json_scan_double(get(facts, "working_time"), &seconds) && isfinite(seconds))
        facts->generation_time += seconds;
    rows_earliest_add(&facts->earliest, get(facts, "input_refs"), facts->event_order);
    Str name = text_of(facts, get(facts, "model"));
    Str request = STR_NONE;
    Str raw = STR_NONE;
    Str call = get(facts, "call");
    observe(facts, name);
    bool is_named = call.p && json_scan_get(call, "request", &request) &&
                    json_scan_get(request, "model", &raw) && text_of(facts, raw).n > 0;
    if (is_named)
        name = text_of(facts, raw);
    if (!name.p)
        return;
    Str canonical = model_name_canonical(name);
    model_names_add(&facts->called, canonical);
    if (call.p)
        model_names_add(&facts->called_plain, canonical);
}

static void add_intermediate(SampleFacts *facts, SqlValue at)
{
    Str history = STR_NONE;
    SampleFactsScore *score = arena_alloc(facts->arena, sizeof(*score));
    sample_facts_score(facts, get(facts, "score"), score->values, &history);
    score->values[SCORE_SCORER] = SQL_TEXTZ(
        arena_printf(facts->arena, "intermediate_%lld", (long long)facts->n_intermediate++));
    score->values[SCORE_IS_INTERMEDIATE] = SQL_BOOL(true);
    score->values[SCORE_SCORED_AT] = at;
    score->values[SCORE_HISTORY] = SQL_NULL;
    /* Models get their names when all calls are known. */
    score->values[SCORE_MODEL_USAGE] = sample_facts_value(
        facts, get(facts, "model_usage"), &rows_spec(ROWS_SCORE)->columns[SCORE_MODEL_USAGE]);
    *facts->tail = score;
    facts->tail = &score->next;
}

static void see_score(SampleFacts *facts, SqlValue at)
{
    bool is_intermediate = false;
    (void)json_scan_bool(get(facts, "intermediate"), &is_intermediate);
    if (is_intermediate)
        add_intermediate(facts, at);
    else if (facts->n_events > 0 && facts->end_at.type == SQL_TYPE_NULL)
        facts->end_at = facts->last_at;
}

static void see_edit(SampleFacts *facts, SqlValue at)
{
    Str scorer = text_of(facts, get(facts, "score_name"));
    if (!scorer.p)
        return;
    SampleFactsEdit *edit = arena_alloc(facts->arena, sizeof(*edit));
    *edit = (SampleFactsEdit){
        .next = facts->edits, .scorer = arena_str(facts->arena, scorer), .at = at};
    facts->edits = edit;
}

void sample_facts_event(SampleFacts *facts, const RowsMembers *event)
{
    enum { NESTED_MAX = 16 };
    facts->event = event;
    Str type = get(facts, "event");
    SqlValue at = sample_facts_value(facts, get(facts, "timestamp"),
                                     &rows_spec(ROWS_EVENT)->columns[EVENT_TIMESTAMP]);
    if (is_type(type, "model"))
        see_model(facts);
    else if (is_type(type, "score"))
        see_score(facts, at);
    else if (is_type(type, "score_edit"))
        see_edit(facts, at);
    else if (is_type(type, "sample_limit"))
        facts->end_at = at;
    else if (is_type(type, "tool") || is_type(type, "subtask"))
        observe_nested(facts, get(facts, "events"), NESTED_MAX);
    facts->n_tools += is_type(type, "tool");
    if (facts->first_at.type == SQL_TYPE_NULL)
        facts->first_at = at;
    if (at.type != SQL_TYPE_NULL)
        facts->last_at = at;
    facts->n_events++;
    facts->event_order += !is_type(type, "step");
}
