/* What a config will do. */
#include "cmocka_all.h"

#include "jobspec/plan.h"

#define TEXT                                                                                       \
    "limit: 5\nisolation: strict\n"                                                                \
    "tasks: [{package: p, name: y, items: [{name: t1, sample_ids: [1, 2]}, {name: t2}]}]\n"        \
    "models: [{package: inspect-ai, items: [{name: openai/a}, {name: openai/b}]}]\n"               \
    "solvers: [{package: inspect-ai, items: [{name: generate}]}]\n"                                \
    "agents: [{package: inspect-ai, items: [{name: react}]}]\n"                                    \
    "runner: {environment: {PASSWORD: hunter2}, secrets: [{name: TOKEN}]}\n"                       \
    "packages: ['git+https://user:hunter2@example.test/x']\n"

static Plan *make(Arena *arena, const char *text, const PlanSetting *settings, size_t n)
{
    auto_error Error err = ERROR_INIT;
    Diagnostics list;
    diagnostics_init(&list, arena);
    Jobspec *spec = NULL;
    assert_int_equal(
        jobspec_load_text(arena, str_of(text), "x.yaml", JOBSPEC_ANY, NULL, &list, &spec, &err), 0);
    const PlanInput input = {.spec = spec, .settings = settings, .n_settings = n};
    return plan_make(arena, &input);
}

static const PlanValue *find(const Plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->n_values; i++)
        if (strcmp(plan->values[i].name, name) == 0)
            return &plan->values[i];
    fail_msg("no value %s", name);
    return NULL;
}

static void every_value_has_its_origin(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    const PlanSetting settings[] = {
        {"limit", "7", PLAN_OPTION, "--limit"},
        {"score", "false", PLAN_SERVER, "HAWK_SCORE"},
        {"isolation.level", "\"standard\"", PLAN_SERVER, NULL},
        {"max_samples", "1000", PLAN_SERVER, "HAWK_MAX_SAMPLES"},
    };
    Plan *plan = make(arena, TEXT, settings, ARRAY_LEN(settings));
    assert_int_equal(find(plan, "limit")->origin, PLAN_OPTION);
    assert_int_equal(find(plan, "limit")->value->integer, 7);
    assert_int_equal(find(plan, "score")->origin, PLAN_SERVER);
    assert_int_equal(find(plan, "isolation.level")->origin, PLAN_CONFIG);
    assert_int_equal(find(plan, "isolation.level")->line, 2);
    assert_int_equal(find(plan, "isolation.allow_gpu")->origin, PLAN_DEFAULT);
    assert_int_equal(find(plan, "checkpoint.trigger.every")->origin, PLAN_DEFAULT);
    assert_int_equal(find(plan, "max_samples")->origin, PLAN_SERVER);
}

static void the_matrix_is_tasks_times_solvers_and_agents_times_models(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Plan *plan = make(arena, TEXT, NULL, 0);
    assert_int_equal(plan->n_cells, 8);
    assert_string_equal(plan->cells[0].task, "y/t1");
    assert_string_equal(plan->cells[0].solver, "generate");
    assert_false(plan->cells[0].is_agent);
    assert_int_equal(plan->cells[0].n_sample_ids, 2);
    assert_string_equal(plan->cells[7].task, "y/t2");
    assert_string_equal(plan->cells[7].solver, "react");
    assert_true(plan->cells[7].is_agent);
    assert_string_equal(plan->cells[7].model, "openai/b");
    Plan *least = make(arena, "tasks: [{package: p, name: y, items: [{name: t}]}]\n", NULL, 0);
    assert_int_equal(least->n_cells, 1);
    assert_null(least->cells[0].model);
    assert_null(least->cells[0].solver);
}

static void a_huge_matrix_is_counted_and_cut(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    auto_buf Buf text = BUF_INIT(1 << 20);
    static const char *const lists[] = {"tasks", "models", "solvers"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        buf_printf(&text, "%s:\n  - package: p\n    name: n\n    items:\n", lists[i]);
        for (int k = 0; k < 200; k++)
            buf_printf(&text, "      - name: x%d\n", k);
    }
    Plan *plan = make(arena, text.data, NULL, 0);
    assert_int_equal(plan->n_cells, PLAN_CELLS_MAX);
    assert_int_equal(plan->n_cells + plan->n_cells_dropped, 200 * 200 * 200);
}

static void neither_form_shows_values_of_variables_or_passwords(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    Plan *plan = make(arena, TEXT, NULL, 0);
    auto_buf Buf text = BUF_INIT(1 << 20);
    plan_format(plan, &text);
    assert_non_null(strstr(text.data, "OPENAI_API_KEY"));
    assert_non_null(strstr(text.data, "TOKEN"));
    assert_null(strstr(text.data, "hunter2"));
    auto_buf Buf json = BUF_INIT(1 << 20);
    JsonOut out;
    json_out_init(&out, &json, 0);
    plan_write(plan, &out);
    assert_non_null(strstr(json.data, "PASSWORD"));
    assert_null(strstr(json.data, "hunter2"));
    auto_error Error err = ERROR_INIT;
    Json *again = NULL;
    assert_int_equal(json_parse(arena, buf_str(&json), &json_limits_config, &again, &err), 0);
    assert_int_equal(json_int(again, "n_evaluations", 0), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_its_origin),
        cmocka_unit_test(the_matrix_is_tasks_times_solvers_and_agents_times_models),
        cmocka_unit_test(a_huge_matrix_is_counted_and_cut),
        cmocka_unit_test(neither_form_shows_values_of_variables_or_passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
