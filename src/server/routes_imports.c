/* /eval_sets/import: bringing logs along; /meta/imports: what has become of logs. */

#include "server/routes.h"

#include "server/imports.h"
#include "server/server_priv.h"
#include "warehouse/queries/queries.h"

enum {
    LIST_MAX_BYTES = 64 << 20,
    LIMIT_MAX = 500,
    LIMIT = 50,
    ANSWER_MAX = 4 << 20,
};

static Str param(RouteCtx *ctx, const char *name)
{
    return http_request_param(ctx->request, name, 0);
}

static int meta_imports(RouteCtx *ctx, Error *err)
{
    Str states[IMPORT_STATES_N];
    QueriesImportList list = {
        .eval_set_id = param(ctx, "eval_set_id"), .states = states, .cursor = param(ctx, "cursor")};
    if (route_param_int(ctx, "limit", LIMIT, 1, LIMIT_MAX, &list.limit, err) < 0)
        return -1;
    for (;;) {
        Str state = http_request_param(ctx->request, "state", list.n_states);
        if (!state.p)
            break;
        if (list.n_states == IMPORT_STATES_N)
            return error_set(err, ERR_USAGE, "state: at most %d values", IMPORT_STATES_N);
        states[list.n_states++] = state;
    }
    const QueriesAccess access = server_queries_access(ctx->caller);
    auto_buf Buf body = BUF_INIT(LIST_MAX_BYTES);
    JsonOut out;
    json_out_init(&out, &body, 0);
    if (queries_import_list(ctx->app->sql, ctx->app->store, &access, &list, &out, err) < 0 ||
        buf_check(&body, "the answer", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* --- logs that clients bring along --- */

static void write_id(RouteCtx *ctx, JsonOut *out, const char *id)
{
    json_out_kvz(out, "eval_set_id", id);
    json_out_kvz(out, "viewer_url",
                 arena_printf(ctx->arena, "%s/eval-set/%s", server_viewer_url(ctx->app), id));
}

static int import_begin(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    const char *id = NULL;
    if (route_body_json(ctx, &body, err) < 0)
        return -1;
    const Json *name = json_get(body, "name");
    if (!json_is_null(name) && name->type != JSON_STRING)
        return error_set(err, ERR_BAD_DATA, "name: expected a text");
    if (imports_begin(ctx, IMPORTS_LOGS, json_is_null(name) ? STR_NONE : name->text, &id, err) < 0)
        return -1;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    write_id(ctx, &out, id);
    json_out_end_object(&out);
    route_send_json(ctx, &answer);
    return 0;
}

static int import_uploads(RouteCtx *ctx, Error *err)
{
    return imports_send_links(ctx, IMPORTS_LOGS, err);
}

static void write_failures(const ImportsResult *result, JsonOut *out)
{
    json_out_kv_array(out, "failed");
    for (size_t i = 0; i < result->n_failures; i++) {
        const ImportsFailure *failure = &result->failures[i];
        const JobsProblem *known = imports_problem(failure->error.code);
        json_out_object(out);
        json_out_kvz(out, "filename", failure->name);
        json_out_kvz(out, "title", known ? known->title : "");
        json_out_kvz(out, "detail", error_text(&failure->error));
        json_out_kvz(out, "code", failure->error.code);
        json_out_end_object(out);
    }
    json_out_end_array(out);
}

/* With ?partial=true the files that are in order are published although others are not; "failed"
   names those. */
static int import_finalize(RouteCtx *ctx, Error *err)
{
    const char *id = NULL;
    bool is_partial = str_eqz(param(ctx, "partial"), "true");
    HAWK_CLEANUP(imports_release_result) ImportsResult result = {0};
    if (imports_check_finalize(ctx, err) < 0 ||
        imports_check_id(ctx, IMPORTS_LOGS, ctx->params[0], &id, err) < 0 ||
        imports_finalize(ctx, id, is_partial, &result, err) < 0)
        return -1;
    auto_buf Buf answer = BUF_INIT(LIST_MAX_BYTES);
    JsonOut out;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    write_id(ctx, &out, id);
    if (is_partial) {
        json_out_kv_int(&out, "published", (int64_t)result.n_published);
        write_failures(&result, &out);
    }
    json_out_end_object(&out);
    if (buf_check(&answer, "the answer", err) < 0)
        return -1;
    route_send_json(ctx, &answer);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "CreateImportRequest",  "name?: str?" },
    { "CreateImportResponse", "eval_set_id: str; viewer_url: str" },
    { "FileEntry",            "filename: str; sha256: str; size_bytes: int(1..2147483648); enforce_sha256: bool = false; eval_id?: str?" },
    { "UploadsRequest",       "files: FileEntry[](1..200)" },
    { "UploadInfo",           "filename: str; url: str; expires_at: time" },
    { "UploadsResponse",      "uploads: UploadInfo[]" },
    { "FinalizeRequest",      "code_sources?: str[](0..500)?" },
    { "FinalizeFailure",      "filename: str; title: str; detail: str; code: str?" },
    { "FinalizeResponse",     "eval_set_id: str; viewer_url: str; published?: int; failed?: FinalizeFailure[]" },
    { "ImportItem",
      "log: str; location: str; eval_set_id: str; state: str; size_bytes: int?; samples_done: int?; samples_total: int?;"
      " attempts: int; reason: str?; first_seen_at: time?; changed_at: time?; began_at: time?; ended_at: time?; retry_at: time?" },
    { "ImportsResponse", "items: ImportItem[]; counts: int{}; next_cursor: str?" },
};

static const Route rows[] = {
    { "POST", "/eval_sets/import/",                           ROUTE_CHANGE, import_begin, "begin an import: an id for its eval set",
      .body = "CreateImportRequest", .answer = "CreateImportResponse" },
    { "POST", "/eval_sets/import",                            ROUTE_CHANGE, import_begin, "the same",
      .body = "CreateImportRequest", .answer = "CreateImportResponse" },
    { "POST", "/eval_sets/import/{eval_set_id}/uploads",      ROUTE_CHANGE, import_uploads,
      "addresses to which files can be sent, for five minutes", .body = "UploadsRequest", .answer = "UploadsResponse" },
    { "PUT",  "/eval_sets/import/{eval_set_id}/files/{name}", ROUTE_OPEN,   imports_receive, "one file, at an address that was given out",
      .query = "expires: int; size: int; sha256: str; signature: str", .body = "*/*?", .answer = "text/plain" },
    { "POST", "/eval_sets/import/{eval_set_id}/finalize",     ROUTE_CHANGE, import_finalize, "publish what was sent as an eval set",
      .query = "partial: bool = false", .body = "FinalizeRequest?", .answer = "FinalizeResponse" },
    { "GET",  "/meta/imports",                                ROUTE_READ,   meta_imports,
      "logs and how their import goes, those seen last first",
      .query = "eval_set_id?: str; state?: str[]; limit: int(1..500) = 50; cursor?: str(1..)", .answer = "ImportsResponse" },
};
/* clang-format on */

const RouteTable routes_imports = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
