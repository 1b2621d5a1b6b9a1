/* A sample in chunks, one member of the archive after the other.

   `samples/<id>_epoch_<n>/` holds sample.json (all but the long parts), metadata.json, and four
   sequences in pieces named by the index of their first item: messages, events, calls,
   attachments. The conversation is ranges of the message sequence (`message_refs`), which is also
   what model events refer to; attachments are referred to by index. */

#include "evallog/sample_chunks.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "evallog/evallog_text.h"

/* The conversation mostly runs through the messages once. Where it jumps back a piece is read
   again, which message_refs of a few bytes could ask for without end: it has this many bytes for
   each byte of messages and some more, and each jump costs something. */
enum { REREAD_FACTOR = 16, REREAD_COST = 32 << 10 };
#define REREAD_FREE ((uint64_t)64 << 20)

typedef struct Step Step;

struct SampleChunks {
    const EvalLog *log;
    const ZipEntry *shell;
    Arena *arena;
    Str folder; /* with '/' at its end */
    Buf key;
    EvalLogText text;
    const ZipEntry *open; /* what text is of; NULL: of nothing that is still needed */
    size_t step;
    bool is_begun; /* the step */

    EvalLogNumbered *pieces; /* of the step's sequence */
    size_t n_pieces;
    size_t piece;    /* comes next */
    uint64_t n_read; /* items of the sequence up to the place in text */

    uint64_t n_messages;
    Buf refs; /* message_refs, and where in it and in its range we are */
    JsonScan scan;
    int64_t next;
    int64_t end;
    uint64_t budget;
};

/* One step after the other gives its parts: 1 with one, 0 when it has no more. */
struct Step {
    const char *name; /* in the sample's folder: a member, or the pieces of a sequence */
    SamplePartKind kind;
    int (*begin)(SampleChunks *chunks, const Step *step, Error *err);
    int (*next)(SampleChunks *chunks, SamplePart *ret, Error *err);
};

/* Members of sample.json that come from elsewhere. */
static const char *const replaced[] = {"messages", "events", "attachments", "events_data",
                                       "metadata"};

static int fail(const SampleChunks *chunks, const ZipEntry *entry, const char *text, Error *err)
{
    return error_set(err, ERR_BAD_DATA, "%s: %.*s: %s", chunks->log->source->name,
                     STR_ARG(entry->name), text);
}

static int name_member(const SampleChunks *chunks, Error *err)
{
    assert(chunks->open);
    return error_wrap(err, "%s: %.*s", chunks->log->source->name, STR_ARG(chunks->open->name));
}

/* Whether the open text has failed; reports it. */
static int check(const SampleChunks *chunks, Error *err)
{
    return json_stream_check(chunks->text.stream, err) < 0 ? name_member(chunks, err) : 0;
}

static int open_text(SampleChunks *chunks, const ZipEntry *entry, Error *err)
{
    chunks->open = NULL;
    if (evallog_text_open_member(&chunks->text, chunks->log, entry, err) < 0)
        return -1;
    chunks->open = entry;
    return 0;
}

/* At the end of the open text: nothing may follow. */
static int end_text(SampleChunks *chunks, Error *err)
{
    if (json_stream_end(chunks->text.stream, err) < 0)
        return name_member(chunks, err);
    chunks->open = NULL;
    return 0;
}

/* Gives the value that comes next. */
static int give(SampleChunks *chunks, Str key, SamplePart *ret, Error *err)
{
    Str raw = STR_NONE;
    if (!json_stream_skip(chunks->text.stream, &raw))
        return check(chunks, err);
    ret->key = key;
    ret->raw = raw;
    return 1;
}

static int begin_shell(SampleChunks *chunks, const Step *step, Error *err)
{
    (void)step;
    if (open_text(chunks, chunks->shell, err) < 0)
        return -1;
    return json_stream_object(chunks->text.stream) ? 0 : check(chunks, err);
}

static bool is_replaced(Str key)
{
    for (size_t i = 0; i < ARRAY_LEN(replaced); i++) {
        if (json_scan_key_eq(key, replaced[i]))
            return true;
    }
    return false;
}

static int keep_refs(SampleChunks *chunks, Error *err)
{
    Str raw = STR_NONE;
    if (!json_stream_skip(chunks->text.stream, &raw))
        return check(chunks, err);
    buf_reset(&chunks->refs);
    buf_add_str(&chunks->refs, raw);
    if (buf_check(&chunks->refs, "message_refs", err) < 0)
        return name_member(chunks, err);
    return 0;
}

static int next_member(SampleChunks *chunks, SamplePart *ret, Error *err)
{
    Str key = STR_NONE;
    while (json_stream_member(chunks->text.stream, &key)) {
        if (json_scan_key_eq(key, "message_refs")) {
            if (keep_refs(chunks, err) < 0)
                return -1;
        } else if (!is_replaced(key)) {
            buf_reset(&chunks->key);
            (void)json_scan_add_str(json_scan_key_raw(key), &chunks->key);
            return give(chunks, buf_str(&chunks->key), ret, err);
        }
    }
    return end_text(chunks, err);
}

static int begin_metadata(SampleChunks *chunks, const Step *step, Error *err)
{
    const char *name = arena_printf(chunks->arena, "%.*s%s", STR_ARG(chunks->folder), step->name);
    const ZipEntry *entry = zip_find(chunks->log->zip, str_of(name));
    chunks->n_read = 0;
    return entry ? open_text(chunks, entry, err) : 0;
}

static int next_metadata(SampleChunks *chunks, SamplePart *ret, Error *err)
{
    if (!chunks->open)
        return 0;
    return chunks->n_read++ == 0 ? give(chunks, STR("metadata"), ret, err) : end_text(chunks, err);
}

static int begin_sequence(SampleChunks *chunks, const Step *step, Error *err)
{
    (void)err;
    const char *prefix = arena_printf(chunks->arena, "%.*s%s", STR_ARG(chunks->folder), step->name);
    chunks->n_pieces =
        evallog_numbered(chunks->log->zip, str_of(prefix), chunks->arena, &chunks->pieces);
    chunks->piece = 0;
    chunks->n_read = 0;
    return 0;
}

static int open_piece(SampleChunks *chunks, size_t i, Error *err)
{
    if (open_text(chunks, chunks->pieces[i].entry, err) < 0)
        return -1;
    if (!json_stream_array(chunks->text.stream))
        return check(chunks, err);
    chunks->piece = i + 1;
    chunks->n_read = chunks->pieces[i].number;
    return 0;
}

/* Moves to the next item of the sequence: 1, or 0 when there is none. */
static int find_item(SampleChunks *chunks, Error *err)
{
    while (chunks->open || chunks->piece < chunks->n_pieces) {
        if (!chunks->open) {
            const EvalLogNumbered *piece = &chunks->pieces[chunks->piece];
            if (piece->number != chunks->n_read)
                return fail(chunks, piece->entry, "the items before it are missing", err);
            if (open_piece(chunks, chunks->piece, err) < 0)
                return -1;
        }
        if (json_stream_item(chunks->text.stream))
            return 1;
        if (end_text(chunks, err) < 0)
            return -1;
    }
    return 0;
}

static int next_item(SampleChunks *chunks, SamplePart *ret, Error *err)
{
    int has_item = find_item(chunks, err);
    if (has_item != 1)
        return has_item;
    chunks->n_read++;
    return give(chunks, STR_NONE, ret, err);
}

static int next_attachment(SampleChunks *chunks, SamplePart *ret, Error *err)
{
    buf_reset(&chunks->key);
    buf_printf(&chunks->key, "%" PRIu64, chunks->n_read);
    int result = next_item(chunks, ret, err);
    if (result == 1)
        ret->key = buf_str(&chunks->key);
    return result;
}

static int next_pool_message(SampleChunks *chunks, SamplePart *ret, Error *err)
{
    int result = next_item(chunks, ret, err);
    chunks->n_messages += result == 1;
    return result;
}

static int begin_conversation(SampleChunks *chunks, const Step *step, Error *err)
{
    if (begin_sequence(chunks, step, err) < 0)
        return -1;
    chunks->budget = REREAD_FREE;
    for (size_t i = 0; i < chunks->n_pieces; i++)
        chunks->budget += chunks->pieces[i].entry->size * REREAD_FACTOR;
    Str refs = buf_str(&chunks->refs);
    json_scan_init(&chunks->scan, refs, true);
    if (json_scan_kind_of(refs) == JSON_SCAN_ARRAY)
        (void)json_scan_array(&chunks->scan);
    return 0;
}

/* Reads the next [start, end) of message_refs: 1, or 0 when there is none. */
static int next_range(SampleChunks *chunks, Error *err)
{
    JsonScan *scan = &chunks->scan;
    if (scan->depth == 0 || !json_scan_item(scan))
        return 0;
    int64_t range[2] = {0, -1};
    size_t n = 0;
    bool is_list = json_scan_array(scan);
    while (is_list && json_scan_item(scan)) {
        Str number;
        if (json_scan_skip(scan, &number) && n < ARRAY_LEN(range))
            (void)json_scan_i64(number, &range[n]);
        n++;
    }
    bool is_range =
        n == 2 && range[0] >= 0 && range[1] >= range[0] && (uint64_t)range[1] <= chunks->n_messages;
    if (!is_range)
        return fail(chunks, chunks->shell, "message_refs names messages that are missing", err);
    chunks->next = range[0];
    chunks->end = range[1];
    return 1;
}

/* Opens the piece that has the message, unless it comes in the one that is open. */
static int seek_message(SampleChunks *chunks, uint64_t message, Error *err)
{
    size_t low = 0;
    size_t high = chunks->n_pieces;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (chunks->pieces[middle].number <= message)
            low = middle;
        else
            high = middle;
    }
    if (chunks->open && chunks->piece == low + 1 && chunks->n_read <= message)
        return 0;
    uint64_t cost = chunks->pieces[low].entry->size + REREAD_COST;
    if (cost > chunks->budget)
        return fail(chunks, chunks->shell, "message_refs goes back too often", err);
    chunks->budget -= cost;
    return open_piece(chunks, low, err);
}

static int next_message(SampleChunks *chunks, SamplePart *ret, Error *err)
{
    while (chunks->next == chunks->end) {
        int has_range = next_range(chunks, err);
        if (has_range != 1)
            return has_range;
    }
    uint64_t message = (uint64_t)chunks->next++;
    if (seek_message(chunks, message, err) < 0)
        return -1;
    for (;;) {
        if (!json_stream_item(chunks->text.stream))
            return end_text(chunks, err) < 0
                       ? -1
                       : fail(chunks, chunks->shell, "the messages have changed", err);
        if (chunks->n_read++ == message)
            return give(chunks, STR_NONE, ret, err);
    }
}

/* clang-format off */
static const Step steps[] = {
    { "sample.json",   SAMPLE_PART_MEMBER,       begin_shell,        next_member },
    { "metadata.json", SAMPLE_PART_MEMBER,       begin_metadata,     next_metadata },
    { "attachments/",  SAMPLE_PART_ATTACHMENT,   begin_sequence,     next_attachment },
    { "messages/",     SAMPLE_PART_POOL_MESSAGE, begin_sequence,     next_pool_message },
    { "calls/",        SAMPLE_PART_POOL_CALL,    begin_sequence,     next_item },
    { "messages/",     SAMPLE_PART_MESSAGE,      begin_conversation, next_message },
    { "events/",       SAMPLE_PART_EVENT,        begin_sequence,     next_item },
};
/* clang-format on */

int sample_chunks_next(SampleChunks *chunks, SamplePart *ret, Error *err)
{
    while (chunks->step < ARRAY_LEN(steps)) {
        const Step *step = &steps[chunks->step];
        SamplePart part = {.kind = step->kind};
        if (!chunks->is_begun) {
            chunks->open = NULL;
            if (step->begin(chunks, step, err) < 0)
                return -1;
            chunks->is_begun = true;
        }
        int result = step->next(chunks, &part, err);
        if (result == 1)
            *ret = part;
        if (result != 0)
            return result;
        chunks->is_begun = false;
        chunks->step++;
    }
    return 0;
}

int sample_chunks_open(const EvalLog *log, const ZipEntry *shell, SampleChunks **ret, Error *err)
{
    auto_sample_chunks SampleChunks *chunks = mem_alloc(sizeof(*chunks));
    chunks->log = log;
    chunks->shell = shell;
    chunks->arena = arena_new();
    chunks->folder = str_slice(shell->name, 0, (size_t)str_rfind(shell->name, '/') + 1);
    chunks->key = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    chunks->refs = BUF_INIT(SAMPLE_PARTS_WHOLE_MAX);
    if (steps[0].begin(chunks, &steps[0], err) < 0)
        return -1;
    chunks->is_begun = true;
    *ret = TAKE(chunks);
    return 0;
}

void sample_chunks_close(SampleChunks *chunks)
{
    if (!chunks)
        return;
    evallog_text_close(&chunks->text);
    arena_free(chunks->arena);
    buf_release(&chunks->key);
    buf_release(&chunks->refs);
    free(chunks);
}
