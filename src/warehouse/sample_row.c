/* Draws the rows of a sample from its JSON: one pass over the text, tables of members. */

#include "warehouse/sample_row.h"

#include <math.h>

#include "base/clock.h"
#include "codec/json_scan.h"

/* Limits that the warehouse has a name for; any other is "custom". */
static const char *const limits[] = {"context", "time", "working",  "message",
                                     "token",   "cost", "operator", "custom"};

static const char *const usage_names[N_USAGES] = {
    [USAGE_INPUT] = "input_tokens",
    [USAGE_OUTPUT] = "output_tokens",
    [USAGE_TOTAL] = "total_tokens",
    [USAGE_CACHE_WRITE] = "input_tokens_cache_write",
    [USAGE_CACHE_READ] = "input_tokens_cache_read",
    [USAGE_REASONING] = "reasoning_tokens",
};

/* What has been seen of the events. */
typedef struct Events {
    int64_t first_us;
    int64_t last_us;
    int64_t end_us; /* where the sample's own work ended, when an event says so */
    int64_t n_tools;
    size_t n_intermediate;
    SampleRowScore **tail; /* where the next intermediate score goes */
    SampleRowScore *timed; /* scorer and instant of every final score event, newest first */
} Events;

typedef struct Reader {
    Arena *arena;
    SampleRow *row;
    Events events;
    Str scores; /* raw, read last because events tell when they were made */
    Str own_started;
    Str own_completed;
} Reader;

static Str text_of(Str raw, Arena *arena)
{
    Str text = STR_NONE;
    if (json_scan_str(raw, arena, &text))
        return sample_row_clean_text(text, arena);
    return STR_NONE;
}

/* A string, or a number as its digits. */
static Str text_or_number(Str raw, Arena *arena)
{
    return json_scan_kind_of(raw) == JSON_SCAN_NUMBER ? raw : text_of(raw, arena);
}

static Str json_or_none(Str raw, const char *field, Arena *arena)
{
    JsonScanKind kind = json_scan_kind_of(raw);
    if (kind == JSON_SCAN_NONE || kind == JSON_SCAN_NULL)
        return STR_NONE;
    return sample_row_clean(raw, field, arena);
}

static int64_t time_of(Str raw, Arena *arena)
{
    int64_t at = SAMPLE_ROW_NONE;
    Str text = text_of(raw, arena);
    if (!text.p || clock_parse(text, &at) < 0)
        return SAMPLE_ROW_NONE;
    return at;
}

static double real_of(Str raw)
{
    double value = NAN;
    if (!json_scan_double(raw, &value) || !isfinite(value))
        return NAN;
    return value;
}

/* Sets what a score's value is worth as a number. */
static void set_value(SampleRowScore *score, Str raw, Arena *arena)
{
    score->value_float = NAN;
    score->value = json_or_none(raw, "value", arena);
    if (!score->value.p)
        score->value = STR("null");
    double number = 0;
    bool boolean = false;
    if (json_scan_bool(raw, &boolean))
        score->value_float = boolean ? 1 : 0;
    else if (json_scan_double(raw, &number) && isfinite(number))
        score->value_float = number;
    else if (json_scan_kind_of(raw) == JSON_SCAN_NUMBER)
        score->value_nonfinite = isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
}

/* The instant of the last edit that says when it was made. */
static int64_t edited_us(Str history, Arena *arena)
{
    int64_t at = SAMPLE_ROW_NONE;
    JsonScan scan;
    json_scan_init(&scan, history, true);
    if (json_scan_kind(&scan) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
        return at;
    while (json_scan_item(&scan)) {
        Str edit = STR_NONE;
        Str provenance = STR_NONE;
        Str timestamp = STR_NONE;
        if (json_scan_skip(&scan, &edit) && json_scan_get(edit, "provenance", &provenance) &&
            json_scan_get(provenance, "timestamp", &timestamp)) {
            int64_t edited = time_of(timestamp, arena);
            at = edited != SAMPLE_ROW_NONE ? edited : at;
        }
    }
    return at;
}

static SampleRowScore *read_score(Str raw, Arena *arena)
{
    SampleRowScore *score = arena_alloc(arena, sizeof(*score));
    score->scored_us = SAMPLE_ROW_NONE;
    set_value(score, STR_NONE, arena);
    JsonScan scan;
    Str key;
    Str value = STR_NONE;
    json_scan_init(&scan, raw, true);
    if (json_scan_kind(&scan) != JSON_SCAN_OBJECT || !json_scan_object(&scan)) {
        set_value(score, raw, arena); /* a bare value, as early logs have */
        return score;
    }
    while (json_scan_member(&scan, &key)) {
        if (!json_scan_skip(&scan, &value))
            break;
        if (json_scan_key_eq(key, "value"))
            set_value(score, value, arena);
        else if (json_scan_key_eq(key, "answer"))
            score->answer = text_of(value, arena);
        else if (json_scan_key_eq(key, "explanation"))
            score->explanation = text_of(value, arena);
        else if (json_scan_key_eq(key, "metadata"))
            score->meta = json_or_none(value, "metadata", arena);
        else if (json_scan_key_eq(key, "history")) {
            score->scored_us = edited_us(value, arena);
            score->history = json_or_none(value, "history", arena);
        }
    }
    return score;
}

typedef struct Event {
    Str type;
    int64_t at_us;
    Str score;
    Str scorer;
    Str model_usage;
    Str call;
    bool is_intermediate;
    double working_time;
} Event;

static Event read_event(JsonScan *scan, Arena *arena)
{
    Event event = {.at_us = SAMPLE_ROW_NONE, .working_time = NAN};
    Str key;
    Str raw = STR_NONE;
    while (json_scan_member(scan, &key)) {
        if (!json_scan_skip(scan, &raw))
            break;
        if (json_scan_key_eq(key, "event"))
            event.type = text_of(raw, arena);
        else if (json_scan_key_eq(key, "timestamp"))
            event.at_us = time_of(raw, arena);
        else if (json_scan_key_eq(key, "score"))
            event.score = raw;
        else if (json_scan_key_eq(key, "scorer"))
            event.scorer = text_of(raw, arena);
        else if (json_scan_key_eq(key, "model_usage"))
            event.model_usage = raw;
        else if (json_scan_key_eq(key, "intermediate"))
            (void)json_scan_bool(raw, &event.is_intermediate);
        else if (json_scan_key_eq(key, "working_time"))
            event.working_time = real_of(raw);
        else if (json_scan_key_eq(key, "call"))
            event.call = raw;
    }
    return event;
}

static void add_model(Reader *reader, Str name)
{
    if (!name.p || name.n == 0)
        return;
    SampleRowModel **at = &reader->row->models;
    for (; *at; at = &(*at)->next)
        if (str_eq((*at)->name, name))
            return;
    *at = arena_alloc(reader->arena, sizeof(**at));
    (*at)->name = arena_str(reader->arena, name);
}

static void see_model(Reader *reader, const Event *event)
{
    SampleRow *row = reader->row;
    if (isfinite(event->working_time))
        row->generation_time =
            (isnan(row->generation_time) ? 0 : row->generation_time) + event->working_time;
    Str request = STR_NONE;
    Str model = STR_NONE;
    if (event->call.p && json_scan_get(event->call, "request", &request) &&
        json_scan_get(request, "model", &model))
        add_model(reader, text_of(model, reader->arena));
}

static void see_score(Reader *reader, const Event *event)
{
    Events *events = &reader->events;
    SampleRowScore *score = NULL;
    if (event->is_intermediate) {
        score = read_score(event->score, reader->arena);
        score->scorer =
            str_of(arena_printf(reader->arena, "intermediate_%zu", events->n_intermediate++));
        score->is_intermediate = true;
        score->model_usage = json_or_none(event->model_usage, "model_usage", reader->arena);
        score->scored_us = event->at_us;
        *events->tail = score;
        events->tail = &score->next;
        return;
    }
    if (events->end_us == SAMPLE_ROW_NONE)
        events->end_us = events->last_us;
    score = arena_alloc(reader->arena, sizeof(*score));
    score->scorer = event->scorer;
    score->scored_us = event->at_us;
    score->next = events->timed;
    events->timed = score;
}

static void see_event(Reader *reader, const Event *event)
{
    Events *events = &reader->events;
    if (events->first_us == SAMPLE_ROW_NONE)
        events->first_us = event->at_us;
    if (str_eqz(event->type, "model"))
        see_model(reader, event);
    else if (str_eqz(event->type, "tool"))
        events->n_tools++;
    else if (str_eqz(event->type, "score"))
        see_score(reader, event);
    else if (str_eqz(event->type, "sample_limit") && events->end_us == SAMPLE_ROW_NONE)
        events->end_us = event->at_us;
    if (event->at_us != SAMPLE_ROW_NONE)
        events->last_us = event->at_us;
}

static void read_events(Reader *reader, JsonScan *scan)
{
    if (json_scan_kind(scan) != JSON_SCAN_ARRAY || !json_scan_array(scan))
        return;
    while (json_scan_item(scan)) {
        if (json_scan_kind(scan) != JSON_SCAN_OBJECT || !json_scan_object(scan))
            continue;
        Event event = read_event(scan, reader->arena);
        see_event(reader, &event);
    }
}

static void read_messages(Reader *reader, JsonScan *scan)
{
    if (json_scan_kind(scan) != JSON_SCAN_ARRAY || !json_scan_array(scan))
        return;
    int64_t n = 0;
    while (json_scan_item(scan))
        n++;
    reader->row->message_count = n;
}

/* Adds up the tokens of all models. */
static void add_usage(SampleRow *row, Str usage)
{
    for (size_t i = 0; i < N_USAGES; i++) {
        Str raw = STR_NONE;
        int64_t n = 0;
        if (!json_scan_get(usage, usage_names[i], &raw) || !json_scan_i64(raw, &n) || n < 0)
            continue;
        int64_t before = row->usage[i] == SAMPLE_ROW_NONE ? 0 : row->usage[i];
        if (__builtin_add_overflow(before, n, &row->usage[i]))
            row->usage[i] = INT64_MAX;
    }
}

static void read_usage(Reader *reader, Str raw)
{
    reader->row->model_usage = json_or_none(raw, "model_usage", reader->arena);
    JsonScan scan;
    Str key;
    Str usage = STR_NONE;
    json_scan_init(&scan, raw, true);
    if (json_scan_kind(&scan) != JSON_SCAN_OBJECT || !json_scan_object(&scan))
        return;
    while (json_scan_member(&scan, &key))
        if (json_scan_skip(&scan, &usage))
            add_usage(reader->row, usage);
}

/* A sample has an object, a summary only the message. */
static void read_error(Reader *reader, Str raw)
{
    SampleRow *row = reader->row;
    row->error_message = text_of(raw, reader->arena);
    Str part = STR_NONE;
    if (json_scan_get(raw, "message", &part))
        row->error_message = text_of(part, reader->arena);
    if (json_scan_get(raw, "traceback", &part))
        row->error_traceback = text_of(part, reader->arena);
    if (json_scan_get(raw, "traceback_ansi", &part))
        row->error_traceback_ansi = text_of(part, reader->arena);
}

static void read_limit(Reader *reader, Str raw)
{
    Str part = STR_NONE;
    Str name = text_of(json_scan_get(raw, "type", &part) ? part : raw, reader->arena);
    if (!name.p)
        return;
    reader->row->limit = "custom";
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        if (str_eqz(name, limits[i]))
            reader->row->limit = limits[i];
}

static void read_invalidation(Reader *reader, Str raw)
{
    SampleRow *row = reader->row;
    Str part = STR_NONE;
    if (json_scan_get(raw, "timestamp", &part))
        row->invalidated_us = time_of(part, reader->arena);
    if (json_scan_get(raw, "author", &part))
        row->invalidation_author = text_of(part, reader->arena);
    if (json_scan_get(raw, "reason", &part))
        row->invalidation_reason = text_of(part, reader->arena);
}

static void read_id(Reader *reader, Str raw)
{
    reader->row->id = text_or_number(raw, reader->arena);
}

static void read_epoch(Reader *reader, Str raw)
{
    (void)json_scan_i64(raw, &reader->row->epoch);
}

static void read_uuid(Reader *reader, Str raw)
{
    reader->row->uuid = text_of(raw, reader->arena);
}

static void read_input(Reader *reader, Str raw)
{
    reader->row->input = json_or_none(raw, "input", reader->arena);
}

static void read_output(Reader *reader, Str raw)
{
    reader->row->output = json_or_none(raw, "output", reader->arena);
}

static void read_metadata(Reader *reader, Str raw)
{
    reader->row->meta = json_or_none(raw, "metadata", reader->arena);
}

static void read_scores(Reader *reader, Str raw)
{
    reader->scores = raw;
}

static void read_started(Reader *reader, Str raw)
{
    reader->own_started = raw;
}

static void read_completed(Reader *reader, Str raw)
{
    reader->own_completed = raw;
}

static void read_total_time(Reader *reader, Str raw)
{
    reader->row->total_time = real_of(raw);
}

static void read_working_time(Reader *reader, Str raw)
{
    reader->row->working_time = real_of(raw);
}

static void read_message_count(Reader *reader, Str raw)
{
    int64_t n = 0;
    if (json_scan_i64(raw, &n) && n >= 0)
        reader->row->message_count = n;
}

typedef struct MemberRow {
    const char *name;
    void (*read)(Reader *reader, Str raw);        /* the value as a slice */
    void (*walk)(Reader *reader, JsonScan *scan); /* or in place */
} MemberRow;

/* clang-format off */
static const MemberRow members[] = {
    { "id",            read_id,            NULL },
    { "epoch",         read_epoch,         NULL },
    { "uuid",          read_uuid,          NULL },
    { "input",         read_input,         NULL },
    { "output",        read_output,        NULL },
    { "metadata",      read_metadata,      NULL },
    { "messages",      NULL,               read_messages },
    { "message_count", read_message_count, NULL },
    { "events",        NULL,               read_events },
    { "scores",        read_scores,        NULL },
    { "model_usage",   read_usage,         NULL },
    { "started_at",    read_started,       NULL },
    { "completed_at",  read_completed,     NULL },
    { "total_time",    read_total_time,    NULL },
    { "working_time",  read_working_time,  NULL },
    { "error",         read_error,         NULL },
    { "limit",         read_limit,         NULL },
    { "invalidation",  read_invalidation,  NULL },
};
/* clang-format on */

static void read_member(Reader *reader, JsonScan *scan, Str key)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (!json_scan_key_eq(key, members[i].name))
            continue;
        Str raw = STR_NONE;
        if (members[i].walk)
            members[i].walk(reader, scan);
        else if (json_scan_skip(scan, &raw))
            members[i].read(reader, raw);
        return;
    }
}

/* When the scorer's last event was or, for events without names, the last one. */
static int64_t scored_us(const Events *events, Str scorer)
{
    for (const SampleRowScore *at = events->timed; at; at = at->next)
        if (!at->scorer.p || str_eq(at->scorer, scorer))
            return at->scored_us;
    return SAMPLE_ROW_NONE;
}

/* Puts the final scores in front of the intermediate ones. */
static void finish_scores(Reader *reader)
{
    JsonScan scan;
    Str key;
    json_scan_init(&scan, reader->scores, true);
    if (json_scan_kind(&scan) != JSON_SCAN_OBJECT || !json_scan_object(&scan))
        return;
    while (json_scan_member(&scan, &key)) {
        Str raw = STR_NONE;
        if (!json_scan_skip(&scan, &raw))
            break;
        SampleRowScore *score = read_score(raw, reader->arena);
        auto_buf Buf name = BUF_INIT(1024 * 1024);
        const char *quoted = arena_printf(reader->arena, "\"%.*s\"", STR_ARG(key));
        if (!json_scan_add_str(str_of(quoted), &name) || name.overflowed)
            continue;
        score->scorer =
            sample_row_clean_text(arena_str(reader->arena, buf_str(&name)), reader->arena);
        if (score->scored_us == SAMPLE_ROW_NONE)
            score->scored_us = scored_us(&reader->events, score->scorer);
        score->next = reader->row->scores;
        reader->row->scores = score;
    }
}

static void finish(Reader *reader)
{
    SampleRow *row = reader->row;
    const Events *events = &reader->events;
    finish_scores(reader);
    if (events->n_tools > 0)
        row->action_count = events->n_tools;
    row->started_us = events->first_us;
    row->completed_us = events->end_us != SAMPLE_ROW_NONE ? events->end_us : events->last_us;
    if (row->started_us == SAMPLE_ROW_NONE)
        row->started_us = time_of(reader->own_started, reader->arena);
    if (row->completed_us == SAMPLE_ROW_NONE)
        row->completed_us = time_of(reader->own_completed, reader->arena);
    if (!row->input.p)
        row->input = STR("null");
}

int sample_row_read(Str json, Arena *arena, SampleRow *ret, Error *err)
{
    SampleRow row = {.epoch = SAMPLE_ROW_NONE,
                     .invalidated_us = SAMPLE_ROW_NONE,
                     .action_count = SAMPLE_ROW_NONE,
                     .message_count = SAMPLE_ROW_NONE,
                     .working_time = NAN,
                     .total_time = NAN,
                     .generation_time = NAN};
    for (size_t i = 0; i < N_USAGES; i++)
        row.usage[i] = SAMPLE_ROW_NONE;
    Reader reader = {.arena = arena,
                     .row = &row,
                     .events = {.first_us = SAMPLE_ROW_NONE,
                                .last_us = SAMPLE_ROW_NONE,
                                .end_us = SAMPLE_ROW_NONE,
                                .tail = &row.scores}};
    JsonScan scan;
    Str key;
    json_scan_init(&scan, json, true);
    if (json_scan_object(&scan))
        while (json_scan_member(&scan, &key))
            read_member(&reader, &scan, key);
    if (json_scan_end(&scan, err) < 0)
        return error_wrap(err, "the sample is not well-formed");
    if (!row.id.p || row.epoch < 0) /* SAMPLE_ROW_NONE is */
        return error_set(err, ERR_BAD_DATA, "the sample has no id or no epoch");
    finish(&reader);
    *ret = row;
    return 0;
}
