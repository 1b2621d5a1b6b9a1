/* The events of a sample as Inspect has them, put together again from their rows: see
   rows_event_table.h for which member is in which column.

   Events point into pools by ranges. When they are resolved, the entries that a page needs come
   with it, and its ranges are those of places in what comes with it. */

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan.h"
#include "warehouse/queries/queries_priv.h"
#include "warehouse/rows/rows_columns.h"
#include "warehouse/rows/rows_event_table.h"

enum {
    EVENTS_MAX = 1000,
    RESOLVED_MAX = 100,
    RANGES_MAX = 100 * 1000,
    KEYS_MAX = 20 * 1000, /* attachments of one answer */
    KEY_LENGTH = 32,
    PAGE_BYTES_MAX = 48 << 20,
};

/* Places [start, end) of a pool. */
typedef struct Range {
    int64_t start;
    int64_t end;
    int64_t base; /* place of start in the answer */
} Range;

typedef struct Ranges {
    Range *items;
    size_t n;
    size_t cap;
} Ranges;

static void ranges_release(Ranges *ranges)
{
    free(ranges->items);
}

typedef struct Page {
    SqlTx *tx;
    SqlDialect dialect;
    const QueriesEvents *filter;
    Str sample_pk;
    Arena *arena;
    Ranges messages;
    Ranges calls;
    bool has_more;
    int64_t next_order;
    int64_t end_order; /* of what is shown */
} Page;

/* ---- ranges ---- */

static void add_range(Ranges *ranges, int64_t start, int64_t end)
{
    if (start < 0 || end <= start || ranges->n == RANGES_MAX)
        return;
    if (ranges->n == ranges->cap) {
        ranges->cap = ranges->cap ? ranges->cap * 2 : 64;
        ranges->items = mem_resize(ranges->items, ranges->cap, sizeof(Range));
    }
    ranges->items[ranges->n++] = (Range){.start = start, .end = end};
}

/* The next pair of a list of ranges; false at its end. */
static bool next_pair(JsonScan *scan, int64_t *ret_start, int64_t *ret_end)
{
    Str start = STR_NONE;
    Str end = STR_NONE;
    while (json_scan_item(scan)) {
        if (json_scan_kind(scan) != JSON_SCAN_ARRAY || !json_scan_array(scan))
            continue;
        bool is_pair = json_scan_item(scan) && json_scan_skip(scan, &start) &&
                       json_scan_item(scan) && json_scan_skip(scan, &end);
        (void)json_scan_leave(scan);
        if (is_pair && json_scan_i64(start, ret_start) && json_scan_i64(end, ret_end))
            return true;
    }
    return false;
}

static void collect(Ranges *ranges, Str refs)
{
    JsonScan scan;
    int64_t start = 0;
    int64_t end = 0;
    json_scan_init(&scan, refs, false);
    if (!refs.p || !json_scan_array(&scan))
        return;
    while (next_pair(&scan, &start, &end))
        add_range(ranges, start, end);
}

static int compare_ranges(const void *left, const void *right)
{
    const Range *a = left;
    const Range *b = right;
    return (a->start > b->start) - (a->start < b->start);
}

/* Joins ranges that touch and gives each its place. */
static void join_ranges(Ranges *ranges)
{
    size_t n = 0;
    int64_t base = 0;
    if (ranges->n)
        qsort(ranges->items, ranges->n, sizeof(Range), compare_ranges);
    for (size_t i = 0; i < ranges->n; i++) {
        Range *last = n ? &ranges->items[n - 1] : NULL;
        const Range range = ranges->items[i];
        if (last && range.start <= last->end)
            last->end = range.end > last->end ? range.end : last->end;
        else
            ranges->items[n++] = range;
    }
    for (size_t i = 0; i < n; i++) {
        ranges->items[i].base = base;
        base += ranges->items[i].end - ranges->items[i].start;
    }
    ranges->n = n;
}

static int64_t place_of(const Ranges *ranges, int64_t order)
{
    for (size_t i = 0; i < ranges->n; i++)
        if (order >= ranges->items[i].start && order < ranges->items[i].end)
            return ranges->items[i].base + (order - ranges->items[i].start);
    return order;
}

/* References as places in the answer, or as they are when nothing comes with the events. */
static void write_refs(const Page *page, const Ranges *ranges, Str refs, JsonOut *out)
{
    JsonScan scan;
    int64_t start = 0;
    int64_t end = 0;
    json_scan_init(&scan, refs, false);
    json_out_array(out);
    (void)json_scan_array(&scan);
    while (next_pair(&scan, &start, &end)) {
        int64_t base = page->filter->is_resolved ? place_of(ranges, start) : start;
        json_out_array(out);
        json_out_int(out, base);
        json_out_int(out, base + (end - start));
        json_out_end_array(out);
    }
    json_out_end_array(out);
}

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

/* Members of an object, written into the one that is open. */
static void write_members(Str object, JsonOut *out)
{
    JsonScan scan;
    Str key = STR_NONE;
    Str raw = STR_NONE;
    auto_buf Buf name = BUF_INIT(1 << 20);
    json_scan_init(&scan, object, true);
    if (!object.p || json_scan_kind(&scan) != JSON_SCAN_OBJECT || !json_scan_object(&scan))
        return;
    while (json_scan_member(&scan, &key)) {
        if (!json_scan_skip(&scan, &raw))
            return;
        buf_reset(&name);
        buf_printf(&name, "\"%.*s\"", STR_ARG(key));
        auto_arena Arena *arena = arena_new();
        Str plain = STR_NONE;
        if (!json_scan_str(buf_str(&name), arena, &plain))
            continue;
        json_out_key(out, plain);
        json_out_raw(out, raw);
    }
}

/* A raw call has its references inside. */
static void write_call(const Page *page, const SqlRows *rows, Str key, JsonOut *out)
{
    Str call = sql_rows_text(rows, at(EVENT_MODEL_CALL));
    Str refs = sql_rows_text(rows, at(EVENT_MODEL_CALL_REFS));
    if (!call.p)
        return;
    json_out_key(out, key);
    if (json_scan_kind_of(call) != JSON_SCAN_OBJECT) {
        json_out_raw(out, call);
        return;
    }
    json_out_object(out);
    write_members(call, out);
    if (refs.p) {
        json_out_key(out, STR("call_refs"));
        write_refs(page, &page->calls, refs, out);
        write_column(rows, STR("call_key"), EVENT_MODEL_CALL_KEY, out);
    }
    json_out_end_object(out);
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
    case EVENT_INPUT: /* all of it is in the pool */
        json_out_key(out, field->key);
        json_out_raw(out, STR("[]"));
        break;
    case EVENT_CONSTANT:
        json_out_key(out, field->key);
        json_out_str(out, STR("function")); /* the only one: the type of a tool's event */
        break;
    default:
        if (field->column == EVENT_MODEL_INPUT_REFS) {
            if (sql_rows_is_null(rows, at(field->column)))
                return;
            json_out_key(out, field->key);
            write_refs(page, &page->messages, sql_rows_text(rows, at(field->column)), out);
        } else {
            write_column(rows, field->key, field->column, out);
        }
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
            page->next_order = sql_rows_int(rows, 0);
            break;
        }
        page->end_order = sql_rows_int(rows, 0) + 1;
        if (page->filter->is_resolved) {
            collect(&page->messages, sql_rows_text(rows, 1));
            collect(&page->calls, sql_rows_text(rows, 2));
        }
    }
    join_ranges(&page->messages);
    join_ranges(&page->calls);
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
        if (body->len > PAGE_BYTES_MAX) {
            (void)error_set(err, ERR_BAD_DATA, "these events are over the limit of %d bytes",
                            PAGE_BYTES_MAX);
            return error_fix(err, "ask for fewer with limit, or for some types with event_type");
        }
    }
    json_out_end_array(out);
    return has_row < 0 ? -1 : 0;
}

/* The entries of a pool that the page needs. */
static int write_pool(const Page *page, const char *key, const char *statement,
                      const Ranges *ranges, JsonOut *out, Error *err)
{
    json_out_kv_array(out, key);
    for (size_t i = 0; i < ranges->n; i++) {
        auto_sql_rows SqlRows *rows = NULL;
        if (sql_query(page->tx, statement,
                      SQL_ARGS(SQL_TEXT(page->sample_pk), SQL_INT(ranges->items[i].start),
                               SQL_INT(ranges->items[i].end)),
                      &rows, err) < 0)
            return -1;
        int has_row = 0;
        for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err))
            json_out_raw(out, sql_rows_text(rows, 0));
        if (has_row < 0)
            return -1;
    }
    json_out_end_array(out);
    return 0;
}

static void write_orders(const char *key, const Ranges *ranges, JsonOut *out)
{
    json_out_kv_array(out, key);
    for (size_t i = 0; i < ranges->n; i++)
        for (int64_t order = ranges->items[i].start; order < ranges->items[i].end; order++)
            json_out_int(out, order);
    json_out_end_array(out);
}

static int write_pools(const Page *page, JsonOut *out, Error *err)
{
    json_out_kv_object(out, "events_data");
    if (write_pool(page, "messages",
                   "SELECT data FROM message_pool WHERE sample_pk = $1 AND pool_order >= $2 AND "
                   "pool_order < $3 ORDER BY pool_order",
                   &page->messages, out, err) < 0 ||
        write_pool(page, "calls",
                   "SELECT data FROM model_call_pool WHERE sample_pk = $1 AND pool_order >= $2 AND "
                   "pool_order < $3 ORDER BY pool_order",
                   &page->calls, out, err) < 0)
        return -1;
    json_out_end_object(out);
    json_out_kv_object(out, "events_data_orders");
    write_orders("messages", &page->messages, out);
    write_orders("calls", &page->calls, out);
    json_out_end_object(out);
    return 0;
}

/* ---- attachments ---- */

static int compare_keys(const void *left, const void *right)
{
    return memcmp(*(const char *const *)left, *(const char *const *)right, KEY_LENGTH);
}

/* Keys of the attachments that a text refers to, each once and in order. */
static size_t find_keys(Str text, const char **ret)
{
    Str prefix = STR("attachment://");
    size_t n = 0;
    for (ptrdiff_t found = 0; n < KEYS_MAX && text.n > 0;
         text = str_slice(text, (size_t)found + prefix.n, text.n)) {
        found = str_find_str(text, prefix);
        if (found < 0 || text.n - (size_t)found < prefix.n + KEY_LENGTH)
            break;
        ret[n++] = text.p + found + prefix.n;
    }
    if (n)
        qsort(ret, n, sizeof(*ret), compare_keys);
    size_t n_unique = 0;
    for (size_t i = 0; i < n; i++)
        if (n_unique == 0 || memcmp(ret[n_unique - 1], ret[i], KEY_LENGTH) != 0)
            ret[n_unique++] = ret[i];
    return n_unique;
}

/* The texts that what has been written since `from` refers to. */
static int write_attachments(const Page *page, const Buf *body, size_t from, JsonOut *out,
                             Error *err)
{
    auto_buf Buf written = BUF_INIT(PAGE_BYTES_MAX * 2);
    auto_free const char **keys = mem_array(KEYS_MAX, sizeof(*keys));
    size_t n = 0;
    if (page->filter->is_resolved) {
        buf_add_str(&written, str_slice(buf_str(body), from, body->len));
        n = find_keys(buf_str(&written), keys);
    }
    json_out_kv_object(out, "attachments");
    for (size_t i = 0; i < n; i++) {
        auto_sql_rows SqlRows *rows = NULL;
        Str key = {keys[i], KEY_LENGTH};
        if (!str_is_utf8(key) || memchr(key.p, '\0', key.n))
            continue;
        if (sql_query(page->tx,
                      "SELECT content FROM sample_attachment WHERE sample_pk = $1 AND "
                      "attachment_key = $2",
                      SQL_ARGS(SQL_TEXT(page->sample_pk), SQL_TEXT(key)), &rows, err) < 0)
            return -1;
        int has_row = sql_rows_next(rows, err);
        if (has_row < 0)
            return -1;
        if (has_row == 1) {
            json_out_key(out, key);
            json_out_str(out, sql_rows_text(rows, 0));
        }
    }
    json_out_end_object(out);
    return 0;
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
        return error_set(err, ERR_USAGE, "limit must be from 1 to %d", max);
    if (filter->from_order < 0)
        return error_set(err, ERR_USAGE, "from_order must not be negative");
    if (filter->n_types > QUERIES_EVENT_TYPES_MAX)
        return error_set(err, ERR_USAGE, "at most %d types", QUERIES_EVENT_TYPES_MAX);
    return 0;
}

static int write_page(Page *page, Str uuid, const Buf *body, JsonOut *out, Error *err)
{
    int64_t total = 0;
    size_t from = body->len;
    auto_buf Buf orders = BUF_INIT(64 * 1024);
    if (survey(page, err) < 0 || count_all(page, &total, err) < 0)
        return -1;
    json_out_object(out);
    json_out_kv_str(out, "sample_uuid", uuid);
    if (write_events(page, &orders, body, out, err) < 0)
        return -1;
    json_out_kv_array(out, "event_orders");
    if (orders.len)
        json_out_raw(out, buf_str(&orders));
    json_out_end_array(out);
    if (write_pools(page, out, err) < 0 || write_attachments(page, body, from, out, err) < 0)
        return -1;
    if (page->has_more)
        json_out_kv_int(out, "next_from_order", page->next_order);
    else
        json_out_kv_null(out, "next_from_order");
    json_out_kv_bool(out, "has_more", page->has_more);
    json_out_kv_int(out, "total", total);
    json_out_end_object(out);
    return 0;
}

int queries_sample_events(Sql *sql, const QueriesAccess *access, Str uuid,
                          const QueriesEvents *filter, JsonOut *out, Error *err)
{
    auto_query Query query = {0};
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *sample = NULL;
    auto_arena Arena *arena = arena_new();
    query_init(&query, sql);
    if (check(filter, err) < 0 || query_begin_as(sql, access, &tx, err) < 0 ||
        query_find_sample(&query, access, "s.pk, s.uuid", uuid, tx, &sample, err) < 0)
        return -1;
    Page page = {.tx = tx,
                 .dialect = sql_dialect(sql),
                 .filter = filter,
                 .sample_pk = arena_str(arena, sql_rows_text(sample, 1)),
                 .arena = arena};
    Str name = arena_str(arena, sql_rows_text(sample, 2));
    sql_rows_free(TAKE(sample));
    int result = write_page(&page, name, out->buf, out, err);
    ranges_release(&page.messages);
    ranges_release(&page.calls);
    return result;
}
