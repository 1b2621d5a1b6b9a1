/* Walks JSON as a seed decides (each value taken, stepped into or left alone) and notes what comes,
   through JsonScan or JsonStream, so that the two can be held against each other. */
#ifndef HAWK_TESTS_JSON_WALK_H
#define HAWK_TESTS_JSON_WALK_H

#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/json_stream.h"

enum { JSON_WALK_MAX = 64 << 20, JSON_WALK_DEPTH = 64 };

/* Exactly one of the two is set. */
typedef struct JsonWalk {
    JsonScan *scan;
    JsonStream *stream;
    uint64_t seed;
    Buf *notes;
} JsonWalk;

static inline uint64_t json_walk_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

static inline JsonScanKind json_walk_kind(JsonWalk *walk)
{
    return walk->scan ? json_scan_kind(walk->scan) : json_stream_kind(walk->stream);
}

static inline bool json_walk_step_in(JsonWalk *walk, bool is_object)
{
    if (walk->scan)
        return is_object ? json_scan_object(walk->scan) : json_scan_array(walk->scan);
    return is_object ? json_stream_object(walk->stream) : json_stream_array(walk->stream);
}

/* The next member or item; notes a key. */
static inline bool json_walk_next(JsonWalk *walk, bool is_object)
{
    if (!is_object)
        return walk->scan ? json_scan_item(walk->scan) : json_stream_item(walk->stream);
    Str key = STR_NONE;
    bool has_member =
        walk->scan ? json_scan_member(walk->scan, &key) : json_stream_member(walk->stream, &key);
    if (has_member)
        buf_printf(walk->notes, "%.*s:", STR_ARG(key));
    return has_member;
}

static inline void json_walk_take(JsonWalk *walk)
{
    Str raw = STR_NONE;
    if (walk->scan ? json_scan_skip(walk->scan, &raw) : json_stream_skip(walk->stream, &raw)) {
        buf_add_str(walk->notes, raw);
        buf_addc(walk->notes, ';');
    }
}

/* The value that comes next. */
static inline void json_walk_value(JsonWalk *walk, int depth)
{
    uint64_t choice = json_walk_random(&walk->seed) % 8;
    JsonScanKind kind = json_walk_kind(walk);
    bool is_object = kind == JSON_SCAN_OBJECT;
    bool is_container = is_object || kind == JSON_SCAN_ARRAY;
    buf_printf(walk->notes, "%d ", kind);
    if (choice == 0 && depth > 0)
        return; /* left to whatever comes next */
    if (choice < 4 || !is_container || depth == JSON_WALK_DEPTH) {
        json_walk_take(walk);
        return;
    }
    if (!json_walk_step_in(walk, is_object))
        return;
    while (json_walk_next(walk, is_object))
        json_walk_value(walk, depth + 1);
}

/* Input that comes in pieces of random sizes. */
typedef struct JsonWalkPieces {
    Str rest;
    uint64_t seed;
    size_t piece_max;
} JsonWalkPieces;

static inline int json_walk_read(void *context, void *data, size_t n, size_t *ret_n, Error *err)
{
    (void)err;
    JsonWalkPieces *pieces = context;
    size_t wanted = 1 + json_walk_random(&pieces->seed) % pieces->piece_max;
    wanted = wanted < n ? wanted : n;
    wanted = wanted < pieces->rest.n ? wanted : pieces->rest.n;
    if (wanted > 0)
        memcpy(data, pieces->rest.p, wanted);
    pieces->rest = str_slice(pieces->rest, wanted, SIZE_MAX);
    *ret_n = wanted;
    return 0;
}

/* Whether JsonScan and a JsonStream with this window come to the same on a text, whatever it is. */
static inline bool json_walk_agrees(Str text, bool allow_nan, size_t window, bool is_plain,
                                    uint64_t seed)
{
    auto_buf Buf expected = BUF_INIT(JSON_WALK_MAX);
    auto_buf Buf got = BUF_INIT(JSON_WALK_MAX);
    auto_error Error expected_err = ERROR_INIT;
    auto_error Error got_err = ERROR_INIT;
    JsonScan scan;
    JsonWalkPieces pieces = {text, seed, 2 * window};
    const JsonStreamInput input = {json_walk_read, &pieces, window, JSON_WALK_MAX, allow_nan};
    auto_json_stream JsonStream *stream = json_stream_new(&input);
    json_scan_init(&scan, text, allow_nan);
    if (is_plain) {
        json_scan_use_plain(&scan);
        json_stream_use_plain(stream);
    }
    JsonWalk by_scan = {.scan = &scan, .seed = seed, .notes = &expected};
    JsonWalk by_stream = {.stream = stream, .seed = seed, .notes = &got};
    json_walk_value(&by_scan, 0);
    json_walk_value(&by_stream, 0);
    int expected_result = json_scan_end(&scan, &expected_err);
    int got_result = json_stream_end(stream, &got_err);
    return str_eq(buf_str(&expected), buf_str(&got)) && expected_result == got_result &&
           strcmp(error_text(&expected_err), error_text(&got_err)) == 0;
}

#endif
