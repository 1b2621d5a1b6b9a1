/* Query strings and cookies: a name from the first bytes, the text from the rest. */

#include <stdint.h>

#include "base/arena.h"
#include "http/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536)
        return 0;
    size_t n_name = data[0] % 8;
    if (n_name > size - 1)
        n_name = size - 1;
    auto_arena Arena *arena = arena_new();
    Str name = {(const char *)data + 1, n_name};
    Str text = {(const char *)data + 1 + n_name, size - 1 - n_name};
    Str value = STR_NONE;
    for (size_t i = 0; i < 3; i++) {
        value = query_param(arena, text, name, i);
        if (value.n > text.n)
            __builtin_trap();
    }
    value = query_cookie(text, name);
    if (value.p && (value.p < text.p || value.p + value.n > text.p + text.n))
        __builtin_trap();
    value = query_decode(arena, text, true);
    if (value.n > text.n)
        __builtin_trap();
    return 0;
}
