/* Sources over a file and over memory. */

#include "base/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

typedef struct FileSource {
    Source base;
    int fd;
} FileSource;

typedef struct BytesSource {
    Source base;
    Str bytes;
} BytesSource;

static int file_read_at(Source *source, uint64_t offset, void *data, size_t n, Error *err)
{
    return fs_read_at(((FileSource *)source)->fd, offset, data, n, err);
}

static void file_close(Source *source)
{
    (void)close(((FileSource *)source)->fd);
}

static int bytes_read_at(Source *source, uint64_t offset, void *data, size_t n, Error *err)
{
    (void)err;
    memcpy(data, ((BytesSource *)source)->bytes.p + offset, n);
    return 0;
}

static void bytes_close(Source *source)
{
    (void)source;
}

int source_open_file(const char *path, Source **ret, Error *err)
{
    auto_fd int fd = fs_open(path, O_RDONLY, 0, err);
    if (fd < 0)
        return -1;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot stat %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_BAD_DATA, "%s is not a regular file", path);
    FileSource *file = mem_alloc(sizeof(*file));
    file->base = (Source){.read_at = file_read_at,
                          .close = file_close,
                          .size = (uint64_t)st.st_size,
                          .name = mem_strdup(path)};
    file->fd = TAKE_FD(fd);
    *ret = &file->base;
    return 0;
}

int source_of_fd(int fd, uint64_t size, const char *name, Source **ret, Error *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return error_errno(err, errno, "cannot keep %s open", name);
    FileSource *file = mem_alloc(sizeof(*file));
    file->base = (Source){
        .read_at = file_read_at, .close = file_close, .size = size, .name = mem_strdup(name)};
    file->fd = copy;
    *ret = &file->base;
    return 0;
}

Source *source_of_bytes(Str bytes, const char *name)
{
    BytesSource *source = mem_alloc(sizeof(*source));
    source->base = (Source){
        .read_at = bytes_read_at, .close = bytes_close, .size = bytes.n, .name = mem_strdup(name)};
    source->bytes = bytes;
    return &source->base;
}

int source_read_at(Source *source, uint64_t offset, void *data, size_t n, Error *err)
{
    if (n > source->size || offset > source->size - n)
        return error_set(err, ERR_BAD_DATA,
                         "%s: %zu bytes wanted at offset %llu, the file has %llu", source->name, n,
                         (unsigned long long)offset, (unsigned long long)source->size);
    if (n == 0)
        return 0;
    if (source->read_at(source, offset, data, n, err) < 0)
        return error_wrap(err, "%s", source->name);
    return 0;
}

void source_close(Source *source)
{
    if (!source)
        return;
    source->close(source);
    free(source->name);
    free(source);
}
