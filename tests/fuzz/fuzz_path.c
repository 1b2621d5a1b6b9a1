/* Paths of requests: a method up to the first space, a path behind it, held against every route of
   the server; and what was found in the path as the key of an object, which never leads out of its
   folder. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "server/server_priv.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether a part is empty or a step. */
static bool is_step(Str part)
{
    return part.n == 0 || str_eqz(part, ".") || str_eqz(part, "..");
}

static void check_key(Str param)
{
    auto_free char *key = mem_printf("evals/%.*s", STR_ARG(param));
    if (strlen(key) != param.n + strlen("evals/") || !store_key_is_valid(str_of(key)))
        return;
    Str rest = param;
    Str part = STR_NONE;
    while (str_split(&rest, '/', &part))
        if (is_step(part))
            __builtin_trap();
    if (key[strlen(key) - 1] == '/' || strchr(key, '\\'))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Str rest = {(const char *)data, size};
    Str method = STR_NONE;
    (void)str_split(&rest, ' ', &method);
    Str path = rest.p ? rest : STR("");
    const Route *found = NULL;
    Str params[ROUTE_PARAMS_MAX] = {STR_NONE};
    if (route_find(server_route_tables, server_n_route_tables, method, path, arena, &found, params,
                   &err) < 0) {
        if (err.kind != ERR_NOT_FOUND && err.kind != ERR_USAGE)
            __builtin_trap();
        return 0;
    }
    size_t n = 0;
    for (const char *p = found->pattern; *p; p++)
        n += *p == '{';
    for (size_t i = 0; i < n; i++) {
        if (!params[i].p || params[i].n > path.n)
            __builtin_trap();
        check_key(params[i]);
    }
    return 0;
}
