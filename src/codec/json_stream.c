/* A window over the text, scanned by JsonScan.

   A step that fails at the end of the window is taken back and tried again with more text; a value
   goes on from the last value that began inside of it, so that no byte is passed more than a few
   times however the pieces fall. The failure sticks only when it is further from the end than any
   token that more text could complete, or when there is no more. */

#include "codec/json_stream.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan_priv.h"

/* JsonScan finds fault with "-Infinity", the longest token other than strings and digits, at most
   this many bytes before its end. */
enum { TOKEN_MAX = 16 };

struct JsonStream {
    JsonStreamInput input;
    char *bytes; /* NULL for a text in memory */
    size_t n;
    size_t cap;
    uint64_t before; /* bytes of the text in front of the window */
    bool is_over;    /* the window reaches the end of the text */
    JsonScan scan;
    Error err; /* of the input, or the limit */
};

JsonStream *json_stream_new(const JsonStreamInput *input)
{
    assert(input->window >= 2 * TOKEN_MAX && input->value_max >= input->window);
    JsonStream *stream = mem_alloc(sizeof(*stream));
    stream->input = *input;
    stream->bytes = mem_resize(NULL, input->window, 1);
    stream->cap = input->window;
    json_scan_init(&stream->scan, (Str){stream->bytes, 0}, input->allow_nan);
    return stream;
}

JsonStream *json_stream_of_text(Str text, bool allow_nan)
{
    JsonStream *stream = mem_alloc(sizeof(*stream));
    stream->is_over = true;
    json_scan_init(&stream->scan, text, allow_nan);
    return stream;
}

void json_stream_free(JsonStream *stream)
{
    if (!stream)
        return;
    error_release(&stream->err);
    free(stream->bytes);
    free(stream);
}

void json_stream_use_plain(JsonStream *stream)
{
    json_scan_use_plain(&stream->scan);
}

uint64_t json_stream_offset(const JsonStream *stream)
{
    return stream->before + (uint64_t)(stream->scan.p - stream->scan.start);
}

static bool has_failed(const JsonStream *stream)
{
    return stream->scan.expected || stream->err.kind != ERR_NONE;
}

/* Whether a step that failed could do better with more text. */
static bool is_cut(const JsonStream *stream)
{
    return !stream->is_over && stream->scan.expected &&
           stream->scan.end - stream->scan.p < TOKEN_MAX;
}

/* Drops what stands before `keep` and makes room: twice what stays, so that a long value is begun
   anew only a few times. */
static bool move(JsonStream *stream, const char *keep)
{
    size_t dropped = (size_t)(keep - stream->bytes);
    size_t at = (size_t)(stream->scan.p - keep);
    size_t rest = stream->n - dropped;
    if (rest == stream->input.value_max) {
        (void)error_set(&stream->err, ERR_BAD_DATA,
                        "byte %llu: a value over the limit of %zu bytes",
                        (unsigned long long)stream->before + dropped, stream->input.value_max);
        return false;
    }
    memmove(stream->bytes, keep, rest);
    size_t wanted = rest < stream->input.window / 2 ? stream->input.window : rest * 2;
    if (wanted > stream->input.value_max)
        wanted = stream->input.value_max;
    if (wanted > stream->cap || wanted < stream->cap / 4) {
        stream->bytes = mem_resize(stream->bytes, wanted, 1);
        stream->cap = wanted;
    }
    stream->n = rest;
    stream->before += dropped;
    stream->scan.start = stream->bytes;
    stream->scan.p = stream->bytes + at;
    stream->scan.end = stream->bytes + rest;
    return true;
}

/* Reads on, keeping the window from `keep`, which is at or before the next token. */
static bool read_on(JsonStream *stream, const char *keep)
{
    if (!move(stream, keep))
        return false;
    while (stream->n < stream->cap && !stream->is_over) {
        size_t n = 0;
        if (stream->input.read(stream->input.context, stream->bytes + stream->n,
                               stream->cap - stream->n, &n, &stream->err) < 0)
            return false;
        stream->is_over = n == 0;
        stream->n += n;
    }
    stream->scan.end = stream->bytes + stream->n;
    return true;
}

/* Moves to the next token; at the end of the text there is none. false when the stream has failed.
 */
static bool find_token(JsonStream *stream)
{
    if (has_failed(stream))
        return false;
    json_scan_pass_space(&stream->scan);
    while (stream->scan.p == stream->scan.end && !stream->is_over) {
        if (!read_on(stream, stream->scan.p))
            return false;
        json_scan_pass_space(&stream->scan);
    }
    return true;
}

JsonScanKind json_stream_kind(JsonStream *stream)
{
    return find_token(stream) ? json_scan_kind(&stream->scan) : JSON_SCAN_NONE;
}

bool json_stream_object(JsonStream *stream)
{
    return find_token(stream) && json_scan_object(&stream->scan);
}

bool json_stream_array(JsonStream *stream)
{
    return find_token(stream) && json_scan_array(&stream->scan);
}

/* A number that the window cuts looks like a shorter one. */
static bool is_cut_number(const JsonStream *stream, char first)
{
    bool is_bare = first != '"' && first != '[' && first != '{';
    return is_bare && stream->scan.p == stream->scan.end && !stream->is_over;
}

bool json_stream_skip(JsonStream *stream, Str *ret_raw)
{
    if (!find_token(stream))
        return false;
    JsonScan *scan = &stream->scan;
    assert(scan->is_due);
    size_t base = scan->depth;
    size_t from = (size_t)(scan->p - scan->start);
    for (;;) {
        bool is_passed = json_scan_pass(scan, base);
        if (is_passed && !is_cut_number(stream, *scan->mark))
            break;
        if (!is_passed && !is_cut(stream))
            return false;
        scan->expected = NULL;
        scan->p = scan->mark;
        scan->depth = scan->mark_depth;
        scan->is_due = true;
        if (!read_on(stream, ret_raw ? scan->start + from : scan->p))
            return false;
        from = 0;
    }
    if (ret_raw)
        *ret_raw = (Str){scan->start + from, (size_t)(scan->p - scan->start) - from};
    return true;
}

bool json_stream_member(JsonStream *stream, Str *ret_key)
{
    JsonScan *scan = &stream->scan;
    if (scan->is_due && !json_stream_skip(stream, NULL))
        return false;
    while (find_token(stream)) {
        const char *from = scan->p;
        bool is_first = scan->is_first;
        size_t depth = scan->depth;
        if (json_scan_member(scan, ret_key))
            return true;
        if (!is_cut(stream))
            return false;
        scan->expected = NULL;
        scan->p = from;
        scan->depth = depth;
        scan->is_first = is_first;
        if (!read_on(stream, from))
            return false;
    }
    return false;
}

bool json_stream_item(JsonStream *stream)
{
    if (stream->scan.is_due && !json_stream_skip(stream, NULL))
        return false;
    return find_token(stream) && json_scan_item(&stream->scan);
}

int json_stream_check(const JsonStream *stream, Error *err)
{
    if (stream->err.kind != ERR_NONE)
        return error_set(err, stream->err.kind, "%s", error_text(&stream->err));
    return json_scan_report(&stream->scan, stream->before, err);
}

int json_stream_end(JsonStream *stream, Error *err)
{
    JsonScan *scan = &stream->scan;
    Str key = STR_NONE;
    while (scan->depth > 0 && !has_failed(stream)) {
        if (json_scan_in_object(scan))
            (void)json_stream_member(stream, &key);
        else
            (void)json_stream_item(stream);
    }
    if (scan->is_due)
        (void)json_stream_skip(stream, NULL);
    if (find_token(stream) && scan->p != scan->end)
        (void)json_scan_fail(scan, scan->p, "nothing more");
    return json_stream_check(stream, err);
}
