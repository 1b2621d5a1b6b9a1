/* /meta/samples/{set}/{uuid}/{artifacts|reports}: files that an evaluation has left for a sample,
   at evals/<set>/artifacts/<uuid>/ and evals/<set>/reports/<uuid>/. */

#include "server/routes.h"

#include "server/logs.h"
#include "server/object.h"
#include "server/server_priv.h"

enum { ENTRIES_MAX = 10000, LISTING_MAX = 64 << 20, LINK_SECONDS = 900 };

/* Folders with many files that nobody looks for are one entry. */
static const char *const collapsed[] = {".git", "node_modules", ".venv", "venv", "__pycache__"};

/* The pages of a report, in the order in which they are looked for. */
static const char *const report_names[] = {"report.md", "report.html"};

typedef struct Entry {
    Str key; /* below the sample's folder; of a folder with '/' at its end */
    uint64_t size;
    int64_t modified_us;
    int64_t n_files; /* in a folder; -1: it is a file */
} Entry;

/* --- where --- */

static bool is_part(Str name)
{
    return name.n > 0 && str_find(name, '/') < 0 && store_key_is_valid(name);
}

/* The folder of a sample's files, without '/' at the end, once the caller may read the eval set. */
static int find_folder(RouteCtx *ctx, const char *tree, const char **ret, Error *err)
{
    LogsName name = {0};
    Str uuid = ctx->params[1];
    if (logs_dir(ctx, ctx->params[0], &name, err) < 0)
        return -1;
    if (!is_part(uuid))
        return error_set(err, ERR_NOT_FOUND, "there is no such sample");
    *ret = arena_printf(ctx->arena, "%s/%s/%.*s", name.key, tree, STR_ARG(uuid));
    return 0;
}

static int find_tree(RouteCtx *ctx, const char **ret, Error *err)
{
    Str tree = ctx->params[2];
    if (!str_eqz(tree, "artifacts") && !str_eqz(tree, "reports"))
        return error_set(err, ERR_BAD_DATA, "expected artifacts or reports, not '%.*s'",
                         STR_ARG(str_slice(tree, 0, 100)));
    return find_folder(ctx, str_eqz(tree, "reports") ? "reports" : "artifacts", ret, err);
}

/* --- lists --- */

static void write_entry(JsonOut *out, const Entry *entry)
{
    bool is_folder = entry->n_files >= 0;
    Str path = str_slice(entry->key, 0, entry->key.n - is_folder);
    json_out_object(out);
    json_out_kv_str(out, "name", str_slice(path, (size_t)(str_rfind(path, '/') + 1), path.n));
    json_out_kv_str(out, "key", entry->key);
    json_out_kv_int(out, "size_bytes", (int64_t)entry->size);
    json_out_kv_time(out, "last_modified", entry->modified_us);
    json_out_kv_bool(out, "collapsed", is_folder);
    if (is_folder)
        json_out_kv_int(out, "file_count", entry->n_files);
    else
        json_out_kv_null(out, "file_count");
    json_out_end_object(out);
}

typedef struct Listing {
    JsonOut *out;
    Arena *arena;
    size_t n_prefix;
    size_t n;
    bool is_cut;
    Entry folder; /* the collapsed one that is being counted; key.p NULL: none */
} Listing;

/* Up to the '/' behind the first part of a path that is collapsed; STR_NONE when none is. */
static Str collapsed_folder(Str path)
{
    Str rest = path;
    Str part = STR_NONE;
    while (str_split(&rest, '/', &part) && rest.p)
        for (size_t i = 0; i < ARRAY_LEN(collapsed); i++)
            if (str_eqz(part, collapsed[i]))
                return str_slice(path, 0, (size_t)(rest.p - path.p));
    return STR_NONE;
}

static bool has_room(Listing *listing)
{
    listing->is_cut = listing->n == ENTRIES_MAX;
    listing->n += !listing->is_cut;
    return !listing->is_cut;
}

static void end_folder(Listing *listing)
{
    if (listing->folder.key.p)
        write_entry(listing->out, &listing->folder);
    listing->folder = (Entry){0};
}

/* Keys come in their order, so what is in one folder comes together. */
static int list_one(void *context, const char *key, const StoreStat *stat, Error *err)
{
    Listing *listing = context;
    Str path = str_of(key + listing->n_prefix);
    Str folder = collapsed_folder(path);
    Entry *open = &listing->folder;
    if (open->key.p && (!folder.p || !str_eq(folder, open->key)))
        end_folder(listing);
    if (!open->key.p && !has_room(listing))
        return error_set(err, ERR_CANCELLED, "enough");
    if (!folder.p) {
        const Entry entry = {path, stat->size, stat->modified_us, -1};
        write_entry(listing->out, &entry);
        return 0;
    }
    if (!open->key.p)
        *open = (Entry){.key = arena_str(listing->arena, folder)};
    open->size += stat->size;
    open->n_files++;
    if (stat->modified_us > open->modified_us)
        open->modified_us = stat->modified_us;
    return 0;
}

static int content_list(RouteCtx *ctx, Error *err)
{
    const char *folder = NULL;
    auto_error Error problem = ERROR_INIT;
    auto_buf Buf body = BUF_INIT(LISTING_MAX);
    JsonOut out;
    if (find_tree(ctx, &folder, err) < 0)
        return -1;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "entries");
    Listing listing = {.out = &out, .arena = ctx->arena, .n_prefix = strlen(folder) + 1};
    if (store_list(ctx->app->store, folder, true, list_one, &listing, &problem) < 0 &&
        !listing.is_cut)
        return error_move(err, &problem);
    end_folder(&listing);
    json_out_end_array(&out);
    json_out_kv_bool(&out, "truncated", listing.is_cut);
    json_out_end_object(&out);
    if (buf_check(&body, "the answer", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* --- what there is --- */

static int see_one(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)key;
    (void)stat;
    *(bool *)context = true;
    return error_set(err, ERR_CANCELLED, "enough");
}

static int has_files(RouteCtx *ctx, const char *folder, bool *ret, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    *ret = false;
    if (store_list(ctx->app->store, folder, true, see_one, ret, &problem) < 0 && !*ret)
        return error_move(err, &problem);
    return 0;
}

/* The page of the report; key STR_NONE when there is none. */
static int find_report(RouteCtx *ctx, const char *folder, Entry *ret, Error *err)
{
    StoreStat stat = {0};
    for (size_t i = 0; i < ARRAY_LEN(report_names); i++) {
        auto_error Error problem = ERROR_INIT;
        const char *key = arena_printf(ctx->arena, "%s/%s", folder, report_names[i]);
        if (store_stat(ctx->app->store, key, &stat, &problem) == 0) {
            *ret = (Entry){str_of(report_names[i]), stat.size, stat.modified_us, -1};
            return 0;
        }
        if (problem.kind != ERR_NOT_FOUND)
            return error_move(err, &problem);
    }
    *ret = (Entry){.key = STR_NONE};
    return 0;
}

static int content_summary(RouteCtx *ctx, Error *err)
{
    const char *artifacts = NULL;
    const char *reports = NULL;
    bool has_artifacts = false;
    Entry report = {0};
    if (find_folder(ctx, "artifacts", &artifacts, err) < 0 ||
        find_folder(ctx, "reports", &reports, err) < 0 ||
        has_files(ctx, artifacts, &has_artifacts, err) < 0 ||
        find_report(ctx, reports, &report, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(16384);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_bool(&out, "has_artifacts", has_artifacts);
    json_out_kv_bool(&out, "has_report", report.key.p != NULL);
    if (report.key.p) {
        json_out_key(&out, STR("report_entry"));
        write_entry(&out, &report);
    } else {
        json_out_kv_null(&out, "report_entry");
    }
    json_out_end_object(&out);
    route_send_json(ctx, &body);
    return 0;
}

/* --- files --- */

/* A link to a file; whether it is there shows when the link is used. */
static int content_file(RouteCtx *ctx, Error *err)
{
    const char *folder = NULL;
    const char *url = NULL;
    if (find_tree(ctx, &folder, err) < 0)
        return -1;
    const char *key = arena_printf(ctx->arena, "%s/%.*s", folder, STR_ARG(ctx->params[3]));
    if (!store_key_is_valid(ctx->params[3]) || !store_key_is_valid(str_of(key))) {
        (void)error_set(err, ERR_USAGE, "File path must stay within the sample content directory.");
        return error_code(err, "content.bad_path");
    }
    if (object_link(ctx, OBJECT_LOG, key, LINK_SECONDS, &url, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(32768);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "url", url);
    json_out_kv_int(&out, "expires_in_seconds", LINK_SECONDS);
    json_out_end_object(&out);
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    route_send_json(ctx, &body);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "ContentEntry",         "name: str; key: str; size_bytes: int?; last_modified: time?; collapsed: bool; file_count: int?" },
    { "BrowseResponse",       "entries: ContentEntry[]; truncated: bool" },
    { "SampleContentSummary", "has_artifacts: bool; has_report: bool; report_entry: ContentEntry?" },
    { "PresignedUrlResponse", "url: str; expires_in_seconds: int" },
};

#define SAMPLE "/meta/samples/{eval_set_id}/{sample_uuid}"

static const Route rows[] = {
    { "GET", SAMPLE "/summary",                ROUTE_READ, content_summary, "whether a sample has artifacts and a report",
      .answer = "SampleContentSummary" },
    { "GET", SAMPLE "/{tree}",                 ROUTE_READ, content_list,    "artifacts or reports of a sample",
      .answer = "BrowseResponse" },
    { "GET", SAMPLE "/{tree}/file/{file_key*}", ROUTE_READ, content_file,    "a link to one of them", .answer = "PresignedUrlResponse" },
};
/* clang-format on */

const RouteTable routes_content = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
