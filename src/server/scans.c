/* Looking, copying, reading lines, writing rows. */

#include "server/scans.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "access/access.h"
#include "access/models.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/digest.h"
#include "server/frames.h"
#include "server/logs.h"
#include "server/server_priv.h"
#include "warehouse/scans/scan_imports.h"
#include "warehouse/scans/scan_write.h"

enum {
    IDLE_MS = 1000,
    LOOK_MS = 5 * 60 * 1000, /* from one look at everything to the next */
    LINK_MS = 60 * 1000,     /* from one search for samples that came later to the next */
    MARK_MAX = 1 << 20,
    LINE_MAX_BYTES = 64 << 20,
    READ_STEP = 64 << 10,
    GROUPS_MAX = 1 << 20,
    END_WAIT_MS = 60 * 1000,
};

#define SUMMARY "_summary.json"

/* --- looking --- */

typedef struct Look {
    App *app;
    Arena *arena;
    const char *folder; /* that is being listed, or NULL */
    Buf mark;           /* of its files so far */
    bool has_summary;   /* results have been written, if only in part */
} Look;

/* Cuts "scans/<job>/scan_id=<scan>/<file>"; false when it is something else. */
static bool cut_key(Arena *arena, const char *key, ScanImport *ret, Str *ret_file)
{
    Str rest = str_of(key);
    Str root = STR_NONE;
    Str job = STR_NONE;
    Str scan = STR_NONE;
    if (!str_split(&rest, '/', &root) || !str_split(&rest, '/', &job) ||
        !str_split(&rest, '/', &scan) || !rest.p || str_find(rest, '/') >= 0 ||
        !str_starts(scan, STR("scan_id=")))
        return false;
    *ret = (ScanImport){
        .folder = arena_printf(arena, "scans/%.*s/%.*s", STR_ARG(job), STR_ARG(scan)),
        .job_id = arena_strndup(arena, job.p, job.n),
    };
    *ret_file = rest;
    return true;
}

/* The listing has left a folder: it is noted. */
static int end_folder(Look *look, Error *err)
{
    if (!look->folder)
        return 0;
    char sum[DIGEST_HEX_MAX];
    ScanImport seen = {0};
    Str file = STR_NONE;
    const char *any = arena_printf(look->arena, "%s/" SUMMARY, look->folder);
    bool is_noted = look->has_summary && cut_key(look->arena, any, &seen, &file);
    look->folder = NULL;
    look->has_summary = false;
    if (!is_noted) {
        buf_reset(&look->mark);
        return 0;
    }
    seen.mark = digest_sha256_hex(buf_str(&look->mark), sum);
    buf_reset(&look->mark);
    return scan_imports_see(look->app->sql, &seen, err);
}

static int each_object(void *context, const char *key, const StoreStat *stat, Error *err)
{
    Look *look = context;
    ScanImport of = {0};
    Str file = STR_NONE;
    if (!cut_key(look->arena, key, &of, &file))
        return 0;
    if (look->folder && strcmp(look->folder, of.folder) != 0 && end_folder(look, err) < 0)
        return -1;
    look->folder = of.folder;
    look->has_summary = look->has_summary || str_eqz(file, SUMMARY);
    buf_printf(&look->mark, "%.*s %s\n", STR_ARG(file), stat->etag);
    return 0;
}

int scans_look(App *app, const char *job_id, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Look look = {.app = app, .arena = arena, .mark = BUF_INIT(MARK_MAX)};
    const char *prefix = job_id ? arena_printf(arena, "scans/%s", job_id) : "scans";
    int result = store_list(app->store, prefix, true, each_object, &look, err);
    if (result == 0)
        result = end_folder(&look, err);
    buf_release(&look.mark);
    return result;
}

/* --- names that clients give --- */

bool scans_path_is_safe(Str path)
{
    Str part = STR_NONE;
    while (str_split(&path, '/', &part)) {
        if (part.n == 0 || part.p[0] == '.')
            return false;
        for (size_t i = 0; i < part.n; i++) {
            char c = part.p[i];
            bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || (c != 0 && strchr("._=-", c));
            if (!is_word)
                return false;
        }
    }
    return true;
}

int scans_check_access(RouteCtx *ctx, const char *folder, Error *err)
{
    Str rest = str_of(folder);
    Str job = STR_NONE;
    (void)str_split(&rest, '/', &job);
    const char *job_id = arena_strndup(ctx->arena, job.p, job.n);
    AccessResource resource = {.name = job_id};
    if (logs_scan_resource(ctx, job_id, &resource, err) < 0 ||
        access_allows(ctx->caller, ACCESS_LOG_READ, &resource, err) < 0)
        return -1;
    if (!resource.groups_known) /* there is none: Scout need not be started to find that out */
        return error_set(err, ERR_NOT_FOUND, "Scan run not found.");
    return 0;
}

/* --- a copy on this machine --- */

typedef struct Copying {
    App *app;
    const char *to;
    const char *only_file;
} Copying;

static int copy_object(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    const Copying *copying = context;
    const char *name = strrchr(key, '/') + 1;
    if (copying->only_file && strcmp(name, copying->only_file) != 0)
        return 0;
    auto_free char *path = fs_join(copying->to, name);
    return store_copy_out(copying->app->store, key, path, err);
}

int scans_copy(App *app, const char *folder, const char *only_file, ScansCopy *ret, Error *err)
{
    ScansCopy copy = {.path = store_local_path(app->store, folder)};
    if (!copy.path) {
        char name[RANDOM_UUID_MAX];
        copy.temporary = mem_printf("%s/scan-%s", app->spool_dir, random_uuid7(name));
        copy.path = mem_strdup(copy.temporary);
        Copying copying = {app, copy.path, only_file};
        if (fs_make_dirs(copy.path, 0700, err) < 0 ||
            store_list(app->store, folder, false, copy_object, &copying, err) < 0) {
            scans_copy_release(&copy);
            return -1;
        }
    }
    if (only_file) {
        char *file = fs_join(copy.path, only_file);
        free(copy.path);
        copy.path = file;
    }
    *ret = copy;
    return 0;
}

void scans_copy_release(ScansCopy *copy)
{
    auto_error Error ignored = ERROR_INIT;
    if (copy->temporary)
        (void)!fs_remove_tree(copy->temporary, &ignored);
    free(copy->temporary);
    free(copy->path);
    *copy = (ScansCopy){0};
}

/* --- groups --- */

/* Group names, each once, as a JSON array. */
typedef struct Groups {
    Arena *arena;
    Json *list;
} Groups;

static void add_group(Groups *groups, Str group)
{
    for (const Json *item = groups->list->first; item; item = item->next)
        if (str_eq(item->text, group))
            return;
    json_append(groups->list, json_new_str(groups->arena, group));
}

/* Of the models that were called; what the registry does not know is nobody's. */
static int add_observed(App *app, const ModelNames *names, Groups *groups, Error *err)
{
    Models models = {0};
    if (models_load(app->sql, groups->arena, &models, err) < 0)
        return -1;
    for (size_t i = 0; i < names->n; i++) {
        size_t n = 0;
        for (const Model *model = NULL; (model = models_match(&models, names->items[i], n)) != NULL;
             n++)
            add_group(groups, model->group);
        if (n == 0)
            add_group(groups, STR(ACCESS_GROUP_UNRESOLVED));
    }
    return 0;
}

/* Of the models and sources that the job declared, as they were when it began. */
static int add_declared(App *app, const char *job_id, Groups *groups, Error *err)
{
    auto_buf Buf text = BUF_INIT(GROUPS_MAX);
    auto_error Error problem = ERROR_INIT;
    Json *document = NULL;
    const char *key = arena_printf(groups->arena, "scans/%s/.models.json", job_id);
    if (store_get(app->store, key, &text, &problem) < 0 && problem.kind != ERR_NOT_FOUND)
        return error_move(err, &problem);
    error_reset(&problem);
    if (json_parse(groups->arena, arena_str(groups->arena, buf_str(&text)), &json_limits_config,
                   &document, &problem) == 0) {
        const Json *list = json_get(document, "model_groups");
        for (const Json *item = list && list->type == JSON_ARRAY ? list->first : NULL; item;
             item = item->next)
            add_group(groups,
                      item->type == JSON_STRING ? item->text : STR(ACCESS_GROUP_UNRESOLVED));
    }
    if (groups->list->n == 0)
        add_group(groups, STR(ACCESS_GROUP_UNRESOLVED));
    return 0;
}

static Str as_text(Arena *arena, const Json *node)
{
    auto_buf Buf text = BUF_INIT(GROUPS_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_node(&out, node);
    return arena_str(arena, buf_str(&text));
}

/* On a machine of one user the group is "local", and models are not asked for. */
static int finish(App *app, const ScanImport *import, ScanWrite *write, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Groups observed = {arena, json_new(arena, JSON_ARRAY)};
    Groups all = {arena, json_new(arena, JSON_ARRAY)};
    if (add_declared(app, import->job_id, &all, err) < 0)
        return -1;
    bool is_local = all.list->n == 1 && str_eqz(all.list->first->text, ACCESS_GROUP_LOCAL);
    if (!is_local && add_observed(app, scan_write_models(write), &observed, err) < 0)
        return -1;
    for (const Json *item = observed.list->first; item; item = item->next)
        add_group(&all, item->text);
    return scan_write_end(write, as_text(arena, observed.list), as_text(arena, all.list), err);
}

/* --- reading lines --- */

typedef struct Reading {
    App *app;
    const ScanImport *import;
    ScanWritePlace place;
    ScanWrite *write; /* from the first line on */
    int64_t n_rows;
    bool is_whole;
} Reading;

static int take_line(Reading *reading, Str line, Error *err)
{
    auto_arena Arena *arena = arena_new();
    const JsonLimits limits = {.bytes = LINE_MAX_BYTES, .depth = 200, .nodes = 5 * 1000 * 1000};
    Json *node = NULL;
    if (json_parse(arena, arena_str(arena, line), &limits, &node, err) < 0)
        return error_wrap(err, "a result of the scan");
    if (!reading->write)
        return scan_write_begin(reading->app->sql, &reading->place, json_get(node, "scan"),
                                &reading->write, err);
    if (json_get(node, "rows")) {
        reading->is_whole = json_int(node, "rows", -1) == reading->n_rows;
        return 0;
    }
    reading->n_rows++;
    return scan_write_row(reading->write, node, err);
}

static int read_lines(Reading *reading, int fd, Error *err)
{
    auto_buf Buf text = BUF_INIT(LINE_MAX_BYTES);
    for (;;) {
        char *room = buf_room(&text, READ_STEP);
        if (!room)
            return error_set(err, ERR_BAD_DATA, "a result of over %d bytes", LINE_MAX_BYTES);
        ssize_t n = read(fd, room, READ_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read results");
        if (n == 0)
            return 0;
        buf_grew(&text, (size_t)n);
        Str rest = buf_str(&text);
        for (ptrdiff_t end = str_find(rest, '\n'); end >= 0; end = str_find(rest, '\n')) {
            if (take_line(reading, str_slice(rest, 0, (size_t)end), err) < 0)
                return -1;
            rest = str_slice(rest, (size_t)end + 1, rest.n);
        }
        buf_consume(&text, text.len - rest.n);
    }
}

static int import_one(App *app, const ScanImport *import, Error *err)
{
    auto_scans_copy ScansCopy copy = {0};
    auto_process Process process = PROCESS_INIT;
    if (scans_copy(app, import->folder, NULL, &copy, err) < 0)
        return -1;
    auto_free char *location = store_location(app->store, import->folder);
    Reading reading = {.app = app,
                       .import = import,
                       .place = {.scan_id = str_of(import->scan_id),
                                 .job_id = str_of(import->job_id),
                                 .location = location}};
    const char *const words[] = {"rows", copy.path, NULL};
    const FramesStart start = {.program = "hawk_scans.py",
                               .words = words,
                               .in = PROCESS_NULL,
                               .out = PROCESS_PIPE,
                               .dies_with_us = true};
    if (frames_start(app->cache_dir, &start, &process, err) < 0)
        return -1;
    int result = read_lines(&reading, process.out, err);
    if (result < 0)
        process_signal(&process, SIGKILL);
    else
        result = frames_finish(&process, END_WAIT_MS, err);
    if (result == 0 && !reading.is_whole)
        result = error_set(err, ERR_BAD_DATA, "its results were broken off");
    if (result == 0)
        result = finish(app, import, reading.write, err);
    scan_write_free(reading.write);
    return result;
}

/* --- the thread --- */

/* What is the scan's own fault, as opposed to what may pass. */
static bool is_final(const Error *err)
{
    return err->kind == ERR_FAILED || err->kind == ERR_BAD_DATA || err->kind == ERR_CONFLICT;
}

/* True when there was something to do. */
static bool import_next(App *app)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    auto_error Error unrecorded = ERROR_INIT;
    ScanImport import = {0};
    bool found = false;
    if (scan_imports_next(app->sql, arena, &found, &import, &err) < 0) {
        log_warn("scans.stuck", KV("error", error_text(&err)));
        return false;
    }
    if (!found)
        return false;
    bool failed = import_one(app, &import, &err) < 0;
    if (failed)
        log_warn("scan.not_imported", KV("scan", import.folder), KV("error", error_text(&err)));
    else
        log_info("scan.imported", KV("scan", import.folder));
    if (scan_imports_end(app->sql, &import, failed ? error_text(&err) : NULL,
                         failed && is_final(&err), &unrecorded) < 0) {
        log_warn("scan.not_recorded", KV("scan", import.folder),
                 KV("error", error_text(&unrecorded)));
        return false;
    }
    return true;
}

static void look_at_all(App *app)
{
    auto_error Error err = ERROR_INIT;
    if (scans_look(app, NULL, &err) < 0)
        log_warn("scans.not_looked_at", KV("error", error_text(&err)));
}

static void link_late(App *app)
{
    auto_error Error err = ERROR_INIT;
    if (scan_write_link(app->sql, &err) < 0)
        log_warn("scans.not_linked", KV("error", error_text(&err)));
}

static void run(void *context, Looper *looper)
{
    App *app = context;
    int64_t look_at_ms = 0;
    int64_t link_at_ms = clock_monotonic_ms() + LINK_MS;
    for (int pause_ms = 0; looper_wait(looper, pause_ms);) {
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= look_at_ms) {
            look_at_all(app);
            look_at_ms = clock_monotonic_ms() + LOOK_MS;
        }
        if (now_ms >= link_at_ms) {
            link_late(app);
            link_at_ms = clock_monotonic_ms() + LINK_MS;
        }
        pause_ms = import_next(app) ? 0 : IDLE_MS;
    }
}

int scans_start(App *app, Looper **ret, Error *err)
{
    return looper_start(run, app, ret, err);
}
