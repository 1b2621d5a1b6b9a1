/* Samples as Markdown. */
#include "cmocka_all.h"

#include <string.h>

#include "cli/transcript.h"

static const char sample[] =
    "{\"id\": 1, \"epoch\": 2, \"uuid\": \"u1\", \"target\": \"8\", \"messages\": ["
    "{\"role\": \"user\", \"content\": \"attachment://abc\"},"
    "{\"role\": \"assistant\", \"content\": [{\"type\": \"reasoning\", \"reasoning\": \"hm\"},"
    "{\"type\": \"text\", \"text\": \"I run it\"}], \"tool_calls\": [{\"function\": \"bash\","
    "\"arguments\": {\"cmd\": \"ls\"}}]},"
    "{\"role\": \"tool\", \"function\": \"bash\", \"content\": \"out\","
    "\"error\": {\"message\": \"too long\"}}],"
    "\"scores\": {\"match\": {\"value\": \"C\", \"answer\": \"8\", \"explanation\": \"right\"},"
    "\"num\": {\"value\": NaN}},"
    "\"attachments\": {\"abc\": \"what is 4 + 4?\"}, \"events\": [1, 2, {\"a\": []}]}";

static void messages_calls_scores_and_attachments_are_shown(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(65536);
    auto_error Error err = ERROR_INIT;
    TranscriptAbout about = {.task = STR("sums"), .model = STR("m/x")};
    assert_int_equal(transcript_write(STR(sample), &about, &text, &err), 0);
    static const char *const wanted[] = {"# Sample 1, epoch 2\n",
                                         "- Task: sums\n",
                                         "### match: C\n",
                                         "Answer: 8\n",
                                         "### user\n\nwhat is 4 + 4?\n",
                                         "<reasoning>\nhm\n</reasoning>",
                                         "I run it\n",
                                         "**Tool call** `bash`",
                                         "\"cmd\": \"ls\"",
                                         "### tool `bash`\n",
                                         "**Error** too long\n"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        assert_non_null(strstr(text.data, wanted[i]));
}

static void a_sample_that_is_not_json_is_refused(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(65536);
    auto_error Error err = ERROR_INIT;
    TranscriptAbout about = {0};
    assert_int_equal(transcript_write(STR("{\"id\": "), &about, &text, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
}

static void compact_json_keeps_the_space_inside_of_strings(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(65536);
    transcript_compact(STR("{ \"a b\" : [ 1 ,\n 2 ], \"c\\\" d\": \"\\\\\" }\n"), &text);
    assert_string_equal(text.data, "{\"a b\":[1,2],\"c\\\" d\":\"\\\\\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_calls_scores_and_attachments_are_shown),
        cmocka_unit_test(a_sample_that_is_not_json_is_refused),
        cmocka_unit_test(compact_json_keeps_the_space_inside_of_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
