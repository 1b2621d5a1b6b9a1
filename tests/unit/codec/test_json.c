/* The JSON tree: reading, changing, comparing. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "codec/json.h"
#include "codec/json_cases.h"

enum { OUT_MAX = 1 << 20, MANY = 20000 };

static Json *parse(Arena *arena, Str text)
{
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    if (json_parse(arena, text, &json_limits_config, &root, &err) < 0)
        fail_msg("%.*s: %s", STR_ARG(text), error_text(&err));
    return root;
}

static void assert_fails(Str text, const JsonLimits *limits, const char *message)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    assert_int_equal(json_parse(arena, text, limits, &root, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    assert_string_equal(error_text(&err), message);
    assert_null(root);
}

static void the_grammar_is_that_of_rfc_8259(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(json_cases); i++) {
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        Json *root = NULL;
        int status = json_parse(arena, json_cases[i].text, &json_limits_config, &root, &err);
        if ((status == 0) != json_cases[i].is_valid)
            fail_msg("case %zu: %.*s: %s", i, STR_ARG(json_cases[i].text), error_text(&err));
    }
}

static void every_type_is_read(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Json *root = parse(arena, STR("{\"n\":null,\"b\":true,\"i\":-5,\"r\":2.5,\"s\":"
                                  "\"a\\n\\u00e9\\ud83d\\ude00\",\"l\":[1,2],\"o\":{}}"));
    assert_int_equal(root->type, JSON_OBJECT);
    assert_int_equal(root->n, 7);
    assert_int_equal(json_get(root, "n")->type, JSON_NULL);
    assert_true(json_bool(root, "b", false));
    assert_int_equal(json_int(root, "i", 0), -5);
    double real = 0;
    assert_true(json_number(json_get(root, "r"), &real) && real == 2.5);
    assert_true(str_eqz(json_text(root, "s", STR_NONE), "a\n\xC3\xA9\xF0\x9F\x98\x80"));
    assert_int_equal(json_get(root, "l")->n, 2);
    assert_int_equal(json_get(root, "l")->last->integer, 2);
    assert_int_equal(json_get(root, "o")->type, JSON_OBJECT);
    assert_null(json_get(root, "x"));
    assert_int_equal(json_int(root, "s", 7), 7);
}

static void a_lone_surrogate_becomes_the_replacement_character(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    assert_true(str_eqz(parse(arena, STR("\"a\\ud83dz\""))->text, "a\xEF\xBF\xBDz"));
    assert_true(str_eqz(parse(arena, STR("\"\\ude00\\ud83d\""))->text, "\xEF\xBF\xBD\xEF\xBF\xBD"));
}

static void nodes_know_their_place(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Json *root = parse(arena, STR("{\n  \"a\": 1,\n  \"b\":\n    [true]\n}"));
    const Json *b = json_get(root, "b");
    assert_int_equal(root->line, 1);
    assert_int_equal(root->column, 1);
    assert_int_equal(b->key_line, 3);
    assert_int_equal(b->key_column, 3);
    assert_int_equal(b->line, 4);
    assert_int_equal(b->column, 5);
    assert_int_equal(b->first->column, 6);
}

static void integers_over_64_bits_are_reals_that_keep_their_digits(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Json *max = parse(arena, STR("9223372036854775807"));
    Json *over = parse(arena, STR("9223372036854775808"));
    assert_int_equal(max->type, JSON_INT);
    assert_true(max->integer == INT64_MAX);
    assert_int_equal(over->type, JSON_REAL);
    assert_true(over->real == 0x1p63);
    assert_true(str_eqz(over->text, "9223372036854775808"));
    assert_int_equal(parse(arena, STR("-9223372036854775808"))->type, JSON_INT);
    assert_true(isinf(parse(arena, STR("1e999"))->real));
}

static void nan_and_infinity_are_read_only_where_allowed(void **state)
{
    (void)state;
    JsonLimits limits = json_limits_config;
    assert_fails(STR("[NaN]"), &limits, "line 1 column 2: expected a value, found 'N'");
    limits.allow_nan = true;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    assert_int_equal(json_parse(arena, STR("[NaN,Infinity,-Infinity]"), &limits, &root, &err), 0);
    assert_true(isnan(root->first->real));
    assert_true(root->last->real == (double)-INFINITY);
}

static void errors_say_where_and_what(void **state)
{
    (void)state;
    const JsonLimits *limits = &json_limits_config;
    assert_fails(STR("{\n \"a\": x}"), limits, "line 2 column 7: expected a value, found 'x'");
    assert_fails(STR("[1"), limits,
                 "line 1 column 3: expected ',' or ']', found the end of the text");
    assert_fails(STR("{\"a\":1,}"), limits,
                 "line 1 column 8: expected a key in double quotes, found '}'");
    assert_fails(STR("[1]\n\nx"), limits, "line 3 column 1: expected nothing more, found 'x'");
    assert_fails(STR("[\"\xFF\"]"), limits, "line 1 column 3: expected UTF-8, found byte 0xFF");
}

static void equal_keys_are_refused_with_both_places(void **state)
{
    (void)state;
    assert_fails(
        STR("{\"a\":1,\n \"b\":2, \"\\u0061\":3}"), &json_limits_config,
        "line 2 column 9: expected a new key, found \"a\" again (first at line 1 column 2)");
}

static void equal_keys_among_many_are_found(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    buf_addc(&text, '{');
    for (int i = 0; i < MANY; i++)
        buf_printf(&text, "\"k%d\":1,", i);
    buf_addz(&text, "\"k7\":2,\"k5\":3}");
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    assert_int_equal(json_parse(arena, buf_str(&text), &json_limits_config, &root, &err), -1);
    assert_non_null(strstr(error_text(&err), "\"k7\" again"));
}

static void the_last_of_equal_keys_wins_where_they_are_allowed(void **state)
{
    (void)state;
    JsonLimits limits = json_limits_config;
    limits.allow_duplicates = true;
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    assert_int_equal(
        json_parse(arena, STR("{\"a\":1,\"b\":2,\"a\":3,\"b\":4}"), &limits, &root, &err), 0);
    assert_int_equal(root->n, 2);
    assert_int_equal(json_int(root, "a", 0), 3);
    assert_int_equal(json_int(root, "b", 0), 4);
    assert_ptr_equal(root->last, json_get(root, "b"));
}

static void depth_nodes_and_bytes_have_ceilings(void **state)
{
    (void)state;
    JsonLimits limits = {.bytes = 20, .depth = 3, .nodes = 5};
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    assert_int_equal(json_parse(arena, STR("[[[1,2]]]"), &limits, &root, &err), 0);
    assert_fails(STR("[[[[]]]]"), &limits, "line 1 column 4: nested deeper than 3 levels");
    assert_fails(STR("[1,2,3,4,5]"), &limits, "line 1 column 10: more than 5 values");
    assert_fails(STR("\"more than twenty bytes\""), &limits,
                 "the document has 24 bytes, over the limit of 20");
}

static void members_can_be_set_replaced_and_removed(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Json *object = json_new(arena, JSON_OBJECT);
    json_set(object, STR("a"), json_new_int(arena, 1));
    json_set(object, STR("b"), json_new_bool(arena, true));
    json_set(object, STR("c"), json_new_str(arena, STR("x")));
    json_set(object, STR("b"), json_new_int(arena, 2));
    json_set(object, STR("c"), json_new_int(arena, 3));
    assert_int_equal(object->n, 3);
    assert_true(str_eqz(object->last->key, "c"));
    assert_int_equal(json_int(object, "b", 0), 2);
    assert_non_null(json_remove(object, STR("c")));
    assert_null(json_remove(object, STR("c")));
    json_set(object, STR("d"), json_new_int(arena, 4));
    assert_int_equal(object->n, 3);
    Json *list = json_new(arena, JSON_ARRAY);
    json_append(list, json_copy(arena, object));
    json_append(list, json_new(arena, JSON_NULL));
    assert_true(json_equal(list->first, object));
    assert_int_equal(list->n, 2);
}

static void equality_ignores_order_of_members_and_form_of_numbers(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    const Json *a = parse(arena, STR("{\"x\":[1,2.0,\"s\"],\"y\":null,\"z\":true}"));
    assert_true(json_equal(a, parse(arena, STR("{\"z\":true,\"y\":null,\"x\":[1.0,2,\"s\"]}"))));
    assert_false(json_equal(a, parse(arena, STR("{\"z\":true,\"y\":0,\"x\":[1.0,2,\"s\"]}"))));
    assert_false(json_equal(a, parse(arena, STR("{\"z\":true,\"w\":null,\"x\":[1.0,2,\"s\"]}"))));
    assert_false(json_equal(parse(arena, STR("[1]")), parse(arena, STR("[1,1]"))));
    assert_false(json_equal(parse(arena, STR("9223372036854775807")),
                            parse(arena, STR("9223372036854775808"))));
    assert_false(json_equal(parse(arena, STR("18446744073709551616")),
                            parse(arena, STR("18446744073709551617"))));
    assert_true(json_equal(NULL, parse(arena, STR("null"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grammar_is_that_of_rfc_8259),
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(a_lone_surrogate_becomes_the_replacement_character),
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(integers_over_64_bits_are_reals_that_keep_their_digits),
        cmocka_unit_test(nan_and_infinity_are_read_only_where_allowed),
        cmocka_unit_test(errors_say_where_and_what),
        cmocka_unit_test(equal_keys_are_refused_with_both_places),
        cmocka_unit_test(equal_keys_among_many_are_found),
        cmocka_unit_test(the_last_of_equal_keys_wins_where_they_are_allowed),
        cmocka_unit_test(depth_nodes_and_bytes_have_ceilings),
        cmocka_unit_test(members_can_be_set_replaced_and_removed),
        cmocka_unit_test(equality_ignores_order_of_members_and_form_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
