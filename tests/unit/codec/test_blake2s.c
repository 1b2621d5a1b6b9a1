/* BLAKE2s against published digests and those of Python's hashlib. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "codec/blake2s.h"
#include "codec/digest.h"

static void assert_hash(Str bytes, size_t size, const char *hex)
{
    unsigned char hash[BLAKE2S_MAX];
    auto_buf Buf text = BUF_INIT(2 * BLAKE2S_MAX);
    blake2s_hash(bytes, hash, size);
    digest_add_hex(&text, (Str){(const char *)hash, size});
    assert_string_equal(text.data, hex);
}

static void hash_is_that_of_rfc_7693(void **state)
{
    (void)state;
    assert_hash(STR("abc"), 32, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
}

static void shorter_hashes_are_hashes_of_their_own(void **state)
{
    (void)state;
    assert_hash(STR_NONE, 16, "64550d6ffe2c0a01a14aba1eade0200c");
    auto_buf Buf many = BUF_INIT(1000);
    for (int i = 0; i < 100; i++)
        buf_addz(&many, "abc");
    assert_hash(buf_str(&many), 16, "8a2d543f80713e0ece05272c31df3e51");
}

static void whole_blocks_end_with_a_whole_block(void **state)
{
    (void)state;
    auto_buf Buf block = BUF_INIT(1000);
    for (int i = 0; i < 128; i++)
        buf_addc(&block, 'x');
    assert_hash(buf_str(&block), 16, "00bbd0762aa056f1bb6aa2962c63ef3d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_that_of_rfc_7693),
        cmocka_unit_test(shorter_hashes_are_hashes_of_their_own),
        cmocka_unit_test(whole_blocks_end_with_a_whole_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
