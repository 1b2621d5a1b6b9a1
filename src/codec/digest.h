/* SHA-256, HMAC, hexadecimal, base64 and base64url. */
#ifndef HAWK_CODEC_DIGEST_H
#define HAWK_CODEC_DIGEST_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/str.h"

enum { DIGEST_SIZE = 32, DIGEST_HEX_MAX = 65 };

/* SHA-256 of bytes; digest_sha256_hex as lower-case text with a NUL, which it returns. */
void digest_sha256(Str bytes, unsigned char ret[DIGEST_SIZE]);
char *digest_sha256_hex(Str bytes, char ret[DIGEST_HEX_MAX]);

/* HMAC-SHA-256 (RFC 2104). */
void digest_hmac_sha256(Str key, Str bytes, unsigned char ret[DIGEST_SIZE]);

/* SHA-256 of bytes that come in parts. digest_finish gives the digest of what was added; then only
 * free is left. */
typedef struct Digest Digest;
Digest *digest_new(void) HAWK_MUST_USE;
void digest_add(Digest *digest, Str bytes);
void digest_finish(Digest *digest, unsigned char ret[DIGEST_SIZE]);
void digest_free(Digest *digest);

/* Append bytes as text: lower-case hexadecimal; base64 with padding; base64url without (RFC 4648).
 */
void digest_add_hex(Buf *buf, Str bytes);
void digest_add_base64(Buf *buf, Str bytes);
void digest_add_base64url(Buf *buf, Str bytes);

/* Append the bytes that a text stands for; -1 when it is not exactly such a text (base64: padded,
   base64url: padding may be left out; unused bits must be 0; hexadecimal: either case). */
int digest_read_hex(Str text, Buf *ret) HAWK_MUST_USE;
int digest_read_base64(Str text, Buf *ret) HAWK_MUST_USE;
int digest_read_base64url(Str text, Buf *ret) HAWK_MUST_USE;

/* Equality in a time that depends on the lengths only, for secrets and signatures. */
bool digest_equal(Str a, Str b);

HAWK_DEFINE_AUTO(Digest, digest, digest_free)
#define auto_digest HAWK_CLEANUP(digest_cleanup_)

#endif
