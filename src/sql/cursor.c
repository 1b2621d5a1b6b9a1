/* The form of a cursor: base64url of a version byte, eight bytes of the digest of the rest and the
   list, and the values: a letter, then a number in eight bytes, or a length in two and a text. */

#include "sql/cursor.h"

#include <assert.h>

#include "base/mem.h"
#include "codec/digest.h"

enum { VERSION = 1, N_DIGEST = 8, N_HEAD = 1 + N_DIGEST, VALUE_TEXT_MAX = 2000 };

static void add_u64(Buf *buf, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_addc(buf, (char)(value >> shift));
}

static uint64_t read_u64(const char *p)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

static void digest(Str list, Str values, char ret[N_DIGEST])
{
    unsigned char whole[DIGEST_SIZE];
    auto_digest Digest *sum = digest_new();
    digest_add(sum, values);
    digest_add(sum, STR("\0"));
    digest_add(sum, list);
    digest_finish(sum, whole);
    memcpy(ret, whole, N_DIGEST);
}

static void add_value(Buf *buf, const SqlValue *value)
{
    uint64_t bits = 0;
    Str text = value->text;
    switch (value->type) {
    case SQL_TYPE_INT:
    case SQL_TYPE_INSTANT:
        buf_addc(buf, value->type == SQL_TYPE_INT ? 'i' : 'm');
        add_u64(buf, (uint64_t)value->integer);
        break;
    case SQL_TYPE_REAL:
        buf_addc(buf, 'r');
        memcpy(&bits, &value->real, sizeof(bits));
        add_u64(buf, bits);
        break;
    case SQL_TYPE_TEXT:
        if (text.n > VALUE_TEXT_MAX)
            text.n = str_utf8_prefix(str_slice(text, 0, VALUE_TEXT_MAX));
        buf_addc(buf, 't');
        buf_addc(buf, (char)(text.n >> 8));
        buf_addc(buf, (char)text.n);
        buf_add_str(buf, text);
        break;
    default: buf_addc(buf, 'n'); break;
    }
}

void cursor_write(const Cursor *cursor, Str list, Buf *ret)
{
    assert(cursor->n <= CURSOR_VALUES_MAX);
    auto_buf Buf values = BUF_INIT(CURSOR_TEXT_MAX * CURSOR_VALUES_MAX);
    for (size_t i = 0; i < cursor->n; i++)
        add_value(&values, &cursor->values[i]);
    char sum[N_DIGEST];
    digest(list, buf_str(&values), sum);
    auto_buf Buf bytes = BUF_INIT(CURSOR_TEXT_MAX * CURSOR_VALUES_MAX);
    buf_addc(&bytes, VERSION);
    buf_add(&bytes, sum, N_DIGEST);
    buf_add_str(&bytes, buf_str(&values));
    digest_add_base64url(ret, buf_str(&bytes));
}

/* Cuts the next value off *rest; false when there is none. */
static bool take_value(Str *rest, Arena *arena, SqlValue *ret)
{
    char kind = rest->n ? rest->p[0] : 0;
    size_t n = kind == 'n'                                 ? 1
               : kind == 'i' || kind == 'm' || kind == 'r' ? 9
               : kind == 't'                               ? 3
                                                           : rest->n + 1;
    if (n > rest->n)
        return false;
    const char *p = rest->p + 1;
    if (kind == 't') {
        size_t n_text = (size_t)(unsigned char)p[0] << 8 | (unsigned char)p[1];
        n += n_text;
        if (n > rest->n || !str_is_utf8((Str){p + 2, n_text}) || memchr(p + 2, 0, n_text))
            return false;
        *ret = SQL_TEXT(arena_str(arena, ((Str){p + 2, n_text})));
    } else if (kind == 'r') {
        uint64_t bits = read_u64(p);
        double real = 0;
        memcpy(&real, &bits, sizeof(real));
        *ret = SQL_REAL(real);
    } else {
        *ret = kind == 'i'   ? SQL_INT((int64_t)read_u64(p))
               : kind == 'm' ? SQL_INSTANT((int64_t)read_u64(p))
                             : SQL_NULL;
    }
    *rest = str_slice(*rest, n, rest->n);
    return true;
}

int cursor_read(Str text, Str list, size_t n, Arena *arena, Cursor *ret, Error *err)
{
    auto_buf Buf bytes = BUF_INIT(CURSOR_TEXT_MAX);
    char sum[N_DIGEST];
    Cursor cursor = {.n = n};
    bool is_good = text.n <= CURSOR_TEXT_MAX && digest_read_base64url(text, &bytes) == 0 &&
                   bytes.len >= N_HEAD && bytes.data[0] == VERSION;
    if (is_good) {
        Str rest = str_slice(buf_str(&bytes), N_HEAD, bytes.len);
        digest(list, rest, sum);
        is_good = memcmp(sum, bytes.data + 1, N_DIGEST) == 0;
        for (size_t i = 0; is_good && i < n; i++)
            is_good = take_value(&rest, arena, &cursor.values[i]);
        is_good = is_good && rest.n == 0;
    }
    if (!is_good) {
        (void)error_set(err, ERR_USAGE, "the cursor is not one of this list");
        return error_fix(err, "keep filters and sort order as they were, or leave the cursor out "
                              "to begin with the first page");
    }
    *ret = cursor;
    return 0;
}
