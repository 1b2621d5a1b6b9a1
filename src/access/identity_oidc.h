/* People and machines of an organisation, known by tokens that its identity provider signs. */
#ifndef HAWK_ACCESS_IDENTITY_OIDC_H
#define HAWK_ACCESS_IDENTITY_OIDC_H

#include "access/identity.h"

/* Lists are separated by white space. */
typedef struct IdentityOidcOptions {
    const char *issuer;
    const char *audiences; /* any of these */
    const char *jwks_uri;
    const char *email_claim;         /* NULL: "email" */
    const char *default_permissions; /* of a token that names none; NULL: none */
    const char *admin_claim;         /* a claim that is true for administrators; NULL: none */
    const char *admin_permissions;   /* any of these makes an administrator; NULL: none */
    bool is_public_only;             /* everybody sees the public models and nothing else */
} IdentityOidcOptions;

/* Checks JWT access tokens (jwt.h): issuer, audience, expiry, "token_use". Groups come from the
   claims "permissions", "cognito:groups" and, for the public models, "scp". A cookie holds such a
   token too. Results are kept by the token's hash for up to 15 minutes. The options are copied. */
int identity_oidc_open(const IdentityOidcOptions *options, Identity **ret,
                       Error *err) HAWK_MUST_USE;

#endif
