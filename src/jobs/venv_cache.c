#include "jobs/venv_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

enum {
    KEPT_DEFAULT = 20,
    KEPT_MAX = 100000,
    LISTED_MAX = 4096,
    REMOVED_AT_ONCE = 4, /* each takes a second, and a run waits */
};

typedef struct Entry {
    char name[VENV_NAME_LENGTH + 1];
    int64_t used_at;
} Entry;

int venv_cache_use(const char *dir, int *ret, Error *err)
{
    auto_free char *path = mem_printf("%s.lock", dir);
    auto_free char *ready = fs_join(dir, "ready");
    *ret = -1;
    auto_fd int held = fs_lock_shared(path, err);
    if (held < 0) {
        if (err->kind != ERR_CONFLICT)
            return -1;
        error_reset(err);
        return 0;
    }
    if (!fs_exists(ready))
        return 0;
    (void)utimensat(AT_FDCWD, ready, NULL, 0); /* of a cache that is somebody else's, it cannot */
    *ret = TAKE_FD(held);
    return 0;
}

char *venv_cache_dir_of(const char *path)
{
    Str whole = str_of(path);
    ptrdiff_t end = str_find_str(whole, STR("/lib/python3"));
    return mem_strndup(path, end < 0 ? whole.n : (size_t)end);
}

/* --- which are kept --- */

static size_t n_kept(void)
{
    const char *given = getenv("HAWK_VENVS_KEPT");
    int64_t n = KEPT_DEFAULT;
    if (given && str_to_i64(str_of(given), 0, KEPT_MAX, &n) < 0)
        return KEPT_DEFAULT;
    return (size_t)n;
}

/* When it was used last, in microseconds; 0 for one that was never whole. */
static int64_t used_at(int folder, const char *name)
{
    auto_free char *ready = fs_join(name, "ready");
    struct stat st;
    if (fstatat(folder, ready, &st, 0) < 0)
        return 0;
    return st.st_mtim.tv_sec * CLOCK_SECOND + st.st_mtim.tv_nsec / 1000;
}

static bool is_venv(int folder, const char *name)
{
    struct stat st;
    return strlen(name) == VENV_NAME_LENGTH && !strchr(name, '.') &&
           fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static size_t list(const char *path, Entry ret[LISTED_MAX])
{
    auto_dir DIR *dir = opendir(path);
    size_t n = 0;
    while (dir && n < LISTED_MAX) {
        const struct dirent *entry = readdir(dir);
        if (!entry)
            break;
        if (!is_venv(dirfd(dir), entry->d_name))
            continue;
        memcpy(ret[n].name, entry->d_name, VENV_NAME_LENGTH + 1);
        ret[n++].used_at = used_at(dirfd(dir), entry->d_name);
    }
    return n;
}

static int by_use(const void *a, const void *b)
{
    const Entry *x = a;
    const Entry *y = b;
    return x->used_at < y->used_at ? -1 : x->used_at > y->used_at;
}

static bool has_scout(const char *folder, const char *name)
{
    auto_free char *pattern =
        mem_printf("%s/%s/lib/python3*/site-packages/inspect_scout", folder, name);
    glob_t found = {0};
    bool is_there = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
    globfree(&found);
    return is_there;
}

/* The place of the one used last that has Scout; n when none has. */
static size_t last_scout(const char *folder, const Entry *entries, size_t n)
{
    for (size_t i = n; i > 0; i--)
        if (has_scout(folder, entries[i - 1].name))
            return i - 1;
    return n;
}

/* `ready` goes first: half of one must not be taken for a whole. */
static bool remove_unused(const char *dir)
{
    auto_error Error err = ERROR_INIT; /* the next run tries again */
    auto_free char *lock = mem_printf("%s.lock", dir);
    auto_free char *ready = fs_join(dir, "ready");
    auto_fd int held = fs_lock(lock, &err);
    if (held < 0 || fs_remove_tree(ready, &err) < 0 || fs_remove_tree(dir, &err) < 0)
        return false;
    (void)unlink(lock);
    return true;
}

size_t venv_cache_prune(const char *folder)
{
    auto_free Entry *entries = mem_array(LISTED_MAX, sizeof(*entries));
    size_t n = list(folder, entries);
    size_t max = n_kept();
    size_t n_removed = 0;
    qsort(entries, n, sizeof(*entries), by_use);
    size_t scout = n > max ? last_scout(folder, entries, n) : n;
    for (size_t i = 0; i + max < n && n_removed < REMOVED_AT_ONCE; i++) {
        if (i == scout)
            continue;
        auto_free char *dir = fs_join(folder, entries[i].name);
        n_removed += remove_unused(dir);
    }
    return n_removed;
}
