/* Removing what clients brought along: unlike the logs of jobs, nothing else keeps them. */

#include "server/imports_priv.h"
#include "warehouse/importer/import_queue.h"
#include "warehouse/scans/scan_imports.h"

/* Rows of logs follow: the queue sees that they are gone. */
static int forget_logs(RouteCtx *ctx, const char *id, Error *err)
{
    return import_queue_scan(ctx->app->imports, id, err);
}

static int forget_scans(RouteCtx *ctx, const char *id, Error *err)
{
    return scan_imports_forget(ctx->app->sql, id, err);
}

static const struct {
    const char *folder; /* of what is published */
    int (*forget)(RouteCtx *ctx, const char *id, Error *err);
} kinds[] = {[IMPORTS_LOGS] = {"evals", forget_logs}, [IMPORTS_SCANS] = {"scans", forget_scans}};

/* Files go before rows, and both before the note about their owner, so that whoever began can do it
   again. */
static int remove_all(RouteCtx *ctx, ImportsKind kind, const char *id, Error *err)
{
    const char *const folders[] = {IMPORTS_STAGING, kinds[kind].folder};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        const char *prefix = arena_printf(ctx->arena, "%s/%s", folders[i], id);
        if (store_delete_prefix(ctx->app->store, prefix, err) < 0)
            return error_wrap(err, "cannot remove %s", id);
    }
    if (kinds[kind].forget(ctx, id, err) < 0)
        return -1;
    return store_delete(ctx->app->store, arena_printf(ctx->arena, "import-owners/%s.json", id),
                        err);
}

int imports_remove(RouteCtx *ctx, ImportsKind kind, Str id, Error *err)
{
    const char *text = NULL;
    if (imports_check_id(ctx, kind, id, &text, err) < 0 ||
        imports_enter(ctx->app->uploads, text, err) < 0)
        return -1;
    int result = remove_all(ctx, kind, text, err);
    imports_leave(ctx->app->uploads, text);
    return result;
}
