/* Tokens: from an answer of the identity provider to credentials, and the one that a request to a
   server carries. */
#ifndef HAWK_CLI_TOKENS_H
#define HAWK_CLI_TOKENS_H

#include "cli/credentials.h"
#include "codec/json.h"

/* The access token for the server at api_url, in the Cli's arena: HAWK_ACCESS_TOKEN, else that of
   the login, renewed when it is about to expire. ERR_LOGIN when there is none or it cannot be
   renewed. */
int tokens_current(Cli *cli, const char *api_url, const char **ret, Error *err) HAWK_MUST_USE;

/* Checks what the provider answered to a login: the access token's signature and audience, and an
   id token for this client. */
int tokens_accept(Cli *cli, const Provider *provider, const Json *answer, Credentials *ret,
                  Error *err) HAWK_MUST_USE;

#endif
