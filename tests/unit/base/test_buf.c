/* The growing buffer and its ceiling. */
#include "cmocka_all.h"

#include "base/buf.h"

static void add_past_the_ceiling_fails_and_keeps_the_bytes(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(8);
    auto_error Error err = ERROR_INIT;
    buf_addz(&buf, "12345678");
    assert_int_equal(buf_check(&buf, "it", &err), 0);
    buf_addc(&buf, '9');
    assert_int_equal(buf_check(&buf, "it", &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    assert_string_equal(buf.data, "12345678");
}

static void printf_past_the_ceiling_writes_nothing(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(4);
    buf_printf(&buf, "%d", 12345);
    assert_true(buf.overflowed);
    assert_string_equal(buf.data, "");
}

static void consume_drops_the_front(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(100);
    buf_addz(&buf, "abcdef");
    buf_consume(&buf, 2);
    assert_string_equal(buf.data, "cdef");
    buf_reset(&buf);
    assert_int_equal(buf.len, 0);
}

static void take_gives_the_bytes_away(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(100);
    char *empty = buf_take(&buf);
    assert_string_equal(empty, "");
    free(empty);
    buf_addz(&buf, "mine");
    char *text = buf_take(&buf);
    assert_string_equal(text, "mine");
    assert_int_equal(buf.len, 0);
    free(text);
}

static void whole_numbers_are_written_up_to_their_ends(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-1, "-1"},
        {1234567890, "1234567890"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_buf Buf buf = BUF_INIT(100);
        buf_add_i64(&buf, rows[i].value);
        assert_string_equal(buf.data, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_past_the_ceiling_fails_and_keeps_the_bytes),
        cmocka_unit_test(printf_past_the_ceiling_writes_nothing),
        cmocka_unit_test(consume_drops_the_front),
        cmocka_unit_test(take_gives_the_bytes_away),
        cmocka_unit_test(whole_numbers_are_written_up_to_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
