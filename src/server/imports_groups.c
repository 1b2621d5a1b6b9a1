/* Who is busy with which import, and who may see what comes of it. */

#include <pthread.h>
#include <stdlib.h>

#include "access/access.h"
#include "access/models.h"
#include "base/mem.h"
#include "jobspec/jobspec.h"
#include "server/imports_priv.h"

enum {
    MODELS_JSON_MAX = 4 << 20,
    NAMES_MAX = 10 * 1000,
    BUSY_MAX = 64, /* imports that are finalized at a time */
};

struct Imports {
    pthread_mutex_t lock; /* of what follows */
    char *busy[BUSY_MAX]; /* ids that are being finalized; NULL: free */
};

Imports *imports_new(void)
{
    Imports *imports = mem_alloc(sizeof(*imports));
    pthread_mutex_init(&imports->lock, NULL);
    return imports;
}

void imports_free(Imports *imports)
{
    if (!imports)
        return;
    pthread_mutex_destroy(&imports->lock);
    free(imports);
}

/* Makes the id busy; false when it is, or when too many are. */
static bool enter(Imports *imports, const char *id)
{
    size_t place = BUSY_MAX;
    bool is_busy = false;
    pthread_mutex_lock(&imports->lock);
    for (size_t i = 0; i < BUSY_MAX; i++) {
        if (!imports->busy[i])
            place = i;
        else if (strcmp(imports->busy[i], id) == 0)
            is_busy = true;
    }
    bool may_enter = !is_busy && place < BUSY_MAX;
    if (may_enter)
        imports->busy[place] = mem_strdup(id);
    pthread_mutex_unlock(&imports->lock);
    return may_enter;
}

void imports_leave(Imports *imports, const char *id)
{
    pthread_mutex_lock(&imports->lock);
    for (size_t i = 0; i < BUSY_MAX; i++) {
        if (!imports->busy[i] || strcmp(imports->busy[i], id) != 0)
            continue;
        free(imports->busy[i]);
        imports->busy[i] = NULL;
    }
    pthread_mutex_unlock(&imports->lock);
}

void imports_names_add(Names *names, Str name)
{
    if (names->n < NAMES_MAX)
        names_add(names, name);
}

int imports_enter(Imports *imports, const char *id, Error *err)
{
    if (enter(imports, id))
        return 0;
    return imports_fail(err, ERR_CONFLICT, "import.finalizing",
                        "another request is finalizing this import; ask again in a moment");
}

static int add_groups(const Models *registry, const char *name, Names *groups, Error *err)
{
    size_t n = 0;
    if (jobspec_is_no_model(name))
        return 0;
    for (const Model *model = models_match(registry, str_of(name), n); model;
         model = models_match(registry, str_of(name), n)) {
        imports_names_add(groups, model->group);
        n++;
    }
    if (n > 0)
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "%s is no model that this server knows", name);
    (void)error_code(err, "job.model_unknown");
    return error_fix(err, "an administrator can add it to the registry of models");
}

int imports_find_groups(RouteCtx *ctx, const Names *models, Names *groups, Error *err)
{
    Models registry = {0};
    if (ctx->caller->sees_all) {
        imports_names_add(groups, STR(ACCESS_GROUP_LOCAL));
        return 0;
    }
    if (models_load(ctx->app->sql, ctx->arena, &registry, err) < 0)
        return -1;
    for (size_t i = 0; i < models->n; i++) {
        Str name = models->items[i];
        if (add_groups(&registry, arena_strndup(ctx->arena, name.p, name.n), groups, err) < 0)
            return -1;
    }
    if (groups->n > 0)
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "the logs name no model that says who may see them");
    return error_code(err, "job.no_model");
}

static void write_names(JsonOut *out, const char *key, const Names *names)
{
    json_out_kv_array(out, key);
    for (size_t i = 0; i < names->n; i++)
        json_out_str(out, names->items[i]);
    json_out_end_array(out);
}

int imports_put_models(RouteCtx *ctx, const char *folder, const char *id, const Names *models,
                       const Names *groups, Error *err)
{
    const AccessResource about = {
        .name = id, .groups = groups->items, .n_groups = groups->n, .groups_known = true};
    if (access_allows(ctx->caller, ACCESS_LOG_READ, &about, err) < 0)
        return -1;
    auto_buf Buf text = BUF_INIT(MODELS_JSON_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_object(&out);
    write_names(&out, "model_names", models);
    write_names(&out, "model_groups", groups);
    json_out_end_object(&out);
    if (buf_check(&text, "the list of models", err) < 0)
        return -1;
    return store_put(ctx->app->store, arena_printf(ctx->arena, "%s/%s/.models.json", folder, id),
                     buf_str(&text), false, err);
}
