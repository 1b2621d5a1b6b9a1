/* /scan_imports: bringing scans along that were made elsewhere. */

#include "server/routes.h"

#include "base/clock.h"
#include "base/random.h"
#include "server/imports.h"
#include "server/server_priv.h"

enum {
    SCANS_MAX = 100,
    FILES_MAX = 500,
    ANSWER_MAX = 4 << 20,
    LINK_SECONDS = 5 * 60,
    SCAN_ID_CHARS = 22
};

static void write_head(RouteCtx *ctx, JsonOut *out, const char *id, const Str *scans, size_t n)
{
    json_out_object(out);
    json_out_kvz(out, "scan_run_id", id);
    json_out_kv_array(out, "scan_ids");
    for (size_t i = 0; i < n; i++)
        json_out_str(out, scans[i]);
    json_out_end_array(out);
    json_out_kvz(out, "viewer_url",
                 arena_printf(ctx->arena, "%s/scan/%s", server_viewer_url(ctx->app), id));
    json_out_end_object(out);
}

static int send(RouteCtx *ctx, const char *id, const Str *scans, size_t n)
{
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &answer, 0);
    write_head(ctx, &out, id, scans, n);
    route_send_json(ctx, &answer);
    return 0;
}

/* As Scout names its scans: characters that are not taken for one another. */
static Str new_scan_id(Arena *arena)
{
    static const char alphabet[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    char text[SCAN_ID_CHARS];
    for (size_t i = 0; i < sizeof(text); i++) {
        uint32_t chance = 0;
        random_bytes(&chance, sizeof(chance));
        text[i] = alphabet[chance % (sizeof(alphabet) - 1)];
    }
    return arena_str(arena, (Str){text, sizeof(text)});
}

static int scan_import_begin(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    const char *id = NULL;
    Str scans[SCANS_MAX];
    if (route_body_json(ctx, &body, err) < 0)
        return -1;
    const Json *name = json_get(body, "name");
    int64_t n = json_int(body, "scan_count", 0);
    if (!json_is_null(name) && name->type != JSON_STRING)
        return error_set(err, ERR_BAD_DATA, "name: expected a text");
    if (n < 1 || n > SCANS_MAX)
        return error_set(err, ERR_BAD_DATA, "scan_count: expected 1 to %d", SCANS_MAX);
    if (imports_begin(ctx, IMPORTS_SCANS, json_is_null(name) ? STR_NONE : name->text, &id, err) < 0)
        return -1;
    for (int64_t i = 0; i < n; i++)
        scans[i] = new_scan_id(ctx->arena);
    return send(ctx, id, scans, (size_t)n);
}

static int decode_file(const Json *node, ImportsFile *ret, Error *err)
{
    if (node->type != JSON_OBJECT)
        return error_set(err, ERR_BAD_DATA, "files: expected objects");
    int64_t size = json_int(node, "size_bytes", -1);
    *ret = (ImportsFile){.scan_id = json_text(node, "scan_id", STR("")),
                         .name = json_text(node, "filename", STR("")),
                         .sha256 = json_text(node, "sha256", STR("")),
                         .size = size < 0 ? 0 : (uint64_t)size};
    return imports_check_file(ret, err);
}

static int decode_files(RouteCtx *ctx, const Json *body, ImportsFile **ret, size_t *ret_n,
                        Error *err)
{
    const Json *list = json_get(body, "files");
    if (!list || list->type != JSON_ARRAY || list->n < 1 || list->n > FILES_MAX)
        return error_set(err, ERR_BAD_DATA, "files: expected a list of 1 to %d files", FILES_MAX);
    ImportsFile *files = arena_array(ctx->arena, list->n, sizeof(*files));
    size_t n = 0;
    for (const Json *node = list->first; node; node = node->next, n++) {
        if (decode_file(node, &files[n], err) < 0)
            return -1;
        for (size_t i = 0; i < n; i++) {
            if (!str_eq(files[i].name, files[n].name) ||
                !str_eq(files[i].scan_id, files[n].scan_id))
                continue;
            (void)error_set(err, ERR_USAGE, "('%.*s', '%.*s') appears more than once",
                            STR_ARG(files[n].scan_id), STR_ARG(files[n].name));
            return error_code(err, "import.file_twice");
        }
    }
    *ret = files;
    *ret_n = n;
    return 0;
}

static int scan_import_uploads(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    const char *id = NULL;
    ImportsFile *files = NULL;
    size_t n = 0;
    if (route_body_json(ctx, &body, err) < 0 ||
        imports_check_id(ctx, IMPORTS_SCANS, ctx->params[0], &id, err) < 0 ||
        decode_files(ctx, body, &files, &n, err) < 0)
        return -1;
    int64_t expires = clock_now_us() / CLOCK_SECOND + LINK_SECONDS;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "uploads");
    for (size_t i = 0; i < n; i++) {
        json_out_object(&out);
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

static int scan_import_receive(RouteCtx *ctx, Error *err)
{
    if (imports_receive(ctx, err) < 0)
        return -1;
    http_response_bytes(ctx->response, "text/plain; charset=utf-8", STR(""));
    return 0;
}

static int scan_import_finalize(RouteCtx *ctx, Error *err)
{
    const char *id = NULL;
    const Str *scans = NULL;
    size_t n = 0;
    if (imports_check_finalize(ctx, err) < 0 ||
        imports_check_id(ctx, IMPORTS_SCANS, ctx->params[0], &id, err) < 0 ||
        imports_finalize_scans(ctx, id, &scans, &n, err) < 0)
        return -1;
    return send(ctx, id, scans, n);
}

/* clang-format off */
static const Shape shapes[] = {
    { "CreateScanImportRequest", "name?: str?; scan_count: int(1..100)" },
    { "ScanImportResponse",      "scan_run_id: str; scan_ids: str[]; viewer_url: str" },
    { "ScanFileEntry",           "scan_id: str; filename: str; size_bytes: int(1..5368709120); sha256?: str?" },
    { "ScanUploadsRequest",      "files: ScanFileEntry[](1..500)" },
    { "ScanUploadInfo",          "scan_id: str; filename: str; url: str; expires_at: time" },
    { "ScanUploadsResponse",     "uploads: ScanUploadInfo[]" },
    { "ScanFinalizeRequest",     "code_sources?: str[](0..500)?" },
};

#define ONE "/scan_imports/{scan_run_id}"

static const Route rows[] = {
    { "POST", "/scan_imports/",                 ROUTE_CHANGE, scan_import_begin,    "begin an import of scans: ids for it and for them",
      .body = "CreateScanImportRequest", .answer = "ScanImportResponse" },
    { "POST", "/scan_imports",                  ROUTE_CHANGE, scan_import_begin,    "the same",
      .body = "CreateScanImportRequest", .answer = "ScanImportResponse" },
    { "POST", ONE "/uploads",                   ROUTE_CHANGE, scan_import_uploads,  "addresses to which files can be sent, for five minutes",
      .body = "ScanUploadsRequest", .answer = "ScanUploadsResponse" },
    { "PUT",  ONE "/files/{scan_id}/{name}",    ROUTE_OPEN,   scan_import_receive,  "one file, at an address that was given out",
      .query = "expires: int; size: int; sha256: str; signature: str", .body = "*/*?", .answer = "text/plain" },
    { "POST", ONE "/finalize",                  ROUTE_CHANGE, scan_import_finalize, "publish what was sent as scans",
      .body = "ScanFinalizeRequest?", .answer = "ScanImportResponse" },
};
/* clang-format on */

const RouteTable routes_scan_imports = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
