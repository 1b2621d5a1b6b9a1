/* Which viewer is taken: of virtualenvs that are whole, the newest. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "server/viewer.h"

typedef struct Cache {
    char folder[64];
} Cache;

static int setup(void **state)
{
    Cache *cache = mem_alloc(sizeof(*cache));
    (void)snprintf(cache->folder, sizeof(cache->folder), "/tmp/hawk-viewer-XXXXXX");
    assert_non_null(mkdtemp(cache->folder));
    *state = cache;
    return 0;
}

static int teardown(void **state)
{
    Cache *cache = *state;
    auto_error Error err = ERROR_INIT;
    assert_int_equal(fs_remove_tree(cache->folder, &err), 0);
    free(cache);
    return 0;
}

static void put(const char *folder, const char *name)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(folder, name);
    assert_int_equal(fs_make_dirs(folder, 0700, &err), 0);
    assert_int_equal(fs_write_file(path, STR("x"), 0600, &err), 0);
}

/* Makes a virtualenv with a viewer of a version, whole or not. */
static void make_venv(const Cache *cache, const char *name, const char *version, bool is_whole)
{
    auto_free char *venv = mem_printf("%s/venvs/%s", cache->folder, name);
    auto_free char *packages = fs_join(venv, "lib/python3.11/site-packages");
    auto_free char *info = mem_printf("%s/inspect_ai-%s.dist-info", packages, version);
    auto_free char *dist = fs_join(packages, "inspect_ai/_view/dist");
    put(info, "METADATA");
    put(dist, "index.html");
    if (is_whole)
        put(venv, "ready");
}

/* The version that is found, or "none"; the arena has the text. */
static const char *found(const Cache *cache, Arena *arena)
{
    Viewer *viewer = viewer_new(cache->folder, NULL);
    ViewerPlace place = {0};
    auto_error Error err = ERROR_INIT;
    int failed = viewer_find(viewer, arena, &place, &err);
    viewer_free(viewer);
    return failed < 0 ? "none" : place.version;
}

static void the_newest_is_taken_by_number(void **state)
{
    const Cache *cache = *state;
    auto_arena Arena *arena = arena_new();
    make_venv(cache, "a", "0.3.99", true);
    make_venv(cache, "b", "0.3.285", true);
    assert_string_equal(found(cache, arena), "0.3.285");
}

static void a_virtualenv_that_is_being_made_has_no_viewer_yet(void **state)
{
    const Cache *cache = *state;
    auto_arena Arena *arena = arena_new();
    make_venv(cache, "b", "0.3.285", false);
    assert_string_equal(found(cache, arena), "none");
    make_venv(cache, "a", "0.3.99", true);
    assert_string_equal(found(cache, arena), "0.3.99");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_is_taken_by_number, setup, teardown),
        cmocka_unit_test_setup_teardown(a_virtualenv_that_is_being_made_has_no_viewer_yet, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
