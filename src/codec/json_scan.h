/* JsonScan: reads JSON of any size in place, without building anything.

   A cursor over text that the caller keeps: it steps into objects and arrays, names each member,
   and skips any value as a slice of the text. Everything it passes is checked (RFC 8259, UTF-8,
   depth), once. The first failure sticks: all later calls return false, so that a reader may walk
   on and ask once with json_scan_check or json_scan_end.

       JsonScan scan;
       json_scan_init(&scan, text, true);
       Str key;
       Str raw;
       json_scan_object(&scan);
       while (json_scan_member(&scan, &key)) {
           if (json_scan_key_eq(key, "id") && json_scan_skip(&scan, &raw))
               (void)json_scan_str(raw, arena, &id);
           else if (json_scan_key_eq(key, "messages") && json_scan_array(&scan))
               while (json_scan_item(&scan))
                   ... json_scan_skip(&scan, &raw) ...
       }                                  (members not read are skipped)
       return json_scan_end(&scan, err);

   Keys may repeat; the reader decides (Python's takes the last). */
#ifndef HAWK_CODEC_JSON_SCAN_H
#define HAWK_CODEC_JSON_SCAN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum { JSON_SCAN_DEPTH_MAX = 1024 };

typedef enum JsonScanKind {
    JSON_SCAN_NONE, /* no value here, or the scan has failed */
    JSON_SCAN_NULL,
    JSON_SCAN_BOOL,
    JSON_SCAN_NUMBER,
    JSON_SCAN_STRING,
    JSON_SCAN_ARRAY,
    JSON_SCAN_OBJECT,
} JsonScanKind;

/* Open record; only these functions touch it. */
typedef struct JsonScan {
    const char *start;
    const char *p; /* at or before the next token */
    const char *end;
    const char *expected; /* set by the first failure, which is at p */
    size_t depth;
    const char *mark; /* where the value began that was passed last, at mark_depth */
    size_t mark_depth;
    bool allow_nan;
    bool is_wide;  /* this machine has AVX2 */
    bool may_jump; /* containers may be tried 64 bytes at a time */
    bool is_due;   /* a value comes next */
    bool is_first; /* nothing of the innermost container has been read yet */
    uint64_t is_object[JSON_SCAN_DEPTH_MAX / 64]; /* one bit per level */
} JsonScan;

/* Starts at the one value of text; allow_nan takes NaN, Infinity and -Infinity as numbers. */
void json_scan_init(JsonScan *scan, Str text, bool allow_nan);

/* What the value that comes next is, by its first byte. */
JsonScanKind json_scan_kind(JsonScan *scan);

/* Step into the object or array that comes next; false (a failure) when something else comes. */
bool json_scan_object(JsonScan *scan);
bool json_scan_array(JsonScan *scan);

/* Move to the next member or item, whose value then comes next; a value that was not read is
   skipped. false at the end, having left the container, and on failure. The key is as written,
   without its quotes; see json_scan_key_eq. */
bool json_scan_member(JsonScan *scan, Str *ret_key);
bool json_scan_item(JsonScan *scan);

/* Leaves the innermost container before its end, skipping the rest. */
bool json_scan_leave(JsonScan *scan);

/* Skips the value that comes next and gives its text (strings with their quotes); ret_raw may be
 * NULL. */
bool json_scan_skip(JsonScan *scan, Str *ret_raw);

/* 0, or -1 with ERR_BAD_DATA "byte N: expected ..." (N counts from 0) when the scan has failed. */
int json_scan_check(const JsonScan *scan, Error *err) HAWK_MUST_USE;

/* Passes over all that has not been read, checks that nothing but white space follows, and reports
 * as json_scan_check. */
int json_scan_end(JsonScan *scan, Error *err) HAWK_MUST_USE;

/* From here on without the special instructions of this machine; the results are the same. For
 * tests. */
void json_scan_use_plain(JsonScan *scan);

/* Checks a whole text. */
int json_scan_valid(Str text, bool allow_nan, Error *err) HAWK_MUST_USE;

/* The rest reads slices that json_scan_skip gave; false when the value is of another type.

   Strings come out as UTF-8, a lone surrogate escape as U+FFFD. json_scan_str gives a view of raw
   when nothing is escaped, else a copy in the arena; json_scan_add_str appends. A number is i64
   when it has neither fraction nor exponent and fits; any number is a double (nearest; NaN and
   Infinity as written; too large is infinite). */
JsonScanKind json_scan_kind_of(Str raw);
bool json_scan_str(Str raw, Arena *arena, Str *ret);
bool json_scan_add_str(Str raw, Buf *buf);
bool json_scan_i64(Str raw, int64_t *ret);
bool json_scan_double(Str raw, double *ret);
bool json_scan_bool(Str raw, bool *ret);

/* Whether a key as json_scan_member gives it means this name; escapes are honoured. */
bool json_scan_key_eq(Str key, const char *name);

/* Such a key as a string: a slice of the text with its quotes, or as json_scan_str gives it. */
Str json_scan_key_raw(Str key);
bool json_scan_key_str(Str key, Arena *arena, Str *ret);

/* The member of an object slice (the last of equal keys); false when raw is no object or has none.
 */
bool json_scan_get(Str raw, const char *name, Str *ret_raw);

#endif
