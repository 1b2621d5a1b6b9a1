/* hawk download: the log files of an eval set. */

#include <string.h>

#include "base/fs.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/fetch.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "codec/json_out.h"

enum { PATH_MAX_BYTES = 8192, BATCH_MAX = 1000, BODY_MAX = 4 << 20 };

typedef struct Options {
    const char *id;
    const char *log;
    const char *folder;
    int64_t jobs;
    bool list;
    bool force;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"eval", 0, OPT_TEXT, offsetof(Options, log), "Only the log with this name", .metavar = "FILE"},
    {"output-dir", 'o', OPT_FOLDER, offsetof(Options, folder), "Where to write; made when it is not there", .fallback = "."},
    {"list", 0, OPT_FLAG, offsetof(Options, list), "Only print the names"},
    {"jobs", 'j', OPT_INT, offsetof(Options, jobs), "How many at once", .fallback = "16", .min = 1, .max = FETCH_JOBS_MAX},
    {"force", 0, OPT_FLAG, offsetof(Options, force), "Fetch what is there already too"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON: the names, or what was done"},
};
static const OptArg args[] = {
    {"EVAL_SET_ID", OPT_TEXT, offsetof(Options, id), "The eval set; default: the last one", .is_optional = true, .completer = "eval-sets"},
};
/* clang-format on */

/* ---- which files ---- */

/* The last part of a name of the server, if it can be a file here. */
static int base_name(Str name, Str *ret, Error *err)
{
    ptrdiff_t slash = str_rfind(name, '/');
    Str base = slash < 0 ? name : str_slice(name, (size_t)slash + 1, name.n);
    if (base.n == 0 || base.n > 255 || str_eqz(base, ".") || str_eqz(base, "..") ||
        memchr(base.p, '\0', base.n))
        return error_set(err, ERR_BAD_DATA, "the server names a file that cannot be: '%.*s'",
                         STR_ARG(name));
    *ret = base;
    return 0;
}

static bool is_wanted(const char *wanted, Str name, Str base)
{
    if (!wanted)
        return true;
    if (str_eqz(base, wanted) || str_eqz(name, wanted))
        return true;
    return base.n > 5 && str_ends(base, STR(".eval")) &&
           str_eqz(str_slice(base, 0, base.n - 5), wanted);
}

/* The names of the logs of the eval set that are asked for. */
static int list_logs(Cli *cli, const Options *options, const char *id, Json **ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/view/logs/logs");
    api_add_query(&path, "log_dir", id);
    Json *answer = NULL;
    if (api_get_path(cli, &path, &answer, err) < 0)
        return -1;
    Json *names = json_new(cli->arena, JSON_ARRAY);
    const Json *files = json_get(answer, "files");
    for (const Json *file = files ? files->first : NULL; file; file = file->next) {
        Str name = json_text(file, "name", STR_NONE);
        Str base = STR_NONE;
        if (base_name(name, &base, err) < 0)
            return -1;
        if (is_wanted(options->log, name, base))
            json_append(names, json_new_str(cli->arena, name));
    }
    if (names->n == 0) {
        (void)error_set(err, ERR_NOT_FOUND, "%s has no log%s%s", id, options->log ? " " : "s",
                        options->log ? options->log : "");
        return error_fix(err, "'hawk list eval-sets' shows what there is%s",
                         options->log ? ", 'hawk download --list' the logs" : "");
    }
    *ret = names;
    return 0;
}

/* Where each file goes; those that are there are left out unless forced. */
static int choose(Cli *cli, const Options *options, const Json *names, FetchItem *items,
                  size_t *ret_n, Error *err)
{
    size_t n = 0;
    for (const Json *name = names->first; name; name = name->next) {
        Str base = STR_NONE;
        if (base_name(name->text, &base, err) < 0)
            return -1;
        char *path = arena_printf(cli->arena, "%s/%.*s", options->folder, STR_ARG(base));
        if (fs_exists(path) && !options->force)
            continue;
        items[n++] = (FetchItem){.name = arena_strndup(cli->arena, name->text.p, name->text.n),
                                 .path = path};
    }
    *ret_n = n;
    return 0;
}

/* Asks where the files can be fetched, for a batch of items. */
static int fetch_urls(Cli *cli, FetchItem *items, size_t n, Error *err)
{
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "logs");
    for (size_t i = 0; i < n; i++)
        json_out_str(&out, str_of(items[i].name));
    json_out_end_array(&out);
    json_out_end_object(&out);
    Json *answer = NULL;
    if (api_post(cli, "/view/logs/log-download-urls", buf_str(&body), &answer, err) < 0)
        return -1;
    const Json *urls = json_get(answer, "urls");
    size_t i = 0;
    for (const Json *url = urls ? urls->first : NULL; url && i < n; url = url->next, i++) {
        Str text = json_text(url, "url", STR_NONE);
        items[i].url = arena_strndup(cli->arena, text.p ? text.p : "", text.n);
    }
    if (i < n)
        return error_set(err, ERR_BAD_DATA, "the server gave %zu addresses for %zu logs", i, n);
    return 0;
}

static int report(Cli *cli, const Options *options, size_t done, size_t skipped, Error *err)
{
    if (options->json) {
        Json *answer = json_new(cli->arena, JSON_OBJECT);
        json_set(answer, STR("downloaded"), json_new_int(cli->arena, (int64_t)done));
        json_set(answer, STR("skipped"), json_new_int(cli->arena, (int64_t)skipped));
        json_set(answer, STR("folder"), json_new_str(cli->arena, str_of(options->folder)));
        return print_json(cli, answer, err);
    }
    auto_buf Buf line = BUF_INIT(PATH_MAX_BYTES);
    buf_printf(&line, "Downloaded %zu files to %s", done, options->folder);
    if (skipped)
        buf_printf(&line, " (%zu skipped, already present)", skipped);
    buf_addc(&line, '\n');
    return print_text(cli, buf_str(&line), err);
}

static int print_names(Cli *cli, const Options *options, const Json *names, Error *err)
{
    if (options->json)
        return print_json(cli, names, err);
    for (const Json *name = names->first; name; name = name->next)
        if (print_text(cli, name->text, err) < 0 || cli_put(cli, STR("\n"), err) < 0)
            return -1;
    return 0;
}

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    Json *names = NULL;
    Api *api = NULL;
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0 ||
        cli_api(cli, &api, err) < 0 || list_logs(cli, options, id, &names, err) < 0)
        return -1;
    settings_keep_id(cli, SETTINGS_EVAL_SET, id);
    if (options->list)
        return print_names(cli, options, names, err);
    FetchItem *items = arena_array(cli->arena, names->n + 1, sizeof(*items));
    size_t n = 0;
    if (fs_make_dirs(options->folder, 0755, err) < 0 ||
        choose(cli, options, names, items, &n, err) < 0)
        return -1;
    for (size_t from = 0; from < n; from += BATCH_MAX)
        if (fetch_urls(cli, items + from, n - from < BATCH_MAX ? n - from : BATCH_MAX, err) < 0)
            return -1;
    if (n > 0)
        cli_say(cli, "Downloading %zu files", n);
    size_t done = 0;
    if (fetch_all(api, items, n, (size_t)options->jobs, &done, err) < 0)
        return -1;
    return report(cli, options, done, names->n - n, err);
}

const Command commands_download = {
    .path = "download",
    .section = COMMAND_FETCH,
    .summary = "Download the logs of an eval set",
    .description = "What is there already is left alone, so a download that was broken off can be "
                   "run again.",
    .examples = "hawk download -o logs\nhawk download --list",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run,
};
