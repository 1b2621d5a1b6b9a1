/* Tokens and keys, over OpenSSL. */

#include "codec/jwt.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/mem.h"
#include "codec/digest.h"

enum {
    RSA_BITS_MIN = 2048,
    RSA_BITS_MAX = 16384,
    P256_BYTES = 32,
    DER_MAX = 80, /* of a P-256 signature */
    IDLE_MAX = 8,
};

typedef struct JwtKey {
    Str kid; /* STR_NONE when it has none */
    const char *algorithm;
    EVP_PKEY *pkey;
    /* What checks signatures, one at a time, and is not in use: OpenSSL takes half as long to make
       one as to use it. */
    EVP_PKEY_CTX *idle[IDLE_MAX];
    size_t n_idle;
} JwtKey;

struct JwtKeys {
    Arena *arena;
    JwtKey items[JWT_KEYS_MAX];
    size_t n;
    pthread_mutex_t lock; /* of what is idle */
};

static const JsonLimits token_limits = {.bytes = JWT_MAX, .depth = 20, .nodes = 4096};
static const JsonLimits key_set_limits = {.bytes = JWT_KEY_SET_MAX, .depth = 20, .nodes = 65536};

/* --- keys --- */

static int read_part(const Json *jwk, const char *name, Buf *ret)
{
    Str text = json_text(jwk, name, STR_NONE);
    return text.p && text.n > 0 ? digest_read_base64url(text, ret) : -1;
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!params || !context || EVP_PKEY_fromdata_init(context) <= 0 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        pkey = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return pkey;
}

/* RFC 7518, 6.3.1. */
static EVP_PKEY *read_rsa(const Json *jwk)
{
    auto_buf Buf modulus = BUF_INIT(RSA_BITS_MAX / 8 + 1);
    auto_buf Buf exponent = BUF_INIT(8);
    if (read_part(jwk, "n", &modulus) < 0 || read_part(jwk, "e", &exponent) < 0)
        return NULL;
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn((const unsigned char *)modulus.data, (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn((const unsigned char *)exponent.data, (int)exponent.len, NULL);
    if (builder && n && e && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e))
        pkey = make_key("RSA", builder);
    bool is_strong = pkey && EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN && BN_is_odd(e);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    if (!is_strong) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

/* RFC 7518, 6.2.1; OpenSSL checks that the point is on the curve. */
static EVP_PKEY *read_p256(const Json *jwk)
{
    auto_buf Buf x = BUF_INIT(P256_BYTES);
    auto_buf Buf y = BUF_INIT(P256_BYTES);
    if (!str_eqz(json_text(jwk, "crv", STR_NONE), "P-256") || read_part(jwk, "x", &x) < 0 ||
        read_part(jwk, "y", &y) < 0 || x.len != P256_BYTES || y.len != P256_BYTES)
        return NULL;
    unsigned char point[1 + 2 * P256_BYTES] = {4}; /* uncompressed */
    memcpy(point + 1, x.data, P256_BYTES);
    memcpy(point + 1 + P256_BYTES, y.data, P256_BYTES);
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
        pkey = make_key("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

typedef struct KindRow {
    const char *type; /* "kty" */
    const char *algorithm;
    EVP_PKEY *(*read)(const Json *jwk);
} KindRow;

static const KindRow kinds[] = {
    {"RSA", "RS256", read_rsa},
    {"EC", "ES256", read_p256},
};

/* Whether a member that may be missing has the one value that suits. */
static bool suits(const Json *jwk, const char *name, const char *value)
{
    return json_is_null(json_get(jwk, name)) || str_eqz(json_text(jwk, name, STR_NONE), value);
}

static void add_key(JwtKeys *keys, const Json *jwk)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_eqz(json_text(jwk, "kty", STR_NONE), kinds[i].type) || !suits(jwk, "use", "sig") ||
            !suits(jwk, "alg", kinds[i].algorithm))
            continue;
        EVP_PKEY *pkey = kinds[i].read(jwk);
        if (pkey)
            keys->items[keys->n++] = (JwtKey){.kid = json_text(jwk, "kid", STR_NONE),
                                              .algorithm = kinds[i].algorithm,
                                              .pkey = pkey};
        return;
    }
}

int jwt_keys_read(Str json, JwtKeys **ret, Error *err)
{
    auto_jwt_keys JwtKeys *keys = mem_alloc(sizeof(*keys));
    pthread_mutex_init(&keys->lock, NULL);
    keys->arena = arena_new();
    Json *root = NULL;
    if (json_parse(keys->arena, arena_str(keys->arena, json), &key_set_limits, &root, err) < 0)
        return error_wrap(err, "the key set");
    const Json *list = json_get(root, "keys");
    if (!list || list->type != JSON_ARRAY)
        return error_set(err, ERR_BAD_DATA, "the key set has no list of keys");
    for (const Json *jwk = list->first; jwk && keys->n < JWT_KEYS_MAX; jwk = jwk->next)
        add_key(keys, jwk);
    if (keys->n == 0)
        return error_set(err, ERR_BAD_DATA, "the key set has no key for RS256 or ES256");
    *ret = TAKE(keys);
    return 0;
}

void jwt_keys_free(JwtKeys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->n; i++) {
        for (size_t k = 0; k < keys->items[i].n_idle; k++)
            EVP_PKEY_CTX_free(keys->items[i].idle[k]);
        EVP_PKEY_free(keys->items[i].pkey);
    }
    pthread_mutex_destroy(&keys->lock);
    arena_free(keys->arena);
    free(keys);
}

/* --- tokens --- */

typedef struct Token {
    Str signed_part; /* header and payload as they were signed */
    Json *header;
    Json *claims;
    Str signature; /* bytes */
} Token;

static int malformed(Error *err)
{
    (void)error_set(err, ERR_LOGIN, "the access token is malformed");
    return error_code(err, "jwt.malformed");
}

static int read_object(Str text, Arena *arena, Json **ret)
{
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf bytes = BUF_INIT(JWT_MAX);
    if (text.n == 0 || digest_read_base64url(text, &bytes) < 0)
        return -1;
    Json *object = NULL;
    Str kept = arena_str(arena, buf_str(&bytes));
    if (json_parse(arena, kept, &token_limits, &object, &ignored) < 0 ||
        object->type != JSON_OBJECT)
        return -1;
    *ret = object;
    return 0;
}

static int split(Str token, Arena *arena, Token *ret, Error *err)
{
    auto_buf Buf signature = BUF_INIT(JWT_MAX);
    Str rest = token;
    Str header = STR_NONE;
    Str payload = STR_NONE;
    if (token.n > JWT_MAX || !str_split(&rest, '.', &header) || !str_split(&rest, '.', &payload) ||
        !rest.p || rest.n == 0 || read_object(header, arena, &ret->header) < 0 ||
        read_object(payload, arena, &ret->claims) < 0 ||
        digest_read_base64url(rest, &signature) < 0)
        return malformed(err);
    ret->signed_part = str_slice(token, 0, header.n + 1 + payload.n);
    ret->signature = arena_str(arena, buf_str(&signature));
    return 0;
}

/* The two numbers of an ES256 signature (RFC 7518, 3.4) as OpenSSL wants them; 0 when it is none.
 */
static size_t to_der(Str signature, unsigned char der[DER_MAX])
{
    if (signature.n != (size_t)2 * P256_BYTES)
        return 0;
    const unsigned char *bytes = (const unsigned char *)signature.p;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(bytes + P256_BYTES, P256_BYTES, NULL);
    if (!sig || !r || !s || !ECDSA_SIG_set0(sig, r, s)) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return 0;
    }
    unsigned char *end = der;
    int n = i2d_ECDSA_SIG(sig, NULL);
    if (n > 0 && n <= DER_MAX)
        n = i2d_ECDSA_SIG(sig, &end);
    else
        n = 0;
    ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

static EVP_PKEY_CTX *make_context(const JwtKey *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (context && EVP_PKEY_verify_init(context) == 1 &&
        EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1)
        return context;
    EVP_PKEY_CTX_free(context);
    return NULL;
}

static EVP_PKEY_CTX *take_context(JwtKeys *keys, JwtKey *key)
{
    EVP_PKEY_CTX *context = NULL;
    pthread_mutex_lock(&keys->lock);
    if (key->n_idle > 0)
        context = key->idle[--key->n_idle];
    pthread_mutex_unlock(&keys->lock);
    return context ? context : make_context(key);
}

/* What has found a signature wrong is not used again, whatever is left in it. */
static void leave_context(JwtKeys *keys, JwtKey *key, EVP_PKEY_CTX *context, bool is_good)
{
    pthread_mutex_lock(&keys->lock);
    if (is_good && key->n_idle < IDLE_MAX) {
        key->idle[key->n_idle++] = context;
        context = NULL;
    }
    pthread_mutex_unlock(&keys->lock);
    EVP_PKEY_CTX_free(context);
}

static bool is_signed_by(const Token *token, JwtKeys *keys, JwtKey *key)
{
    unsigned char der[DER_MAX];
    const unsigned char *signature = (const unsigned char *)token->signature.p;
    size_t n = token->signature.n;
    if (strcmp(key->algorithm, "ES256") == 0) {
        n = to_der(token->signature, der);
        signature = der;
    }
    if (n == 0)
        return false;
    EVP_PKEY_CTX *context = take_context(keys, key);
    if (!context)
        return false;
    unsigned char digest[DIGEST_SIZE];
    digest_sha256(token->signed_part, digest);
    bool is_good = EVP_PKEY_verify(context, signature, n, digest, sizeof(digest)) == 1;
    leave_context(keys, key, context, is_good);
    return is_good;
}

/* What the header asks for that must be understood (RFC 7515, 4.1.11): nothing is. */
static bool is_plain(const Json *header)
{
    return !json_get(header, "crit") && !json_get(header, "b64");
}

static bool is_known_algorithm(Str algorithm)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eqz(algorithm, kinds[i].algorithm))
            return true;
    return false;
}

int jwt_verify(JwtKeys *keys, Str token, Arena *arena, Json **ret_claims, Error *err)
{
    Token parts = {0};
    if (split(token, arena, &parts, err) < 0)
        return -1;
    Str algorithm = json_text(parts.header, "alg", STR_NONE);
    Str kid = json_text(parts.header, "kid", STR_NONE);
    if (!is_plain(parts.header) || !is_known_algorithm(algorithm)) {
        (void)error_set(err, ERR_LOGIN, "the access token is signed in a way that is not accepted");
        return error_code(err, "jwt.algorithm");
    }
    bool has_key = false;
    for (size_t i = 0; i < keys->n; i++) {
        JwtKey *key = &keys->items[i];
        if (!str_eqz(algorithm, key->algorithm) ||
            (kid.p && !(key->kid.p && str_eq(kid, key->kid))))
            continue;
        has_key = true;
        if (!is_signed_by(&parts, keys, key))
            continue;
        *ret_claims = parts.claims;
        return 0;
    }
    (void)error_set(err, ERR_LOGIN,
                    has_key ? "the signature of the access token is wrong"
                            : "the access token is signed with a key that is not known");
    return error_code(err, has_key ? "jwt.signature" : "jwt.unknown_key");
}

int jwt_peek(Str token, Arena *arena, Json **ret_claims, Error *err)
{
    Token parts = {0};
    if (split(token, arena, &parts, err) < 0)
        return -1;
    *ret_claims = parts.claims;
    return 0;
}
