/* How fast one may ask, and how many streams one may have. */
#include "cmocka_all.h"

#include <stdio.h>

#include "server/limits.h"

static Limits *make(int64_t per_second, int64_t burst, int64_t streams_max, size_t room)
{
    return limits_new(&(LimitsOptions){per_second, burst, streams_max, room});
}

/* How many of n requests at an instant may pass. */
static int pass(Limits *limits, const char *credential, int64_t now_ms, int n)
{
    int n_passed = 0;
    for (int i = 0; i < n; i++) {
        auto_error Error err = ERROR_INIT;
        if (limits_request(limits, str_of(credential), now_ms, &err) == 0)
            n_passed++;
        else
            assert_int_equal(err.kind, ERR_BUSY);
    }
    return n_passed;
}

static void a_burst_passes_and_then_as_many_as_time_allows(void **state)
{
    (void)state;
    Limits *limits = make(10, 20, 0, 1);
    assert_int_equal(pass(limits, "a", 1000, 50), 20);
    assert_int_equal(pass(limits, "a", 1500, 50), 5);
    assert_int_equal(pass(limits, "a", 1000 * 1000, 50), 20);
    limits_free(limits);
}

static void one_credential_does_not_spend_what_another_has(void **state)
{
    (void)state;
    Limits *limits = make(1, 3, 0, 1);
    assert_int_equal(pass(limits, "a", 1000, 9), 3);
    assert_int_equal(pass(limits, "b", 1000, 9), 3);
    assert_int_equal(pass(limits, "a", 1000, 9), 0);
    limits_free(limits);
}

static void more_credentials_than_there_is_room_for_are_limited_all_the_same(void **state)
{
    (void)state;
    Limits *limits = make(1, 2, 0, 1);
    char name[32];
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(name, sizeof(name), "credential %d", i);
        assert_int_equal(pass(limits, name, 1000, 3), 2);
    }
    limits_free(limits);
}

static void without_a_limit_everything_passes(void **state)
{
    (void)state;
    Limits *limits = make(0, 0, 0, 1);
    assert_int_equal(pass(limits, "a", 1000, 5000), 5000);
    limits_free(limits);
}

static void a_stream_that_ends_makes_room_for_another(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    Limits *limits = make(0, 0, 2, 10);
    size_t places[4] = {0};
    assert_int_equal(limits_stream_begin(limits, STR("ann"), &places[0], &err), 0);
    assert_int_equal(limits_stream_begin(limits, STR("ann"), &places[1], &err), 0);
    assert_int_equal(limits_stream_begin(limits, STR("ben"), &places[2], &err), 0);
    assert_int_equal(limits_stream_begin(limits, STR("ann"), &places[3], &err), -1);
    assert_int_equal(err.kind, ERR_BUSY);
    error_reset(&err);
    limits_stream_end(limits, places[0]);
    assert_int_equal(limits_stream_begin(limits, STR("ann"), &places[3], &err), 0);
    limits_free(limits);
}

static void archives_of_one_scan_leave_room_for_those_of_others(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    Limits *limits = make(0, 0, 0, 1);
    size_t places[LIMITS_ARCHIVES_OF_ONE + 1] = {0};
    for (size_t i = 0; i < LIMITS_ARCHIVES_OF_ONE; i++)
        assert_int_equal(limits_archive_begin(limits, STR("scans/a"), &places[i], &err), 0);
    assert_int_equal(
        limits_archive_begin(limits, STR("scans/a"), &places[LIMITS_ARCHIVES_OF_ONE], &err), -1);
    assert_int_equal(err.kind, ERR_BUSY);
    error_reset(&err);
    assert_int_equal(
        limits_archive_begin(limits, STR("scans/b"), &places[LIMITS_ARCHIVES_OF_ONE], &err), 0);
    limits_archive_end(limits, places[0]);
    assert_int_equal(limits_archive_begin(limits, STR("scans/a"), &places[0], &err), 0);
    limits_free(limits);
}

static void archives_of_many_scans_have_an_end(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    Limits *limits = make(0, 0, 0, 1);
    size_t place = 0;
    char name[32];
    for (int i = 0; i < LIMITS_ARCHIVES; i++) {
        (void)snprintf(name, sizeof(name), "scans/%d", i);
        assert_int_equal(limits_archive_begin(limits, str_of(name), &place, &err), 0);
    }
    assert_int_equal(limits_archive_begin(limits, STR("scans/more"), &place, &err), -1);
    assert_int_equal(err.kind, ERR_BUSY);
    limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_passes_and_then_as_many_as_time_allows),
        cmocka_unit_test(one_credential_does_not_spend_what_another_has),
        cmocka_unit_test(more_credentials_than_there_is_room_for_are_limited_all_the_same),
        cmocka_unit_test(without_a_limit_everything_passes),
        cmocka_unit_test(a_stream_that_ends_makes_room_for_another),
        cmocka_unit_test(archives_of_one_scan_leave_room_for_those_of_others),
        cmocka_unit_test(archives_of_many_scans_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
