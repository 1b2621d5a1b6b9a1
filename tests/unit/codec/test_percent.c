/* Percent-encoding and query strings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/percent.h"

enum { OUT_MAX = 1 << 16 };

static void only_unreserved_and_safe_characters_stay(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    percent_encode(&buf, STR("aZ09-._~/ +%&=\xC3\xA9\0"), "");
    assert_string_equal(buf.data, "aZ09-._~%2F%20%2B%25%26%3D%C3%A9%00");
    buf_reset(&buf);
    percent_encode(&buf, STR("a/b c"), "/");
    assert_string_equal(buf.data, "a/b%20c");
}

static void decoding_reverses_encoding(void **state)
{
    (void)state;
    Str text = STR("a b/\xC3\xA9?+&=%41");
    auto_error Error err = ERROR_INIT;
    auto_buf Buf encoded = BUF_INIT(OUT_MAX);
    auto_buf Buf decoded = BUF_INIT(OUT_MAX);
    percent_encode(&encoded, text, "");
    assert_int_equal(percent_decode(buf_str(&encoded), true, &decoded, &err), 0);
    assert_true(str_eq(buf_str(&decoded), text));
}

static void a_plus_is_a_space_in_queries_only(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    assert_int_equal(percent_decode(STR("a+%2b"), true, &buf, &err), 0);
    assert_int_equal(percent_decode(STR("a+%2b"), false, &buf, &err), 0);
    assert_string_equal(buf.data, "a +a++");
}

static void bad_escapes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"%",   "%4",  "a%4", "%G0",       "%0G", "%%41",
                                      "%00", "%FF", "%C3", "%ED%A0%80", "\xFF"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        auto_error Error err = ERROR_INIT;
        auto_buf Buf buf = BUF_INIT(OUT_MAX);
        assert_int_equal(percent_decode(str_of(bad[i]), false, &buf, &err), -1);
        assert_int_equal(err.kind, ERR_BAD_DATA);
    }
    auto_error Error err = ERROR_INIT;
    auto_buf Buf small = BUF_INIT(2);
    assert_int_equal(percent_decode(STR("abc"), false, &small, &err), -1);
}

static void queries_are_built_and_taken_apart(void **state)
{
    (void)state;
    auto_buf Buf url = BUF_INIT(OUT_MAX);
    buf_addz(&url, "/x?");
    percent_add_pair(&url, STR("q"), STR("a b"));
    percent_add_pair(&url, STR("r&"), STR(""));
    assert_string_equal(url.data, "/x?q=a%20b&r%26=");
    Str query = STR("a=1&&b&=c&d=e=f&");
    static const char *const names[] = {"a", "b", "", "d"};
    static const char *const values[] = {"1", "", "c", "e=f"};
    Str name = STR_NONE;
    Str value = STR_NONE;
    size_t n = 0;
    while (percent_next_pair(&query, &name, &value)) {
        assert_true(str_eqz(name, names[n]) && str_eqz(value, values[n]));
        n++;
    }
    assert_int_equal(n, 4);
}

static void a_value_is_found_by_its_name(void **state)
{
    (void)state;
    Str query = STR("a=1&%62=x+y&b=2&c=%zz");
    auto_error Error err = ERROR_INIT;
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    bool is_found = false;
    assert_int_equal(percent_query_get(query, "b", &buf, &is_found, &err), 0);
    assert_true(is_found);
    assert_string_equal(buf.data, "x y");
    assert_int_equal(percent_query_get(query, "d", &buf, &is_found, &err), 0);
    assert_false(is_found);
    assert_int_equal(percent_query_get(query, "c", &buf, &is_found, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_unreserved_and_safe_characters_stay),
        cmocka_unit_test(decoding_reverses_encoding),
        cmocka_unit_test(a_plus_is_a_space_in_queries_only),
        cmocka_unit_test(bad_escapes_are_refused),
        cmocka_unit_test(queries_are_built_and_taken_apart),
        cmocka_unit_test(a_value_is_found_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
