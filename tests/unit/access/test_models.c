/* The registry of models: what a file puts in, and what a name may mean. */
#include "cmocka_all.h"

#include <stdio.h>
#include <unistd.h>

#include "access/models.h"
#include "database.h"

static char folder[64];
static Sql *sql;
static Arena *arena;

static int open_all(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-models-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    auto_free char *url = database_url(folder);
    arena = arena_new();
    return sql_open(url, 2, &sql, &err) < 0 || models_migrate(sql, &err) < 0 ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    sql_close(sql);
    arena_free(arena);
    return fs_remove_tree(folder, &err);
}

static int seed(const char *text, Error *err)
{
    auto_free char *path = fs_join(folder, "models.yaml");
    auto_error Error ignored = ERROR_INIT;
    assert_int_equal(fs_write_file(path, str_of(text), 0600, &ignored), 0);
    return models_seed(sql, path, err);
}

static Models load(void)
{
    auto_error Error err = ERROR_INIT;
    Models models = {0};
    assert_int_equal(models_load(sql, arena, &models, &err), 0);
    return models;
}

static void assert_groups(const char *name, const char *expected)
{
    Models models = load();
    auto_buf Buf groups = BUF_INIT(1024);
    const Model *model = models_match(&models, str_of(name), 0);
    for (size_t i = 1; model; i++) {
        buf_printf(&groups, "%s%.*s", groups.len ? " " : "",
                   STR_ARG(str_slice(model->group, strlen("model-access-"), model->group.n)));
        model = models_match(&models, str_of(name), i);
    }
    assert_string_equal(groups.data, expected);
}

static void a_file_fills_the_registry_and_changes_it(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(seed("- {name: a, group: model-access-g1, lab: x, dead: true}\n- {name: b, "
                          "group: model-access-g1}\n",
                          &err),
                     0);
    assert_int_equal(seed("- {name: a, group: model-access-g2, lab: y}\n- {name: c, group: "
                          "model-access-g1, is_active: false}\n",
                          &err),
                     0);
    Models models = load();
    assert_int_equal(models.n, 3);
    assert_true(str_eqz(models.items[0].group, "model-access-g2") && !models.items[0].is_dead);
    assert_true(str_eqz(json_text(models.items[0].config, "lab", STR_NONE), "y"));
    assert_true(str_eqz(models.items[1].name, "b") && models.items[1].is_active);
    assert_false(models.items[2].is_active);
}

static void a_name_means_the_same_name_or_ends_at_a_slash(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(seed("- {name: gpt-4o, group: model-access-public}\n- {name: lab/secret, "
                          "group: model-access-secret}\n"
                          "- {name: other/gpt-4o, group: model-access-other}\n- {name: x/gpt-5, "
                          "group: model-access-five}\n"
                          "- {name: y/gpt-5, group: model-access-six}\n",
                          &err),
                     0);
    assert_groups("gpt-4o", "public");
    assert_groups("openai/gpt-4o", "public");
    assert_groups("other/gpt-4o", "other");
    assert_groups("secret", "secret");
    assert_groups("host/lab/secret", "secret");
    assert_groups("gpt-5", "five six");
    assert_groups("ecret", "");
    assert_groups("gpt-4", "");
    assert_groups("", "");
}

static void a_wrong_entry_is_named_and_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *place;
    } rows[] = {
        {"- {name: good, group: model-access-g}\n- {name: bad}\n",
         "models.yaml:2:3: expected group"},
        {"- {name: good, group: model-access-g}\n- name\n", "models.yaml:2:3: expected a model"},
        {"- {name: ' x', group: model-access-g}\n", "models.yaml:1:3: expected name"},
        {"- {name: x, group: model-access-g, dead: maybe}\n", "expected true or false"},
        {"- {name: x, group: g}\n", "models.yaml:1:3: the group's name has to begin"},
        {"- {name: x, group: model-access-g}\n- {name: x, group: model-access-h}\n",
         "models.yaml:2: x is in another group already at line 1"},
        {"name: x\n", "expected a list"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        auto_error Error err = ERROR_INIT;
        assert_int_equal(seed(rows[i].text, &err), -1);
        assert_int_equal(err.kind, ERR_BAD_DATA);
        assert_non_null(strstr(error_text(&err), rows[i].place));
    }
    assert_int_equal(load().n, 0);
}

static void names_that_stand_for_nobody_are_no_groups(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(seed("- {name: x, group: __unresolved__}\n", &err), -1);
    assert_int_equal(load().n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_fills_the_registry_and_changes_it, open_all,
                                        close_all),
        cmocka_unit_test_setup_teardown(a_name_means_the_same_name_or_ends_at_a_slash, open_all,
                                        close_all),
        cmocka_unit_test_setup_teardown(a_wrong_entry_is_named_and_changes_nothing, open_all,
                                        close_all),
        cmocka_unit_test_setup_teardown(names_that_stand_for_nobody_are_no_groups, open_all,
                                        close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
