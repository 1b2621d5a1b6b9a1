/* Samples as Markdown, HTML and JSON. */
#include "cmocka_all.h"

#include <string.h>

#include "evallog/transcript.h"

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
    assert_int_equal(transcript_write(STR(sample), &about, TRANSCRIPT_MARKDOWN, &text, &err), 0);
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

static const char judged[] =
    "{\"id\": 1, \"epoch\": 1, \"messages\": [], \"invalidation\": {\"author\": \"ann\","
    "\"timestamp\": \"2026-01-02T03:04:05Z\", \"reason\": \"the <tool> broke\"},"
    "\"scores\": {\"match\": {\"value\": \"C\", \"history\": ["
    "{\"value\": \"I\"}, {\"value\": \"C\", \"provenance\": {\"author\": \"bob\","
    "\"timestamp\": \"2026-02-03T04:05:06Z\", \"reason\": \"wrong target\"}},"
    "{\"value\": \"UNCHANGED\", \"answer\": \"8\", \"provenance\": {\"author\": \"eve\","
    "\"timestamp\": \"2026-02-03T04:05:07Z\", \"reason\": null}}]}}}";

static void invalidations_and_edits_say_who_made_them_when_and_why(void **state)
{
    (void)state;
    static const struct {
        TranscriptFormat format;
        const char *wanted[3];
    } rows[] = {
        {TRANSCRIPT_MARKDOWN,
         {"- Declared invalid: by ann, 2026-01-02T03:04:05Z: the <tool> broke\n",
          "### match: C\n\nEdited by bob, 2026-02-03T04:05:06Z, from I to C: wrong target\n",
          "\nEdited by eve, 2026-02-03T04:05:07Z\n"}},
        {TRANSCRIPT_HTML,
         {"<th>Declared invalid</th><td>by ann, 2026-01-02T03:04:05Z: the &lt;tool&gt; broke</td>",
          "<pre>C</pre>\n<p>Edited by bob, 2026-02-03T04:05:06Z, from I to C: wrong target</p>",
          "<p>Edited by eve, 2026-02-03T04:05:07Z</p>"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t k = 0; k < ARRAY_LEN(rows[i].wanted); k++) {
            auto_buf Buf text = BUF_INIT(65536);
            auto_error Error err = ERROR_INIT;
            const TranscriptAbout about = {0};
            assert_int_equal(transcript_write(STR(judged), &about, rows[i].format, &text, &err), 0);
            if (!strstr(text.data, rows[i].wanted[k]))
                fail_msg("no %s in %s", rows[i].wanted[k], text.data);
        }
}

static void a_sample_that_is_not_json_is_refused(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(65536);
    auto_error Error err = ERROR_INIT;
    TranscriptAbout about = {0};
    assert_int_equal(transcript_write(STR("{\"id\": "), &about, TRANSCRIPT_MARKDOWN, &text, &err),
                     -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
}

/* The document of a sample, in memory that the next call reuses. */
static const char *document(Str given, TranscriptFormat format)
{
    static Buf text;
    auto_error Error err = ERROR_INIT;
    TranscriptAbout about = {.task = STR("sums & <b>"), .model = STR("m/x")};
    buf_release(&text);
    text = BUF_INIT(1 << 20);
    if (transcript_write(given, &about, format, &text, &err) < 0)
        fail_msg("%s", error_text(&err));
    return text.data;
}

static void html_has_what_markdown_has(void **state)
{
    (void)state;
    const char *html = document(STR(sample), TRANSCRIPT_HTML);
    static const char *const wanted[] = {
        "<title>Sample 1, epoch 2</title>",
        "<th>Model</th><td>m/x</td>",
        "<h3><code>match</code></h3>\n<pre>C</pre>",
        "<p>Answer</p>\n<pre>8</pre>",
        "<article class=\"user\">\n<h3>user</h3>\n<pre>what is 4 + "
        "4?</pre>",
        "<summary>Reasoning</summary><pre>hm</pre>",
        "<pre>I run it</pre>",
        "<p>Tool call <code>bash</code></p>",
        "&quot;cmd&quot;: &quot;ls&quot;",
        "<h3>tool <code>bash</code></h3>",
        "<p>Error</p>\n<pre>too long</pre>",
        "</html>\n"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (!strstr(html, wanted[i]))
            fail_msg("no %s in %s", wanted[i], html);
}

static void html_escapes_everything_that_a_log_says(void **state)
{
    (void)state;
    const char *html =
        document(STR("{\"id\": \"<i>\", \"epoch\": 1, \"target\": \"<script>alert(1)</script>\","
                     "\"error\": {\"message\": \"<e>\"}, \"scores\": {\"<s>\": {\"value\": \"<v>\","
                     "\"answer\": \"<a>\", \"explanation\": \"<x>\"}}, \"messages\": [{\"role\": "
                     "\"<role>\", \"function\": \"<f>\", \"content\": \"a'b\\u0007</pre><script>\","
                     "\"error\": {\"message\": \"<m>\"}, \"tool_calls\": [{\"function\": \"<c>\","
                     "\"arguments\": {\"<k>\": \"<v>\"}}]}, {\"role\": \"user\", \"content\": "
                     "[{\"type\": \"<t>\"}, {\"type\": \"image\", \"image\": \"x\\\" "
                     "onerror=alert(1)\"}]}]}"),
                 TRANSCRIPT_HTML);
    static const char *const unwanted[] = {"<script", "<i>",    "<e>",     "<s>", "<v>", "<a>",
                                           "<x>",     "<role>", "<f>",     "<m>", "<c>", "<k>",
                                           "<t>",     "<b>",    "onerror", "\a"};
    for (size_t i = 0; i < ARRAY_LEN(unwanted); i++)
        if (strstr(html, unwanted[i]))
            fail_msg("%s in %s", unwanted[i], html);
    assert_non_null(strstr(html, "a&#39;b\xEF\xBF\xBD&lt;/pre&gt;&lt;script&gt;"));
    assert_non_null(strstr(html, "<article class=\"other\">"));
}

static void html_shows_images_of_the_log_and_no_others(void **state)
{
    (void)state;
    const char *html =
        document(STR("{\"id\": 1, \"epoch\": 1, \"messages\": [{\"role\": \"user\", \"content\": ["
                     "{\"type\": \"image\", \"image\": \"data:image/png;base64,iVBORw0KGgo=\"},"
                     "{\"type\": \"image\", \"image\": \"attachment://a1\"},"
                     "{\"type\": \"image\", \"image\": \"data:image/svg+xml;base64,PHN2Zz4=\"},"
                     "{\"type\": \"image\", \"image\": \"data:text/html;base64,PHN2Zz4=\"},"
                     "{\"type\": \"image\", \"image\": \"http://example.com/x.png\"}]}],"
                     "\"attachments\": {\"a1\": \"data:image/jpeg;base64,/9j/4AAQ\"}}"),
                 TRANSCRIPT_HTML);
    assert_non_null(strstr(html, "src=\"data:image/png;base64,iVBORw0KGgo=\""));
    assert_non_null(strstr(html, "src=\"data:image/jpeg;base64,/9j/4AAQ\""));
    assert_null(strstr(html, "svg"));
    assert_null(strstr(html, "data:text"));
    assert_null(strstr(html, "example.com"));
}

static void html_forbids_everything_but_its_style_and_images(void **state)
{
    (void)state;
    assert_non_null(strstr(document(STR(sample), TRANSCRIPT_HTML),
                           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                           "'none'; img-src data:; style-src 'unsafe-inline'\">"));
}

static void json_is_what_the_log_has_without_space(void **state)
{
    (void)state;
    assert_string_equal(
        document(STR("{\"id\": 1, \"messages\": [{\"role\": \"a\"}, {}], \"x\": NaN, \"events\": "
                     "[1, 2], \"attachments\": {\"k\": \"v w\"}, \"events_data\": {\"messages\": "
                     "[3], \"calls\": [4, 5]}, \"z\": null}"),
                 TRANSCRIPT_JSON),
        "{\"id\":1,\"messages\":[{\"role\":\"a\"},{}],\"x\":NaN,\"events\":[1,2],\"attachments\":"
        "{\"k\":\"v w\"},\"events_data\":{\"messages\":[3],\"calls\":[4,5]},\"z\":null}\n");
}

static void json_has_lists_that_are_empty(void **state)
{
    (void)state;
    assert_string_equal(
        document(STR("{\"messages\": [], \"id\": 1, \"events_data\": {\"calls\": [4]}}"),
                 TRANSCRIPT_JSON),
        "{\"id\":1,\"events_data\":{\"messages\":[],\"calls\":[4]},\"messages\":[],\"events\":[],"
        "\"attachments\":{}}\n");
}

static void formats_are_found_by_name_and_media_type(void **state)
{
    (void)state;
    TranscriptFormat format = TRANSCRIPT_JSON;
    assert_true(transcript_format_find(STR("md"), &format));
    assert_int_equal(format, TRANSCRIPT_MARKDOWN);
    assert_true(transcript_format_find(STR("text/html"), &format));
    assert_int_equal(format, TRANSCRIPT_HTML);
    assert_false(transcript_format_find(STR("pdf"), &format));
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
        cmocka_unit_test(invalidations_and_edits_say_who_made_them_when_and_why),
        cmocka_unit_test(a_sample_that_is_not_json_is_refused),
        cmocka_unit_test(html_has_what_markdown_has),
        cmocka_unit_test(html_escapes_everything_that_a_log_says),
        cmocka_unit_test(html_shows_images_of_the_log_and_no_others),
        cmocka_unit_test(html_forbids_everything_but_its_style_and_images),
        cmocka_unit_test(json_is_what_the_log_has_without_space),
        cmocka_unit_test(json_has_lists_that_are_empty),
        cmocka_unit_test(formats_are_found_by_name_and_media_type),
        cmocka_unit_test(compact_json_keeps_the_space_inside_of_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
