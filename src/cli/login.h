/* Login: the two ways in which a person gets tokens from the identity provider. Both talk on
   standard error and answer with the provider's token response (RFC 6749, 5.1). */
#ifndef HAWK_CLI_LOGIN_H
#define HAWK_CLI_LOGIN_H

#include "cli/provider.h"
#include "codec/json.h"

enum {
    LOGIN_PORT = 18922, /* where the browser comes back to */
    LOGIN_SECONDS = 300,
};

/* The device flow (RFC 8628): the person enters a code on any device. */
int login_device(Cli *cli, const Provider *provider, Json **ret, Error *err) HAWK_MUST_USE;

/* The authorization code flow with PKCE (RFC 7636): a browser comes back to LOGIN_PORT on this
   machine, or its address is pasted. With may_open a browser is opened where there is one. */
int login_browser(Cli *cli, const Provider *provider, bool may_open, Json **ret,
                  Error *err) HAWK_MUST_USE;

/* Opens an address in the desktop's browser; false when there is none or it failed. */
bool login_open_browser(const char *url);

#endif
