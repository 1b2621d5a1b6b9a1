/* From staged files to an eval set.

   A staged file can be replaced by whoever has an address for it. So files are first moved to where
   no address leads, then looked at, and what was looked at is what gets published. Everything may
   break off anywhere: the next call goes on with what still lies there. */

#include <stdlib.h>

#include "access/access.h"
#include "codec/json_scan.h"
#include "evallog/evallog.h"
#include "server/imports_priv.h"
#include "server/logs.h"

enum {
    ITEMS_MAX = 100 * 1000,
    MODELS_JSON_MAX = 4 << 20,
};

/* One staged file. */
typedef struct Item {
    const char *name;
    const char *key; /* where it lies, out of reach */
    const char *eval_id;
    const char *elsewhere; /* the other eval set that has its eval, or NULL */
    Names models;
    bool has_failed;
} Item;

/* One call of imports_finalize. */
typedef struct Publish {
    RouteCtx *ctx;
    Store *store;
    const char *id;
    bool is_partial;
    Item *items;
    size_t n;
    ImportsResult *result;
    Names models; /* of the whole set, with what was published before */
    Names groups;
} Publish;

/* --- what is staged --- */

static int list_item(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    Publish *publish = context;
    Str name = str_slice(str_of(key), (size_t)(str_rfind(str_of(key), '/') + 1), SIZE_MAX);
    if (publish->n == ITEMS_MAX)
        return error_set(err, ERR_BAD_DATA, "an import of over %d files", ITEMS_MAX);
    if ((publish->n & (publish->n - 1)) == 0) { /* as often as the number doubles */
        size_t room = publish->n ? publish->n * 2 : 1;
        Item *larger = arena_array(publish->ctx->arena, room, sizeof(*larger));
        if (publish->n > 0)
            memcpy(larger, publish->items, publish->n * sizeof(*larger));
        publish->items = larger;
    }
    publish->items[publish->n++] =
        (Item){.name = arena_strndup(publish->ctx->arena, name.p, name.n),
               .key = arena_strdup(publish->ctx->arena, key),
               .models = {.arena = publish->ctx->arena}};
    return 0;
}

static int list_at(Publish *publish, const char *prefix, Error *err)
{
    publish->n = 0;
    return store_list(publish->store, prefix, false, list_item, publish, err);
}

/* Takes the files that have come out of the reach of their addresses, over those that an earlier
   call has left there, and lists all that are there. */
static int take_files(Publish *publish, Error *err)
{
    Arena *arena = publish->ctx->arena;
    const char *staged = arena_printf(arena, IMPORTS_STAGING "/%s", publish->id);
    const char *taken = arena_printf(arena, IMPORTS_STAGING "/%s/.taken", publish->id);
    if (list_at(publish, staged, err) < 0)
        return -1;
    for (size_t i = 0; i < publish->n; i++) {
        const Item *item = &publish->items[i];
        auto_error Error problem = ERROR_INIT;
        if (store_move(publish->store, item->key, arena_printf(arena, "%s/%s", taken, item->name),
                       NULL, &problem) < 0 &&
            problem.kind != ERR_NOT_FOUND)
            return error_move(err, &problem);
    }
    return list_at(publish, taken, err);
}

static int see_log(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    (void)err;
    int *found = context;
    *found = *found == 2 || importer_is_log(str_of(key)) ? 2 : 1;
    return 0;
}

/* Nothing is staged: fine when it was published before. */
static int check_published(Publish *publish, Error *err)
{
    int found = 0; /* 1: something, 2: a log */
    const char *prefix = arena_printf(publish->ctx->arena, "evals/%s", publish->id);
    if (store_list(publish->store, prefix, false, see_log, &found, err) < 0)
        return -1;
    if (found == 2)
        return 0;
    if (found == 1)
        return imports_fail(err, ERR_NOT_FOUND, "import.none_published",
                            "an earlier attempt published no logs and left none staged; upload "
                            "them again");
    return imports_fail(err, ERR_NOT_FOUND, "import.nothing",
                        "no files are staged for this import");
}

/* --- checks --- */

static int fail_named(Error *err, const Item *item, const char *code, const char *text)
{
    (void)error_set(err, strcmp(code, "import.eval_exists") == 0 ? ERR_CONFLICT : ERR_BAD_DATA,
                    "%s: %s", item->name, text);
    return error_code(err, code);
}

static int check_stamp(const Publish *publish, const Item *item, const EvalLogHeader *header,
                       Error *err)
{
    Str imported = STR_NONE;
    bool is_marked = false;
    if (!header->eval_set_id.p || !str_eqz(header->eval_set_id, publish->id))
        return fail_named(err, item, "import.other_set",
                          "its metadata.eval_set_id is not the id of this import");
    if (!header->created_by.p || !str_eqz(header->created_by, publish->ctx->caller->sub))
        return fail_named(err, item, "import.other_creator",
                          "its metadata.created_by is not who imports it");
    if (!header->metadata.p || !json_scan_get(header->metadata, "imported", &imported) ||
        !json_scan_bool(imported, &is_marked) || !is_marked)
        return fail_named(err, item, "import.not_marked", "its metadata.imported is not true");
    if (header->eval_id.n == 0)
        return fail_named(err, item, "import.bad_log", "it has no eval id");
    return 0;
}

static void add_model(Names *models, Str raw, Arena *arena)
{
    Str model_raw = STR_NONE;
    Str model = STR_NONE;
    if (json_scan_get(raw, "model", &model_raw) && json_scan_str(model_raw, arena, &model))
        imports_names_add(models, model);
}

/* The models of the roles: a config for each, or a list of them. */
static void add_roles(Names *models, Str roles, Arena *arena)
{
    JsonScan scan;
    Str key = STR_NONE;
    Str raw = STR_NONE;
    json_scan_init(&scan, roles, true);
    if (!roles.p || json_scan_kind(&scan) != JSON_SCAN_OBJECT || !json_scan_object(&scan))
        return;
    while (json_scan_member(&scan, &key)) {
        bool is_list = json_scan_kind(&scan) == JSON_SCAN_ARRAY && json_scan_array(&scan);
        while (is_list && json_scan_item(&scan))
            if (json_scan_skip(&scan, &raw))
                add_model(models, raw, arena);
        if (!is_list && json_scan_skip(&scan, &raw))
            add_model(models, raw, arena);
    }
}

/* The models that were called on the way, which are the names of the usage's members. */
static void add_used(Names *models, Str usage, Arena *arena)
{
    JsonScan scan;
    Str key = STR_NONE;
    Str name = STR_NONE;
    json_scan_init(&scan, usage, true);
    if (!usage.p || json_scan_kind(&scan) != JSON_SCAN_OBJECT || !json_scan_object(&scan))
        return;
    while (json_scan_member(&scan, &key)) {
        const char *quoted = arena_printf(arena, "\"%.*s\"", STR_ARG(key));
        if (json_scan_str(str_of(quoted), arena, &name) && str_trim(name).n > 0)
            imports_names_add(models, name);
    }
}

static int check_item(Publish *publish, Item *item, Error *err)
{
    Arena *arena = publish->ctx->arena;
    const EvalLogHeader *header = NULL;
    auto_evallog EvalLog *log = NULL;
    Source *source = NULL;
    if (store_source(publish->store, item->key, &source, err) < 0)
        return -1;
    if (source->size > IMPORTS_SIZE_MAX) {
        source_close(source);
        return fail_named(err, item, "import.bad_log", "it is over the limit of 2 GiB");
    }
    if (evallog_open(source, &log, err) < 0) {
        source_close(source);
        return -1;
    }
    if (evallog_header(log, &header, err) < 0 || check_stamp(publish, item, header, err) < 0)
        return -1;
    item->eval_id = arena_strndup(arena, header->eval_id.p, header->eval_id.n);
    imports_names_add(&item->models, header->model);
    add_used(&item->models, header->model_usage, arena);
    add_roles(&item->models, header->model_roles, arena);
    return 0;
}

static int compare_items(const void *a, const void *b)
{
    const Item *left = *(const Item *const *)a;
    const Item *right = *(const Item *const *)b;
    int order = strcmp(left->eval_id, right->eval_id);
    return order ? order : strcmp(left->name, right->name);
}

/* The other eval set that has the eval, in the arena, or NULL. */
static int find_elsewhere(SqlTx *tx, const char *id, Str eval_id, Arena *arena, const char **ret,
                          Error *err)
{
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT eval_set_id FROM eval WHERE id = $1 AND eval_set_id <> $2",
                  SQL_ARGS(SQL_TEXT(eval_id), SQL_TEXTZ(id)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row < 0)
        return -1;
    Str set = has_row ? sql_rows_text(rows, 0) : STR_NONE;
    *ret = has_row ? arena_strndup(arena, set.p, set.n) : NULL;
    return 0;
}

/* Names the other eval set to those who may read it only. */
static int fail_exists(RouteCtx *ctx, const Item *item, Error *err)
{
    AccessResource resource = {.name = item->elsewhere};
    if (logs_resource(ctx, item->elsewhere, &resource, err) < 0)
        return -1;
    const char *where = access_may(ctx->caller, ACCESS_LOG_READ, &resource)
                            ? arena_printf(ctx->arena, "eval set %s", item->elsewhere)
                            : "another eval set";
    return fail_named(
        err, item, "import.eval_exists",
        arena_printf(ctx->arena, "its eval is in the warehouse already, in %s", where));
}

int imports_check_new(RouteCtx *ctx, const char *id, const ImportsFile *file, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    Item item = {.name = arena_strndup(ctx->arena, file->name.p, file->name.n)};
    if (sql_begin(ctx->app->sql, SQL_READ, &tx, err) < 0 ||
        find_elsewhere(tx, id, file->eval_id, ctx->arena, &item.elsewhere, err) < 0)
        return -1;
    sql_rollback(TAKE(tx));
    return item.elsewhere ? fail_exists(ctx, &item, err) : 0;
}

/* Notes why a file will not be published; without is_partial that is the end of the call. */
static int fail_item(Publish *publish, Item *item, Error *take_problem, Error *err)
{
    if (!publish->is_partial)
        return error_move(err, take_problem);
    ImportsFailure *failure = &publish->result->failures[publish->result->n_failures++];
    item->has_failed = true;
    failure->name = item->name;
    (void)error_move(&failure->error, take_problem);
    return 0;
}

/* A problem with the file itself; others end the call. */
static bool is_of_file(const Error *problem)
{
    return problem->kind == ERR_BAD_DATA || problem->kind == ERR_UNSUPPORTED ||
           problem->kind == ERR_CONFLICT;
}

static int check_headers(Publish *publish, Error *err)
{
    for (size_t i = 0; i < publish->n; i++) {
        Item *item = &publish->items[i];
        auto_error Error problem = ERROR_INIT;
        if (check_item(publish, item, &problem) == 0)
            continue;
        if (!is_of_file(&problem))
            return error_move(err, &problem);
        if (!problem.code) {
            (void)error_wrap(&problem, "%s", item->name);
            (void)error_code(&problem, "import.bad_log");
        }
        if (fail_item(publish, item, &problem, err) < 0)
            return -1;
    }
    return 0;
}

static int find_all_elsewhere(Publish *publish, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(publish->ctx->app->sql, SQL_READ, &tx, err) < 0)
        return -1;
    for (size_t i = 0; i < publish->n; i++) {
        Item *item = &publish->items[i];
        if (!item->has_failed && find_elsewhere(tx, publish->id, str_of(item->eval_id),
                                                publish->ctx->arena, &item->elsewhere, err) < 0)
            return -1;
    }
    return 0;
}

/* An eval belongs to one log: of equal ones here the first stays. */
static int check_evals(Publish *publish, Error *err)
{
    const Item **order = arena_array(publish->ctx->arena, publish->n + 1, sizeof(const Item *));
    size_t n = 0;
    for (size_t i = 0; i < publish->n; i++)
        if (!publish->items[i].has_failed)
            order[n++] = &publish->items[i];
    qsort(order, n, sizeof(*order), compare_items);
    if (find_all_elsewhere(publish, err) < 0)
        return -1;
    const Item *kept = NULL;
    for (size_t i = 0; i < n; i++) {
        Item *item = &publish->items[order[i] - publish->items];
        auto_error Error problem = ERROR_INIT;
        if (kept && strcmp(kept->eval_id, item->eval_id) == 0) {
            (void)error_set(&problem, ERR_BAD_DATA, "%s and %s have the same eval id", kept->name,
                            item->name);
            (void)error_code(&problem, "import.eval_twice");
        } else if (item->elsewhere) {
            (void)fail_exists(publish->ctx, item, &problem);
            if (!is_of_file(&problem))
                return error_move(err, &problem);
        } else {
            kept = item;
        }
        if (problem.kind != ERR_NONE && fail_item(publish, item, &problem, err) < 0)
            return -1;
    }
    return 0;
}

/* --- who may see it --- */

/* What an earlier call said of the set. */
static int read_models(Publish *publish, bool *ret_is_there, Error *err)
{
    Arena *arena = publish->ctx->arena;
    const char *key = arena_printf(arena, "evals/%s/.models.json", publish->id);
    auto_buf Buf text = BUF_INIT(MODELS_JSON_MAX);
    auto_error Error problem = ERROR_INIT;
    Json *root = NULL;
    *ret_is_there = false;
    if (store_get(publish->store, key, &text, &problem) < 0)
        return problem.kind == ERR_NOT_FOUND ? 0 : error_move(err, &problem);
    if (json_parse(arena, arena_str(arena, buf_str(&text)), &json_limits_config, &root, err) < 0)
        return error_wrap(err, "%s", key);
    const Json *names = json_get(root, "model_names");
    const Json *groups = json_get(root, "model_groups");
    for (const Json *node = names ? names->first : NULL; node; node = node->next)
        imports_names_add(&publish->models, node->text);
    for (const Json *node = groups ? groups->first : NULL; node; node = node->next)
        imports_names_add(&publish->groups,
                          node->type == JSON_STRING ? node->text : STR(ACCESS_GROUP_UNRESOLVED));
    *ret_is_there = true;
    return 0;
}

/* The set is never easier to see than what was imported into it before. */
static int put_models(Publish *publish, Error *err)
{
    bool is_there = false;
    if (read_models(publish, &is_there, err) < 0)
        return -1;
    for (size_t i = 0; i < publish->n; i++)
        for (size_t k = 0; !publish->items[i].has_failed && k < publish->items[i].models.n; k++)
            imports_names_add(&publish->models, publish->items[i].models.items[k]);
    if (imports_find_groups(publish->ctx, &publish->models, &publish->groups, err) < 0)
        return -1;
    return imports_put_models(publish->ctx, "evals", publish->id, &publish->models,
                              &publish->groups, err);
}

/* --- the end --- */

/* What is out of reach and will not be published. */
static int drop_taken(Publish *publish, Error *err)
{
    const char *taken =
        arena_printf(publish->ctx->arena, IMPORTS_STAGING "/%s/.taken", publish->id);
    return store_delete_prefix(publish->store, taken, err);
}

static int move_files(Publish *publish, Error *err)
{
    for (size_t i = 0; i < publish->n; i++) {
        const Item *item = &publish->items[i];
        const char *key = arena_printf(publish->ctx->arena, "evals/%s/%s", publish->id, item->name);
        if (item->has_failed)
            continue;
        if (store_move(publish->store, item->key, key, NULL, err) < 0)
            return -1;
        publish->result->n_published++;
    }
    return drop_taken(publish, err);
}

static int finalize(Publish *publish, Error *err)
{
    if (take_files(publish, err) < 0)
        return -1;
    if (publish->n == 0)
        return check_published(publish, err);
    publish->result->failures =
        arena_array(publish->ctx->arena, publish->n, sizeof(ImportsFailure));
    if (check_headers(publish, err) < 0 || check_evals(publish, err) < 0)
        return -1;
    if (publish->result->n_failures == publish->n)
        return drop_taken(publish, err);
    if (put_models(publish, err) < 0 || move_files(publish, err) < 0)
        return -1;
    return import_queue_scan(publish->ctx->app->imports, publish->id, err);
}

int imports_finalize(RouteCtx *ctx, const char *id, bool is_partial, ImportsResult *ret, Error *err)
{
    *ret = (ImportsResult){0};
    Publish publish = {.ctx = ctx,
                       .store = ctx->app->store,
                       .id = id,
                       .is_partial = is_partial,
                       .result = ret,
                       .models = {.arena = ctx->arena},
                       .groups = {.arena = ctx->arena}};
    if (imports_enter(ctx->app->uploads, id, err) < 0)
        return -1;
    int result = finalize(&publish, err);
    imports_leave(ctx->app->uploads, id);
    return result;
}

void imports_release_result(ImportsResult *result)
{
    for (size_t i = 0; i < result->n_failures; i++)
        error_release(&result->failures[i].error);
}
