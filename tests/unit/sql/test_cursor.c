/* Cursors: what is written is read again, and nothing else is. */
#include "cmocka_all.h"

#include "sql/cursor.h"

static const Cursor sample = {
    .values = {SQL_NULL,
               {.type = SQL_TYPE_INT, .integer = INT64_MIN},
               {.type = SQL_TYPE_REAL, .real = -0.1},
               {.type = SQL_TYPE_TEXT, .text = {"t\xc3\xa4xt", 5}}},
    .n = 4,
};

static void values_come_back_as_they_were(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_buf Buf text = BUF_INIT(CURSOR_TEXT_MAX);
    Cursor found;
    cursor_write(&sample, STR("list"), &text);
    assert_int_equal(cursor_read(buf_str(&text), STR("list"), 4, arena, &found, &err), 0);
    assert_int_equal(found.values[0].type, SQL_TYPE_NULL);
    assert_true(found.values[1].integer == INT64_MIN);
    assert_true(found.values[2].real == -0.1);
    assert_true(str_eqz(found.values[3].text, "t\xc3\xa4xt"));
}

static void a_long_text_is_cut_at_a_character(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_arena Arena *arena = arena_new();
    auto_buf Buf text = BUF_INIT(CURSOR_TEXT_MAX);
    auto_buf Buf longer = BUF_INIT(10000);
    buf_addc(&longer, 'x');
    while (longer.len < 9000)
        buf_addz(&longer, "\xc3\xa4");
    Cursor found;
    const Cursor cursor = {.values = {SQL_TEXT(buf_str(&longer)), SQL_TEXT(buf_str(&longer))},
                           .n = 2};
    cursor_write(&cursor, STR("list"), &text);
    assert_int_equal(cursor_read(buf_str(&text), STR("list"), 2, arena, &found, &err), 0);
    assert_int_equal(found.values[1].text.n, 1999);
}

static void a_changed_byte_another_list_or_another_count_is_refused(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    auto_buf Buf text = BUF_INIT(CURSOR_TEXT_MAX);
    Cursor found;
    cursor_write(&sample, STR("list"), &text);
    for (size_t i = 0; i <= text.len + 2; i++) {
        auto_error Error err = ERROR_INIT;
        auto_buf Buf changed = BUF_INIT(CURSOR_TEXT_MAX);
        buf_add_str(&changed, buf_str(&text));
        if (i < text.len)
            changed.data[i] = changed.data[i] == 'A' ? 'B' : 'A';
        size_t n = i == text.len ? 3 : 4;
        Str list = i == text.len + 1 ? STR("other") : STR("list");
        if (i == text.len + 2)
            buf_truncate(&changed, 4);
        assert_int_equal(cursor_read(buf_str(&changed), list, n, arena, &found, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back_as_they_were),
        cmocka_unit_test(a_long_text_is_cut_at_a_character),
        cmocka_unit_test(a_changed_byte_another_list_or_another_count_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
