/* hawk download-artifacts: the files that an evaluation has left for its samples. */

#include <stddef.h>
#include <string.h>

#include "base/fs.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/fetch.h"
#include "cli/print.h"
#include "cli/settings.h"

enum { PATH_MAX_BYTES = 16384, PAGE = 250, NAME_MAX_BYTES = 200, ITEMS_MAX = 100000, JOBS = 16 };

typedef struct Options {
    const char *id;
    const char *sample;
    const char *folder;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"sample", 0, OPT_TEXT, offsetof(Options, sample), "Only of this sample", .metavar = "UUID", .completer = "samples"},
    {"output-dir", 'o', OPT_FOLDER, offsetof(Options, folder), "Where to write; default: artifacts/EVAL_SET_ID"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON: what was done"},
};
static const OptArg args[] = {
    {"EVAL_SET_ID", OPT_TEXT, offsetof(Options, id), "The eval set; default: the last one", .is_optional = true, .completer = "eval-sets"},
};
/* clang-format on */

/* What is to be fetched; files that are there are left alone. */
typedef struct Found {
    Cli *cli;
    const char *id;
    const char *folder;
    FetchItem *items;
    size_t n;
    size_t room;
    size_t n_present;
    size_t n_collapsed;
} Found;

static void add_item(Found *found, FetchItem item)
{
    if (found->n == found->room) {
        size_t room = found->room ? found->room * 2 : 64;
        FetchItem *larger = arena_array(found->cli->arena, room, sizeof(*larger));
        if (found->n > 0)
            memcpy(larger, found->items, found->n * sizeof(*larger));
        found->items = larger;
        found->room = room;
    }
    found->items[found->n++] = item;
}

/* A text as a part of a file's name. */
static void add_part(Buf *name, Str text)
{
    text = str_slice(text, 0, NAME_MAX_BYTES / 4);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_addc(name, c == '/' || c == '\\' || c < 0x20 || c == 0x7f ? '_' : text.p[i]);
    }
}

/* <task>_<model>_<sample>_epoch<n>_<uuid> */
static const char *folder_of(const Found *found, const Json *sample)
{
    auto_buf Buf name = BUF_INIT(NAME_MAX_BYTES + 64);
    add_part(&name, json_text(sample, "task_name", STR("task")));
    buf_addc(&name, '_');
    add_part(&name, json_text(sample, "model", STR("model")));
    buf_addc(&name, '_');
    add_part(&name, json_text(sample, "id", STR("sample")));
    buf_printf(&name, "_epoch%lld_", (long long)json_int(sample, "epoch", 1));
    add_part(&name, json_text(sample, "uuid", STR("")));
    return arena_printf(found->cli->arena, "%s/%s", found->folder, name.data);
}

/* A key of the server as a path below a folder: no part may lead out of it. */
static bool is_safe_key(Str key)
{
    Str rest = key;
    Str part = STR_NONE;
    while (str_split(&rest, '/', &part))
        if (part.n == 0 || part.n > 255 || str_eqz(part, ".") || str_eqz(part, "..") ||
            memchr(part.p, '\0', part.n))
            return false;
    return key.n > 0;
}

static int add_file(Found *found, const char *uuid, const char *folder, Str key, Error *err)
{
    if (!is_safe_key(key) || found->n == ITEMS_MAX)
        return error_set(err, ERR_BAD_DATA, "the server names a file that cannot be: '%.*s'",
                         STR_ARG(key));
    char *path = arena_printf(found->cli->arena, "%s/%.*s", folder, STR_ARG(key));
    if (fs_exists(path)) {
        found->n_present++;
        return 0;
    }
    auto_buf Buf ask = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&ask, "/meta/samples/");
    api_add_segment(&ask, str_of(found->id));
    buf_addc(&ask, '/');
    api_add_segment(&ask, str_of(uuid));
    buf_addz(&ask, "/artifacts/file/");
    api_add_path(&ask, key);
    Json *answer = NULL;
    const char *parent = arena_strndup(found->cli->arena, path, strrchr(path, '/') - path);
    if (api_get(found->cli, ask.data, &answer, err) < 0 || fs_make_dirs(parent, 0755, err) < 0)
        return -1;
    Str url = json_text(answer, "url", STR(""));
    add_item(found, (FetchItem){.name = arena_strndup(found->cli->arena, key.p, key.n),
                                .url = arena_strndup(found->cli->arena, url.p, url.n),
                                .path = path});
    return 0;
}

static int add_sample(Found *found, const Json *sample, Error *err)
{
    Str uuid = json_text(sample, "uuid", STR(""));
    const char *name = arena_strndup(found->cli->arena, uuid.p, uuid.n);
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/samples/");
    api_add_segment(&path, str_of(found->id));
    buf_addc(&path, '/');
    api_add_segment(&path, uuid);
    buf_addz(&path, "/artifacts");
    Json *answer = NULL;
    if (api_get(found->cli, path.data, &answer, err) < 0)
        return -1;
    const Json *entries = json_get(answer, "entries");
    const char *folder = folder_of(found, sample);
    for (const Json *entry = entries ? entries->first : NULL; entry; entry = entry->next) {
        if (json_bool(entry, "collapsed", false))
            found->n_collapsed++;
        else if (add_file(found, name, folder, json_text(entry, "key", STR("")), err) < 0)
            return -1;
    }
    if (json_bool(answer, "truncated", false))
        cli_warn(found->cli, "%s has more artifacts than the server lists", name);
    return 0;
}

/* Page after page of the samples of the eval set. */
static int add_samples(Found *found, const char *only, Error *err)
{
    bool has_more = true;
    bool has_any = false;
    bool is_found = false;
    for (int64_t page = 1; has_more; page++) {
        auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
        buf_addz(&path, "/meta/samples");
        api_add_query(&path, "eval_set_id", found->id);
        api_add_query(&path, "search", only);
        api_add_query_int(&path, "page", page);
        api_add_query_int(&path, "limit", PAGE);
        Json *answer = NULL;
        if (api_get(found->cli, path.data, &answer, err) < 0)
            return -1;
        const Json *items = json_get(answer, "items");
        for (const Json *item = items ? items->first : NULL; item; item = item->next) {
            has_any = true;
            if (only && !str_eqz(json_text(item, "uuid", STR("")), only))
                continue;
            is_found = true;
            if (add_sample(found, item, err) < 0)
                return -1;
        }
        has_more = json_bool(answer, "has_more", false);
    }
    if (!has_any && api_check_id(found->cli, found->id, err) < 0)
        return -1;
    if (only && !is_found)
        return error_set(err, ERR_NOT_FOUND, "%s has no sample %s", found->id, only);
    return 0;
}

static int report(const Found *found, const Options *options, size_t n_done, Error *err)
{
    Cli *cli = found->cli;
    if (found->n_collapsed > 0)
        cli_say(cli, "%zu folders such as .git or node_modules are left out", found->n_collapsed);
    if (options->json) {
        Json *answer = json_new(cli->arena, JSON_OBJECT);
        json_set(answer, STR("downloaded"), json_new_int(cli->arena, (int64_t)n_done));
        json_set(answer, STR("skipped"), json_new_int(cli->arena, (int64_t)found->n_present));
        json_set(answer, STR("folder"), json_new_str(cli->arena, str_of(found->folder)));
        return print_json(cli, answer, err);
    }
    auto_buf Buf line = BUF_INIT(PATH_MAX_BYTES);
    buf_printf(&line, "Downloaded %zu files to %s", n_done, found->folder);
    if (found->n_present)
        buf_printf(&line, " (%zu skipped, already present)", found->n_present);
    buf_addc(&line, '\n');
    return print_text(cli, buf_str(&line), err);
}

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Found found = {.cli = cli};
    Api *api = NULL;
    size_t n_done = 0;
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &found.id, err) < 0 ||
        cli_api(cli, &api, err) < 0)
        return -1;
    found.folder =
        options->folder ? options->folder : arena_printf(cli->arena, "artifacts/%s", found.id);
    if (add_samples(&found, options->sample, err) < 0)
        return -1;
    settings_keep_id(cli, SETTINGS_EVAL_SET, found.id);
    if (found.n > 0 && fetch_all(api, found.items, found.n, JOBS, &n_done, err) < 0)
        return -1;
    return report(&found, options, n_done, err);
}

const Command commands_download_artifacts = {
    .path = "download-artifacts",
    .section = COMMAND_FETCH,
    .summary = "Download the files that samples left",
    .description = "Each sample gets a folder. What is there already is left alone.",
    .examples = "hawk download-artifacts -o files\n"
                "hawk download-artifacts --sample 8nPqS5mE2vKxWz7RtYb3Lc",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run,
};
