/* Messages and their signatures. */
#include "cmocka_all.h"

#include "notices/message.h"

static const char *const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

static void test_a_signature_is_that_of_the_standard(void **state)
{
    /* The example that libraries of Standard Webhooks test themselves with. */
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf key = BUF_INIT(100);
    auto_buf Buf signature = BUF_INIT(100);
    assert_int_equal(message_read_secret(str_of(secret), &key, &err), 0);
    message_sign(buf_str(&key), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                 STR("{\"test\": 2432232314}"), &signature);
    assert_string_equal(signature.data, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

static void test_a_bad_secret_is_refused_without_being_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      "whsec_c2hvcnQ=", "whsec_not base64"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        auto_error Error err = ERROR_INIT;
        auto_buf Buf key = BUF_INIT(100);
        assert_int_equal(message_read_secret(str_of(bad[i]), &key, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_true(strlen(bad[i]) < 8 || !strstr(error_text(&err), bad[i]));
    }
}

static const Notice notice = {
    .key = "a",
    .type = "job.failed",
    .text = "set-1 failed: <!channel> a & b\n\033[31mred",
    .data = {"{\"job_id\":\"set-1\"}", 18},
    .now_us = 0,
};

static void test_a_message_has_type_time_text_and_data(void **state)
{
    (void)state;
    auto_buf Buf body = BUF_INIT(NOTICES_BODY_MAX);
    message_standard(&notice, &body);
    assert_string_equal(body.data,
                        "{\"type\":\"job.failed\",\"timestamp\":\"1970-01-01T00:00:00Z\",\"text\":"
                        "\"set-1 failed: <!channel> a & b  [31mred\","
                        "\"data\":{\"job_id\":\"set-1\"}}");
}

static void test_slack_gets_one_text_that_mentions_nobody(void **state)
{
    (void)state;
    auto_buf Buf body = BUF_INIT(NOTICES_BODY_MAX);
    message_slack(&notice, &body);
    assert_string_equal(body.data,
                        "{\"text\":\"set-1 failed: &lt;!channel&gt; a &amp; b  [31mred\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signature_is_that_of_the_standard),
        cmocka_unit_test(test_a_bad_secret_is_refused_without_being_told),
        cmocka_unit_test(test_a_message_has_type_time_text_and_data),
        cmocka_unit_test(test_slack_gets_one_text_that_mentions_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
