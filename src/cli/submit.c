/* A config made ready to be sent. */

#include "cli/submit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/settings.h"
#include "codec/json_out.h"
#include "http/loopback.h"

enum { TEXT_MAX = 4 << 20, PARTS_MAX = 256 };

/* ---- checking ---- */

static void show_diagnostics(Cli *cli, const Diagnostics *list, Str text, bool failed)
{
    auto_buf Buf lines = BUF_INIT(TEXT_MAX);
    if (failed && cli->wants_json) {
        JsonOut out;
        json_out_init(&out, &lines, 0);
        diagnostics_write(list, &out);
        cli->diagnostics = arena_strndup(cli->arena, lines.data, lines.len);
        return;
    }
    diagnostics_format(list, text, &lines);
    cli_say(cli, "%.*s", STR_ARG(str_trim(buf_str(&lines))));
}

int submit_load(Cli *cli, const char *path, JobspecKind kind, bool skip_confirm, Jobspec **ret,
                Error *err)
{
    Setting url = {0};
    if (setting_find(cli, "HAWK_API_URL", &url, err) < 0)
        return -1;
    bool is_elsewhere = url.value && !loopback_is_url(str_of(url.value));
    JobspecOptions options = {.refuse_local_packages = is_elsewhere,
                              .refuse_credentials = is_elsewhere,
                              .allow_online_scan = true};
    Diagnostics list;
    diagnostics_init(&list, cli->arena);
    Str text = STR_NONE;
    int failed = jobspec_load_file(cli->arena, path, kind, &options, &list, &text, ret, err);
    if (list.n > 0)
        show_diagnostics(cli, &list, text, failed < 0);
    if (failed < 0)
        return -1;
    if (list.n_warnings > 0 && !skip_confirm && cli_may_ask(cli) && strcmp(path, "-") != 0 &&
        !cli_ask(cli, true, "Do you want to continue anyway?"))
        return error_set(err, ERR_CANCELLED, "nothing was submitted");
    return 0;
}

/* ---- local paths ---- */

/* Joins and takes "." and ".." out, by the text alone. */
static const char *absolute(Arena *arena, const char *folder, Str path)
{
    auto_free char *whole = path.n && path.p[0] == '/'
                                ? mem_strndup(path.p, path.n)
                                : mem_printf("%s/%.*s", folder, STR_ARG(path));
    Str parts[PARTS_MAX];
    size_t n = 0;
    Str rest = str_of(whole);
    Str part = STR_NONE;
    while (str_split(&rest, '/', &part)) {
        if (part.n == 0 || str_eqz(part, "."))
            continue;
        if (str_eqz(part, "..")) {
            n -= n > 0;
            continue;
        }
        if (n == PARTS_MAX)
            return arena_strdup(arena, whole);
        parts[n++] = part;
    }
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < n; i++) {
        buf_addc(&text, '/');
        buf_add_str(&text, parts[i]);
    }
    return arena_strndup(arena, text.len ? text.data : "/", text.len ? text.len : 1);
}

/* "./x", "name @ ../x", "file:x", "~/x" as an absolute path; what is absolute stays. */
static Str absolute_package(Arena *arena, const char *folder, Str spec)
{
    ptrdiff_t at = str_find(spec, '@');
    Str name = STR_NONE;
    Str path = str_trim(spec);
    if (at >= 0 && jobspec_is_local_package(str_trim(str_slice(spec, (size_t)at + 1, spec.n)))) {
        name = str_trim(str_slice(spec, 0, (size_t)at));
        path = str_trim(str_slice(spec, (size_t)at + 1, spec.n));
    }
    if (str_starts(path, STR("file://")))
        return spec;
    if (str_starts(path, STR("file:")))
        path = str_slice(path, strlen("file:"), path.n);
    const char *home = getenv("HOME");
    if (home && (str_eqz(path, "~") || str_starts(path, STR("~/")))) {
        folder = home;
        path = str_slice(path, path.n > 1 ? 2 : 1, path.n);
    }
    const char *full = absolute(arena, folder, path);
    if (name.n)
        return str_of(arena_printf(arena, "%.*s @ file://%s", STR_ARG(name), full));
    return str_of(full);
}

static void fix_string(Arena *arena, const char *folder, Json *node)
{
    if (node && node->type == JSON_STRING && jobspec_is_local_package(node->text))
        node->text = absolute_package(arena, folder, node->text);
}

/* Everything called "package" in a list or map of package configs. */
static void fix_packages(Arena *arena, const char *folder, Json *list)
{
    if (!list || (list->type != JSON_ARRAY && list->type != JSON_OBJECT))
        return;
    for (Json *item = list->first; item; item = item->next)
        fix_string(arena, folder, json_get(item, "package"));
}

static const char *folder_of(Arena *arena, const char *file)
{
    const char *slash = strcmp(file, "-") == 0 ? NULL : strrchr(file, '/');
    auto_free char *folder =
        slash ? mem_strndup(file, (size_t)(slash - file) + 1) : mem_strdup(".");
    char real[PATH_MAX];
    return arena_strdup(arena, realpath(folder, real) ? real : folder);
}

Json *submit_document(Cli *cli, const Jobspec *spec)
{
    static const char *const lists[] = {"tasks",  "models",   "solvers",
                                        "agents", "scanners", "model_roles"};
    Json *document = json_copy(cli->arena, spec->full);
    const char *folder = folder_of(cli->arena, spec->file);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        fix_packages(cli->arena, folder, json_get(document, lists[i]));
    Json *packages = json_get(document, "packages");
    for (Json *item = packages && packages->type == JSON_ARRAY ? packages->first : NULL; item;
         item = item->next)
        fix_string(cli->arena, folder, item);
    Json *scan = json_get(document, "scan");
    fix_packages(cli->arena, folder, json_get(scan, "scanners"));
    fix_string(cli->arena, folder, json_get(json_get(scan, "model"), "package"));
    return document;
}
