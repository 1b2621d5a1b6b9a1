/* A running log, beside its whole samples: lines of the summaries become provisional samples, which
   the samples themselves replace in the end. The live buffer has samples before the log has them;
   those of them that are over come with their events. A log begins with samples that failed in the
   one that it goes on from: one that runs again is in the buffer by another uuid. */

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"
#include "evallog/live.h"
#include "warehouse/importer/importer_priv.h"

enum { BATCH_SAMPLES = 64, BATCH_BYTES = 8 * 1024 * 1024 };

static const SampleCleanRules rules = {.json_max = SAMPLE_CLEAN_JSON_MAX};

typedef struct Running {
    RowsSink sink; /* first: the sink is this */
    Import *import;
    RowsMaker *rows;
    LiveFolder folder;
    Buf folder_key;
    HashMap
        whole; /* samples (import_sample_key) that are in the log as a whole, or in the tables */
    HashMap loaded; /* and those that have come with their events */
    HashMap lines;  /* places of samples in summaries */
    const EvalLogSummaries *summaries;
    HashMap seen;
    Pack *pack;
    Pack *batch[BATCH_SAMPLES];
    size_t n_batch;
    size_t n_bytes;
} Running;

static void drop_batch(Running *running)
{
    for (size_t i = 0; i < running->n_batch; i++)
        pack_free(running->batch[i]);
    running->n_batch = 0;
    running->n_bytes = 0;
}

static void running_release(Running *running)
{
    drop_batch(running);
    pack_free(running->pack);
    rows_maker_free(running->rows);
    hash_map_release(&running->whole);
    hash_map_release(&running->loaded);
    hash_map_release(&running->lines);
    hash_map_release(&running->seen);
    buf_release(&running->folder_key);
}

/* A line that the database refuses is left out: the sample itself will come. */
static int write_batch(Running *running, Error *err)
{
    ImportAgain ignored = {0};
    int result = import_write(running->import, (const Pack *const *)running->batch,
                              running->n_batch, &ignored, err);
    free(ignored.samples);
    drop_batch(running);
    return result;
}

static int put_row(RowsSink *sink, RowsTable table, const SqlValue *values, Error *err)
{
    Running *running = (Running *)sink;
    pack_add(running->pack, table, values);
    return buf_check(&running->pack->rows, "what a sample comes to", err);
}

/* Makes rows of a line; one that says too little is left out. */
static int add_line(Running *running, Str json, Error *err)
{
    auto_error Error ignored = ERROR_INIT;
    pack_free(TAKE(running->pack));
    running->pack = pack_new(0);
    if (rows_maker_summary(running->rows, json, &rules, &running->sink, &ignored) < 0)
        return 0;
    running->n_bytes += running->pack->rows.len;
    running->batch[running->n_batch++] = TAKE(running->pack);
    if (running->n_batch < BATCH_SAMPLES && running->n_bytes < BATCH_BYTES)
        return 0;
    return write_batch(running, err);
}

/* --- samples of the buffer --- */

static int open_live_file(void *context, const char *name, Source **ret, Error *err)
{
    const Running *running = context;
    auto_free char *key = mem_printf("%s/%s", running->folder_key.data, name);
    return store_source(running->import->store, key, ret, err);
}

/* Starts to read a list of objects. */
static bool begin_list(JsonScan *scan, Str data, const char *name)
{
    Str list = STR_NONE;
    (void)json_scan_get(data, name, &list);
    json_scan_init(scan, list, true);
    return json_scan_kind(scan) == JSON_SCAN_ARRAY && json_scan_array(scan);
}

/* An event comes again when it has changed: the last state counts, in the place of the first. */
static void write_events(JsonOut *out, Str data)
{
    JsonScan scan;
    Str item = STR_NONE;
    Str id = STR_NONE;
    Str event = STR_NONE;
    HashMap places = {0};
    size_t n = 0;
    size_t room = 0;
    Str *events = NULL;
    bool has_items = begin_list(&scan, data, "events");
    while (has_items && json_scan_item(&scan) && json_scan_skip(&scan, &item)) {
        if (!json_scan_get(item, "event", &event))
            continue;
        if (json_scan_get(item, "event_id", &id)) {
            Murmur3 key = murmur3_of(id);
            if (!hash_map_add(&places, key, (uint32_t)n)) {
                assert(events);
                events[*hash_map_find(&places, key)] = event;
                continue;
            }
        }
        if (n == room) {
            room = room ? room * 2 : 64;
            events = mem_resize(events, room, sizeof(*events));
        }
        events[n++] = event;
    }
    json_out_kv_array(out, "events");
    for (size_t i = 0; i < n; i++)
        json_out_raw(out, events[i]);
    json_out_end_array(out);
    hash_map_release(&places);
    free(events);
}

/* Entries of a pool are texts that are JSON. */
static void write_pool(JsonOut *out, Str data, const char *from, const char *name, Arena *arena)
{
    JsonScan scan;
    Str item = STR_NONE;
    Str raw = STR_NONE;
    Str text = STR_NONE;
    bool has_items = begin_list(&scan, data, from);
    json_out_kv_array(out, name);
    while (has_items && json_scan_item(&scan) && json_scan_skip(&scan, &item)) {
        auto_error Error ignored = ERROR_INIT;
        bool is_json = json_scan_get(item, "data", &raw) && json_scan_str(raw, arena, &text) &&
                       json_scan_valid(text, true, &ignored) == 0;
        json_out_raw(out, is_json ? text : STR("null")); /* the places of the others stay */
    }
    json_out_end_array(out);
}

static void write_attachments(JsonOut *out, Str data, Arena *arena)
{
    JsonScan scan;
    Str item = STR_NONE;
    Str hash = STR_NONE;
    Str content = STR_NONE;
    Str key = STR_NONE;
    bool has_items = begin_list(&scan, data, "attachments");
    json_out_kv_object(out, "attachments");
    while (has_items && json_scan_item(&scan) && json_scan_skip(&scan, &item)) {
        if (!json_scan_get(item, "hash", &hash) || !json_scan_get(item, "content", &content) ||
            !json_scan_str(hash, arena, &key))
            continue;
        json_out_key(out, key);
        json_out_raw(out, content);
    }
    json_out_end_object(out);
}

/* A summary and the buffer's data as one document that has the form of a sample. */
static int put_together(Str summary, Str data, Buf *ret, Error *err)
{
    auto_arena Arena *arena = arena_new();
    JsonOut out;
    JsonScan scan;
    Str key = STR_NONE;
    Str value = STR_NONE;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_scan_init(&scan, summary, true);
    (void)json_scan_object(&scan);
    while (json_scan_member(&scan, &key) && json_scan_skip(&scan, &value)) {
        Str plain = STR_NONE;
        (void)json_scan_key_str(key, arena, &plain);
        json_out_key(&out, plain);
        json_out_raw(&out, value);
    }
    write_events(&out, data);
    json_out_kv_object(&out, "events_data");
    write_pool(&out, data, "message_pool", "messages", arena);
    write_pool(&out, data, "call_pool", "calls", arena);
    json_out_end_object(&out);
    write_attachments(&out, data, arena);
    json_out_end_object(&out);
    return buf_check(ret, "a sample of the live buffer", err);
}

/* A sample that is over comes with its events; when they cannot be had, as a line. */
static int add_complete(Running *running, Str summary, Str id, int64_t epoch, Error *err)
{
    auto_error Error ignored = ERROR_INIT; /* gone, or between two states */
    auto_buf Buf data = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    auto_buf Buf json = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    const LiveQuery query = {.id = id, .epoch = epoch, .max_segments = -1};
    if (live_sample_data(&running->folder, &query, &data, &ignored) < 0 ||
        put_together(summary, buf_str(&data), &json, &ignored) < 0)
        return add_line(running, summary, err);
    return add_line(running, buf_str(&json), err);
}

/* Id as text, and epoch; false when a line has none. */
static bool read_place(Str summary, Arena *arena, Str *ret_id, int64_t *ret_epoch)
{
    Str id = STR_NONE;
    Str epoch = STR_NONE;
    if (!json_scan_get(summary, "id", &id) || !json_scan_get(summary, "epoch", &epoch) ||
        !json_scan_i64(epoch, ret_epoch))
        return false;
    *ret_id = id;
    return json_scan_kind_of(id) == JSON_SCAN_NUMBER || json_scan_str(id, arena, ret_id);
}

static bool is_over(Str summary)
{
    Str raw = STR_NONE;
    bool is_completed = false;
    return json_scan_get(summary, "completed", &raw) && json_scan_bool(raw, &is_completed) &&
           is_completed;
}

/* Whether a sample of the buffer is another run of one that the log has. */
static bool is_again(const Running *running, Murmur3 key, Str summary, Arena *arena)
{
    const uint32_t *place = hash_map_find(&running->lines, key);
    Str raw = STR_NONE;
    Str uuid = STR_NONE;
    return place && running->summaries->items[*place].uuid.p &&
           json_scan_get(summary, "uuid", &raw) && json_scan_str(raw, arena, &uuid) &&
           !str_eq(uuid, running->summaries->items[*place].uuid);
}

static int add_live(Running *running, Str summary, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Str id = STR_NONE;
    int64_t epoch = 0;
    if (!read_place(summary, arena, &id, &epoch))
        return 0;
    Murmur3 key = import_sample_key(id, epoch);
    bool is_known = hash_map_find(&running->whole, key) || hash_map_find(&running->loaded, key);
    if (is_known && !is_again(running, key, summary, arena))
        return 0;
    if (!is_over(summary))
        return add_line(running, summary, err);
    (void)hash_map_add(&running->seen, key, 0);
    return add_complete(running, summary, id, epoch, err);
}

static int add_buffer(Running *running, Error *err)
{
    auto_buf Buf text = BUF_INIT(LIVE_MANIFEST_MAX);
    auto_error Error ignored = ERROR_INIT; /* not there, or between two states */
    JsonScan scan;
    Str summary = STR_NONE;
    if (live_samples(&running->folder, STR(""), &text, &ignored) < 0)
        return 0;
    bool has_items = begin_list(&scan, buf_str(&text), "samples");
    while (has_items && json_scan_item(&scan) && json_scan_skip(&scan, &summary))
        if (add_live(running, summary, err) < 0)
            return -1;
    return 0;
}

/* --- lines of the journal --- */

static int add_journal(Running *running, Error *err)
{
    for (size_t i = 0; i < running->summaries->n; i++) {
        const EvalLogSummary *summary = &running->summaries->items[i];
        Murmur3 key = import_sample_key(summary->id, summary->epoch);
        bool is_known = hash_map_find(&running->whole, key) ||
                        hash_map_find(&running->loaded, key) || hash_map_find(&running->seen, key);
        if (!is_known && add_line(running, summary->raw, err) < 0)
            return -1;
    }
    return 0;
}

static int find_whole(Running *running, Error *err)
{
    const EvalLogSamples *samples = NULL;
    if (evallog_samples(running->import->log, &samples, err) < 0 ||
        evallog_summaries(running->import->log, &running->summaries, err) < 0)
        return -1;
    for (size_t i = 0; i < running->summaries->n; i++)
        (void)hash_map_add(
            &running->lines,
            import_sample_key(running->summaries->items[i].id, running->summaries->items[i].epoch),
            (uint32_t)i);
    for (size_t i = 0; i < samples->n; i++)
        (void)hash_map_add(&running->whole,
                           import_sample_key(samples->items[i].id, samples->items[i].epoch), 0);
    return 0;
}

static int find_loaded(Running *running, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    Import *import = running->import;
    if (sql_begin(import->sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, "SELECT id, epoch FROM sample WHERE eval_pk = $1 AND buf_cursor IS NOT NULL",
                  SQL_ARGS(SQL_TEXTZ(import->eval_pk)), &rows, err) < 0)
        return -1;
    int has_row = 0;
    while ((has_row = sql_rows_next(rows, err)) == 1)
        (void)hash_map_add(&running->loaded,
                           import_sample_key(sql_rows_text(rows, 0), sql_rows_int(rows, 1)), 0);
    return has_row < 0 ? -1 : 0;
}

int import_carried(Import *import, Error *err)
{
    const EvalLogSummaries *summaries = NULL;
    if (evallog_summaries(import->log, &summaries, err) < 0)
        return -1;
    for (size_t i = 0; i < summaries->n; i++) {
        const EvalLogSummary *line = &summaries->items[i];
        if (line->error.p && line->started_us != EVALLOG_NONE &&
            line->started_us < import->header->created_us)
            (void)hash_map_add(&import->done, import_sample_key(line->id, line->epoch), 0);
    }
    return 0;
}

int import_running(Import *import, Error *err)
{
    HAWK_CLEANUP(running_release)
    Running running = {.sink = {.put = put_row},
                       .import = import,
                       .rows = rows_maker_new(),
                       .folder_key = BUF_INIT(STORE_KEY_MAX)};
    live_folder_key(str_of(import->key), &running.folder_key);
    running.folder = (LiveFolder){.open = open_live_file, .context = &running};
    if (find_whole(&running, err) < 0 || find_loaded(&running, err) < 0 ||
        add_buffer(&running, err) < 0 || add_journal(&running, err) < 0)
        return -1;
    return write_batch(&running, err);
}
