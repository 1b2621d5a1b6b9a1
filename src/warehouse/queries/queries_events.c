/* The events of a sample as Inspect has them, put together again from their rows: see
   rows_event_table.h for which member is in which column.

   Events point into pools by ranges, and to long texts by hashes. What a page needs of them comes
   with it, and its ranges are those of places in what comes with it; when events are resolved, it
   stands in them instead. */

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan.h"
#include "warehouse/queries/queries_events_priv.h"
#include "warehouse/queries/queries_priv.h"
#include "warehouse/rows/rows_columns.h"
#include "warehouse/rows/rows_event_table.h"

enum {
    EVENTS_MAX = 1000,
    RESOLVED_MAX = 100,
};

typedef struct Page {
    SqlTx *tx;
    SqlDialect dialect;
    const QueriesEvents *filter;
    Str sample_pk;
    Arena *arena;
    EventPool messages;
    EventPool calls;
    bool has_more;
    int64_t end_order; /* of what is shown */
} Page;

/* ---- one event ---- */

/* Columns of the query are those of the table behind the common ones. */
static int at(enum EventColumn column)
{
    return (int)column - N_ROWS_COMMON;
}

static void write_column(const SqlRows *rows, Str key, enum EventColumn column, JsonOut *out)
{
    int i = at(column);
    if (sql_rows_is_null(rows, i))
        return;
    json_out_key(out, key);
    switch (rows_spec(ROWS_EVENT)->columns[column].kind) {
    case SQL_KIND_JSON: json_out_raw(out, sql_rows_text(rows, i)); break;
    case SQL_KIND_INT:
    case SQL_KIND_INT4: json_out_int(out, sql_rows_int(rows, i)); break;
    case SQL_KIND_REAL: json_out_real(out, sql_rows_real(rows, i)); break;
    case SQL_KIND_BOOL: json_out_bool(out, sql_rows_int(rows, i) != 0); break;
    case SQL_KIND_INSTANT: json_out_time(out, sql_rows_int(rows, i)); break;
    default: json_out_str(out, sql_rows_text(rows, i)); break;
    }
}

/* A key as a text has it, with its escapes. */
static void write_key(Str key, JsonOut *out)
{
    auto_arena Arena *arena = arena_new();
    Str plain = STR_NONE;
    (void)json_scan_key_str(key, arena, &plain);
    json_out_key(out, plain);
}

/* Members of an object, written into the one that is open. */
static void write_members(Str object, JsonOut *out)
{
    JsonScan scan;
    Str key = STR_NONE;
    Str raw = STR_NONE;
    json_scan_init(&scan, object, true);
    if (!object.p || json_scan_kind(&scan) != JSON_SCAN_OBJECT || !json_scan_object(&scan))
        return;
    while (json_scan_member(&scan, &key)) {
        if (!json_scan_skip(&scan, &raw))
            return;
        write_key(key, out);
        json_out_raw(out, raw);
    }
}

/* The request of a raw call, with the messages that it refers to. */
static void write_request(const Page *page, const SqlRows *rows, Str request, Str refs,
                          JsonOut *out)
{
    json_out_object(out);
    write_members(request, out);
    json_out_key(out, sql_rows_text(rows, at(EVENT_MODEL_CALL_KEY)));
    event_pool_write_referred(&page->calls, refs, out);
    json_out_end_object(out);
}

/* Members of a raw call; the request is among them. */
static void write_resolved_call(const Page *page, const SqlRows *rows, Str call, Str refs,
                                JsonOut *out)
{
    JsonScan scan;
    Str key = STR_NONE;
    Str raw = STR_NONE;
    json_scan_init(&scan, call, true);
    (void)json_scan_object(&scan);
    while (json_scan_member(&scan, &key)) {
        bool is_request =
            json_scan_key_eq(key, "request") && json_scan_kind(&scan) == JSON_SCAN_OBJECT;
        if (!json_scan_skip(&scan, &raw))
            return;
        write_key(key, out);
        if (is_request)
            write_request(page, rows, raw, refs, out);
        else
            json_out_raw(out, raw);
    }
}

/* A raw call has its references inside. */
static void write_call(const Page *page, const SqlRows *rows, Str key, JsonOut *out)
{
    Str call = sql_rows_text(rows, at(EVENT_MODEL_CALL));
    Str refs = sql_rows_text(rows, at(EVENT_MODEL_CALL_REFS));
    bool has_key = !sql_rows_is_null(rows, at(EVENT_MODEL_CALL_KEY));
    if (!call.p)
        return;
    json_out_key(out, key);
    if (json_scan_kind_of(call) != JSON_SCAN_OBJECT) {
        json_out_raw(out, call);
        return;
    }
    json_out_object(out);
    if (page->filter->is_resolved && refs.p && has_key)
        write_resolved_call(page, rows, call, refs, out);
    else
        write_members(call, out);
    if (refs.p && !page->filter->is_resolved) {
        json_out_key(out, STR("call_refs"));
        event_pool_write_refs(&page->calls, refs, out);
        write_column(rows, STR("call_key"), EVENT_MODEL_CALL_KEY, out);
    }
    json_out_end_object(out);
}

/* What a model was asked: its references, or all of it. */
static void write_input(const Page *page, const SqlRows *rows, const EventTableField *field,
                        JsonOut *out)
{
    bool is_input = field->how == EVENT_INPUT;
    bool has_refs = !sql_rows_is_null(rows, at(EVENT_MODEL_INPUT_REFS));
    Str refs = sql_rows_text(rows, at(EVENT_MODEL_INPUT_REFS));
    if (!is_input && (page->filter->is_resolved || !has_refs))
        return;
    json_out_key(out, field->key);
    if (!is_input)
        event_pool_write_refs(&page->messages, refs, out);
    else if (page->filter->is_resolved)
        event_pool_write_referred(&page->messages, refs, out);
    else
        json_out_raw(out, STR("[]")); /* all of it is in the pool */
}

static void write_model(const SqlRows *rows, Str key, JsonOut *out)
{
    bool has_raw = !sql_rows_is_null(rows, at(EVENT_MODEL_NAME_RAW));
    write_column(rows, key, has_raw ? EVENT_MODEL_NAME_RAW : EVENT_MODEL_NAME, out);
}

static void write_field(const Page *page, const SqlRows *rows, const EventTableField *field,
                        JsonOut *out)
{
    switch (field->how) {
    case EVENT_MODEL: write_model(rows, field->key, out); break;
    case EVENT_CALL: write_call(page, rows, field->key, out); break;
    case EVENT_INPUT: write_input(page, rows, field, out); break;
    case EVENT_CONSTANT:
        json_out_key(out, field->key);
        json_out_str(out, STR("function")); /* the only one: the type of a tool's event */
        break;
    default:
        if (field->column == EVENT_MODEL_INPUT_REFS)
            write_input(page, rows, field, out);
        else
            write_column(rows, field->key, field->column, out);
        break;
    }
}

/* Two names of one member over time share a column; the first one is Inspect's now. */
static bool is_older_name(const EventTable *table, size_t i)
{
    return i > 0 && table->fields[i].how == EVENT_AS_IT_IS &&
           table->fields[i - 1].column == table->fields[i].column;
}

static void write_event(const Page *page, const SqlRows *rows, JsonOut *out)
{
    static const struct {
        Str key;
        enum EventColumn column;
    } common[] = {
        {{"uuid", 4}, EVENT_UUID},           {{"span_id", 7}, EVENT_SPAN_ID},
        {{"timestamp", 9}, EVENT_TIMESTAMP}, {{"working_start", 13}, EVENT_WORKING_START},
        {{"pending", 7}, EVENT_PENDING},
    };
    Str type = sql_rows_text(rows, at(EVENT_TYPE));
    const EventTable *table = event_table_of(type);
    bool has_metadata = false;
    json_out_object(out);
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        write_column(rows, common[i].key, common[i].column, out);
    json_out_kv_str(out, "event", type);
    for (size_t i = 0; i < table->n_fields; i++) {
        has_metadata = has_metadata || str_eqz(table->fields[i].key, "metadata");
        if (!is_older_name(table, i))
            write_field(page, rows, &table->fields[i], out);
    }
    if (!has_metadata)
        write_column(rows, STR("metadata"), EVENT_META, out);
    write_members(sql_rows_text(rows, at(table->rest)), out);
    json_out_end_object(out);
}

/* ---- pages ---- */

static void add_types(const Page *page, Query *query)
{
    const QueriesEvents *filter = page->filter;
    if (filter->uuid.p)
        query_where_value(query, "event_uuid = ?", SQL_TEXT(filter->uuid));
    if (filter->n_types == 0)
        return;
    query_where(query, "event_type IN (");
    for (size_t i = 0; i < filter->n_types; i++)
        query_add_value(query, i ? ", ?" : "?", SQL_TEXT(filter->types[i]));
    query_add(query, ")");
}

static void add_from(const Page *page, Query *query)
{
    query_add(query, " FROM event");
    query_where_value(query, "sample_pk = ?", SQL_TEXT(page->sample_pk));
    add_types(page, query);
}

/* Finds where the page ends and what it needs of the pools. */
static int survey(Page *page, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, page->dialect);
    query_add(&query, "SELECT event_order, model_input_refs, model_call_refs");
    add_from(page, &query);
    query_where_value(&query, "event_order >= ?", SQL_INT(page->filter->from_order));
    query_add_value(&query, " ORDER BY event_order LIMIT ?", SQL_INT(page->filter->limit + 1));
    if (query_run(&query, page->tx, &rows, err) < 0)
        return -1;
    int64_t n = 0;
    int has_row = 0;
    page->end_order = page->filter->from_order;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        if (n++ == page->filter->limit) {
            page->has_more = true;
            break;
        }
        page->end_order = sql_rows_int(rows, 0) + 1;
        event_pool_collect(&page->messages, sql_rows_text(rows, 1));
        event_pool_collect(&page->calls, sql_rows_text(rows, 2));
    }
    event_pool_join(&page->messages);
    event_pool_join(&page->calls);
    return has_row < 0 ? -1 : 0;
}

static int write_events(const Page *page, Buf *orders, const Buf *body, JsonOut *out, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    const RowsSpec *spec = rows_spec(ROWS_EVENT);
    query_begin(&query, page->dialect);
    for (size_t i = N_ROWS_COMMON; i < spec->n_columns; i++)
        buf_printf(&query.text, "%s\"%s\"", i == N_ROWS_COMMON ? "SELECT " : ", ",
                   spec->columns[i].name);
    add_from(page, &query);
    query_where_value(&query, "event_order >= ?", SQL_INT(page->filter->from_order));
    query_where_value(&query, "event_order < ?", SQL_INT(page->end_order));
    query_add(&query, " ORDER BY event_order");
    if (query_run(&query, page->tx, &rows, err) < 0)
        return -1;
    int has_row = 0;
    json_out_kv_array(out, "events");
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        write_event(page, rows, out);
        buf_printf(orders, "%s%lld", orders->len ? "," : "", (long long)sql_rows_int(rows, 0));
        if (body->len > EVENTS_BYTES_MAX) {
            (void)error_set(err, ERR_BAD_DATA, "these events are over the limit of %d bytes",
                            EVENTS_BYTES_MAX);
            return error_fix(err, "ask for fewer with limit, or for some types with event_type");
        }
    }
    json_out_end_array(out);
    return has_row < 0 ? -1 : 0;
}

/* What the events refer to; nothing when it stands in them. */
static void write_pools(const Page *page, JsonOut *out)
{
    static const EventPool none = {0};
    const EventPool *messages = page->filter->is_resolved ? &none : &page->messages;
    const EventPool *calls = page->filter->is_resolved ? &none : &page->calls;
    json_out_kv_object(out, "events_data");
    json_out_key(out, STR("messages"));
    event_pool_write_entries(messages, out);
    json_out_key(out, STR("calls"));
    event_pool_write_entries(calls, out);
    json_out_end_object(out);
    json_out_kv_object(out, "events_data_orders");
    json_out_key(out, STR("messages"));
    event_pool_write_orders(messages, out);
    json_out_key(out, STR("calls"));
    event_pool_write_orders(calls, out);
    json_out_end_object(out);
}

/* ---- the answer ---- */

static int count_all(const Page *page, int64_t *ret, Error *err)
{
    auto_query Query query = {0};
    auto_sql_rows SqlRows *rows = NULL;
    query_begin(&query, page->dialect);
    query_add(&query, "SELECT count(*)");
    add_from(page, &query);
    if (query_run(&query, page->tx, &rows, err) < 0 || sql_rows_next(rows, err) < 0)
        return -1;
    *ret = sql_rows_int(rows, 0);
    return 0;
}

static int check(const QueriesEvents *filter, Error *err)
{
    int max = filter->is_resolved ? RESOLVED_MAX : EVENTS_MAX;
    if (filter->limit < 1 || filter->limit > max)
        return error_set(err, ERR_BAD_DATA, "limit must be from 1 to %d%s", max,
                         filter->is_resolved ? " with resolve" : "");
    if (filter->from_order < 0)
        return error_set(err, ERR_USAGE, "from_order must not be negative");
    if (filter->n_types > QUERIES_EVENT_TYPES_MAX)
        return error_set(err, ERR_USAGE, "at most %d types", QUERIES_EVENT_TYPES_MAX);
    return 0;
}

static int write_page(Page *page, Str uuid, Buf *body, JsonOut *out, Error *err)
{
    int64_t total = 0;
    size_t from = body->len;
    const EventTexts texts = {page->tx, page->dialect, page->sample_pk};
    auto_buf Buf orders = BUF_INIT(64 * 1024);
    if (survey(page, err) < 0 || count_all(page, &total, err) < 0 ||
        event_pool_read(&page->messages, page->tx, "message_pool", page->sample_pk, page->arena,
                        err) < 0 ||
        event_pool_read(&page->calls, page->tx, "model_call_pool", page->sample_pk, page->arena,
                        err) < 0)
        return -1;
    json_out_object(out);
    json_out_kv_str(out, "sample_uuid", uuid);
    if (write_events(page, &orders, body, out, err) < 0 ||
        (page->filter->is_resolved && queries_events_insert_texts(&texts, body, from, err) < 0))
        return -1;
    json_out_kv_array(out, "event_orders");
    if (orders.len)
        json_out_raw(out, buf_str(&orders));
    json_out_end_array(out);
    write_pools(page, out);
    json_out_key(out, STR("attachments"));
    if (queries_events_write_texts(&texts, body, from, out, err) < 0)
        return -1;
    if (page->has_more)
        json_out_kv_int(out, "next_from_order", page->end_order);
    else
        json_out_kv_null(out, "next_from_order");
    json_out_kv_bool(out, "has_more", page->has_more);
    json_out_kv_int(out, "total", total);
    json_out_end_object(out);
    return 0;
}

/* Row-level security need not ask of each row whether the sample may be seen when it knows which
   one the transaction is about: caller_sample in 0002_callers.sql. */
static const char *const columns[] = {
    [SQL_SQLITE] = "s.pk, s.uuid",
    [SQL_POSTGRES] = "s.pk, s.uuid, set_config('hawk.sample', s.pk::text, true)",
};

int queries_sample_events(Sql *sql, const QueriesAccess *access, Str uuid,
                          const QueriesEvents *filter, JsonOut *out, Error *err)
{
    auto_query Query query = {0};
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *sample = NULL;
    auto_arena Arena *arena = arena_new();
    query_init(&query, sql);
    if (check(filter, err) < 0 || query_begin_as(sql, access, &tx, err) < 0 ||
        query_find_sample(&query, access, columns[sql_dialect(sql)], uuid, tx, &sample, err) < 0)
        return -1;
    Page page = {.tx = tx,
                 .dialect = sql_dialect(sql),
                 .filter = filter,
                 .sample_pk = arena_str(arena, sql_rows_text(sample, 1)),
                 .arena = arena};
    Str name = arena_str(arena, sql_rows_text(sample, 2));
    sql_rows_free(TAKE(sample));
    int result = write_page(&page, name, out->buf, out, err);
    event_pool_release(&page.messages);
    event_pool_release(&page.calls);
    return result;
}
