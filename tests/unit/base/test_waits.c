/* Lists of waits. */
#include "cmocka_all.h"

#include "base/waits.h"

static void seconds_stand_between_spaces(void **state)
{
    (void)state;
    Waits waits;
    assert_int_equal(waits_of(STR(" 5  15 3600 "), &waits), 0);
    assert_int_equal(waits.n, 3);
    assert_int_equal(waits.seconds[0], 5);
    assert_int_equal(waits.seconds[1], 15);
    assert_int_equal(waits.seconds[2], 3600);
}

static void none_is_no_try(void **state)
{
    (void)state;
    Waits waits = {.n = 1};
    assert_int_equal(waits_of(STR("none"), &waits), 0);
    assert_int_equal(waits.n, 0);
}

static void anything_else_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",    " ",    "5 none",
        "-1",  "3601", "5,15",
        "1.5", "five", "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        Waits waits = {.seconds = {7}, .n = 1};
        assert_int_equal(waits_of(str_of(refused[i]), &waits), -1);
        assert_int_equal(waits.n, 1);
        assert_int_equal(waits.seconds[0], 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_stand_between_spaces),
        cmocka_unit_test(none_is_no_try),
        cmocka_unit_test(anything_else_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
