/* Names of models. */
#include "cmocka_all.h"

#include "warehouse/model_name.h"

static void expect(Str name, const char *expected)
{
    if (!str_eqz(name, expected))
        fail_msg("%.*s is not %s", STR_ARG(name), expected);
}

static void canonical_names_have_no_provider_service_or_lab(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"gpt-4o", "gpt-4o"},
        {"openai/gpt-4o", "gpt-4o"},
        {"openai/azure/gpt-4o", "gpt-4o"},
        {"openai/azur/gpt-4o", "azur/gpt-4o"},
        {"openai-api/groq/llama", "llama"},
        {"openrouter/anthropic/claude", "claude"},
        {"openrouter/claude", "claude"},
        {"openrouter/", "openrouter/"},
        {"hf/org/model/x", "model/x"},
        {"bedrock/anthropic.claude", "anthropic.claude"},
        {"google/vertex/gemini", "gemini"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        expect(model_name_canonical(str_of(names[i][0])), names[i][1]);
}

static void the_longest_called_name_that_ends_a_path_wins(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    ModelNames called = {.arena = arena};
    model_names_add(&called, STR("claude"));
    model_names_add(&called, STR("anthropic/claude"));
    model_names_add(&called, STR("claude"));
    model_names_add(&called, STR(""));
    assert_int_equal(called.n, 2);
    assert_true(model_names_has(&called, STR("claude")));
    expect(model_name_resolve(STR("openrouter/anthropic/claude"), &called), "anthropic/claude");
    expect(model_name_resolve(STR("claude"), &called), "claude");
    expect(model_name_resolve(STR("x/not-claude"), &called), "not-claude");
}

static void a_registry_knows_models_of_catalogues_with_their_labs(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"openrouter/openai/gpt", "openrouter/openai/gpt"},
        {"openrouter/openrouter/openai/gpt", "openrouter/openai/gpt"},
        {"openrouter/gpt", "gpt"},
        {"openai/gpt", "gpt"},
        {"gpt", "gpt"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        expect(model_name_registry(str_of(names[i][0])), names[i][1]);
    static const char *const none[] = {"", "  ", "none", "none/none"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_null(model_name_registry(str_of(none[i])).p);
}

static void keys_of_an_object_are_resolved(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    ModelNames called = {.arena = arena};
    expect(model_name_resolve_keys(STR("{\"a/b\":{\"x\":1},\"c\\/\\u0064\":2}"), &called, arena),
           "{\"b\":{\"x\":1},\"d\":2}");
    expect(model_name_resolve_keys(STR("{\"b\": 1}"), &called, arena), "{\"b\": 1}");
    expect(model_name_resolve_keys(STR("[1]"), &called, arena), "[1]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_names_have_no_provider_service_or_lab),
        cmocka_unit_test(the_longest_called_name_that_ends_a_path_wins),
        cmocka_unit_test(a_registry_knows_models_of_catalogues_with_their_labs),
        cmocka_unit_test(keys_of_an_object_are_resolved),
    };
    return cmocka_run_group_tests_name("model_name", tests, NULL, NULL);
}
