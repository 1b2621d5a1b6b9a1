/* JsonStream: JsonScan for a text that comes piece by piece and need not fit in memory.

   The calls are those of JsonScan, check the same, and fail with the same words; values that are
   passed without being asked for are held one string at a time. What they give (keys, values) is
   valid until the next call of any of them, but for a stream over a text in memory, which gives
   views of it. */
#ifndef HAWK_CODEC_JSON_STREAM_H
#define HAWK_CODEC_JSON_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "codec/json_scan.h"

typedef struct JsonStream JsonStream;

/* Where the bytes come from, and how many are held. */
typedef struct JsonStreamInput {
    /* Puts up to n bytes into data and their count into *ret_n; 0 is the end. */
    int (*read)(void *context, void *data, size_t n, size_t *ret_n, Error *err);
    void *context;
    size_t window;    /* bytes to hold, at least 32 */
    size_t value_max; /* bytes of the largest value, key or string, at least the window */
    bool allow_nan;
} JsonStreamInput;

/* A stream of the input, whose context must outlive it, or over a text that does. Never NULL. */
JsonStream *json_stream_new(const JsonStreamInput *input) HAWK_MUST_USE;
JsonStream *json_stream_of_text(Str text, bool allow_nan) HAWK_MUST_USE;
void json_stream_free(JsonStream *stream);

/* As the functions of JsonScan of these names. A value that is over value_max is a failure, and so
   is one of the input; both stick. */
JsonScanKind json_stream_kind(JsonStream *stream);
bool json_stream_object(JsonStream *stream);
bool json_stream_array(JsonStream *stream);
bool json_stream_member(JsonStream *stream, Str *ret_key);
bool json_stream_item(JsonStream *stream);
bool json_stream_skip(JsonStream *stream, Str *ret_raw);
int json_stream_check(const JsonStream *stream, Error *err) HAWK_MUST_USE;
int json_stream_end(JsonStream *stream, Error *err) HAWK_MUST_USE;
void json_stream_use_plain(JsonStream *stream);

/* How many bytes of the text have been passed; right behind json_stream_kind, where the value
   begins. */
uint64_t json_stream_offset(const JsonStream *stream);

HAWK_DEFINE_AUTO(JsonStream, json_stream, json_stream_free)
#define auto_json_stream HAWK_CLEANUP(json_stream_cleanup_)

#endif
