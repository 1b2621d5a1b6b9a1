/* What databases refuse is taken out of texts and JSON. */
#include "cmocka_all.h"

#include "warehouse/rows/sample_clean.h"

static const SampleCleanRules rules = {.json_max = SAMPLE_CLEAN_JSON_MAX};
static const SampleCleanRules wary = {.json_max = SAMPLE_CLEAN_JSON_MAX, .is_wary = true};

static void expect(Str json, const SampleCleanRules *how, const char *expected)
{
    auto_arena Arena *arena = arena_new();
    Str clean = sample_clean_json(json, "f", how, arena);
    assert_int_equal(clean.n, strlen(expected));
    assert_memory_equal(clean.p, expected, clean.n);
}

static void nul_and_lone_surrogates_are_taken_out_of_strings(void **state)
{
    (void)state;
    expect(STR("\"a\\u0000b\""), &rules, "\"ab\"");
    expect(STR("\"\\ud800x \\ud83d\\ude00 \\udc00\""), &rules,
           "\"\\ufffdx \\ud83d\\ude00 \\ufffd\"");
    expect(STR("\"\\uD800\""), &rules, "\"\\ufffd\"");
    expect(STR("\"\\\\u0000 \\\\\""), &rules, "\"\\\\u0000 \\\\\"");
}

static void numbers_that_are_none_become_null(void **state)
{
    (void)state;
    expect(STR("[-Infinity,NaN,{\"NaN\":Infinity}]"), &rules, "[null,null,{\"NaN\":null}]");
    expect(STR("\"0123456789012345 NaN Infinity\""), &rules, "\"0123456789012345 NaN Infinity\"");
}

static void signs_are_found_wherever_they_stand(void **state)
{
    (void)state;
    static const char *const signs[] = {"\\u0000", "\\ud800"};
    for (size_t n = 0; n < 40; n++)
        for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
            auto_arena Arena *arena = arena_new();
            const char *fill = "0123456789012345678901234567890123456789";
            Str json = str_of(
                arena_printf(arena, "\"%.*s%s%.*s\"", (int)n, fill, signs[i], (int)(40 - n), fill));
            Str clean = sample_clean_json(json, "f", &rules, arena);
            assert_int_equal(str_find_str(clean, str_of(signs[i])), -1);
        }
}

static void numbers_beyond_all_measure_become_null_when_a_database_has_refused(void **state)
{
    (void)state;
    expect(STR("[1e1000000,1e-12,12.5]"), &rules, "[1e1000000,1e-12,12.5]");
    expect(STR("[1e1000000,1e-12,12.5,\"1e1000000\"]"), &wary, "[null,1e-12,12.5,\"1e1000000\"]");
}

static void texts_lose_their_nul_bytes(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Str clean = sample_clean_text(STR("a\0b\0"), arena);
    assert_int_equal(clean.n, 2);
    assert_memory_equal(clean.p, "ab", 2);
    assert_null(sample_clean_text(STR_NONE, arena).p);
    assert_null(sample_clean_json(STR_NONE, "f", &rules, arena).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nul_and_lone_surrogates_are_taken_out_of_strings),
        cmocka_unit_test(numbers_that_are_none_become_null),
        cmocka_unit_test(signs_are_found_wherever_they_stand),
        cmocka_unit_test(numbers_beyond_all_measure_become_null_when_a_database_has_refused),
        cmocka_unit_test(texts_lose_their_nul_bytes),
    };
    return cmocka_run_group_tests_name("sample_clean", tests, NULL, NULL);
}
