/* Tokens: the two algorithms, and the ways of getting round them. */
#include "cmocka_all.h"

#include "codec/jwt.h"
#include "jwt_maker.h"

#define CLAIMS "{\"sub\":\"ada\",\"exp\":4102444800}"

static EVP_PKEY *rsa;
static EVP_PKEY *p256;
static EVP_PKEY *stranger;
static JwtKeys *keys;

static JwtKeys *read_keys(const Buf *text)
{
    auto_error Error err = ERROR_INIT;
    JwtKeys *ret = NULL;
    assert_int_equal(jwt_keys_read(buf_str(text), &ret, &err), 0);
    return ret;
}

static int set_up(void **state)
{
    (void)state;
    rsa = maker_rsa(2048);
    stranger = maker_rsa(2048);
    p256 = maker_p256();
    auto_buf Buf text = BUF_INIT(MAKER_TEXT_MAX);
    buf_addz(&text, "{\"keys\":[");
    maker_add_jwk(&text, rsa, "r1", ",\"use\":\"sig\",\"alg\":\"RS256\"");
    buf_addc(&text, ',');
    maker_add_jwk(&text, p256, "e1", "");
    buf_addz(&text, "]}");
    keys = read_keys(&text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    jwt_keys_free(keys);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(stranger);
    return 0;
}

/* "" when the token is good, else the error's code. */
static const char *verdict(Str token)
{
    static char code[64];
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    Json *claims = NULL;
    code[0] = '\0';
    if (jwt_verify(keys, token, arena, &claims, &err) == 0) {
        assert_true(str_eqz(json_text(claims, "sub", STR_NONE), "ada"));
        return code;
    }
    assert_int_equal(err.kind, ERR_LOGIN);
    assert_null(claims);
    (void)snprintf(code, sizeof(code), "%s", err.code);
    return code;
}

static void both_algorithms_are_accepted(void **state)
{
    (void)state;
    auto_buf Buf one = BUF_INIT(JWT_MAX);
    auto_buf Buf two = BUF_INIT(JWT_MAX);
    maker_token(&one, "RS256", "r1", CLAIMS, rsa);
    maker_token(&two, "ES256", "e1", CLAIMS, p256);
    assert_string_equal(verdict(buf_str(&one)), "");
    assert_string_equal(verdict(buf_str(&two)), "");
}

static void a_token_without_key_id_is_tried_with_every_key_of_its_algorithm(void **state)
{
    (void)state;
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    maker_add_unsigned(&token, "{\"alg\":\"ES256\"}", CLAIMS);
    maker_sign(&token, p256);
    assert_string_equal(verdict(buf_str(&token)), "");
}

static void no_signature_at_all_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"none\"}", "{\"alg\":\"None\"}", "{\"alg\":\"nOnE\",\"kid\":\"r1\"}",
        "{\"kid\":\"r1\"}",   "{\"alg\":null}",     "{\"alg\":[\"RS256\"]}"};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        auto_buf Buf token = BUF_INIT(JWT_MAX);
        maker_add_unsigned(&token, headers[i], CLAIMS);
        buf_addz(&token, ".AAAA");
        assert_string_equal(verdict(buf_str(&token)), "jwt.algorithm");
    }
}

static void a_hash_keyed_with_the_public_key_is_refused(void **state)
{
    (void)state;
    auto_buf Buf public_key = BUF_INIT(MAKER_TEXT_MAX);
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    unsigned char hash[DIGEST_SIZE];
    maker_add_jwk(&public_key, rsa, "r1", "");
    maker_add_unsigned(&token, "{\"alg\":\"HS256\",\"kid\":\"r1\"}", CLAIMS);
    digest_hmac_sha256(buf_str(&public_key), buf_str(&token), hash);
    buf_addc(&token, '.');
    digest_add_base64url(&token, (Str){(const char *)hash, sizeof(hash)});
    assert_string_equal(verdict(buf_str(&token)), "jwt.algorithm");
}

static void the_algorithm_is_the_key_s_and_not_the_token_s(void **state)
{
    (void)state;
    auto_buf Buf one = BUF_INIT(JWT_MAX);
    auto_buf Buf two = BUF_INIT(JWT_MAX);
    maker_token(&one, "ES256", "r1", CLAIMS, rsa);
    maker_token(&two, "RS256", "e1", CLAIMS, p256);
    assert_string_equal(verdict(buf_str(&one)), "jwt.unknown_key");
    assert_string_equal(verdict(buf_str(&two)), "jwt.unknown_key");
}

static void another_s_signature_is_refused(void **state)
{
    (void)state;
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    maker_token(&token, "RS256", "r1", CLAIMS, stranger);
    assert_string_equal(verdict(buf_str(&token)), "jwt.signature");
}

static void an_unknown_key_id_is_told_apart(void **state)
{
    (void)state;
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    maker_token(&token, "RS256", "r2", CLAIMS, rsa);
    assert_string_equal(verdict(buf_str(&token)), "jwt.unknown_key");
}

static void a_header_with_what_must_be_understood_is_refused(void **state)
{
    (void)state;
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    maker_add_unsigned(&token, "{\"alg\":\"RS256\",\"kid\":\"r1\",\"crit\":[\"exp\"]}", CLAIMS);
    maker_sign(&token, rsa);
    assert_string_equal(verdict(buf_str(&token)), "jwt.algorithm");
}

static void a_changed_byte_anywhere_is_refused(void **state)
{
    (void)state;
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    maker_token(&token, "ES256", "e1", CLAIMS, p256);
    for (size_t i = 0; i < token.len; i++) {
        char was = token.data[i];
        token.data[i] = was == 'A' ? 'B' : 'A';
        assert_string_not_equal(verdict(buf_str(&token)), "");
        token.data[i] = was;
    }
    assert_string_equal(verdict(buf_str(&token)), "");
}

static void every_cut_and_every_addition_is_refused(void **state)
{
    (void)state;
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    maker_token(&token, "ES256", "e1", CLAIMS, p256);
    for (size_t n = 0; n < token.len; n++)
        assert_string_not_equal(verdict((Str){token.data, n}), "");
    static const char *const tails[] = {".", ".AAAA", "A", "=", " ", "\n"};
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        size_t n = token.len;
        buf_addz(&token, tails[i]);
        assert_string_not_equal(verdict(buf_str(&token)), "");
        buf_truncate(&token, n);
    }
}

static void payloads_that_are_no_objects_are_refused(void **state)
{
    (void)state;
    static const char *const payloads[] = {"",  "null", "[]", "\"x\"", "{\"a\":1,\"a\":2}",
                                           "{", "{}x"};
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        auto_buf Buf token = BUF_INIT(JWT_MAX);
        maker_token(&token, "ES256", "e1", payloads[i], p256);
        assert_string_equal(verdict(buf_str(&token)), "jwt.malformed");
    }
}

static void a_token_over_the_limit_is_refused(void **state)
{
    (void)state;
    auto_buf Buf token = BUF_INIT(4 * JWT_MAX);
    for (size_t i = 0; i < JWT_MAX + 1; i++)
        buf_addc(&token, 'A');
    assert_string_equal(verdict(buf_str(&token)), "jwt.malformed");
}

static void keys_of_no_use_are_passed_over(void **state)
{
    (void)state;
    EVP_PKEY *weak = maker_rsa(1024);
    auto_buf Buf text = BUF_INIT(MAKER_TEXT_MAX);
    buf_addz(&text, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},{},5,");
    maker_add_jwk(&text, weak, "weak", "");
    buf_addc(&text, ',');
    maker_add_jwk(&text, rsa, "for-encryption", ",\"use\":\"enc\"");
    buf_addc(&text, ',');
    maker_add_jwk(&text, rsa, "other-algorithm", ",\"alg\":\"PS256\"");
    buf_addz(&text, "]}");
    auto_error Error err = ERROR_INIT;
    JwtKeys *none = NULL;
    assert_int_equal(jwt_keys_read(buf_str(&text), &none, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    assert_null(none);
    EVP_PKEY_free(weak);
}

static void a_point_that_is_not_on_the_curve_is_no_key(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(MAKER_TEXT_MAX);
    unsigned char ones[32];
    memset(ones, 1, sizeof(ones));
    buf_addz(&text, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"");
    digest_add_base64url(&text, (Str){(const char *)ones, sizeof(ones)});
    buf_addz(&text, "\",\"y\":\"");
    digest_add_base64url(&text, (Str){(const char *)ones, sizeof(ones)});
    buf_addz(&text, "\"}]}");
    auto_error Error err = ERROR_INIT;
    JwtKeys *none = NULL;
    assert_int_equal(jwt_keys_read(buf_str(&text), &none, &err), -1);
}

static void peeking_gives_the_claims_of_any_well_formed_token(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_buf Buf token = BUF_INIT(JWT_MAX);
    Json *claims = NULL;
    maker_token(&token, "RS256", "r9", CLAIMS, stranger);
    assert_int_equal(jwt_peek(buf_str(&token), arena, &claims, &err), 0);
    assert_int_equal(json_int(claims, "exp", 0), 4102444800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_algorithms_are_accepted),
        cmocka_unit_test(a_token_without_key_id_is_tried_with_every_key_of_its_algorithm),
        cmocka_unit_test(no_signature_at_all_is_refused),
        cmocka_unit_test(a_hash_keyed_with_the_public_key_is_refused),
        cmocka_unit_test(the_algorithm_is_the_key_s_and_not_the_token_s),
        cmocka_unit_test(another_s_signature_is_refused),
        cmocka_unit_test(an_unknown_key_id_is_told_apart),
        cmocka_unit_test(a_header_with_what_must_be_understood_is_refused),
        cmocka_unit_test(a_changed_byte_anywhere_is_refused),
        cmocka_unit_test(every_cut_and_every_addition_is_refused),
        cmocka_unit_test(payloads_that_are_no_objects_are_refused),
        cmocka_unit_test(a_token_over_the_limit_is_refused),
        cmocka_unit_test(keys_of_no_use_are_passed_over),
        cmocka_unit_test(a_point_that_is_not_on_the_curve_is_no_key),
        cmocka_unit_test(peeking_gives_the_claims_of_any_well_formed_token),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
