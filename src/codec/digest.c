/* Hashes by OpenSSL, which sets itself up at the first call and not before; texts by hand. */

#include "codec/digest.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/mem.h"

enum { BASE64_NONE = 64 };

struct Digest {
    EVP_MD_CTX *context;
};

/* OpenSSL fails here only when memory runs out or the installation is broken. */
static void must(int is_done)
{
    if (!is_done)
        abort();
}

/* The algorithm, looked up once: EVP_sha256() is only its name, for which OpenSSL looks each time.
 */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void digest_sha256(Str bytes, unsigned char ret[DIGEST_SIZE])
{
    must(pthread_once(&sha256_once, fetch_sha256) == 0 && sha256 &&
         EVP_Digest(bytes.p, bytes.n, ret, NULL, sha256, NULL));
}

static char hex_digit(unsigned value)
{
    return "0123456789abcdef"[value & 0xF];
}

char *digest_sha256_hex(Str bytes, char ret[DIGEST_HEX_MAX])
{
    unsigned char digest[DIGEST_SIZE];
    digest_sha256(bytes, digest);
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        ret[2 * i] = hex_digit(digest[i] >> 4);
        ret[2 * i + 1] = hex_digit(digest[i]);
    }
    ret[DIGEST_HEX_MAX - 1] = '\0';
    return ret;
}

void digest_hmac_sha256(Str key, Str bytes, unsigned char ret[DIGEST_SIZE])
{
    must(key.n <= INT32_MAX);
    /* A NULL key means "the key of the last call". */
    const char *key_bytes = key.p ? key.p : "";
    must(HMAC(EVP_sha256(), key_bytes, (int)key.n, (const unsigned char *)bytes.p, bytes.n, ret,
              NULL) != NULL);
}

Digest *digest_new(void)
{
    Digest *digest = mem_alloc(sizeof(*digest));
    digest->context = EVP_MD_CTX_new();
    must(digest->context && EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL));
    return digest;
}

void digest_add(Digest *digest, Str bytes)
{
    must(EVP_DigestUpdate(digest->context, bytes.p, bytes.n));
}

void digest_finish(Digest *digest, unsigned char ret[DIGEST_SIZE])
{
    must(EVP_DigestFinal_ex(digest->context, ret, NULL));
}

void digest_free(Digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

void digest_add_hex(Buf *buf, Str bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char byte = (unsigned char)bytes.p[i];
        const char pair[2] = {hex_digit(byte >> 4), hex_digit(byte)};
        buf_add(buf, pair, sizeof(pair));
    }
}

static void add_base64(Buf *buf, Str bytes, const char *alphabet, bool is_padded)
{
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < n ? (unsigned char)bytes.p[i + k] : 0);
        char text[4];
        for (size_t k = 0; k < 4; k++)
            text[k] = k <= n ? alphabet[group >> (18 - 6 * k) & 63] : '=';
        buf_add(buf, text, is_padded ? 4 : n + 1);
    }
}

void digest_add_base64(Buf *buf, Str bytes)
{
    add_base64(buf, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
               true);
}

void digest_add_base64url(Buf *buf, Str bytes)
{
    add_base64(buf, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
               false);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int digest_read_hex(Str text, Buf *ret)
{
    if (text.n % 2 != 0)
        return -1;
    for (size_t i = 0; i < text.n; i += 2)
        if (hex_value(text.p[i]) < 0 || hex_value(text.p[i + 1]) < 0)
            return -1;
    for (size_t i = 0; i < text.n; i += 2)
        buf_addc(ret, (char)(hex_value(text.p[i]) * 16 + hex_value(text.p[i + 1])));
    return 0;
}

static uint32_t base64_value(char c, bool is_url)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    if (c == (is_url ? '-' : '+'))
        return 62;
    return c == (is_url ? '_' : '/') ? 63 : BASE64_NONE;
}

/* Text without its padding. */
static int read_base64(Str text, bool is_url, Buf *ret)
{
    if (text.n % 4 == 1)
        return -1;
    size_t n_bytes = text.n / 4 * 3 + (text.n % 4 ? text.n % 4 - 1 : 0);
    char *at = ret->overflowed ? NULL : buf_room(ret, n_bytes);
    for (size_t i = 0; i < text.n; i += 4) {
        size_t n = text.n - i < 4 ? text.n - i : 4;
        uint32_t group = 0;
        uint32_t all = 0;
        for (size_t k = 0; k < 4; k++) {
            uint32_t value = k < n ? base64_value(text.p[i + k], is_url) : 0;
            all |= value;
            group = group << 6 | value;
        }
        if (all >= BASE64_NONE || (n < 4 && (group & (n == 2 ? 0xFFFF : 0xFF)) != 0))
            return -1;
        for (size_t k = 0; at && k + 1 < n; k++)
            *at++ = (char)(group >> (16 - 8 * k));
    }
    if (at)
        buf_grew(ret, n_bytes);
    return 0;
}

static Str without_padding(Str text)
{
    for (int i = 0; i < 2 && text.n > 0 && text.p[text.n - 1] == '='; i++)
        text.n--;
    return text;
}

int digest_read_base64(Str text, Buf *ret)
{
    return text.n % 4 == 0 ? read_base64(without_padding(text), false, ret) : -1;
}

int digest_read_base64url(Str text, Buf *ret)
{
    Str bare = without_padding(text);
    return bare.n == text.n || text.n % 4 == 0 ? read_base64(bare, true, ret) : -1;
}

bool digest_equal(Str a, Str b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
