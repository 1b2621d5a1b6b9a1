/* The first pass finds what is true of the whole, the second makes the rows. A sample in memory is
   read once for both. */

#include "warehouse/rows/rows_maker.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan.h"
#include "warehouse/rows/rows_priv.h"
#include "warehouse/rows/sample_facts.h"

/* Of no row is made. */
static const char left_out[] = "store";

RowsMaker *rows_maker_new(void)
{
    RowsMaker *maker = mem_alloc(sizeof(*maker));
    maker->arena = arena_new();
    maker->scratch = arena_new();
    maker->facts = mem_alloc(sizeof(*maker->facts));
    maker->messages.table = ROWS_MESSAGE_POOL;
    maker->calls.table = ROWS_CALL_POOL;
    maker->refs.text = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    maker->text = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    return maker;
}

void rows_maker_free(RowsMaker *maker)
{
    if (!maker)
        return;
    sample_facts_release(maker->facts);
    free(maker->facts);
    RowsPool *pools[] = {&maker->messages, &maker->calls};
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        hash_map_release(&pools[i]->by_text);
        hash_map_release(&pools[i]->by_content);
    }
    hash_map_release(&maker->attachments);
    rows_parts_release(&maker->parts);
    rows_members_release(&maker->event);
    rows_members_release(&maker->call);
    rows_members_release(&maker->inner);
    buf_release(&maker->refs.text);
    buf_release(&maker->text);
    arena_free(maker->arena);
    arena_free(maker->scratch);
    free(maker);
}

static void begin(RowsMaker *maker, const SampleCleanRules *rules, RowsSink *sink)
{
    RowsPool *pools[] = {&maker->messages, &maker->calls};
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        hash_map_reset(&pools[i]->by_text);
        hash_map_reset(&pools[i]->by_content);
        pools[i]->n = 0;
    }
    hash_map_reset(&maker->attachments);
    arena_reset(maker->arena);
    arena_reset(maker->scratch);
    maker->sink = sink;
    maker->rules = *rules;
    maker->event_order = 0;
    maker->facts->arena = maker->arena;
    maker->facts->scratch = maker->scratch;
    maker->facts->rules = &maker->rules;
    sample_facts_begin(maker->facts);
}

static int put_names(RowsMaker *maker, RowsTable table, const ModelNames *names, Error *err)
{
    SqlValue values[N_SAMPLE_MODEL_COLUMNS] = {0};
    size_t column = table == ROWS_SAMPLE_MODEL ? SAMPLE_MODEL_MODEL : 0;
    for (size_t i = 0; i < names->n; i++) {
        values[column] = SQL_TEXT(sample_clean_text(names->items[i], maker->scratch));
        if (rows_put(maker->sink, table, values, err) < 0)
            return -1;
    }
    return 0;
}

static int put_facts(RowsMaker *maker, Error *err)
{
    SampleFacts *facts = maker->facts;
    facts->values[SAMPLE_IS_PROVISIONAL] = SQL_BOOL(facts->is_summary);
    if (facts->is_summary && facts->n_events > 0)
        facts->values[SAMPLE_BUF_CURSOR] =
            SQL_TEXTZ(arena_printf(maker->arena, "{\"events\": %lld}", (long long)facts->n_events));
    if (rows_put(maker->sink, ROWS_SAMPLE, facts->values, err) < 0)
        return -1;
    for (SampleFactsScore *score = facts->scores; score; score = score->next) {
        score->values[SCORE_SAMPLE_UUID] = facts->values[SAMPLE_UUID];
        if (rows_put(maker->sink, ROWS_SCORE, score->values, err) < 0)
            return -1;
    }
    if (put_names(maker, ROWS_SAMPLE_MODEL, &facts->called, err) < 0 ||
        put_names(maker, ROWS_CALLED, &facts->called_plain, err) < 0)
        return -1;
    return put_names(maker, ROWS_OBSERVED, &facts->observed, err);
}

/* The members of an event; NULL of anything else. */
static const RowsMembers *members_of(RowsMaker *maker, const SamplePart *part, Arena *arena)
{
    bool has_members =
        part->kind == SAMPLE_PART_EVENT && rows_members_read(&maker->event, part->raw, arena);
    return has_members ? &maker->event : NULL;
}

static int find_facts(RowsMaker *maker, SampleParts *parts, Error *err)
{
    SampleFacts *facts = maker->facts;
    SamplePart part;
    int has_part = 0;
    facts->is_whole = sample_parts_is_whole(parts);
    rows_parts_begin(&maker->parts, facts->is_whole);
    Arena *arena = facts->is_whole ? maker->arena : maker->scratch;
    while ((has_part = sample_parts_next(parts, &part, err)) == 1) {
        const RowsMembers *members = members_of(maker, &part, arena);
        rows_parts_add(&maker->parts, &part, members);
        sample_facts_add(facts, &part, members);
    }
    return has_part < 0 ? -1 : sample_facts_end(facts, err);
}

static int put_part(RowsMaker *maker, const SamplePart *part, const RowsMembers *members,
                    Error *err)
{
    Str text = STR_NONE;
    switch (part->kind) {
    case SAMPLE_PART_MEMBER: return 0;
    case SAMPLE_PART_MESSAGE: return rows_put_message(maker, part, err);
    case SAMPLE_PART_EVENT: return members ? rows_put_event(maker, members, err) : 0;
    case SAMPLE_PART_POOL_MESSAGE:
    case SAMPLE_PART_POOL_CALL: return rows_put_pool_entry(maker, part, err);
    case SAMPLE_PART_ATTACHMENT:
        if (!json_scan_str(part->raw, maker->scratch, &text))
            return 0;
        return rows_put_attachment(maker, part->key, text, err);
    }
    return 0;
}

static int put_kept(RowsMaker *maker, Error *err)
{
    for (size_t i = 0; i < maker->parts.n; i++) {
        RowsMembers members;
        bool has_members = rows_parts_members(&maker->parts, i, &members);
        if (put_part(maker, &maker->parts.items[i].part, has_members ? &members : NULL, err) < 0)
            return -1;
        arena_reset(maker->scratch);
    }
    return 0;
}

static int put_read(RowsMaker *maker, SampleParts *parts, Error *err)
{
    SamplePart part;
    int has_part = 0;
    if (sample_parts_rewind(parts, err) < 0)
        return -1;
    while ((has_part = sample_parts_next(parts, &part, err)) == 1) {
        if (put_part(maker, &part, members_of(maker, &part, maker->scratch), err) < 0)
            return -1;
        arena_reset(maker->scratch);
    }
    return has_part;
}

static int put_parts(RowsMaker *maker, SampleParts *parts, Error *err)
{
    /* What is made here goes behind what the log has. */
    maker->messages.n = (uint32_t)maker->facts->n_pool_messages;
    maker->calls.n = (uint32_t)maker->facts->n_pool_calls;
    return maker->parts.is_complete ? put_kept(maker, err) : put_read(maker, parts, err);
}

static int make(RowsMaker *maker, SampleParts *parts, Error *err)
{
    sample_parts_leave_out(parts, left_out);
    if (sample_parts_rewind(parts, err) < 0 || find_facts(maker, parts, err) < 0 ||
        put_facts(maker, err) < 0)
        return -1;
    return put_parts(maker, parts, err);
}

int rows_maker_sample(RowsMaker *maker, SampleParts *parts, const SampleCleanRules *rules,
                      RowsSink *sink, Error *err)
{
    begin(maker, rules, sink);
    maker->facts->is_summary = false;
    return make(maker, parts, err);
}

int rows_maker_summary(RowsMaker *maker, Str json, const SampleCleanRules *rules, RowsSink *sink,
                       Error *err)
{
    begin(maker, rules, sink);
    maker->facts->is_summary = true;
    auto_sample_parts SampleParts *parts = NULL;
    if (sample_parts_open_text(json, "summaries", &parts, err) < 0)
        return -1;
    return make(maker, parts, err);
}
