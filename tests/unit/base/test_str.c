/* Views: numbers, UTF-8, splitting, distance. */
#include "cmocka_all.h"

#include "base/str.h"

static void numbers_are_whole_and_within_bounds(void **state)
{
    (void)state;
    int64_t n = 7;
    assert_int_equal(str_to_i64(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &n), 0);
    assert_true(n == INT64_MIN);
    const char *bad[] = {"", "-", "1 ", "0x1", "9223372036854775808", "+1", "1e3"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(str_to_i64(str_of(bad[i]), INT64_MIN, INT64_MAX, &n), -1);
    assert_int_equal(str_to_i64(STR("11"), 0, 10, &n), -1);
    double d = 0;
    assert_int_equal(str_to_double(STR("1e400"), &d), -1);
    assert_int_equal(str_to_double(STR("inf"), &d), -1);
    assert_int_equal(str_to_double(STR("-2.5e3"), &d), 0);
    assert_true(d == -2500.0);
}

static void utf8_refuses_surrogates_overlong_and_cut_sequences(void **state)
{
    (void)state;
    assert_true(str_is_utf8(STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
    const char *bad[] = {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                         "\xe2\x82", "\x80",         "\xff"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(str_is_utf8(str_of(bad[i])));
}

static void split_yields_every_part_also_empty_ones(void **state)
{
    (void)state;
    Str rest = STR("a,,b,");
    Str part = STR_NONE;
    const char *expected[] = {"a", "", "b", ""};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_true(str_split(&rest, ',', &part));
        assert_true(str_eqz(part, expected[i]));
    }
    assert_false(str_split(&rest, ',', &part));
}

static void distance_counts_a_swap_as_one_edit(void **state)
{
    (void)state;
    assert_int_equal(str_distance(STR("epochs"), STR("epcohs")), 1);
    assert_int_equal(str_distance(STR("limit"), STR("limits")), 1);
    assert_int_equal(str_distance(STR(""), STR("abc")), 3);
    assert_int_equal(str_distance(STR("kitten"), STR("sitting")), 3);
}

static void a_uuid_has_its_digits_and_dashes_where_they_belong(void **state)
{
    (void)state;
    assert_true(str_is_uuid(STR("0190a1b2-c3d4-7e5f-8a9b-0C1D2E3F4a5b")));
    const char *bad[] = {
        "", "0190a1b2c3d47e5f8a9b0c1d2e3f4a5b", "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5g",
        "0190a1b-2c3d4-7e5f-8a9b-0c1d2e3f4a5b", "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b0"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(str_is_uuid(str_of(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_and_within_bounds),
        cmocka_unit_test(utf8_refuses_surrogates_overlong_and_cut_sequences),
        cmocka_unit_test(split_yields_every_part_also_empty_ones),
        cmocka_unit_test(distance_counts_a_swap_as_one_edit),
        cmocka_unit_test(a_uuid_has_its_digits_and_dashes_where_they_belong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
