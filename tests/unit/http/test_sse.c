/* Frames of server-sent events. */
#include "cmocka_all.h"

#include "http/sse.h"

static void an_event_has_its_fields_in_lines(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(1024);
    sse_add_event(&buf, STR("7"), STR("update"), STR("{\"a\":1}"));
    assert_string_equal(buf.data, "id: 7\nevent: update\ndata: {\"a\":1}\n\n");
}

static void data_of_several_lines_becomes_several_fields(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(1024);
    sse_add_event(&buf, STR_NONE, STR_NONE, STR("a\nb\r\nc\rd\n"));
    assert_string_equal(buf.data, "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
}

static void empty_data_is_an_empty_field(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(1024);
    sse_add_event(&buf, STR_NONE, STR("e"), STR(""));
    assert_string_equal(buf.data, "event: e\ndata: \n\n");
}

static void names_cannot_begin_a_field(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(1024);
    sse_add_event(&buf, STR("1\ndata: x"), STR("e\r\ndata: y"), STR_NONE);
    assert_string_equal(buf.data, "id: 1data: x\nevent: edata: y\n\n");
    buf_reset(&buf);
    sse_add_comment(&buf, STR("a\nb"));
    assert_string_equal(buf.data, ": ab\n\n");
}

static void a_retry_time_is_a_field(void **state)
{
    (void)state;
    auto_buf Buf buf = BUF_INIT(1024);
    sse_add_retry(&buf, 1500);
    assert_string_equal(buf.data, "retry: 1500\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_its_fields_in_lines),
        cmocka_unit_test(data_of_several_lines_becomes_several_fields),
        cmocka_unit_test(empty_data_is_an_empty_field),
        cmocka_unit_test(names_cannot_begin_a_field),
        cmocka_unit_test(a_retry_time_is_a_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
