/* The row of a sample and those of its scores: what is added up, where instants come from, hostile
   values. */
#include "cmocka_all.h"

#include "rows_made.h"
#include "warehouse/rows/rows_parts.h"

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

static void expect(const RowsMade *made, const char *column, const char *value)
{
    assert_string_equal(rows_made_column(made, ROWS_SAMPLE, 0, column), value);
}

/* The place of a score among the rows. */
static size_t score_of(const RowsMade *made, const char *scorer)
{
    for (size_t i = 0; i < made->n[ROWS_SCORE]; i++)
        if (strcmp(rows_made_column(made, ROWS_SCORE, i, "scorer"), scorer) == 0)
            return i;
    fail_msg("no score of %s", scorer);
    return 0;
}

static void expect_score(const RowsMade *made, const char *scorer, const char *column,
                         const char *value)
{
    assert_string_equal(rows_made_column(made, ROWS_SCORE, score_of(made, scorer), column), value);
}

static void ids_may_be_numbers(void **state)
{
    (void)state;
    RowsMade made = rows_made(arena, "{\"id\": 12, \"epoch\": 2, \"uuid\": \"u\"}");
    assert_string_equal(rows_made_row(&made, ROWS_SAMPLE, 0),
                        "is_provisional=false; meta={}; id=12; uuid=u; epoch=2; input=null; "
                        "input_tokens=0; output_tokens=0; reasoning_tokens=0; total_tokens=0; "
                        "input_tokens_cache_read=0; input_tokens_cache_write=0; "
                        "working_time_seconds=0; total_time_seconds=0");
}

static void tokens_of_all_models_are_added_up_under_their_short_names(void **state)
{
    (void)state;
    RowsMade made =
        rows_made(arena, "{\"id\":\"a\",\"epoch\":1,\"model_usage\":{"
                         "\"x/a\":{\"input_tokens\":10,\"output_tokens\":2,\"total_tokens\":12},"
                         "\"x/b\":{\"input_tokens\":1,\"output_tokens\":1,\"total_tokens\":2,"
                         "\"input_tokens_cache_read\":7,\"reasoning_tokens\":null}},"
                         "\"output\":{\"model\":\"x/a\",\"choices\":[]}}");
    expect(&made, "input_tokens", "11");
    expect(&made, "output_tokens", "3");
    expect(&made, "total_tokens", "14");
    expect(&made, "input_tokens_cache_read", "7");
    expect(&made, "reasoning_tokens", "0");
    assert_non_null(strstr(rows_made_column(&made, ROWS_SAMPLE, 0, "model_usage"), "{\"a\":{"));
    expect(&made, "output", "{\"model\":\"a\",\"choices\":[]}");
    assert_string_equal(rows_made_row(&made, ROWS_OBSERVED, 1), "name=b");
}

#define WITH_EVENTS                                                                                \
    "{\"id\":\"a\",\"epoch\":1,\"completed_at\":\"2025-01-01T11:00:00Z\","                         \
    "\"messages\":[{},{\"content\":[1,2]},{}],"                                                    \
    "\"scores\":{\"match\":{\"value\":\"C\",\"answer\":\"4\",\"explanation\":\"e\","               \
    "\"metadata\":{\"k\":1}},\"grade\":{\"value\":0.5,\"history\":[{},{\"provenance\":{"           \
    "\"timestamp\":\"2025-01-02T00:00:00Z\"}}]},\"fixed\":{\"value\":1,\"history\":[{}]}},"        \
    "\"events\":["                                                                                 \
    "{\"event\":\"span_begin\",\"timestamp\":\"2025-01-01T10:00:00Z\"},"                           \
    "{\"event\":\"model\",\"timestamp\":\"2025-01-01T10:00:01Z\",\"working_time\":0.25,"           \
    "\"model\":\"p/s/gpt-4o\",\"call\":{\"request\":{\"model\":\"gpt-4o\"},\"response\":{}}},"     \
    "{\"event\":\"model\",\"timestamp\":\"2025-01-01T10:00:02Z\",\"working_time\":0.5,"            \
    "\"model\":\"p/s/gpt-4o\"},"                                                                   \
    "{\"event\":\"tool\",\"timestamp\":\"2025-01-01T10:00:03Z\",\"working_time\":9},"              \
    "{\"event\":\"score\",\"intermediate\":true,\"timestamp\":\"2025-01-01T10:00:04Z\","           \
    "\"score\":{\"value\":1},\"model_usage\":{\"p/s/gpt-4o\":{\"input_tokens\":1}}},"              \
    "{\"event\":\"info\",\"timestamp\":\"2025-01-01T10:00:05Z\"},"                                 \
    "{\"event\":\"score\",\"timestamp\":\"2025-01-01T10:00:06Z\",\"score\":{\"value\":\"C\"}},"    \
    "{\"event\":\"score_edit\",\"score_name\":\"fixed\",\"timestamp\":\"2025-01-01T10:00:07Z\"},"  \
    "{\"event\":\"score_edit\",\"score_name\":\"fixed\",\"timestamp\":\"2025-01-01T10:00:08Z\"}]}"

static void events_tell_when_the_work_began_and_ended(void **state)
{
    (void)state;
    RowsMade made = rows_made(arena, WITH_EVENTS);
    expect(&made, "started_at", "2025-01-01T10:00:00Z");
    expect(&made, "completed_at", "2025-01-01T10:00:05Z"); /* before the first final score */
    expect(&made, "action_count", "1");
    expect(&made, "message_count", "3");
    expect(&made, "generation_time_seconds", "0.75");
}

static void models_are_named_as_their_calls_name_them(void **state)
{
    (void)state;
    RowsMade made = rows_made(arena, WITH_EVENTS);
    assert_int_equal(made.n[ROWS_SAMPLE_MODEL], 2); /* the second event has no call */
    assert_string_equal(rows_made_row(&made, ROWS_SAMPLE_MODEL, 0), "model=gpt-4o");
    assert_string_equal(rows_made_row(&made, ROWS_SAMPLE_MODEL, 1), "model=s/gpt-4o");
    assert_int_equal(made.n[ROWS_CALLED], 1);
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 1, "model_name_raw"), "p/s/gpt-4o");
    assert_string_equal(rows_made_column(&made, ROWS_EVENT, 1, "model_name"), "s/gpt-4o");
}

static void scores_know_when_they_were_made_or_edited(void **state)
{
    (void)state;
    RowsMade made = rows_made(arena, WITH_EVENTS);
    expect_score(&made, "match", "value", "\"C\"");
    expect_score(&made, "match", "value_float", "NULL");
    expect_score(&made, "match", "answer", "4");
    expect_score(&made, "match", "meta", "{\"k\":1}");
    expect_score(&made, "match", "is_intermediate", "false");
    expect_score(&made, "match", "scored_at", "2025-01-01T11:00:00Z"); /* with the sample */
    expect_score(&made, "grade", "value_float", "0.5");
    expect_score(&made, "grade", "scored_at", "2025-01-02T00:00:00Z"); /* as the edit says */
    expect_score(&made, "fixed", "scored_at", "2025-01-01T10:00:08Z"); /* the last event of it */
}

static void intermediate_scores_are_numbered(void **state)
{
    (void)state;
    RowsMade made = rows_made(arena, WITH_EVENTS);
    expect_score(&made, "intermediate_0", "is_intermediate", "true");
    expect_score(&made, "intermediate_0", "scored_at", "2025-01-01T10:00:04Z");
    expect_score(&made, "intermediate_0", "model_usage", "{\"s/gpt-4o\":{\"input_tokens\":1}}");
}

static void of_scores_with_one_name_the_last_final_one_counts(void **state)
{
    (void)state;
    RowsMade made = rows_made(
        arena, "{\"id\":\"a\",\"epoch\":1,\"scores\":{\"intermediate_0\":{\"value\":1},"
               "\"a\":{\"value\":2},\"a\":{\"value\":3},\"a\\u0000\":{\"value\":4}},"
               "\"events\":[{\"event\":\"score\",\"intermediate\":true,\"score\":{\"value\":9}}]}");
    assert_int_equal(made.n[ROWS_SCORE], 2);
    expect_score(&made, "intermediate_0", "value", "1");
    expect_score(&made, "a", "value", "4");
}

static void long_names_of_scorers_are_cut_and_stay_apart(void **state)
{
    (void)state;
    auto_buf Buf json = BUF_INIT(16384);
    buf_addz(&json, "{\"id\":\"a\",\"epoch\":1,\"scores\":{");
    for (int i = 0; i < 2; i++) {
        buf_addz(&json, i ? ",\"" : "\"");
        for (int n = 0; n < 3000; n++)
            buf_addc(&json, 'x');
        buf_printf(&json, "%d\":{\"value\":%d}", i, i);
    }
    buf_addz(&json, "}}");
    RowsMade made = rows_made(arena, json.data);
    assert_int_equal(made.n[ROWS_SCORE], 2);
    Str first = str_of(rows_made_column(&made, ROWS_SCORE, 0, "scorer"));
    Str second = str_of(rows_made_column(&made, ROWS_SCORE, 1, "scorer"));
    assert_true(first.n == 500 && str_starts(first, STR("xxxx")));
    assert_true(second.n == 500 && !str_eq(first, second));
}

static void early_logs_have_one_score_without_a_name(void **state)
{
    (void)state;
    RowsMade made =
        rows_made(arena, "{\"id\":\"a\",\"epoch\":1,\"score\":{\"value\":\"C\",\"answer\":\"x\"}}");
    expect_score(&made, "88F74D2C", "answer", "x");
}

static void a_sample_limit_ends_the_work(void **state)
{
    (void)state;
    RowsMade made =
        rows_made(arena, "{\"id\":\"a\",\"epoch\":1,\"limit\":{\"type\":\"token\",\"limit\":5,"
                         "\"reason\":\"enough\"},\"events\":["
                         "{\"event\":\"model\",\"timestamp\":\"2025-01-01T10:00:00Z\"},"
                         "{\"event\":\"sample_limit\",\"timestamp\":\"2025-01-01T10:00:01Z\"},"
                         "{\"event\":\"score\",\"timestamp\":\"2025-01-01T10:00:02Z\"}]}");
    expect(&made, "completed_at", "2025-01-01T10:00:01Z");
    expect(&made, "limit", "token");
    expect(&made, "limit_reason", "enough");
}

static void what_summaries_have_is_kept_for_samples_too(void **state)
{
    (void)state;
    RowsMade made = rows_made(
        arena, "{\"id\":\"a\",\"epoch\":1,\"target\":[\"x\"],\"choices\":[\"y\"],"
               "\"description\":\"d\",\"turn_count\":3,\"token_limit_usage\":9,"
               "\"error_retries\":[{},{}],\"model_fallbacks\":[{\"count\":2},{\"count\":1}],"
               "\"sandbox\":[\"docker\",\"compose.yaml\"]}");
    expect(&made, "target", "[\"x\"]");
    expect(&made, "choices", "[\"y\"]");
    expect(&made, "description", "d");
    expect(&made, "turn_count", "3");
    expect(&made, "token_limit_usage", "9");
    expect(&made, "retries", "2");
    expect(&made, "fallbacks", "3");
    expect(&made, "sandbox_type", "docker");
    expect(&made, "sandbox_config", "\"compose.yaml\"");
}

static void secrets_of_sandbox_services_stay_in_the_log(void **state)
{
    (void)state;
    RowsMade made = rows_made(
        arena, "{\"id\":\"a\",\"epoch\":1,\"sandbox\":{\"type\":\"docker\",\"config\":{\"a\":null,"
               "\"services\":{\"s\":{\"image\":\"i\",\"environment\":{\"K\":\"secret\"},"
               "\"env_file\":[\"f\"],\"x\":[null,{\"y\":null}]}}}}}");
    expect(&made, "sandbox_config", "{\"services\":{\"s\":{\"image\":\"i\",\"x\":[{}]}}}");
}

static void summaries_and_samples_say_errors_and_limits_in_their_own_ways(void **state)
{
    (void)state;
    static const SampleCleanRules rules = {.json_max = SAMPLE_CLEAN_JSON_MAX};
    auto_error Error err = ERROR_INIT;
    RowsMade sample =
        rows_made(arena, "{\"id\":\"a\",\"epoch\":1,\"error\":{\"message\":\"m\",\"traceback\":"
                         "\"t\",\"traceback_ansi\":\"\\u001b[31mt\"},\"limit\":null}");
    expect(&sample, "error_message", "m");
    expect(&sample, "error_traceback_ansi", "\x1b[31mt");
    expect(&sample, "limit", "NULL");
    RowsMade summary;
    assert_int_equal(
        rows_made_try(&summary, arena,
                      "{\"id\":\"a\",\"epoch\":1,\"error\":\"m\",\"limit\":\"turn\","
                      "\"message_count\":4,\"retries\":2,"
                      "\"started_at\":\"2025-01-01T10:00:00+00:00\",\"completed_at\":null}",
                      true, &rules, &err),
        0);
    expect(&summary, "error_message", "m");
    expect(&summary, "limit", "custom"); /* one the warehouse has no name for */
    expect(&summary, "message_count", "4");
    expect(&summary, "retries", "2");
    expect(&summary, "started_at", "2025-01-01T10:00:00Z");
    expect(&summary, "completed_at", "NULL");
    expect(&summary, "input_tokens", "NULL");
    expect(&summary, "is_provisional", "true");
}

static void a_summary_with_events_has_their_rows(void **state)
{
    (void)state;
    static const SampleCleanRules rules = {.json_max = SAMPLE_CLEAN_JSON_MAX};
    auto_error Error err = ERROR_INIT;
    RowsMade made;
    assert_int_equal(rows_made_try(&made, arena,
                                   "{\"id\":\"a\",\"epoch\":1,\"events\":[{\"event\":\"tool\"}]}",
                                   true, &rules, &err),
                     0);
    expect(&made, "buf_cursor", "{\"events\": 1}");
    assert_string_equal(rows_made_row(&made, ROWS_EVENT, 0),
                        "event_order=0; event_type=tool; is_provisional=true");
}

static void numbers_that_are_not_finite_are_named_and_never_become_json(void **state)
{
    (void)state;
    RowsMade made = rows_made(
        arena, "{\"id\":\"a\",\"epoch\":1,\"scores\":{\"n\":{\"value\":NaN},\"i\":{\"value\":"
               "-Infinity},\"d\":{\"value\":{\"x\":Infinity,\"s\":\"NaN Infinity\"}},"
               "\"t\":{\"value\":true}}}");
    expect_score(&made, "n", "value", "null");
    expect_score(&made, "n", "value_nonfinite", "nan");
    expect_score(&made, "n", "value_float", "nan");
    expect_score(&made, "i", "value_nonfinite", "-inf");
    expect_score(&made, "i", "value_float", "-inf");
    expect_score(&made, "d", "value", "{\"x\":null,\"s\":\"NaN Infinity\"}");
    expect_score(&made, "d", "value_nonfinite", "NULL");
    expect_score(&made, "t", "value_float", "1");
}

static void what_is_no_sample_is_refused(void **state)
{
    (void)state;
    static const SampleCleanRules rules = {.json_max = SAMPLE_CLEAN_JSON_MAX};
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{}",
        "{\"id\":\"a\"}",
        "{\"id\":\"a\",\"epoch\":-1}",
        "{\"id\":[],\"epoch\":1}",
        "{\"id\":\"a\",\"epoch\":1} x",
        "{\"id\":\"a\",\"epoch\":1,\"events\":[{]}",
        "{\"id\":\"a\",\"epoch\":1,\"events\":{}}",
        "{\"id\":\"a\",\"epoch\":99999999999}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        auto_error Error err = ERROR_INIT;
        RowsMade made;
        if (rows_made_try(&made, arena, bad[i], false, &rules, &err) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.kind, ERR_BAD_DATA);
        assert_int_equal(made.n[ROWS_SAMPLE], 0);
    }
}

static void members_of_unexpected_types_are_passed_over(void **state)
{
    (void)state;
    RowsMade made = rows_made(
        arena, "{\"id\":\"a\",\"epoch\":1,\"scores\":[1],\"model_usage\":[],\"error\":[],"
               "\"limit\":5,\"total_time\":\"x\",\"invalidation\":3,\"uuid\":{},\"metadata\":null,"
               "\"sandbox\":1,\"turn_count\":99999999999,\"events\":[1,[],{\"event\":5,\"call\":1},"
               "{\"event\":\"model\",\"call\":{\"request\":[]}}]}");
    assert_int_equal(made.n[ROWS_SCORE], 0);
    expect(&made, "error_message", "NULL");
    expect(&made, "limit", "NULL");
    expect(&made, "uuid", "NULL");
    expect(&made, "turn_count", "NULL");
    assert_int_equal(made.n[ROWS_EVENT], 2);
    RowsMade odd = rows_made(arena, "{\"id\":\"a\",\"epoch\":1,\"scores\":{\"s\":4}}");
    expect_score(&odd, "s", "value_float", "4");
}

static void a_sample_of_more_parts_than_are_kept_gives_the_same_rows(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(1 << 20);
    buf_addc(&text, '{');
    for (int i = 0; i <= ROWS_PARTS_MAX; i++)
        buf_printf(&text, "\"x%d\":0,", i);
    buf_addz(&text, WITH_EVENTS + 1);
    RowsMade many = rows_made(arena, text.data);
    RowsMade few = rows_made(arena, WITH_EVENTS);
    assert_true(few.n[ROWS_EVENT] > 0);
    for (RowsTable table = 0; table < N_ROWS_TABLES; table++) {
        assert_int_equal(many.n[table], few.n[table]);
        for (size_t i = 0; i < few.n[table]; i++)
            assert_string_equal(many.rows[table][i], few.rows[table][i]);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_arena, drop_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ids_may_be_numbers),
        T(tokens_of_all_models_are_added_up_under_their_short_names),
        T(events_tell_when_the_work_began_and_ended),
        T(models_are_named_as_their_calls_name_them),
        T(scores_know_when_they_were_made_or_edited),
        T(intermediate_scores_are_numbered),
        T(of_scores_with_one_name_the_last_final_one_counts),
        T(long_names_of_scorers_are_cut_and_stay_apart),
        T(early_logs_have_one_score_without_a_name),
        T(a_sample_limit_ends_the_work),
        T(what_summaries_have_is_kept_for_samples_too),
        T(secrets_of_sandbox_services_stay_in_the_log),
        T(summaries_and_samples_say_errors_and_limits_in_their_own_ways),
        T(a_summary_with_events_has_their_rows),
        T(numbers_that_are_not_finite_are_named_and_never_become_json),
        T(what_is_no_sample_is_refused),
        T(members_of_unexpected_types_are_passed_over),
        T(a_sample_of_more_parts_than_are_kept_gives_the_same_rows),
    };
    return cmocka_run_group_tests_name("rows_sample", tests, NULL, NULL);
}
