/* Hashes and their texts, against the published vectors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/digest.h"

enum { OUT_MAX = 1 << 16 };

static void assert_hex(const unsigned char *digest, const char *hex)
{
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    digest_add_hex(&text, (Str){(const char *)digest, DIGEST_SIZE});
    assert_string_equal(text.data, hex);
}

static void sha256_gives_the_vectors_of_fips_180(void **state)
{
    (void)state;
    char hex[DIGEST_HEX_MAX];
    assert_string_equal(digest_sha256_hex(STR(""), hex),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(digest_sha256_hex(STR_NONE, hex),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(digest_sha256_hex(STR("abc"), hex),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void parts_give_the_digest_of_the_whole(void **state)
{
    (void)state;
    auto_digest Digest *digest = digest_new();
    digest_add(digest, STR("a"));
    digest_add(digest, STR(""));
    digest_add(digest, STR("bc"));
    unsigned char bytes[DIGEST_SIZE];
    digest_finish(digest, bytes);
    assert_hex(bytes, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void hmac_gives_the_vectors_of_rfc_4231(void **state)
{
    (void)state;
    unsigned char bytes[DIGEST_SIZE];
    digest_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), bytes);
    assert_hex(bytes, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    digest_hmac_sha256(STR_NONE, STR_NONE, bytes);
    assert_hex(bytes, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

typedef struct Pair {
    Str bytes;
    const char *base64;
    const char *base64url;
} Pair;

static const Pair pairs[] = {
    {STR(""), "", ""},
    {STR("f"), "Zg==", "Zg"},
    {STR("fo"), "Zm8=", "Zm8"},
    {STR("foo"), "Zm9v", "Zm9v"},
    {STR("foob"), "Zm9vYg==", "Zm9vYg"},
    {STR("\xFB\xEF\xBE\xFF\0"), "++++/wA=", "----_wA"},
};

static void base64_goes_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        auto_buf Buf text = BUF_INIT(OUT_MAX);
        auto_buf Buf bytes = BUF_INIT(OUT_MAX);
        digest_add_base64(&text, pairs[i].bytes);
        assert_string_equal(text.data, pairs[i].base64);
        assert_int_equal(digest_read_base64(buf_str(&text), &bytes), 0);
        assert_true(str_eq(buf_str(&bytes), pairs[i].bytes));
        buf_reset(&text);
        buf_reset(&bytes);
        digest_add_base64url(&text, pairs[i].bytes);
        assert_string_equal(text.data, pairs[i].base64url);
        assert_int_equal(digest_read_base64url(buf_str(&text), &bytes), 0);
        assert_true(str_eq(buf_str(&bytes), pairs[i].bytes));
    }
}

static void other_texts_are_not_base64(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",     "Zg",   "Zg=",      "Zg===",      "Zh==",
                                      "Zm9=",  "=",    "====",     "Z===",       "Zm9v\n",
                                      "Zm 9v", "-_==", "Zg==Zg==", "\xC3\xA9==", "Zm9vZ"};
    static const char *const bad_url[] = {
        "Z", "Zh", "Zm9", "Zg=", "Zg===", "+/==", "Zm9v=", "Zm9vZ", "=", "Zg Zg"};
    auto_buf Buf bytes = BUF_INIT(OUT_MAX);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (digest_read_base64(str_of(bad[i]), &bytes) == 0)
            fail_msg("%s", bad[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad_url); i++)
        if (digest_read_base64url(str_of(bad_url[i]), &bytes) == 0)
            fail_msg("%s", bad_url[i]);
    bytes.len = 0;
    assert_int_equal(digest_read_base64url(STR("Zg=="), &bytes), 0);
}

static void hexadecimal_is_read(void **state)
{
    (void)state;
    auto_buf Buf bytes = BUF_INIT(OUT_MAX);
    assert_int_equal(digest_read_hex(STR("00ffAb"), &bytes), 0);
    assert_true(str_eq(buf_str(&bytes), STR("\0\xFF\xAB")));
    assert_int_equal(digest_read_hex(STR("0"), &bytes), -1);
    assert_int_equal(digest_read_hex(STR("0g"), &bytes), -1);
}

static void equality_is_of_bytes(void **state)
{
    (void)state;
    assert_true(digest_equal(STR("abc"), STR("abc")));
    assert_true(digest_equal(STR_NONE, STR("")));
    assert_false(digest_equal(STR("abc"), STR("abd")));
    assert_false(digest_equal(STR("abc"), STR("ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_vectors_of_fips_180),
        cmocka_unit_test(parts_give_the_digest_of_the_whole),
        cmocka_unit_test(hmac_gives_the_vectors_of_rfc_4231),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(other_texts_are_not_base64),
        cmocka_unit_test(hexadecimal_is_read),
        cmocka_unit_test(equality_is_of_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
