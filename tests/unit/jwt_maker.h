/* Makes keys, key sets and tokens, as an identity provider does and as someone who cheats would. */
#ifndef HAWK_TEST_JWT_MAKER_H
#define HAWK_TEST_JWT_MAKER_H

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/buf.h"
#include "base/str.h"
#include "cmocka_all.h"
#include "codec/digest.h"

enum { MAKER_TEXT_MAX = 64 * 1024 };

static inline EVP_PKEY *maker_rsa(int bits)
{
    EVP_PKEY *key = EVP_RSA_gen((unsigned)bits);
    assert_non_null(key);
    return key;
}

static inline EVP_PKEY *maker_p256(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    return key;
}

static inline void maker_add_number(Buf *buf, const char *name, const EVP_PKEY *key,
                                    const char *parameter, int width)
{
    BIGNUM *number = NULL;
    unsigned char bytes[2048];
    assert_int_equal(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
    int n = width ? width : BN_num_bytes(number);
    assert_true(BN_bn2binpad(number, bytes, n) == n);
    BN_free(number);
    buf_printf(buf, ",\"%s\":\"", name);
    digest_add_base64url(buf, (Str){(const char *)bytes, (size_t)n});
    buf_addc(buf, '"');
}

/* Appends a JWK; more is further members, beginning with a comma, or "". */
static inline void maker_add_jwk(Buf *buf, const EVP_PKEY *key, const char *kid, const char *more)
{
    bool is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
    buf_printf(buf, "{\"kty\":\"%s\",\"kid\":\"%s\"%s%s", is_rsa ? "RSA" : "EC", kid,
               is_rsa ? "" : ",\"crv\":\"P-256\"", more);
    maker_add_number(buf, is_rsa ? "n" : "x", key,
                     is_rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X, is_rsa ? 0 : 32);
    maker_add_number(buf, is_rsa ? "e" : "y", key,
                     is_rsa ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_Y, is_rsa ? 0 : 32);
    buf_addc(buf, '}');
}

/* Appends "header.payload" of the two JSON texts. */
static inline void maker_add_unsigned(Buf *buf, const char *header, const char *claims)
{
    digest_add_base64url(buf, str_of(header));
    buf_addc(buf, '.');
    digest_add_base64url(buf, str_of(claims));
}

/* Signs what is in buf with SHA-256 and appends ".signature". */
static inline void maker_sign(Buf *buf, EVP_PKEY *key)
{
    unsigned char signature[2048];
    size_t n = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &n, (unsigned char *)buf->data, buf->len),
                     1);
    EVP_MD_CTX_free(context);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
        const unsigned char *der = signature;
        ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)n);
        unsigned char raw[64];
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32), 32);
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32), 32);
        ECDSA_SIG_free(pair);
        memcpy(signature, raw, sizeof(raw));
        n = sizeof(raw);
    }
    buf_addc(buf, '.');
    digest_add_base64url(buf, (Str){(const char *)signature, n});
}

/* A whole token. */
static inline void maker_token(Buf *buf, const char *algorithm, const char *kid, const char *claims,
                               EVP_PKEY *key)
{
    char header[256];
    (void)snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}",
                   algorithm, kid);
    maker_add_unsigned(buf, header, claims);
    maker_sign(buf, key);
}

#endif
