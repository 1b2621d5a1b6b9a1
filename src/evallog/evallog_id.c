/* As inspect_ai._util.hash.base57_id_hash of run id, task id and creation time. */

#include "evallog/evallog_id.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "codec/blake2s.h"

enum { HASH_SIZE = 16, ID_LENGTH = 22, TEXT_MAX = 4096 };

static const char letters[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* Divides the big-endian number by the count of letters, returns the rest. */
static unsigned divide(unsigned char number[HASH_SIZE])
{
    const unsigned base = sizeof(letters) - 1;
    unsigned rest = 0;
    for (size_t i = 0; i < HASH_SIZE; i++) {
        unsigned digit = rest << 8 | number[i];
        number[i] = (unsigned char)(digit / base);
        rest = digit % base;
    }
    return rest;
}

/* The instant as Python writes it. */
static void add_instant(Buf *buf, int64_t instant_us)
{
    char text[CLOCK_TEXT_MAX];
    clock_format(instant_us, text);
    buf_add(buf, text, strcspn(text, "Z"));
    buf_addz(buf, "+00:00");
}

Str evallog_id_of(Str run_id, Str task_id, int64_t created_us, Arena *arena)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    buf_add_str(&text, run_id);
    buf_add_str(&text, task_id);
    add_instant(&text, created_us);
    unsigned char number[HASH_SIZE];
    blake2s_hash(buf_str(&text), number, sizeof(number));
    char id[ID_LENGTH];
    for (size_t i = ID_LENGTH; i > 0; i--)
        id[i - 1] = letters[divide(number)];
    return arena_str(arena, (Str){id, ID_LENGTH});
}
