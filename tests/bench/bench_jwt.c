/* What it costs to find out whose token it is: the first time it is seen, and when it is known; and
   what OpenSSL takes for the signature alone, with a key of the same size.
   Usage: bench_jwt ISSUER JWKS_URI < TOKENS, one in a line; prints all as JSON, in microseconds of
   processor time for each token. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "access/identity_oidc.h"
#include "base/buf.h"
#include "base/mem.h"

enum { TOKENS_MAX = 64 << 20, ROUNDS = 200, VERIFIES = 2000 };

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

/* Checks every line; returns how many there were. The arena is that of a request. */
static size_t check_all(Identity *identity, Arena *arena, Str lines)
{
    size_t n = 0;
    Str line = STR_NONE;
    while (str_split(&lines, '\n', &line)) {
        if (line.n == 0)
            continue;
        auto_error Error err = ERROR_INIT;
        Caller caller = {0};
        const IdentityProof proof = {.authorization = line};
        if (identity_check(identity, arena, &proof, &caller, &err) < 0)
            fail(&err);
        arena_reset(arena);
        n++;
    }
    return n;
}

/* Microseconds that OpenSSL takes for a signature of RS256, everything being ready. */
static double verify_us(void)
{
    unsigned char digest[32] = {1};
    unsigned char signature[256];
    size_t n = sizeof(signature);
    EVP_PKEY *key = EVP_RSA_gen(2048);
    EVP_PKEY_CTX *signer = EVP_PKEY_CTX_new(key, NULL);
    EVP_PKEY_CTX *verifier = EVP_PKEY_CTX_new(key, NULL);
    bool is_good = EVP_PKEY_sign_init(signer) == 1 &&
                   EVP_PKEY_CTX_set_signature_md(signer, EVP_sha256()) == 1 &&
                   EVP_PKEY_sign(signer, signature, &n, digest, sizeof(digest)) == 1 &&
                   EVP_PKEY_verify_init(verifier) == 1 &&
                   EVP_PKEY_CTX_set_signature_md(verifier, EVP_sha256()) == 1;
    double begun = cpu_us();
    for (size_t i = 0; i < VERIFIES && is_good; i++)
        is_good = EVP_PKEY_verify(verifier, signature, n, digest, sizeof(digest)) == 1;
    double took = cpu_us() - begun;
    EVP_PKEY_CTX_free(verifier);
    EVP_PKEY_CTX_free(signer);
    EVP_PKEY_free(key);
    return is_good ? took / VERIFIES : -1;
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    auto_identity Identity *identity = NULL;
    auto_arena Arena *arena = arena_new();
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
    (void)check_all(identity, arena, first); /* gets the keys */
    double begun = cpu_us();
    size_t n = check_all(identity, arena, rest);
    double cold = (cpu_us() - begun) / (double)n;
    begun = cpu_us();
    for (size_t i = 0; i < ROUNDS; i++)
        (void)check_all(identity, arena, rest);
    double known = (cpu_us() - begun) / (double)(n * ROUNDS);
    printf("{\"cold_us\": %.3f, \"known_us\": %.3f, \"verify_us\": %.3f}\n", cold, known,
           verify_us());
    return 0;
}
