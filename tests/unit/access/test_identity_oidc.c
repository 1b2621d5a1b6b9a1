/* Tokens of an identity provider, whose keys come over HTTP from a server of the test. */
#include "cmocka_all.h"

#include <stdatomic.h>
#include <stdio.h>

#include "access/identity_oidc.h"
#include "access/jwks.h"
#include "base/clock.h"
#include "codec/jwt.h"
#include "http/server.h"
#include "jwt_maker.h"

#define ISSUER "https://id.example.org"

static HttpServer *provider;
static char jwks_uri[64];
static EVP_PKEY *first;
static EVP_PKEY *second;
static atomic_int n_fetches;
static atomic_bool has_second; /* the provider has rotated its keys */
static atomic_bool is_down;

static void answer_keys(void *context, HttpRequest *request, HttpResponse *response)
{
    (void)context;
    (void)request;
    n_fetches++;
    if (is_down) {
        http_response_status(response, 503);
        return;
    }
    auto_buf Buf text = BUF_INIT(MAKER_TEXT_MAX);
    buf_addz(&text, "{\"keys\":[");
    maker_add_jwk(&text, first, "k1", "");
    if (has_second) {
        buf_addc(&text, ',');
        maker_add_jwk(&text, second, "k2", "");
    }
    buf_addz(&text, "]}");
    http_response_buf(response, "application/json", &text);
}

static int set_up(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    HttpServerOptions options = HTTP_SERVER_OPTIONS;
    options.handler = answer_keys;
    first = maker_p256();
    second = maker_rsa(2048);
    if (http_server_start(&options, &provider, &err) < 0)
        return -1;
    (void)snprintf(jwks_uri, sizeof(jwks_uri), "http://127.0.0.1:%d/keys",
                   http_server_port(provider));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_server_stop(provider, 1000);
    EVP_PKEY_free(first);
    EVP_PKEY_free(second);
    return 0;
}

static int reset(void **state)
{
    (void)state;
    n_fetches = 0;
    has_second = false;
    is_down = false;
    return 0;
}

static Identity *open_identity(bool is_public_only)
{
    auto_error Error err = ERROR_INIT;
    Identity *identity = NULL;
    const IdentityOidcOptions options = {
        .issuer = ISSUER,
        .audiences = "hawk other",
        .jwks_uri = jwks_uri,
        .default_permissions = "model-access-public",
        .admin_claim = "https://example.org/admin",
        .admin_permissions = "hawk-admin",
        .is_public_only = is_public_only,
    };
    assert_int_equal(identity_oidc_open(&options, &identity, &err), 0);
    return identity;
}

/* Claims that let in, with `more` (beginning with a comma) behind them. */
static const char *claims_with(const char *more)
{
    static char text[4096];
    (void)snprintf(text, sizeof(text),
                   "{\"iss\":\"" ISSUER "\",\"aud\":\"hawk\",\"sub\":\"ada\",\"exp\":%lld%s}",
                   (long long)(clock_now_us() / CLOCK_SECOND + 600), more);
    return text;
}

static int check_as(Identity *identity, const char *kid, const char *algorithm, EVP_PKEY *key,
                    const char *claims, Arena *arena, Caller *ret, Error *err)
{
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    buf_addz(&token, "Bearer ");
    auto_buf Buf bare = BUF_INIT(JWT_MAX);
    maker_token(&bare, algorithm, kid, claims, key);
    buf_add_str(&token, buf_str(&bare));
    const IdentityProof proof = {.authorization = buf_str(&token)};
    return identity_check(identity, arena, &proof, ret, err);
}

static int check(Identity *identity, const char *claims, Arena *arena, Caller *ret, Error *err)
{
    return check_as(identity, "k1", "ES256", first, claims, arena, ret, err);
}

static bool is_in(const Caller *caller, const char *group)
{
    for (size_t i = 0; i < caller->n_groups; i++)
        if (strcmp(caller->groups[i], group) == 0)
            return true;
    return false;
}

static void claims_become_a_caller(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_identity Identity *identity = open_identity(false);
    Caller caller = {0};
    const char *claims = claims_with(
        ",\"email\":\"ada@example.org\",\"permissions\":[\"model-access-public\",\"model-access-x:"
        "write\",\"other\"],\"cognito:groups\":\"model-access-y "
        "model-access-x\",\"scp\":[\"openid\",\"model-"
        "access-z\"]");
    assert_int_equal(check(identity, claims, arena, &caller, &err), 0);
    assert_string_equal(caller.sub, "ada");
    assert_string_equal(caller.email, "ada@example.org");
    assert_int_equal(caller.n_groups, 4);
    assert_true(is_in(&caller, "model-access-public") && is_in(&caller, "model-access-x") &&
                is_in(&caller, "model-access-y") && is_in(&caller, "other"));
    assert_false(caller.is_admin || caller.is_read_only || caller.sees_all || caller.by_cookie);
    assert_true(caller.expires_us > clock_now_us());
}

static void a_token_without_permissions_has_the_default_ones(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_identity Identity *identity = open_identity(false);
    Caller caller = {0};
    assert_int_equal(check(identity, claims_with(""), arena, &caller, &err), 0);
    assert_int_equal(caller.n_groups, 1);
    assert_string_equal(caller.groups[0], "model-access-public");
    assert_false(caller.is_read_only);
}

static void reading_rights_alone_make_a_read_only_caller(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_identity Identity *identity = open_identity(false);
    Caller reader = {0};
    Caller writer = {0};
    assert_int_equal(check(identity,
                           claims_with(",\"permissions\":[\"model-access-public:read\",\"other\"]"),
                           arena, &reader, &err),
                     0);
    assert_int_equal(check(identity,
                           claims_with(",\"permissions\":[\"model-access-public:read\",\"model-"
                                       "access-x\"]"),
                           arena, &writer, &err),
                     0);
    assert_true(reader.is_read_only && is_in(&reader, "model-access-public"));
    assert_false(writer.is_read_only);
}

static void only_true_or_a_named_permission_makes_an_admin(void **state)
{
    (void)state;
    static const struct {
        const char *more;
        bool is_admin;
    } rows[] = {
        {",\"https://example.org/admin\":true", true},
        {",\"https://example.org/admin\":\"true\"", false},
        {",\"https://example.org/admin\":1", false},
        {",\"permissions\":[\"hawk-admin\"]", true},
        {",\"permissions\":[\"hawk-admi\"]", false},
    };
    auto_identity Identity *identity = open_identity(false);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_error Error err = ERROR_INIT;
        auto_arena Arena *arena = arena_new();
        Caller caller = {0};
        assert_int_equal(check(identity, claims_with(rows[i].more), arena, &caller, &err), 0);
        assert_int_equal(caller.is_admin, rows[i].is_admin);
    }
}

static void public_only_takes_all_other_groups_away(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_identity Identity *identity = open_identity(true);
    Caller caller = {0};
    assert_int_equal(
        check(identity, claims_with(",\"permissions\":[\"model-access-x\"]"), arena, &caller, &err),
        0);
    assert_int_equal(caller.n_groups, 1);
    assert_string_equal(caller.groups[0], "model-access-public");
}

static void claims_that_do_not_fit_are_refused_with_their_reason(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        const char *code;
    } rows[] = {
        {"{\"iss\":\"https://evil\",\"aud\":\"hawk\",\"sub\":\"a\",\"exp\":4102444800}",
         "token.issuer"},
        {"{\"aud\":\"hawk\",\"sub\":\"a\",\"exp\":4102444800}", "token.issuer"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"else\",\"sub\":\"a\",\"exp\":4102444800}",
         "token.audience"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":[\"x\",5],\"client_id\":\"hawk\",\"sub\":\"a\",\"exp\":"
         "4102444800}",
         "token.audience"},
        {"{\"iss\":\"" ISSUER "\",\"sub\":\"a\",\"exp\":4102444800}", "token.audience"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"hawk\",\"sub\":\"a\",\"exp\":1}", "token.expired"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"hawk\",\"sub\":\"a\"}", "token.expiry"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"hawk\",\"sub\":\"a\",\"exp\":\"4102444800\"}",
         "token.expiry"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"hawk\",\"sub\":\"a\",\"exp\":4102444800,\"token_use\":"
         "\"id\"}",
         "token.use"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"hawk\",\"sub\":\"a\",\"exp\":4102444800,\"nbf\":"
         "4102444000}",
         "token.not_yet"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"hawk\",\"exp\":4102444800}", "token.subject"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"hawk\",\"sub\":\"\",\"exp\":4102444800}",
         "token.subject"},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"hawk\",\"sub\":\"a\\u0000b\",\"exp\":4102444800}",
         "token.subject"},
    };
    auto_identity Identity *identity = open_identity(false);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_error Error err = ERROR_INIT;
        auto_arena Arena *arena = arena_new();
        Caller caller = {0};
        assert_int_equal(check(identity, rows[i].claims, arena, &caller, &err), -1);
        assert_int_equal(err.kind, ERR_LOGIN);
        assert_string_equal(err.code, rows[i].code);
        assert_null(caller.sub);
    }
}

static void lists_of_audiences_and_client_ids_let_in(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"iss\":\"" ISSUER "\",\"aud\":[\"x\",\"other\"],\"sub\":\"a\",\"exp\":4102444800}",
        "{\"iss\":\"" ISSUER
        "\",\"client_id\":\"hawk\",\"token_use\":\"access\",\"sub\":\"a\",\"exp\":"
        "4102444800}",
    };
    auto_identity Identity *identity = open_identity(false);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_error Error err = ERROR_INIT;
        auto_arena Arena *arena = arena_new();
        Caller caller = {0};
        assert_int_equal(check(identity, rows[i], arena, &caller, &err), 0);
    }
}

static void new_keys_are_fetched_when_a_token_names_them(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_jwks Jwks *jwks = jwks_new(jwks_uri);
    auto_buf Buf old = BUF_INIT(JWT_MAX);
    auto_buf Buf fresh = BUF_INIT(JWT_MAX);
    Json *claims = NULL;
    maker_token(&old, "ES256", "k1", claims_with(""), first);
    maker_token(&fresh, "RS256", "k2", claims_with(""), second);
    has_second = true;
    assert_int_equal(jwks_verify(jwks, buf_str(&fresh), arena, &claims, &err), 0);
    assert_int_equal(jwks_verify(jwks, buf_str(&old), arena, &claims, &err), 0);
    assert_int_equal(n_fetches, 1);
}

static void unknown_key_ids_do_not_have_the_keys_fetched_again_and_again(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    auto_jwks Jwks *jwks = jwks_new(jwks_uri);
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    maker_token(&token, "RS256", "k2", claims_with(""), second);
    for (int i = 0; i < 20; i++) {
        auto_error Error err = ERROR_INIT;
        Json *claims = NULL;
        assert_int_equal(jwks_verify(jwks, buf_str(&token), arena, &claims, &err), -1);
        assert_int_equal(err.kind, ERR_LOGIN);
    }
    assert_int_equal(n_fetches, 1);
}

static void a_provider_that_is_down_is_not_the_caller_s_fault(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_identity Identity *identity = open_identity(false);
    Caller caller = {0};
    is_down = true;
    assert_int_equal(check(identity, claims_with(""), arena, &caller, &err), -1);
    assert_int_equal(err.kind, ERR_UNREACHABLE);
}

static void a_checked_token_is_known_without_its_provider(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_identity Identity *identity = open_identity(false);
    Caller caller = {0};
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    maker_token(&token, "ES256", "k1", claims_with(""), first);
    const IdentityProof proof = {.cookie = buf_str(&token)};
    assert_int_equal(identity_check(identity, arena, &proof, &caller, &err), 0);
    assert_int_equal(identity_check(identity, arena, &proof, &caller, &err), 0);
    assert_true(caller.by_cookie);
    assert_int_equal(n_fetches, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(claims_become_a_caller, reset),
        cmocka_unit_test_setup(a_token_without_permissions_has_the_default_ones, reset),
        cmocka_unit_test_setup(reading_rights_alone_make_a_read_only_caller, reset),
        cmocka_unit_test_setup(only_true_or_a_named_permission_makes_an_admin, reset),
        cmocka_unit_test_setup(public_only_takes_all_other_groups_away, reset),
        cmocka_unit_test_setup(claims_that_do_not_fit_are_refused_with_their_reason, reset),
        cmocka_unit_test_setup(lists_of_audiences_and_client_ids_let_in, reset),
        cmocka_unit_test_setup(new_keys_are_fetched_when_a_token_names_them, reset),
        cmocka_unit_test_setup(unknown_key_ids_do_not_have_the_keys_fetched_again_and_again, reset),
        cmocka_unit_test_setup(a_provider_that_is_down_is_not_the_caller_s_fault, reset),
        cmocka_unit_test_setup(a_checked_token_is_known_without_its_provider, reset),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
