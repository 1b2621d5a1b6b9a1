/* Tables whose columns turn up: order, types as pandas has them, CSV by RFC 4180. */
#include "cmocka_all.h"

#include <math.h>

#include "codec/frame.h"

static Frame *frame;
static Buf text;

static int set_up(void **state)
{
    (void)state;
    frame = frame_new();
    text = BUF_INIT(1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    frame_free(TAKE(frame));
    buf_release(&text);
    return 0;
}

static size_t column(int rank, const char *name)
{
    auto_error Error err = ERROR_INIT;
    size_t ret = 0;
    if (frame_add(frame, rank, str_of(name), &ret, &err) < 0)
        fail_msg("%s", error_text(&err));
    return ret;
}

/* The kind of a column with these values. */
static const char *kind_of(const FrameValue *values, size_t n)
{
    size_t c = column(0, "x");
    for (size_t i = 0; i < n; i++) {
        frame_observe(frame, c, &values[i]);
        frame_end_row(frame);
    }
    frame_settle(frame);
    return frame_kind_name(frame_kind(frame, c));
}

#define KIND(...)                                                                                  \
    kind_of((const FrameValue[]){__VA_ARGS__},                                                     \
            sizeof((const FrameValue[]){__VA_ARGS__}) / sizeof(FrameValue))

static void integers_stay_integers(void **state)
{
    (void)state;
    assert_string_equal(KIND(FRAME_INTEGER(1), FRAME_INTEGER(-5)), "int");
}

static void integers_with_a_gap_are_reals(void **state)
{
    (void)state;
    assert_string_equal(KIND(FRAME_INTEGER(1), FRAME_NULL), "real");
}

static void integers_beside_reals_are_reals(void **state)
{
    (void)state;
    assert_string_equal(KIND(FRAME_INTEGER(1), FRAME_NUMBER(0.5)), "real");
}

static void truth_values_keep_their_gaps(void **state)
{
    (void)state;
    assert_string_equal(KIND(FRAME_BOOLEAN(true), FRAME_NULL), "bool");
}

static void truth_values_beside_numbers_are_texts(void **state)
{
    (void)state;
    assert_string_equal(KIND(FRAME_BOOLEAN(true), FRAME_INTEGER(1)), "text");
}

static void texts_beside_numbers_are_texts(void **state)
{
    (void)state;
    assert_string_equal(KIND(FRAME_STRING(STR("a")), FRAME_NUMBER(1)), "text");
}

static void no_values_have_no_kind(void **state)
{
    (void)state;
    assert_string_equal(KIND(FRAME_NULL, FRAME_NULL), "none");
}

static void only_nan_is_a_real(void **state)
{
    (void)state;
    assert_string_equal(KIND(FRAME_NUMBER((double)NAN)), "real");
}

/* One row of all columns as the format has it. */
static const char *row(FrameFormat format, bool for_excel, const FrameValue *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        frame_observe(frame, i, &values[i]);
    frame_end_row(frame);
    frame_settle(frame);
    FrameWriter writer = {.frame = frame, .format = format, .for_excel = for_excel};
    frame_write_head(&writer, &text);
    frame_write_row(&writer, values, &text);
    frame_write_tail(&writer, &text);
    return text.data;
}

static void columns_are_ordered_by_rank_then_name(void **state)
{
    (void)state;
    (void)column(2, "m_b");
    (void)column(1, "z");
    (void)column(2, "m_a");
    const FrameValue values[] = {FRAME_INTEGER(1), FRAME_INTEGER(2), FRAME_INTEGER(3)};
    assert_string_equal(row(FRAME_CSV, false, values, 3), "z,m_a,m_b\r\n2,3,1\r\n");
}

static void a_name_is_one_column(void **state)
{
    (void)state;
    size_t first = column(0, "a");
    for (int i = 0; i < 500; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        (void)column(1, name);
    }
    assert_int_equal(column(0, "a"), first);
    assert_int_equal(frame_n_columns(frame), 501);
}

static void too_many_columns_are_refused(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    for (int i = 0; i < FRAME_COLUMNS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "n%d", i);
        (void)column(1, name);
    }
    size_t ret = 0;
    assert_int_equal(frame_add(frame, 0, STR("one more"), &ret, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
}

static void csv_quotes_what_needs_it(void **state)
{
    (void)state;
    static const char *const names[] = {"plain", "comma,", "quote", "line", "empty", "gap"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)column((int)i, names[i]);
    const FrameValue values[] = {FRAME_STRING(STR("a")),         FRAME_STRING(STR("b,c")),
                                 FRAME_STRING(STR("say \"d\"")), FRAME_STRING(STR("e\nf")),
                                 FRAME_STRING(STR("")),          FRAME_NULL};
    assert_string_equal(row(FRAME_CSV, false, values, 6),
                        "plain,\"comma,\",quote,line,empty,gap\r\n"
                        "a,\"b,c\",\"say \"\"d\"\"\",\"e\nf\",\"\",\r\n");
}

static void csv_numbers_are_written_as_python_does(void **state)
{
    (void)state;
    static const char *const names[] = {"int", "real", "flag", "time", "inf", "nan"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)column((int)i, names[i]);
    const FrameValue values[] = {FRAME_INTEGER(-3),       FRAME_NUMBER(1),
                                 FRAME_BOOLEAN(true),     FRAME_INSTANT(1500000),
                                 FRAME_NUMBER(-HUGE_VAL), FRAME_NUMBER((double)NAN)};
    assert_string_equal(row(FRAME_CSV, false, values, 6),
                        "int,real,flag,time,inf,nan\r\n"
                        "-3,1.0,True,1970-01-01T00:00:01.500000Z,-inf,\r\n");
}

static void formulas_stay_as_they_are_unless_a_spreadsheet_asks(void **state)
{
    (void)state;
    (void)column(0, "a");
    const FrameValue values[] = {FRAME_STRING(STR("=1+1"))};
    assert_string_equal(row(FRAME_CSV, false, values, 1), "a\r\n=1+1\r\n");
}

static void for_a_spreadsheet_formulas_become_texts(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "n"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        (void)column((int)i, names[i]);
    const FrameValue values[] = {FRAME_STRING(STR("=HYPERLINK(\"x\")")), FRAME_STRING(STR("+1")),
                                 FRAME_STRING(STR("-1")), FRAME_STRING(STR("@a")),
                                 FRAME_INTEGER(-1)};
    assert_string_equal(row(FRAME_CSV, true, values, 5),
                        "a,b,c,d,n\r\n\"'=HYPERLINK(\"\"x\"\")\",\"'+1\",\"'-1\",\"'@a\",-1\r\n");
}

static void json_is_an_array_with_a_row_per_line(void **state)
{
    (void)state;
    (void)column(0, "a");
    (void)column(1, "b");
    const FrameValue values[] = {FRAME_INTEGER(1), FRAME_STRING(STR("x\"y"))};
    assert_string_equal(row(FRAME_JSON, false, values, 2), "[\n{\"a\":1,\"b\":\"x\\\"y\"}\n]\n");
}

static void json_without_rows_is_an_empty_array(void **state)
{
    (void)state;
    frame_settle(frame);
    FrameWriter writer = {.frame = frame, .format = FRAME_JSON};
    frame_write_head(&writer, &text);
    frame_write_tail(&writer, &text);
    assert_string_equal(text.data, "[]\n");
}

static void a_feed_has_its_columns_in_front_and_its_length_behind(void **state)
{
    (void)state;
    (void)column(0, "a");
    (void)column(1, "b");
    const FrameValue values[] = {FRAME_NUMBER(HUGE_VAL), FRAME_INSTANT(5)};
    assert_string_equal(row(FRAME_FEED, false, values, 2),
                        "{\"columns\":[[\"a\",\"real\"],[\"b\",\"time\"]]}\n[Infinity,5]\n"
                        "{\"rows\":1}\n");
}

static void values_of_a_mixed_column_are_pythons_texts(void **state)
{
    (void)state;
    size_t c = column(0, "a");
    const FrameValue first = FRAME_STRING(STR("INVALID"));
    frame_observe(frame, c, &first);
    frame_end_row(frame);
    const FrameValue values[] = {FRAME_NUMBER(1)};
    assert_string_equal(row(FRAME_NDJSON, false, values, 1), "{\"a\":\"1.0\"}\n");
}

static void a_value_that_came_too_late_for_its_column_is_left_out(void **state)
{
    (void)state;
    size_t c = column(0, "a");
    const FrameValue first = FRAME_INTEGER(1);
    const FrameValue late = FRAME_STRING(STR("x"));
    frame_observe(frame, c, &first);
    frame_end_row(frame);
    frame_settle(frame);
    FrameWriter writer = {.frame = frame, .format = FRAME_NDJSON};
    frame_write_row(&writer, &late, &text);
    assert_string_equal(text.data, "{\"a\":null}\n");
}

static void formats_are_found_by_name_and_media_type(void **state)
{
    (void)state;
    FrameFormat format = FRAME_CSV;
    assert_true(frame_format_find(STR("ndjson"), &format));
    assert_int_equal(format, FRAME_NDJSON);
    assert_true(frame_format_find(STR("Text/CSV"), &format));
    assert_int_equal(format, FRAME_CSV);
    assert_false(frame_format_find(STR("xls"), &format));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(integers_stay_integers),
        TEST(integers_with_a_gap_are_reals),
        TEST(integers_beside_reals_are_reals),
        TEST(truth_values_keep_their_gaps),
        TEST(truth_values_beside_numbers_are_texts),
        TEST(texts_beside_numbers_are_texts),
        TEST(no_values_have_no_kind),
        TEST(only_nan_is_a_real),
        TEST(columns_are_ordered_by_rank_then_name),
        TEST(a_name_is_one_column),
        TEST(too_many_columns_are_refused),
        TEST(csv_quotes_what_needs_it),
        TEST(csv_numbers_are_written_as_python_does),
        TEST(formulas_stay_as_they_are_unless_a_spreadsheet_asks),
        TEST(for_a_spreadsheet_formulas_become_texts),
        TEST(json_is_an_array_with_a_row_per_line),
        TEST(json_without_rows_is_an_empty_array),
        TEST(a_feed_has_its_columns_in_front_and_its_length_behind),
        TEST(values_of_a_mixed_column_are_pythons_texts),
        TEST(a_value_that_came_too_late_for_its_column_is_left_out),
        TEST(formats_are_found_by_name_and_media_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
