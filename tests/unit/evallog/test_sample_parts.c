/* A sample part by part: held as a whole, and through a window, which must give the same. */
#include "cmocka_all.h"

#include <string.h>

#include "base/mem.h"
#include "evallog/sample_parts.h"
#include "zip_writer.h"

enum { TEXT_MAX = 1 << 20 };

/* Writes each part as "kind[index] key=raw;" to ret. */
static int collect(SampleParts *parts, Buf *ret, Error *err)
{
    static const char *const names[] = {"member", "message", "event", "pool", "call", "attachment"};
    SamplePart part;
    int has_part = 0;
    while ((has_part = sample_parts_next(parts, &part, err)) == 1) {
        buf_printf(ret, "%s[%zu] ", names[part.kind], part.index);
        if (part.key.p)
            buf_printf(ret, "%.*s=", STR_ARG(part.key));
        buf_printf(ret, "%.*s;", STR_ARG(part.raw));
    }
    return has_part;
}

typedef int Reader(SampleParts *parts, Buf *ret, Error *err);

/* What the reader gets from the only sample of a log. */
static int read_sample(Reader *reader, Source *source, size_t hold, Buf *ret, Error *err)
{
    EvalLog *log = NULL;
    assert_int_equal(evallog_open(source, &log, err), 0);
    const EvalLogSamples *samples = NULL;
    evallog_hold_at_most(log, hold);
    assert_int_equal(evallog_samples(log, &samples, err), 0);
    assert_int_equal(samples->n, 1);
    SampleParts *parts = NULL;
    int result = sample_parts_open(log, samples->items, &parts, err);
    if (result == 0) {
        assert_int_equal(sample_parts_is_whole(parts),
                         !samples->items->is_chunked && samples->items->size <= hold);
        result = reader(parts, ret, err);
    }
    sample_parts_close(parts);
    evallog_close(log);
    return result;
}

/* What the reader gets from the only sample of an archive with these members. */
static int read_with(Reader *reader, const char *const *members, size_t n, Buf *ret, Error *err)
{
    ZipWriter writer;
    zip_writer_init(&writer);
    for (size_t i = 0; i + 1 < n; i += 2)
        zip_writer_add(&writer, members[i], str_of(members[i + 1]));
    Str bytes = zip_writer_finish(&writer);
    auto_buf Buf streamed = BUF_INIT(TEXT_MAX);
    auto_error Error streamed_err = ERROR_INIT;
    int result =
        read_sample(reader, source_of_bytes(bytes, "x.eval"), SAMPLE_PARTS_WHOLE_MAX, ret, err);
    int streamed_result =
        read_sample(reader, source_of_bytes(bytes, "x.eval"), 0, &streamed, &streamed_err);
    zip_writer_release(&writer);
    assert_string_equal(ret->data, streamed.data);
    assert_string_equal(error_text(err), error_text(&streamed_err));
    assert_int_equal(result, streamed_result);
    return result;
}

static int parts_of_text(const char *text, Buf *ret, Error *err)
{
    const char *const members[] = {"samples/a_epoch_1.json", text};
    return read_with(collect, members, ARRAY_LEN(members), ret, err);
}

static void expect_parts(const char *text, const char *expected)
{
    auto_buf Buf got = BUF_INIT(TEXT_MAX);
    auto_error Error err = ERROR_INIT;
    if (parts_of_text(text, &got, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_string_equal(got.data, expected);
}

static void parts_come_in_the_order_of_the_file(void **state)
{
    (void)state;
    expect_parts("{\"id\":\"a\",\"messages\":[{\"m\":1},[2]],\"events\":[{\"e\":1}],\"store\":{},"
                 "\"events_data\":{\"messages\":[1,2],\"calls\":[3]},\"attachments\":{\"h\":\"x\"},"
                 "\"uuid\":\"u\"}",
                 "member[0] id=\"a\";message[0] {\"m\":1};message[1] [2];event[0] {\"e\":1};"
                 "member[1] store={};pool[0] 1;pool[1] 2;call[0] 3;attachment[0] h=\"x\";"
                 "member[2] uuid=\"u\";");
}

static void what_is_null_or_empty_has_no_parts(void **state)
{
    (void)state;
    expect_parts("{\"messages\":null,\"events\":[],\"attachments\":{},\"events_data\":null}", "");
    expect_parts("{\"events_data\":{\"messages\":null,\"calls\":[]},\"transcript\":null}", "");
    expect_parts("{}", "");
}

static void a_transcript_of_an_old_log_is_events_and_attachments(void **state)
{
    (void)state;
    expect_parts("{\"transcript\":{\"events\":[1,2],\"content\":{\"h\":\"x\"}},\"id\":1}",
                 "event[0] 1;event[1] 2;attachment[0] h=\"x\";member[0] id=1;");
}

static void keys_come_without_their_escapes(void **state)
{
    (void)state;
    expect_parts("{\"i\\u0064\":1,\"m\\u0065ssages\":[2],\"attachments\":{\"\\\"\":3}}",
                 "member[0] id=1;message[0] 2;attachment[0] \"=3;");
}

static void broken_samples_name_the_sample_and_the_byte(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"{\"id\":1,\"messages\":{}}", "sample a: byte 19: expected an array"},
        {"{\"events_data\":[]}", "sample a: byte 15: expected an object"},
        {"{\"attachments\":[]}", "sample a: byte 15: expected an object"},
        {"{\"messages\":[1,}", "sample a: byte 15: expected a value"},
        {"{\"messages\":[1]", "sample a: byte 15: expected ',' or '}'"},
        {"{} x", "sample a: byte 3: expected nothing more"},
        {"[]", "sample a: byte 0: expected an object"},
        {"", "sample a: byte 0: expected an object"},
        {"{\"events\":[],\"events\":[]}", "sample a: events comes twice"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf Buf got = BUF_INIT(TEXT_MAX);
        auto_error Error err = ERROR_INIT;
        assert_int_equal(parts_of_text(cases[i].text, &got, &err), -1);
        assert_int_equal(err.kind, ERR_BAD_DATA);
        if (!strstr(error_text(&err), cases[i].part))
            fail_msg("'%s' is not in '%s'", cases[i].part, error_text(&err));
    }
}

static void nesting_without_end_is_refused_where_it_is_too_deep(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    auto_buf Buf got = BUF_INIT(TEXT_MAX);
    auto_error Error err = ERROR_INIT;
    buf_addz(&text, "{\"events\":[");
    for (int i = 0; i < 100000; i++)
        buf_addc(&text, '[');
    assert_int_equal(parts_of_text(text.data, &got, &err), -1);
    assert_non_null(strstr(error_text(&err), "sample a: byte 1033: expected no deeper nesting"));
}

static int collect_anew(SampleParts *parts, Buf *ret, Error *err)
{
    SamplePart part;
    for (int i = 0; i < 3; i++)
        assert_int_equal(sample_parts_next(parts, &part, err), 1);
    if (sample_parts_rewind(parts, err) < 0 || collect(parts, ret, err) < 0 ||
        sample_parts_rewind(parts, err) < 0)
        return -1;
    return collect(parts, ret, err);
}

static void parts_can_be_read_again(void **state)
{
    (void)state;
    const char *const members[] = {
        "samples/a_epoch_1.json",
        "{\"id\":1,\"messages\":[2],\"events_data\":{\"calls\":[3,4]},\"events\":[]}"};
    auto_buf Buf got = BUF_INIT(TEXT_MAX);
    auto_error Error err = ERROR_INIT;
    if (read_with(collect_anew, members, ARRAY_LEN(members), &got, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_string_equal(got.data, "member[0] id=1;message[0] 2;call[0] 3;call[1] 4;"
                                  "member[0] id=1;message[0] 2;call[0] 3;call[1] 4;");
}

static void a_sample_of_a_json_log_has_the_same_parts(void **state)
{
    (void)state;
    Str text =
        STR("{\"status\":\"success\",\"samples\":[ {\"id\":1,\"epoch\":1,\"messages\":[2, 3],"
            "\"attachments\":{\"h\":\"x\"}} ],\"reductions\":null}");
    static const size_t holds[] = {SAMPLE_PARTS_WHOLE_MAX, 100, 0};
    for (size_t i = 0; i < ARRAY_LEN(holds); i++) {
        auto_buf Buf got = BUF_INIT(TEXT_MAX);
        auto_error Error err = ERROR_INIT;
        if (read_sample(collect, source_of_bytes(text, "x.json"), holds[i], &got, &err) < 0)
            fail_msg("%s", error_text(&err));
        assert_string_equal(got.data, "member[0] id=1;member[1] epoch=1;message[0] 2;message[1] 3;"
                                      "attachment[0] h=\"x\";");
    }
}

static int parts_of_chunks(const char *shell, Buf *ret, Error *err)
{
    const char *const members[] = {
        "samples/c_epoch_1/sample.json",        shell,
        "samples/c_epoch_1/metadata.json",      "{\"m\":1}",
        "samples/c_epoch_1/messages/0.json",    "[\"m0\", \"m1\"]",
        "samples/c_epoch_1/messages/2.json",    "[\"m2\",\"m3\"]",
        "samples/c_epoch_1/messages/4.json",    "[\"m4\"]",
        "samples/c_epoch_1/calls/0.json",       "[7]",
        "samples/c_epoch_1/events/0.json",      "[1]",
        "samples/c_epoch_1/events/1.json",      "[2,3]",
        "samples/c_epoch_1/attachments/0.json", "[\"x\"]",
        "samples/c_epoch_1/attachments/1.json", "[\"y\"]",
    };
    return read_with(collect, members, ARRAY_LEN(members), ret, err);
}

static void the_parts_of_a_sample_in_chunks_come_chunk_by_chunk(void **state)
{
    (void)state;
    auto_buf Buf got = BUF_INIT(TEXT_MAX);
    auto_error Error err = ERROR_INIT;
    const char *shell =
        "{\"id\":\"c\",\"events\":0,\"message_refs\":[[4,5],[1,3],[0,0],[1,2]],\"k\":2}";
    if (parts_of_chunks(shell, &got, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_string_equal(
        got.data,
        "member[0] id=\"c\";member[1] k=2;member[2] metadata={\"m\":1};"
        "attachment[0] 0=\"x\";attachment[1] 1=\"y\";"
        "pool[0] \"m0\";pool[1] \"m1\";pool[2] \"m2\";pool[3] \"m3\";pool[4] \"m4\";call[0] 7;"
        "message[0] \"m4\";message[1] \"m1\";message[2] \"m2\";message[3] \"m1\";"
        "event[0] 1;event[1] 2;event[2] 3;");
}

static void a_conversation_that_jumps_back_for_ever_is_refused(void **state)
{
    (void)state;
    auto_buf Buf shell = BUF_INIT(TEXT_MAX);
    auto_buf Buf got = BUF_INIT(TEXT_MAX);
    auto_error Error err = ERROR_INIT;
    buf_addz(&shell, "{\"message_refs\":[[0,1]");
    for (int i = 0; i < 1100; i++)
        buf_addz(&shell, ",[4,5],[0,1]");
    buf_addz(&shell, "]}");
    assert_int_equal(parts_of_chunks(shell.data, &got, &err), -1);
    assert_non_null(strstr(error_text(&err), "sample.json: message_refs goes back too often"));
}

static void a_sample_in_memory_has_the_same_parts_but_one_left_out(void **state)
{
    (void)state;
    auto_buf Buf got = BUF_INIT(TEXT_MAX);
    auto_error Error err = ERROR_INIT;
    auto_sample_parts SampleParts *parts = NULL;
    Str json = STR("{\"id\":1,\"store\":{\"a\":[1]},\"messages\":[2],\"st\\u006fre\":3}");
    assert_int_equal(sample_parts_open_text(json, "x", &parts, &err), 0);
    assert_true(sample_parts_is_whole(parts));
    assert_int_equal(collect(parts, &got, &err), 0);
    assert_string_equal(got.data, "member[0] id=1;member[1] store={\"a\":[1]};message[0] 2;"
                                  "member[2] store=3;");
    buf_reset(&got);
    sample_parts_leave_out(parts, "store");
    assert_int_equal(sample_parts_rewind(parts, &err), 0);
    assert_int_equal(collect(parts, &got, &err), 0);
    assert_string_equal(got.data, "member[0] id=1;message[0] 2;");
    sample_parts_close(TAKE(parts));
    assert_int_equal(sample_parts_open_text(STR("[]"), "x", &parts, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_come_in_the_order_of_the_file),
        cmocka_unit_test(what_is_null_or_empty_has_no_parts),
        cmocka_unit_test(a_transcript_of_an_old_log_is_events_and_attachments),
        cmocka_unit_test(keys_come_without_their_escapes),
        cmocka_unit_test(parts_can_be_read_again),
        cmocka_unit_test(broken_samples_name_the_sample_and_the_byte),
        cmocka_unit_test(nesting_without_end_is_refused_where_it_is_too_deep),
        cmocka_unit_test(a_sample_of_a_json_log_has_the_same_parts),
        cmocka_unit_test(a_sample_in_memory_has_the_same_parts_but_one_left_out),
        cmocka_unit_test(the_parts_of_a_sample_in_chunks_come_chunk_by_chunk),
        cmocka_unit_test(a_conversation_that_jumps_back_for_ever_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
