/* The state machine and the names of its parts. */
#include "cmocka_all.h"

#include "jobs/job.h"

static void over_is_left_only_for_the_queue(void **state)
{
    (void)state;
    for (int from = JOB_QUEUED; from <= JOB_CANCELLED; from++)
        for (int to = JOB_QUEUED; to <= JOB_CANCELLED; to++)
            if (job_state_is_over((JobState)from))
                assert_int_equal(job_state_may((JobState)from, (JobState)to), to == JOB_QUEUED);
}

static void nothing_is_complete_without_having_run(void **state)
{
    (void)state;
    assert_false(job_state_may(JOB_QUEUED, JOB_COMPLETE));
    assert_true(job_state_may(JOB_RUNNING, JOB_COMPLETE));
    assert_true(job_state_may(JOB_STOPPING, JOB_COMPLETE));
}

static void what_is_ending_does_not_run_again(void **state)
{
    (void)state;
    assert_false(job_state_may(JOB_STOPPING, JOB_RUNNING));
    assert_false(job_state_may(JOB_STOPPING, JOB_QUEUED));
}

static void names_read_back(void **state)
{
    (void)state;
    for (int i = JOB_QUEUED; i <= JOB_CANCELLED; i++) {
        JobState read = JOB_QUEUED;
        assert_int_equal(job_state_of(str_of(job_state_name((JobState)i)), &read), 0);
        assert_int_equal(read, i);
    }
    JobPriority priority = JOB_LOW;
    assert_int_equal(job_priority_of(STR("high"), &priority), 0);
    assert_int_equal(priority, JOB_HIGH);
    assert_int_equal(job_priority_of(STR("highest"), &priority), -1);
    JobType type = JOB_SCAN;
    assert_int_equal(job_type_of(STR("eval-set"), &type), 0);
    assert_int_equal(type, JOB_EVAL_SET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_is_left_only_for_the_queue),
        cmocka_unit_test(nothing_is_complete_without_having_run),
        cmocka_unit_test(what_is_ending_does_not_run_again),
        cmocka_unit_test(names_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
