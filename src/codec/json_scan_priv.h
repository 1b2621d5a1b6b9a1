/* What the files of the scanner share with each other and with JsonStream. */
#ifndef HAWK_CODEC_JSON_SCAN_PRIV_H
#define HAWK_CODEC_JSON_SCAN_PRIV_H

#include <endian.h>

#include "codec/json_scan.h"

/* Notes the failure at a position. Returns NULL. */
const char *json_scan_fail(JsonScan *scan, const char *at, const char *expected);

/* Whether this machine can run the two that follow. */
bool json_scan_has_blocks(void);

/* Passes the object or array at p, 64 bytes at a time, and returns behind it. NULL when it is not
   valid, or when bytes close behind it are not; then the scan is as before, and a slower reader has
   to tell. */
const char *json_scan_blocks(JsonScan *scan, const char *p);

/* Passes a string of which p is no later than the first backslash and the first byte that is not
   ASCII, and returns behind its closing quote. NULL when it is not valid, or when bytes close
   behind it are not. */
const char *json_scan_string_blocks(const char *p, const char *end);

/* Passes the value that comes next and all behind it until depth is `base` again. After a failure
   scan->mark is where to go on when there is more text: a value comes next there, at mark_depth. */
bool json_scan_pass(JsonScan *scan, size_t base);

/* Passes white space. */
void json_scan_pass_space(JsonScan *scan);

/* As json_scan_check, for a text of which `before` bytes come in front of what is scanned. */
int json_scan_report(const JsonScan *scan, uint64_t before, Error *err) HAWK_MUST_USE;

/* Passes a value that is neither string nor container; NULL after a failure. */
const char *json_scan_bare(JsonScan *scan, const char *p, const char *end);

/* What the value at p is, by its first byte. */
JsonScanKind json_scan_kind_at(const char *p, const char *end);

/* Puts a container on the stack; false after a failure. */
static inline bool json_scan_enter(JsonScan *scan, const char *p, bool is_object)
{
    if (scan->depth == JSON_SCAN_DEPTH_MAX)
        return json_scan_fail(scan, p, "no deeper nesting than 1024 levels") != NULL;
    uint64_t bit = UINT64_C(1) << (scan->depth % 64);
    uint64_t *word = &scan->is_object[scan->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    scan->depth++;
    return true;
}

/* Whether the innermost container is an object. */
static inline bool json_scan_in_object(const JsonScan *scan)
{
    size_t level = scan->depth - 1;
    return scan->is_object[level / 64] >> (level % 64) & 1;
}

#endif
