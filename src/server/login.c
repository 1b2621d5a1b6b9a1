/* Nothing about these sessions is kept here: the tokens are in the browser's cookies, out of reach
   of its pages. */

#include "server/login.h"

#include "access/refresher.h"
#include "codec/digest.h"
#include "codec/percent.h"
#include "server/server_priv.h"

#define REFRESH_COOKIE "inspect_ai_refresh_token"
#define BEGUN_COOKIE "inspect_ai_login"
#define HOST_PREFIX "__Host-"
#define COMPLETE_PATH "/oauth/complete"

enum {
    COOKIE_MAX = 4096, /* name, value and attributes that browsers take at least (RFC 6265, 6.1) */
    REFRESH_SECONDS = 30 * 24 * 3600,
    BEGUN_SECONDS = 600,
    EXPIRES_SECONDS = 3600, /* when the provider does not say */
    ADDRESS_MAX = 16 << 10,
    NEXT_MAX = 2000,
};

static bool is_secure(const App *app)
{
    return app->settings.issuer && app->settings.has_secure_cookies;
}

const char *login_access_cookie(const App *app)
{
    return is_secure(app) ? HOST_PREFIX IDENTITY_COOKIE : IDENTITY_COOKIE;
}

const char *login_refresh_cookie(const App *app)
{
    return is_secure(app) ? HOST_PREFIX REFRESH_COOKIE : REFRESH_COOKIE;
}

static const char *begun_cookie(const App *app)
{
    return is_secure(app) ? HOST_PREFIX BEGUN_COOKIE : BEGUN_COOKIE;
}

/* value NULL: the cookie ends. */
static int set_cookie(RouteCtx *ctx, const char *name, const char *value, int64_t seconds,
                      const char *same_site, Error *err)
{
    auto_buf Buf header = BUF_INIT(COOKIE_MAX);
    buf_printf(&header, "%s=%s; HttpOnly; Max-Age=%lld; Path=/; SameSite=%s%s", name,
               value ? value : "", (long long)(value ? seconds : 0), same_site,
               is_secure(ctx->app) ? "; Secure" : "");
    if (header.overflowed)
        return error_set(err, ERR_UNSUPPORTED,
                         "a token of the identity provider is too large for a cookie");
    http_response_header(ctx->response, "Set-Cookie", buf_str(&header));
    return 0;
}

int login_keep(RouteCtx *ctx, const OidcTokens *tokens, Error *err)
{
    const App *app = ctx->app;
    int64_t seconds = tokens->expires_s > 0 ? tokens->expires_s : EXPIRES_SECONDS;
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    if (tokens->refresh_token && set_cookie(ctx, login_refresh_cookie(app), tokens->refresh_token,
                                            REFRESH_SECONDS, "Lax", err) < 0)
        return -1;
    return set_cookie(ctx, login_access_cookie(app), tokens->access_token, seconds, "Strict", err);
}

/* Whether the server itself takes the token: a browser must not be sent to the provider again and
   again for tokens that are of no use. */
static int check_token(RouteCtx *ctx, const char *token, Error *err)
{
    const IdentityProof proof = {.cookie = str_of(token)};
    Caller caller = {0};
    return identity_check(ctx->app->identity, ctx->arena, &proof, &caller, err);
}

int login_trade(RouteCtx *ctx, Str code, Str verifier, Str redirect_uri, OidcTokens *ret,
                Error *err)
{
    const ServerSettings *settings = &ctx->app->settings;
    if (!settings->issuer || !settings->token_endpoint)
        return error_set(err, ERR_NOT_FOUND, "this server has no identity provider");
    const OidcField fields[] = {
        {"grant_type", STR("authorization_code")},
        {"client_id", str_of(settings->client_id)},
        {"code", code},
        {"redirect_uri", redirect_uri},
        {"code_verifier", verifier},
    };
    if (oidc_trade(ctx->arena, settings->token_endpoint, fields, ARRAY_LEN(fields), ret, err) < 0)
        return -1;
    return check_token(ctx, ret->access_token, err);
}

int login_renew(RouteCtx *ctx, OidcTokens *ret, Error *err)
{
    Str token = http_request_cookie(ctx->request, login_refresh_cookie(ctx->app));
    if (!token.p || token.n == 0 || !ctx->app->refresher)
        return error_set(err, ERR_LOGIN, "there is no session to renew");
    if (refresher_trade(ctx->app->refresher, ctx->arena, token, ret, err) < 0)
        return -1;
    return login_keep(ctx, ret, err);
}

static void revoke_token(RouteCtx *ctx)
{
    const ServerSettings *settings = &ctx->app->settings;
    auto_error Error ignored = ERROR_INIT; /* the browser forgets it in any case */
    Str token = http_request_cookie(ctx->request, login_refresh_cookie(ctx->app));
    Json *answer = NULL;
    int status = 0;
    if (!settings->revocation_endpoint || !token.p || token.n == 0)
        return;
    const OidcField fields[] = {
        {"token", token},
        {"token_type_hint", STR("refresh_token")},
        {"client_id", str_of(settings->client_id)},
    };
    (void)!oidc_post(ctx->arena, settings->revocation_endpoint, fields, ARRAY_LEN(fields), &answer,
                     &status, &ignored);
}

void login_end(RouteCtx *ctx, bool revoke)
{
    auto_error Error ignored = ERROR_INIT; /* an empty cookie fits */
    if (revoke)
        revoke_token(ctx);
    (void)!set_cookie(ctx, login_refresh_cookie(ctx->app), NULL, 0, "Lax", &ignored);
    (void)!set_cookie(ctx, login_access_cookie(ctx->app), NULL, 0, "Strict", &ignored);
}

static const char *complete_url(const RouteCtx *ctx)
{
    return arena_printf(ctx->arena, "%s" COMPLETE_PATH, server_public_url(ctx->app));
}

int login_begin(RouteCtx *ctx, Str next, Error *err)
{
    const ServerSettings *settings = &ctx->app->settings;
    auto_secret Secret *verifier = secret_random(OIDC_VERIFIER_BYTES);
    auto_secret Secret *state = secret_random(OIDC_STATE_BYTES);
    auto_buf Buf address = BUF_INIT(ADDRESS_MAX);
    auto_buf Buf begun = BUF_INIT(COOKIE_MAX);
    if (!settings->issuer || !settings->authorization_endpoint || !settings->token_endpoint)
        return error_set(err, ERR_NOT_FOUND, "this server has no login by browser");
    const OidcLogin login = {
        .authorization_endpoint = settings->authorization_endpoint,
        .client_id = settings->client_id,
        .redirect_uri = complete_url(ctx),
        .scope = settings->scopes ? settings->scopes : "openid",
        .verifier = secret_reveal(verifier),
        .state = secret_reveal(state),
    };
    oidc_add_login_address(&address, &login);
    if (buf_check(&address, "the address of the login", err) < 0)
        return -1;
    buf_printf(&begun, "%.*s:%.*s:", STR_ARG(login.state), STR_ARG(login.verifier));
    percent_encode(&begun, str_slice(next, 0, NEXT_MAX), "/");
    if (set_cookie(ctx, begun_cookie(ctx->app), begun.data, BEGUN_SECONDS, "Lax", err) < 0)
        return -1;
    http_response_status(ctx->response, 302);
    http_response_header(ctx->response, "Location", buf_str(&address));
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    return 0;
}

/* state:verifier:next of the cookie; false when this browser began no login, or another one. */
static bool read_begun(RouteCtx *ctx, Str *ret_verifier, Str *ret_next)
{
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf next = BUF_INIT(NEXT_MAX);
    Str rest = http_request_cookie(ctx->request, begun_cookie(ctx->app));
    Str given = http_request_param(ctx->request, "state", 0);
    Str state = STR_NONE;
    Str path = STR_NONE;
    if (!rest.p || !given.p || !str_split(&rest, ':', &state) ||
        !str_split(&rest, ':', ret_verifier) || !str_split(&rest, ':', &path) || rest.p ||
        state.n == 0 || !digest_equal(state, given) ||
        percent_decode(path, false, &next, &ignored) < 0)
        return false;
    *ret_next = arena_str(ctx->arena, buf_str(&next));
    return true;
}

int login_complete(RouteCtx *ctx, Str *ret_next, Error *err)
{
    OidcTokens tokens = {0};
    Str verifier = STR_NONE;
    Str problem = http_request_param(ctx->request, "error", 0);
    Str code = http_request_param(ctx->request, "code", 0);
    http_response_header(ctx->response, "Referrer-Policy", STR("no-referrer"));
    if (!read_begun(ctx, &verifier, ret_next))
        return error_set(err, ERR_LOGIN, "this browser has not begun this login");
    if (set_cookie(ctx, begun_cookie(ctx->app), NULL, 0, "Lax", err) < 0)
        return -1;
    if (problem.p)
        return error_set(err, ERR_LOGIN, "the identity provider refuses: %.*s", STR_ARG(problem));
    if (!code.p)
        return error_set(err, ERR_LOGIN, "the answer of the identity provider has no code");
    if (login_trade(ctx, code, verifier, str_of(complete_url(ctx)), &tokens, err) < 0)
        return -1;
    return login_keep(ctx, &tokens, err);
}
