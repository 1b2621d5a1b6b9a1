/* One event becomes one row. */

#include "codec/json_out.h"
#include "codec/json_scan.h"
#include "warehouse/rows/rows_event_table.h"
#include "warehouse/rows/rows_priv.h"

/* Under which of these a raw call has its messages; the first that is there counts. */
static const Str message_keys[] = {{"messages", 8}, {"contents", 8}, {"input", 5}, {"inputs", 6}};

typedef struct Making {
    RowsMaker *maker;
    const RowsMembers *event;
    const EventTable *table;
    const RowsSpec *spec;
    SqlValue values[N_EVENT_COLUMNS];
    RowsMember *rest; /* members that have no column */
    size_t n_rest;
} Making;

static void keep_rest(Making *making, const RowsMember *member)
{
    JsonScanKind kind = json_scan_kind_of(member->raw);
    if (kind == JSON_SCAN_NULL || (kind == JSON_SCAN_ARRAY && !rows_members_has_items(member->raw)))
        return;
    if (!making->rest)
        making->rest = arena_array(making->maker->scratch, making->event->n, sizeof(*making->rest));
    making->rest[making->n_rest++] = *member;
}

/* Puts a value into a column; false when it does not fit there. */
static bool set(Making *making, enum EventColumn column, Str raw)
{
    RowsMaker *maker = making->maker;
    return rows_value(raw, &making->spec->columns[column], &maker->rules, maker->scratch,
                      &making->values[column]);
}

static bool set_model(Making *making, Str raw)
{
    if (!set(making, EVENT_MODEL_NAME_RAW, raw))
        return false;
    Str name = making->values[EVENT_MODEL_NAME_RAW].text;
    if (name.p)
        making->values[EVENT_MODEL_NAME] =
            SQL_TEXT(model_name_resolve(name, &making->maker->facts->called));
    return true;
}

/* The places of an array's items in a pool; *ret_refs is STR_NONE when it has none. */
static int pool_items(RowsMaker *maker, RowsPool *pool, Str raw, Str *ret_refs, Error *err)
{
    *ret_refs = STR_NONE;
    if (json_scan_kind_of(raw) != JSON_SCAN_ARRAY || !rows_members_has_items(raw))
        return 0;
    JsonScan scan;
    Str item = STR_NONE;
    uint32_t place = 0;
    rows_refs_begin(&maker->refs);
    json_scan_init(&scan, raw, true);
    (void)json_scan_array(&scan);
    while (json_scan_item(&scan) && json_scan_skip(&scan, &item)) {
        if (rows_pool_place(maker, pool, item, &place, err) < 0)
            return -1;
        rows_refs_add(&maker->refs, place);
    }
    if (buf_check(&maker->refs.text, "what an event refers to", err) < 0)
        return -1;
    *ret_refs = rows_refs_end(&maker->refs, maker->scratch);
    return 0;
}

/* Messages that stand in the event itself, as they do in old logs. */
static int set_input(Making *making, Str raw, Error *err)
{
    Str refs = STR_NONE;
    if (rows_members_has_items(rows_members_get(making->event, STR("input_refs"))))
        return 0;
    if (pool_items(making->maker, &making->maker->messages, raw, &refs, err) < 0)
        return -1;
    if (refs.p)
        making->values[EVENT_MODEL_INPUT_REFS] = SQL_TEXT(refs);
    return 0;
}

/* An object in the arena without some of its members, and with another request. */
typedef struct Copying {
    const RowsMembers *members;
    Str left_out[2];
    Str request; /* STR_NONE: as it is */
} Copying;

static char *copy(char *out, Str text)
{
    memcpy(out, text.p, text.n);
    return out + text.n;
}

static Str copy_object(const Copying *copying, size_t n_max, Arena *arena)
{
    char *start = arena_alloc(arena, n_max + 2);
    char *out = copy(start, STR("{"));
    for (size_t i = 0; i < copying->members->n; i++) {
        const RowsMember *member = &copying->members->items[i];
        if (str_eq(member->key, copying->left_out[0]) || str_eq(member->key, copying->left_out[1]))
            continue;
        bool is_request = copying->request.p && str_eqz(member->key, "request");
        out = copy(out, out > start + 1 ? STR(",\"") : STR("\""));
        out = copy(out, member->written);
        out = copy(out, STR("\":"));
        out = copy(out, is_request ? copying->request : member->raw);
    }
    out = copy(out, STR("}"));
    return (Str){start, (size_t)(out - start)};
}

/* Takes the messages of a raw call's request into the pool; *ret_request is the request without
   them, or STR_NONE when it has none. */
static int pool_request(Making *making, Str request, Str *ret_request, Error *err)
{
    RowsMaker *maker = making->maker;
    Str refs = STR_NONE;
    *ret_request = STR_NONE;
    if (!rows_members_read(&maker->inner, request, maker->scratch))
        return 0;
    size_t i = 0;
    while (i < ARRAY_LEN(message_keys) && !rows_members_get(&maker->inner, message_keys[i]).p)
        i++;
    if (i == ARRAY_LEN(message_keys))
        return 0;
    if (pool_items(maker, &maker->calls, rows_members_get(&maker->inner, message_keys[i]), &refs,
                   err) < 0)
        return -1;
    if (!refs.p)
        return 0;
    Copying copying = {.members = &maker->inner, .left_out = {message_keys[i], message_keys[i]}};
    *ret_request = copy_object(&copying, request.n, maker->scratch);
    making->values[EVENT_MODEL_CALL_REFS] = SQL_TEXT(refs);
    making->values[EVENT_MODEL_CALL_KEY] = SQL_TEXT(message_keys[i]);
    return 0;
}

/* The references of a call have columns of their own. */
static int set_call(Making *making, Str raw, Error *err)
{
    RowsMaker *maker = making->maker;
    const Str refs_key = STR("call_refs");
    const Str name_key = STR("call_key");
    if (!rows_members_read(&maker->call, raw, maker->scratch)) {
        (void)set(making, EVENT_MODEL_CALL, raw);
        return 0;
    }
    Str refs = rows_members_get(&maker->call, refs_key);
    Str request = STR_NONE;
    bool has_pools = maker->facts->n_pool_messages + maker->facts->n_pool_calls > 0;
    if (rows_members_has_items(refs))
        (void)set(making, EVENT_MODEL_CALL_REFS, refs);
    (void)set(making, EVENT_MODEL_CALL_KEY, rows_members_get(&maker->call, name_key));
    if (!refs.p && !has_pools &&
        pool_request(making, rows_members_get(&maker->call, STR("request")), &request, err) < 0)
        return -1;
    Copying copying = {
        .members = &maker->call, .left_out = {refs_key, name_key}, .request = request};
    (void)set(making, EVENT_MODEL_CALL, copy_object(&copying, raw.n, maker->scratch));
    return 0;
}

/* Puts a member where its field says. *ret_fits is false when it has no place but the rest. */
static int set_field(Making *making, const EventTableField *field, Str raw, bool *ret_fits,
                     Error *err)
{
    *ret_fits = true;
    switch (field->how) {
    case EVENT_AS_IT_IS: break;
    case EVENT_MODEL: *ret_fits = set_model(making, raw); return 0;
    case EVENT_USAGE:
        raw = model_name_resolve_keys(raw, &making->maker->facts->called, making->maker->scratch);
        break;
    case EVENT_TWICE: (void)set(making, EVENT_META, raw); break;
    case EVENT_FILLED:
        if (!rows_members_has_items(raw))
            return 0;
        break;
    case EVENT_CALL: return set_call(making, raw, err);
    case EVENT_INPUT: return set_input(making, raw, err);
    case EVENT_CONSTANT: return 0;
    }
    *ret_fits = set(making, field->column, raw);
    return 0;
}

static void set_rest(Making *making)
{
    if (making->n_rest == 0)
        return;
    auto_buf Buf text = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    for (size_t i = 0; i < making->n_rest; i++) {
        buf_addz(&text, i == 0 ? "{\"" : ",\"");
        buf_add_str(&text, making->rest[i].written);
        buf_addz(&text, "\":");
        buf_add_str(&text, making->rest[i].raw);
    }
    buf_addc(&text, '}');
    if (!text.overflowed)
        (void)set(making, making->table->rest, arena_str(making->maker->scratch, buf_str(&text)));
}

int rows_put_event(RowsMaker *maker, const RowsMembers *event, Error *err)
{
    Str type = STR_NONE;
    (void)json_scan_str(rows_members_get(event, STR("event")), maker->scratch, &type);
    if (str_eqz(type, "step")) /* marks of old logs; they count for nothing */
        return 0;
    Making making = {.maker = maker,
                     .event = event,
                     .table = event_table_of(type),
                     .spec = rows_spec(ROWS_EVENT)};
    making.values[EVENT_ORDER] = SQL_INT(maker->event_order);
    making.values[EVENT_TYPE] =
        type.p ? SQL_TEXT(sample_clean_text(type, maker->scratch)) : SQL_TEXTZ("event");
    making.values[EVENT_IS_PROVISIONAL] = SQL_BOOL(maker->facts->is_summary);
    for (size_t i = 0; i < event->n; i++) {
        const RowsMember *member = &event->items[i];
        const EventTableField *field = event_table_field(making.table, member->key);
        bool fits = false;
        if (field && set_field(&making, field, member->raw, &fits, err) < 0)
            return -1;
        if (!fits)
            keep_rest(&making, member);
    }
    if (str_eqz(type, "score") && making.values[EVENT_SCORE_INTERMEDIATE].type == SQL_TYPE_NULL)
        making.values[EVENT_SCORE_INTERMEDIATE] = SQL_BOOL(false);
    set_rest(&making);
    if (rows_put(maker->sink, ROWS_EVENT, making.values, err) < 0)
        return -1;
    maker->event_order++;
    return 0;
}
