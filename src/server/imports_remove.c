/* Removing what clients brought along: unlike the logs of jobs, nothing else keeps them. */

#include "server/imports_priv.h"
#include "warehouse/importer/import_queue.h"

/* Files go before the note about their owner, so that whoever began can do it again. Rows follow:
   the queue sees that the logs are gone. */
static int remove_all(RouteCtx *ctx, const char *id, Error *err)
{
    static const char *const folders[] = {IMPORTS_STAGING, "evals"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        const char *prefix = arena_printf(ctx->arena, "%s/%s", folders[i], id);
        if (store_delete_prefix(ctx->app->store, prefix, err) < 0)
            return error_wrap(err, "cannot remove %s", id);
    }
    if (import_queue_scan(ctx->app->imports, id, err) < 0)
        return -1;
    return store_delete(ctx->app->store, arena_printf(ctx->arena, "import-owners/%s.json", id),
                        err);
}

int imports_remove(RouteCtx *ctx, Str id, Error *err)
{
    const char *text = NULL;
    if (imports_check_id(ctx, IMPORTS_LOGS, id, &text, err) < 0 ||
        imports_enter(ctx->app->uploads, text, err) < 0)
        return -1;
    int result = remove_all(ctx, text, err);
    imports_leave(ctx->app->uploads, text);
    return result;
}
