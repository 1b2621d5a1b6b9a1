/* Tokens are renewed five minutes before they expire, by one process at a time. */

#include "cli/tokens.h"

#include <stdlib.h>

#include "access/jwks.h"
#include "access/oidc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "codec/jwt.h"

enum { RENEW_SECONDS = 300 };

static const char *kept(Cli *cli, const Json *answer, const char *key)
{
    Str text = json_text(answer, key, STR_NONE);
    return text.n > 0 ? arena_strndup(cli->arena, text.p, text.n) : NULL;
}

/* Whether a claim is this text or a list with it. */
static bool names(const Json *claims, const char *key, const char *value)
{
    const Json *claim = json_get(claims, key);
    if (!claim || claim->type != JSON_ARRAY)
        return str_eqz(json_text(claims, key, STR_NONE), value);
    for (const Json *item = claim->first; item; item = item->next)
        if (item->type == JSON_STRING && str_eqz(item->text, value))
            return true;
    return false;
}

static int check_tokens(Cli *cli, const Provider *provider, const Credentials *tokens, Error *err)
{
    auto_jwks Jwks *jwks = jwks_new(provider->jwks_uri);
    Json *access = NULL;
    Json *id = NULL;
    if (jwks_verify(jwks, str_of(tokens->access_token), cli->arena, &access, err) < 0)
        return -1;
    if (!names(access, "aud", provider->audience) &&
        !names(access, "client_id", provider->audience))
        return error_set(err, ERR_LOGIN, "the access token is not for %s", provider->audience);
    if (!tokens->id_token)
        return error_set(err, ERR_LOGIN, "the identity provider gave no id token");
    if (jwks_verify(jwks, str_of(tokens->id_token), cli->arena, &id, err) < 0)
        return error_wrap(err, "id token");
    if (!names(id, "aud", provider->client_id))
        return error_set(err, ERR_LOGIN, "the id token is not for %s", provider->client_id);
    return 0;
}

int tokens_accept(Cli *cli, const Provider *provider, const Json *answer, Credentials *ret,
                  Error *err)
{
    Credentials tokens = {
        .access_token = kept(cli, answer, "access_token"),
        .refresh_token = kept(cli, answer, "refresh_token"),
        .id_token = kept(cli, answer, "id_token"),
        .issued_us = clock_now_us(),
    };
    if (!tokens.access_token)
        return error_set(err, ERR_LOGIN, "the identity provider gave no access token");
    if (check_tokens(cli, provider, &tokens, err) < 0)
        return -1;
    *ret = tokens;
    return 0;
}

static bool is_good(Cli *cli, const Provider *provider, const char *token)
{
    auto_error Error ignored = ERROR_INIT;
    Json *claims = NULL;
    double expires_s = 0;
    if (jwt_peek(str_of(token), cli->arena, &claims, &ignored) < 0)
        return false;
    return str_eqz(json_text(claims, "iss", STR_NONE), provider->issuer) &&
           json_number(json_get(claims, "exp"), &expires_s) &&
           expires_s - (double)clock_now_us() / 1e6 > RENEW_SECONDS;
}

/* Trades the refresh token for new ones. A provider that rotates gives another refresh token. */
static int renew(Cli *cli, const Provider *provider, Credentials *credentials, Error *err)
{
    Json *answer = NULL;
    int status = 0;
    if (!credentials->refresh_token) {
        (void)error_set(err, ERR_LOGIN, "your login has expired");
        return error_fix(err, "run 'hawk login'");
    }
    const OidcField fields[] = {
        {"grant_type", STR("refresh_token")},
        {"refresh_token", str_of(credentials->refresh_token)},
        {"client_id", str_of(provider->client_id)},
    };
    if (oidc_post(cli->arena, provider->token_endpoint, fields, ARRAY_LEN(fields), &answer, &status,
                  err) < 0)
        return -1;
    const char *access = kept(cli, answer, "access_token");
    if (status != 200 || !access)
        return oidc_refusal(answer, status, err);
    const char *refresh = kept(cli, answer, "refresh_token");
    const char *id = kept(cli, answer, "id_token");
    credentials->access_token = access;
    credentials->id_token = id ? id : credentials->id_token;
    if (refresh && strcmp(refresh, credentials->refresh_token) != 0) {
        credentials->refresh_token = refresh;
        credentials->issued_us = clock_now_us();
    }
    return credentials_store(cli, provider, credentials, err);
}

int tokens_current(Cli *cli, const char *api_url, const char **ret, Error *err)
{
    Provider provider = {0};
    Credentials credentials = {0};
    const char *given = getenv("HAWK_ACCESS_TOKEN");
    if (given && *given) {
        *ret = given;
        return 0;
    }
    if (provider_find(cli, api_url, false, &provider, err) < 0 ||
        credentials_load(cli, &provider, &credentials, err) < 0)
        return -1;
    if (!is_good(cli, &provider, credentials.access_token)) {
        auto_fd int lock = credentials_lock(cli, err);
        /* Another process may have renewed them meanwhile. */
        if (lock < 0 || credentials_load(cli, &provider, &credentials, err) < 0)
            return -1;
        if (!is_good(cli, &provider, credentials.access_token) &&
            renew(cli, &provider, &credentials, err) < 0)
            return -1;
    }
    *ret = credentials.access_token;
    return 0;
}
