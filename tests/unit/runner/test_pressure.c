/* How short memory is, step by step. */

#include "cmocka_all.h"

#include "runner/pressure.h"

enum { MB = 1 << 20 };

static void short_memory_is_one_step_at_a_time(void **state)
{
    (void)state;
    Pressure pressure = {0};
    assert_false(pressure_look(&pressure, 4096LL * MB, 0));
    assert_true(pressure_look(&pressure, 200LL * MB, 1000));
    assert_false(pressure_look(&pressure, 100LL * MB, 2000));
    assert_true(pressure_look(&pressure, 100LL * MB, 6000));
    assert_int_equal(pressure.level, 2);
}

static void room_comes_back_only_at_twice_what_is_short(void **state)
{
    (void)state;
    Pressure pressure = {.level = 1, .low = 256LL * MB};
    assert_false(pressure_look(&pressure, 500LL * MB, 1000));
    assert_true(pressure_look(&pressure, 600LL * MB, 1000));
    assert_int_equal(pressure.level, 0);
    assert_false(pressure_look(&pressure, 600LL * MB, 60000));
}

static void a_small_container_is_not_short_from_the_start(void **state)
{
    (void)state;
    Pressure pressure = {0};
    assert_false(pressure_look(&pressure, 300LL * MB, 0));
    assert_false(pressure_look(&pressure, 100LL * MB, 1000));
    assert_true(pressure_look(&pressure, 30LL * MB, 2000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_memory_is_one_step_at_a_time),
        cmocka_unit_test(room_comes_back_only_at_twice_what_is_short),
        cmocka_unit_test(a_small_container_is_not_short_from_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
