/* Rows from a sample's JSON: what is added up, where instants come from, hostile values. */
#include "cmocka_all.h"

#include <math.h>

#include "base/clock.h"
#include "warehouse/sample_row.h"

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

static SampleRow read_row(const char *json)
{
    auto_error Error err = ERROR_INIT;
    SampleRow row;
    if (sample_row_read(str_of(json), arena, &row, &err) < 0)
        fail_msg("%s", error_text(&err));
    return row;
}

static int64_t at(const char *text)
{
    int64_t us = 0;
    assert_int_equal(clock_parse(str_of(text), &us), 0);
    return us;
}

static void assert_text(Str text, const char *expected)
{
    if (!expected) {
        assert_null(text.p);
        return;
    }
    assert_non_null(text.p);
    assert_int_equal(text.n, strlen(expected));
    assert_memory_equal(text.p, expected, text.n);
}

static const SampleRowScore *find_score(const SampleRow *row, const char *scorer)
{
    for (const SampleRowScore *score = row->scores; score; score = score->next)
        if (str_eqz(score->scorer, scorer))
            return score;
    fail_msg("no score of %s", scorer);
    return NULL;
}

static void ids_may_be_numbers(void **state)
{
    (void)state;
    SampleRow row = read_row("{\"id\": 12, \"epoch\": 2, \"uuid\": \"u\"}");
    assert_text(row.id, "12");
    assert_int_equal(row.epoch, 2);
    assert_text(row.uuid, "u");
    assert_text(row.input, "null");
    assert_true(row.action_count == SAMPLE_ROW_NONE);
    assert_true(isnan(row.working_time));
    assert_null(row.limit);
}

static void tokens_of_all_models_are_added_up(void **state)
{
    (void)state;
    SampleRow row =
        read_row("{\"id\":\"a\",\"epoch\":1,\"model_usage\":{"
                 "\"x/a\":{\"input_tokens\":10,\"output_tokens\":2,\"total_tokens\":12},"
                 "\"x/b\":{\"input_tokens\":1,\"output_tokens\":1,\"total_tokens\":2,"
                 "\"input_tokens_cache_read\":7,\"reasoning_tokens\":null}}}");
    assert_int_equal(row.usage[USAGE_INPUT], 11);
    assert_int_equal(row.usage[USAGE_OUTPUT], 3);
    assert_int_equal(row.usage[USAGE_TOTAL], 14);
    assert_int_equal(row.usage[USAGE_CACHE_READ], 7);
    assert_true(row.usage[USAGE_REASONING] == SAMPLE_ROW_NONE);
    assert_true(row.usage[USAGE_CACHE_WRITE] == SAMPLE_ROW_NONE);
}

static const char with_events[] =
    "{\"id\":\"a\",\"epoch\":1,\"messages\":[{},{\"content\":[1,2]},{}],"
    "\"scores\":{\"match\":{\"value\":\"C\",\"answer\":\"4\",\"explanation\":\"e\",\"metadata\":{"
    "\"k\":1}},"
    "\"grade\":{\"value\":0.5,\"history\":[{\"provenance\":{\"timestamp\":\"2025-01-02T00:00:00Z\"}"
    "}]}},"
    "\"events\":["
    "{\"event\":\"span_begin\",\"timestamp\":\"2025-01-01T10:00:00Z\"},"
    "{\"event\":\"model\",\"timestamp\":\"2025-01-01T10:00:01Z\",\"working_time\":0.25,"
    "\"call\":{\"request\":{\"model\":\"gpt-4o\"},\"response\":{}}},"
    "{\"event\":\"model\",\"timestamp\":\"2025-01-01T10:00:02Z\",\"working_time\":0.5,"
    "\"call\":{\"request\":{\"model\":\"gpt-4o\"}}},"
    "{\"event\":\"tool\",\"timestamp\":\"2025-01-01T10:00:03Z\",\"working_time\":9},"
    "{\"event\":\"score\",\"intermediate\":true,\"timestamp\":\"2025-01-01T10:00:04Z\",\"score\":{"
    "\"value\":1}},"
    "{\"event\":\"info\",\"timestamp\":\"2025-01-01T10:00:05Z\"},"
    "{\"event\":\"score\",\"scorer\":\"match\",\"timestamp\":\"2025-01-01T10:00:06Z\",\"score\":{"
    "\"value\":\"C\"}},"
    "{\"event\":\"score\",\"scorer\":\"grade\",\"timestamp\":\"2025-01-01T10:00:07Z\",\"score\":{"
    "\"value\":0.5}}]}";

static void events_tell_when_the_work_began_and_ended(void **state)
{
    (void)state;
    SampleRow row = read_row(with_events);
    assert_true(row.started_us == at("2025-01-01T10:00:00Z"));
    assert_true(row.completed_us == at("2025-01-01T10:00:05Z")); /* before the first final score */
    assert_int_equal(row.action_count, 1);
    assert_int_equal(row.message_count, 3);
    assert_true(row.generation_time == 0.75);
    assert_text(row.models->name, "gpt-4o");
    assert_null(row.models->next);
}

static void scores_know_their_time_and_intermediate_ones_are_numbered(void **state)
{
    (void)state;
    SampleRow row = read_row(with_events);
    const SampleRowScore *match = find_score(&row, "match");
    assert_text(match->value, "\"C\"");
    assert_true(isnan(match->value_float));
    assert_text(match->answer, "4");
    assert_text(match->meta, "{\"k\":1}");
    assert_true(match->scored_us == at("2025-01-01T10:00:06Z"));
    assert_false(match->is_intermediate);
    const SampleRowScore *grade = find_score(&row, "grade");
    assert_true(grade->value_float == 0.5);
    assert_true(grade->scored_us == at("2025-01-02T00:00:00Z")); /* when it was edited */
    const SampleRowScore *early = find_score(&row, "intermediate_0");
    assert_true(early->is_intermediate);
    assert_true(early->scored_us == at("2025-01-01T10:00:04Z"));
}

static void a_sample_limit_ends_the_work(void **state)
{
    (void)state;
    SampleRow row =
        read_row("{\"id\":\"a\",\"epoch\":1,\"limit\":{\"type\":\"token\",\"limit\":5},\"events\":["
                 "{\"event\":\"model\",\"timestamp\":\"2025-01-01T10:00:00Z\"},"
                 "{\"event\":\"sample_limit\",\"timestamp\":\"2025-01-01T10:00:01Z\"},"
                 "{\"event\":\"info\",\"timestamp\":\"2025-01-01T10:00:02Z\"}]}");
    assert_true(row.completed_us == at("2025-01-01T10:00:01Z"));
    assert_string_equal(row.limit, "token");
}

static void summaries_and_samples_say_errors_and_limits_in_their_own_ways(void **state)
{
    (void)state;
    SampleRow sample =
        read_row("{\"id\":\"a\",\"epoch\":1,\"error\":{\"message\":\"m\",\"traceback\":\"t\","
                 "\"traceback_ansi\":\"\\u001b[31mt\"},\"limit\":null}");
    assert_text(sample.error_message, "m");
    assert_text(sample.error_traceback_ansi, "\x1b[31mt");
    assert_null(sample.limit);
    SampleRow summary =
        read_row("{\"id\":\"a\",\"epoch\":1,\"error\":\"m\",\"limit\":\"turn\",\"message_count\":4,"
                 "\"started_at\":\"2025-01-01T10:00:00+00:00\",\"completed_at\":null}");
    assert_text(summary.error_message, "m");
    assert_string_equal(summary.limit, "custom"); /* one the warehouse has no name for */
    assert_int_equal(summary.message_count, 4);
    assert_true(summary.started_us == at("2025-01-01T10:00:00Z"));
    assert_true(summary.completed_us == SAMPLE_ROW_NONE);
}

static void numbers_that_are_not_finite_are_named_and_never_become_json(void **state)
{
    (void)state;
    SampleRow row = read_row(
        "{\"id\":\"a\",\"epoch\":1,\"scores\":{\"n\":{\"value\":NaN},\"i\":{\"value\":-Infinity},"
        "\"d\":{\"value\":{\"x\":Infinity,\"s\":\"NaN Infinity\"}},\"t\":{\"value\":true}}}");
    const SampleRowScore *score = find_score(&row, "n");
    assert_text(score->value, "null");
    assert_string_equal(score->value_nonfinite, "nan");
    assert_true(isnan(score->value_float));
    assert_string_equal(find_score(&row, "i")->value_nonfinite, "-inf");
    assert_text(find_score(&row, "d")->value, "{\"x\":null,\"s\":\"NaN Infinity\"}");
    assert_null(find_score(&row, "d")->value_nonfinite);
    assert_true(find_score(&row, "t")->value_float == 1.0);
}

static void bytes_that_databases_refuse_are_cleaned(void **state)
{
    (void)state;
    assert_text(sample_row_clean(STR("\"a\\u0000b\""), "f", arena), "\"ab\"");
    assert_text(sample_row_clean(STR("\"\\ud800x \\ud83d\\ude00 \\udc00\""), "f", arena),
                "\"\\ufffdx \\ud83d\\ude00 \\ufffd\"");
    assert_text(sample_row_clean(STR("\"\\\\u0000 \\\\\""), "f", arena), "\"\\\\u0000 \\\\\"");
    assert_text(sample_row_clean(STR("[-Infinity,NaN]"), "f", arena), "[null,null]");
    assert_null(sample_row_clean(STR_NONE, "f", arena).p);
    assert_text(sample_row_clean_text(STR("a\0b"), arena), "ab");
    SampleRow row = read_row("{\"id\":\"a\\u0000b\",\"epoch\":1}");
    assert_text(row.id, "ab");
}

static void what_is_no_sample_is_refused(void **state)
{
    (void)state;
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
        "{\"id\":\"a\",\"epoch\":99999999999999999999}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        auto_error Error err = ERROR_INIT;
        SampleRow row;
        if (sample_row_read(str_of(bad[i]), arena, &row, &err) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.kind, ERR_BAD_DATA);
    }
}

static void members_of_unexpected_types_are_passed_over(void **state)
{
    (void)state;
    SampleRow row = read_row(
        "{\"id\":\"a\",\"epoch\":1,\"events\":{\"x\":1},\"messages\":7,\"scores\":[1],"
        "\"model_usage\":[],\"error\":[],\"limit\":5,\"total_time\":\"x\",\"invalidation\":3,"
        "\"uuid\":{},\"metadata\":null}");
    assert_null(row.scores);
    assert_true(row.message_count == SAMPLE_ROW_NONE);
    assert_null(row.error_message.p);
    assert_null(row.limit);
    assert_null(row.uuid.p);
    SampleRow odd =
        read_row("{\"id\":\"a\",\"epoch\":1,\"events\":[1,[],{\"event\":5,\"call\":1},"
                 "{\"event\":\"model\",\"call\":{\"request\":[]}}],\"scores\":{\"s\":4}}");
    assert_true(find_score(&odd, "s")->value_float == 4.0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_arena, drop_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ids_may_be_numbers),
        T(tokens_of_all_models_are_added_up),
        T(events_tell_when_the_work_began_and_ended),
        T(scores_know_their_time_and_intermediate_ones_are_numbered),
        T(a_sample_limit_ends_the_work),
        T(summaries_and_samples_say_errors_and_limits_in_their_own_ways),
        T(numbers_that_are_not_finite_are_named_and_never_become_json),
        T(bytes_that_databases_refuse_are_cleaned),
        T(what_is_no_sample_is_refused),
        T(members_of_unexpected_types_are_passed_over),
    };
    return cmocka_run_group_tests_name("sample_row", tests, NULL, NULL);
}
