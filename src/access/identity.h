/* Identity: turns the credential of a request into a Caller. One implementation is in use at a
   time; what is the same for all of them is here, what differs is behind the struct of functions.
 */
#ifndef HAWK_ACCESS_IDENTITY_H
#define HAWK_ACCESS_IDENTITY_H

#include "access/caller.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"

/* The cookie that carries a browser's session. */
#define IDENTITY_COOKIE "inspect_ai_access_token"

enum {
    IDENTITY_CODE_MAX = 64,   /* room for a one-time code with its NUL */
    IDENTITY_COOKIE_MAX = 64, /* room for a cookie's value with its NUL */
    IDENTITY_CODE_SECONDS = 60,
    IDENTITY_SESSION_SECONDS = 30 * 24 * 3600,
};

/* What a request brought; STR_NONE for what it did not. The header wins over the cookie. */
typedef struct IdentityProof {
    Str authorization; /* the value of the Authorization header */
    Str cookie;        /* the value of IDENTITY_COOKIE */
} IdentityProof;

typedef struct Identity Identity;
struct Identity {
    const char *name; /* "token", "oidc" */
    int (*check)(Identity *identity, Arena *arena, const IdentityProof *proof, Caller *ret,
                 Error *err);
    int (*mint)(Identity *identity, const Caller *caller, char code[IDENTITY_CODE_MAX], Error *err);
    int (*redeem)(Identity *identity, Str code, char cookie[IDENTITY_COOKIE_MAX], Error *err);
    int (*forget)(Identity *identity, Str cookie, Error *err);
    void (*close)(Identity *identity);
};

/* The token behind "Bearer " in an Authorization header, whatever the case of the word (RFC 9110,
   11.1); STR_NONE when the header is something else. */
Str identity_bearer(Str header);

/* The single user of an installation: admin, sees all, named after the operating system's user. The
   token is in data_dir/token (0600), made when it is not there; a file that others can read is
   refused. Sessions of browsers are kept, as hashes, in data_dir/sessions.json, so that they
   outlive a restart. */
int identity_token_open(const char *data_dir, Identity **ret, Error *err) HAWK_MUST_USE;
void identity_close(Identity *identity);

/* Who the proof belongs to. Without or with a wrong proof ERR_LOGIN. Safe from several threads, as
 * all below. */
int identity_check(Identity *identity, Arena *arena, const IdentityProof *proof, Caller *ret,
                   Error *err) HAWK_MUST_USE;

/* Makes a code that lets one browser in, once, within IDENTITY_CODE_SECONDS. Codes are in memory
 * only. */
int identity_mint(Identity *identity, const Caller *caller, char code[IDENTITY_CODE_MAX],
                  Error *err) HAWK_MUST_USE;

/* Uses a code up and begins a session; ERR_LOGIN when it is unknown, used or too old. */
int identity_redeem(Identity *identity, Str code, char cookie[IDENTITY_COOKIE_MAX],
                    Error *err) HAWK_MUST_USE;

/* Ends a session; an unknown cookie is no error. */
int identity_forget(Identity *identity, Str cookie, Error *err) HAWK_MUST_USE;

/* Appends the value of the Set-Cookie header that begins a session. */
void identity_set_cookie(Buf *buf, const char *cookie);

/* The token of an installation for its own command line; ERR_LOGIN when there is none yet. The
 * caller frees. */
int identity_read_token(const char *data_dir, Secret **ret, Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(Identity, identity, identity_close)
#define auto_identity HAWK_CLEANUP(identity_cleanup_)

#endif
