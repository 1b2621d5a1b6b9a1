/* Instants and their texts. */
#include "cmocka_all.h"

#include "base/clock.h"

static void known_instants_read_and_write_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2000-02-29T23:59:59.000001Z", INT64_C(951868799000001)},
        {"2026-11-24T03:10:00Z", INT64_C(1795489800000000)},
        {"1969-12-31T23:59:59.500000Z", INT64_C(-500000)},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[CLOCK_TEXT_MAX];
        int64_t us = 0;
        assert_string_equal(clock_format(rows[i].us, text), rows[i].text);
        assert_int_equal(clock_parse(str_of(rows[i].text), &us), 0);
        assert_true(us == rows[i].us);
    }
}

static void python_forms_are_read(void **state)
{
    (void)state;
    int64_t a = 0;
    int64_t b = 0;
    assert_int_equal(clock_parse(STR("2026-01-02T03:04:05.250000+02:00"), &a), 0);
    assert_int_equal(clock_parse(STR("2026-01-02 01:04:05.25"), &b), 0);
    assert_true(a == b);
}

static void wrong_instants_are_refused(void **state)
{
    (void)state;
    const char *bad[] = {"",
                         "2026-13-01T00:00:00Z",
                         "2026-01-01",
                         "2026-01-01T25:00:00Z",
                         "2026-01-01T00:00:00+9",
                         "2026-01-01T00:00:00.Z",
                         "2026-01-01T00:00:00ZZ"};
    int64_t us = 0;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(clock_parse(str_of(bad[i]), &us), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instants_read_and_write_the_same),
        cmocka_unit_test(python_forms_are_read),
        cmocka_unit_test(wrong_instants_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
