/* Loading configs, and what the rest of hawk asks them. */
#include "cmocka_all.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/yaml.h"
#include "jobspec/jobspec.h"

#define TASKS "tasks: [{package: git+https://github.com/x/y, name: y, items: [{name: t1}]}]\n"

typedef struct Loaded {
    Arena *arena;
    Diagnostics list;
    Jobspec *spec;
    Error err;
    int done;
} Loaded;

static void loaded_release(Loaded *loaded)
{
    arena_free(loaded->arena);
    error_release(&loaded->err);
}
#define auto_loaded HAWK_CLEANUP(loaded_release)

static Loaded load(const char *text, JobspecKind kind)
{
    Loaded ret = {.arena = arena_new()};
    diagnostics_init(&ret.list, ret.arena);
    ret.done = jobspec_load_text(ret.arena, str_of(text), "x.yaml", kind, NULL, &ret.list,
                                 &ret.spec, &ret.err);
    return ret;
}

static void assert_full(const Jobspec *spec, const char *expected)
{
    auto_buf Buf text = BUF_INIT(1 << 16);
    JsonOut out;
    json_out_init(&out, &text, 0);
    jobspec_write(spec, &out);
    assert_string_equal(text.data, expected);
}

static void the_full_document_of_an_eval_set_has_every_default(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load("name: smoke\nlimit: 1\ntasks:\n  - package: git+https://github.com/x/y\n    name: y\n"
             "    items:\n      - {name: t1, sample_ids: [1, a]}\n"
             "models: [{package: openai, name: openai, items: [{name: gpt-4o-mini}]}]\n",
             JOBSPEC_EVAL_SET);
    assert_int_equal(loaded.done, 0);
    assert_full(
        loaded.spec,
        "{\"tags\":null,\"metadata\":null,\"runner\":{\"image\":null,\"image_tag\":null,"
        "\"memory\":null,\"cpu\":null,\"cleanup\":null,\"secrets\":[],\"environment\":{},"
        "\"storage_grants\":[],\"oom_diagnostics_enabled\":false},\"name\":\"smoke\","
        "\"eval_set_id\":null,\"packages\":null,\"tasks\":[{\"package\":"
        "\"git+https://github.com/x/y\",\"name\":\"y\",\"items\":[{\"name\":\"t1\",\"args\":null,"
        "\"sample_ids\":[1,\"a\"],\"isolation\":null,\"secrets\":[]}]}],\"models\":[{\"package\":"
        "\"openai\",\"name\":\"openai\",\"items\":[{\"name\":\"gpt-4o-mini\",\"args\":null}]}],"
        "\"model_cost_config\":null,\"model_roles\":null,\"solvers\":null,\"agents\":null,"
        "\"approval\":null,\"acp_server\":null,\"approval_timeout_minutes\":null,\"score\":true,"
        "\"limit\":1,\"sample_shuffle\":null,\"epochs\":null,\"message_limit\":null,"
        "\"token_limit\":null,\"time_limit\":null,\"working_limit\":null,\"cost_limit\":null,"
        "\"retry_attempts\":null,\"max_retries\":null,\"log_realtime\":true,"
        "\"log_model_api\":true,\"log_images\":null,\"adaptive_connections\":null,"
        "\"monitor\":false,\"checkpoint\":{\"enabled\":false,\"trigger\":{\"type\":\"time\","
        "\"every\":600},\"sandbox_paths\":null,\"max_consecutive_failures\":null,"
        "\"checkpoints_location\":null},\"human_eval\":null,\"scan\":null}");
}

static void the_full_document_of_a_scan_has_every_default(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load("name: sc\nscanners: [{package: p, name: z, items: [{name: s1}]}]\n"
             "transcripts: {sources: [{eval_set_id: es-1}]}\n",
             JOBSPEC_ANY);
    assert_int_equal(loaded.done, 0);
    assert_int_equal(loaded.spec->kind, JOBSPEC_SCAN);
    assert_full(loaded.spec,
                "{\"tags\":null,\"metadata\":null,\"runner\":{\"image\":null,\"image_tag\":null,"
                "\"memory\":null,\"cpu\":null,\"cleanup\":null,\"secrets\":[],\"environment\":{},"
                "\"storage_grants\":[],\"oom_diagnostics_enabled\":false},\"name\":\"sc\","
                "\"max_transcripts\":null,\"max_processes\":null,\"packages\":null,\"scanners\":"
                "[{\"package\":\"p\",\"name\":\"z\",\"items\":[{\"name\":\"s1\",\"args\":null,"
                "\"key\":null,\"secrets\":[],\"filter\":null}]}],\"models\":null,"
                "\"model_roles\":null,\"transcripts\":{\"sources\":[{\"eval_set_id\":\"es-1\"}],"
                "\"filter\":null}}");
    JobspecStrings ids = jobspec_scanned_ids(loaded.arena, loaded.spec);
    assert_int_equal(ids.n, 1);
    assert_string_equal(ids.items[0], "es-1");
}

static void unknown_top_level_keys_stay_and_ignored_ones_go(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load(TASKS "temperature: 0.5\nrunner: {foo: 1}\nbar: {a: [1]}\n", JOBSPEC_EVAL_SET);
    assert_int_equal(loaded.done, 0);
    double temperature = 0;
    assert_true(json_number(json_get(loaded.spec->full, "temperature"), &temperature));
    assert_true(temperature == 0.5);
    assert_non_null(json_get(json_get(loaded.spec->full, "bar"), "a"));
    assert_null(json_get(json_get(loaded.spec->full, "runner"), "foo"));
    assert_int_equal(loaded.list.n_warnings, 2);
}

static void the_full_document_loads_as_the_same_document(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load(TASKS "isolation: strict\nlimit: [1, 2]\nepochs: {epochs: 2}\ncost_limit: 1\n"
                   "runner: {secrets: [{name: A}]}\nfoo: bar\n",
             JOBSPEC_EVAL_SET);
    assert_int_equal(loaded.done, 0);
    auto_error Error err = ERROR_INIT;
    Jobspec *again = NULL;
    assert_int_equal(jobspec_check(loaded.arena, loaded.spec->full, "again", JOBSPEC_EVAL_SET, NULL,
                                   &loaded.list, &again, &err),
                     0);
    assert_true(json_equal(again->full, loaded.spec->full));
}

static void problems_come_in_document_order_with_place_and_path(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load("limit: x\ntasks:\n  - name: y\n    items: []\nscore: 7\n", JOBSPEC_EVAL_SET);
    assert_int_equal(loaded.done, -1);
    assert_int_equal(loaded.err.kind, ERR_BAD_DATA);
    assert_int_equal(loaded.list.n_errors, 3);
    const Diagnostic *items = loaded.list.items;
    assert_string_equal(items[0].path, "limit");
    assert_string_equal(items[1].path, "tasks[0]");
    assert_string_equal(items[2].path, "score");
    assert_int_equal(items[1].line, 3);
    assert_int_equal(items[1].column, 5);
    assert_string_equal(items[0].file, "x.yaml");
}

static void errors_push_warnings_out_of_a_full_list(void **state)
{
    (void)state;
    auto_buf Buf text = BUF_INIT(1 << 16);
    buf_addz(&text, TASKS);
    for (int i = 0; i < 2 * DIAGNOSTICS_MAX; i++)
        buf_printf(&text, "unknown_%d: 1\n", i);
    buf_addz(&text, "isolation: {allow_domains: [a]}\n");
    auto_loaded Loaded loaded = load(text.data, JOBSPEC_EVAL_SET);
    assert_int_equal(loaded.done, -1);
    assert_int_equal(loaded.list.n, DIAGNOSTICS_MAX);
    assert_int_equal(loaded.list.n_errors, 1);
    assert_string_equal(loaded.list.items[DIAGNOSTICS_MAX - 1].path, "isolation.allow_domains");
}

static void a_message_does_not_show_values_that_may_be_secret(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load(TASKS "runner: {environment: {KEY: [hunter2]}}\nmodels: [{package: p, name: n, items: "
                   "[{name: m, args: {api_key: hunter2}}]}]\n",
             JOBSPEC_EVAL_SET);
    assert_int_equal(loaded.list.n_errors, 2);
    for (size_t i = 0; i < loaded.list.n; i++)
        assert_null(strstr(loaded.list.items[i].message, "hunter2"));
    assert_null(strstr(error_text(&loaded.err), "hunter2"));
}

static void names_are_qualified_by_their_package_unless_built_in(void **state)
{
    (void)state;
    auto_loaded Loaded loaded = load(
        TASKS "models:\n  - {package: openai, name: openai, items: [{name: gpt-4o}]}\n"
              "  - {package: inspect-ai, items: [{name: mockllm/model}, {name: none}]}\n"
              "model_roles:\n  grader: {package: inspect-ai, items: [{name: google/gemini}]}\n",
        JOBSPEC_EVAL_SET);
    JobspecItems tasks = jobspec_items(loaded.arena, loaded.spec, "tasks");
    assert_int_equal(tasks.n, 1);
    assert_string_equal(tasks.items[0].qualified, "y/t1");
    assert_string_equal(tasks.items[0].path, "tasks[0].items[0]");
    assert_int_equal(jobspec_items(loaded.arena, loaded.spec, "solvers").n, 0);
    JobspecItems models = jobspec_models(loaded.arena, loaded.spec);
    assert_int_equal(models.n, 4);
    assert_string_equal(models.items[0].qualified, "openai/gpt-4o");
    assert_string_equal(models.items[0].name, "gpt-4o");
    assert_string_equal(models.items[1].qualified, "mockllm/model");
    assert_true(models.items[1].is_builtin);
    assert_true(jobspec_is_no_model(models.items[2].name));
    assert_string_equal(models.items[3].role, "grader");
    assert_null(models.items[0].role);
}

static void secrets_of_all_groups_are_listed(void **state)
{
    (void)state;
    auto_loaded Loaded loaded = load(
        "tasks: [{package: p, name: y, items: [{name: t, secrets: [{name: A, description: d}]}]}]\n"
        "secrets: [{name: B}]\nrunner:\n  secrets:\n"
        "    - {type: aws-secrets-manager, name: C, secret_name: ' team/c '}\n",
        JOBSPEC_EVAL_SET);
    JobspecSecrets secrets = jobspec_secrets(loaded.arena, loaded.spec);
    assert_int_equal(secrets.n, 3);
    assert_string_equal(secrets.items[0].name, "A");
    assert_string_equal(secrets.items[0].description, "d");
    assert_false(secrets.items[1].is_aws);
    assert_true(secrets.items[2].is_aws);
    assert_string_equal(secrets.items[2].secret_name, "team/c");
    assert_null(secrets.items[2].arn);
}

static void assert_strings(const JobspecStrings *found, const char *const *expected, size_t n)
{
    assert_int_equal(found->n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(found->items[i], expected[i]);
}

static void requirements_are_distinct_sorted_and_pinned(void **state)
{
    (void)state;
    auto_loaded Loaded loaded = load(
        "tasks:\n  - {package: zebra, name: z, items: [{name: t}]}\n"
        "  - {package: zebra, name: z, items: [{name: u}]}\n"
        "  - {package: 'Hawk [runner]', name: h, items: [{name: t}]}\n"
        "models: [{package: inspect-ai, items: [{name: openai/x}]}]\npackages: [apple>=1, zebra]\n",
        JOBSPEC_EVAL_SET);
    JobspecPins pins = {.inspect_ai = "0.3.285"};
    static const char *const expected[] = {"apple>=1", "inspect-ai==0.3.285", "zebra"};
    JobspecStrings found = jobspec_requirements(loaded.arena, loaded.spec, &pins);
    assert_strings(&found, expected, ARRAY_LEN(expected));
}

static void a_package_that_names_inspect_takes_the_place_of_the_pin(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load(TASKS "packages: ['Inspect_AI @ git+https://example.test/fork']\n", JOBSPEC_EVAL_SET);
    JobspecPins pins = {.inspect_ai = "0.3.285"};
    static const char *const expected[] = {"Inspect_AI @ git+https://example.test/fork",
                                           "git+https://github.com/x/y"};
    JobspecStrings found = jobspec_requirements(loaded.arena, loaded.spec, &pins);
    assert_strings(&found, expected, ARRAY_LEN(expected));
}

static void local_packages_are_found_behind_an_at_sign(void **state)
{
    (void)state;
    static const char *const local[] = {".",       "..",   "./a",        "../a",
                                        "/a",      "~/a",  "file:///a",  " ./a ",
                                        "a @ ./b", "a@/b", "a @ file:b", "x@y@../z"};
    static const char *const remote[] = {
        "a", "a==1", "git+https://h/x@v1", "a @ https://h/x", "git+ssh://git@h/x", ""};
    for (size_t i = 0; i < ARRAY_LEN(local); i++)
        assert_true(jobspec_is_local_package(str_of(local[i])));
    for (size_t i = 0; i < ARRAY_LEN(remote); i++)
        assert_false(jobspec_is_local_package(str_of(remote[i])));
    auto_loaded Loaded loaded = load(TASKS "packages: [./b, a, ./b, ./a]\n", JOBSPEC_EVAL_SET);
    static const char *const expected[] = {"./b", "./a"};
    JobspecStrings found = jobspec_local_packages(loaded.arena, loaded.spec);
    assert_strings(&found, expected, ARRAY_LEN(expected));
}

static void a_specifier_names_its_distribution(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    static const struct {
        const char *spec;
        const char *name;
    } rows[] = {
        {"Inspect_AI", "inspect-ai"},
        {"a.b__c>=1", "a-b-c"},
        {"a[x,y]==1", "a"},
        {"a @ git+https://h/x", "a"},
        {"a@./x", "a"},
        {" a ; python_version > '3'", "a"},
        {"git+https://h/x", NULL},
        {"./a", NULL},
        {"https://h/x.whl", NULL},
        {"", NULL},
        {"-e", NULL},
        {"a-", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Str name = jobspec_package_name(arena, str_of(rows[i].spec));
        if (rows[i].name)
            assert_true(str_eqz(name, rows[i].name));
        else
            assert_null(name.p);
    }
}

static void credentials_are_taken_out_of_specifiers(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    static const struct {
        const char *spec;
        const char *shown;
    } rows[] = {
        {"numpy>=2", "numpy>=2"},
        {"git+ssh://git@github.com/x/y@v1", "git+ssh://git@github.com/x/y@v1"},
        {"git+https://u:p@h/x", "git+https://h/x"},
        {"a @ git+https://tok@en@h/x@v1#egg=a", "a @ git+https://h/x@v1#egg=a"},
        {"https://h/x.whl?X-Amz-Signature=abc&v=1#frag",
         "https://h/x.whl?X-Amz-Signature=REDACTED&v=1#frag"},
        {"https://h/x?api_key=1&access-token=2", "https://h/x?api_key=REDACTED&access-token="
                                                 "REDACTED"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Str shown = jobspec_redact(arena, str_of(rows[i].spec));
        if (!str_eqz(shown, rows[i].shown))
            fail_msg("%s became %.*s", rows[i].spec, STR_ARG(shown));
    }
}

static bool has_name(const JobspecEnvNames *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i].name, name) == 0)
            return true;
    return false;
}

static void each_provider_has_its_variables(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    static const struct {
        const char *model;
        const char *key;
        const char *url;
    } rows[] = {
        {"openai/gpt-4o", "OPENAI_API_KEY", "OPENAI_BASE_URL"},
        {"openai/azure/gpt-4o", "AZUREAI_OPENAI_API_KEY", "AZUREAI_OPENAI_BASE_URL"},
        {"anthropic/claude", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"},
        {"anthropic/bedrock/claude", "AWS_ACCESS_KEY_ID", "AWS_REGION"},
        {"google/gemini", "GOOGLE_API_KEY", "GOOGLE_BASE_URL"},
        {"google/vertex/gemini", "VERTEX_API_KEY", "GOOGLE_VERTEX_BASE_URL"},
        {"grok/grok-4", "XAI_API_KEY", "XAI_BASE_URL"},
        {"openai-api/my-lab/m", "MY_LAB_API_KEY", "MY_LAB_BASE_URL"},
        {"openrouter/a/b", "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"},
        {"bedrock/m", "AWS_SECRET_ACCESS_KEY", "BEDROCK_BASE_URL"},
        {"hf/org/m", "HF_TOKEN", "HF_BASE_URL"},
        {"azureai/m", "AZUREAI_API_KEY", "AZUREAI_BASE_URL"},
        {"mistral/m", "MISTRAL_API_KEY", "MISTRAL_BASE_URL"},
        {"together/a/b", "TOGETHER_API_KEY", "TOGETHER_BASE_URL"},
        {"groq/m", "GROQ_API_KEY", "GROQ_BASE_URL"},
        {"vllm/m", "VLLM_API_KEY", "VLLM_BASE_URL"},
        {"ollama/m", "OLLAMA_API_KEY", "OLLAMA_BASE_URL"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        JobspecEnvNames names = jobspec_env_names_of(arena, rows[i].model);
        assert_true(has_name(&names, rows[i].key));
        assert_true(has_name(&names, rows[i].url));
        assert_true(has_name(&names, "INSPECT_EVAL_MODEL_BASE_URL"));
        assert_false(has_name(&names, "AI_GATEWAY_BASE_URL"));
    }
    static const char *const without[] = {"mockllm/model", "none", "none/none", "", "gpt-4o"};
    for (size_t i = 0; i < ARRAY_LEN(without); i++)
        assert_int_equal(jobspec_env_names_of(arena, without[i]).n, 0);
}

static void a_hostile_lab_makes_a_harmless_variable(void **state)
{
    (void)state;
    auto_arena Arena *arena = arena_new();
    JobspecEnvNames names = jobspec_env_names_of(arena, "openai-api/a=b\n c/m");
    assert_string_equal(names.items[0].name, "A_B__C_API_KEY");
}

static void a_model_and_its_fallback_give_each_name_once(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load(TASKS "models:\n  - package: inspect-ai\n    items:\n      - {name: openai/a}\n"
                   "      - {name: openai/b, args: {default: anthropic/c}}\n",
             JOBSPEC_EVAL_SET);
    JobspecEnvNames names = jobspec_env_names(loaded.arena, loaded.spec);
    assert_true(has_name(&names, "ANTHROPIC_API_KEY"));
    size_t n = 0;
    for (size_t i = 0; i < names.n; i++)
        n += strcmp(names.items[i].name, "OPENAI_API_KEY") == 0;
    assert_int_equal(n, 1);
    assert_string_equal(names.items[0].model, "openai/a");
    assert_true(names.items[0].is_needed);
}

static void names_and_ids_come_from_the_config_or_its_kind(void **state)
{
    (void)state;
    auto_loaded Loaded named = load(TASKS "name: n\neval_set_id: my-id\n", JOBSPEC_EVAL_SET);
    assert_true(str_eqz(jobspec_name(named.spec), "n"));
    assert_true(str_eqz(jobspec_pinned_id(named.spec), "my-id"));
    auto_loaded Loaded unnamed = load(TASKS, JOBSPEC_EVAL_SET);
    assert_true(str_eqz(jobspec_name(unnamed.spec), "eval-set"));
    assert_null(jobspec_pinned_id(unnamed.spec).p);
}

static void keys_of_the_other_kind_are_unknown_keys(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load(TASKS "scanners: [5, {package: --evil, items: 7}]\ntranscripts: {sources: x}\n",
             JOBSPEC_EVAL_SET);
    assert_int_equal(loaded.done, 0);
    assert_int_equal(jobspec_items(loaded.arena, loaded.spec, "scanners").n, 0);
    assert_int_equal(jobspec_scanned_ids(loaded.arena, loaded.spec).n, 0);
    static const char *const expected[] = {"git+https://github.com/x/y", "inspect-ai"};
    JobspecStrings found = jobspec_requirements(loaded.arena, loaded.spec, NULL);
    assert_strings(&found, expected, ARRAY_LEN(expected));
    auto_loaded Loaded scan =
        load("scanners: [{package: p, name: z, items: [{name: s}]}]\neval_set_id: [1]\n"
             "transcripts: {sources: []}\nsecrets: 5\ntasks: {a: 1}\nscan: {scanners: 1}\n",
             JOBSPEC_SCAN);
    assert_int_equal(scan.done, 0);
    assert_null(jobspec_pinned_id(scan.spec).p);
    assert_int_equal(jobspec_secrets(scan.arena, scan.spec).n, 0);
    assert_int_equal(jobspec_items(scan.arena, scan.spec, "tasks").n, 0);
}

static void characters_above_the_basic_plane_are_found_in_keys_and_values(void **state)
{
    (void)state;
    auto_loaded Loaded loaded =
        load(TASKS "metadata: {a: [ü, {b\xf0\x9f\x8e\x89: x}]}\n", JOBSPEC_EVAL_SET);
    uint32_t codepoint = 0;
    assert_true(jobspec_has_non_bmp(loaded.spec->full, &codepoint));
    assert_int_equal(codepoint, 0x1f389);
    auto_loaded Loaded plain = load(TASKS "name: ü€\n", JOBSPEC_EVAL_SET);
    assert_false(jobspec_has_non_bmp(plain.spec->full, NULL));
}

static void a_file_over_the_limit_is_refused_unread(void **state)
{
    (void)state;
    char path[] = "/tmp/hawk-jobspec-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    /* Sparse: 200 MB that take no room. */
    assert_int_equal(ftruncate(fd, 200 << 20), 0);
    close(fd);
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Diagnostics list;
    diagnostics_init(&list, arena);
    Jobspec *spec = NULL;
    Str text = STR("x");
    int done = jobspec_load_file(arena, path, JOBSPEC_ANY, NULL, &list, &text, &spec, &err);
    unlink(path);
    assert_int_equal(done, -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
    assert_int_equal(text.n, 0);
    assert_int_equal(list.n_errors, 1);
    assert_true(arena_used(arena) < 1 << 20);
}

static void a_missing_file_and_a_folder_are_errors_with_a_diagnostic(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nonexistent/x.yaml", "/tmp"};
    static const ErrorKind kinds[] = {ERR_NOT_FOUND, ERR_USAGE};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        Diagnostics list;
        diagnostics_init(&list, arena);
        Jobspec *spec = NULL;
        assert_int_equal(
            jobspec_load_file(arena, paths[i], JOBSPEC_ANY, NULL, &list, NULL, &spec, &err), -1);
        assert_int_equal(err.kind, kinds[i]);
        assert_int_equal(list.n_errors, 1);
        assert_string_equal(list.items[0].file, paths[i]);
    }
}

static void a_large_config_is_checked_in_little_time(void **state)
{
    (void)state;
    /* Linear work only: work for each pair of names would be seen here. */
    auto_buf Buf text = BUF_INIT(JOBSPEC_BYTES_MAX);
    buf_addz(&text, TASKS "runner:\n  secrets:\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "    - name: S%d\n", i % 10000);
    auto_loaded Loaded loaded = load(text.data, JOBSPEC_EVAL_SET);
    assert_int_equal(loaded.done, -1);
    assert_int_equal(loaded.list.n_errors, 10000);
    assert_int_equal(loaded.list.n, DIAGNOSTICS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_full_document_of_an_eval_set_has_every_default),
        cmocka_unit_test(the_full_document_of_a_scan_has_every_default),
        cmocka_unit_test(unknown_top_level_keys_stay_and_ignored_ones_go),
        cmocka_unit_test(the_full_document_loads_as_the_same_document),
        cmocka_unit_test(problems_come_in_document_order_with_place_and_path),
        cmocka_unit_test(errors_push_warnings_out_of_a_full_list),
        cmocka_unit_test(a_message_does_not_show_values_that_may_be_secret),
        cmocka_unit_test(names_are_qualified_by_their_package_unless_built_in),
        cmocka_unit_test(secrets_of_all_groups_are_listed),
        cmocka_unit_test(requirements_are_distinct_sorted_and_pinned),
        cmocka_unit_test(a_package_that_names_inspect_takes_the_place_of_the_pin),
        cmocka_unit_test(local_packages_are_found_behind_an_at_sign),
        cmocka_unit_test(a_specifier_names_its_distribution),
        cmocka_unit_test(credentials_are_taken_out_of_specifiers),
        cmocka_unit_test(each_provider_has_its_variables),
        cmocka_unit_test(a_hostile_lab_makes_a_harmless_variable),
        cmocka_unit_test(a_model_and_its_fallback_give_each_name_once),
        cmocka_unit_test(names_and_ids_come_from_the_config_or_its_kind),
        cmocka_unit_test(keys_of_the_other_kind_are_unknown_keys),
        cmocka_unit_test(characters_above_the_basic_plane_are_found_in_keys_and_values),
        cmocka_unit_test(a_file_over_the_limit_is_refused_unread),
        cmocka_unit_test(a_missing_file_and_a_folder_are_errors_with_a_diagnostic),
        cmocka_unit_test(a_large_config_is_checked_in_little_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
