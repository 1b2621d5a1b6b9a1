/* Cursors: 't' and a text as a client sends it; 'v', a number of values and their bytes, to which
   the right head is made, so that what lies behind the digest is reached. */

#include <stdint.h>

#include "codec/digest.h"
#include "sql/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_text(Str text, size_t n)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Cursor cursor = {0};
    int result = cursor_read(text, STR("list"), n, arena, &cursor, &err);
    if ((result < 0) != (err.kind == ERR_USAGE))
        __builtin_trap();
    if (result < 0)
        return;
    auto_buf Buf again = BUF_INIT(CURSOR_TEXT_MAX * 2);
    cursor_write(&cursor, STR("list"), &again);
    if (cursor_read(buf_str(&again), STR("list"), n, arena, &cursor, &err) < 0)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > CURSOR_TEXT_MAX / 2)
        return 0;
    Str rest = {(const char *)data + 2, size - 2};
    if (data[0] == 't') {
        read_text(rest, data[1] % (CURSOR_VALUES_MAX + 1));
        return 0;
    }
    unsigned char sum[DIGEST_SIZE];
    auto_digest Digest *digest = digest_new();
    digest_add(digest, rest);
    digest_add(digest, STR("\0"));
    digest_add(digest, STR("list"));
    digest_finish(digest, sum);
    auto_buf Buf bytes = BUF_INIT(CURSOR_TEXT_MAX);
    auto_buf Buf text = BUF_INIT(CURSOR_TEXT_MAX);
    buf_addc(&bytes, 1);
    buf_add(&bytes, sum, 8);
    buf_add_str(&bytes, rest);
    digest_add_base64url(&text, buf_str(&bytes));
    read_text(buf_str(&text), data[1] % (CURSOR_VALUES_MAX + 1));
    return 0;
}
