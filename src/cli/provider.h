/* Provider: the identity provider of a server, as the server's /auth/config names it. */
#ifndef HAWK_CLI_PROVIDER_H
#define HAWK_CLI_PROVIDER_H

#include "base/error.h"
#include "cli/command.h"

/* Texts are "" when the server does not say. */
typedef struct Provider {
    const char *api_url; /* of the server that said it */
    const char *issuer;
    const char *audience;
    const char *client_id;
    const char *scope; /* what the server asks for and the provider supports */
    const char *authorization_endpoint;
    const char *device_endpoint;
    const char *token_endpoint;
    const char *jwks_uri;
} Provider;

/* The provider of the server at api_url; what the server said is kept for a day, unless is_fresh.
   ERR_UNSUPPORTED when the server has none. Texts live in the Cli's arena. */
int provider_find(Cli *cli, const char *api_url, bool is_fresh, Provider *ret,
                  Error *err) HAWK_MUST_USE;

#endif
