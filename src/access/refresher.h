/* Refresher: new tokens for refresh tokens, each of which is shown to the identity provider once.
   Providers that rotate take a second use for theft and end the login, and the pages of one browser
   all come with the same one. Safe from several threads. */
#ifndef HAWK_ACCESS_REFRESHER_H
#define HAWK_ACCESS_REFRESHER_H

#include "access/oidc.h"

typedef struct Refresher Refresher;

enum {
    REFRESHER_MAX = 256,        /* logins that are remembered */
    REFRESHER_KEPT_SECONDS = 60 /* how long a used refresh token still gives what it gave */
};

/* Texts are copied. */
Refresher *refresher_new(const char *token_endpoint, const char *client_id) HAWK_MUST_USE;
void refresher_free(Refresher *refresher);

/* The tokens for a refresh token; who comes with one that somebody is trading waits for those. The
   answer always has a refresh token: the same when the provider does not rotate. ERR_LOGIN when the
   provider refuses, ERR_UNREACHABLE, ERR_TIMEOUT, ERR_BUSY. */
int refresher_trade(Refresher *refresher, Arena *arena, Str refresh_token, OidcTokens *ret,
                    Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(Refresher, refresher, refresher_free)
#define auto_refresher HAWK_CLEANUP(refresher_cleanup_)

#endif
