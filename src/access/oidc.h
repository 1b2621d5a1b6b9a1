/* Oidc: what is asked of an identity provider directly: where a login begins, and tokens for what a
   login or an earlier token gave (RFC 6749, RFC 7636). */
#ifndef HAWK_ACCESS_OIDC_H
#define HAWK_ACCESS_OIDC_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"
#include "codec/json.h"

enum { OIDC_VERIFIER_BYTES = 72, OIDC_STATE_BYTES = 24 }; /* RFC 7636, 4.1: 43 to 128 characters */

/* The authorization code flow with PKCE. */
typedef struct OidcLogin {
    const char *authorization_endpoint;
    const char *client_id;
    const char *redirect_uri;
    const char *scope;
    Str verifier;
    Str state;
} OidcLogin;

/* Appends the address at which somebody logs in. */
void oidc_add_login_address(Buf *ret, const OidcLogin *login);

/* A field of a form. */
typedef struct OidcField {
    const char *name;
    Str value;
} OidcField;

/* Posts a form (RFC 6749, appendix B); fields whose value is empty are left out. The answer,
   whatever its status, must be a JSON object, or nothing when the status is 200; it is in the
   arena. Never names the values in an error. ERR_UNREACHABLE when there is no such answer. */
int oidc_post(Arena *arena, const char *url, const OidcField *fields, size_t n, Json **ret,
              int *ret_status, Error *err) HAWK_MUST_USE;

/* ERR_LOGIN from the provider's refusal (RFC 6749, 5.2), whose description is shown. */
int oidc_refusal(const Json *answer, int status, Error *err);

/* Tokens of somebody; texts live in an arena, NULL when the provider gave none. */
typedef struct OidcTokens {
    const char *access_token; /* never NULL */
    const char *refresh_token;
    const char *token_type;
    int64_t expires_s; /* from now; 0 when not said */
} OidcTokens;

/* Trades what the fields say (a code, a refresh token) for tokens. ERR_LOGIN when the provider
   refuses. */
int oidc_trade(Arena *arena, const char *token_endpoint, const OidcField *fields, size_t n,
               OidcTokens *ret, Error *err) HAWK_MUST_USE;

#endif
