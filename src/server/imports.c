/* Ids, owners, addresses for uploads, and what arrives at them. */

#include "server/imports.h"

#include <inttypes.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/digest.h"
#include "codec/percent.h"
#include "jobspec/ids.h"
#include "server/imports_priv.h"

enum { OWNER_MAX = 64 << 10, PIECE_SIZE = 256 << 10, SCAN_ID_MAX = 64 };

/* What differs between the kinds. */
typedef struct KindRow {
    const char *prefix;   /* of addresses */
    const char *job_type; /* in the note about the owner */
    const char *name;     /* of an import that has none */
    uint64_t size_max;
} KindRow;

/* clang-format off */
static const KindRow kinds[] = {
    [IMPORTS_LOGS]  = { "/eval_sets/import/", "eval_set", "evals", IMPORTS_SIZE_MAX },
    [IMPORTS_SCANS] = { "/scan_imports/",     "scan",     "scan",  STORE_FILE_MAX },
};
/* clang-format on */

#define STAGED_TOO_LONG_US (24 * 3600 * CLOCK_SECOND)

/* clang-format off */
static const JobsProblem problems[] = {
    { "import.bad_id",         400, "Invalid eval_set_id" },
    { "import.bad_sha256",     400, "Invalid sha256" },
    { "import.bad_filename",   400, "Invalid filename" },
    { "import.bad_size",       400, "Invalid size_bytes" },
    { "import.twice",          400, "Duplicate filename" },
    { "import.incomplete",     400, "Upload incomplete" },
    { "import.other_bytes",    400, "Checksum mismatch" },
    { "import.nothing",        404, "Nothing to finalize" },
    { "import.none_published", 404, "Import published no eval files" },
    { "import.other_set",      400, "Stamped eval_set_id mismatch" },
    { "import.other_creator",  400, "Stamped created_by mismatch" },
    { "import.not_marked",     400, "File not marked as imported" },
    { "import.bad_log",        400, "Invalid .eval file" },
    { "import.eval_twice",     400, "Duplicate eval ids in import" },
    { "import.eval_exists",    409, "Eval already imported" },
    { "import.finalizing",     409, "Import is being finalized" },
    { "import.bad_scan_id",    400, "Invalid scan_id" },
    { "import.bad_run_id",     400, "Invalid scan_run_id" },
    { "import.file_twice",     400, "Duplicate file" },
    { "import.bad_scan",       400, "Invalid scan" },
    { "import.unknown_source", 400, "Unknown transcripts" },
};
/* clang-format on */

const JobsProblem *imports_problem(const char *code)
{
    for (size_t i = 0; code && i < ARRAY_LEN(problems); i++)
        if (strcmp(problems[i].code, code) == 0)
            return &problems[i];
    return NULL;
}

int imports_fail(Error *err, ErrorKind kind, const char *code, const char *text)
{
    (void)error_set(err, kind, "%s", text);
    return error_code(err, code);
}

/* --- ids and owners --- */

static int put_owner(RouteCtx *ctx, ImportsKind kind, const char *id, Error *err)
{
    auto_buf Buf text = BUF_INIT(OWNER_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_object(&out);
    json_out_kvz(&out, "created_by", ctx->caller->sub);
    json_out_kvz(&out, "job_type", kinds[kind].job_type);
    json_out_end_object(&out);
    if (buf_check(&text, "the owner", err) < 0)
        return -1;
    return store_put(ctx->app->store, arena_printf(ctx->arena, "import-owners/%s.json", id),
                     buf_str(&text), true, err);
}

int imports_begin(RouteCtx *ctx, ImportsKind kind, Str name, const char **ret_id, Error *err)
{
    char id[IDS_JOB_ID_MAX + 1];
    Str given = name.n > 0 ? str_slice(name, 0, IMPORTS_NAME_MAX) : str_of(kinds[kind].name);
    auto_free char *prefix = mem_printf("imported-%.*s", STR_ARG(given));
    ids_generate(str_of(prefix), id);
    if (put_owner(ctx, kind, id, err) < 0)
        return -1;
    *ret_id = arena_strdup(ctx->arena, id);
    return 0;
}

/* Who began the import; NULL when nobody did. */
static int read_owner(RouteCtx *ctx, ImportsKind kind, const char *id, const char **ret, Error *err)
{
    auto_buf Buf text = BUF_INIT(OWNER_MAX);
    auto_error Error problem = ERROR_INIT;
    Json *owner = NULL;
    const char *key = arena_printf(ctx->arena, "import-owners/%s.json", id);
    *ret = NULL;
    if (store_get(ctx->app->store, key, &text, &problem) < 0)
        return problem.kind == ERR_NOT_FOUND ? 0 : error_move(err, &problem);
    Str kept = arena_str(ctx->arena, buf_str(&text));
    if (json_parse(ctx->arena, kept, &json_limits_config, &owner, err) < 0)
        return error_wrap(err, "%s", key);
    Str sub = json_text(owner, "created_by", STR_NONE);
    if (sub.n > 0 && str_eqz(json_text(owner, "job_type", STR_NONE), kinds[kind].job_type))
        *ret = arena_strndup(ctx->arena, sub.p, sub.n);
    return 0;
}

int imports_check_id(RouteCtx *ctx, ImportsKind kind, Str id, const char **ret, Error *err)
{
    const char *text = arena_strndup(ctx->arena, id.p, id.n);
    const char *owner = NULL;
    if (!ids_is_job_id(id) || !ids_is_imported(id))
        return imports_fail(err, ERR_USAGE,
                            kind == IMPORTS_SCANS ? "import.bad_run_id" : "import.bad_id",
                            "only ids of imports, which begin with 'imported-', are meant here");
    if (read_owner(ctx, kind, text, &owner, err) < 0)
        return -1;
    if (!owner)
        return error_set(err, ERR_NOT_FOUND, "Import not found.");
    const AccessResource about = {.name = text, .owner = owner};
    if (access_allows(ctx->caller, ACCESS_JOB_CONTROL, &about, err) < 0)
        return -1;
    *ret = text;
    return 0;
}

/* --- files --- */

static bool is_name(Str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (c == '\0' || !strchr("._+-", c)))
            return false;
    }
    return name.n <= IMPORTS_NAME_MAX && name.n > 5 && name.p[0] != '.' &&
           str_ends(name, STR(".eval")) && !str_ends(name, STR(".fast.eval"));
}

static bool is_sha256(Str text)
{
    auto_buf Buf bytes = BUF_INIT(DIGEST_SIZE);
    return text.n == 2 * (size_t)DIGEST_SIZE && digest_read_hex(text, &bytes) == 0;
}

/* [A-Za-z0-9_-]{1,64} */
static bool is_scan_id(Str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && c != '_' && c != '-')
            return false;
    }
    return id.n > 0 && id.n <= SCAN_ID_MAX;
}

static bool is_scan_name(Str name)
{
    Str stem = str_ends(name, STR(".json"))      ? str_slice(name, 0, name.n - 5)
               : str_ends(name, STR(".parquet")) ? str_slice(name, 0, name.n - 8)
                                                 : STR_NONE;
    for (size_t i = 0; i < stem.n; i++) {
        char c = stem.p[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (c == '\0' || !strchr("._-", c)))
            return false;
    }
    return stem.n > 0 && stem.p[0] != '.' && name.n <= IMPORTS_NAME_MAX;
}

static int check_scan_file(const ImportsFile *file, Error *err)
{
    if (!is_scan_id(file->scan_id))
        return imports_fail(err, ERR_USAGE, "import.bad_scan_id",
                            "a scan id has up to 64 of [A-Za-z0-9_-]");
    if (!is_scan_name(file->name))
        return imports_fail(err, ERR_USAGE, "import.bad_filename",
                            "the files of scans are called [A-Za-z0-9._-]+, ending in .parquet or "
                            ".json, without a dot in front");
    if (file->sha256.n > 0 && !is_sha256(file->sha256))
        return imports_fail(err, ERR_USAGE, "import.bad_sha256",
                            "sha256: expected 64 hexadecimal digits");
    if (file->size < 1 || file->size > kinds[IMPORTS_SCANS].size_max)
        return imports_fail(err, ERR_BAD_DATA, "import.bad_size",
                            "size_bytes: expected 1 to 5368709120");
    return 0;
}

int imports_check_file(const ImportsFile *file, Error *err)
{
    if (file->scan_id.p)
        return check_scan_file(file, err);
    if (!is_name(file->name)) {
        (void)error_set(err, ERR_USAGE,
                        "'%.*s' is not a name for a log here: up to %d of [A-Za-z0-9._+-], ending "
                        "in .eval and not in .fast.eval, without a dot in front",
                        STR_ARG(str_slice(file->name, 0, IMPORTS_NAME_MAX)), IMPORTS_NAME_MAX);
        return error_code(err, "import.bad_filename");
    }
    if (!is_sha256(file->sha256))
        return imports_fail(err, ERR_USAGE, "import.bad_sha256",
                            "sha256: expected 64 hexadecimal digits");
    if (file->size < 1 || file->size > IMPORTS_SIZE_MAX)
        return imports_fail(err, ERR_BAD_DATA, "import.bad_size",
                            "size_bytes: expected 1 to 2147483648");
    return 0;
}

/* --- addresses --- */

/* HMAC-SHA-256 over everything that the address promises, in hex. */
static const char *sign(const App *app, Arena *arena, Str id, const ImportsFile *file,
                        int64_t expires)
{
    const char *text = arena_printf(arena, "PUT\n%.*s\n%.*s\n%.*s\n%.*s\n%" PRIu64 "\n%" PRId64,
                                    STR_ARG(id), STR_ARG(file->scan_id), STR_ARG(file->name),
                                    STR_ARG(file->sha256), file->size, expires);
    unsigned char mac[DIGEST_SIZE];
    auto_buf Buf hex = BUF_INIT(DIGEST_HEX_MAX);
    digest_hmac_sha256(secret_reveal(app->link_key), str_of(text), mac);
    digest_add_hex(&hex, (Str){(const char *)mac, sizeof(mac)});
    return arena_strndup(arena, hex.data, hex.len);
}

const char *imports_link(const App *app, Arena *arena, const char *id, const ImportsFile *file,
                         int64_t expires)
{
    bool is_scan = file->scan_id.p != NULL;
    return arena_printf(
        arena,
        "%s%s%s/files/%.*s%s%s?expires=%" PRId64 "&size=%" PRIu64 "&sha256=%.*s&signature=%s",
        server_public_url(app), kinds[is_scan ? IMPORTS_SCANS : IMPORTS_LOGS].prefix, id,
        STR_ARG(file->scan_id), is_scan ? "/" : "", route_encode(arena, file->name, ""), expires,
        file->size, STR_ARG(file->sha256), sign(app, arena, str_of(id), file, expires));
}

/* An address as it came. */
typedef struct Upload {
    Str id;
    ImportsFile file;
    int64_t expires;
} Upload;

/* Reads and checks the address of a request for a file; the instant is for the caller to check. */
static int read_upload(const App *app, HttpRequest *request, Str id, const ImportsFile *file,
                       Upload *ret, Error *err)
{
    int64_t size = 0;
    Upload upload = {.id = id, .file = *file};
    upload.file.sha256 = http_request_param(request, "sha256", 0);
    Str signature = http_request_param(request, "signature", 0);
    bool is_whole =
        signature.p && upload.file.sha256.p &&
        str_to_i64(http_request_param(request, "expires", 0), 0, INT64_MAX, &upload.expires) == 0 &&
        str_to_i64(http_request_param(request, "size", 0), 1, (int64_t)STORE_FILE_MAX, &size) == 0;
    upload.file.size = (uint64_t)size;
    if (!is_whole || !digest_equal(str_of(sign(app, http_request_arena(request), id, &upload.file,
                                               upload.expires)),
                                   signature))
        return error_set(err, ERR_DENIED, "this link is not one of ours; ask for a new one");
    *ret = upload;
    return 0;
}

/* Cuts "<prefix><id>/files/<name>", of scans ".../files/<scan>/<name>", whose parts need no
 * encoding.
 */
static bool split_path(Str path, Str *ret_id, ImportsFile *ret)
{
    bool is_scan = str_starts(path, str_of(kinds[IMPORTS_SCANS].prefix));
    Str prefix = str_of(kinds[is_scan ? IMPORTS_SCANS : IMPORTS_LOGS].prefix);
    Str rest = str_slice(path, prefix.n, path.n);
    Str part = STR_NONE;
    return str_starts(path, prefix) && str_split(&rest, '/', ret_id) &&
           str_split(&rest, '/', &part) && str_eqz(part, "files") &&
           (!is_scan || str_split(&rest, '/', &ret->scan_id)) &&
           str_split(&rest, '/', &ret->name) && !rest.p;
}

int imports_admit(void *context, HttpRequest *request, size_t *body_max, Error *err)
{
    const App *app = context;
    Str id = STR_NONE;
    ImportsFile file = {.name = STR_NONE};
    Upload upload;
    if (!str_eqz(http_request_method(request), "PUT") ||
        !split_path(http_request_path(request), &id, &file))
        return 0;
    /* A '+' may have been encoded on the way. */
    auto_buf Buf name = BUF_INIT(3 * IMPORTS_NAME_MAX);
    if (percent_decode(file.name, false, &name, err) < 0)
        return -1;
    file.name = buf_str(&name);
    if (read_upload(app, request, id, &file, &upload, err) < 0)
        return -1;
    if (upload.expires < clock_now_us() / CLOCK_SECOND)
        return error_set(err, ERR_DENIED, "this link has expired; ask for a new one");
    *body_max = (size_t)upload.file.size;
    return 0;
}

static int check_bytes(int fd, const ImportsFile *file, Error *err)
{
    if (file->sha256.n == 0)
        return 0;
    auto_free char *piece = mem_alloc(PIECE_SIZE);
    auto_digest Digest *digest = digest_new();
    for (uint64_t at = 0; at < file->size;) {
        uint64_t left = file->size - at;
        size_t n = left < PIECE_SIZE ? (size_t)left : PIECE_SIZE;
        if (fs_read_at(fd, at, piece, n, err) < 0)
            return -1;
        digest_add(digest, (Str){piece, n});
        at += n;
    }
    unsigned char found[DIGEST_SIZE];
    auto_buf Buf hex = BUF_INIT(DIGEST_HEX_MAX);
    digest_finish(digest, found);
    digest_add_hex(&hex, (Str){(const char *)found, sizeof(found)});
    if (str_eq_nocase(buf_str(&hex), file->sha256))
        return 0;
    return imports_fail(err, ERR_BAD_DATA, "import.other_bytes",
                        "the bytes that came are not those that were announced");
}

int imports_receive(RouteCtx *ctx, Error *err)
{
    Upload upload;
    const bool is_scan =
        str_starts(http_request_path(ctx->request), str_of(kinds[IMPORTS_SCANS].prefix));
    const ImportsFile file = {.scan_id = is_scan ? ctx->params[1] : STR_NONE,
                              .name = ctx->params[is_scan ? 2 : 1]};
    if (read_upload(ctx->app, ctx->request, ctx->params[0], &file, &upload, err) < 0 ||
        imports_check_file(&upload.file, err) < 0)
        return -1;
    uint64_t size = http_request_body_size(ctx->request);
    if (size != upload.file.size) {
        (void)error_set(err, ERR_BAD_DATA, "%" PRIu64 " bytes came, %" PRIu64 " were announced",
                        size, upload.file.size);
        return error_code(err, "import.incomplete");
    }
    int fd = http_request_body_fd(ctx->request, err);
    if (fd < 0 || check_bytes(fd, &upload.file, err) < 0)
        return -1;
    const char *key = is_scan ? arena_printf(ctx->arena, IMPORTS_STAGING "/%.*s/scan_id=%.*s/%.*s",
                                             STR_ARG(upload.id), STR_ARG(upload.file.scan_id),
                                             STR_ARG(upload.file.name))
                              : arena_printf(ctx->arena, IMPORTS_STAGING "/%.*s/%.*s",
                                             STR_ARG(upload.id), STR_ARG(upload.file.name));
    if (store_put_file(ctx->app->store, key, fd, err) < 0)
        return -1;
    http_response_bytes(ctx->response, "text/plain; charset=utf-8", STR(""));
    return 0;
}

/* --- what is left behind --- */

typedef struct Sweep {
    Store *store;
    int64_t before_us;
} Sweep;

static int sweep_one(void *context, const char *key, const StoreStat *stat, Error *err)
{
    const Sweep *sweep = context;
    return stat->modified_us < sweep->before_us ? store_delete(sweep->store, key, err) : 0;
}

int imports_sweep(App *app, Error *err)
{
    Sweep sweep = {.store = app->store, .before_us = clock_now_us() - STAGED_TOO_LONG_US};
    return store_list(app->store, IMPORTS_STAGING, true, sweep_one, &sweep, err);
}

int imports_check_finalize(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    if (http_request_body_size(ctx->request) == 0 || route_body_json(ctx, &body, err) < 0)
        return err->kind == ERR_NONE ? 0 : -1;
    const Json *sources = json_get(body, "code_sources");
    if (!json_is_null(sources) && (sources->type != JSON_ARRAY || sources->n > 0))
        return error_set(err, ERR_BAD_DATA,
                         "code_sources: this server does not record where code came from");
    return 0;
}
