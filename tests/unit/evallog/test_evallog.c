/* Logs made by hand: what a reader must cope with that Inspect's own logs seldom show. */
#include "cmocka_all.h"

#include <string.h>

#include "base/mem.h"
#include "evallog/sample_parts.h"
#include "zip_writer.h"

#define START                                                                                      \
    "{\"version\":2,\"eval\":{\"eval_id\":\"e\",\"task\":\"t\",\"task_version\":3,"                \
    "\"model\":\"m/x\",\"created\":\"2026-01-31T10:00:00-02:00\",\"sandbox\":[\"docker\","         \
    "\"c.yaml\"],\"config\":{\"max_messages\":5.0,\"time_limit\":1.5},"                            \
    "\"metadata\":{\"eval_set_id\":\"s\"},\"tags\":[\"a\"]},"                                      \
    "\"plan\":{\"name\":\"plan\",\"steps\":[{\"solver\":\"a\"},{\"solver\":\"b\"}]}}"

typedef struct Member {
    const char *name;
    const char *text;
} Member;

/* An archive of these members, opened; writer owns the bytes. */
static EvalLog *open_members(ZipWriter *writer, const Member *members, size_t n)
{
    auto_error Error err = ERROR_INIT;
    zip_writer_init(writer);
    for (size_t i = 0; i < n; i++)
        zip_writer_add(writer, members[i].name, str_of(members[i].text));
    EvalLog *log = NULL;
    Source *source = source_of_bytes(zip_writer_finish(writer), "x.eval");
    assert_int_equal(evallog_open(source, &log, &err), 0);
    return log;
}

static void expect_text(Str text, const char *expected)
{
    if (!str_eqz(text, expected))
        fail_msg("'%.*s' is not '%s'", STR_ARG(text), expected);
}

static void expect_failure(int result, const Error *err, const char *part)
{
    assert_int_equal(result, -1);
    assert_int_equal(err->kind, ERR_BAD_DATA);
    if (!strstr(error_text(err), part))
        fail_msg("'%s' is not in '%s'", part, error_text(err));
}

static void a_log_without_header_is_told_from_its_journal(void **state)
{
    (void)state;
    const Member members[] = {
        {"_journal/start.json", START},
        {"_journal/config_updates/10.json", "{\"n\":10}"},
        {"_journal/config_updates/2.json", "{\"n\":2}"},
    };
    ZipWriter writer;
    auto_evallog EvalLog *log = open_members(&writer, members, ARRAY_LEN(members));
    auto_error Error err = ERROR_INIT;
    const EvalLogHeader *header = NULL;
    assert_int_equal(evallog_header(log, &header, &err), 0);
    assert_int_equal(header->status, EVALLOG_STARTED);
    assert_true(header->created_us == INT64_C(1769860800000000));
    assert_int_equal(header->total_samples, 0);
    assert_int_equal(header->message_limit, 5);
    assert_true(header->time_limit > 1.4 && header->time_limit < 1.6);
    assert_true(header->token_limit == EVALLOG_NONE);
    expect_text(header->task_version, "3");
    expect_text(header->sandbox_type, "docker");
    expect_text(header->sandbox_config, "\"c.yaml\"");
    expect_text(header->agent, "a,b");
    expect_text(header->eval_set_id, "s");
    expect_text(header->tags, "[\"a\"]");
    assert_true(str_find_str(header->raw, STR("[{\"n\":2},{\"n\":10}]")) > 0);
    zip_writer_release(&writer);
}

static void a_sandbox_may_be_a_list_of_any_length_or_a_name(void **state)
{
    (void)state;
    const struct {
        const char *header;
        const char *type;
        const char *config;
    } cases[] = {
        {"{\"status\":\"success\",\"eval\":{\"sandbox\":[]}}", "", ""},
        {"{\"status\":\"success\",\"eval\":{\"sandbox\":[\"k8s\"]}}", "k8s", ""},
        {"{\"status\":\"success\",\"eval\":{\"sandbox\":[\"k8s\",null,1]}}", "k8s", ""},
        {"{\"status\":\"success\",\"eval\":{\"sandbox\":\"local\"}}", "local", ""},
        {"{\"status\":\"success\",\"eval\":{\"sandbox\":{\"type\":\"d\",\"config\":{}}}}", "d",
         "{}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const Member member = {"header.json", cases[i].header};
        ZipWriter writer;
        auto_evallog EvalLog *log = open_members(&writer, &member, 1);
        auto_error Error err = ERROR_INIT;
        const EvalLogHeader *header = NULL;
        assert_int_equal(evallog_header(log, &header, &err), 0);
        expect_text(header->sandbox_type, cases[i].type);
        expect_text(header->sandbox_config, cases[i].config);
        zip_writer_release(&writer);
    }
}

static void later_summaries_replace_earlier_ones_in_their_place(void **state)
{
    (void)state;
    const Member members[] = {
        {"_journal/start.json", START},
        {"_journal/summaries/10.json", "[{\"id\":\"a\",\"epoch\":1,\"uuid\":\"new\"}]"},
        {"_journal/summaries/9.json",
         "[{\"id\":\"a\",\"epoch\":1,\"uuid\":\"old\"},{\"id\":7,\"epoch\":1,\"completed\":true}]"},
    };
    ZipWriter writer;
    auto_evallog EvalLog *log = open_members(&writer, members, ARRAY_LEN(members));
    auto_error Error err = ERROR_INIT;
    const EvalLogSummaries *summaries = NULL;
    assert_int_equal(evallog_summaries(log, &summaries, &err), 0);
    assert_int_equal(summaries->n, 2);
    expect_text(summaries->items[0].uuid, "new");
    expect_text(summaries->items[1].id, "7");
    assert_true(summaries->items[1].completed);
    assert_null(summaries->items[1].uuid.p);
    zip_writer_release(&writer);
}

static void samples_are_told_from_other_members_by_their_names(void **state)
{
    (void)state;
    const Member members[] = {
        {"samples/x_epoch_1_epoch_2.json", "{\"which\":\"whole\"}"},
        {"samples/a/b_epoch_1.json", "{}"},
        {"samples/c_epoch_3/sample.json", "{\"id\":\"c\",\"epoch\":3}"},
        {"samples/c_epoch_3/messages/0.json", "[]"},
        {"samples/nothing.json", "{}"},
        {"samples/n_epoch_.json", "{}"},
        {"samples/n_epoch_99999999999999999999.json", "{}"},
        {"other/x_epoch_1.json", "{}"},
    };
    ZipWriter writer;
    auto_evallog EvalLog *log = open_members(&writer, members, ARRAY_LEN(members));
    auto_error Error err = ERROR_INIT;
    const EvalLogSamples *samples = NULL;
    assert_int_equal(evallog_samples(log, &samples, &err), 0);
    assert_int_equal(samples->n, 3);
    expect_text(samples->items[0].id, "x_epoch_1");
    assert_int_equal(samples->items[0].epoch, 2);
    expect_text(samples->items[1].id, "a/b");
    assert_true(samples->items[2].is_chunked);
    const EvalLogSample *found = NULL;
    assert_int_equal(evallog_find_sample(log, STR("x_epoch_1"), 2, &found, &err), 0);
    auto_buf Buf text = BUF_INIT(1000);
    assert_int_equal(evallog_read_sample(log, found, &text, &err), 0);
    expect_text(buf_str(&text), "{\"which\":\"whole\"}");
    assert_int_equal(evallog_find_sample(log, STR("c"), 3, &found, &err), 0);
    assert_int_equal(evallog_find_sample(log, STR("c"), 4, &found, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    zip_writer_release(&writer);
}

static int read_only_sample(const Member *members, size_t n, Buf *ret, Error *err)
{
    ZipWriter writer;
    auto_evallog EvalLog *log = open_members(&writer, members, n);
    const EvalLogSamples *samples = NULL;
    assert_int_equal(evallog_samples(log, &samples, err), 0);
    assert_int_equal(samples->n, 1);
    int result = evallog_read_sample(log, samples->items, ret, err);
    evallog_close(TAKE(log));
    zip_writer_release(&writer);
    return result;
}

static void chunks_come_together_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    const Member members[] = {
        {"samples/c_epoch_1/sample.json",
         "{\"id\":\"c\",\"events\":0,\"message_refs\":[[2,3],[0,1]],\"k\\n\":NaN}"},
        {"samples/c_epoch_1/metadata.json", "{\"m\":1}"},
        {"samples/c_epoch_1/messages/2.json", "[\"m2\"]"},
        {"samples/c_epoch_1/messages/0.json", "[\"m0\",\"m1\"]"},
        {"samples/c_epoch_1/events/0.json", "[1]"},
        {"samples/c_epoch_1/events/1.json", "[2]"},
        {"samples/c_epoch_1/events/stats.json", "{}"},
        {"samples/c_epoch_1/attachments/0.json", "[\"x\"]"},
    };
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(1000);
    assert_int_equal(read_only_sample(members, ARRAY_LEN(members), &text, &err), 0);
    expect_text(buf_str(&text),
                "{\"id\":\"c\",\"k\\n\":NaN,\"metadata\":{\"m\":1},\"attachments\":{\"0\":\"x\"},"
                "\"events_data\":{\"messages\":[\"m0\",\"m1\",\"m2\"],\"calls\":[]},"
                "\"messages\":[\"m2\",\"m0\"],\"events\":[1,2]}");
}

static void chunks_that_miss_something_are_bad(void **state)
{
    (void)state;
    const struct {
        Member shell;
        Member chunk;
        const char *text;
    } cases[] = {
        {{"samples/c_epoch_1/sample.json", "{\"message_refs\":[]}"},
         {"samples/c_epoch_1/messages/1.json", "[1]"},
         "messages/1.json: the items before it are missing"},
        {{"samples/c_epoch_1/sample.json", "{\"message_refs\":[[0,2]]}"},
         {"samples/c_epoch_1/messages/0.json", "[1]"},
         "message_refs"},
        {{"samples/c_epoch_1/sample.json", "{\"message_refs\":[[-1,1]]}"},
         {"samples/c_epoch_1/messages/0.json", "[1]"},
         "message_refs"},
        {{"samples/c_epoch_1/sample.json", "{\"message_refs\":[[0,1"},
         {"samples/c_epoch_1/messages/0.json", "[1]"},
         "sample.json"},
        {{"samples/c_epoch_1/sample.json", "{}"},
         {"samples/c_epoch_1/events/0.json", "{\"a\":1}"},
         "events/0.json"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const Member members[] = {cases[i].shell, cases[i].chunk};
        auto_error Error err = ERROR_INIT;
        auto_buf Buf text = BUF_INIT(1000);
        int result = read_only_sample(members, ARRAY_LEN(members), &text, &err);
        expect_failure(result, &err, cases[i].text);
    }
}

static void repeated_messages_stop_at_the_readers_limit(void **state)
{
    (void)state;
    auto_buf Buf shell = BUF_INIT(1 << 20);
    buf_addz(&shell, "{\"message_refs\":[[0,1]");
    for (int i = 0; i < 1000; i++)
        buf_addz(&shell, ",[0,1]");
    buf_addz(&shell, "]}");
    const Member members[] = {
        {"samples/c_epoch_1/sample.json", shell.data},
        {"samples/c_epoch_1/messages/0.json", "[\"a message of some length\"]"},
    };
    auto_error Error err = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(10000);
    int result = read_only_sample(members, ARRAY_LEN(members), &text, &err);
    expect_failure(result, &err, "over the limit");
}

static void headers_that_say_nothing_are_bad(void **state)
{
    (void)state;
    const struct {
        Member member;
        const char *text;
    } cases[] = {
        {{"header.json", "{\"eval\":{}}"}, "no status"},
        {{"header.json", "{\"status\":\"odd\",\"eval\":{}}"}, "unknown status"},
        {{"header.json", "{\"status\":\"success\",\"eval\":[]}"}, "no eval"},
        {{"header.json", "[]"}, "no object"},
        {{"header.json", "{\"status\":"}, "header"},
        {{"header.json", ""}, "no object"},
        {{"_journal/start.json", "{}"}, "no eval"},
        {{"_journal/start.json", "{\"eval\":{"}, "start.json"},
        {{"other.json", "{}"}, "without header.json"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ZipWriter writer;
        auto_evallog EvalLog *log = open_members(&writer, &cases[i].member, 1);
        auto_error Error err = ERROR_INIT;
        const EvalLogHeader *header = NULL;
        expect_failure(evallog_header(log, &header, &err), &err, cases[i].text);
        zip_writer_release(&writer);
    }
}

static void summaries_that_are_no_summaries_are_bad(void **state)
{
    (void)state;
    const char *const texts[] = {"{}", "[1]", "[{\"id\":1}]", "[{\"epoch\":1}]", "[{", ""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const Member member = {"summaries.json", texts[i]};
        ZipWriter writer;
        auto_evallog EvalLog *log = open_members(&writer, &member, 1);
        auto_error Error err = ERROR_INIT;
        const EvalLogSummaries *summaries = NULL;
        expect_failure(evallog_summaries(log, &summaries, &err), &err, "summar");
        zip_writer_release(&writer);
    }
}

static EvalLog *open_text(Str text, const char *name)
{
    auto_error Error err = ERROR_INIT;
    EvalLog *log = NULL;
    assert_int_equal(evallog_open(source_of_bytes(text, name), &log, &err), 0);
    return log;
}

static void the_header_of_a_json_log_needs_nothing_behind_it(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(4 << 20);
    buf_addz(&text, "{\"version\":2,\"status\":\"success\",\"eval\":{\"task\":\"");
    for (int i = 0; i < 600000; i++) /* more than the first piece that is read */
        buf_addc(&text, 'x');
    buf_addz(&text, "\"},\"plan\":{},\"samples\":[{\"id\":1, and then it breaks");
    auto_evallog EvalLog *log = open_text(buf_str(&text), "x.json");
    auto_error Error err = ERROR_INIT;
    const EvalLogHeader *header = NULL;
    const EvalLogSamples *samples = NULL;
    assert_int_equal(evallog_header(log, &header, &err), 0);
    assert_int_equal(header->status, EVALLOG_SUCCESS);
    assert_int_equal(header->task.n, 600000);
    assert_true(str_ends(header->raw, STR("\"plan\":{}}")));
    expect_failure(evallog_samples(log, &samples, &err), &err, "x.json");
}

static void the_keys_of_a_json_log_may_have_any_order(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"samples\":[{\"id\":1,\"epoch\":1}],\"eval\":{\"task\":\"t\"},\"status\":\"error\"}",
        "{\"eval\":{\"task\":\"t\"},\"reductions\":[],\"samples\":[{\"id\":1,\"epoch\":1}],"
        "\"status\":\"error\",\"version\":2}",
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(texts); i++) {
        auto_evallog EvalLog *log = open_text(str_of(texts[i / 2]), "x.json");
        auto_error Error err = ERROR_INIT;
        const EvalLogHeader *header = NULL;
        const EvalLogSamples *samples = NULL;
        if (i % 2)
            evallog_hold_at_most(log, 0);
        assert_int_equal(evallog_header(log, &header, &err), 0);
        assert_int_equal(header->status, EVALLOG_ERROR);
        expect_text(header->task, "t");
        assert_int_equal(str_find_str(header->raw, STR("samples")), -1);
        assert_int_equal(evallog_samples(log, &samples, &err), 0);
        assert_int_equal(samples->n, 1);
    }
}

static void what_is_wrong_with_a_json_log_is_said_as_it_is(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\xEF\xBB\xBF{\"status\":\"error\",\"eval\":{}}", "byte order mark"},
        {"{\"samples\":[{\"id\":1}],\"status\":\"error\"", "byte 38"},
        {"{\"samples\":[{\"id\":1}],\"status\":\"error\"}", "no eval"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_evallog EvalLog *log = open_text(str_of(cases[i][0]), "x.json");
        auto_error Error err = ERROR_INIT;
        const EvalLogHeader *header = NULL;
        expect_failure(evallog_header(log, &header, &err), &err, cases[i][1]);
    }
}

static void a_json_log_gives_summaries_and_samples(void **state)
{
    (void)state;
    Str text = STR("{\"status\":\"success\",\"eval\":{},\"samples\":["
                   "{\"id\":1,\"epoch\":1,\"uuid\":\"u\",\"messages\":[1,[2,3]],"
                   "\"error\":{\"message\":\"no\"},\"limit\":{\"type\":\"token\",\"limit\":5},"
                   "\"error_retries\":[{}],\"events\":[]}],\"reductions\":[3]}");
    auto_evallog EvalLog *log = open_text(text, "no suffix");
    auto_error Error err = ERROR_INIT;
    const EvalLogSummaries *summaries = NULL;
    const EvalLogSample *sample = NULL;
    Str reductions = STR_NONE;
    auto_buf Buf document = BUF_INIT(1000);
    assert_int_equal(evallog_summaries(log, &summaries, &err), 0);
    assert_int_equal(summaries->n, 1);
    assert_int_equal(summaries->items[0].message_count, 2);
    assert_int_equal(summaries->items[0].retries, 1);
    assert_true(summaries->items[0].completed);
    expect_text(summaries->items[0].error, "no");
    expect_text(summaries->items[0].limit, "token");
    assert_int_equal(evallog_find_uuid(log, STR("u"), &sample, &err), 0);
    assert_int_equal(evallog_read_sample(log, sample, &document, &err), 0);
    assert_true(str_starts(buf_str(&document), STR("{\"id\":1,\"epoch\"")));
    assert_int_equal(evallog_reductions(log, &reductions, &err), 0);
    expect_text(reductions, "[3]");
    assert_int_equal(evallog_find_uuid(log, STR("v"), &sample, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* Both ways to read a sample that was found by its uuid. */
static void expect_another_uuid(EvalLog *log, const char *uuid)
{
    auto_error Error parts_err = ERROR_INIT;
    auto_error Error err = ERROR_INIT;
    auto_sample_parts SampleParts *parts = NULL;
    auto_buf Buf document = BUF_INIT(1000);
    const EvalLogSample *sample = NULL;
    SamplePart part;
    assert_int_equal(evallog_find_uuid(log, str_of(uuid), &sample, &err), 0);
    assert_int_equal(evallog_read_sample(log, sample, &document, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_int_equal(sample_parts_open(log, sample, &parts, &parts_err), 0);
    while (sample_parts_next(parts, &part, &parts_err) == 1)
        ;
    assert_int_equal(parts_err.kind, ERR_NOT_FOUND);
}

static void a_sample_found_by_a_uuid_has_to_say_the_same_uuid(void **state)
{
    (void)state;
    const Member members[] = {
        {"_journal/start.json", START},
        {"samples/a_epoch_1.json", "{\"id\":\"a\",\"epoch\":1,\"uuid\":\"new\"}"},
        {"samples/b_epoch_1/sample.json", "{\"id\":\"b\",\"epoch\":1,\"uuid\":\"other\"}"},
        {"summaries.json", "[{\"id\":\"a\",\"epoch\":1,\"uuid\":\"old\"},"
                           "{\"id\":\"b\",\"epoch\":1,\"uuid\":\"chunked\"},"
                           "{\"id\":\"a\",\"epoch\":1,\"uuid\":\"new\"}]"},
    };
    ZipWriter writer;
    auto_evallog EvalLog *log = open_members(&writer, members, ARRAY_LEN(members));
    auto_error Error err = ERROR_INIT;
    auto_buf Buf document = BUF_INIT(1000);
    const EvalLogSample *sample = NULL;
    expect_another_uuid(log, "old");
    expect_another_uuid(log, "chunked");
    assert_int_equal(evallog_find_uuid(log, STR("new"), &sample, &err), 0);
    assert_int_equal(evallog_read_sample(log, sample, &document, &err), 0);
    assert_int_equal(evallog_find_uuid(log, STR("none"), &sample, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    zip_writer_release(&writer);
}

static void a_uuid_is_found_before_summaries_that_are_broken(void **state)
{
    (void)state;
    const Member members[] = {
        {"samples/a_epoch_1.json", "{\"uuid\":\"u\"}"},
        {"summaries.json", "[{\"id\":\"a\",\"epoch\":1,\"uuid\":\"u\"},nonsense"},
    };
    ZipWriter writer;
    auto_evallog EvalLog *log = open_members(&writer, members, ARRAY_LEN(members));
    auto_error Error err = ERROR_INIT;
    const EvalLogSample *sample = NULL;
    assert_int_equal(evallog_find_uuid(log, STR("u"), &sample, &err), 0);
    expect_text(sample->id, "a");
    expect_failure(evallog_find_uuid(log, STR("v"), &sample, &err), &err, "summaries.json");
    zip_writer_release(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_without_header_is_told_from_its_journal),
        cmocka_unit_test(a_sandbox_may_be_a_list_of_any_length_or_a_name),
        cmocka_unit_test(later_summaries_replace_earlier_ones_in_their_place),
        cmocka_unit_test(samples_are_told_from_other_members_by_their_names),
        cmocka_unit_test(chunks_come_together_in_the_order_of_their_numbers),
        cmocka_unit_test(chunks_that_miss_something_are_bad),
        cmocka_unit_test(repeated_messages_stop_at_the_readers_limit),
        cmocka_unit_test(headers_that_say_nothing_are_bad),
        cmocka_unit_test(summaries_that_are_no_summaries_are_bad),
        cmocka_unit_test(the_header_of_a_json_log_needs_nothing_behind_it),
        cmocka_unit_test(the_keys_of_a_json_log_may_have_any_order),
        cmocka_unit_test(what_is_wrong_with_a_json_log_is_said_as_it_is),
        cmocka_unit_test(a_json_log_gives_summaries_and_samples),
        cmocka_unit_test(a_sample_found_by_a_uuid_has_to_say_the_same_uuid),
        cmocka_unit_test(a_uuid_is_found_before_summaries_that_are_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
