/* Files: ceilings, one-step replacement, removal that follows no link, locks. */
#include "cmocka_all.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/hawk-fs-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    return fs_remove_tree(folder, &err);
}

static void a_file_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "big");
    assert_int_equal(fs_write_file(path, STR("0123456789"), 0600, &err), 0);
    auto_buf Buf exact = BUF_INIT(10);
    assert_int_equal(fs_read_file(path, &exact, &err), 0);
    assert_string_equal(exact.data, "0123456789");
    auto_buf Buf small = BUF_INIT(9);
    assert_int_equal(fs_read_file(path, &small, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
}

static void a_written_file_has_the_mode_asked_for(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "token");
    assert_int_equal(fs_write_file(path, STR("x"), 0600, &err), 0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void remove_tree_leaves_what_links_point_at(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_free char *kept = fs_join(folder, "kept");
    auto_free char *tree = fs_join(folder, "tree");
    auto_free char *deep = fs_join(tree, "a/b/c");
    auto_free char *link = fs_join(tree, "link");
    assert_int_equal(fs_make_dirs(deep, 0700, &err), 0);
    assert_int_equal(fs_make_dirs(kept, 0700, &err), 0);
    assert_int_equal(symlink(kept, link), 0);
    assert_int_equal(fs_remove_tree(tree, &err), 0);
    assert_false(fs_exists(tree));
    assert_true(fs_is_dir(kept));
    assert_int_equal(fs_remove_tree(tree, &err), 0);
}

static void a_lock_has_one_holder(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "lock");
    int first = fs_lock(path, &err);
    assert_true(first >= 0);
    assert_int_equal(fs_lock(path, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
    close(first);
    error_reset(&err);
    auto_fd int second = fs_lock(path, &err);
    assert_true(second >= 0);
}

static void a_shared_lock_keeps_others_from_having_it_alone(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, "shared");
    auto_fd int first = fs_lock_shared(path, &err);
    auto_fd int second = fs_lock_shared(path, &err);
    assert_true(first >= 0 && second >= 0);
    assert_int_equal(fs_lock(path, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_over_the_ceiling_is_refused),
        cmocka_unit_test(a_written_file_has_the_mode_asked_for),
        cmocka_unit_test(remove_tree_leaves_what_links_point_at),
        cmocka_unit_test(a_lock_has_one_holder),
        cmocka_unit_test(a_shared_lock_keeps_others_from_having_it_alone),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
