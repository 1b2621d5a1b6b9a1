/* Walks a folder with fts(3), names in byte order. */

#include "runner/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/digest.h"

enum { READ_STEP = 256 * 1024 };

typedef struct Passed {
    const char *name;
    bool only_at_top; /* deeper down it may be a module of the package */
} Passed;

/* clang-format off */
static const Passed passed_over[] = {
    { ".git",          false },
    { ".hg",           false },
    { ".venv",         false },
    { "__pycache__",   false },
    { ".pytest_cache", false },
    { ".mypy_cache",   false },
    { ".ruff_cache",   false },
    { ".tox",          false },
    { "node_modules",  false },
    { "venv",          true },
    { "build",         true },
    { "dist",          true },
    { "logs",          true },
};
/* clang-format on */

static bool is_passed_over(const FTSENT *entry)
{
    if (entry->fts_level == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(passed_over); i++)
        if (strcmp(entry->fts_name, passed_over[i].name) == 0)
            return !passed_over[i].only_at_top || entry->fts_level == 1;
    return str_ends(str_of(entry->fts_name), STR(".egg-info")) ||
           str_ends(str_of(entry->fts_name), STR(".pyc"));
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_bytes(Digest *digest, const char *path, int flags, Error *err)
{
    auto_fd int fd = fs_open(path, O_RDONLY | flags, 0, err);
    if (fd < 0)
        return -1;
    auto_free char *bytes = mem_alloc(READ_STEP);
    for (;;) {
        ssize_t n = read(fd, bytes, READ_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read %s", path);
        if (n == 0)
            return 0;
        digest_add(digest, (Str){bytes, (size_t)n});
    }
}

/* Where it leads, and the bytes there if it is a file: builds copy those. */
static int add_link(Digest *digest, const char *path, Error *err)
{
    char target[PATH_MAX];
    struct stat st;
    ssize_t n = readlink(path, target, sizeof(target));
    if (n < 0)
        return error_errno(err, errno, "cannot read %s", path);
    digest_add(digest, (Str){target, (size_t)n});
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    return add_bytes(digest, path, 0, err);
}

/* The name below the root, so that the same package elsewhere has the same digest; then what is in
 * it. */
static int add_entry(Digest *digest, const FTSENT *entry, size_t root_n, Error *err)
{
    auto_free char *size = mem_printf("%lld", (long long)entry->fts_statp->st_size);
    const char *name = entry->fts_path + root_n;
    digest_add(digest, (Str){name, strlen(name) + 1});
    digest_add(digest, (Str){size, strlen(size) + 1});
    if (entry->fts_info == FTS_F)
        return add_bytes(digest, entry->fts_accpath, O_NOFOLLOW, err);
    return add_link(digest, entry->fts_accpath, err);
}

static void close_walk(FTS **walk)
{
    if (*walk)
        (void)fts_close(*walk);
}

static int add_entries(Digest *digest, FTS *walk, const char *root, Error *err)
{
    size_t n_files = 0;
    for (FTSENT *entry = fts_read(walk); entry; entry = fts_read(walk)) {
        if (is_passed_over(entry)) {
            (void)fts_set(walk, entry, FTS_SKIP);
            continue;
        }
        switch (entry->fts_info) {
        case FTS_DNR:
        case FTS_ERR:
        case FTS_NS: return error_errno(err, entry->fts_errno, "cannot read %s", entry->fts_path);
        case FTS_F:
        case FTS_SL:
        case FTS_SLNONE: break;
        default: continue;
        }
        if (++n_files > TREE_FILES_MAX)
            return error_set(err, ERR_BAD_DATA, "the local package %s has more than %d files", root,
                             TREE_FILES_MAX);
        if (add_entry(digest, entry, strlen(root), err) < 0)
            return -1;
    }
    return 0;
}

int tree_add_digest(const char *path, Buf *ret, Error *err)
{
    if (!fs_exists(path)) {
        (void)error_set(err, ERR_NOT_FOUND, "the local package %s is not there", path);
        return error_code(err, "install.not_found");
    }
    auto_free char *root = mem_strdup(path);
    for (size_t n = strlen(root); n > 1 && root[n - 1] == '/'; n--)
        root[n - 1] = '\0';
    char *const roots[] = {root, NULL};
    auto_digest Digest *digest = digest_new();
    HAWK_CLEANUP(close_walk)
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    if (!walk)
        return error_errno(err, errno, "cannot list %s", path);
    if (add_entries(digest, walk, root, err) < 0)
        return -1;
    unsigned char sum[DIGEST_SIZE];
    digest_finish(digest, sum);
    digest_add_hex(ret, (Str){(const char *)sum, sizeof(sum)});
    buf_addc(ret, '\n');
    return 0;
}
