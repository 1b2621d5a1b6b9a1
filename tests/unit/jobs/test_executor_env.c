/* The environment of a runner. */
#include "cmocka_all.h"

#include "jobs/executor_env.h"

static void a_job_sees_little_of_the_server_and_its_own_come_last(void **state)
{
    (void)state;
    assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", "of-the-server", 1), 0);
    assert_int_equal(setenv("UV_INDEX_URL", "https://index.example", 1), 0);
    assert_int_equal(setenv("https_proxy", "http://proxy.example", 1), 0);
    auto_secret Secret *secret = secret_new(STR("first"));
    auto_secret Secret *later = secret_new(STR("second"));
    const ExecutorSecret secrets[] = {{"BOTH", secret}, {"ONE", secret}};
    const ExecutorSecret environment[] = {{"BOTH", later}};
    const ExecutorRun run = {
        .job_id = "job-a",
        .job_type = "eval-set",
        .secrets = secrets,
        .n_secrets = 2,
        .environment = environment,
        .n_environment = 1,
        .traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        .api_url = "https://hawk.example",
    };
    auto_process_env ProcessEnv env = {0};
    executor_env_make(&run, &env);
    assert_null(process_env_get(&env, "AWS_SECRET_ACCESS_KEY"));
    assert_string_equal(process_env_get(&env, "UV_INDEX_URL"), "https://index.example");
    assert_string_equal(process_env_get(&env, "https_proxy"), "http://proxy.example");
    assert_non_null(process_env_get(&env, "PATH"));
    assert_string_equal(process_env_get(&env, "ONE"), "first");
    assert_string_equal(process_env_get(&env, "BOTH"), "second");
    assert_string_equal(process_env_get(&env, "HAWK_JOB_ID"), "job-a");
    assert_string_equal(process_env_get(&env, "TRACEPARENT"), run.traceparent);
    assert_string_equal(process_env_get(&env, EXECUTOR_API_URL), "https://hawk.example");
}

static void names_are_identifiers_and_none_of_ours(void **state)
{
    (void)state;
    static const char *const allowed[] = {"A", "_x1", "OPENAI_API_KEY", "path", "HAWK_CACHE"};
    static const char *const refused[] = {"",    "1A",          "A B",        "A=B",
                                          "A-B", "HAWK_JOB_ID", "LD_PRELOAD", "\xc3\x84"};
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        assert_true(executor_env_is_allowed(str_of(allowed[i])));
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_false(executor_env_is_allowed(str_of(refused[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_sees_little_of_the_server_and_its_own_come_last),
        cmocka_unit_test(names_are_identifiers_and_none_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
