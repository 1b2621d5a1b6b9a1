/* The streaming writer. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/json_out.h"

enum { OUT_MAX = 1 << 16, RANDOM_NUMBERS = 20000 };

static void commas_and_nesting_are_written(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    JsonOut out;
    json_out_init(&out, &buf, 0);
    json_out_object(&out);
    json_out_kv_int(&out, "a", -1);
    json_out_kv_array(&out, "b");
    json_out_bool(&out, true);
    json_out_null(&out);
    json_out_object(&out);
    json_out_end_object(&out);
    json_out_array(&out);
    json_out_end_array(&out);
    json_out_end_array(&out);
    json_out_kvz(&out, "c", NULL);
    json_out_kvz(&out, "d", "x");
    json_out_kv_time(&out, "t", 0);
    json_out_key(&out, STR("r"));
    json_out_raw(&out, STR("[1]"));
    json_out_end_object(&out);
    assert_string_equal(buf.data, "{\"a\":-1,\"b\":[true,null,{},[]],\"c\":null,\"d\":\"x\","
                                  "\"t\":\"1970-01-01T00:00:00Z\",\"r\":[1]}");
}

static void indented_output_breaks_lines(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    JsonOut out;
    json_out_init(&out, &buf, 2);
    json_out_object(&out);
    json_out_kv_array(&out, "a");
    json_out_int(&out, 1);
    json_out_int(&out, 2);
    json_out_end_array(&out);
    json_out_kv_object(&out, "b");
    json_out_end_object(&out);
    json_out_end_object(&out);
    assert_string_equal(buf.data, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
}

static void strings_are_escaped_and_made_utf8(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    JsonOut out;
    json_out_init(&out, &buf, 0);
    json_out_array(&out);
    json_out_str(&out, STR("a\"\\\b\f\n\r\t\x01\0z"));
    json_out_str(&out, STR("\xC3\xA9\xFF\xE2\x82|\x80"));
    json_out_str(&out, STR_NONE);
    json_out_str(&out, STR(""));
    json_out_end_array(&out);
    assert_string_equal(buf.data,
                        "[\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u0000z\","
                        "\"\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD|\xEF\xBF\xBD\",null,\"\"]");
}

static void what_needs_an_escape_is_found_at_every_place(void **state)
{
    (void)state;
    for (int c = 1; c < 0x80; c++)
        for (size_t at = 0; at < 17; at++) {
            char text[] = "aaaaaaaaaaaaaaaaa";
            text[at] = (char)c;
            auto_arena Arena *arena = arena_new();
            auto_error Error err = ERROR_INIT;
            auto_buf Buf buf = BUF_INIT(OUT_MAX);
            Json *node = NULL;
            JsonOut out;
            json_out_init(&out, &buf, 0);
            json_out_str(&out, str_of(text));
            assert_int_equal(json_parse(arena, buf_str(&buf), &json_limits_config, &node, &err), 0);
            assert_true(str_eqz(node->text, text));
        }
}

static void assert_real(double value, const char *text)
{
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    JsonOut out;
    json_out_init(&out, &buf, 0);
    json_out_real(&out, value);
    assert_string_equal(buf.data, text);
}

static void reals_are_short_and_stay_reals(void **state)
{
    (void)state;
    assert_real(0.1, "0.1");
    assert_real(1, "1.0");
    assert_real(-0.0, "-0.0");
    assert_real(0.1 + 0.2, "0.30000000000000004");
    assert_real(1e22, "1e+22");
    assert_real(100000, "100000.0");
    assert_real(5e-324, "5e-324");
    assert_real(0, "0.0");
    assert_real(NAN, "null");
    assert_real(-INFINITY, "null");
}

static void reals_read_back_equal(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252U;
    for (int i = 0; i < RANDOM_NUMBERS; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double value = 0;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        auto_buf Buf buf = BUF_INIT(OUT_MAX);
        JsonOut out;
        json_out_init(&out, &buf, 0);
        json_out_real(&out, value);
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        Json *node = NULL;
        assert_int_equal(json_parse(arena, buf_str(&buf), &json_limits_config, &node, &err), 0);
        assert_int_equal(node->type, JSON_REAL);
        assert_true(node->real == value);
        assert_true(node->real == strtod(buf.data, NULL));
    }
}

/* As printf has it with the fewest digits, of 15 at least, that read back equal. */
static void expect_real(double value)
{
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    for (int precision = 15; precision <= 17; precision++) {
        buf_reset(&text);
        buf_printf(&text, "%.*g", precision, value);
        if (strtod(text.data, NULL) == value)
            break;
    }
    if (!strpbrk(text.data, ".e"))
        buf_addz(&text, ".0");
    assert_real(value, text.data);
}

static void reals_of_few_digits_are_written_as_printf_does(void **state)
{
    (void)state;
    static const double edges[] = {1e-4, 9.99999999999999e-5,  99999999999999.9,  999999999999999,
                                   1e15, 123456789012345678.0, 0.999999999999999, 0.1 + 0.7};
    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        expect_real(edges[i]);
        expect_real(-edges[i]);
    }
    uint64_t bits = 88172645463325252U;
    for (int i = 0; i < RANDOM_NUMBERS; i++) {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        double scale = pow(10, (double)(bits % 25));
        expect_real((double)(int64_t)bits / scale);
        expect_real((double)(bits % 1000000) / scale);
        expect_real((double)(bits % 1000000000000000) / scale);
    }
}

static void reals_that_another_has_written_stay_reals(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"1", "1.0"}, {"-0.5", "-0.5"}, {"1e-07", "1e-07"}, {"NaN", "null"}, {"-Infinity", "null"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_buf Buf buf = BUF_INIT(OUT_MAX);
        JsonOut out;
        json_out_init(&out, &buf, 0);
        json_out_real_text(&out, str_of(rows[i][0]));
        assert_string_equal(buf.data, rows[i][1]);
    }
}

static void a_tree_is_written_as_it_was_read(void **state)
{
    (void)state;
    Str text = STR("{\"a\":[1,-0,1.50,1E2,123456789012345678901234567890,1e999],\"b\":{\"\":"
                   "\"\\n\"},\"c\":null,\"d\":false}");
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *node = NULL;
    assert_int_equal(json_parse(arena, text, &json_limits_config, &node, &err), 0);
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    JsonOut out;
    json_out_init(&out, &buf, 0);
    json_out_node(&out, node);
    assert_string_equal(buf.data, text.p);
}

static void numbers_that_json_has_no_form_for_become_null(void **state)
{
    (void)state;
    JsonLimits limits = json_limits_config;
    limits.allow_nan = true;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *node = NULL;
    assert_int_equal(json_parse(arena, STR("[NaN,-Infinity,1]"), &limits, &node, &err), 0);
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    JsonOut out;
    json_out_init(&out, &buf, 0);
    json_out_node(&out, node);
    assert_string_equal(buf.data, "[null,null,1]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_nesting_are_written),
        cmocka_unit_test(indented_output_breaks_lines),
        cmocka_unit_test(strings_are_escaped_and_made_utf8),
        cmocka_unit_test(what_needs_an_escape_is_found_at_every_place),
        cmocka_unit_test(reals_are_short_and_stay_reals),
        cmocka_unit_test(reals_read_back_equal),
        cmocka_unit_test(reals_of_few_digits_are_written_as_printf_does),
        cmocka_unit_test(reals_that_another_has_written_stay_reals),
        cmocka_unit_test(a_tree_is_written_as_it_was_read),
        cmocka_unit_test(numbers_that_json_has_no_form_for_become_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
