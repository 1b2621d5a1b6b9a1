/* What is the same for every way of knowing who is asking. */

#include "access/identity.h"

void identity_close(Identity *identity)
{
    if (identity)
        identity->close(identity);
}

Str identity_bearer(Str header)
{
    Str scheme = str_slice(header, 0, 7);
    return str_eq_nocase(scheme, STR("Bearer ")) ? str_trim(str_slice(header, 7, header.n))
                                                 : STR_NONE;
}

int identity_check(Identity *identity, Arena *arena, const IdentityProof *proof, Caller *ret,
                   Error *err)
{
    if (!proof->authorization.p && !proof->cookie.p)
        return error_set(err, ERR_LOGIN, "you must provide an access token");
    return identity->check(identity, arena, proof, ret, err);
}

int identity_mint(Identity *identity, const Caller *caller, char code[IDENTITY_CODE_MAX],
                  Error *err)
{
    return identity->mint(identity, caller, code, err);
}

int identity_redeem(Identity *identity, Str code, char cookie[IDENTITY_COOKIE_MAX], Error *err)
{
    return identity->redeem(identity, code, cookie, err);
}

int identity_forget(Identity *identity, Str cookie, Error *err)
{
    return identity->forget(identity, cookie, err);
}

void identity_set_cookie(Buf *buf, const char *cookie)
{
    buf_printf(buf, "%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict", IDENTITY_COOKIE, cookie,
               IDENTITY_SESSION_SECONDS);
}
