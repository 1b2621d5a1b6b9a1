/* Files of viewers, with their types and the viewer's own policy. */

#include "server/dist.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/mem.h"

enum { CSP_MAX = 64 * 1024 };

typedef struct MimeRow {
    const char *suffix;
    const char *type;
} MimeRow;

/* clang-format off */
static const MimeRow mime_types[] = {
    { ".html",  "text/html; charset=utf-8" },
    { ".js",    "text/javascript; charset=utf-8" },
    { ".css",   "text/css; charset=utf-8" },
    { ".json",  "application/json" },
    { ".svg",   "image/svg+xml" },
    { ".png",   "image/png" },
    { ".woff",  "font/woff" },
    { ".woff2", "font/woff2" },
    { ".ttf",   "font/ttf" },
    { ".wasm",  "application/wasm" },
    { ".map",   "application/json" },
};
/* clang-format on */

static const char *mime_type(Str path)
{
    for (size_t i = 0; i < ARRAY_LEN(mime_types); i++)
        if (str_ends(path, str_of(mime_types[i].suffix)))
            return mime_types[i].type;
    return "application/octet-stream";
}

/* The viewer's own content security policy, which it brings along as directives and their values.
 */
static int add_policy(RouteCtx *ctx, const char *dir, Error *err)
{
    auto_free char *path = fs_join(dir, "content-security-policy.json");
    auto_buf Buf text = BUF_INIT(CSP_MAX);
    auto_buf Buf policy = BUF_INIT(CSP_MAX);
    Json *root = NULL;
    if (!fs_exists(path))
        return 0;
    if (fs_read_file(path, &text, err) < 0 ||
        json_parse(ctx->arena, arena_str(ctx->arena, buf_str(&text)), &json_limits_config, &root,
                   err) < 0)
        return -1;
    const Json *directives = json_get(root, "directives");
    for (const Json *row = directives ? directives->first : NULL; row; row = row->next) {
        buf_printf(&policy, "%s%.*s", policy.len ? "; " : "", STR_ARG(row->key));
        for (const Json *value = row->first; value; value = value->next)
            buf_printf(&policy, " %.*s", STR_ARG(value->text));
    }
    if (policy.len)
        http_response_header(ctx->response, "Content-Security-Policy", buf_str(&policy));
    return 0;
}

/* A path below the viewer's folder: parts of ordinary characters only, so nothing can climb out. */
static bool is_plain_path(Str path)
{
    Str part = STR_NONE;
    while (str_split(&path, '/', &part)) {
        if (part.n == 0 || part.p[0] == '.')
            return false;
        for (size_t i = 0; i < part.n; i++)
            if ((unsigned char)part.p[i] <= 0x20 || part.p[i] == '\\' ||
                (unsigned char)part.p[i] >= 0x7f)
                return false;
    }
    return true;
}

static int send_file(RouteCtx *ctx, const DistPlace *place, const char *name, Error *err)
{
    auto_free char *path = fs_join(place->dir, name);
    auto_fd int fd = fs_open(path, O_RDONLY | O_NOFOLLOW, 0, err);
    if (fd < 0)
        return -1;
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, ERR_NOT_FOUND, "the viewer has no such file");
    const char *etag = arena_printf(ctx->arena, "\"%s-%lld-%lld\"", place->version,
                                    (long long)st.st_size, (long long)st.st_mtim.tv_sec);
    http_response_header(ctx->response, "ETag", str_of(etag));
    http_response_header(ctx->response, "Cache-Control", STR("no-cache"));
    if (str_eqz(http_request_header(ctx->request, "If-None-Match"), etag)) {
        http_response_status(ctx->response, 304);
        return 0;
    }
    http_response_file(ctx->response, mime_type(str_of(name)), TAKE_FD(fd), 0,
                       (uint64_t)st.st_size);
    return 0;
}

int dist_send_index(RouteCtx *ctx, const DistPlace *place, Error *err)
{
    if (add_policy(ctx, place->dir, err) < 0)
        return -1;
    return send_file(ctx, place, "index.html", err);
}

int dist_send_file(RouteCtx *ctx, const DistPlace *place, Str path, Error *err)
{
    if (!is_plain_path(path))
        return error_set(err, ERR_NOT_FOUND, "the viewer has no such file");
    return send_file(ctx, place, arena_strndup(ctx->arena, path.p, path.n), err);
}
