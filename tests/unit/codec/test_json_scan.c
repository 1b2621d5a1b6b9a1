/* The cursor: grammar, walking, slices, and that its plain and its fast form agree with each other
 * and with the tree. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/json_cases.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"

enum { OUT_MAX = 4 << 20, RANDOM_DOCUMENTS = 1500, SOUPS = 20000, CHANGES = 4 };

static int scan_plain(Str text, Error *err)
{
    JsonScan scan;
    json_scan_init(&scan, text, false);
    json_scan_use_plain(&scan);
    return json_scan_end(&scan, err);
}

/* Both forms must say the same, to the byte; returns their verdict. */
static bool agreed_verdict(Str text)
{
    /* An exact-size copy, so that a read past the end is seen by the address sanitizer. */
    auto_free char *copy = mem_alloc(text.n ? text.n : 1);
    memcpy(copy, text.p, text.n);
    Str exact = {copy, text.n};
    auto_error Error wide_err = ERROR_INIT;
    auto_error Error plain_err = ERROR_INIT;
    int wide = json_scan_valid(exact, false, &wide_err);
    int plain = scan_plain(exact, &plain_err);
    assert_int_equal(wide, plain);
    assert_string_equal(error_text(&wide_err), error_text(&plain_err));
    return wide == 0;
}

static bool tree_verdict(Str text)
{
    JsonLimits limits = {
        .bytes = OUT_MAX, .depth = JSON_SCAN_DEPTH_MAX, .nodes = OUT_MAX, .allow_duplicates = true};
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    return json_parse(arena, text, &limits, &root, &err) == 0;
}

static void the_grammar_is_that_of_rfc_8259(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(json_cases); i++)
        if (agreed_verdict(json_cases[i].text) != json_cases[i].is_valid)
            fail_msg("case %zu: %.*s", i, STR_ARG(json_cases[i].text));
}

static void the_grammar_holds_at_every_offset_in_a_block(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(json_cases); i++)
        for (size_t padding = 1; padding < 132; padding += 1 + padding / 70) {
            auto_buf Buf text = BUF_INIT(OUT_MAX);
            buf_printf(&text, "[\"%0*d\",", (int)padding, 0);
            buf_add_str(&text, json_cases[i].text);
            buf_printf(&text, ",\"%0*d\"]", 40, 0);
            if (agreed_verdict(buf_str(&text)) != tree_verdict(buf_str(&text)))
                fail_msg("case %zu: %s", i, text.data);
        }
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

static void add_random_string(Buf *buf, uint64_t *seed)
{
    static const char *const parts[] = {"plain",
                                        "\\n",
                                        "\\\"",
                                        "\\u00e9",
                                        "\\ud83d\\ude00",
                                        "\xC3\xA9",
                                        "\xE2\x82\xAC",
                                        "\xF0\x9F\x98\x80",
                                        "a longer part of plain text, over a block in length",
                                        " ",
                                        "\xED\x9F\xBF",
                                        "\xE0\xA0\x80",
                                        "\xF4\x8F\xBF\xBF",
                                        "\\\\"};
    buf_addc(buf, '"');
    for (uint64_t n = random_next(seed) % 8; n > 0; n--)
        buf_addz(buf, parts[random_next(seed) % ARRAY_LEN(parts)]);
    buf_addc(buf, '"');
}

static void add_random_space(Buf *buf, uint64_t *seed)
{
    static const char *const spaces[] = {"",       "", "", "", " ", "\n", "\n                    ",
                                         "\t\r\n "};
    buf_addz(buf, spaces[random_next(seed) % ARRAY_LEN(spaces)]);
}

static void add_random_value(Buf *buf, uint64_t *seed, int depth)
{
    static const char *const scalars[] = {"null", "true",    "false", "0",
                                          "-1",   "12.5e-3", "1E400", "123456789012345678901"};
    add_random_space(buf, seed);
    uint64_t kind = random_next(seed) % (depth > 0 ? 4 : 2);
    if (kind == 0) {
        buf_addz(buf, scalars[random_next(seed) % ARRAY_LEN(scalars)]);
    } else if (kind == 1) {
        add_random_string(buf, seed);
    } else {
        uint64_t n = random_next(seed) % 6;
        buf_addc(buf, kind == 2 ? '[' : '{');
        add_random_space(buf, seed);
        for (uint64_t i = 0; i < n; i++) {
            if (i > 0)
                buf_addc(buf, ',');
            add_random_space(buf, seed);
            if (kind == 3) {
                add_random_string(buf, seed);
                add_random_space(buf, seed);
                buf_addc(buf, ':');
            }
            add_random_value(buf, seed, depth - 1);
        }
        buf_addc(buf, kind == 2 ? ']' : '}');
    }
    add_random_space(buf, seed);
}

static void random_documents_are_valid_and_broken_ones_get_the_same_verdict(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252U;
    for (int i = 0; i < RANDOM_DOCUMENTS; i++) {
        auto_buf Buf text = BUF_INIT(OUT_MAX);
        add_random_value(&text, &seed, 5);
        assert_true(agreed_verdict(buf_str(&text)));
        assert_true(tree_verdict(buf_str(&text)));
        for (int k = 0; k < CHANGES; k++) {
            static const char bytes[] = "\"\\{}[]:,x1 \n\x80\xFF\xE2\x01";
            text.data[random_next(&seed) % text.len] =
                bytes[random_next(&seed) % (sizeof(bytes) - 1)];
            if (agreed_verdict(buf_str(&text)) != tree_verdict(buf_str(&text)))
                fail_msg("%s", text.data);
        }
        Str cut = str_slice(buf_str(&text), 0, random_next(&seed) % text.len);
        assert_int_equal(agreed_verdict(cut), tree_verdict(cut));
    }
}

/* A string of bytes that matter, near the seams of blocks. */
static void add_soup(Buf *text, int i, uint64_t *seed)
{
    static const Str kitchens[] = {
        STR("\\\\\\\"\"nu0aF "),
        STR("\x80\x8F\x90\x9F\xA0\xBF\xC1\xC2\xDF\xE0\xE1\xED\xEF\xF0\xF1\xF4\xF5z"),
        STR("\xE2\x82\xAC\xC3\xA9\xF0\x9F\x98\x80"),
        STR("\",:[]{}1-. \n\\e"),
    };
    Str kitchen = kitchens[i % ARRAY_LEN(kitchens)];
    buf_printf(text, "\"%0*d", (int)(random_next(seed) % 140 + 1), 0);
    for (uint64_t n = random_next(seed) % 6; n > 0; n--)
        buf_addc(text, kitchen.p[random_next(seed) % kitchen.n]);
    buf_addc(text, '"');
}

static void soups_of_bytes_get_the_same_verdict(void **state)
{
    (void)state;
    uint64_t seed = 1181783497276652981U;
    size_t n_valid = 0;
    for (int i = 0; i < SOUPS; i++) {
        auto_buf Buf text = BUF_INIT(OUT_MAX);
        buf_addc(&text, '[');
        add_soup(&text, i, &seed);
        buf_printf(&text, ",\"%0*d\"]", (int)(random_next(&seed) % 70 + 1), 0);
        bool is_valid = agreed_verdict(buf_str(&text));
        n_valid += is_valid;
        if (is_valid != tree_verdict(buf_str(&text)))
            fail_msg("%s", text.data);
    }
    assert_true(n_valid > 0 && n_valid < SOUPS);
}

/* Strings outside of containers are passed in another way than those inside. */
static void strings_alone_get_the_same_verdict(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252U;
    size_t n_valid = 0;
    for (int i = 0; i < SOUPS; i++) {
        auto_buf Buf text = BUF_INIT(OUT_MAX);
        add_soup(&text, i, &seed);
        buf_truncate(&text, text.len - 1);
        buf_printf(&text, "%0*d\"", (int)(random_next(&seed) % 140 + 1), 0);
        bool is_valid = agreed_verdict(buf_str(&text));
        n_valid += is_valid;
        if (is_valid != tree_verdict(buf_str(&text)))
            fail_msg("%s", text.data);
        Str cut = str_slice(buf_str(&text), 0, random_next(&seed) % text.len);
        assert_int_equal(agreed_verdict(cut), tree_verdict(cut));
    }
    assert_true(n_valid > 0 && n_valid < SOUPS);
}

/* Rebuilds a document by walking it, in another way at every level. */
static void rebuild(JsonScan *scan, JsonOut *out, Arena *arena)
{
    JsonScanKind kind = json_scan_kind(scan);
    Str raw = STR_NONE;
    Str key = STR_NONE;
    Str text = STR_NONE;
    if (kind == JSON_SCAN_OBJECT) {
        json_out_object(out);
        assert_true(json_scan_object(scan));
        while (json_scan_member(scan, &key)) {
            auto_buf Buf quoted = BUF_INIT(OUT_MAX);
            buf_printf(&quoted, "\"%.*s\"", STR_ARG(key));
            assert_true(json_scan_str(buf_str(&quoted), arena, &text));
            json_out_key(out, arena_str(arena, text));
            rebuild(scan, out, arena);
        }
        json_out_end_object(out);
    } else if (kind == JSON_SCAN_ARRAY) {
        json_out_array(out);
        assert_true(json_scan_array(scan));
        while (json_scan_item(scan))
            rebuild(scan, out, arena);
        json_out_end_array(out);
    } else if (kind == JSON_SCAN_STRING) {
        assert_true(json_scan_skip(scan, &raw));
        assert_true(json_scan_str(raw, arena, &text));
        json_out_str(out, text);
    } else {
        assert_true(json_scan_skip(scan, &raw));
        json_out_raw(out, raw);
    }
}

static void walking_gives_what_the_tree_has(void **state)
{
    (void)state;
    JsonLimits limits = {
        .bytes = OUT_MAX, .depth = 100, .nodes = OUT_MAX, .allow_duplicates = false};
    uint64_t seed = 4101842887655102017U;
    for (int i = 0; i < RANDOM_DOCUMENTS; i++) {
        auto_buf Buf text = BUF_INIT(OUT_MAX);
        add_random_value(&text, &seed, 4);
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        Json *root = NULL;
        if (json_parse(arena, buf_str(&text), &limits, &root, &err) < 0)
            continue; /* equal keys */
        JsonOut out;
        auto_buf Buf by_tree = BUF_INIT(OUT_MAX);
        json_out_init(&out, &by_tree, 0);
        json_out_node(&out, root);
        auto_buf Buf by_scan = BUF_INIT(OUT_MAX);
        json_out_init(&out, &by_scan, 0);
        JsonScan scan;
        json_scan_init(&scan, buf_str(&text), false);
        rebuild(&scan, &out, arena);
        assert_int_equal(json_scan_end(&scan, &err), 0);
        assert_string_equal(by_tree.data, by_scan.data);
    }
}

static void members_are_named_and_values_sliced(void **state)
{
    (void)state;
    JsonScan scan;
    json_scan_init(&scan, STR(" { \"a\" : [1, {\"x\": 2}] , \"b\":\"s\\n\",\"c\" : -1.5e2 } "),
                   false);
    static const char *const keys[] = {"a", "b", "c"};
    static const char *const values[] = {"[1, {\"x\": 2}]", "\"s\\n\"", "-1.5e2"};
    static const JsonScanKind kinds[] = {JSON_SCAN_ARRAY, JSON_SCAN_STRING, JSON_SCAN_NUMBER};
    Str key = STR_NONE;
    Str raw = STR_NONE;
    size_t n = 0;
    assert_true(json_scan_object(&scan));
    while (json_scan_member(&scan, &key)) {
        assert_true(str_eqz(key, keys[n]));
        assert_int_equal(json_scan_kind(&scan), kinds[n]);
        assert_true(json_scan_skip(&scan, &raw));
        assert_int_equal(json_scan_kind_of(raw), kinds[n]);
        assert_true(str_eqz(raw, values[n]));
        n++;
    }
    assert_int_equal(n, 3);
    auto_error Error err = ERROR_INIT;
    assert_int_equal(json_scan_end(&scan, &err), 0);
}

static void values_that_are_not_read_are_skipped(void **state)
{
    (void)state;
    JsonScan scan;
    json_scan_init(&scan,
                   STR("{\"a\":[[1],{}],\"b\":[1,[2,3],4],\"c\":{\"d\":[5,6],\"e\":7},\"f\":8}"),
                   false);
    Str key = STR_NONE;
    Str raw = STR_NONE;
    int n = 0;
    assert_true(json_scan_object(&scan));
    while (json_scan_member(&scan, &key)) {
        n++;
        if (json_scan_key_eq(key, "b") && json_scan_array(&scan))
            while (json_scan_item(&scan))
                n++;
        if (json_scan_key_eq(key, "c")) {
            assert_true(json_scan_object(&scan) && json_scan_member(&scan, &key));
            assert_true(json_scan_array(&scan) && json_scan_item(&scan));
            assert_true(json_scan_leave(&scan) && json_scan_leave(&scan));
        }
        if (json_scan_key_eq(key, "f"))
            assert_true(json_scan_skip(&scan, &raw));
    }
    assert_int_equal(n, 7);
    assert_true(str_eqz(raw, "8"));
    auto_error Error err = ERROR_INIT;
    assert_int_equal(json_scan_end(&scan, &err), 0);
}

static void end_checks_what_was_left_unread(void **state)
{
    (void)state;
    static const char *const texts[] = {"[[1,{\"a\":[2]", "[[1,{\"a\":[2]}]", "[[1,{\"a\":[2]}]]x",
                                        "[[1,{\"a\":[2],}]]"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        JsonScan scan;
        json_scan_init(&scan, str_of(texts[i]), false);
        assert_true(json_scan_array(&scan) && json_scan_item(&scan) && json_scan_array(&scan) &&
                    json_scan_item(&scan));
        auto_error Error err = ERROR_INIT;
        assert_int_equal(json_scan_end(&scan, &err), -1);
    }
}

static void the_first_failure_sticks_and_names_its_byte(void **state)
{
    (void)state;
    JsonScan scan;
    json_scan_init(&scan, STR("{\"a\":1,\"b\":tru,\"c\":}"), false);
    Str key = STR_NONE;
    Str raw = STR_NONE;
    assert_true(json_scan_object(&scan));
    while (json_scan_member(&scan, &key))
        (void)json_scan_skip(&scan, &raw);
    assert_false(json_scan_member(&scan, &key));
    assert_false(json_scan_skip(&scan, &raw));
    assert_false(json_scan_object(&scan));
    assert_int_equal(json_scan_kind(&scan), JSON_SCAN_NONE);
    auto_error Error err = ERROR_INIT;
    assert_int_equal(json_scan_end(&scan, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    assert_string_equal(error_text(&err), "byte 11: expected a value, found 't'");
}

static void another_type_than_expected_is_a_failure(void **state)
{
    (void)state;
    JsonScan scan;
    json_scan_init(&scan, STR(" [1]"), false);
    assert_false(json_scan_object(&scan));
    auto_error Error err = ERROR_INIT;
    assert_int_equal(json_scan_check(&scan, &err), -1);
    assert_string_equal(error_text(&err), "byte 1: expected an object, found '['");
}

static void depth_is_bounded(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(OUT_MAX);
    for (int i = 0; i < JSON_SCAN_DEPTH_MAX; i++)
        buf_addz(&text, i % 2 ? "{\"a\":" : "[");
    buf_addc(&text, '1');
    for (int i = JSON_SCAN_DEPTH_MAX - 1; i >= 0; i--)
        buf_addc(&text, i % 2 ? '}' : ']');
    assert_true(agreed_verdict(buf_str(&text)));
    auto_buf Buf deeper = BUF_INIT(OUT_MAX);
    buf_printf(&deeper, "[%s]", text.data);
    assert_false(agreed_verdict(buf_str(&deeper)));
    buf_reset(&deeper);
    for (int i = 0; i < 1000000; i++)
        buf_addc(&deeper, '[');
    assert_false(agreed_verdict(buf_str(&deeper)));
}

static void numbers_are_read(void **state)
{
    (void)state;
    int64_t integer = 0;
    double real = 0;
    assert_true(json_scan_i64(STR("-9223372036854775808"), &integer) && integer == INT64_MIN);
    assert_false(json_scan_i64(STR("9223372036854775808"), &integer));
    assert_false(json_scan_i64(STR("1.0"), &integer));
    assert_false(json_scan_i64(STR("01"), &integer));
    assert_false(json_scan_i64(STR("\"1\""), &integer));
    assert_true(json_scan_double(STR("9223372036854775808"), &real) && real == 0x1p63);
    assert_true(json_scan_double(STR("-0.1"), &real) && real == -0.1);
    assert_true(json_scan_double(STR("2.2250738585072011e-308"), &real) &&
                real == 2.2250738585072011e-308);
    assert_true(json_scan_double(STR("1e400"), &real) && isinf(real));
    assert_true(json_scan_double(STR("123456789012345678e-5"), &real) &&
                real == 123456789012345678e-5);
    assert_false(json_scan_double(STR("true"), &real));
    assert_false(json_scan_double(STR("0x1p3"), &real));
}

static void nan_and_infinity_are_taken_where_allowed(void **state)
{
    (void)state;
    Str text = STR("[NaN,Infinity,-Infinity,-1]");
    auto_error Error err = ERROR_INIT;
    assert_int_equal(json_scan_valid(text, true, &err), 0);
    assert_int_equal(json_scan_valid(text, false, &err), -1);
    error_reset(&err);
    static const char *const bad[] = {"-NaN",      "+Infinity", "Inf", "--Infinity", "NaN1",
                                      "Infinity-", "-I",        "nan", "-"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(json_scan_valid(str_of(bad[i]), true, &err), -1);
        error_reset(&err);
    }
    double real = 0;
    assert_true(json_scan_double(STR("NaN"), &real) && isnan(real));
    assert_true(json_scan_double(STR("-Infinity"), &real) && real == (double)-INFINITY);
    assert_int_equal(json_scan_kind_of(STR("-Infinity")), JSON_SCAN_NUMBER);
    assert_int_equal(json_scan_kind_of(STR("NaN")), JSON_SCAN_NUMBER);
}

static void strings_are_unescaped(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Str text = STR_NONE;
    Str plain = STR("\"plain\"");
    assert_true(json_scan_str(plain, arena, &text) && str_eqz(text, "plain"));
    assert_ptr_equal(text.p, plain.p + 1);
    assert_true(json_scan_str(
        STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\""), arena, &text));
    assert_true(str_eqz(text, "\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
    assert_true(json_scan_str(STR("\"\\ud83d\\ud83d\\ude00\\ude00x\\ud83d\\n\""), arena, &text));
    assert_true(str_eqz(text, "\xEF\xBF\xBD\xF0\x9F\x98\x80\xEF\xBF\xBDx\xEF\xBF\xBD\n"));
    assert_false(json_scan_str(STR("1"), arena, &text));
    assert_false(json_scan_str(STR("\""), arena, &text));
    auto_buf Buf buf = BUF_INIT(OUT_MAX);
    buf_addc(&buf, '<');
    assert_true(json_scan_add_str(STR("\"a\\u0000b\""), &buf) &&
                json_scan_add_str(STR("\"c\""), &buf));
    assert_true(str_eq(buf_str(&buf), STR("<a\0bc")));
    bool is_true = false;
    assert_true(json_scan_bool(STR("true"), &is_true) && is_true);
    assert_true(json_scan_bool(STR("false"), &is_true) && !is_true);
    assert_false(json_scan_bool(STR("null"), &is_true));
}

static void keys_are_compared_by_what_they_mean(void **state)
{
    (void)state;
    assert_true(json_scan_key_eq(STR("id"), "id"));
    assert_true(json_scan_key_eq(STR("\\u0069\\u0064"), "id"));
    assert_true(json_scan_key_eq(STR("a\\\\b"), "a\\b"));
    assert_true(json_scan_key_eq(STR(""), ""));
    assert_false(json_scan_key_eq(STR("a\\b"), "a\\b"));
    assert_false(json_scan_key_eq(STR("ids"), "id"));
    assert_false(json_scan_key_eq(STR("\\u0069\\u0065"), "id"));
}

static void a_member_can_be_looked_up(void **state)
{
    (void)state;
    Str raw = STR_NONE;
    Str object = STR("{\"a\":1,\"b\":{\"a\":2},\"\\u0061\":3,\"n\":NaN}");
    assert_true(json_scan_get(object, "a", &raw) && str_eqz(raw, "3"));
    assert_true(json_scan_get(object, "b", &raw) && json_scan_get(raw, "a", &raw) &&
                str_eqz(raw, "2"));
    assert_false(json_scan_get(object, "c", &raw));
    assert_false(json_scan_get(STR("[1]"), "a", &raw));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grammar_is_that_of_rfc_8259),
        cmocka_unit_test(the_grammar_holds_at_every_offset_in_a_block),
        cmocka_unit_test(random_documents_are_valid_and_broken_ones_get_the_same_verdict),
        cmocka_unit_test(soups_of_bytes_get_the_same_verdict),
        cmocka_unit_test(strings_alone_get_the_same_verdict),
        cmocka_unit_test(walking_gives_what_the_tree_has),
        cmocka_unit_test(members_are_named_and_values_sliced),
        cmocka_unit_test(values_that_are_not_read_are_skipped),
        cmocka_unit_test(end_checks_what_was_left_unread),
        cmocka_unit_test(the_first_failure_sticks_and_names_its_byte),
        cmocka_unit_test(another_type_than_expected_is_a_failure),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(nan_and_infinity_are_taken_where_allowed),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(keys_are_compared_by_what_they_mean),
        cmocka_unit_test(a_member_can_be_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
