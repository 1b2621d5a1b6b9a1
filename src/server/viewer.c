/* Finding the viewer: CACHE/venvs/<hash>/lib/python3.x/site-packages/inspect_ai/_view/dist, the
   newest version first. A virtualenv without its file `ready` is still being made, and what it has
   of a viewer so far is no viewer. */

#include "server/viewer.h"

#include <glob.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "jobs/venv_cache.h"

enum { LOOK_AGAIN_MS = 2000, VERSION_PARTS = 4 };

struct Viewer {
    char *cache_dir;
    char *given;
    pthread_mutex_t lock; /* guards what follows */
    char *dir;
    char *version;
    int in_use; /* keeps its virtualenv in the cache */
    int64_t looked_ms;
};

Viewer *viewer_new(const char *cache_dir, const char *given)
{
    Viewer *viewer = mem_alloc(sizeof(*viewer));
    viewer->cache_dir = mem_strdup(cache_dir);
    viewer->given = mem_strdup(given);
    viewer->in_use = -1;
    viewer->looked_ms = INT64_MIN;
    (void)pthread_mutex_init(&viewer->lock, NULL);
    return viewer;
}

void viewer_free(Viewer *viewer)
{
    if (!viewer)
        return;
    (void)pthread_mutex_destroy(&viewer->lock);
    free(viewer->cache_dir);
    free(viewer->given);
    free(viewer->dir);
    free(viewer->version);
    fs_close_cleanup(&viewer->in_use);
    free(viewer);
}

/* Compares versions part by part as numbers: 0.3.99 is before 0.3.285. */
static int compare_versions(const char *a, const char *b)
{
    Str a_rest = str_of(a);
    Str b_rest = str_of(b);
    for (int i = 0; i < VERSION_PARTS; i++) {
        Str part = STR_NONE;
        int64_t x = -1;
        int64_t y = -1;
        if (str_split(&a_rest, '.', &part) && str_to_i64(part, 0, INT32_MAX, &x) < 0)
            x = -1;
        if (str_split(&b_rest, '.', &part) && str_to_i64(part, 0, INT32_MAX, &y) < 0)
            y = -1;
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

/* ".../site-packages/inspect_ai-0.3.285.dist-info" -> "0.3.285" */
static char *version_of(const char *dist_info)
{
    Str name = str_of(dist_info);
    name = str_slice(name, (size_t)(str_rfind(name, '/') + 1), name.n);
    Str version = str_slice(name, sizeof("inspect_ai-") - 1, name.n - (sizeof(".dist-info") - 1));
    return mem_strndup(version.p, version.n);
}

/* The viewer of one virtualenv, when it is newer than the best so far. */
static void consider(const char *dist_info, char **best_dir, char **best_version)
{
    Str path = str_of(dist_info);
    auto_free char *packages = mem_strndup(path.p, (size_t)str_rfind(path, '/'));
    auto_free char *index = fs_join(packages, "inspect_ai/_view/dist/index.html");
    auto_free char *ready = fs_join(packages, "../../../ready"); /* beside lib/python3.x */
    auto_free char *version = version_of(dist_info);
    if (!fs_exists(index) || !fs_exists(ready) ||
        (*best_version && compare_versions(version, *best_version) <= 0))
        return;
    free(*best_dir);
    free(*best_version);
    *best_dir = fs_join(packages, "inspect_ai/_view/dist");
    *best_version = TAKE(version);
}

/* One that is removed at this moment is found gone, or is there, at the next look. */
static void take_into_use(Viewer *viewer, const char *dir)
{
    auto_error Error ignored = ERROR_INIT;
    auto_free char *venv = venv_cache_dir_of(dir);
    fs_close_cleanup(&viewer->in_use);
    if (venv_cache_use(venv, &viewer->in_use, &ignored) < 0)
        viewer->in_use = -1;
}

static void look(Viewer *viewer)
{
    auto_free char *dir = mem_strdup(viewer->given);
    auto_free char *version = dir ? mem_strdup("") : NULL;
    if (!dir) {
        auto_free char *pattern =
            fs_join(viewer->cache_dir, "venvs/*/lib/python3*/site-packages/inspect_ai-*.dist-info");
        glob_t found = {0};
        if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
            for (size_t i = 0; i < found.gl_pathc; i++)
                consider(found.gl_pathv[i], &dir, &version);
        globfree(&found);
        if (dir && (viewer->in_use < 0 || !viewer->dir || strcmp(dir, viewer->dir) != 0))
            take_into_use(viewer, dir);
    }
    free(viewer->dir);
    free(viewer->version);
    viewer->dir = TAKE(dir);
    viewer->version = TAKE(version);
}

int viewer_find(Viewer *viewer, Arena *arena, ViewerPlace *ret, Error *err)
{
    (void)pthread_mutex_lock(&viewer->lock);
    int64_t now = clock_monotonic_ms();
    if (viewer->looked_ms == INT64_MIN || now - viewer->looked_ms > LOOK_AGAIN_MS) {
        look(viewer);
        viewer->looked_ms = now;
    }
    bool found = viewer->dir != NULL;
    if (found)
        *ret =
            (ViewerPlace){arena_strdup(arena, viewer->dir), arena_strdup(arena, viewer->version)};
    (void)pthread_mutex_unlock(&viewer->lock);
    if (found)
        return 0;
    (void)error_set(err, ERR_NOT_FOUND, "the log viewer is not on this machine yet");
    return error_fix(
        err, "it comes with the first eval set that is run here; or start with --viewer DIR");
}
