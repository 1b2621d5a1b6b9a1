/* Texts of a log as streams of JSON. */

#include "evallog/evallog_text.h"

#include "evallog/evallog_priv.h"
#include "evallog/sample_parts.h"

enum { WINDOW_MAX = 1 << 20, WINDOW_SEARCH = 64 << 10, WINDOW_MIN = 64 };

static int read_member(void *context, void *data, size_t n, size_t *ret_n, Error *err)
{
    EvalLogText *text = context;
    return zip_member_read(text->member, data, n, ret_n, err);
}

static int read_range(void *context, void *data, size_t n, size_t *ret_n, Error *err)
{
    EvalLogText *text = context;
    if (n > text->left)
        n = (size_t)text->left;
    if (n > 0 && source_read_at(text->source, text->at, data, n, err) < 0)
        return -1;
    text->at += n;
    text->left -= n;
    *ret_n = n;
    return 0;
}

static void start_whole(EvalLogText *text)
{
    text->is_whole = true;
    Str json = text->borrowed.p ? text->borrowed : buf_str(&text->whole);
    text->stream = json_stream_of_text(json, true);
}

/* Begins to read a text of this size through a window of at most so many bytes. */
static void start_window(EvalLogText *text, uint64_t size, size_t most,
                         int (*read)(void *, void *, size_t, size_t *, Error *))
{
    size_t window = size < most ? (size_t)size : most;
    const JsonStreamInput input = {.read = read,
                                   .context = text,
                                   .window = window < WINDOW_MIN ? WINDOW_MIN : window,
                                   .value_max = SAMPLE_PARTS_PART_MAX,
                                   .allow_nan = true};
    text->is_whole = false;
    text->stream = json_stream_new(&input);
}

/* Closes what is open, but keeps the memory for a text of this size. */
static void reset(EvalLogText *text)
{
    json_stream_free(text->stream);
    text->stream = NULL;
    zip_member_close(text->member);
    text->member = NULL;
    text->borrowed = STR_NONE;
    if (text->whole.data)
        buf_reset(&text->whole);
    else
        text->whole = BUF_INIT(SAMPLE_PARTS_WHOLE_MAX);
}

int evallog_text_open_member(EvalLogText *text, const EvalLog *log, const ZipEntry *entry,
                             Error *err)
{
    reset(text);
    bool is_whole = entry->size <= log->whole_max;
    int result = is_whole ? zip_read(log->zip, entry, &text->whole, err)
                          : zip_member_open(log->zip, entry, &text->member, err);
    if (result < 0)
        return -1;
    if (is_whole)
        start_whole(text);
    else
        start_window(text, entry->size, WINDOW_MAX, read_member);
    return 0;
}

int evallog_text_open_search(EvalLogText *text, const EvalLog *log, const ZipEntry *entry,
                             Error *err)
{
    reset(text);
    if (zip_member_open(log->zip, entry, &text->member, err) < 0)
        return -1;
    start_window(text, entry->size, WINDOW_SEARCH, read_member);
    return 0;
}

int evallog_text_open_range(EvalLogText *text, const EvalLog *log, uint64_t offset, uint64_t size,
                            Error *err)
{
    reset(text);
    text->source = log->source;
    text->at = offset;
    text->left = size;
    bool is_whole = size <= log->whole_max;
    char *room = is_whole ? buf_room(&text->whole, (size_t)size) : NULL;
    if (room) {
        if (source_read_at(log->source, offset, room, (size_t)size, err) < 0)
            return -1;
        buf_grew(&text->whole, (size_t)size);
    }
    if (is_whole)
        start_whole(text);
    else
        start_window(text, size, WINDOW_MAX, read_range);
    return 0;
}

void evallog_text_open_text(EvalLogText *text, Str json)
{
    reset(text);
    text->borrowed = json;
    start_whole(text);
}

void evallog_text_close(EvalLogText *text)
{
    reset(text);
    buf_release(&text->whole);
    *text = (EvalLogText){0};
}

void evallog_text_rewind(EvalLogText *text)
{
    json_stream_free(text->stream);
    start_whole(text);
}
