/* Exports: any text comes back out of its CSV, any JSON stays the same JSON in Python's form, and
   messages of any shape become text. */

#include <stdint.h>
#include <stdlib.h>

#include "codec/frame.h"
#include "codec/json_scan.h"
#include "codec/python_text.h"
#include "warehouse/export/export_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 64 << 20, WIDTH = 40 };

static void must(bool claim)
{
    if (!claim)
        abort();
}

/* Reads one field by RFC 4180, section 2, and steps over the comma or line end behind it. */
static void read_field(Str *rest, Buf *ret)
{
    size_t i = 0;
    bool is_quoted = rest->n > 0 && rest->p[0] == '"';
    for (i = is_quoted; i < rest->n; i++) {
        char c = rest->p[i];
        if (is_quoted && c == '"') {
            if (i + 1 == rest->n || rest->p[i + 1] != '"')
                break;
            i++;
        } else if (!is_quoted && (c == ',' || c == '\r')) {
            break;
        }
        buf_addc(ret, c);
    }
    i += is_quoted;
    must(i < rest->n && (rest->p[i] == ',' || rest->p[i] == '\r'));
    *rest = str_slice(*rest, i + (rest->p[i] == ',' ? 1 : 2), rest->n);
}

static void check_csv(Str text)
{
    auto_frame Frame *frame = frame_new();
    auto_error Error err = ERROR_INIT;
    auto_buf Buf csv = BUF_INIT(OUT_MAX);
    size_t column = 0;
    const FrameValue values[] = {FRAME_STRING(text), FRAME_INTEGER(7), FRAME_STRING(text)};
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        must(frame_add(frame, (int)i, str_of(names[i]), &column, &err) == 0);
        frame_observe(frame, column, &values[i]);
    }
    frame_end_row(frame);
    frame_settle(frame);
    FrameWriter writer = {.frame = frame, .format = FRAME_CSV};
    frame_write_row(&writer, values, &csv);
    Str rest = buf_str(&csv);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_buf Buf field = BUF_INIT(OUT_MAX);
        read_field(&rest, &field);
        must(i == 1 ? str_eqz(buf_str(&field), "7") : str_eq(buf_str(&field), text));
    }
    must(rest.n == 0);
}

static void check_json(Str json)
{
    auto_buf Buf once = BUF_INIT(OUT_MAX);
    auto_buf Buf twice = BUF_INIT(OUT_MAX);
    auto_error Error err = ERROR_INIT;
    python_text_dumps(&once, json);
    must(json_scan_valid(buf_str(&once), true, &err) == 0);
    for (size_t i = 0; i < once.len; i++)
        must(once.data[i] >= ' ' && once.data[i] <= '~');
    python_text_dumps(&twice, buf_str(&once));
    must(str_eq(buf_str(&once), buf_str(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = {(const char *)data, size};
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_buf Buf out = BUF_INIT(OUT_MAX);
    check_csv(size > 0 ? text : STR(""));
    if (json_scan_valid(text, true, &err) < 0)
        return 0;
    check_json(text);
    export_message_list(text, arena, &out);
    export_message_add(text, arena, &out);
    (void)export_message_calls(text, arena, &out);
    must(str_is_utf8(buf_str(&out)));
    buf_reset(&out);
    python_text_repr(&out, text);
    python_text_str(&out, text);
    python_text_pformat(&out, text, WIDTH);
    must(str_is_utf8(buf_str(&out)));
    return 0;
}
