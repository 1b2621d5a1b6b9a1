/* Files and folders. */

#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { READ_STEP = 64 * 1024 };

void fs_close_cleanup(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

void fs_close_dir_cleanup(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

int fs_open(const char *path, int flags, mode_t mode, Error *err)
{
    int fd = -1;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    return fd;
}

static const char *temporary_dir(void)
{
    const char *dir = getenv("TMPDIR");
    return dir && dir[0] == '/' ? dir : "/tmp";
}

int fs_open_unlinked(const char *dir, Error *err)
{
    if (!dir)
        dir = temporary_dir();
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd >= 0 ? fd : error_errno(err, errno, "cannot make a temporary file in %s", dir);
    auto_free char *path = fs_join(dir, "hawk-XXXXXX");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot make a temporary file in %s", dir);
    (void)unlink(path);
    return fd;
}

int fs_read_file(const char *path, Buf *ret, Error *err)
{
    auto_fd int fd = fs_open(path, O_RDONLY, 0, err);
    if (fd < 0)
        return -1;
    for (;;) {
        size_t left = ret->max - ret->len;
        char probe[1];
        char *room = left ? buf_room(ret, left < READ_STEP ? left : READ_STEP) : probe;
        ssize_t n = read(fd, room, left ? (left < READ_STEP ? left : READ_STEP) : 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read %s", path);
        if (n == 0)
            return 0;
        if (!left)
            return error_set(err, ERR_BAD_DATA, "%s is over the limit of %zu bytes", path,
                             ret->max);
        buf_grew(ret, (size_t)n);
    }
}

int fs_read_at(int fd, uint64_t offset, void *data, size_t n, Error *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, (char *)data + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "cannot read %zu bytes at offset %llu", n,
                               (unsigned long long)offset);
        if (got == 0)
            return error_set(err, ERR_BAD_DATA,
                             "file ends at offset %" PRIu64 ", %zu bytes wanted at %" PRIu64,
                             offset + done, n, offset);
        done += (size_t)got;
    }
    return 0;
}

int fs_write_all(int fd, const void *data, size_t n, Error *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t put = write(fd, (const char *)data + done, n - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return error_errno(err, errno, "cannot write");
        done += (size_t)put;
    }
    return 0;
}

/* Syncs the folder that holds path, so that a rename in it survives a crash. */
static int sync_parent(const char *path, Error *err)
{
    auto_free char *dir = mem_strdup(path);
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir ? 1 : 0] = '\0';
    auto_fd int fd = fs_open(slash ? dir : ".", O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0)
        return -1;
    if (fsync(fd) < 0)
        return error_errno(err, errno, "cannot sync the folder of %s", path);
    return 0;
}

static int write_synced(const char *path, Str bytes, mode_t mode, Error *err)
{
    auto_fd int fd = fs_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode, err);
    if (fd < 0)
        return -1;
    if (fchmod(fd, mode) < 0)
        return error_errno(err, errno, "cannot set the mode of %s", path);
    if (fs_write_all(fd, bytes.p, bytes.n, err) < 0)
        return error_wrap(err, "%s", path);
    if (fsync(fd) < 0)
        return error_errno(err, errno, "cannot sync %s", path);
    return 0;
}

int fs_write_file(const char *path, Str bytes, mode_t mode, Error *err)
{
    auto_free char *temporary =
        mem_printf("%s.%d.%lx.tmp", path, (int)getpid(), (unsigned long)random());
    if (write_synced(temporary, bytes, mode, err) < 0) {
        (void)unlink(temporary);
        return -1;
    }
    if (rename(temporary, path) < 0) {
        (void)error_errno(err, errno, "cannot replace %s", path);
        (void)unlink(temporary);
        return -1;
    }
    return sync_parent(path, err);
}

int fs_make_dirs(const char *path, mode_t mode, Error *err)
{
    auto_free char *copy = mem_strdup(path);
    for (char *p = copy + 1; *copy; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return error_errno(err, errno, "cannot make the folder %s", copy);
        *p = kept;
        if (kept == '\0')
            break;
    }
    if (!fs_is_dir(path))
        return error_set(err, ERR_CONFLICT, "%s is not a folder", path);
    return 0;
}

static int remove_entries(int dir_fd, const char *path, Error *err);

static int remove_entry(int parent_fd, const char *name, const char *path, Error *err)
{
    if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return error_errno(err, errno, "cannot remove %s", path);
    auto_fd int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot remove %s", path);
    if (remove_entries(fd, path, err) < 0)
        return -1;
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return error_errno(err, errno, "cannot remove %s", path);
    return 0;
}

static int remove_entries(int dir_fd, const char *path, Error *err)
{
    int copy = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    auto_dir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir)
        return error_errno(err, errno, "cannot list %s", path);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        auto_free char *child = fs_join(path, entry->d_name);
        if (remove_entry(dir_fd, entry->d_name, child, err) < 0)
            return -1;
    }
    return 0;
}

int fs_remove_tree(const char *path, Error *err)
{
    return remove_entry(AT_FDCWD, path, path, err);
}

bool fs_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool fs_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *fs_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    return mem_printf("%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

/* Whether it still has its name: whoever removed the file had the lock on it. */
static bool is_removed(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static int lock_file(const char *path, int how, Error *err)
{
    for (;;) {
        auto_fd int fd = fs_open(path, O_RDWR | O_CREAT, 0600, err);
        if (fd < 0)
            return -1;
        if (flock(fd, how | LOCK_NB) < 0) {
            if (errno == EWOULDBLOCK)
                return error_set(err, ERR_CONFLICT, "%s is locked by another process", path);
            return error_errno(err, errno, "cannot lock %s", path);
        }
        if (!is_removed(fd))
            return TAKE_FD(fd);
    }
}

int fs_lock(const char *path, Error *err)
{
    return lock_file(path, LOCK_EX, err);
}

int fs_lock_shared(const char *path, Error *err)
{
    return lock_file(path, LOCK_SH, err);
}

char *fs_xdg(const char *variable, const char *below_home)
{
    const char *base = getenv(variable);
    if (base && base[0] == '/')
        return fs_join(base, "hawk");
    const char *home = getenv("HOME");
    return mem_printf("%s/%s/hawk", home && *home ? home : "/tmp", below_home);
}
