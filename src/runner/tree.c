/* Walks a folder with fts(3), names in byte order. */

#include "runner/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "codec/digest.h"

enum { READ_STEP = 256 * 1024 };

/* clang-format off */
static const char *const passed_over[] = {
    ".git", ".hg", ".venv", "venv", "__pycache__", "node_modules", ".pytest_cache", ".mypy_cache", ".ruff_cache",
    ".tox", "build", "dist", "logs",
};
/* clang-format on */

static bool is_passed_over(const FTSENT *entry)
{
    if (entry->fts_level == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(passed_over); i++)
        if (strcmp(entry->fts_name, passed_over[i]) == 0)
            return true;
    return str_ends(str_of(entry->fts_name), STR(".egg-info")) ||
           str_ends(str_of(entry->fts_name), STR(".pyc"));
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_file(Digest *digest, const char *path, Error *err)
{
    auto_fd int fd = fs_open(path, O_RDONLY | O_NOFOLLOW, 0, err);
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
        if (entry->fts_info != FTS_F)
            continue;
        if (++n_files > TREE_FILES_MAX)
            return error_set(err, ERR_BAD_DATA, "the local package %s has more than %d files", root,
                             TREE_FILES_MAX);
        auto_free char *head =
            mem_printf("%s %lld\n", entry->fts_path, (long long)entry->fts_statp->st_size);
        digest_add(digest, str_of(head));
        if (add_file(digest, entry->fts_accpath, err) < 0)
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
    char *const roots[] = {root, NULL};
    auto_digest Digest *digest = digest_new();
    HAWK_CLEANUP(close_walk) FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!walk)
        return error_errno(err, errno, "cannot list %s", path);
    if (add_entries(digest, walk, path, err) < 0)
        return -1;
    unsigned char sum[DIGEST_SIZE];
    digest_finish(digest, sum);
    digest_add_hex(ret, (Str){(const char *)sum, sizeof(sum)});
    buf_addc(ret, '\n');
    return 0;
}
