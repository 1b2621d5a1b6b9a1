/* /view/scans/scan-download-*: links to a file of a scan, and to an archive of all its files. The
   archive is put together in an unnamed file when it is fetched, so that its size is known; so only
   a few at a time. */

#include "server/routes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "codec/zip_write.h"
#include "server/object.h"
#include "server/scans.h"
#include "server/server_priv.h"

enum { LINK_SECONDS = 900, ANSWER_MAX = 32 << 10, FILES_MAX = 20000 };

#define ZIP_BYTES_MAX ((uint64_t)32 << 30)
#define SCANS "scans/"

/* The key of what the address names, once the caller may read it. */
static int find_key(RouteCtx *ctx, const char **ret, Error *err)
{
    const char *path = arena_strndup(ctx->arena, ctx->params[0].p, ctx->params[0].n);
    if (!scans_path_is_safe(ctx->params[0]))
        return error_set(err, ERR_USAGE, "Invalid scan path");
    if (scans_check_access(ctx, path, err) < 0)
        return -1;
    *ret = arena_printf(ctx->arena, SCANS "%s", path);
    return 0;
}

static int send_link(RouteCtx *ctx, ObjectPage page, const char *key, const char *file, Error *err)
{
    const char *url = NULL;
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    if (object_link(ctx, page, key, LINK_SECONDS, &url, err) < 0)
        return -1;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "url", url);
    json_out_kvz(&out, "filename", file);
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

static const char *last_part(const char *key)
{
    return strrchr(key, '/') + 1;
}

static int scan_download_url(RouteCtx *ctx, Error *err)
{
    const char *key = NULL;
    StoreStat stat = {0};
    if (find_key(ctx, &key, err) < 0 || store_stat(ctx->app->store, key, &stat, err) < 0)
        return -1;
    return send_link(ctx, OBJECT_SCAN_FILE, key, last_part(key), err);
}

static int scan_download_zip(RouteCtx *ctx, Error *err)
{
    const char *key = NULL;
    bool found = false;
    if (find_key(ctx, &key, err) < 0 ||
        store_has_any(ctx->app->store, arena_printf(ctx->arena, "%s/", key), &found, err) < 0)
        return -1;
    if (!found)
        return error_set(err, ERR_NOT_FOUND, "Scan not found");
    return send_link(ctx, OBJECT_SCAN_ZIP, key, arena_printf(ctx->arena, "%s.zip", last_part(key)),
                     err);
}

/* --- what links lead to --- */

static int download_scan(RouteCtx *ctx, Error *err)
{
    const char *key = NULL;
    if (object_check_link(ctx, OBJECT_SCAN_FILE, &key, err) < 0)
        return -1;
    return object_send_download(ctx, key, err);
}

typedef struct Packing {
    Store *store;
    ZipWrite *zip;
    size_t n_before; /* bytes of a key before the name in the archive */
    size_t n_files;
    uint64_t n_bytes;
} Packing;

static int write_zip(void *context, Str bytes, Error *err)
{
    return fs_write_all(*(const int *)context, bytes.p, bytes.n, err);
}

/* Files whose path has a part that begins with a dot are the server's own. */
static int pack(void *context, const char *key, const StoreStat *stat, Error *err)
{
    Packing *packing = context;
    auto_source Source *source = NULL;
    Str name = str_of(key + packing->n_before);
    if (!scans_path_is_safe(name))
        return 0;
    packing->n_bytes += stat->size;
    if (++packing->n_files > FILES_MAX || packing->n_bytes > ZIP_BYTES_MAX) {
        (void)error_set(err, ERR_USAGE, "an archive has at most %d files and %d GB", FILES_MAX,
                        (int)(ZIP_BYTES_MAX >> 30));
        return error_fix(err, "fetch one scan of the job at a time, or single files");
    }
    if (store_source(packing->store, key, &source, err) < 0)
        return -1;
    return zip_write_store(packing->zip, name, source, 0, stat->size, err);
}

typedef struct ArchivePlace {
    Limits *limits;
    size_t i;
} ArchivePlace;

static void leave_archives(void *context)
{
    const ArchivePlace *place = context;
    limits_archive_end(place->limits, place->i);
}

/* A place until the answer has been sent: as long, the file is there. Nobody keeps it by reading
   slowly. */
static int enter_archives(RouteCtx *ctx, const char *key, Error *err)
{
    ArchivePlace *place = arena_alloc(ctx->arena, sizeof(*place));
    place->limits = ctx->app->limits;
    if (limits_archive_begin(place->limits, str_of(key), &place->i, err) < 0)
        return -1;
    http_response_when_done(ctx->response, leave_archives, place);
    http_response_pace(ctx->response, ctx->app->settings.archive_pace);
    return 0;
}

static int download_scan_zip(RouteCtx *ctx, Error *err)
{
    const char *key = NULL;
    if (object_check_link(ctx, OBJECT_SCAN_ZIP, &key, err) < 0 || enter_archives(ctx, key, err) < 0)
        return -1;
    const char *folder = arena_printf(ctx->arena, "%s/", key);
    auto_fd int fd = fs_open(ctx->app->spool_dir, O_TMPFILE | O_RDWR, 0600, err);
    if (fd < 0)
        return -1;
    auto_zip_write ZipWrite *zip = zip_write_new(write_zip, &fd);
    Packing packing = {.store = ctx->app->store, .zip = zip, .n_before = strlen(folder)};
    if (store_list(ctx->app->store, folder, true, pack, &packing, err) < 0 ||
        zip_write_finish(zip, err) < 0)
        return -1;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_set(err, ERR_IO, "cannot read the archive");
    object_add_filename(ctx, arena_printf(ctx->arena, "%s.zip", last_part(key)));
    http_response_file(ctx->response, "application/zip", TAKE_FD(fd), 0, (uint64_t)st.st_size);
    return 0;
}

/* clang-format off */
static const Route rows[] = {
    { "GET", "/view/scans/scan-download-url/{path*}", ROUTE_READ, scan_download_url, "a link to a file of a scan that needs no credentials",
      .answer = "LogLink" },
    { "GET", "/view/scans/scan-download-zip/{path*}", ROUTE_READ, scan_download_zip, "the same to an archive of a scan, or of all of a job",
      .answer = "LogLink" },
    { "GET", "/download-scan/{path*}",     ROUTE_OPEN, download_scan,     "a file of a scan by a signed link",
      .query = "expires: int; signature: str", .answer = "application/octet-stream; 206 application/octet-stream; 416" },
    { "GET", "/download-scan-zip/{path*}", ROUTE_OPEN, download_scan_zip, "a scan by a signed link",
      .query = "expires: int; signature: str", .answer = "application/zip" },
};
/* clang-format on */

const RouteTable routes_scan_download = {rows, ARRAY_LEN(rows), NULL, 0};
