/* JSON: the tree, the fast and the plain scan agree on what is valid, and the stream agrees with
   the scan however its input is cut; what is read can be written and reads back equal. */

#include <stdint.h>
#include <stdlib.h>

#include "../unit/codec/json_walk.h"
#include "base/buf.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 64 << 20, SEED_BYTES = 64 };

static void must(bool claim)
{
    if (!claim)
        abort();
}

static Json *parse(Arena *arena, Str text, bool allow_nan)
{
    JsonLimits limits = {.bytes = OUT_MAX,
                         .depth = JSON_SCAN_DEPTH_MAX,
                         .nodes = OUT_MAX,
                         .allow_nan = allow_nan,
                         .allow_duplicates = true};
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    return json_parse(arena, text, &limits, &root, &err) == 0 ? root : NULL;
}

static bool scan(Str text, bool allow_nan, bool is_plain, Buf *message)
{
    JsonScan reader;
    json_scan_init(&reader, text, allow_nan);
    if (is_plain)
        json_scan_use_plain(&reader);
    auto_error Error err = ERROR_INIT;
    int status = json_scan_end(&reader, &err);
    buf_addz(message, error_text(&err));
    return status == 0;
}

/* Reads every slice in every way there is. */
static void walk(JsonScan *reader, Arena *arena, Buf *buf)
{
    Str key = STR_NONE;
    Str raw = STR_NONE;
    JsonScanKind kind = json_scan_kind(reader);
    if (kind == JSON_SCAN_OBJECT && json_scan_object(reader)) {
        while (json_scan_member(reader, &key)) {
            (void)json_scan_key_eq(key, "id");
            walk(reader, arena, buf);
        }
    } else if (kind == JSON_SCAN_ARRAY && json_scan_array(reader)) {
        while (json_scan_item(reader))
            walk(reader, arena, buf);
    } else if (json_scan_skip(reader, &raw)) {
        int64_t integer = 0;
        double real = 0;
        bool boolean = false;
        Str text = STR_NONE;
        (void)json_scan_i64(raw, &integer);
        (void)json_scan_bool(raw, &boolean);
        must(json_scan_double(raw, &real) == (kind == JSON_SCAN_NUMBER));
        must(json_scan_str(raw, arena, &text) == (kind == JSON_SCAN_STRING));
        must(json_scan_add_str(raw, buf) == (kind == JSON_SCAN_STRING));
        must(str_is_utf8(text));
    }
}

static void check(Str text, bool allow_nan)
{
    auto_arena Arena *arena = arena_new();
    auto_buf Buf wide_message = BUF_INIT(OUT_MAX);
    auto_buf Buf plain_message = BUF_INIT(OUT_MAX);
    Json *root = parse(arena, text, allow_nan);
    must(scan(text, allow_nan, false, &wide_message) == (root != NULL));
    must(scan(text, allow_nan, true, &plain_message) == (root != NULL));
    must(str_eq(buf_str(&wide_message), buf_str(&plain_message)));
    JsonScan reader;
    json_scan_init(&reader, text, allow_nan);
    auto_buf Buf strings = BUF_INIT(OUT_MAX);
    walk(&reader, arena, &strings);
    auto_error Error err = ERROR_INIT;
    must((json_scan_end(&reader, &err) == 0) == (root != NULL));
    if (!root)
        return;
    auto_buf Buf written = BUF_INIT(OUT_MAX);
    JsonOut out;
    json_out_init(&out, &written, 0);
    json_out_node(&out, root);
    Json *again = parse(arena, buf_str(&written), false);
    must(again && (allow_nan || json_equal(root, again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = {(const char *)data, size};
    check(text, false);
    check(text, true);
    /* The text itself picks the walk and the pieces. */
    uint64_t seed = size + 1;
    for (size_t i = 0; i < size && i < SEED_BYTES; i++)
        seed = seed * 31 + data[i];
    must(json_walk_agrees(text, true, 32 + seed % 100, false, seed | 1));
    must(json_walk_agrees(text, false, 32 + seed % 9, true, seed | 1));
    return 0;
}
