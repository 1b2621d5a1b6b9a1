/* The stream says what the scan says, wherever the text is cut into pieces; and what only it has:
   ceilings, a failing input, offsets. */
#include "cmocka_all.h"

#include <string.h>

#include "codec/json_cases.h"
#include "codec/json_walk.h"

enum { TEXT_MAX = 4 << 20, WINDOW = 64, RANDOM_TEXTS = 400 };

static void expect_agreement(Str text, size_t window, uint64_t seed)
{
    if (!json_walk_agrees(text, true, window, false, seed) ||
        !json_walk_agrees(text, false, window, true, seed))
        fail_msg("window %zu, seed %llu: %.*s", window, (unsigned long long)seed, STR_ARG(text));
}

static void every_case_is_judged_as_by_the_scan(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(json_cases); i++)
        for (uint64_t seed = 1; seed < 5; seed++)
            expect_agreement(json_cases[i].text, 32, seed);
}

static void the_place_where_pieces_meet_does_not_matter(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(json_cases); i++)
        for (size_t padding = 1; padding < 80; padding += 1 + padding / 20) {
            auto_buf Buf text = BUF_INIT(TEXT_MAX);
            buf_printf(&text, "[\"%0*d\",", (int)padding, 0);
            buf_add_str(&text, json_cases[i].text);
            buf_printf(&text, ",{\"a\":[%0*d]}]", 40, 0);
            expect_agreement(buf_str(&text), 32, padding + i * 100);
        }
}

static void add_value(Buf *buf, uint64_t *seed, int depth)
{
    static const char *const scalars[] = {
        "null", "true", "-0.5e10", "123456789", "\"\"", "\"\\u00e9 \xC3\xA9\xF0\x9F\x98\x80 \\\\\"",
        "NaN"};
    uint64_t choice = json_walk_random(seed) % 8;
    if (choice < 2 && depth > 0) {
        buf_addc(buf, choice == 0 ? '[' : '{');
        for (uint64_t n = json_walk_random(seed) % 6; n > 0; n--) {
            if (choice == 1)
                buf_printf(buf, "\"k%d\" :", depth);
            add_value(buf, seed, depth - 1);
            buf_addz(buf, n > 1 ? ", " : "");
        }
        buf_addc(buf, choice == 0 ? ']' : '}');
    } else if (choice == 2) {
        buf_printf(buf, "\"%0*d\"", (int)(json_walk_random(seed) % 300), 7);
    } else if (choice == 3) {
        buf_printf(buf, "%*s1", (int)(json_walk_random(seed) % 100), " ");
    } else {
        buf_addz(buf, scalars[json_walk_random(seed) % ARRAY_LEN(scalars)]);
    }
}

static void documents_and_broken_ones_come_out_the_same(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252;
    for (int i = 0; i < RANDOM_TEXTS; i++) {
        auto_buf Buf text = BUF_INIT(TEXT_MAX);
        buf_addc(&text, '[');
        for (int k = 0; k < 8; k++) {
            add_value(&text, &seed, 6);
            buf_addc(&text, k < 7 ? ',' : ']');
        }
        expect_agreement(buf_str(&text), WINDOW, seed);
        text.data[json_walk_random(&seed) % text.len] = (char)json_walk_random(&seed);
        expect_agreement(buf_str(&text), WINDOW, seed);
        expect_agreement(str_slice(buf_str(&text), 0, json_walk_random(&seed) % text.len), 32,
                         seed);
    }
}

static void a_stream_over_a_text_is_the_scan(void **state)
{
    (void)state;
    Str text = STR(" {\"a\":[1,{\"b\":2}],\"c\":\"d\"} ");
    auto_json_stream JsonStream *stream = json_stream_of_text(text, false);
    auto_error Error err = ERROR_INIT;
    Str key = STR_NONE;
    Str first = STR_NONE;
    Str second = STR_NONE;
    assert_true(json_stream_object(stream));
    assert_true(json_stream_member(stream, &key));
    assert_true(json_stream_skip(stream, &first));
    assert_true(json_stream_member(stream, &key));
    assert_true(json_stream_skip(stream, &second));
    assert_ptr_equal(first.p, text.p + 6);
    assert_true(str_eqz(first, "[1,{\"b\":2}]"));
    assert_true(str_eqz(second, "\"d\""));
    assert_int_equal(json_stream_end(stream, &err), 0);
}

/* A stream of this text through a window of 64 bytes, values of up to 256. */
static JsonStream *small_stream(JsonWalkPieces *pieces)
{
    pieces->seed = 1;
    pieces->piece_max = 50;
    const JsonStreamInput input = {json_walk_read, pieces, WINDOW, 256, false};
    return json_stream_new(&input);
}

static void a_value_over_the_limit_is_refused_with_its_place(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    buf_printf(&text, "[1,\"%0300d\"]", 0);
    JsonWalkPieces pieces = {.rest = buf_str(&text)};
    auto_json_stream JsonStream *stream = small_stream(&pieces);
    auto_error Error err = ERROR_INIT;
    Str raw = STR_NONE;
    assert_true(json_stream_array(stream));
    assert_true(json_stream_item(stream));
    assert_true(json_stream_item(stream));
    assert_false(json_stream_skip(stream, &raw));
    assert_false(json_stream_item(stream));
    assert_int_equal(json_stream_end(stream, &err), -1);
    assert_string_equal(error_text(&err), "byte 3: a value over the limit of 256 bytes");
}

static void what_is_passed_may_be_longer_than_what_is_held(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    buf_addz(&text, "[[");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "{\"a\":[[[[%d]]]]},", i);
    buf_addz(&text, "0],\"last\"]");
    JsonWalkPieces pieces = {.rest = buf_str(&text)};
    auto_json_stream JsonStream *stream = small_stream(&pieces);
    auto_error Error err = ERROR_INIT;
    Str raw = STR_NONE;
    assert_true(json_stream_array(stream));
    assert_true(json_stream_item(stream));
    assert_true(json_stream_item(stream));
    assert_true(json_stream_skip(stream, &raw));
    assert_true(str_eqz(raw, "\"last\""));
    assert_int_equal(json_stream_end(stream, &err), 0);
    assert_true(json_stream_offset(stream) == text.len);
}

static void offsets_count_from_the_start_of_the_text(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    buf_addc(&text, '[');
    for (int i = 0; i < 200; i++)
        buf_printf(&text, "%s  {\"n\":%d}", i > 0 ? "," : "", i);
    buf_addc(&text, ']');
    JsonWalkPieces pieces = {.rest = buf_str(&text)};
    auto_json_stream JsonStream *stream = small_stream(&pieces);
    assert_true(json_stream_array(stream));
    for (int i = 0; json_stream_item(stream); i++) {
        auto_buf Buf expected = BUF_INIT(100);
        buf_printf(&expected, "{\"n\":%d}", i);
        assert_int_equal(json_stream_kind(stream), JSON_SCAN_OBJECT);
        uint64_t from = json_stream_offset(stream);
        assert_true(json_stream_skip(stream, NULL));
        Str raw = str_slice(buf_str(&text), from, json_stream_offset(stream));
        assert_true(str_eq(raw, buf_str(&expected)));
    }
}

static int read_then_fail(void *context, void *data, size_t n, size_t *ret_n, Error *err)
{
    int *n_calls = context;
    if ((*n_calls)++ > 0)
        return error_set(err, ERR_UNREACHABLE, "the line is dead");
    memset(data, ' ', n);
    *ret_n = n;
    return 0;
}

static void a_failure_of_the_input_sticks_and_is_told(void **state)
{
    (void)state;
    int n_calls = 0;
    const JsonStreamInput input = {read_then_fail, &n_calls, WINDOW, 256, false};
    auto_json_stream JsonStream *stream = json_stream_new(&input);
    auto_error Error first = ERROR_INIT;
    auto_error Error second = ERROR_INIT;
    assert_int_equal(json_stream_kind(stream), JSON_SCAN_NONE);
    assert_false(json_stream_object(stream));
    assert_int_equal(json_stream_check(stream, &first), -1);
    assert_int_equal(json_stream_end(stream, &second), -1);
    assert_int_equal(first.kind, ERR_UNREACHABLE);
    assert_string_equal(error_text(&second), "the line is dead");
    assert_int_equal(n_calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_judged_as_by_the_scan),
        cmocka_unit_test(the_place_where_pieces_meet_does_not_matter),
        cmocka_unit_test(documents_and_broken_ones_come_out_the_same),
        cmocka_unit_test(a_stream_over_a_text_is_the_scan),
        cmocka_unit_test(a_value_over_the_limit_is_refused_with_its_place),
        cmocka_unit_test(what_is_passed_may_be_longer_than_what_is_held),
        cmocka_unit_test(offsets_count_from_the_start_of_the_text),
        cmocka_unit_test(a_failure_of_the_input_sticks_and_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
