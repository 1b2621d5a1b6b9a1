/* Which task runs when, and what the end of a process makes of it. */
#include "cmocka_all.h"

#include <signal.h>

#include "base/arena.h"
#include "base/mem.h"
#include "runner/schedule.h"

enum { LITTLE = 64 << 20 };
static const int64_t plenty = INT64_MAX;

typedef struct Room {
    Arena *arena;
    Schedule *schedule;
} Room;

static int set_up(void **state)
{
    Room *room = mem_alloc(sizeof(*room));
    room->arena = arena_new();
    room->schedule = schedule_new(room->arena);
    for (int i = 0; i < 3; i++)
        assert_true(schedule_add(room->schedule, STR("a task"), STR_NONE, 10));
    schedule_set_max_running(room->schedule, 2);
    *state = room;
    return 0;
}

static int tear_down(void **state)
{
    Room *room = *state;
    schedule_free(room->schedule);
    arena_free(room->arena);
    free(room);
    return 0;
}

static int64_t start_next(Room *room, int64_t available)
{
    int64_t number = schedule_next(room->schedule, available);
    if (number >= 0)
        schedule_started(room->schedule, (size_t)number);
    return number;
}

static void tasks_start_in_order_and_not_too_many_at_once(void **state)
{
    Room *room = *state;
    assert_int_equal(start_next(room, plenty), 0);
    assert_int_equal(start_next(room, plenty), 1);
    assert_int_equal(start_next(room, plenty), -1);
    const ScheduleEnd end = {0};
    assert_false(schedule_ended(room->schedule, 0, &end));
    assert_int_equal(start_next(room, plenty), 2);
}

static void one_task_runs_however_little_memory_there_is_and_a_second_waits(void **state)
{
    Room *room = *state;
    assert_int_equal(start_next(room, LITTLE), 0);
    assert_int_equal(start_next(room, LITTLE), -1);
    assert_int_equal(start_next(room, plenty), 1);
}

static void a_second_task_needs_as_much_memory_as_the_largest_has_held(void **state)
{
    Room *room = *state;
    const ScheduleEnd end = {.peak_bytes = (int64_t)4 << 30};
    assert_int_equal(start_next(room, plenty), 0);
    assert_false(schedule_ended(room->schedule, 0, &end));
    assert_int_equal(start_next(room, 0), 1);
    assert_int_equal(start_next(room, (int64_t)3 << 30), -1);
    assert_int_equal(start_next(room, (int64_t)5 << 30), 2);
}

static void one_task_that_leaks_neither_keeps_others_back_nor_goes_first(void **state)
{
    Room *room = *state;
    const ScheduleEnd killed = {.signal = SIGKILL, .oom = true, .peak_bytes = (int64_t)4 << 30};
    const ScheduleEnd done = {.peak_bytes = (int64_t)1 << 28};
    assert_int_equal(start_next(room, plenty), 0);
    assert_int_equal(start_next(room, plenty), 1);
    assert_false(schedule_ended(room->schedule, 0, &killed));
    assert_int_equal(start_next(room, (int64_t)1 << 30), 2);
    assert_false(schedule_ended(room->schedule, 1, &done));
    assert_int_equal(start_next(room, (int64_t)1 << 30), -1);
    assert_false(schedule_ended(room->schedule, 2, &done));
    assert_int_equal(start_next(room, (int64_t)1 << 30), 0);
}

static void a_task_killed_for_memory_is_tried_with_half_the_samples(void **state)
{
    Room *room = *state;
    const ScheduleEnd killed = {.signal = SIGKILL, .oom = true};
    for (int allowed = 5; allowed >= 2; allowed /= 2) {
        assert_int_equal(start_next(room, plenty), 0);
        assert_false(schedule_ended(room->schedule, 0, &killed));
        assert_int_equal(schedule_task(room->schedule, 0)->allowed, allowed);
        assert_int_equal(schedule_task(room->schedule, 0)->state, SCHEDULE_WAITING);
    }
}

static void a_task_that_crashes_keeps_its_samples_and_is_given_up_at_last(void **state)
{
    Room *room = *state;
    const ScheduleEnd crashed = {.signal = SIGSEGV};
    for (int i = 1; i < SCHEDULE_DEATHS_MAX; i++) {
        assert_int_equal(start_next(room, plenty), 0);
        assert_false(schedule_ended(room->schedule, 0, &crashed));
        assert_int_equal(schedule_task(room->schedule, 0)->allowed, 0);
    }
    assert_int_equal(start_next(room, plenty), 0);
    assert_true(schedule_ended(room->schedule, 0, &crashed));
    assert_int_equal(schedule_task(room->schedule, 0)->state, SCHEDULE_OVER);
    assert_int_equal(schedule_task(room->schedule, 0)->exit_status, 128 + SIGSEGV);
}

static void nothing_is_tried_again_once_the_run_is_stopping(void **state)
{
    Room *room = *state;
    const ScheduleEnd killed = {.signal = SIGKILL, .is_stopping = true};
    assert_int_equal(start_next(room, plenty), 0);
    assert_true(schedule_ended(room->schedule, 0, &killed));
}

static void tasks_of_a_pool_that_died_wait_again_without_blame(void **state)
{
    Room *room = *state;
    assert_int_equal(start_next(room, plenty), 0);
    schedule_set_pid(room->schedule, 0, 1);
    assert_non_null(strstr(schedule_pool_died(room->schedule, SIGKILL, false), "signal 9"));
    assert_int_equal(schedule_n_running(room->schedule), 0);
    assert_int_equal(schedule_task(room->schedule, 0)->n_deaths, 0);
    assert_int_equal(schedule_task(room->schedule, 0)->pid, 0);
    assert_int_equal(start_next(room, plenty), 0);
}

static void why_a_process_died_is_known_until_one_ends_well(void **state)
{
    Room *room = *state;
    const ScheduleEnd killed = {.signal = SIGKILL};
    const ScheduleEnd end = {0};
    assert_int_equal(start_next(room, plenty), 0);
    assert_false(schedule_ended(room->schedule, 0, &killed));
    assert_int_equal(start_next(room, plenty), 0);
    const ScheduleTask *task = schedule_task(room->schedule, 0);
    assert_non_null(strstr(task->reason, "signal 9"));
    assert_false(task->lacked_memory);
    assert_false(schedule_ended(room->schedule, 0, &end));
    assert_null(task->reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tasks_start_in_order_and_not_too_many_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            one_task_runs_however_little_memory_there_is_and_a_second_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_task_needs_as_much_memory_as_the_largest_has_held,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            one_task_that_leaks_neither_keeps_others_back_nor_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_task_killed_for_memory_is_tried_with_half_the_samples,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_task_that_crashes_keeps_its_samples_and_is_given_up_at_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_tried_again_once_the_run_is_stopping, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(why_a_process_died_is_known_until_one_ends_well, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(tasks_of_a_pool_that_died_wait_again_without_blame, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
