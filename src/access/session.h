/* Sessions of browsers and the one-time codes that begin them. Only hashes of cookies are kept, in
   memory and in a 0600 file, so that a restart of the server logs nobody out. Safe from several
   threads. */
#ifndef HAWK_ACCESS_SESSION_H
#define HAWK_ACCESS_SESSION_H

#include <stdbool.h>

#include "access/identity.h"
#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

typedef struct Sessions Sessions;

/* The most that are kept; a new one drops the oldest. */
enum { SESSIONS_MAX = 256, SESSIONS_CODES_MAX = 64 };

/* Reads the file if it is there. The clock is a parameter of every call that depends on time. */
int sessions_open(const char *path, Sessions **ret, Error *err) HAWK_MUST_USE;
void sessions_close(Sessions *sessions);

/* Makes a code for a user. */
void sessions_mint(Sessions *sessions, const char *sub, int64_t now_us,
                   char code[IDENTITY_CODE_MAX]);

/* Uses a code up and begins a session of its user; durable when it returns. ERR_LOGIN for a code
   that is unknown, used or too old. */
int sessions_redeem(Sessions *sessions, Str code, int64_t now_us, char cookie[IDENTITY_COOKIE_MAX],
                    Error *err) HAWK_MUST_USE;

/* Whether the cookie belongs to a session of sub, and when that ends. */
bool sessions_find(Sessions *sessions, Str cookie, const char *sub, int64_t now_us,
                   int64_t *ret_expires_us);

/* Ends a session; an unknown one is no error. */
int sessions_forget(Sessions *sessions, Str cookie, Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(Sessions, sessions, sessions_close)
#define auto_sessions HAWK_CLEANUP(sessions_cleanup_)

#endif
