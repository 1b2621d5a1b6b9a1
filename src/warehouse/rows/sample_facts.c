/* Members of a sample, or of a line of the summaries, which has the same names but less. */

#include "warehouse/rows/sample_facts.h"

#include <math.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"
#include "warehouse/rows/sample_facts_priv.h"
#include "warehouse/rows/sandbox_config.h"

enum { OUTPUT_MAX = 1 << 30, UUID_MAX = 256 };

/* Limits that the warehouse has a name for; any other is "custom". */
static const char *const limits[] = {"context", "time", "working",  "message",
                                     "token",   "cost", "operator", "custom"};

typedef struct UsageRow {
    const char *name;
    enum SampleColumn column;
} UsageRow;

/* clang-format off */
static const UsageRow usages[] = {
    { "input_tokens",             SAMPLE_INPUT_TOKENS },
    { "output_tokens",            SAMPLE_OUTPUT_TOKENS },
    { "total_tokens",             SAMPLE_TOTAL_TOKENS },
    { "reasoning_tokens",         SAMPLE_REASONING_TOKENS },
    { "input_tokens_cache_read",  SAMPLE_CACHE_READ_TOKENS },
    { "input_tokens_cache_write", SAMPLE_CACHE_WRITE_TOKENS },
};
/* clang-format on */

Str sample_facts_keep(SampleFacts *facts, Str text)
{
    return facts->is_whole || !text.p ? text : arena_str(facts->arena, text);
}

SqlValue sample_facts_value(SampleFacts *facts, Str raw, const SqlColumn *column)
{
    SqlValue value = SQL_NULL;
    Arena *arena = facts->is_whole ? facts->arena : facts->scratch;
    if (!rows_value(raw, column, facts->rules, arena, &value))
        return SQL_NULL;
    value.text = sample_facts_keep(facts, value.text);
    return value;
}

static void set(SampleFacts *facts, enum SampleColumn column, Str raw)
{
    facts->values[column] =
        sample_facts_value(facts, raw, &rows_spec(ROWS_SAMPLE)->columns[column]);
}

/* A string, or a number as its digits. */
static void set_id(SampleFacts *facts, Str raw)
{
    if (json_scan_kind_of(raw) == JSON_SCAN_NUMBER)
        facts->values[SAMPLE_ID] = SQL_TEXT(sample_facts_keep(facts, raw));
    else
        set(facts, SAMPLE_ID, raw);
}

/* An empty one names nothing: all samples with it would be the same. */
static void set_uuid(SampleFacts *facts, Str raw)
{
    set(facts, SAMPLE_UUID, raw);
    if (facts->values[SAMPLE_UUID].text.n == 0)
        facts->values[SAMPLE_UUID] = SQL_NULL;
}

/* A sample has an object, a summary only the message. */
static void set_error(SampleFacts *facts, Str raw)
{
    Str part = STR_NONE;
    set(facts, SAMPLE_ERROR_MESSAGE, json_scan_get(raw, "message", &part) ? part : raw);
    if (json_scan_get(raw, "traceback", &part))
        set(facts, SAMPLE_ERROR_TRACEBACK, part);
    if (json_scan_get(raw, "traceback_ansi", &part))
        set(facts, SAMPLE_ERROR_TRACEBACK_ANSI, part);
}

static void set_limit(SampleFacts *facts, Str raw)
{
    Str part = STR_NONE;
    Str name = STR_NONE;
    if (json_scan_get(raw, "reason", &part))
        set(facts, SAMPLE_LIMIT_REASON, part);
    if (!json_scan_str(json_scan_get(raw, "type", &part) ? part : raw, facts->scratch, &name))
        return;
    facts->values[SAMPLE_LIMIT] = SQL_TEXTZ("custom");
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        if (str_eqz(name, limits[i]))
            facts->values[SAMPLE_LIMIT] = SQL_TEXTZ(limits[i]);
}

static void set_invalidation(SampleFacts *facts, Str raw)
{
    Str part = STR_NONE;
    if (json_scan_get(raw, "timestamp", &part))
        set(facts, SAMPLE_INVALIDATION_TIMESTAMP, part);
    if (json_scan_get(raw, "author", &part))
        set(facts, SAMPLE_INVALIDATION_AUTHOR, part);
    if (json_scan_get(raw, "reason", &part))
        set(facts, SAMPLE_INVALIDATION_REASON, part);
}

/* {"type", "config"}, in old logs [type, config]. */
static void set_sandbox(SampleFacts *facts, Str raw)
{
    Str parts[2] = {STR_NONE, STR_NONE};
    JsonScan scan;
    json_scan_init(&scan, raw, true);
    (void)json_scan_get(raw, "type", &parts[0]);
    (void)json_scan_get(raw, "config", &parts[1]);
    if (json_scan_kind(&scan) == JSON_SCAN_ARRAY && json_scan_array(&scan))
        for (size_t i = 0; json_scan_item(&scan); i++)
            (void)json_scan_skip(&scan, i < ARRAY_LEN(parts) ? &parts[i] : NULL);
    set(facts, SAMPLE_SANDBOX_TYPE, parts[0]);
    set(facts, SAMPLE_SANDBOX_CONFIG, sandbox_config_clean(parts[1], facts->arena));
}

static void set_scores(SampleFacts *facts, Str raw)
{
    facts->scores_raw = sample_facts_keep(facts, raw);
}

/* Early logs have one score, whose scorer has no name. Inspect calls it so. */
static void set_score(SampleFacts *facts, Str raw)
{
    facts->scores_raw = str_of(arena_printf(facts->arena, "{\"88F74D2C\":%.*s}", STR_ARG(raw)));
}

static void set_usage(SampleFacts *facts, Str raw)
{
    facts->usage_raw = sample_facts_keep(facts, raw);
}

static void set_output(SampleFacts *facts, Str raw)
{
    bool is_kept = raw.n <= facts->rules->json_max;
    facts->output_raw = is_kept ? sample_facts_keep(facts, raw) : STR_NONE;
    if (!is_kept)
        set(facts, SAMPLE_OUTPUT, raw); /* a note */
}

static void set_started(SampleFacts *facts, Str raw)
{
    facts->own_started =
        sample_facts_value(facts, raw, &rows_spec(ROWS_SAMPLE)->columns[SAMPLE_STARTED_AT]);
}

static void set_completed(SampleFacts *facts, Str raw)
{
    facts->own_completed =
        sample_facts_value(facts, raw, &rows_spec(ROWS_SAMPLE)->columns[SAMPLE_COMPLETED_AT]);
}

static int64_t count_items(Str raw)
{
    JsonScan scan;
    int64_t n = 0;
    json_scan_init(&scan, raw, true);
    if (json_scan_kind(&scan) == JSON_SCAN_ARRAY && json_scan_array(&scan))
        while (json_scan_item(&scan))
            n++;
    return n;
}

static void set_retries(SampleFacts *facts, Str raw)
{
    if (json_scan_kind_of(raw) == JSON_SCAN_ARRAY)
        facts->values[SAMPLE_RETRIES] = SQL_INT(count_items(raw));
}

/* [{"count": n, ...}, ...] */
static void set_fallbacks(SampleFacts *facts, Str raw)
{
    JsonScan scan;
    Str item = STR_NONE;
    Str count = STR_NONE;
    int64_t total = 0;
    json_scan_init(&scan, raw, true);
    if (json_scan_kind(&scan) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
        return;
    while (json_scan_item(&scan) && json_scan_skip(&scan, &item)) {
        int64_t n = 0;
        if (json_scan_get(item, "count", &count) && json_scan_i64(count, &n) && n > 0 &&
            n < INT32_MAX - total)
            total += n;
    }
    facts->values[SAMPLE_FALLBACKS] = SQL_INT(total);
}

typedef struct MemberRow {
    Str name;
    enum SampleColumn column; /* as it is, unless there is a function */
    void (*set)(SampleFacts *facts, Str raw);
} MemberRow;

/* clang-format off */
#define NAME(literal) { (literal), sizeof(literal) - 1 }
static const MemberRow members[] = {
    { NAME("id"),                SAMPLE_ID,                set_id },
    { NAME("epoch"),             SAMPLE_EPOCH,             NULL },
    { NAME("uuid"),              SAMPLE_UUID,              set_uuid },
    { NAME("input"),             SAMPLE_INPUT,             NULL },
    { NAME("target"),            SAMPLE_TARGET,            NULL },
    { NAME("choices"),           SAMPLE_CHOICES,           NULL },
    { NAME("description"),       SAMPLE_DESCRIPTION,       NULL },
    { NAME("output"),            SAMPLE_OUTPUT,            set_output },
    { NAME("metadata"),          SAMPLE_META,              NULL },
    { NAME("sandbox"),           SAMPLE_SANDBOX_TYPE,      set_sandbox },
    { NAME("scores"),            N_SAMPLE_COLUMNS,         set_scores },
    { NAME("score"),             N_SAMPLE_COLUMNS,         set_score },
    { NAME("model_usage"),       SAMPLE_MODEL_USAGE,       set_usage },
    { NAME("model_fallbacks"),   SAMPLE_FALLBACKS,         set_fallbacks },
    { NAME("started_at"),        SAMPLE_STARTED_AT,        set_started },
    { NAME("completed_at"),      SAMPLE_COMPLETED_AT,      set_completed },
    { NAME("total_time"),        SAMPLE_TOTAL_TIME,        NULL },
    { NAME("working_time"),      SAMPLE_WORKING_TIME,      NULL },
    { NAME("message_count"),     SAMPLE_MESSAGE_COUNT,     NULL },
    { NAME("turn_count"),        SAMPLE_TURN_COUNT,        NULL },
    { NAME("token_limit_usage"), SAMPLE_TOKEN_LIMIT_USAGE, NULL },
    { NAME("limit"),             SAMPLE_LIMIT,             set_limit },
    { NAME("limit_reason"),      SAMPLE_LIMIT_REASON,      NULL },
    { NAME("error"),             SAMPLE_ERROR_MESSAGE,     set_error },
    { NAME("retries"),           SAMPLE_RETRIES,           NULL },
    { NAME("error_retries"),     SAMPLE_RETRIES,           set_retries },
    { NAME("invalidation"),      SAMPLE_INVALIDATION_AUTHOR, set_invalidation },
};
/* clang-format on */

static void add_member(SampleFacts *facts, Str key, Str raw)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const MemberRow *member = &members[i];
        if (!str_eq(key, member->name))
            continue;
        if (member->set)
            member->set(facts, raw);
        else
            set(facts, member->column, raw);
        return;
    }
}

void sample_facts_begin(SampleFacts *facts)
{
    Arena *arena = facts->arena;
    memset(facts->values, 0, sizeof(facts->values));
    facts->scores = NULL;
    facts->tail = &facts->scores;
    facts->edits = NULL;
    facts->called = (ModelNames){.arena = arena};
    facts->called_plain = (ModelNames){.arena = arena};
    facts->observed = (ModelNames){.arena = arena};
    rows_earliest_reset(&facts->earliest);
    facts->n_pool_messages = 0;
    facts->n_pool_calls = 0;
    facts->scores_raw = STR_NONE;
    facts->usage_raw = STR_NONE;
    facts->output_raw = STR_NONE;
    facts->own_started = SQL_NULL;
    facts->own_completed = SQL_NULL;
    facts->n_messages = 0;
    facts->n_tools = 0;
    facts->n_intermediate = 0;
    facts->n_events = 0;
    facts->event_order = 0;
    facts->generation_time = 0;
    facts->first_at = SQL_NULL;
    facts->last_at = SQL_NULL;
    facts->end_at = SQL_NULL;
}

void sample_facts_release(SampleFacts *facts)
{
    rows_earliest_release(&facts->earliest);
    rows_members_release(&facts->members);
    rows_members_release(&facts->inner);
}

void sample_facts_add(SampleFacts *facts, const SamplePart *part, const RowsMembers *event)
{
    switch (part->kind) {
    case SAMPLE_PART_MEMBER: add_member(facts, part->key, part->raw); break;
    case SAMPLE_PART_MESSAGE: facts->n_messages++; break;
    case SAMPLE_PART_EVENT:
        if (event)
            sample_facts_event(facts, event);
        break;
    case SAMPLE_PART_POOL_MESSAGE: facts->n_pool_messages++; break;
    case SAMPLE_PART_POOL_CALL: facts->n_pool_calls++; break;
    case SAMPLE_PART_ATTACHMENT: break;
    }
    arena_reset(facts->scratch);
}

/* Adds up the tokens of all models. */
static void add_usage(SampleFacts *facts, Str usage)
{
    Str raw = STR_NONE;
    for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
        SqlValue *sum = &facts->values[usages[i].column];
        int64_t n = 0;
        if (json_scan_get(usage, usages[i].name, &raw) && json_scan_i64(raw, &n) && n > 0 &&
            __builtin_add_overflow(sum->integer, n, &sum->integer))
            sum->integer = INT64_MAX;
    }
}

static void finish_usage(SampleFacts *facts)
{
    bool has_usage = json_scan_kind_of(facts->usage_raw) == JSON_SCAN_OBJECT;
    for (size_t i = 0; i < ARRAY_LEN(usages) && (has_usage || !facts->is_summary); i++)
        facts->values[usages[i].column] = SQL_INT(0);
    if (!has_usage)
        return;
    RowsMembers *members_of = &facts->inner;
    (void)rows_members_read(members_of, facts->usage_raw, facts->arena);
    for (size_t i = 0; i < members_of->n; i++) {
        add_usage(facts, members_of->items[i].raw);
        model_names_add(&facts->observed, model_name_registry(members_of->items[i].key));
    }
    set(facts, SAMPLE_MODEL_USAGE,
        model_name_resolve_keys(facts->usage_raw, &facts->called, facts->arena));
}

/* The output with its model's name as the warehouse has it. */
static void finish_output(SampleFacts *facts)
{
    Str raw = STR_NONE;
    Str name = STR_NONE;
    if (!facts->output_raw.p)
        return;
    bool has_name =
        json_scan_get(facts->output_raw, "model", &raw) && json_scan_str(raw, facts->arena, &name);
    Str resolved = has_name ? model_name_resolve(name, &facts->called) : STR_NONE;
    if (!has_name || str_eq(resolved, name)) {
        set(facts, SAMPLE_OUTPUT, facts->output_raw);
        return;
    }
    auto_buf Buf text = BUF_INIT(OUTPUT_MAX);
    JsonOut out;
    buf_add(&text, facts->output_raw.p, (size_t)(raw.p - facts->output_raw.p));
    json_out_init(&out, &text, 0);
    json_out_str(&out, resolved);
    buf_add(&text, raw.p + raw.n,
            (size_t)(facts->output_raw.p + facts->output_raw.n - raw.p) - raw.n);
    set(facts, SAMPLE_OUTPUT, arena_str(facts->arena, buf_str(&text)));
}

static SqlValue first_of(SqlValue a, SqlValue b)
{
    return a.type == SQL_TYPE_NULL ? b : a;
}

static void finish_times(SampleFacts *facts)
{
    SqlValue *values = facts->values;
    values[SAMPLE_STARTED_AT] = first_of(facts->first_at, facts->own_started);
    values[SAMPLE_COMPLETED_AT] =
        first_of(first_of(facts->end_at, facts->last_at), facts->own_completed);
    if (facts->generation_time > 0)
        values[SAMPLE_GENERATION_TIME] = SQL_REAL(facts->generation_time);
    if (facts->is_summary)
        return;
    values[SAMPLE_WORKING_TIME] = SQL_REAL(fmax(values[SAMPLE_WORKING_TIME].real, 0));
    values[SAMPLE_TOTAL_TIME] = SQL_REAL(fmax(values[SAMPLE_TOTAL_TIME].real, 0));
}

static void finish_counts(SampleFacts *facts)
{
    SqlValue *values = facts->values;
    if (facts->n_messages > 0)
        values[SAMPLE_MESSAGE_COUNT] = SQL_INT(facts->n_messages);
    if (facts->n_tools > 0)
        values[SAMPLE_ACTION_COUNT] = SQL_INT(facts->n_tools);
}

int sample_facts_end(SampleFacts *facts, Error *err)
{
    SqlValue *values = facts->values;
    if (values[SAMPLE_ID].type == SQL_TYPE_NULL || values[SAMPLE_EPOCH].type == SQL_TYPE_NULL ||
        values[SAMPLE_EPOCH].integer < 0)
        return error_set(err, ERR_BAD_DATA, "the sample has no id or no epoch");
    if (values[SAMPLE_UUID].text.n > UUID_MAX)
        return error_set(err, ERR_BAD_DATA, "the sample's uuid is over the limit of %d bytes",
                         UUID_MAX);
    finish_usage(facts);
    finish_output(facts);
    finish_times(facts);
    finish_counts(facts);
    sample_facts_scores(facts);
    if (values[SAMPLE_INPUT].type == SQL_TYPE_NULL)
        values[SAMPLE_INPUT] = SQL_TEXTZ("null");
    if (values[SAMPLE_META].type == SQL_TYPE_NULL)
        values[SAMPLE_META] = SQL_TEXTZ("{}");
    return 0;
}
