/* A sample in chunks, put together into the document that other samples are.

   `samples/<id>_epoch_<n>/` holds sample.json (all but the long parts), metadata.json, and four
   sequences in pieces named by the index of their first item: messages, events, calls,
   attachments. The conversation is ranges of the message sequence (`message_refs`), which is also
   what model events refer to; attachments are referred to by index. */

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "evallog/evallog_priv.h"

/* One sequence: the text of all its pieces and where each item is in it. */
typedef struct Sequence {
    Buf text;
    Str *items;
    size_t n_items;
    size_t room;
} Sequence;

/* Members of sample.json that come from elsewhere. */
static const char *const replaced[] = {"message_refs", "messages",    "events",
                                       "attachments",  "events_data", "metadata"};

static void sequence_release(Sequence *sequence)
{
    buf_release(&sequence->text);
    free(sequence->items);
}
#define auto_sequence HAWK_CLEANUP(sequence_release)

static void add_item(Sequence *sequence, Str item)
{
    if (sequence->n_items == sequence->room) {
        sequence->room = sequence->room ? sequence->room * 2 : 64;
        sequence->items = mem_resize(sequence->items, sequence->room, sizeof(*sequence->items));
    }
    sequence->items[sequence->n_items++] = item;
}

static int parse_piece(Sequence *sequence, Str array, Error *err)
{
    JsonScan scan;
    json_scan_init(&scan, array, true);
    json_scan_array(&scan);
    while (json_scan_item(&scan)) {
        Str item;
        if (json_scan_skip(&scan, &item))
            add_item(sequence, item);
    }
    return json_scan_end(&scan, err);
}

static int read_sequence(const EvalLog *log, Str folder, const char *name, Arena *arena,
                         Sequence *sequence, Error *err)
{
    EvalLogNumbered *pieces = NULL;
    Str prefix = str_of(arena_printf(arena, "%.*s%s/", STR_ARG(folder), name));
    size_t n = evallog_numbered(log->zip, prefix, arena, &pieces);
    size_t *ends = arena_array(arena, n + 1, sizeof(*ends));
    for (size_t i = 0; i < n; i++) {
        if (zip_read(log->zip, pieces[i].entry, &sequence->text, err) < 0)
            return -1;
        ends[i] = sequence->text.len;
    }
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        const ZipEntry *entry = pieces[i].entry;
        if (pieces[i].number != sequence->n_items)
            return error_set(err, ERR_BAD_DATA, "%s: %.*s: the items before it are missing",
                             log->source->name, STR_ARG(entry->name));
        if (parse_piece(sequence, str_slice(buf_str(&sequence->text), start, ends[i]), err) < 0)
            return error_wrap(err, "%s: %.*s", log->source->name, STR_ARG(entry->name));
        start = ends[i];
    }
    return 0;
}

static void write_items(JsonOut *out, const Sequence *sequence)
{
    json_out_array(out);
    for (size_t i = 0; i < sequence->n_items && !out->buf->overflowed; i++)
        json_out_raw(out, sequence->items[i]);
    json_out_end_array(out);
}

/* Writes the items of [[start, end), ...]. */
static int write_ranges(JsonOut *out, const Sequence *sequence, Str refs, Error *err)
{
    JsonScan scan;
    json_out_array(out);
    json_scan_init(&scan, refs, true);
    bool has_items = json_scan_kind_of(refs) == JSON_SCAN_ARRAY && json_scan_array(&scan);
    while (has_items && json_scan_item(&scan) && json_scan_array(&scan)) {
        int64_t range[2] = {0, -1};
        size_t n = 0;
        while (json_scan_item(&scan)) {
            Str number;
            if (json_scan_skip(&scan, &number) && n < ARRAY_LEN(range))
                (void)json_scan_i64(number, &range[n]);
            n++;
        }
        if (n != 2 || range[0] < 0 || range[1] < range[0] || (uint64_t)range[1] > sequence->n_items)
            return error_set(err, ERR_BAD_DATA, "message_refs names messages that are missing");
        for (int64_t i = range[0]; i < range[1] && !out->buf->overflowed; i++)
            json_out_raw(out, sequence->items[i]);
    }
    json_out_end_array(out);
    return has_items ? json_scan_end(&scan, err) : 0;
}

static bool is_replaced(Str key)
{
    for (size_t i = 0; i < ARRAY_LEN(replaced); i++) {
        if (json_scan_key_eq(key, replaced[i]))
            return true;
    }
    return false;
}

/* Copies the members of sample.json; gives message_refs. */
static int write_shell(JsonOut *out, Str shell, Str *ret_refs, Error *err)
{
    JsonScan scan;
    Str key;
    json_scan_init(&scan, shell, true);
    json_scan_object(&scan);
    while (json_scan_member(&scan, &key)) {
        Str value;
        if (!json_scan_skip(&scan, &value))
            break;
        if (json_scan_key_eq(key, "message_refs"))
            *ret_refs = value;
        if (is_replaced(key))
            continue;
        /* Keys come as they were written, JsonOut wants them unescaped. */
        auto_buf Buf plain = BUF_INIT(EVALLOG_HEADER_MAX);
        auto_buf Buf quoted = BUF_INIT(EVALLOG_HEADER_MAX);
        buf_addc(&quoted, '"');
        buf_add_str(&quoted, key);
        buf_addc(&quoted, '"');
        if (!json_scan_add_str(buf_str(&quoted), &plain))
            continue;
        json_out_key(out, buf_str(&plain));
        json_out_raw(out, value);
    }
    return json_scan_end(&scan, err);
}

static int write_metadata(const EvalLog *log, Str folder, Arena *arena, JsonOut *out, Error *err)
{
    auto_buf Buf text = BUF_INIT(out->buf->max);
    const char *name = arena_printf(arena, "%.*smetadata.json", STR_ARG(folder));
    const ZipEntry *entry = zip_find(log->zip, str_of(name));
    if (!entry)
        return 0;
    if (zip_read(log->zip, entry, &text, err) < 0)
        return -1;
    if (json_scan_valid(buf_str(&text), true, err) < 0)
        return error_wrap(err, "%s: %s", log->source->name, name);
    json_out_key(out, STR("metadata"));
    json_out_raw(out, buf_str(&text));
    return 0;
}

static void write_attachments(JsonOut *out, const Sequence *sequence)
{
    json_out_kv_object(out, "attachments");
    for (size_t i = 0; i < sequence->n_items && !out->buf->overflowed; i++) {
        auto_buf Buf key = BUF_INIT(32);
        buf_add_i64(&key, (int64_t)i);
        json_out_key(out, buf_str(&key));
        json_out_raw(out, sequence->items[i]);
    }
    json_out_end_object(out);
}

int evallog_chunks_read(const EvalLog *log, const ZipEntry *shell, Buf *ret, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Str folder = str_slice(shell->name, 0, (size_t)str_rfind(shell->name, '/') + 1);
    auto_buf Buf text = BUF_INIT(ret->max);
    auto_sequence Sequence messages = {.text = BUF_INIT(ret->max)};
    auto_sequence Sequence events = {.text = BUF_INIT(ret->max)};
    auto_sequence Sequence calls = {.text = BUF_INIT(ret->max)};
    auto_sequence Sequence attachments = {.text = BUF_INIT(ret->max)};
    if (zip_read(log->zip, shell, &text, err) < 0 ||
        read_sequence(log, folder, "messages", arena, &messages, err) < 0 ||
        read_sequence(log, folder, "events", arena, &events, err) < 0 ||
        read_sequence(log, folder, "calls", arena, &calls, err) < 0 ||
        read_sequence(log, folder, "attachments", arena, &attachments, err) < 0)
        return -1;
    JsonOut out;
    Str refs = STR_NONE;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    if (write_shell(&out, buf_str(&text), &refs, err) < 0)
        return error_wrap(err, "%s: %.*s", log->source->name, STR_ARG(shell->name));
    if (write_metadata(log, folder, arena, &out, err) < 0)
        return -1;
    json_out_key(&out, STR("messages"));
    if (write_ranges(&out, &messages, refs, err) < 0)
        return error_wrap(err, "%s: %.*s", log->source->name, STR_ARG(shell->name));
    json_out_key(&out, STR("events"));
    write_items(&out, &events);
    write_attachments(&out, &attachments);
    json_out_kv_object(&out, "events_data");
    json_out_key(&out, STR("messages"));
    write_items(&out, &messages);
    json_out_key(&out, STR("calls"));
    write_items(&out, &calls);
    json_out_end_object(&out);
    json_out_end_object(&out);
    return buf_check(ret, "the sample", err);
}
