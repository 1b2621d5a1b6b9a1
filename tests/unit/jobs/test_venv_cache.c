/* Virtualenvs in the cache: which are removed when another is made. Names are 32 times one letter,
   and an earlier letter was used earlier. */
#include "cmocka_all.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"
#include "jobs/venv_cache.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-venvs-XXXXXX");
    return mkdtemp(folder) && setenv("HAWK_VENVS_KEPT", "2", 1) == 0 ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    return fs_remove_tree(folder, &err);
}

static char *path_of(char letter)
{
    char name[VENV_NAME_LENGTH + 1] = {0};
    memset(name, letter, VENV_NAME_LENGTH);
    return fs_join(folder, name);
}

static void add(char letter, const char *package)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *dir = path_of(letter);
    auto_free char *packages = mem_printf("%s/lib/python3.11/site-packages/%s", dir, package);
    auto_free char *ready = fs_join(dir, "ready");
    const struct timespec used = {.tv_sec = letter};
    assert_int_equal(fs_make_dirs(packages, 0700, &err), 0);
    assert_int_equal(fs_write_file(ready, STR(""), 0600, &err), 0);
    assert_int_equal(utimensat(AT_FDCWD, ready, (const struct timespec[]){used, used}, 0), 0);
}

static void assert_left(const char *letters)
{
    for (char letter = 'a'; letter <= 'h'; letter++) {
        auto_free char *dir = path_of(letter);
        assert_int_equal(fs_is_dir(dir), strchr(letters, letter) != NULL);
    }
}

static int take(char letter)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *dir = path_of(letter);
    int fd = -1;
    assert_int_equal(venv_cache_use(dir, &fd, &err), 0);
    return fd;
}

static void those_used_last_stay(void **state)
{
    (void)state;
    for (char letter = 'a'; letter <= 'd'; letter++)
        add(letter, "x");
    assert_int_equal(venv_cache_prune(folder), 2);
    assert_left("cd");
    assert_int_equal(venv_cache_prune(folder), 0);
}

static void one_in_use_stays(void **state)
{
    (void)state;
    for (char letter = 'a'; letter <= 'd'; letter++)
        add(letter, "x");
    auto_fd int user = take('a');
    assert_true(user >= 0);
    add('a', "x"); /* as it was: using it was its last use */
    assert_int_equal(venv_cache_prune(folder), 1);
    assert_left("acd");
}

static void using_one_counts(void **state)
{
    (void)state;
    for (char letter = 'a'; letter <= 'd'; letter++)
        add(letter, "x");
    fs_close_cleanup(&(int){take('a')});
    assert_int_equal(venv_cache_prune(folder), 2);
    assert_left("ad");
}

static void the_last_with_scout_stays(void **state)
{
    (void)state;
    add('a', "inspect_scout");
    add('b', "inspect_scout");
    for (char letter = 'c'; letter <= 'e'; letter++)
        add(letter, "x");
    assert_int_equal(venv_cache_prune(folder), 2);
    assert_left("bde");
}

static void few_go_at_a_time(void **state)
{
    (void)state;
    for (char letter = 'a'; letter <= 'h'; letter++)
        add(letter, "x");
    assert_int_equal(venv_cache_prune(folder), 4);
    assert_left("efgh");
}

static void half_of_one_is_not_used_and_goes_first(void **state)
{
    (void)state;
    for (char letter = 'a'; letter <= 'c'; letter++)
        add(letter, "x");
    auto_error Error err = ERROR_INIT;
    auto_free char *dir = path_of('c');
    auto_free char *ready = fs_join(dir, "ready");
    assert_int_equal(fs_remove_tree(ready, &err), 0);
    assert_int_equal(take('c'), -1);
    assert_int_equal(venv_cache_prune(folder), 1);
    assert_left("ab");
}

static void one_that_is_being_made_is_not_used(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    add('a', "x");
    auto_free char *dir = path_of('a');
    auto_free char *lock = mem_printf("%s.lock", dir);
    auto_fd int maker = fs_lock(lock, &err);
    assert_true(maker >= 0);
    assert_int_equal(take('a'), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_used_last_stay, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(one_in_use_stays, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(using_one_counts, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(the_last_with_scout_stays, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(few_go_at_a_time, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown(half_of_one_is_not_used_and_goes_first, make_folder,
                                        drop_folder),
        cmocka_unit_test_setup_teardown(one_that_is_being_made_is_not_used, make_folder,
                                        drop_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
