/* .env files: names and values are within their alphabets, and refusals name a line. */

#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "codec/dotenv.h"
#include "codec/envsubst.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 20 };

static void must(bool claim)
{
    if (!claim)
        abort();
}

static bool lookup(void *context, Str name, Str *ret_value)
{
    const Dotenv *env = context;
    for (size_t i = 0; i < env->n; i++)
        if (str_eq(env->variables[i].name, name)) {
            *ret_value = env->variables[i].value;
            return true;
        }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = {(const char *)data, size};
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Dotenv env = {0};
    if (dotenv_parse(arena, text, "f", &env, &err) < 0)
        must(err.kind == ERR_BAD_DATA);
    for (size_t i = 0; i < env.n; i++) {
        const DotenvVariable *variable = &env.variables[i];
        must(variable->name.n > 0 && variable->line > 0);
        must(str_is_utf8(variable->value) && str_find(variable->value, '\0') < 0);
        must(variable->value.p[variable->value.n] == '\0');
    }
    auto_buf Buf out = BUF_INIT(OUT_MAX);
    envsubst_expand(text, lookup, &env, &out);
    return 0;
}
