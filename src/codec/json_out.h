/* JsonOut: writes JSON into a buffer as a stream; commas and nesting are its business. */
#ifndef HAWK_CODEC_JSON_OUT_H
#define HAWK_CODEC_JSON_OUT_H

#include <stdbool.h>

#include "base/buf.h"
#include "codec/json.h"

/* Deeper than any reader's ceiling, so that what was read can be written inside something else. */
enum { JSON_OUT_DEPTH_MAX = 1200 };

/* Open record; only these functions touch it. */
typedef struct JsonOut {
    Buf *buf;
    int indent; /* spaces per level, 0 for one line */
    int depth;
    bool has_items[JSON_OUT_DEPTH_MAX + 1];
    bool after_key;
} JsonOut;

/* Starts a document at the end of buf, which the caller keeps. */
void json_out_init(JsonOut *out, Buf *buf, int indent);

/* Open and close "{" and "["; a key comes before each value of an object. */
void json_out_object(JsonOut *out); /* "{" */
void json_out_array(JsonOut *out);  /* "[" */
void json_out_end_object(JsonOut *out);
void json_out_end_array(JsonOut *out);
void json_out_key(JsonOut *out, Str key);

/* Values. A string that is not UTF-8 has its bad bytes replaced by U+FFFD; a non-finite number
 * becomes null. */
void json_out_null(JsonOut *out);
void json_out_bool(JsonOut *out, bool value);
void json_out_int(JsonOut *out, int64_t value);
void json_out_real(JsonOut *out, double value); /* shortest text that reads back equal */
void json_out_real_text(JsonOut *out, Str s);   /* the same, as another has written it */
void json_out_str(JsonOut *out, Str s);         /* STR_NONE becomes null */
void json_out_time(JsonOut *out, int64_t instant_us);
void json_out_node(JsonOut *out, const Json *node); /* NULL becomes null */
void json_out_raw(JsonOut *out, Str json);          /* already JSON; not checked */

/* Key and value in one; the key is a literal. */
void json_out_kv_null(JsonOut *out, const char *key);
void json_out_kv_bool(JsonOut *out, const char *key, bool value);
void json_out_kv_int(JsonOut *out, const char *key, int64_t value);
void json_out_kv_real(JsonOut *out, const char *key, double value);
void json_out_kv_str(JsonOut *out, const char *key, Str s);
void json_out_kvz(JsonOut *out, const char *key, const char *s); /* NULL becomes null */
void json_out_kv_time(JsonOut *out, const char *key, int64_t instant_us);
void json_out_kv_node(JsonOut *out, const char *key, const Json *node);
void json_out_kv_object(JsonOut *out, const char *key);
void json_out_kv_array(JsonOut *out, const char *key);

#endif
