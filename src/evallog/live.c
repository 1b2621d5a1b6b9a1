/* The buffer folder of a running eval.

   Items have growing numbers from 1 for each kind; an asker says the last it has of each. A segment
   holds items of several samples; for each sample the manifest has which segments and the last
   numbers in them. Manifests from before those numbers have only the segment's id, for which the
   segment's own last numbers stand in. Cursors below 1 all mean "nothing seen": a segment without
   items of a kind has 0 there and must not count as news. */

#include "evallog/live.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "codec/zip.h"
#include "evallog/evallog_priv.h"

enum { REFRESH_SECONDS = 2, SEGMENTS_MAX = 1000000, NAME_MAX_SIZE = 64 };

/* A segment as the manifest or a sample in it has it. */
typedef struct Segment {
    int64_t id;
    int64_t last[4]; /* event, attachment, message pool, call pool */
} Segment;

typedef struct Segments {
    Segment *items;
    size_t n;
    size_t room;
} Segments;

/* What of the manifest one question needs. */
typedef struct Manifest {
    Buf text;
    Arena *arena;
    Str metrics;
    Str samples;
    Str segments;
} Manifest;

/* One sample's entry. */
typedef struct Entry {
    Str summary;
    Str segments;
    Str id;
    int64_t epoch;
    bool completed;
} Entry;

/* clang-format off */
static const EvalLogField manifest_fields[] = {
    { "metrics",  EVALLOG_RAW, offsetof(Manifest, metrics) },
    { "samples",  EVALLOG_RAW, offsetof(Manifest, samples) },
    { "segments", EVALLOG_RAW, offsetof(Manifest, segments) },
};
static const EvalLogField entry_fields[] = {
    { "summary",  EVALLOG_RAW, offsetof(Entry, summary) },
    { "segments", EVALLOG_RAW, offsetof(Entry, segments) },
};
static const EvalLogField summary_fields[] = {
    { "id",        EVALLOG_NAME, offsetof(Entry, id) },
    { "epoch",     EVALLOG_INT,  offsetof(Entry, epoch) },
    { "completed", EVALLOG_BOOL, offsetof(Entry, completed) },
};
static const EvalLogField segment_fields[] = {
    { "id",                   EVALLOG_INT, offsetof(Segment, id) },
    { "last_event_id",        EVALLOG_INT, offsetof(Segment, last[0]) },
    { "last_attachment_id",   EVALLOG_INT, offsetof(Segment, last[1]) },
    { "last_message_pool_id", EVALLOG_INT, offsetof(Segment, last[2]) },
    { "last_call_pool_id",    EVALLOG_INT, offsetof(Segment, last[3]) },
};

/* The lists of an answer, in the order of Segment.last. */
static const char *const lists[] = { "events", "attachments", "message_pool", "call_pool" };
/* clang-format on */

static void manifest_release(Manifest *manifest)
{
    buf_release(&manifest->text);
    arena_free(manifest->arena);
}
#define auto_manifest HAWK_CLEANUP(manifest_release)

static void segments_release(Segments *segments)
{
    free(segments->items);
}
#define auto_segments HAWK_CLEANUP(segments_release)

void live_folder_key(Str key, Buf *ret)
{
    ptrdiff_t slash = str_rfind(key, '/');
    Str name = str_slice(key, (size_t)(slash + 1), SIZE_MAX);
    ptrdiff_t dot = str_rfind(name, '.');
    if (dot > 0)
        name = str_slice(name, 0, (size_t)dot);
    buf_add_str(ret, str_slice(key, 0, (size_t)(slash + 1)));
    buf_addz(ret, ".buffer/");
    buf_add_str(ret, name);
}

static int read_manifest(const LiveFolder *folder, Manifest *manifest, Error *err)
{
    auto_source Source *source = NULL;
    if (folder->open(folder->context, "manifest.json", &source, err) < 0)
        return -1;
    char *room =
        source->size <= LIVE_MANIFEST_MAX ? buf_room(&manifest->text, (size_t)source->size) : NULL;
    if (!room)
        return error_set(err, ERR_BAD_DATA, "%s is over the limit of %zu bytes", source->name,
                         LIVE_MANIFEST_MAX);
    if (source_read_at(source, 0, room, (size_t)source->size, err) < 0)
        return -1;
    buf_grew(&manifest->text, (size_t)source->size);
    Str text = str_trim(buf_str(&manifest->text));
    if (json_scan_kind_of(text) != JSON_SCAN_OBJECT)
        return error_set(err, ERR_BAD_DATA, "%s is no object", source->name);
    if (evallog_fill(text, manifest_fields, ARRAY_LEN(manifest_fields), manifest->arena, manifest,
                     err) < 0)
        return error_wrap(err, "%s", source->name);
    return 0;
}

/* Steps into an array slice; false for anything else. */
static bool enter(JsonScan *scan, Str raw)
{
    json_scan_init(scan, raw, true);
    return json_scan_kind_of(raw) == JSON_SCAN_ARRAY && json_scan_array(scan);
}

static int parse_entry(const Manifest *manifest, Str raw, Entry *ret, Error *err)
{
    if (evallog_fill(raw, entry_fields, ARRAY_LEN(entry_fields), manifest->arena, ret, err) < 0)
        return -1;
    return evallog_fill(ret->summary, summary_fields, ARRAY_LEN(summary_fields), manifest->arena,
                        ret, err);
}

static int find_entry(const Manifest *manifest, const LiveQuery *query, Entry *ret, Error *err)
{
    JsonScan scan;
    bool has_items = enter(&scan, manifest->samples);
    while (has_items && json_scan_item(&scan)) {
        Str raw;
        if (!json_scan_skip(&scan, &raw))
            break;
        if (parse_entry(manifest, raw, ret, err) < 0)
            return -1;
        if (ret->id.p && str_eq(ret->id, query->id) && ret->epoch == query->epoch)
            return 0;
    }
    return error_set(err, ERR_NOT_FOUND, "the sample is not running");
}

/* Reads a list of segments; a bare number becomes one without last numbers. */
static int parse_segments(const Manifest *manifest, Str raw, Segments *ret, Error *err)
{
    JsonScan scan;
    bool has_items = enter(&scan, raw);
    while (has_items && json_scan_item(&scan)) {
        Str item;
        Segment segment = {.last = {EVALLOG_NONE, EVALLOG_NONE, EVALLOG_NONE, EVALLOG_NONE}};
        if (!json_scan_skip(&scan, &item))
            break;
        if (json_scan_i64(item, &segment.id)) {
            /* has the id only */
        } else if (evallog_fill(item, segment_fields, ARRAY_LEN(segment_fields), manifest->arena,
                                &segment, err) < 0) {
            return -1;
        }
        if (segment.id < 0 || ret->n == SEGMENTS_MAX)
            return error_set(err, ERR_BAD_DATA,
                             "the manifest has a segment without id, or too many");
        if (ret->n == ret->room) {
            ret->room = ret->room ? ret->room * 2 : 16;
            ret->items = mem_resize(ret->items, ret->room, sizeof(*ret->items));
        }
        ret->items[ret->n++] = segment;
    }
    return 0;
}

static int compare_segments(const void *a, const void *b)
{
    int64_t left = ((const Segment *)a)->id;
    int64_t right = ((const Segment *)b)->id;
    return left < right ? -1 : left > right;
}

static bool has_news(const Segment *segment, const int64_t seen[4])
{
    for (size_t i = 0; i < ARRAY_LEN(segment->last); i++) {
        if (segment->last[i] > (seen[i] > 0 ? seen[i] : 0))
            return true;
    }
    return false;
}

/* The sample's segments that have something unseen and that the manifest lists, each once, sorted.
 */
static int choose_segments(const Manifest *manifest, const Entry *entry, const int64_t seen[4],
                           Segments *ret, Error *err)
{
    auto_segments Segments all = {0};
    if (parse_segments(manifest, manifest->segments, &all, err) < 0 ||
        parse_segments(manifest, entry->segments, ret, err) < 0)
        return -1;
    if (all.n > 0)
        qsort(all.items, all.n, sizeof(*all.items), compare_segments);
    size_t n = 0;
    for (size_t i = 0; i < ret->n; i++) {
        Segment segment = ret->items[i];
        const Segment *listed =
            all.n > 0 ? bsearch(&segment, all.items, all.n, sizeof(segment), compare_segments)
                      : NULL;
        if (!listed)
            continue;
        if (segment.last[0] == EVALLOG_NONE)
            memcpy(segment.last, listed->last, sizeof(segment.last));
        if (has_news(&segment, seen))
            ret->items[n++] = segment;
    }
    ret->n = 0;
    if (n > 0)
        qsort(ret->items, n, sizeof(*ret->items), compare_segments);
    for (size_t i = 0; i < n; i++) {
        if (ret->n == 0 || ret->items[ret->n - 1].id != ret->items[i].id)
            ret->items[ret->n++] = ret->items[i];
    }
    return 0;
}

int live_samples(const LiveFolder *folder, Str etag, Buf *ret, Error *err)
{
    auto_manifest Manifest manifest = {.text = BUF_INIT(LIVE_MANIFEST_MAX), .arena = arena_new()};
    if (read_manifest(folder, &manifest, err) < 0)
        return -1;
    JsonOut out;
    JsonScan scan;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "samples");
    bool has_items = enter(&scan, manifest.samples);
    while (has_items && json_scan_item(&scan)) {
        Str raw;
        Str summary;
        if (json_scan_skip(&scan, &raw) && json_scan_get(raw, "summary", &summary))
            json_out_raw(&out, summary);
    }
    json_out_end_array(&out);
    json_out_key(&out, STR("metrics"));
    json_out_raw(&out, manifest.metrics.p ? manifest.metrics : STR("[]"));
    json_out_kv_int(&out, "refresh", REFRESH_SECONDS);
    json_out_kv_str(&out, "etag", etag);
    json_out_end_object(&out);
    return buf_check(ret, "the list of running samples", err);
}

/* The sample's part of one segment. */
static int read_segment(const LiveFolder *folder, int64_t id, const LiveQuery *query, Buf *ret,
                        Error *err)
{
    char name[NAME_MAX_SIZE];
    (void)snprintf(name, sizeof(name), "segment.%" PRId64 ".zip", id);
    auto_source Source *source = NULL;
    auto_zip Zip *zip = NULL;
    if (folder->open(folder->context, name, &source, err) < 0 || zip_open(source, &zip, err) < 0)
        return -1;
    auto_buf Buf member = BUF_INIT(ZIP_NAME_MAX);
    buf_add_str(&member, query->id);
    buf_printf(&member, "_%" PRId64 ".json", query->epoch);
    const ZipEntry *entry = member.overflowed ? NULL : zip_find(zip, buf_str(&member));
    if (!entry)
        return error_set(err, ERR_NOT_FOUND, "%s has nothing of the sample", source->name);
    return zip_read(zip, entry, ret, err);
}

/* Copies the items after the cursor. */
static int copy_items(JsonOut *out, Str list, int64_t seen, Error *err)
{
    JsonScan scan;
    bool has_items = enter(&scan, list);
    while (has_items && json_scan_item(&scan)) {
        Str item;
        Str raw;
        int64_t id = 0;
        if (json_scan_skip(&scan, &item) && json_scan_get(item, "id", &raw) &&
            json_scan_i64(raw, &id) && id > seen)
            json_out_raw(out, item);
    }
    return has_items ? json_scan_check(&scan, err) : 0;
}

static void fill_seen(const LiveQuery *query, int64_t ret[4])
{
    ret[0] = query->seen.event;
    ret[1] = query->seen.attachment;
    ret[2] = query->seen.message_pool;
    ret[3] = query->seen.call_pool;
}

/* Reads the segments one after the other into text; ends has where each stops. */
static int read_segments(const LiveFolder *folder, const Segments *segments, const LiveQuery *query,
                         Buf *text, size_t *ends, Error *err)
{
    for (size_t i = 0; i < segments->n; i++) {
        size_t start = text->len;
        if (read_segment(folder, segments->items[i].id, query, text, err) < 0)
            return -1;
        ends[i] = text->len;
        Str part = str_slice(buf_str(text), start, ends[i]);
        if (json_scan_valid(part, true, err) < 0)
            return error_wrap(err, "segment %" PRId64, segments->items[i].id);
    }
    return 0;
}

int live_sample_data(const LiveFolder *folder, const LiveQuery *query, Buf *ret, Error *err)
{
    auto_manifest Manifest manifest = {.text = BUF_INIT(LIVE_MANIFEST_MAX), .arena = arena_new()};
    auto_segments Segments segments = {0};
    auto_buf Buf text = BUF_INIT(ret->max);
    Entry entry = {0};
    int64_t seen[4];
    fill_seen(query, seen);
    if (read_manifest(folder, &manifest, err) < 0 ||
        find_entry(&manifest, query, &entry, err) < 0 ||
        choose_segments(&manifest, &entry, seen, &segments, err) < 0)
        return -1;
    size_t *ends = arena_array(manifest.arena, segments.n + 1, sizeof(*ends));
    if (read_segments(folder, &segments, query, &text, ends, err) < 0)
        return -1;
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        size_t start = 0;
        json_out_kv_array(&out, lists[k]);
        for (size_t i = 0; i < segments.n; i++) {
            Str list;
            Str part = str_slice(buf_str(&text), start, ends[i]);
            if (json_scan_get(part, lists[k], &list) && copy_items(&out, list, seen[k], err) < 0)
                return -1;
            start = ends[i];
        }
        json_out_end_array(&out);
    }
    json_out_end_object(&out);
    return buf_check(ret, "the sample's data", err);
}

static void write_segment(JsonOut *out, int64_t id, const LiveQuery *query)
{
    auto_buf Buf member = BUF_INIT(ZIP_NAME_MAX);
    buf_add_str(&member, query->id);
    buf_printf(&member, "_%" PRId64 ".json", query->epoch);
    json_out_object(out);
    json_out_kv_int(out, "id", id);
    json_out_kv_str(out, "member_name", buf_str(&member));
    json_out_kv_null(out, "direct_url");
    json_out_end_object(out);
}

int live_segments(const LiveFolder *folder, const LiveQuery *query, Buf *ret, Error *err)
{
    auto_manifest Manifest manifest = {.text = BUF_INIT(LIVE_MANIFEST_MAX), .arena = arena_new()};
    auto_segments Segments segments = {0};
    Entry entry = {0};
    int64_t seen[4];
    fill_seen(query, seen);
    if (read_manifest(folder, &manifest, err) < 0 ||
        find_entry(&manifest, query, &entry, err) < 0 ||
        choose_segments(&manifest, &entry, seen, &segments, err) < 0)
        return -1;
    size_t n = segments.n;
    if (query->max_segments >= 0 && (uint64_t)query->max_segments < n)
        n = (size_t)query->max_segments;
    size_t first = query->is_tail ? segments.n - n : 0;
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "segments");
    for (size_t i = first; i < first + n; i++)
        write_segment(&out, segments.items[i].id, query);
    json_out_end_array(&out);
    json_out_kv_bool(&out, "complete", entry.completed);
    json_out_kv_bool(&out, "has_more", !query->is_tail && n < segments.n);
    json_out_end_object(&out);
    return buf_check(ret, "the list of segments", err);
}
