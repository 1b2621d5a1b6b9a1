/* /scan_imports: bringing scans along that were made elsewhere. */

#include "server/routes.h"

#include "base/random.h"
#include "server/imports.h"
#include "server/server_priv.h"

enum { SCANS_MAX = 100, ANSWER_MAX = 4 << 20, SCAN_ID_CHARS = 22 };

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

static int scan_import_uploads(RouteCtx *ctx, Error *err)
{
    return imports_send_links(ctx, IMPORTS_SCANS, err);
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
    { "PUT",  ONE "/files/{scan_id}/{name}",    ROUTE_OPEN,   imports_receive,  "one file, at an address that was given out",
      .query = "expires: int; size: int; sha256: str; signature: str", .body = "*/*?", .answer = "text/plain" },
    { "POST", ONE "/finalize",                  ROUTE_CHANGE, scan_import_finalize, "publish what was sent as scans",
      .body = "ScanFinalizeRequest?", .answer = "ScanImportResponse" },
};
/* clang-format on */

const RouteTable routes_scan_imports = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
