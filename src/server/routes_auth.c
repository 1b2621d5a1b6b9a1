/* /auth, /oauth and /login: what a client needs to know to log in, who it is, and sessions of
 * browsers. */

#include "server/routes.h"

#include <string.h>

#include "access/access.h"
#include "jobspec/ids.h"
#include "server/login.h"
#include "server/logs.h"
#include "server/page.h"
#include "server/server_priv.h"

/* A list of words as a member that is a JSON list. */
static void write_words(JsonOut *out, const char *key, const char *words)
{
    Str rest = str_of(words);
    Str word = STR_NONE;
    json_out_kv_array(out, key);
    while (words && str_split(&rest, ' ', &word))
        if (word.n > 0)
            json_out_str(out, word);
    json_out_end_array(out);
}

static Str first_word(const char *words)
{
    Str rest = str_of(words);
    Str word = STR_NONE;
    (void)str_split(&rest, ' ', &word);
    return word;
}

static void write_texts(JsonOut *out, const ServerSettings *settings)
{
    const struct {
        const char *key;
        const char *value;
    } texts[] = {
        {"scopes", settings->scopes},
        {"authorization_endpoint", settings->authorization_endpoint},
        {"device_authorization_endpoint", settings->device_endpoint},
        {"jwks_uri", settings->jwks_uri},
        {"token_endpoint", settings->token_endpoint},
        {"datadog_eval_set_dashboard_url", settings->eval_set_dashboard_url},
        {"datadog_scan_dashboard_url", settings->scan_dashboard_url},
        {"middleman_url", settings->middleman_url},
        {"relay_url", settings->relay_url},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        json_out_kvz(out, texts[i].key, texts[i].value ? texts[i].value : "");
}

/* ClientConfig. Without an identity provider its addresses are empty: the token is in a file. */
static int auth_config(RouteCtx *ctx, Error *err)
{
    (void)err;
    const ServerSettings *settings = &ctx->app->settings;
    const bool has_provider = settings->issuer != NULL;
    auto_buf Buf body = BUF_INIT(64 << 10);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_str(&out, "audience", has_provider ? first_word(settings->audiences) : STR("hawk"));
    json_out_kvz(&out, "client_id", has_provider ? settings->client_id : "hawk");
    json_out_kvz(&out, "issuer", has_provider ? settings->issuer : ctx->app->url);
    write_words(&out, "scopes_supported", settings->scopes_supported);
    write_texts(&out, settings);
    json_out_kv_int(&out, "refresh_token_lifetime_days", settings->refresh_token_days);
    if (has_provider && settings->longest_run_days > 0)
        json_out_kv_int(&out, "expected_longest_run_days", settings->longest_run_days);
    else
        json_out_kv_null(&out, "expected_longest_run_days");
    json_out_kvz(&out, "log_viewer_url", server_viewer_url(ctx->app));
    json_out_kv_null(&out, "code_access_git_hosts");
    json_out_kv_bool(&out, "supports_import_code_sources", false);
    json_out_kv_array(&out, "viewers");
    json_out_end_array(&out);
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

static int auth_me(RouteCtx *ctx, Error *err)
{
    (void)err;
    auto_buf Buf body = BUF_INIT(8192);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "sub", ctx->caller->sub);
    json_out_kvz(&out, "email", ctx->caller->email);
    if (ctx->caller->expires_us)
        json_out_kv_int(&out, "exp", ctx->caller->expires_us / 1000000);
    else
        json_out_kv_null(&out, "exp");
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

/* A one-time link for the caller's browser. */
static int auth_login_code(RouteCtx *ctx, Error *err)
{
    char code[IDENTITY_CODE_MAX] = "";
    if (access_allows(ctx->caller, ACCESS_LOGIN_MINT, NULL, err) < 0 ||
        identity_mint(ctx->app->identity, ctx->caller, code, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(4096);
    buf_printf(&body, "{\"code\":\"%s\",\"url\":\"%s/login?code=%s\",\"expires_in\":%d}", code,
               ctx->app->url, code, IDENTITY_CODE_SECONDS);
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    route_send_json(ctx, &body);
    return 0;
}

/* What is told about, and what there is of it. */
typedef struct Why {
    AccessResource resource;
    bool is_scan;
    bool is_job; /* of this server's table, not imported */
} Why;

static int find_why(RouteCtx *ctx, Str id, Why *ret, Error *err)
{
    Why why = {.resource = {.name = arena_strndup(ctx->arena, id.p, id.n)}};
    const char *name = why.resource.name;
    bool has_files = true;
    Job job = {0};
    if (!ids_is_scanned_id(id))
        return error_set(err, ERR_NOT_FOUND, "Job not found.");
    if (logs_resource(ctx, name, &why.resource, err) < 0)
        return -1;
    why.is_scan = !why.resource.groups_known;
    if (why.is_scan && logs_scan_resource(ctx, name, &why.resource, err) < 0)
        return -1;
    /* Files that nobody says the groups of are refused for that. */
    if (!why.resource.groups_known &&
        store_has_any(ctx->app->store, arena_printf(ctx->arena, "evals/%s", name), &has_files,
                      err) < 0)
        return -1;
    if (!has_files)
        return error_set(err, ERR_NOT_FOUND, "Job not found.");
    why.is_scan &= why.resource.groups_known;
    why.is_job = jobs_get(ctx->app->jobs, ctx->arena, name, &job, err) == 0;
    if (!why.is_job && err->kind != ERR_NOT_FOUND)
        return -1;
    error_reset(err);
    *ret = why;
    return 0;
}

/* Each decision as the routes make it; nothing is done, so nobody is told. */
static void write_actions(RouteCtx *ctx, const Why *why, JsonOut *out)
{
    Caller caller = *ctx->caller;
    caller.audit = NULL;
    static const struct {
        AccessAction action;
        bool of_scans;
        bool of_imports;
    } rows[] = {
        {ACCESS_LOG_READ, true, true},
        {ACCESS_SAMPLE_APPEND, false, true},
        {ACCESS_SAMPLE_EDIT, false, true},
        {ACCESS_JOB_CONTROL, true, false},
    };
    json_out_kv_array(out, "actions");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_error Error refusal = ERROR_INIT;
        if ((why->is_scan && !rows[i].of_scans) || (!why->is_job && !rows[i].of_imports))
            continue;
        bool may = access_allows(&caller, rows[i].action, &why->resource, &refusal) == 0;
        json_out_object(out);
        json_out_kvz(out, "action", access_action_name(rows[i].action));
        json_out_kv_bool(out, "allowed", may);
        json_out_kvz(out, "reason", may ? NULL : error_text(&refusal));
        json_out_kvz(out, "code", refusal.code);
        json_out_end_object(out);
    }
    json_out_end_array(out);
}

/* Why the caller may or may not read the logs of an eval set or the results of a scan, and change
   them: the decisions themselves, in words. */
static int auth_why(RouteCtx *ctx, Error *err)
{
    auto_error Error refusal = ERROR_INIT;
    Why why = {0};
    if (find_why(ctx, ctx->params[0], &why, err) < 0)
        return -1;
    const AccessResource resource = why.resource;
    bool may = access_allows(ctx->caller, ACCESS_LOG_READ, &resource, &refusal) == 0;
    auto_buf Buf body = BUF_INIT(1 << 20);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "id", resource.name);
    json_out_kvz(&out, "type", why.is_scan ? "scan" : "eval-set");
    json_out_kv_bool(&out, "allowed", may);
    json_out_kvz(&out, "reason", may ? "you are in all of its model groups" : error_text(&refusal));
    json_out_kvz(&out, "code", refusal.code);
    json_out_kv_bool(&out, "is_owner",
                     resource.owner && strcmp(resource.owner, ctx->caller->sub) == 0);
    json_out_kv_bool(&out, "is_read_only", ctx->caller->is_read_only);
    json_out_kv_array(&out, "model_groups");
    for (size_t i = 0; i < resource.n_groups; i++) {
        json_out_object(&out);
        json_out_kv_str(&out, "name", resource.groups[i]);
        json_out_kv_bool(&out, "is_yours", access_is_in(ctx->caller, resource.groups[i]));
        json_out_end_object(&out);
    }
    json_out_end_array(&out);
    write_actions(ctx, &why, &out);
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

static int auth_logout(RouteCtx *ctx, Error *err)
{
    Str cookie = http_request_cookie(ctx->request, login_access_cookie(ctx->app));
    if (cookie.p && identity_forget(ctx->app->identity, cookie, err) < 0)
        return -1;
    login_end(ctx, origins_allow(ctx));
    http_response_bytes(ctx->response, "application/json", STR("{\"status\":\"ok\"}"));
    return 0;
}

/* --- with an identity provider --- */

/* What a page is told of its new tokens, which it does not get to see. */
static void send_tokens(RouteCtx *ctx, const OidcTokens *tokens, bool has_id_token)
{
    auto_buf Buf body = BUF_INIT(4096);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "access_token", "");
    json_out_kvz(&out, "token_type", tokens->token_type ? tokens->token_type : "Bearer");
    json_out_kv_int(&out, "expires_in", tokens->expires_s);
    if (has_id_token)
        json_out_kv_null(&out, "id_token");
    json_out_end_object(&out);
    route_send_json(ctx, &body);
}

static int text_member(const Json *body, const char *key, Str *ret, Error *err)
{
    const Json *member = json_get(body, key);
    if (!member || member->type != JSON_STRING)
        return error_set(err, ERR_BAD_DATA, "%s: expected a text", key);
    *ret = member->text;
    return 0;
}

static int auth_callback(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    Str code = STR_NONE;
    Str verifier = STR_NONE;
    Str redirect_uri = STR_NONE;
    OidcTokens tokens = {0};
    if (http_request_header(ctx->request, "Origin").p && !origins_allow(ctx))
        return error_set(err, ERR_DENIED, "CSRF: request origin not allowed");
    if (route_body_json(ctx, &body, err) < 0 || text_member(body, "code", &code, err) < 0 ||
        text_member(body, "code_verifier", &verifier, err) < 0 ||
        text_member(body, "redirect_uri", &redirect_uri, err) < 0 ||
        login_trade(ctx, code, verifier, redirect_uri, &tokens, err) < 0 ||
        login_keep(ctx, &tokens, err) < 0)
        return -1;
    send_tokens(ctx, &tokens, true);
    return 0;
}

static int auth_refresh(RouteCtx *ctx, Error *err)
{
    OidcTokens tokens = {0};
    if (!origins_allow(ctx))
        return error_set(err, ERR_DENIED, "CSRF: request origin not allowed");
    if (login_renew(ctx, &tokens, err) < 0)
        return -1;
    send_tokens(ctx, &tokens, false);
    return 0;
}

/* A path of ours, so that a login link cannot send anyone elsewhere. */
static bool is_local_path(Str path)
{
    if (path.n == 0 || path.p[0] != '/' || (path.n > 1 && (path.p[1] == '/' || path.p[1] == '\\')))
        return false;
    for (size_t i = 0; i < path.n; i++)
        if ((unsigned char)path.p[i] < 0x20 || path.p[i] == '\\')
            return false;
    return true;
}

static Str next_of(const RouteCtx *ctx)
{
    Str next = http_request_param(ctx->request, "next", 0);
    return next.p && is_local_path(next) ? next : STR("/");
}

static int auth_login(RouteCtx *ctx, Error *err)
{
    return login_begin(ctx, next_of(ctx), err);
}

static int oauth_complete(RouteCtx *ctx, Error *err)
{
    Str next = STR_NONE;
    if (login_complete(ctx, &next, err) < 0)
        return -1;
    page_forward(ctx, is_local_path(next) ? next : STR("/"));
    return 0;
}

/* Ends in a page that goes on by itself instead of a redirect: the next request is then made by a
   page of ours, so that the browser sends the SameSite=Strict cookie wherever the link was opened
   from. */
static int login(RouteCtx *ctx, Error *err)
{
    char cookie[IDENTITY_COOKIE_MAX] = "";
    Str code = http_request_param(ctx->request, "code", 0);
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    http_response_header(ctx->response, "Referrer-Policy", STR("no-referrer"));
    if (!code.p)
        return error_set(err, ERR_LOGIN, "a login link has a code");
    if (identity_redeem(ctx->app->identity, code, cookie, err) < 0)
        return -1;
    auto_buf Buf header = BUF_INIT(1024);
    identity_set_cookie(&header, cookie);
    http_response_header(ctx->response, "Set-Cookie", buf_str(&header));
    page_forward(ctx, next_of(ctx));
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "ClientConfig",
      "audience: str; client_id: str; issuer: str; scopes: str; scopes_supported: str[]; authorization_endpoint: str;"
      " device_authorization_endpoint: str; jwks_uri: str; token_endpoint: str; refresh_token_lifetime_days: int;"
      " expected_longest_run_days: int?; log_viewer_url: str; datadog_eval_set_dashboard_url: str;"
      " datadog_scan_dashboard_url: str; middleman_url: str; relay_url: str; code_access_git_hosts: str[]?;"
      " supports_import_code_sources: bool; viewers: object[]" },
    { "MeResponse",     "sub: str; email: str?; exp: int?" },
    { "Why",            "id: str; type: 'eval-set' | 'scan'; allowed: bool; reason: str; code: str?; is_owner: bool; is_read_only: bool;"
                        " model_groups: {name: str; is_yours: bool}[]; actions: {action: str; allowed: bool; reason: str?; code: str?}[]" },
    { "LogoutResponse", "status: 'ok'" },
    { "CallbackRequest",  "code: str; code_verifier: str; redirect_uri: str" },
    { "CallbackResponse", "access_token: str; token_type: str; expires_in: int; id_token: str?" },
    { "RefreshResponse",  "access_token: str; token_type: str; expires_in: int" },
};

static const Route rows[] = {
    { "GET",  "/auth/config",       ROUTE_OPEN,   auth_config,     "what a client needs to log in", .answer = "ClientConfig" },
    { "GET",  "/auth/me",           ROUTE_READ,   auth_me,         "who the credential belongs to", .answer = "MeResponse" },
    { "GET",  "/auth/why/{job_id}", ROUTE_READ,   auth_why,        "why a job may or may not be seen", .answer = "Why" },
    { "POST", "/auth/login-code",   ROUTE_CHANGE, auth_login_code, "a one-time link for a browser",
      .answer = "{code: str; url: str; expires_in: int}" },
    { "POST", "/auth/logout",       ROUTE_OPEN,   auth_logout,     "end a browser's session", .answer = "LogoutResponse" },
    { "POST", "/auth/callback",     ROUTE_OPEN,   auth_callback,   "begin a browser's session with a code of the identity provider",
      .body = "CallbackRequest", .answer = "CallbackResponse" },
    { "POST", "/auth/refresh",      ROUTE_OPEN,   auth_refresh,    "go on with a browser's session", .answer = "RefreshResponse" },
    { "GET",  "/auth/login",        ROUTE_OPEN,   auth_login,      "send a browser to the identity provider",
      .query = "next?: str", .answer = "302" },
    { "GET",  "/oauth/complete",    ROUTE_OPEN,   oauth_complete,  "where a browser comes back to from there",
      .query = "code?: str; state?: str; error?: str", .answer = "text/html; 401 text/plain,text/html" },
    { "GET",  "/login",             ROUTE_OPEN,   login,           "begin a browser's session with a one-time code",
      .query = "code: str; next?: str", .answer = "text/html; 401 text/plain,text/html" },
};
/* clang-format on */

const RouteTable routes_auth = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
