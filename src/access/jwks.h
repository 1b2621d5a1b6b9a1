/* Jwks: the keys of an identity provider, fetched from its address when they are first needed and
   kept. Safe from several threads. */
#ifndef HAWK_ACCESS_JWKS_H
#define HAWK_ACCESS_JWKS_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json.h"

enum {
    JWKS_FRESH_SECONDS = 3600,      /* then they are fetched again */
    JWKS_STALE_SECONDS = 24 * 3600, /* and used no longer than this when that fails */
    JWKS_UNKNOWN_SECONDS = 10,      /* between two fetches for the sake of unknown key ids */
    JWKS_RETRY_SECONDS = 2,         /* between two fetches after one that failed */
};

typedef struct Jwks Jwks;

/* uri is the provider's jwks_uri (RFC 8414, 2). Nothing is fetched yet. */
Jwks *jwks_new(const char *uri) HAWK_MUST_USE;
void jwks_free(Jwks *jwks);

/* Checks a token as jwt_verify does; a key id that is not known has the keys fetched once more, but
   not more often than JWKS_UNKNOWN_SECONDS. ERR_UNREACHABLE when there are no keys to be had. */
int jwks_verify(Jwks *jwks, Str token, Arena *arena, Json **ret_claims, Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(Jwks, jwks, jwks_free)
#define auto_jwks HAWK_CLEANUP(jwks_cleanup_)

#endif
