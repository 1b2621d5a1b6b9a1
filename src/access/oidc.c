/* Forms to an identity provider. What is in them and in the answers is wiped, but for what the
   caller's arena keeps. */

#include "access/oidc.h"

#include "base/mem.h"
#include "codec/digest.h"
#include "codec/percent.h"
#include "http/client.h"

enum { FORM_MAX = 64 << 10, ANSWER_MAX = 1 << 20, TIMEOUT_MS = 10 * 1000 };

void oidc_add_login_address(Buf *ret, const OidcLogin *login)
{
    unsigned char hash[DIGEST_SIZE];
    auto_buf Buf challenge = BUF_INIT(128);
    digest_sha256(login->verifier, hash);
    digest_add_base64url(&challenge, (Str){(const char *)hash, sizeof(hash)});
    Str endpoint = str_of(login->authorization_endpoint);
    buf_add_str(ret, endpoint);
    buf_addc(ret, str_find(endpoint, '?') < 0 ? '?' : '&');
    percent_add_pair(ret, STR("response_type"), STR("code"));
    percent_add_pair(ret, STR("client_id"), str_of(login->client_id));
    percent_add_pair(ret, STR("redirect_uri"), str_of(login->redirect_uri));
    percent_add_pair(ret, STR("scope"), str_of(login->scope));
    percent_add_pair(ret, STR("code_challenge"), buf_str(&challenge));
    percent_add_pair(ret, STR("code_challenge_method"), STR("S256"));
    percent_add_pair(ret, STR("state"), login->state);
}

static int read_answer(Arena *arena, const HttpReply *reply, Json **ret)
{
    auto_error Error ignored = ERROR_INIT; /* the caller says what came instead */
    Json *json = NULL;
    if (reply->body.len == 0 && reply->status == 200) {
        *ret = json_new(arena, JSON_OBJECT);
        return 0;
    }
    if (json_parse(arena, arena_str(arena, buf_str(&reply->body)), &json_limits_config, &json,
                   &ignored) < 0 ||
        json->type != JSON_OBJECT)
        return -1;
    *ret = json;
    return 0;
}

int oidc_post(Arena *arena, const char *url, const OidcField *fields, size_t n, Json **ret,
              int *ret_status, Error *err)
{
    auto_http_client HttpClient *client = http_client_new();
    auto_http_reply HttpReply reply;
    auto_buf Buf form = BUF_INIT(FORM_MAX);
    http_reply_init(&reply, ANSWER_MAX);
    for (size_t i = 0; i < n; i++)
        if (fields[i].value.n > 0)
            percent_add_pair(&form, str_of(fields[i].name), fields[i].value);
    const HttpHeader headers[] = {
        {"Content-Type", STR("application/x-www-form-urlencoded")},
        {"Accept", STR("application/json")},
    };
    const HttpCall call = {.method = "POST",
                           .url = url,
                           .headers = headers,
                           .n_headers = ARRAY_LEN(headers),
                           .body = buf_str(&form),
                           .timeout_ms = TIMEOUT_MS,
                           .keep_redirects = true};
    int rc =
        buf_check(&form, "the form", err) < 0 ? -1 : http_client_send(client, &call, &reply, err);
    mem_wipe(form.data, form.cap);
    if (rc < 0)
        return error_wrap(err, "the identity provider");
    rc = read_answer(arena, &reply, ret);
    mem_wipe(reply.body.data, reply.body.cap);
    if (rc < 0)
        return error_set(err, ERR_UNREACHABLE, "the identity provider answers with status %d at %s",
                         reply.status, url);
    *ret_status = reply.status;
    return 0;
}

int oidc_refusal(const Json *answer, int status, Error *err)
{
    Str code = json_text(answer, "error", STR("no reason"));
    Str text = json_text(answer, "error_description", STR(""));
    (void)error_set(err, ERR_LOGIN, "the identity provider refuses (status %d, %.*s)%s%.*s", status,
                    STR_ARG(code), text.n ? ": " : "", STR_ARG(text));
    return error_fix(err, "log in again, in a terminal with 'hawk login'");
}

static const char *kept(Arena *arena, const Json *answer, const char *key)
{
    Str text = json_text(answer, key, STR_NONE);
    return text.n > 0 ? arena_strndup(arena, text.p, text.n) : NULL;
}

int oidc_trade(Arena *arena, const char *token_endpoint, const OidcField *fields, size_t n,
               OidcTokens *ret, Error *err)
{
    Json *answer = NULL;
    int status = 0;
    if (oidc_post(arena, token_endpoint, fields, n, &answer, &status, err) < 0)
        return -1;
    const OidcTokens tokens = {
        .access_token = kept(arena, answer, "access_token"),
        .refresh_token = kept(arena, answer, "refresh_token"),
        .token_type = kept(arena, answer, "token_type"),
        .expires_s = json_int(answer, "expires_in", 0),
    };
    if (status != 200 || !tokens.access_token)
        return oidc_refusal(answer, status, err);
    *ret = tokens;
    return 0;
}
