/* What it costs to find out whose token it is: the first time it is seen, and when it is known.
   Usage: bench_jwt ISSUER JWKS_URI < TOKENS, one in a line; prints both as JSON, in microseconds of
   processor time for each token. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "access/identity_oidc.h"
#include "base/buf.h"
#include "base/mem.h"

enum { TOKENS_MAX = 64 << 20, ROUNDS = 200 };

static double cpu_us(void)
{
    struct timespec used = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

static void fail(const Error *err)
{
    fprintf(stderr, "%s\n", error_text(err));
    exit(1);
}

/* Checks every line; returns how many there were. */
static size_t check_all(Identity *identity, Str lines)
{
    size_t n = 0;
    Str line = STR_NONE;
    while (str_split(&lines, '\n', &line)) {
        if (line.n == 0)
            continue;
        auto_error Error err = ERROR_INIT;
        auto_arena Arena *arena = arena_new();
        Caller caller = {0};
        const IdentityProof proof = {.authorization = line};
        if (identity_check(identity, arena, &proof, &caller, &err) < 0)
            fail(&err);
        n++;
    }
    return n;
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    auto_identity Identity *identity = NULL;
    auto_buf Buf lines = BUF_INIT(TOKENS_MAX);
    size_t n_read = 0;
    if (argc != 3)
        return 2;
    while ((n_read = fread(buf_room(&lines, 65536), 1, 65536, stdin)) > 0)
        buf_grew(&lines, n_read);
    const IdentityOidcOptions options = {
        .issuer = argv[1], .audiences = "hawk", .jwks_uri = argv[2]};
    if (identity_oidc_open(&options, &identity, &err) < 0)
        fail(&err);
    Str rest = buf_str(&lines);
    Str first = STR_NONE;
    (void)str_split(&rest, '\n', &first);
    (void)check_all(identity, first); /* gets the keys */
    double begun = cpu_us();
    size_t n = check_all(identity, rest);
    double cold = (cpu_us() - begun) / (double)n;
    begun = cpu_us();
    for (size_t i = 0; i < ROUNDS; i++)
        (void)check_all(identity, rest);
    double known = (cpu_us() - begun) / (double)(n * ROUNDS);
    printf("{\"cold_us\": %.3f, \"known_us\": %.3f}\n", cold, known);
    return 0;
}
