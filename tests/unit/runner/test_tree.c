/* The digest of a local package: it follows names and contents, and nothing else. */
#include "cmocka_all.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "runner/tree.h"

typedef struct Package {
    char folder[64];
    char *digest; /* of its first state */
} Package;

static char *path_of(const Package *package, const char *name)
{
    return fs_join(package->folder, name);
}

static void put(const Package *package, const char *name, const char *text)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = path_of(package, name);
    auto_free char *parent = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    assert_int_equal(fs_make_dirs(parent, 0700, &err), 0);
    assert_int_equal(fs_write_file(path, str_of(text), 0600, &err), 0);
}

static char *digest_of(const char *path)
{
    auto_error Error err = ERROR_INIT;
    auto_buf Buf digest = BUF_INIT(200);
    assert_int_equal(tree_add_digest(path, &digest, &err), 0);
    assert_int_equal(digest.len, 65);
    return buf_take(&digest);
}

static void assert_changed(const Package *package, bool expected)
{
    auto_free char *now = digest_of(package->folder);
    assert_int_equal(strcmp(now, package->digest) != 0, expected);
}

static int set_up(void **state)
{
    Package *package = mem_alloc(sizeof(*package));
    (void)snprintf(package->folder, sizeof(package->folder), "/tmp/hawk-tree-XXXXXX");
    assert_non_null(mkdtemp(package->folder));
    put(package, "pyproject.toml", "[project]\n");
    put(package, "src/one.py", "x = 1\n");
    put(package, "src/two.py", "x = 2\n");
    package->digest = digest_of(package->folder);
    *state = package;
    return 0;
}

static int tear_down(void **state)
{
    Package *package = *state;
    auto_error Error err = ERROR_INIT;
    (void)!fs_remove_tree(package->folder, &err);
    free(package->digest);
    free(package);
    return 0;
}

static void the_same_contents_give_the_same_digest(void **state)
{
    assert_changed(*state, false);
}

static void other_contents_of_the_same_size_give_another_digest(void **state)
{
    put(*state, "src/one.py", "x = 3\n");
    assert_changed(*state, true);
    put(*state, "src/one.py", "x = 1\n");
    assert_changed(*state, false);
}

static void contents_that_move_to_another_file_give_another_digest(void **state)
{
    put(*state, "src/one.py", "x = 2\n");
    put(*state, "src/two.py", "x = 1\n");
    assert_changed(*state, true);
}

static void a_new_name_gives_another_digest(void **state)
{
    const Package *package = *state;
    auto_free char *from = path_of(package, "src/one.py");
    auto_free char *to = path_of(package, "src/uno.py");
    assert_int_equal(rename(from, to), 0);
    assert_changed(package, true);
}

static void an_empty_file_more_gives_another_digest(void **state)
{
    put(*state, "src/__init__.py", "");
    assert_changed(*state, true);
}

static void a_file_less_gives_another_digest(void **state)
{
    auto_free char *path = path_of(*state, "src/two.py");
    assert_int_equal(unlink(path), 0);
    assert_changed(*state, true);
}

static void bytes_that_move_across_a_border_of_files_give_another_digest(void **state)
{
    const Package *package = *state;
    put(package, "a", "x\nb 1\ny");
    put(package, "b", "z");
    auto_free char *before = digest_of(package->folder);
    put(package, "a", "x");
    put(package, "b", "y\nb 1\nz");
    auto_free char *after = digest_of(package->folder);
    assert_string_not_equal(before, after);
}

static void times_and_modes_do_not_count(void **state)
{
    const Package *package = *state;
    auto_free char *path = path_of(package, "src/one.py");
    const struct timeval long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimes(path, long_ago), 0);
    assert_int_equal(chmod(path, 0644), 0);
    assert_changed(package, false);
}

static void what_tools_leave_behind_does_not_count(void **state)
{
    static const char *const left[] = {
        ".git/HEAD",           "src/__pycache__/one.cpython-311.pyc",
        "src/one.pyc",         "src/package.egg-info/PKG-INFO",
        ".venv/bin/python",    "build/lib/one.py",
        "dist/p-1.tar.gz",     ".pytest_cache/x",
        "node_modules/a.js",   "logs/2026.eval",
        ".mypy_cache/a.json",  ".ruff_cache/a",
        "deep/er/.git/config",
    };
    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        put(*state, left[i], "left behind");
    assert_changed(*state, false);
}

static void a_module_named_like_a_folder_of_builds_counts(void **state)
{
    static const char *const modules[] = {"src/p/build/__init__.py", "src/p/logs/__init__.py",
                                          "src/p/dist/__init__.py", "src/p/venv/__init__.py"};
    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        put(*state, modules[i], "one");
        auto_free char *before = digest_of(((const Package *)*state)->folder);
        put(*state, modules[i], "two");
        auto_free char *after = digest_of(((const Package *)*state)->folder);
        assert_string_not_equal(before, after);
    }
}

static void a_package_in_a_folder_of_such_a_name_is_read(void **state)
{
    const Package *package = *state;
    put(package, "build/pyproject.toml", "1");
    auto_free char *folder = path_of(package, "build");
    auto_free char *before = digest_of(folder);
    put(package, "build/pyproject.toml", "2");
    auto_free char *after = digest_of(folder);
    assert_string_not_equal(before, after);
}

static void the_place_of_a_package_does_not_count_but_its_contents(void **state)
{
    const Package *package = *state;
    Package other = {0};
    (void)snprintf(other.folder, sizeof(other.folder), "/tmp/hawk-tree-XXXXXX");
    assert_non_null(mkdtemp(other.folder));
    put(&other, "pyproject.toml", "[project]\n");
    put(&other, "src/one.py", "x = 1\n");
    put(&other, "src/two.py", "x = 2\n");
    auto_free char *digest = digest_of(other.folder);
    auto_free char *with_slash = mem_printf("%s/", other.folder);
    auto_free char *again = digest_of(with_slash);
    auto_error Error err = ERROR_INIT;
    (void)!fs_remove_tree(other.folder, &err);
    assert_string_equal(digest, package->digest);
    assert_string_equal(again, package->digest);
}

static void the_bytes_of_a_linked_file_count(void **state)
{
    const Package *package = *state;
    Package other = {0};
    (void)snprintf(other.folder, sizeof(other.folder), "/tmp/hawk-tree-XXXXXX");
    assert_non_null(mkdtemp(other.folder));
    put(&other, "shared.py", "1");
    auto_free char *target = path_of(&other, "shared.py");
    auto_free char *link_path = path_of(package, "src/shared.py");
    assert_int_equal(symlink(target, link_path), 0);
    auto_free char *before = digest_of(package->folder);
    put(&other, "shared.py", "2");
    auto_free char *after = digest_of(package->folder);
    auto_error Error err = ERROR_INIT;
    (void)!fs_remove_tree(other.folder, &err);
    assert_string_not_equal(before, after);
}

static void links_to_folders_are_not_followed_but_count(void **state)
{
    const Package *package = *state;
    auto_free char *link_path = path_of(package, "src/link");
    assert_int_equal(symlink("/", link_path), 0);
    auto_free char *one = digest_of(package->folder);
    assert_string_not_equal(one, package->digest);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(symlink("/etc", link_path), 0);
    auto_free char *two = digest_of(package->folder);
    assert_string_not_equal(one, two);
}

static void a_package_may_be_named_by_a_link(void **state)
{
    const Package *package = *state;
    auto_free char *link_path = mem_printf("%s.link", package->folder);
    assert_int_equal(symlink(package->folder, link_path), 0);
    auto_free char *digest = digest_of(link_path);
    assert_int_equal(unlink(link_path), 0);
    assert_string_equal(digest, package->digest);
}

static void a_single_file_counts_its_bytes(void **state)
{
    const Package *package = *state;
    auto_free char *path = path_of(package, "package-1.0-py3-none-any.whl");
    put(package, "package-1.0-py3-none-any.whl", "one");
    auto_free char *before = digest_of(path);
    put(package, "package-1.0-py3-none-any.whl", "two");
    auto_free char *after = digest_of(path);
    assert_string_not_equal(before, after);
}

static void a_package_that_is_not_there_is_not_found(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf digest = BUF_INIT(200);
    assert_int_equal(tree_add_digest("/no/such/package", &digest, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_string_equal(err.code, "install.not_found");
    assert_non_null(strstr(error_text(&err), "/no/such/package"));
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(the_same_contents_give_the_same_digest),
        ROW(other_contents_of_the_same_size_give_another_digest),
        ROW(contents_that_move_to_another_file_give_another_digest),
        ROW(a_new_name_gives_another_digest),
        ROW(an_empty_file_more_gives_another_digest),
        ROW(a_file_less_gives_another_digest),
        ROW(bytes_that_move_across_a_border_of_files_give_another_digest),
        ROW(times_and_modes_do_not_count),
        ROW(what_tools_leave_behind_does_not_count),
        ROW(a_module_named_like_a_folder_of_builds_counts),
        ROW(a_package_in_a_folder_of_such_a_name_is_read),
        ROW(the_place_of_a_package_does_not_count_but_its_contents),
        ROW(the_bytes_of_a_linked_file_count),
        ROW(links_to_folders_are_not_followed_but_count),
        ROW(a_package_may_be_named_by_a_link),
        ROW(a_single_file_counts_its_bytes),
        cmocka_unit_test(a_package_that_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
