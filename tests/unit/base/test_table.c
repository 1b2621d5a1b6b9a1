/* Tables and text for terminals. */
#include "cmocka_all.h"

#include "base/table.h"
#include "base/term.h"

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    static const char *const names[] = {"Name", "N"};
    auto_table Table *table = table_new(names, 2);
    table_addz(table, "a longer name");
    table_add_i64(table, 7);
    table_addz(table, "b");
    table_printf(table, "%d", 123);
    auto_buf Buf text = BUF_INIT(4096);
    table_write(table, &text);
    assert_string_equal(text.data, "Name             N\n"
                                   "-------------  ---\n"
                                   "a longer name    7\n"
                                   "b              123\n");
    assert_int_equal(table_rows(table), 2);
}

static void a_table_without_rows_has_its_header(void **state)
{
    (void)state;
    static const char *const names[] = {"A", "B"};
    auto_table Table *table = table_new(names, 2);
    auto_buf Buf text = BUF_INIT(4096);
    table_write(table, &text);
    assert_string_equal(text.data, "A  B\n-  -\n");
}

static void a_heading_is_one_line_without_control_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"A\n\033]0;x\007"};
    auto_table Table *table = table_new(names, 1);
    auto_buf Buf text = BUF_INIT(4096);
    table_write(table, &text);
    assert_string_equal(text.data, "A \\x1b]0;x\\x07\n--------------\n");
}

static void json_for_a_terminal_escapes_what_turns_text_around(void **state)
{
    (void)state;
    auto_buf Buf out = BUF_INIT(4096);
    term_add_json(&out, STR("[\"\x7f\xc2\x9b\u202e\u00e9\x9b\"]"));
    assert_string_equal(out.data, "[\"\\u007f\\u009b\\u202e\u00e9\ufffd\"]");
}

static void a_cell_is_one_line_without_control_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"A", "B"};
    auto_table Table *table = table_new(names, 2);
    table_addz(table, "one\n\ntwo\033[31m");
    table_addz(table, "x");
    auto_buf Buf text = BUF_INIT(4096);
    table_write(table, &text);
    assert_string_equal(text.data, "A                B\n"
                                   "---------------  -\n"
                                   "one two\\x1b[31m  x\n");
}

static void words_are_cut_to_the_terminal_and_ids_are_not(void **state)
{
    (void)state;
    static const char *const names[] = {"Id", "Tasks", "N"};
    auto_table Table *table = table_new(names, 3);
    table_addz(table, "imported-x-0123456789abcdef");
    table_addz(table, "one two three four five six seven eight");
    table_add_i64(table, 12);
    table_addz(table, "y");
    table_addz(table, "日本日本 日本日本日本日本日本");
    table_add_i64(table, 3);
    auto_buf Buf text = BUF_INIT(4096);
    table_fit(table, 50);
    table_write(table, &text);
    assert_string_equal(text.data, "Id                           Tasks               N\n"
                                   "---------------------------  -----------------  --\n"
                                   "imported-x-0123456789abcdef  one two three fo…  12\n"
                                   "y                            日本日本 日本日…    3\n");
}

static void a_table_that_fits_is_left_as_it_is(void **state)
{
    (void)state;
    static const char *const names[] = {"A"};
    auto_table Table *table = table_new(names, 1);
    table_addz(table, "one two three four five");
    auto_buf Buf text = BUF_INIT(4096);
    table_fit(table, 23);
    table_write(table, &text);
    assert_string_equal(text.data, "A\n-----------------------\none two three four five\n");
}

static void wide_characters_take_two_columns(void **state)
{
    (void)state;
    assert_int_equal(term_width(STR("日本")), 4);
    assert_int_equal(term_width(STR("né")), 2);
    assert_int_equal(term_width(STR("e\xCC\x81")), 1);
}

static void text_keeps_its_lines_and_loses_what_a_terminal_obeys(void **state)
{
    (void)state;
    static const struct {
        Str in;
        const char *out;
    } cases[] = {
        {{"a\r\nb\tc", 6}, "a\nb\tc"},
        {{"\033]0;t\007", 6}, "\\x1b]0;t\\x07"},
        {{"\xC2\x9B"
          "31m",
          5},
         "\\x9b31m"},
        {{"a\xFF", 2}, "a\xEF\xBF\xBD"},
        {{"a\0b", 3}, "a\\x00b"},
        {{"\xE2\x80\xAE", 3}, "\xEF\xBF\xBD"},
        {{"over\rwrite", 10}, "over\\x0dwrite"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf Buf out = BUF_INIT(256);
        term_add_text(&out, cases[i].in);
        assert_string_equal(out.data, cases[i].out);
    }
}

static void words_are_wrapped_under_themselves(void **state)
{
    (void)state;
    auto_buf Buf out = BUF_INIT(256);
    term_add_wrapped(&out, STR("one two three four five six seven eight nine"), 4, 4, 40);
    assert_string_equal(out.data, "one two three four five six seven\n    eight nine");
}

static void height_counts_wrapped_lines_and_no_colours(void **state)
{
    (void)state;
    assert_int_equal(term_height(STR(""), 40), 0);
    assert_int_equal(term_height(STR("a\n\nb\n"), 40), 3);
    assert_int_equal(term_height(STR("12345\n123456\n"), 5), 3);
    assert_int_equal(term_height(STR("\033[31m12\033[0m345\n"), 5), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(a_table_without_rows_has_its_header),
        cmocka_unit_test(a_heading_is_one_line_without_control_bytes),
        cmocka_unit_test(json_for_a_terminal_escapes_what_turns_text_around),
        cmocka_unit_test(a_cell_is_one_line_without_control_bytes),
        cmocka_unit_test(words_are_cut_to_the_terminal_and_ids_are_not),
        cmocka_unit_test(a_table_that_fits_is_left_as_it_is),
        cmocka_unit_test(wide_characters_take_two_columns),
        cmocka_unit_test(text_keeps_its_lines_and_loses_what_a_terminal_obeys),
        cmocka_unit_test(height_counts_wrapped_lines_and_no_colours),
        cmocka_unit_test(words_are_wrapped_under_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
