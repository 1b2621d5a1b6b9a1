/* The addresses to which the files of an import can be sent. */

#include "base/clock.h"
#include "server/imports.h"
#include "server/server_priv.h"

enum { ANSWER_MAX = 4 << 20, LINK_SECONDS = 5 * 60 };

typedef struct KindRow {
    size_t n_files_max;
    bool has_scan_id;
    const char *twice; /* the code of the error that a file is there twice */
} KindRow;

static const KindRow kinds[] = {
    [IMPORTS_LOGS] = {IMPORTS_FILES_MAX, false, "import.twice"},
    [IMPORTS_SCANS] = {IMPORTS_SCAN_FILES_MAX, true, "import.file_twice"},
};

static int decode_file(const Json *node, const KindRow *kind, ImportsFile *ret, Error *err)
{
    if (node->type != JSON_OBJECT)
        return error_set(err, ERR_BAD_DATA, "files: expected objects");
    int64_t size = json_int(node, "size_bytes", -1);
    *ret =
        (ImportsFile){.scan_id = kind->has_scan_id ? json_text(node, "scan_id", STR("")) : STR_NONE,
                      .name = json_text(node, "filename", STR("")),
                      .sha256 = json_text(node, "sha256", STR("")),
                      .eval_id = json_text(node, "eval_id", STR_NONE),
                      .size = size < 0 ? 0 : (uint64_t)size};
    return imports_check_file(ret, err);
}

static int check_new(const ImportsFile *files, size_t n, const KindRow *kind, Error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(files[i].name, files[n].name) || !str_eq(files[i].scan_id, files[n].scan_id))
            continue;
        (void)error_set(err, ERR_USAGE, "%.*s%s'%.*s' is there more than once",
                        STR_ARG(files[n].scan_id), files[n].scan_id.n ? ", " : "",
                        STR_ARG(files[n].name));
        return error_code(err, kind->twice);
    }
    return 0;
}

static int decode_files(RouteCtx *ctx, const KindRow *kind, ImportsFile **ret, size_t *ret_n,
                        Error *err)
{
    Json *body = NULL;
    if (route_body_json(ctx, &body, err) < 0)
        return -1;
    const Json *list = json_get(body, "files");
    if (!list || list->type != JSON_ARRAY || list->n < 1 || list->n > kind->n_files_max)
        return error_set(err, ERR_BAD_DATA, "files: expected a list of 1 to %zu files",
                         kind->n_files_max);
    ImportsFile *files = arena_array(ctx->arena, list->n, sizeof(*files));
    size_t n = 0;
    for (const Json *node = list->first; node; node = node->next, n++)
        if (decode_file(node, kind, &files[n], err) < 0 || check_new(files, n, kind, err) < 0)
            return -1;
    *ret = files;
    *ret_n = n;
    return 0;
}

int imports_send_links(RouteCtx *ctx, ImportsKind kind, Error *err)
{
    const char *id = NULL;
    ImportsFile *files = NULL;
    size_t n = 0;
    if (imports_check_id(ctx, kind, ctx->params[0], &id, err) < 0 ||
        decode_files(ctx, &kinds[kind], &files, &n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (files[i].eval_id.n > 0 && imports_check_new(ctx, id, &files[i], err) < 0)
            return -1;
    int64_t expires = clock_now_us() / CLOCK_SECOND + LINK_SECONDS;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "uploads");
    for (size_t i = 0; i < n; i++) {
        json_out_object(&out);
        if (kinds[kind].has_scan_id)
            json_out_kv_str(&out, "scan_id", files[i].scan_id);
        json_out_kv_str(&out, "filename", files[i].name);
        json_out_kvz(&out, "url", imports_link(ctx->app, ctx->arena, id, &files[i], expires));
        json_out_kv_time(&out, "expires_at", expires * CLOCK_SECOND);
        json_out_end_object(&out);
    }
    json_out_end_array(&out);
    json_out_end_object(&out);
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    route_send_json(ctx, &answer);
    return 0;
}
