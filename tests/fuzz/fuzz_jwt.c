/* Tokens and key sets: any bytes end in an error; nothing is accepted that no key has signed. */

#include <stdint.h>

#include "codec/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input: a key set, a line end, a token. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_error Error err = ERROR_INIT;
    auto_error Error problem = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_jwt_keys JwtKeys *keys = NULL;
    Json *claims = NULL;
    Str rest = {(const char *)data, size};
    Str set = STR_NONE;
    (void)str_split(&rest, '\n', &set);
    Str token = rest.p ? rest : STR("");
    if (jwt_peek(token, arena, &claims, &err) < 0 && err.kind != ERR_LOGIN)
        __builtin_trap();
    if (jwt_keys_read(set, &keys, &problem) < 0)
        return 0;
    auto_error Error verdict = ERROR_INIT;
    if (jwt_verify(keys, token, arena, &claims, &verdict) < 0 && verdict.kind != ERR_LOGIN)
        __builtin_trap();
    return 0;
}
