/* What events point to: entries of pools, and texts that were too long to stand in them. */

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan.h"
#include "warehouse/queries/queries_events_priv.h"

enum {
    RANGES_MAX = 100 * 1000,
    ENTRIES_MAX = 200 * 1000,
    KEYS_MAX = 20 * 1000, /* texts of one answer */
    KEY_LENGTH = 32,
    BATCH = 100, /* texts of one query */
};
#define PREFIX STR("attachment://")

static int too_large(const char *what, Error *err)
{
    (void)error_set(err, ERR_BAD_DATA, "%s of these events are over the limit of %d bytes", what,
                    EVENTS_BYTES_MAX);
    return error_fix(err, "ask for fewer with limit, or for some types with event_type");
}

/* ---- ranges ---- */

void event_pool_release(EventPool *pool)
{
    free(pool->ranges);
    *pool = (EventPool){0};
}

static void add_range(EventPool *pool, int64_t start, int64_t end)
{
    if (start < 0 || end <= start || pool->n_ranges == RANGES_MAX)
        return;
    if (pool->n_ranges == pool->cap) {
        pool->cap = pool->cap ? pool->cap * 2 : 64;
        pool->ranges = mem_resize(pool->ranges, pool->cap, sizeof(*pool->ranges));
    }
    pool->ranges[pool->n_ranges++] = (EventRange){.start = start, .end = end};
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

/* Begins a list of ranges; false when it is none. */
static bool begin_pairs(JsonScan *scan, Str refs)
{
    json_scan_init(scan, refs, false);
    return json_scan_kind(scan) == JSON_SCAN_ARRAY && json_scan_array(scan);
}

void event_pool_collect(EventPool *pool, Str refs)
{
    JsonScan scan;
    int64_t start = 0;
    int64_t end = 0;
    bool has_more = begin_pairs(&scan, refs);
    while (has_more && next_pair(&scan, &start, &end))
        add_range(pool, start, end);
}

static int compare_ranges(const void *left, const void *right)
{
    const EventRange *a = left;
    const EventRange *b = right;
    return (a->start > b->start) - (a->start < b->start);
}

void event_pool_join(EventPool *pool)
{
    size_t n = 0;
    int64_t base = 0;
    if (pool->n_ranges)
        qsort(pool->ranges, pool->n_ranges, sizeof(*pool->ranges), compare_ranges);
    for (size_t i = 0; i < pool->n_ranges; i++) {
        EventRange *last = n ? &pool->ranges[n - 1] : NULL;
        const EventRange range = pool->ranges[i];
        if (last && range.start <= last->end)
            last->end = range.end > last->end ? range.end : last->end;
        else
            pool->ranges[n++] = range;
    }
    for (size_t i = 0; i < n; i++) {
        pool->ranges[i].base = base;
        base += pool->ranges[i].end - pool->ranges[i].start;
    }
    pool->n_ranges = n;
    pool->n_entries = base;
}

/* The place of an entry in the answer, or -1. */
static int64_t place_of(const EventPool *pool, int64_t order)
{
    size_t low = 0;
    size_t high = pool->n_ranges;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const EventRange *range = &pool->ranges[middle];
        if (order >= range->start && order < range->end)
            return range->base + (order - range->start);
        if (order < range->start)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

/* ---- entries ---- */

int event_pool_read(EventPool *pool, SqlTx *tx, const char *table, Str sample_pk, Arena *arena,
                    Error *err)
{
    if (pool->n_entries > ENTRIES_MAX)
        return too_large("messages", err);
    pool->entries = arena_array(arena, (size_t)pool->n_entries + 1, sizeof(*pool->entries));
    auto_free char *statement =
        mem_printf("SELECT pool_order, data FROM %s WHERE sample_pk = $1 AND pool_order >= $2 AND "
                   "pool_order < $3",
                   table);
    size_t n_bytes = 0;
    for (size_t i = 0; i < pool->n_ranges; i++) {
        auto_sql_rows SqlRows *rows = NULL;
        const EventRange *range = &pool->ranges[i];
        if (sql_query(tx, statement,
                      SQL_ARGS(SQL_TEXT(sample_pk), SQL_INT(range->start), SQL_INT(range->end)),
                      &rows, err) < 0)
            return -1;
        int has_row = 0;
        for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
            int64_t place = place_of(pool, sql_rows_int(rows, 0));
            Str data = sql_rows_text(rows, 1);
            n_bytes += data.n;
            if (n_bytes > EVENTS_BYTES_MAX)
                return too_large("messages", err);
            if (place >= 0)
                pool->entries[place] = arena_str(arena, data);
        }
        if (has_row < 0)
            return -1;
    }
    return 0;
}

static void write_entry(Str entry, JsonOut *out)
{
    if (entry.p)
        json_out_raw(out, entry);
    else
        json_out_null(out); /* so that places stay what they are */
}

void event_pool_write_refs(const EventPool *pool, Str refs, JsonOut *out)
{
    JsonScan scan;
    int64_t start = 0;
    int64_t end = 0;
    json_out_array(out);
    bool has_more = begin_pairs(&scan, refs);
    while (has_more && next_pair(&scan, &start, &end)) {
        int64_t place = place_of(pool, start);
        if (place < 0)
            continue;
        json_out_array(out);
        json_out_int(out, place);
        json_out_int(out, place + (end - start));
        json_out_end_array(out);
    }
    json_out_end_array(out);
}

void event_pool_write_referred(const EventPool *pool, Str refs, JsonOut *out)
{
    JsonScan scan;
    int64_t start = 0;
    int64_t end = 0;
    json_out_array(out);
    bool has_more = begin_pairs(&scan, refs);
    while (has_more && next_pair(&scan, &start, &end)) {
        int64_t place = place_of(pool, start);
        for (int64_t i = place;
             place >= 0 && i < place + (end - start) && out->buf->len < EVENTS_BYTES_MAX; i++)
            write_entry(pool->entries[i], out);
    }
    json_out_end_array(out);
}

void event_pool_write_entries(const EventPool *pool, JsonOut *out)
{
    json_out_array(out);
    for (int64_t i = 0; i < pool->n_entries; i++)
        write_entry(pool->entries[i], out);
    json_out_end_array(out);
}

void event_pool_write_orders(const EventPool *pool, JsonOut *out)
{
    json_out_array(out);
    for (size_t i = 0; i < pool->n_ranges; i++)
        for (int64_t order = pool->ranges[i].start; order < pool->ranges[i].end; order++)
            json_out_int(out, order);
    json_out_end_array(out);
}

/* ---- texts ---- */

static int compare_keys(const void *left, const void *right)
{
    return memcmp(*(const char *const *)left, *(const char *const *)right, KEY_LENGTH);
}

static bool is_hash(const char *p)
{
    for (size_t i = 0; i < KEY_LENGTH; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return false;
    return true;
}

/* Hashes that a text refers to, each once and in order. */
static size_t find_keys(Str text, const char **ret)
{
    size_t n = 0;
    for (ptrdiff_t found = 0; n < KEYS_MAX && text.n > 0;
         text = str_slice(text, (size_t)found + PREFIX.n, text.n)) {
        found = str_find_str(text, PREFIX);
        if (found < 0 || text.n - (size_t)found < PREFIX.n + KEY_LENGTH)
            break;
        if (is_hash(text.p + found + PREFIX.n))
            ret[n++] = text.p + found + PREFIX.n;
    }
    if (n)
        qsort(ret, n, sizeof(*ret), compare_keys);
    size_t n_unique = 0;
    for (size_t i = 0; i < n; i++)
        if (n_unique == 0 || memcmp(ret[n_unique - 1], ret[i], KEY_LENGTH) != 0)
            ret[n_unique++] = ret[i];
    return n_unique;
}

/* Takes the text of a hash. */
typedef int TextTaker(void *context, Str key, Str text, Error *err);

static int read_batch(const EventTexts *texts, Str keys, TextTaker *taker, void *context,
                      Error *err)
{
    static const char *const statements[] = {
        [SQL_SQLITE] = "SELECT attachment_key, content FROM sample_attachment WHERE sample_pk = $1 "
                       "AND attachment_key IN (SELECT value FROM json_each($2))",
        [SQL_POSTGRES] = "SELECT attachment_key, content FROM sample_attachment WHERE sample_pk = "
                         "$1 AND attachment_key = ANY ($2)",
    };
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(texts->tx, statements[texts->dialect],
                  SQL_ARGS(SQL_TEXT(texts->sample_pk), SQL_LIST(keys)), &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err))
        if (taker(context, sql_rows_text(rows, 0), sql_rows_text(rows, 1), err) < 0)
            return -1;
    return has_row;
}

/* Reads the texts of hashes, as far as there are some. */
static int read_texts(const EventTexts *texts, const char *const *keys, size_t n, TextTaker *taker,
                      void *context, Error *err)
{
    for (size_t i = 0; i < n; i += BATCH) {
        auto_buf Buf list = BUF_INIT(BATCH * (KEY_LENGTH + 4) + 2);
        JsonOut out;
        json_out_init(&out, &list, 0);
        json_out_array(&out);
        for (size_t k = i; k < n && k < i + BATCH; k++)
            json_out_str(&out, (Str){keys[k], KEY_LENGTH});
        json_out_end_array(&out);
        if (read_batch(texts, buf_str(&list), taker, context, err) < 0)
            return -1;
    }
    return 0;
}

static int write_text(void *context, Str key, Str text, Error *err)
{
    JsonOut *out = context;
    json_out_key(out, key);
    json_out_str(out, text);
    return out->buf->overflowed ? too_large("texts", err) : 0;
}

int queries_events_write_texts(const EventTexts *texts, const Buf *body, size_t from, JsonOut *out,
                               Error *err)
{
    /* A copy, since hashes point into it while body grows. */
    auto_free char *copy = mem_strndup(body->data + from, body->len - from);
    const Str written = {copy, body->len - from};
    auto_free const char **keys = mem_array(KEYS_MAX, sizeof(*keys));
    size_t n = find_keys(written, keys);
    json_out_object(out);
    if (read_texts(texts, keys, n, write_text, out, err) < 0)
        return -1;
    json_out_end_object(out);
    return 0;
}

/* Texts as JSON, by their hashes. */
typedef struct Text {
    const char *key;
    Buf json; /* empty when there is none */
} Text;

typedef struct Texts {
    Text *items;
    size_t n;
    size_t n_bytes;
} Texts;

static void texts_release(Texts *texts)
{
    for (size_t i = 0; i < texts->n; i++)
        buf_release(&texts->items[i].json);
    free(texts->items);
}

static int compare_to_text(const void *key, const void *text)
{
    return memcmp(key, ((const Text *)text)->key, KEY_LENGTH);
}

static Text *find_text(const Texts *texts, const char *key)
{
    return bsearch(key, texts->items, texts->n, sizeof(*texts->items), compare_to_text);
}

static int keep_text(void *context, Str key, Str content, Error *err)
{
    Texts *texts = context;
    Text *text = key.n == KEY_LENGTH ? find_text(texts, key.p) : NULL;
    texts->n_bytes += content.n;
    if (texts->n_bytes > EVENTS_BYTES_MAX)
        return too_large("texts", err);
    if (!text)
        return 0;
    JsonOut out;
    json_out_init(&out, &text->json, 0);
    json_out_str(&out, content);
    return 0;
}

static int keep_texts(const EventTexts *from, Str written, Texts *ret, Error *err)
{
    auto_free const char **keys = mem_array(KEYS_MAX, sizeof(*keys));
    size_t n = find_keys(written, keys);
    ret->items = mem_array(n + 1, sizeof(*ret->items));
    ret->n = n;
    for (size_t i = 0; i < n; i++)
        ret->items[i] = (Text){keys[i], BUF_INIT(8 * (size_t)EVENTS_BYTES_MAX)};
    return read_texts(from, keys, n, keep_text, ret, err);
}

/* The text for a string that is nothing but a reference and begins with the prefix at p, or NULL.
 */
static const Text *text_of(const Texts *texts, Str written, size_t at)
{
    size_t end = at + PREFIX.n + KEY_LENGTH;
    if (at == 0 || end >= written.n || written.p[at - 1] != '"' || written.p[end] != '"' ||
        (end + 1 < written.n && written.p[end + 1] == ':'))
        return NULL;
    const Text *text = find_text(texts, written.p + at + PREFIX.n);
    return text && text->json.len > 0 ? text : NULL;
}

int queries_events_insert_texts(const EventTexts *origin, Buf *body, size_t from, Error *err)
{
    /* A copy, since hashes point into it while body grows. */
    auto_free char *copy = mem_strndup(body->data + from, body->len - from);
    const Str written = {copy, body->len - from};
    HAWK_CLEANUP(texts_release) Texts texts = {0};
    if (keep_texts(origin, written, &texts, err) < 0)
        return -1;
    buf_truncate(body, from);
    size_t done = 0;
    size_t at = 0;
    while (at < written.n) {
        ptrdiff_t found = str_find_str(str_slice(written, at, written.n), PREFIX);
        if (found < 0)
            break;
        at += (size_t)found;
        const Text *text = text_of(&texts, written, at);
        if (text) {
            buf_add_str(body, str_slice(written, done, at - 1));
            buf_add_str(body, buf_str(&text->json));
            done = at + PREFIX.n + KEY_LENGTH + 1;
        }
        at += PREFIX.n;
        if (body->len - from > EVENTS_BYTES_MAX)
            return too_large("texts", err);
    }
    buf_add_str(body, str_slice(written, done, written.n));
    return 0;
}
