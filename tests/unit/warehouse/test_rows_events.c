/* Rows below a sample: events, pools, messages, attachments. */
#include "cmocka_all.h"

#include "rows_made.h"

static Arena *arena;

static int make_arena(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int drop_arena(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static RowsMade made_of(const char *members)
{
    return rows_made(arena, arena_printf(arena, "{\"id\":\"a\",\"epoch\":1,%s}", members));
}

static void members_of_an_event_go_to_their_columns(void **state)
{
    (void)state;
    RowsMade made = made_of(
        "\"events\":[{\"uuid\":\"u\",\"span_id\":\"s\",\"timestamp\":\"2025-01-01T10:00:00Z\","
        "\"working_start\":1.5,\"metadata\":{\"m\":1},\"pending\":true,\"event\":\"tool\","
        "\"type\":\"function\",\"id\":\"c1\",\"function\":\"f\",\"arguments\":{\"x\":1},"
        "\"result\":\"r\",\"truncated\":[1,2],\"failed\":false,\"events\":[],\"view\":null}]");
    assert_string_equal(rows_made_row(&made, ROWS_EVENT, 0),
                        "event_order=0; event_type=tool; event_uuid=u; span_id=s; "
                        "timestamp=2025-01-01T10:00:00Z; working_start=1.5; pending=true; "
                        "meta={\"m\":1}; tool_call_id=c1; tool_function=f; "
                        "tool_arguments={\"x\":1}; tool_result=\"r\"; tool_failed=false; "
                        "tool_truncated=[1,2]; is_provisional=false");
}

static void what_has_no_column_or_does_not_fit_is_kept_beside(void **state)
{
    (void)state;
    RowsMade made =
        made_of("\"events\":[{\"event\":\"info\",\"source\":[1],\"data\":2,\"ne\\u0077\":NaN,"
                "\"empty\":[],\"null\":null},{\"event\":\"strange\",\"a\":1},{\"event\":"
                "\"checkpoint\",\"checkpoint_id\":3,\"more\":4,\"sandboxes\":{}},{\"no\":1}]");
    assert_string_equal(rows_made_row(&made, ROWS_EVENT, 0),
                        "event_order=0; event_type=info; info_data=2; is_provisional=false; "
                        "extra={\"source\":[1],\"ne\\u0077\":null}");
    assert_string_equal(rows_made_row(&made, ROWS_EVENT, 1),
                        "event_order=1; event_type=strange; is_provisional=false; extra={\"a\":1}");
    assert_string_equal(rows_made_row(&made, ROWS_EVENT, 2),
                        "event_order=2; event_type=checkpoint; checkpoint_id=3; "
                        "checkpoint_extra={\"more\":4}; is_provisional=false");
    assert_string_equal(rows_made_row(&made, ROWS_EVENT, 3),
                        "event_order=3; event_type=event; is_provisional=false; extra={\"no\":1}");
}

static void steps_count_for_nothing(void **state)
{
    (void)state;
    RowsMade made = made_of("\"events\":[{\"event\":\"step\"},{\"event\":\"info\"},"
                            "{\"event\":\"step\"},{\"event\":\"score\"}]");
    assert_int_equal(made.n[ROWS_EVENT], 2);
    assert_string_equal(rows_made_row(&made, ROWS_EVENT, 0),
                        "event_order=0; event_type=info; is_provisional=false");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 1, "event_order"), "1");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 1, "score_intermediate"), "false");
}

static void pools_of_the_log_know_the_first_event_that_refers_to_them(void **state)
{
    (void)state;
    RowsMade made =
        made_of("\"events_data\":{\"messages\":[{\"b\":1,\"a\":2},7,8,9],\"calls\":[\"c\"]},"
                "\"events\":[{\"event\":\"info\"},"
                "{\"event\":\"model\",\"input\":[],\"input_refs\":[[1,2]]},"
                "{\"event\":\"model\",\"input_refs\":[[0,3],[9,2],[\"x\",1],[1],3]}]");
    static const char *const earliest[] = {"2", "1", "2", "NULL"};
    for (size_t i = 0; i < ARRAY_LEN(earliest); i++)
        assert_string_equal(rows_made_column(&made, ROWS_MESSAGE_POOL, i, "earliest_event_order"),
                            earliest[i]);
    assert_string_equal(rows_made_row(&made, ROWS_CALL_POOL, 0),
                        "pool_order=0; content_hash=d66b1320181fb52d3bd6f56c46178050; data=\"c\"");
}

static void old_logs_get_pools_in_which_each_message_is_once(void **state)
{
    (void)state;
    RowsMade made = made_of(
        "\"events\":[{\"event\":\"model\",\"input\":[{\"id\":\"1\",\"role\":\"user\"},"
        "{\"id\":\"2\",\"role\":\"system\"}],\"call\":{\"request\":{\"model\":\"m\",\"messages\":"
        "[{\"a\":1},{\"b\":2},{\"a\":1}]},\"response\":{}}},"
        "{\"event\":\"model\",\"input\":[{\"id\":\"2\",\"role\":\"system\"},{\"id\":\"9\","
        "\"role\":\"user\"},{\"role\":\"tool\"}],\"call\":{\"request\":{\"inputs\":[{\"b\":2}],"
        "\"x\":1}}},{\"event\":\"model\",\"input\":[],\"call\":{\"request\":{\"messages\":[]}}}]");
    assert_int_equal(made.n[ROWS_MESSAGE_POOL], 3);
    assert_int_equal(made.n[ROWS_CALL_POOL], 2);
    assert_string_equal(rows_made_column(&made, ROWS_MESSAGE_POOL, 0, "earliest_event_order"), "0");
    assert_string_equal(rows_made_column(&made, ROWS_MESSAGE_POOL, 2, "earliest_event_order"), "1");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 0, "model_input_refs"), "[[0, 2]]");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 0, "model_call_refs"),
                        "[[0, 2], [0, 1]]");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 0, "model_call_key"), "messages");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 0, "model_call"),
                        "{\"request\":{\"model\":\"m\"},\"response\":{}}");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 1, "model_input_refs"),
                        "[[1, 2], [0, 1], [2, 3]]");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 1, "model_call"),
                        "{\"request\":{\"x\":1}}");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 2, "model_input_refs"), "NULL");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 2, "model_call"),
                        "{\"request\":{\"messages\":[]}}");
}

static void calls_of_new_logs_have_their_references_in_columns(void **state)
{
    (void)state;
    RowsMade made = made_of("\"events_data\":{\"messages\":[1],\"calls\":[1]},\"events\":[{"
                            "\"event\":\"model\",\"call\":{\"request\":{\"messages\":[{}]},"
                            "\"call_refs\":[[0,1]],\"call_key\":\"messages\",\"time\":2}}]");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 0, "model_call_refs"), "[[0,1]]");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 0, "model_call_key"), "messages");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 0, "model_call"),
                        "{\"request\":{\"messages\":[{}]},\"time\":2}");
}

#define HUNDRED                                                                                    \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"  \
    "123456789"

/* The key under which the text of the only long string is. */
static const char *key_of(const RowsMade *made, size_t n)
{
    return rows_made_column(made, ROWS_ATTACHMENT, n, "attachment_key");
}

static void texts_over_a_hundred_characters_stand_beside_the_message(void **state)
{
    (void)state;
    RowsMade made =
        made_of("\"messages\":[{\"role\":\"user\",\"content\":\"" HUNDRED "\"},"
                "{\"role\":\"user\",\"content\":\"" HUNDRED "!\",\"metadata\":\"" HUNDRED "??\"},"
                "{\"content\":\"\\u0030" HUNDRED
                "\",\"tool_calls\":[{\"arguments\":{\"x\":\"" HUNDRED "+\"}}]}]");
    assert_string_equal(rows_made_column(&made, ROWS_MESSAGE, 0, "data"),
                        "{\"role\":\"user\",\"content\":\"" HUNDRED "\"}");
    assert_int_equal(made.n[ROWS_ATTACHMENT], 2);
    assert_string_equal(rows_made_column(&made, ROWS_ATTACHMENT, 0, "content"), HUNDRED "!");
    assert_string_equal(rows_made_column(&made, ROWS_ATTACHMENT, 0, "byte_len"), "101");
    assert_string_equal(rows_made_column(&made, ROWS_MESSAGE, 1, "data"),
                        arena_printf(arena,
                                     "{\"role\":\"user\",\"content\":\"attachment://%s\","
                                     "\"metadata\":\"" HUNDRED "?\?\"}",
                                     key_of(&made, 0)));
    /* Calls of a message whose content is one text stay as they are. */
    assert_string_equal(rows_made_column(&made, ROWS_ATTACHMENT, 1, "content"), "0" HUNDRED);
    assert_non_null(strstr(rows_made_column(&made, ROWS_MESSAGE, 2, "data"), HUNDRED "+"));
}

static void texts_of_content_and_calls_stand_beside_the_message(void **state)
{
    (void)state;
    RowsMade made = made_of(
        "\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"" HUNDRED "a\"},"
        "{\"type\":\"reasoning\",\"reasoning\":\"" HUNDRED "b\",\"signature\":\"" HUNDRED "s\"},"
        "{\"type\":\"data\",\"data\":{\"x\":[\"" HUNDRED "c\"]}}],"
        "\"tool_calls\":[{\"arguments\":{\"x\":[\"" HUNDRED "d\"]},\"view\":{\"content\":"
        "\"" HUNDRED "e\"}}]}]");
    assert_int_equal(made.n[ROWS_ATTACHMENT], 5);
    const char *data = rows_made_column(&made, ROWS_MESSAGE, 0, "data");
    assert_non_null(strstr(data, HUNDRED "s"));
    for (size_t i = 0; i < 5; i++)
        assert_non_null(strstr(data, key_of(&made, i)));
}

static void characters_are_counted_not_bytes(void **state)
{
    (void)state;
    Buf text = BUF_INIT(4096);
    for (int i = 0; i < 100; i++)
        buf_addz(&text, i % 2 ? "\xC3\xA9" : "\\u00e9");
    RowsMade made =
        made_of(arena_printf(arena, "\"messages\":[{\"content\":\"%s\"},{\"content\":\"%s\\n\"}]",
                             text.data, text.data));
    buf_release(&text);
    assert_int_equal(made.n[ROWS_ATTACHMENT], 1);
    assert_string_equal(rows_made_column(&made, ROWS_ATTACHMENT, 0, "byte_len"), "201");
}

static void attachments_have_one_row_for_each_key(void **state)
{
    (void)state;
    RowsMade made = made_of("\"attachments\":{\"k\":\"a\\u0000b\",\"0\":\"\",\"k\":\"c\",\"n\":5}");
    assert_int_equal(made.n[ROWS_ATTACHMENT], 2);
    assert_string_equal(rows_made_row(&made, ROWS_ATTACHMENT, 0),
                        "attachment_key=k; content=ab; byte_len=2; sanitized=true");
    assert_string_equal(rows_made_row(&made, ROWS_ATTACHMENT, 1),
                        "attachment_key=0; content=; byte_len=0; sanitized=false");
}

static void what_is_too_large_is_replaced_by_a_note(void **state)
{
    (void)state;
    static const SampleCleanRules rules = {.json_max = 30};
    auto_error Error err = ERROR_INIT;
    RowsMade made;
    assert_int_equal(
        rows_made_try(
            &made, arena,
            "{\"id\":\"a\",\"epoch\":1,\"metadata\":{\"one\":\"0123456789\",\"two\":\"0123"
            "456789\"},\"events\":[{\"event\":\"info\",\"data\":[1, 2, 3, 4, 5, 6]}]}",
            false, &rules, &err),
        0);
    assert_string_equal(rows_made_column(&made, ROWS_SAMPLE, 0, "meta"),
                        "{\"__hawk_externalized__\":{\"v\":1,\"field\":\"meta\",\"original_type\":"
                        "\"object\",\"byte_len\":39,\"storage\":{\"backend\":\"eval_file\"},"
                        "\"keys\":[\"one\",\"two\"]}}");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 0, "info_data"),
                        "[1, 2, 3, 4, 5, 6]"); /* 13 without the spaces */
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_arena, drop_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(members_of_an_event_go_to_their_columns),
        T(what_has_no_column_or_does_not_fit_is_kept_beside),
        T(steps_count_for_nothing),
        T(pools_of_the_log_know_the_first_event_that_refers_to_them),
        T(old_logs_get_pools_in_which_each_message_is_once),
        T(calls_of_new_logs_have_their_references_in_columns),
        T(texts_over_a_hundred_characters_stand_beside_the_message),
        T(texts_of_content_and_calls_stand_beside_the_message),
        T(characters_are_counted_not_bytes),
        T(attachments_have_one_row_for_each_key),
        T(what_is_too_large_is_replaced_by_a_note),
    };
    return cmocka_run_group_tests_name("rows_events", tests, NULL, NULL);
}
