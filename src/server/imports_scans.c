/* From staged files of scans to scans/<id>/.

   As with logs, what is staged is first moved to where no address leads, then looked at, and what
   was looked at is published. A scan says in _scan.json which import it is for, who brings it, and
   what it has looked at: everybody who may see it must be allowed to see that too. */

#include "access/access.h"
#include "server/imports_priv.h"

enum { FILES_MAX = 50 * 1000, SCANS_MAX = 100, SPEC_MAX = 64 << 20, UUIDS_MAX = 32 << 20 };

#define FOLDER "scan_id="
#define SPEC_NAME "_scan.json"

static const JsonLimits spec_limits = {
    .bytes = SPEC_MAX, .depth = 100, .nodes = 5 * 1000 * 1000, .allow_nan = true};

typedef struct Scans {
    RouteCtx *ctx;
    const char *id;
    const char **keys; /* "scan_id=<scan>/<file>" of every file that is there */
    size_t n;
    size_t n_prefix; /* of the folder that is being listed */
    Str ids[SCANS_MAX];
    size_t n_ids;
    Names models;
    Names groups;
} Scans;

/* --- what is there --- */

static int see_scan(Scans *scans, Str id, Error *err)
{
    for (size_t i = 0; i < scans->n_ids; i++)
        if (str_eq(scans->ids[i], id))
            return 0;
    if (scans->n_ids == SCANS_MAX)
        return error_set(err, ERR_BAD_DATA, "an import of over %d scans", SCANS_MAX);
    scans->ids[scans->n_ids++] = arena_str(scans->ctx->arena, id);
    return 0;
}

static int list_one(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    Scans *scans = context;
    Str rest = str_of(key + scans->n_prefix);
    Str folder = STR_NONE;
    if (!str_starts(rest, STR(FOLDER)))
        return 0;
    if (scans->n == FILES_MAX)
        return error_set(err, ERR_BAD_DATA, "an import of over %d files", FILES_MAX);
    scans->keys[scans->n++] = arena_strdup(scans->ctx->arena, key + scans->n_prefix);
    (void)str_split(&rest, '/', &folder);
    return see_scan(scans, str_slice(folder, sizeof(FOLDER) - 1, folder.n), err);
}

static int list_at(Scans *scans, const char *folder, Error *err)
{
    scans->n = 0;
    scans->n_ids = 0;
    scans->n_prefix = strlen(folder) + 1;
    return store_list(scans->ctx->app->store, folder, true, list_one, scans, err);
}

static const char *in(const Scans *scans, const char *folder, const char *key)
{
    return arena_printf(scans->ctx->arena, "%s/%s", folder, key);
}

static int move_all(Scans *scans, const char *from, const char *to, Error *err)
{
    for (size_t i = 0; i < scans->n; i++)
        if (store_move(scans->ctx->app->store, in(scans, from, scans->keys[i]),
                       in(scans, to, scans->keys[i]), NULL, err) < 0)
            return -1;
    return 0;
}

/* --- what a scan says --- */

static int bad_scan(Str scan, const char *what, Error *err)
{
    (void)error_set(err, ERR_USAGE, "%.*s/" SPEC_NAME ": %s", STR_ARG(scan), what);
    return error_code(err, "import.bad_scan");
}

static void add_model(Scans *scans, const Json *model)
{
    Str name = model ? json_text(model, "model", STR_NONE) : STR_NONE;
    if (name.n > 0)
        imports_names_add(&scans->models, name);
}

/* A model for each role, or a list of them. */
static void add_models(Scans *scans, const Json *spec)
{
    const Json *roles = json_get(spec, "model_roles");
    add_model(scans, json_get(spec, "model"));
    if (!roles || roles->type != JSON_OBJECT)
        return;
    for (const Json *role = roles->first; role; role = role->next) {
        if (role->type == JSON_OBJECT)
            add_model(scans, role);
        for (const Json *item = role->type == JSON_ARRAY ? role->first : NULL; item;
             item = item->next)
            add_model(scans, item);
    }
}

/* The transcripts are samples that the caller may see; their groups are the scan's too. */
static int add_sources(Scans *scans, Str scan, const Json *spec, Error *err)
{
    const Json *transcripts = json_get(spec, "transcripts");
    const Json *ids = transcripts ? json_get(transcripts, "transcript_ids") : NULL;
    const QueriesAccess access = server_queries_access(scans->ctx->caller);
    Arena *arena = scans->ctx->arena;
    Json *groups = NULL;
    int64_t n = 0;
    if (!transcripts || !str_eqz(json_text(transcripts, "type", STR_NONE), "eval_log"))
        return bad_scan(scan, "its transcripts are not those of eval logs", err);
    if (!ids || ids->type != JSON_OBJECT || ids->n == 0)
        return bad_scan(scan, "it does not say which transcripts it has looked at", err);
    auto_buf Buf list = BUF_INIT(UUIDS_MAX);
    JsonOut out;
    json_out_init(&out, &list, 0);
    json_out_array(&out);
    for (const Json *id = ids->first; id; id = id->next)
        json_out_str(&out, id->key);
    json_out_end_array(&out);
    if (buf_check(&list, "the list of transcripts", err) < 0 ||
        queries_sources(scans->ctx->app->sql, &access, arena_str(arena, buf_str(&list)), arena, &n,
                        &groups, err) < 0)
        return -1;
    if (n != (int64_t)ids->n) {
        (void)error_set(err, ERR_USAGE,
                        "%.*s: %lld of its %zu transcripts are no samples that you can see here",
                        STR_ARG(scan), (long long)((int64_t)ids->n - n), ids->n);
        return error_code(err, "import.unknown_source");
    }
    for (const Json *eval = groups->first; eval; eval = eval->next)
        for (const Json *group = eval->first; group; group = group->next)
            imports_names_add(&scans->groups, group->text);
    return 0;
}

static int check_scan(Scans *scans, Str scan, const char *folder, Error *err)
{
    auto_buf Buf text = BUF_INIT(SPEC_MAX);
    auto_error Error problem = ERROR_INIT;
    Arena *arena = scans->ctx->arena;
    Json *spec = NULL;
    const char *key = arena_printf(arena, "%s/" FOLDER "%.*s/" SPEC_NAME, folder, STR_ARG(scan));
    if (store_get(scans->ctx->app->store, key, &text, &problem) < 0)
        return problem.kind == ERR_NOT_FOUND ? bad_scan(scan, "it is missing", err)
                                             : error_move(err, &problem);
    if (json_parse(arena, arena_str(arena, buf_str(&text)), &spec_limits, &spec, &problem) < 0 ||
        spec->type != JSON_OBJECT)
        return bad_scan(scan, "it is no JSON object", err);
    const Json *metadata = json_get(spec, "metadata");
    if (!str_eq(json_text(spec, "scan_id", STR_NONE), scan))
        return bad_scan(scan, "its scan_id is another", err);
    if (!metadata || !str_eqz(json_text(metadata, "job_id", STR_NONE), scans->id))
        return bad_scan(scan, "its metadata.job_id is not the id of this import", err);
    if (!str_eqz(json_text(metadata, "created_by", STR_NONE), scans->ctx->caller->sub))
        return bad_scan(scan, "its metadata.created_by is not who imports it", err);
    if (!json_bool(metadata, "imported", false))
        return bad_scan(scan, "its metadata.imported is not true", err);
    add_models(scans, spec);
    return add_sources(scans, scan, spec, err);
}

/* --- the end --- */

static int finalize(Scans *scans, Error *err)
{
    Arena *arena = scans->ctx->arena;
    const char *staged = arena_printf(arena, IMPORTS_STAGING "/%s", scans->id);
    const char *taken = arena_printf(arena, IMPORTS_STAGING "/%s/.taken", scans->id);
    const char *published = arena_printf(arena, "scans/%s", scans->id);
    if (list_at(scans, staged, err) < 0 || move_all(scans, staged, taken, err) < 0 ||
        list_at(scans, taken, err) < 0)
        return -1;
    if (scans->n == 0) { /* fine when it was published before */
        if (list_at(scans, published, err) < 0)
            return -1;
        return scans->n > 0 ? 0
                            : imports_fail(err, ERR_NOT_FOUND, "import.nothing",
                                           "no files are staged for this import");
    }
    for (size_t i = 0; i < scans->n_ids; i++)
        if (check_scan(scans, scans->ids[i], taken, err) < 0)
            return -1;
    if ((scans->models.n > 0 || scans->groups.n == 0) &&
        imports_find_groups(scans->ctx, &scans->models, &scans->groups, err) < 0)
        return -1;
    if (imports_put_models(scans->ctx, "scans", scans->id, &scans->models, &scans->groups, err) < 0)
        return -1;
    if (move_all(scans, taken, published, err) < 0)
        return -1;
    return scans_look(scans->ctx->app, scans->id, err);
}

int imports_finalize_scans(RouteCtx *ctx, const char *id, const Str **ret_scans, size_t *ret_n,
                           Error *err)
{
    Scans *scans = arena_alloc(ctx->arena, sizeof(*scans));
    *scans = (Scans){.ctx = ctx,
                     .id = id,
                     .keys = arena_array(ctx->arena, FILES_MAX, sizeof(*scans->keys)),
                     .models = {.arena = ctx->arena},
                     .groups = {.arena = ctx->arena}};
    if (imports_enter(ctx->app->uploads, id, err) < 0)
        return -1;
    int result = finalize(scans, err);
    imports_leave(ctx->app->uploads, id);
    *ret_scans = scans->ids;
    *ret_n = scans->n_ids;
    return result;
}
