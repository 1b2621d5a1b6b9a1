/* JSON Web Tokens (RFC 7519) in compact form (RFC 7515, 3.1), checked against key sets (RFC 7517).

   The algorithm is that of the key, never that of the token: an RSA key checks RS256 and a P-256
   key ES256 (RFC 7518, 3.1); a token that names anything else is refused. */
#ifndef HAWK_CODEC_JWT_H
#define HAWK_CODEC_JWT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json.h"

enum {
    JWT_MAX = 16 * 1024,       /* bytes of a token */
    JWT_KEYS_MAX = 64,         /* keys of a set */
    JWT_KEY_SET_MAX = 1 << 20, /* bytes of a set */
};

typedef struct JwtKeys JwtKeys;

/* Reads a key set. Keys that are of no use here (other types, "use" or "alg", RSA below 2048 bits)
   are passed over. ERR_BAD_DATA when it is no key set or no key is left. */
int jwt_keys_read(Str json, JwtKeys **ret, Error *err) HAWK_MUST_USE;
void jwt_keys_free(JwtKeys *keys);

/* Checks the form and the signature of a token and gives its claims, an object in the arena; what
   they say is the caller's to check. ERR_LOGIN with code "jwt.malformed", "jwt.algorithm",
   "jwt.unknown_key" or "jwt.signature". Safe from several threads. */
int jwt_verify(JwtKeys *keys, Str token, Arena *arena, Json **ret_claims, Error *err) HAWK_MUST_USE;

/* The claims of a token whose signature nobody checked, for a client that looks at its own. */
int jwt_peek(Str token, Arena *arena, Json **ret_claims, Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(JwtKeys, jwt_keys, jwt_keys_free)
#define auto_jwt_keys HAWK_CLEANUP(jwt_keys_cleanup_)

#endif
