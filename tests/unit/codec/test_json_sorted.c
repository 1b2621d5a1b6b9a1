/* Documents in sorted form, as Python's json.dumps(sort_keys=True) writes them, and their hashes.
 */
#include "cmocka_all.h"

#include "codec/json_sorted.h"
#include "codec/murmur3.h"

enum { OUT_MAX = 1 << 20 };

static void expect_sorted(const char *json, const char *expected)
{
    auto_buf Buf out = BUF_INIT(OUT_MAX);
    if (!json_sorted_add(str_of(json), &out))
        fail_msg("%s is refused", json);
    assert_string_equal(out.data, expected);
}

static void keys_come_in_the_order_of_their_code_points(void **state)
{
    (void)state;
    expect_sorted("{\"b\":1,\"a\":{\"z\":[],\"y\":{}},\"\\u00e9\":2,\"Z\":null,\"aa\":true}",
                  "{\"Z\": null, \"a\": {\"y\": {}, \"z\": []}, \"aa\": true, \"b\": 1, "
                  "\"\\u00e9\": 2}");
}

static void of_equal_keys_the_last_counts(void **state)
{
    (void)state;
    expect_sorted("{\"a\":1,\"b\":2,\"\\u0061\":3}", "{\"a\": 3, \"b\": 2}");
}

static void all_but_ascii_is_escaped(void **state)
{
    (void)state;
    expect_sorted("\"\xC3\xA9\xF0\x9F\x98\x80\x7F\\u001f\\\"\\/\\b\\f\\n\\r\\t\\\\ \xE2\x82\xAC\"",
                  "\"\\u00e9\\ud83d\\ude00\\u007f\\u001f\\\"/\\b\\f\\n\\r\\t\\\\ \\u20ac\"");
}

static void numbers_are_written_as_python_reads_them(void **state)
{
    (void)state;
    expect_sorted("[1e2,1E22,1e16,123456789012345680.0,0.00001,1.5e-4,5e-324,-0.0,-0,0.1,1.10,100,"
                  "-12.5,1e400,-1e400,NaN,Infinity,-Infinity,123456789012345678901234567890,1e15,"
                  "3.0e0,2.675]",
                  "[100.0, 1e+22, 1e+16, 1.2345678901234568e+17, 1e-05, 0.00015, 5e-324, -0.0, 0, "
                  "0.1, 1.1, 100, -12.5, Infinity, -Infinity, NaN, Infinity, -Infinity, "
                  "123456789012345678901234567890, 1000000000000000.0, 3.0, 2.675]");
}

static void what_is_nested_too_deep_or_has_too_many_members_is_refused(void **state)
{
    (void)state;
    auto_buf Buf json = BUF_INIT(OUT_MAX);
    auto_buf Buf out = BUF_INIT(OUT_MAX);
    for (int i = 0; i <= JSON_SORTED_DEPTH_MAX; i++)
        buf_addc(&json, '[');
    for (int i = 0; i <= JSON_SORTED_DEPTH_MAX; i++)
        buf_addc(&json, ']');
    assert_false(json_sorted_add(buf_str(&json), &out));
    assert_true(json_sorted_add(str_slice(buf_str(&json), 1, json.len - 1), &out));
    buf_reset(&json);
    for (int i = 0; i <= JSON_SORTED_MEMBERS_MAX; i++)
        buf_addz(&json, i == 0 ? "{\"a\":1" : ",\"a\":1");
    buf_addc(&json, '}');
    assert_false(json_sorted_add(buf_str(&json), &out));
}

static void hashes_are_those_of_other_makers(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "00000000000000000000000000000000"},
        {"a", "85555565f6597889e6b53a48510e895a"},
        {"attachment", "396ad5f99de14e1bc318b30567e4957b"},
        {"0123456789abcdef", "4be06d94cf4ad1a787c35b5c63a708da"},
        {"0123456789abcdefg", "8e32612daa45f9de0800f4c206c372ee"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char hex[MURMUR3_HEX_MAX];
        assert_string_equal(murmur3_hex(murmur3_of(str_of(cases[i][0])), hex), cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_in_the_order_of_their_code_points),
        cmocka_unit_test(of_equal_keys_the_last_counts),
        cmocka_unit_test(all_but_ascii_is_escaped),
        cmocka_unit_test(numbers_are_written_as_python_reads_them),
        cmocka_unit_test(what_is_nested_too_deep_or_has_too_many_members_is_refused),
        cmocka_unit_test(hashes_are_those_of_other_makers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
