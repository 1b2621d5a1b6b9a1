/* Provider: the identity provider of a server, as the server's /auth/config names it, and what is
   asked of it directly. */
#ifndef HAWK_CLI_PROVIDER_H
#define HAWK_CLI_PROVIDER_H

#include "base/error.h"
#include "cli/command.h"
#include "codec/json.h"

/* Texts are "" when the server does not say. */
typedef struct Provider {
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

/* A field of a form. */
typedef struct ProviderField {
    const char *name;
    Str value;
} ProviderField;

/* Posts a form (RFC 6749, appendix B); fields whose value is empty are left out. The answer,
   whatever its status, must be a JSON object. Never names the values in an error. */
int provider_post(Cli *cli, const char *url, const ProviderField *fields, size_t n, Json **ret,
                  int *ret_status, Error *err) HAWK_MUST_USE;

#endif
