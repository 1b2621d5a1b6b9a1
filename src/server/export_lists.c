/* The lists, page after page, as their routes have them. */

#include "server/export_lists.h"

#include "codec/frame_rows.h"
#include "jobs/status.h"
#include "server/routes.h"
#include "server/server_priv.h"
#include "warehouse/queries/queries.h"

enum { PAGE = 500, ITEMS_MAX = 100000, PAGE_BYTES_MAX = 64 << 20 };

static const JsonLimits limits = {
    .bytes = PAGE_BYTES_MAX, .depth = 100, .nodes = 5000000, .allow_nan = true};

/* Appends the answer of a list's query to `out`. */
typedef int PageWriter(RouteCtx *ctx, Str id, int64_t page, Str cursor, JsonOut *out, Error *err);

struct ExportList {
    const char *name;
    PageWriter *write;
    const char *id_key; /* the member that an id is compared with */
    const char *shape;  /* of an item */
};

static int write_jobs(RouteCtx *ctx, Str id, int64_t page, Str cursor, JsonOut *out, Error *err)
{
    (void)cursor;
    const JobsQuery query = {.search = id, .page = page, .limit = PAGE};
    return status_write_list(ctx->app->jobs, ctx->caller, &query, out, err);
}

static int write_imports(RouteCtx *ctx, Str id, int64_t page, Str cursor, JsonOut *out, Error *err)
{
    (void)page;
    const QueriesAccess access = server_queries_access(ctx->caller);
    const QueriesImportList list = {.eval_set_id = id, .cursor = cursor, .limit = PAGE};
    return queries_import_list(ctx->app->sql, ctx->app->store, &access, &list, out, err);
}

/* clang-format off */
static const ExportList lists[] = {
    { "jobs",    write_jobs,    "job_id",      "JobInfo" },
    { "imports", write_imports, "eval_set_id", "ImportItem" },
};
/* clang-format on */

const ExportList *export_list_find(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (str_eqz(name, lists[i].name))
            return &lists[i];
    return NULL;
}

const char *export_list_name(const ExportList *list)
{
    return list->name;
}

static int read_page(RouteCtx *ctx, const ExportList *list, Str id, int64_t page, Str cursor,
                     Json **ret, Error *err)
{
    auto_buf Buf text = BUF_INIT(PAGE_BYTES_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    if (list->write(ctx, id, page, cursor, &out, err) < 0 || buf_check(&text, "the list", err) < 0)
        return -1;
    return json_parse(ctx->arena, arena_str(ctx->arena, buf_str(&text)), &limits, ret, err);
}

/* Moves items to the end of the list; those of other ids are passed over. */
static int move_items(const ExportList *list, Str id, Json *from, Json *to, Error *err)
{
    for (Json *item = from ? from->first : NULL; item;) {
        Json *following = item->next;
        item->next = NULL;
        if (!id.p || str_eq(json_text(item, list->id_key, STR("")), id))
            json_append(to, item);
        item = following;
    }
    if (to->n > ITEMS_MAX)
        return error_set(err, ERR_BAD_DATA, "there are over %d %s", ITEMS_MAX, list->name);
    return 0;
}

static int collect(RouteCtx *ctx, const ExportList *list, Str id, Json *items, Error *err)
{
    Str cursor = STR_NONE;
    size_t n = PAGE;
    for (int64_t page = 1; n == PAGE || cursor.p; page++) {
        Json *answer = NULL;
        if (read_page(ctx, list, id, page, cursor, &answer, err) < 0)
            return -1;
        Json *got = json_get(answer, "items");
        n = got ? got->n : 0;
        cursor = json_text(answer, "next_cursor", STR_NONE);
        if (move_items(list, id, got, items, err) < 0)
            return -1;
        if (json_get(answer, "next_cursor") && !cursor.p)
            return 0;
    }
    return 0;
}

int export_list_write(RouteCtx *ctx, const ExportList *list, const Str *ids, size_t n_ids,
                      FrameFormat format, bool for_excel, Buf *ret, Error *err)
{
    Json *items = json_new(ctx->arena, JSON_ARRAY);
    if (n_ids == 0 && collect(ctx, list, STR_NONE, items, err) < 0)
        return -1;
    for (size_t i = 0; i < n_ids; i++)
        if (collect(ctx, list, ids[i], items, err) < 0)
            return -1;
    return frame_rows_write(items, routes_shape_names(list->shape, ctx->arena), format, for_excel,
                            ret, err);
}
