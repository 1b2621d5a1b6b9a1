/* Which logs are found, and what they are called. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/import_files.h"

static char folder[64];
static Arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-found-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    arena_free(TAKE(arena));
    return fs_remove_tree(folder, &err);
}

static const char *path_of(const char *name)
{
    return arena_printf(arena, "%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
    auto_error Error err = ERROR_INIT;
    char *path = arena_strdup(arena, path_of(name));
    char *slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(fs_make_dirs(path, 0700, &err), 0);
    *slash = '/';
    assert_int_equal(fs_write_file(path, str_of(text), 0600, &err), 0);
}

static int find(ImportFiles *ret, Error *err, const char *first, const char *second)
{
    const char **items = arena_array(arena, 2, sizeof(char *));
    items[0] = first;
    items[1] = second;
    const OptList paths = {.items = items, .n = second ? 2 : 1};
    return import_files_find(arena, &paths, ret, err);
}

/* "<path below the folder> <name>" for each. */
static const char *found_in(const char *first, const char *second)
{
    auto_error Error err = ERROR_INIT;
    ImportFiles files;
    auto_buf Buf text = BUF_INIT(1 << 20);
    if (find(&files, &err, first, second) < 0)
        fail_msg("%s", error_text(&err));
    for (size_t i = 0; i < files.n; i++)
        buf_printf(&text, "%s %s\n", files.items[i].path + strlen(folder) + 1, files.items[i].name);
    return arena_strdup(arena, text.data);
}

#define JSON_LOG                                                                                   \
    "{\"version\":2,\"status\":\"success\",\"eval\":{\"eval_id\":\"e\",\"task\":\"t\"},"           \
    "\"samples\":[]}"

static void folders_are_searched_with_all_in_them(void **state)
{
    (void)state;
    put("b.eval", "x");
    put("a/deep/er/c.eval", "x");
    put("a/log.json", JSON_LOG);
    put("a/other.json", "{\"a\":1}");
    put("a/broken.json", "{");
    put("a/notes.txt", "x");
    put("a/x.fast.eval", "x");
    put("a/.hidden.eval", "x");
    put(".buffer/d.eval", "x");
    assert_string_equal(found_in(folder, NULL), "a/deep/er/c.eval c.eval\n"
                                                "a/log.json log.eval\n"
                                                "b.eval b.eval\n");
}

static void links_to_folders_are_not_followed_and_links_to_files_are(void **state)
{
    (void)state;
    put("real/a.eval", "x");
    assert_int_equal(symlink("..", path_of("real/up")), 0);
    assert_int_equal(symlink("a.eval", path_of("real/b.eval")), 0);
    assert_int_equal(symlink("nowhere", path_of("real/c.eval")), 0);
    assert_string_equal(found_in(folder, NULL), "real/a.eval a.eval\nreal/b.eval b.eval\n");
}

static void equal_names_get_numbers_that_no_other_name_has(void **state)
{
    (void)state;
    put("1/log.eval", "x");
    put("2/log.eval", "x");
    put("3/log-2.eval", "x");
    put("4/log.json", JSON_LOG);
    assert_string_equal(found_in(folder, NULL), "1/log.eval log.eval\n"
                                                "2/log.eval log-2.eval\n"
                                                "3/log-2.eval log-2-2.eval\n"
                                                "4/log.json log-3.eval\n");
}

static void names_become_what_a_server_takes(void **state)
{
    (void)state;
    put("a b\xc3\xa4/(1).eval", "x");
    assert_string_equal(found_in(folder, NULL), "a b\xc3\xa4/(1).eval _1_.eval\n");
    put("d/a\nb \xc3\xa4.eval", "x");
    assert_non_null(strstr(found_in(path_of("d"), NULL), " a_b___.eval\n"));
}

static void a_name_that_is_too_long_is_cut_and_stays_its_own(void **state)
{
    (void)state;
    char name[231];
    ImportFiles files;
    auto_error Error err = ERROR_INIT;
    memset(name, 'n', 224);
    memcpy(name + 224, "1.eval", 7);
    put(name, "x");
    name[224] = '2';
    put(name, "x");
    assert_int_equal(find(&files, &err, folder, NULL), 0);
    assert_int_equal(files.n, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(strlen(files.items[i].name) <= IMPORT_FILES_NAME_MAX);
    assert_string_not_equal(files.items[0].name, files.items[1].name);
}

static void what_is_given_and_cannot_be_a_log_is_an_error(void **state)
{
    (void)state;
    static const ErrorKind kinds[] = {ERR_NOT_FOUND, ERR_USAGE, ERR_NOT_FOUND};
    put("x.txt", "x");
    put("empty/x.txt", "x");
    const char *paths[] = {path_of("none.eval"), path_of("x.txt"), path_of("empty")};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        auto_error Error err = ERROR_INIT;
        ImportFiles files;
        assert_int_equal(find(&files, &err, paths[i], NULL), -1);
        assert_int_equal(err.kind, kinds[i]);
    }
}

static void what_is_left_out_is_named_and_counted(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    ImportFiles files = {0};
    put("a.json", "{\"a\":1}");
    put("logs.json", "{}");
    assert_int_equal(find(&files, &err, folder, NULL), -1);
    assert_non_null(strstr(error_text(&err), "but 1 file that ends in .json; "));
    assert_non_null(strstr(error_text(&err), "a.json: the header has no status"));
    error_reset(&err);
    put("cut.json", "{\"version\":2,\"status\":\"error\",\"eval\":{\"eval_id\":");
    for (int i = 0; i < IMPORT_FILES_NAMED_MAX; i++)
        put(arena_printf(arena, "more-%d.json", i), "[]");
    assert_int_equal(find(&files, &err, folder, NULL), 0);
    assert_int_equal(files.n, 1);
    assert_string_equal(files.items[0].name, "cut.eval");
    assert_int_equal(files.n_left_out, IMPORT_FILES_NAMED_MAX + 1);
    assert_true(str_starts(str_of(files.left_out[0]), str_of(path_of("a.json: "))));
}

static void a_given_json_file_is_taken_whatever_is_in_it(void **state)
{
    (void)state;
    put("x.json", "{}");
    put("y.eval", "x");
    assert_string_equal(found_in(path_of("x.json"), path_of("y.eval")),
                        "x.json x.eval\ny.eval y.eval\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(folders_are_searched_with_all_in_them),
        T(links_to_folders_are_not_followed_and_links_to_files_are),
        T(equal_names_get_numbers_that_no_other_name_has),
        T(names_become_what_a_server_takes),
        T(a_name_that_is_too_long_is_cut_and_stays_its_own),
        T(what_is_given_and_cannot_be_a_log_is_an_error),
        T(what_is_left_out_is_named_and_counted),
        T(a_given_json_file_is_taken_whatever_is_in_it),
    };
    return cmocka_run_group_tests_name("import_files", tests, NULL, NULL);
}
