/* Login: the sessions of browsers at a server with an identity provider, as cookies: an access
   token that ends soon and a refresh token that the server trades for the next ones. */
#ifndef HAWK_SERVER_LOGIN_H
#define HAWK_SERVER_LOGIN_H

#include "access/oidc.h"
#include "server/route.h"

/* Names of the cookies at this server. */
const char *login_access_cookie(const App *app);
const char *login_refresh_cookie(const App *app);

/* Trades a code for tokens; ERR_LOGIN when the provider refuses or the access token is not one that
   lets anybody in here. */
int login_trade(RouteCtx *ctx, Str code, Str verifier, Str redirect_uri, OidcTokens *ret,
                Error *err) HAWK_MUST_USE;

/* Puts tokens into the browser's cookies. ERR_UNSUPPORTED when they do not fit. */
int login_keep(RouteCtx *ctx, const OidcTokens *tokens, Error *err) HAWK_MUST_USE;

/* New tokens for the browser's refresh token, which are put into its cookies. ERR_LOGIN when it has
   none or the provider refuses. */
int login_renew(RouteCtx *ctx, OidcTokens *ret, Error *err) HAWK_MUST_USE;

/* Ends the browser's session: clears its cookies. With revoke the provider is told, which may fail
   without consequence. */
void login_end(RouteCtx *ctx, bool revoke);

/* Sends the browser to the provider; later it comes to /oauth/complete, from where it goes on to
   next. */
int login_begin(RouteCtx *ctx, Str next, Error *err) HAWK_MUST_USE;

/* The end of that: checks that this browser began it, keeps the tokens, and says where to go on to.
 */
int login_complete(RouteCtx *ctx, Str *ret_next, Error *err) HAWK_MUST_USE;

#endif
