/* Credentials: the tokens of a login, kept between commands in the desktop's Secret Service where
   there is one, else in a 0600 file. HAWK_CREDENTIALS chooses: "keyring" or "file". */
#ifndef HAWK_CLI_CREDENTIALS_H
#define HAWK_CLI_CREDENTIALS_H

#include "base/error.h"
#include "cli/command.h"
#include "cli/provider.h"

/* Texts live in the Cli's arena; NULL for what there is none of. */
typedef struct Credentials {
    const char *access_token;
    const char *refresh_token;
    const char *id_token;
    int64_t issued_us; /* when the refresh token was issued; 0: unknown */
} Credentials;

/* ERR_LOGIN when there are none for this provider. */
int credentials_load(Cli *cli, const Provider *provider, Credentials *ret,
                     Error *err) HAWK_MUST_USE;

/* Durable when it returns. */
int credentials_store(Cli *cli, const Provider *provider, const Credentials *credentials,
                      Error *err) HAWK_MUST_USE;

/* Forgets them; none is no error. */
int credentials_forget(Cli *cli, const Provider *provider, Error *err) HAWK_MUST_USE;

/* Takes the lock that whoever renews tokens holds, so that a refresh token that works once is used
   once; waits up to 30 s. Returns its descriptor, -1 on failure. */
int credentials_lock(Cli *cli, Error *err) HAWK_MUST_USE;

#endif
