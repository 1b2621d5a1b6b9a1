/* A store in a folder. Every step from the root down to an object is opened by itself without
   following symbolic links, so that nothing that lies in the folder leads out of it. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/store_priv.h"

enum {
    ENTRIES_MAX = 1000 * 1000, /* of one folder, held as names while it is listed */
    TEMPORARY_MAX = 32,
    COPY_STEP = 64 << 20,
    PIECE_SIZE = 256 * 1024,
};

typedef struct FileStore {
    Store base;
    char *root;
    int root_fd;
} FileStore;

typedef struct FdSource {
    Source base;
    int fd;
} FdSource;

static int fail(Error *err, int errnum, const char *what, const char *key)
{
    if (errnum == ENOENT || errnum == ENOTDIR)
        return error_set(err, ERR_NOT_FOUND, "%s is not there", key);
    if (errnum == ELOOP)
        return error_set(err, ERR_DENIED, "%s is behind a symbolic link", key);
    return error_errno(err, errnum, "cannot %s %s", what, key);
}

/* Opens a folder in a folder; makes it when asked to, durably. */
static int open_child_dir(int parent, const char *name, bool make)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(parent, name, flags);
    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return -1;
    if (fsync(parent) < 0)
        return -1;
    return openat(parent, name, flags);
}

/* Opens the folder that holds the object; *ret_name is the part of key behind it. The descriptor is
   -1 with errno on failure. */
static int open_parent(const FileStore *store, const char *key, bool make, const char **ret_name)
{
    auto_fd int dir = fcntl(store->root_fd, F_DUPFD_CLOEXEC, 0);
    const char *part = key;
    for (const char *slash = strchr(part, '/'); dir >= 0 && slash; slash = strchr(part, '/')) {
        auto_free char *name = mem_strndup(part, (size_t)(slash - part));
        int child = open_child_dir(dir, name, make);
        int kept = errno;
        (void)close(dir);
        dir = child;
        errno = kept;
        part = slash + 1;
    }
    *ret_name = part;
    return TAKE_FD(dir);
}

static void fill_stat(const struct stat *st, StoreStat *ret)
{
    ret->size = (uint64_t)st->st_size;
    ret->modified_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
    (void)snprintf(ret->etag, sizeof(ret->etag), "%llx.%09lx-%llx-%llx",
                   (unsigned long long)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec,
                   (unsigned long long)st->st_size, (unsigned long long)st->st_ino);
}

/* Opens an object for reading; -1 with an error. O_NONBLOCK, so that a pipe cannot hold us up. */
static int open_object(const FileStore *store, const char *key, struct stat *st, Error *err)
{
    const char *name = NULL;
    auto_fd int dir = open_parent(store, key, false, &name);
    if (dir < 0)
        return fail(err, errno, "open", key);
    auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, st) < 0)
        return fail(err, errno, "open", key);
    if (!S_ISREG(st->st_mode))
        return error_set(err, ERR_NOT_FOUND, "%s is not an object", key);
    return TAKE_FD(fd);
}

static int file_stat(Store *base, const char *key, StoreStat *ret, Error *err)
{
    const char *name = NULL;
    auto_fd int dir = open_parent((FileStore *)base, key, false, &name);
    struct stat st;
    if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(err, errno, "look at", key);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_NOT_FOUND, "%s is not an object", key);
    fill_stat(&st, ret);
    return 0;
}

static int read_to_end(int fd, Buf *ret, const char *key, Error *err)
{
    for (;;) {
        char piece[16 * 1024];
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read %s", key);
        if (n == 0)
            return 0;
        buf_add(ret, piece, (size_t)n);
        if (buf_check(ret, key, err) < 0)
            return -1;
    }
}

static int file_get(Store *base, const char *key, Buf *ret, Error *err)
{
    struct stat st;
    auto_fd int fd = open_object((FileStore *)base, key, &st, err);
    if (fd < 0)
        return -1;
    return read_to_end(fd, ret, key, err);
}

static int fd_read_at(Source *source, uint64_t offset, void *data, size_t n, Error *err)
{
    return fs_read_at(((FdSource *)source)->fd, offset, data, n, err);
}

static void fd_close(Source *source)
{
    (void)close(((FdSource *)source)->fd);
}

static int file_source(Store *base, const char *key, Source **ret, Error *err)
{
    struct stat st;
    auto_fd int fd = open_object((FileStore *)base, key, &st, err);
    if (fd < 0)
        return -1;
    FdSource *source = mem_alloc(sizeof(*source));
    source->base = (Source){.read_at = fd_read_at,
                            .close = fd_close,
                            .size = (uint64_t)st.st_size,
                            .name = mem_strdup(key)};
    source->fd = TAKE_FD(fd);
    *ret = &source->base;
    return 0;
}

static int write_temporary(int dir, const char *temporary, Str bytes, const char *key, Error *err)
{
    auto_fd int fd =
        openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, errno, "cannot write %s", key);
    if (fs_write_all(fd, bytes.p, bytes.n, err) < 0)
        return error_wrap(err, "%s", key);
    if (fsync(fd) < 0)
        return error_errno(err, errno, "cannot sync %s", key);
    return 0;
}

/* Gives the written file its name: over what is there, or only if nothing is. */
static int publish(int dir, const char *temporary, const char *name, bool only_new, const char *key,
                   Error *err)
{
    int result =
        only_new ? linkat(dir, temporary, dir, name, 0) : renameat(dir, temporary, dir, name);
    if (result < 0 && (errno == EEXIST || errno == EISDIR))
        return error_set(err, ERR_CONFLICT, "%s exists", key);
    if (result < 0)
        return error_errno(err, errno, "cannot write %s", key);
    return 0;
}

static void make_temporary(char ret[TEMPORARY_MAX])
{
    char id[17];
    random_id(id, sizeof(id) - 1);
    (void)snprintf(ret, TEMPORARY_MAX, ".%s" STORE_TEMPORARY, id);
}

static int file_put(Store *base, const char *key, Str bytes, bool only_new, Error *err)
{
    const char *name = NULL;
    auto_fd int dir = open_parent((FileStore *)base, key, true, &name);
    if (dir < 0 && errno == ENOTDIR)
        return error_set(err, ERR_CONFLICT, "%s would be below an object", key);
    if (dir < 0)
        return fail(err, errno, "write", key);
    char temporary[TEMPORARY_MAX];
    make_temporary(temporary);
    int result = write_temporary(dir, temporary, bytes, key, err);
    if (result == 0)
        result = publish(dir, temporary, name, only_new, key, err);
    if (result < 0 || only_new)
        (void)unlinkat(dir, temporary, 0);
    if (result == 0 && fsync(dir) < 0)
        return error_errno(err, errno, "cannot sync the folder of %s", key);
    return result;
}

/* Copies what another file system has. */
static int copy_file(const char *path, int dir, const char *temporary, const char *key, Error *err)
{
    auto_fd int in = fs_open(path, O_RDONLY | O_NOFOLLOW, 0, err);
    if (in < 0)
        return -1;
    auto_fd int out =
        openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return error_errno(err, errno, "cannot write %s", key);
    for (;;) {
        ssize_t n = sendfile(out, in, NULL, COPY_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot write %s", key);
        if (n == 0)
            return 0;
    }
}

/* Brings a file beside the object, under a temporary name, synced. */
static int bring(const char *path, int dir, const char *temporary, const char *key, Error *err)
{
    if (renameat(AT_FDCWD, path, dir, temporary) < 0) {
        if (errno != EXDEV)
            return error_errno(err, errno, "cannot write %s", key);
        if (copy_file(path, dir, temporary, key, err) < 0)
            return -1;
    }
    auto_fd int fd = openat(dir, temporary, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0)
        return error_errno(err, errno, "cannot sync %s", key);
    return 0;
}

static int check_etag(int dir, const char *name, const char *etag, const char *key, Error *err)
{
    struct stat st;
    StoreStat stat;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return fail(err, errno, "replace", key);
    fill_stat(&st, &stat);
    if (!S_ISREG(st.st_mode) || strcmp(stat.etag, etag) != 0)
        return error_set(err, ERR_CONFLICT, "%s has changed", key);
    return 0;
}

static int file_replace(Store *base, const char *key, const char *etag, const char *path,
                        Error *err)
{
    const char *name = NULL;
    auto_fd int dir = open_parent((FileStore *)base, key, false, &name);
    if (dir < 0)
        return fail(err, errno, "replace", key);
    char temporary[TEMPORARY_MAX];
    make_temporary(temporary);
    int result = bring(path, dir, temporary, key, err);
    if (result == 0)
        result = check_etag(dir, name, etag, key, err);
    if (result == 0)
        result = publish(dir, temporary, name, false, key, err);
    if (result < 0)
        (void)unlinkat(dir, temporary, 0);
    if (result == 0 && fsync(dir) < 0)
        return error_errno(err, errno, "cannot sync the folder of %s", key);
    return result;
}

/* Gives a file without a name one; false when the disk is another or the file has a name. */
static bool link_unnamed(int fd, int dir, const char *temporary)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, dir, temporary, AT_SYMLINK_FOLLOW) == 0;
}

/* Copies n bytes from the start of one file to another, on one disk without reading them. */
static int copy_bytes(int from, int to, uint64_t n, const char *key, Error *err)
{
    loff_t at = 0;
    auto_free char *piece = NULL;
    while ((uint64_t)at < n) {
        ssize_t copied = copy_file_range(from, &at, to, NULL, (size_t)(n - (uint64_t)at), 0);
        if (copied > 0 || (copied < 0 && errno == EINTR))
            continue;
        /* Not between these disks, or not by this kernel. */
        size_t size = n - (uint64_t)at < PIECE_SIZE ? (size_t)(n - (uint64_t)at) : PIECE_SIZE;
        piece = piece ? piece : mem_alloc(PIECE_SIZE);
        if (fs_read_at(from, (uint64_t)at, piece, size, err) < 0 ||
            fs_write_all(to, piece, size, err) < 0)
            return error_wrap(err, "%s", key);
        at += (loff_t)size;
    }
    return 0;
}

static int copy_temporary(int dir, const char *temporary, int from, uint64_t size, const char *key,
                          Error *err)
{
    auto_fd int fd =
        openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, errno, "cannot write %s", key);
    if (copy_bytes(from, fd, size, key, err) < 0)
        return -1;
    if (fsync(fd) < 0)
        return error_errno(err, errno, "cannot sync %s", key);
    return 0;
}

static int file_put_file(Store *base, const char *key, int fd, uint64_t size, Error *err)
{
    const char *name = NULL;
    auto_fd int dir = open_parent((FileStore *)base, key, true, &name);
    if (dir < 0 && errno == ENOTDIR)
        return error_set(err, ERR_CONFLICT, "%s would be below an object", key);
    if (dir < 0)
        return fail(err, errno, "write", key);
    char temporary[TEMPORARY_MAX];
    make_temporary(temporary);
    int result = 0;
    if (!link_unnamed(fd, dir, temporary))
        result = copy_temporary(dir, temporary, fd, size, key, err);
    else if (fsync(fd) < 0)
        result = error_errno(err, errno, "cannot sync %s", key);
    if (result == 0)
        result = publish(dir, temporary, name, false, key, err);
    if (result < 0)
        (void)unlinkat(dir, temporary, 0);
    if (result == 0 && fsync(dir) < 0)
        return error_errno(err, errno, "cannot sync the folder of %s", key);
    return result;
}

static int file_move(Store *base, const char *from, const char *to, const char *etag, Error *err)
{
    const char *old_name = NULL;
    const char *new_name = NULL;
    StoreStat stat;
    if (file_stat(base, from, &stat, err) < 0)
        return -1;
    if (etag && strcmp(etag, stat.etag) != 0)
        return error_set(err, ERR_CONFLICT, "%s has changed", from);
    auto_fd int old_dir = open_parent((FileStore *)base, from, false, &old_name);
    if (old_dir < 0)
        return fail(err, errno, "move", from);
    auto_fd int new_dir = open_parent((FileStore *)base, to, true, &new_name);
    if (new_dir < 0)
        return fail(err, errno, "write", to);
    if (renameat(old_dir, old_name, new_dir, new_name) < 0)
        return errno == ENOENT ? fail(err, errno, "move", from)
                               : error_errno(err, errno, "cannot move %s to %s", from, to);
    if (fsync(new_dir) < 0 || fsync(old_dir) < 0)
        return error_errno(err, errno, "cannot sync the folder of %s", to);
    return 0;
}

static int file_remove(Store *base, const char *key, Error *err)
{
    const char *name = NULL;
    auto_fd int dir = open_parent((FileStore *)base, key, false, &name);
    if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (dir < 0)
        return fail(err, errno, "delete", key);
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT && errno != EISDIR)
        return error_errno(err, errno, "cannot delete %s", key);
    if (fsync(dir) < 0)
        return error_errno(err, errno, "cannot sync the folder of %s", key);
    return 0;
}

static int file_remove_prefix(Store *base, const char *prefix, Error *err)
{
    const char *name = NULL;
    auto_fd int dir = open_parent((FileStore *)base, prefix, false, &name);
    if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    struct stat st;
    if (dir < 0)
        return fail(err, errno, "delete", prefix);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    auto_free char *path = mem_printf("/proc/self/fd/%d/%s", dir, name);
    if (fs_remove_tree(path, err) < 0)
        return -1;
    if (fsync(dir) < 0)
        return error_errno(err, errno, "cannot sync the folder of %s", prefix);
    return 0;
}

/* The names in a folder. Those of folders end in '/', which makes the order that of keys. */
typedef struct Names {
    char **items;
    size_t n;
    size_t cap;
} Names;

static void names_release(Names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i]);
    free(names->items);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* '/' for a folder, '\0' for a file, -1 for what is neither or is gone. */
static int kind_of(int dir, const struct dirent *entry)
{
    if (entry->d_type == DT_DIR)
        return '/';
    if (entry->d_type == DT_REG)
        return '\0';
    struct stat st;
    if (entry->d_type != DT_UNKNOWN || fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return S_ISDIR(st.st_mode) ? '/' : S_ISREG(st.st_mode) ? '\0' : -1;
}

static int read_names(int dir_fd, const char *prefix, bool with_dirs, Names *names, Error *err)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_dir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        int kept = errno;
        if (copy >= 0)
            (void)close(copy);
        return error_errno(err, kept, "cannot list %s", prefix);
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (!store_key_is_valid(str_of(entry->d_name)))
            continue;
        int kind = kind_of(dir_fd, entry);
        if (kind < 0 || (kind == '/' && !with_dirs))
            continue;
        if (names->n == ENTRIES_MAX)
            return error_set(err, ERR_BAD_DATA, "%s has over %d entries", prefix, ENTRIES_MAX);
        if (names->n == names->cap) {
            names->cap = names->cap ? names->cap * 2 : 32;
            names->items = mem_resize(names->items, names->cap, sizeof(char *));
        }
        names->items[names->n++] = mem_printf("%s%s", entry->d_name, kind == '/' ? "/" : "");
    }
    if (names->n > 0)
        qsort(names->items, names->n, sizeof(char *), compare_names);
    return 0;
}

typedef struct Listing {
    bool recursive;
    StoreEach *each;
    void *context;
} Listing;

static int list_dir(const Listing *listing, int dir, const char *prefix, Error *err);

static int list_entry(const Listing *listing, int dir, const char *prefix, char *name, Error *err)
{
    auto_free char *key = mem_printf("%s%s", prefix, name);
    size_t n = strlen(name);
    if (name[n - 1] != '/') {
        struct stat st;
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
            return 0; /* gone since the folder was read */
        if (strlen(key) > STORE_KEY_MAX)
            return 0;
        StoreStat stat;
        fill_stat(&st, &stat);
        return listing->each(listing->context, key, &stat, err);
    }
    name[n - 1] = '\0';
    auto_fd int child = open_child_dir(dir, name, false);
    if (child < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return 0;
    if (child < 0)
        return error_errno(err, errno, "cannot list %s", key);
    return list_dir(listing, child, key, err);
}

static int list_dir(const Listing *listing, int dir, const char *prefix, Error *err)
{
    if (strlen(prefix) > STORE_KEY_MAX)
        return 0; /* nothing below has a key */
    HAWK_CLEANUP(names_release) Names names = {0};
    if (read_names(dir, *prefix ? prefix : "the store", listing->recursive, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (list_entry(listing, dir, prefix, names.items[i], err) < 0)
            return -1;
    return 0;
}

static int file_list(Store *base, const char *prefix, bool recursive, StoreEach *each,
                     void *context, Error *err)
{
    const char *name = NULL;
    auto_free char *inside = mem_printf("%s%s", prefix, *prefix ? "/" : "");
    auto_fd int dir = open_parent((FileStore *)base, inside, false, &name);
    if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (dir < 0)
        return fail(err, errno, "list", prefix);
    Listing listing = {.recursive = recursive, .each = each, .context = context};
    return list_dir(&listing, dir, inside, err);
}

static int file_link(Store *base, const char *key, int seconds, Buf *ret, Error *err)
{
    (void)base;
    (void)key;
    (void)seconds;
    (void)ret;
    (void)err;
    return 0;
}

static char *file_location(const Store *base, const char *key)
{
    return fs_join(((const FileStore *)base)->root, key);
}

static int file_open(const char *url, Store **ret, Error *err)
{
    const char *path = url + strlen(store_kind_file.scheme);
    if (str_starts(str_of(path), STR("//")))
        path += 2;
    if (path[0] != '/')
        return error_set(err, ERR_USAGE, "the folder of the store, %s, is not an absolute path",
                         path);
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    auto_free char *root = mem_strndup(path, n);
    if (fs_make_dirs(root, 0700, err) < 0)
        return -1;
    int fd = fs_open(root, O_RDONLY | O_DIRECTORY, 0, err);
    if (fd < 0)
        return -1;
    FileStore *store = mem_alloc(sizeof(*store));
    *store = (FileStore){.base = {.kind = &store_kind_file}, .root = TAKE(root), .root_fd = fd};
    *ret = &store->base;
    return 0;
}

static void file_close(Store *base)
{
    FileStore *store = (FileStore *)base;
    (void)close(store->root_fd);
    free(store->root);
    free(store);
}

const StoreKind store_kind_file = {
    .scheme = "file:",
    .open = file_open,
    .close = file_close,
    .stat = file_stat,
    .get = file_get,
    .source = file_source,
    .put = file_put,
    .put_file = file_put_file,
    .move = file_move,
    .replace = file_replace,
    .remove = file_remove,
    .remove_prefix = file_remove_prefix,
    .list = file_list,
    .link = file_link,
    .local_path = file_location,
    .location = file_location,
};
