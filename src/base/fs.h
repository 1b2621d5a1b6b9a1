/* Files and folders: reading with a ceiling, durable writing, locks. Paths are C strings. */
#ifndef HAWK_BASE_FS_H
#define HAWK_BASE_FS_H

#include <dirent.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

/* Closes *fd when it is not negative, for auto_fd. */
void fs_close_cleanup(int *fd);
#define auto_fd HAWK_CLEANUP(fs_close_cleanup)

/* closedir(3) of *dir when it is not NULL, for auto_dir. */
void fs_close_dir_cleanup(DIR **dir);
#define auto_dir HAWK_CLEANUP(fs_close_dir_cleanup)

/* open(2) with O_CLOEXEC, retried on EINTR; returns the descriptor, or -1 with an error that names
 * the path. */
int fs_open(const char *path, int flags, mode_t mode, Error *err) HAWK_MUST_USE;

/* Opens a new file in a folder (NULL: $TMPDIR, else /tmp) that has no name and is gone when it is
   closed, for reading and writing. */
int fs_open_unlinked(const char *dir, Error *err) HAWK_MUST_USE;

/* Appends the whole file to ret; over the buffer's maximum is ERR_BAD_DATA. */
int fs_read_file(const char *path, Buf *ret, Error *err) HAWK_MUST_USE;

/* Reads or writes exactly n bytes at an offset; a short file is ERR_BAD_DATA. */
int fs_read_at(int fd, uint64_t offset, void *data, size_t n, Error *err) HAWK_MUST_USE;
int fs_write_all(int fd, const void *data, size_t n, Error *err) HAWK_MUST_USE;

/* Replaces the file in one step: written under a temporary name beside it, synced, renamed, folder
 * synced. */
int fs_write_file(const char *path, Str bytes, mode_t mode, Error *err) HAWK_MUST_USE;

/* mkdir -p with the given mode for what is made. */
int fs_make_dirs(const char *path, mode_t mode, Error *err) HAWK_MUST_USE;

/* Removes a file or folder with all in it, following no symbolic link; a path that is not there is
 * no error. */
int fs_remove_tree(const char *path, Error *err) HAWK_MUST_USE;

/* What a path is, following symbolic links; false when it cannot be told. */
bool fs_exists(const char *path);
bool fs_is_dir(const char *path);

/* "<dir>/<name>" on the heap; the caller frees. */
char *fs_join(const char *dir, const char *name) HAWK_MUST_USE;

/* Takes an exclusive lock on the file (made 0600 when missing) for as long as the returned
   descriptor is open, also across fork and exec if the caller clears close-on-exec. ERR_CONFLICT
   when another process holds it. A file that was removed while it was waited for is made anew, so
   who holds the lock may remove it. */
int fs_lock(const char *path, Error *err) HAWK_MUST_USE;

/* The same with a lock that others may share, but nobody has who has it for himself. */
int fs_lock_shared(const char *path, Error *err) HAWK_MUST_USE;

/* An XDG base folder for hawk: fs_xdg("XDG_STATE_HOME", ".local/state") gives
   "$XDG_STATE_HOME/hawk" or
   "$HOME/.local/state/hawk". The caller frees. */
char *fs_xdg(const char *variable, const char *below_home) HAWK_MUST_USE;

#endif
