/* hawk web, hawk view-sample: the viewer in a browser.

   The browser has no token; against the local server it gets in by a link that works once. */

#include <stdlib.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/login.h"
#include "cli/print.h"
#include "cli/settings.h"

enum { URL_MAX = 8192 };

typedef struct Options {
    const char *id;
    const char *at;
    bool no_browser;
    bool json;
} Options;

/* clang-format off */
#define COMMON_ROWS \
    {"no-browser", 0, OPT_FLAG, offsetof(Options, no_browser), "Only print the address"}, \
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON: {\"url\"}; opens no browser"}

static const OptRow web_rows[] = {
    COMMON_ROWS,
};
static const OptRow sample_rows[] = {
    {"at", 0, OPT_TEXT, offsetof(Options, at), "Where in it: message=ID or event=ID, as 'hawk search' prints it", .metavar = "PLACE"},
    COMMON_ROWS,
};
static const OptArg web_args[] = {
    {"EVAL_SET_ID", OPT_TEXT, offsetof(Options, id), "The eval set; default: the last one, or the list", .is_optional = true,
     .completer = "eval-sets"},
};
static const OptArg sample_args[] = {
    {"SAMPLE_UUID", OPT_TEXT, offsetof(Options, id), "The sample", .completer = "samples"},
};
/* clang-format on */

/* The viewer's address: HAWK_LOG_VIEWER_URL, what the server says, or the local server itself. */
static int viewer_url(Cli *cli, const Api *api, Buf *ret, Error *err)
{
    Setting setting = {0};
    if (setting_find(cli, "HAWK_LOG_VIEWER_URL", &setting, err) < 0)
        return -1;
    Str url = str_of(setting.value);
    if (!url.p && api_is_local(api)) {
        url = str_of(api_url(api));
    } else if (!url.p) {
        Json *config = NULL;
        if (api_get(cli, "/auth/config", &config, err) < 0)
            return -1;
        url = json_text(config, "log_viewer_url", STR_NONE);
    }
    while (str_ends(url, STR("/")))
        url.n--;
    if (url.n == 0) {
        (void)error_set(err, ERR_USAGE, "the server names no viewer");
        return error_fix(err, "set HAWK_LOG_VIEWER_URL");
    }
    buf_add_str(ret, url);
    return 0;
}

/* Puts the one-time link in front of the page: the server sets the cookie and sends the browser on.
 */
static int add_login(Cli *cli, const Api *api, const Buf *page, Buf *ret, Error *err)
{
    Json *answer = NULL;
    if (api_post(cli, "/auth/login-code", STR("{}"), &answer, err) < 0)
        return -1;
    Str url = json_text(answer, "url", STR_NONE);
    if (!str_starts(url, str_of(api_url(api))))
        return error_set(err, ERR_BAD_DATA, "the server's answer has no address of its own");
    buf_add_str(ret, url);
    Str path = str_slice(buf_str(page), strlen(api_url(api)), page->len);
    api_add_query(ret, "next", path.n ? path.p : "/");
    return 0;
}

static int show_page(Cli *cli, const Options *options, const Buf *page, const Api *api, Error *err)
{
    auto_buf Buf url = BUF_INIT(URL_MAX);
    if (api_is_local(api) && str_starts(buf_str(page), str_of(api_url(api)))) {
        if (add_login(cli, api, page, &url, err) < 0)
            return -1;
    } else {
        buf_add_str(&url, buf_str(page));
    }
    if (options->json) {
        Json *answer = json_new(cli->arena, JSON_OBJECT);
        json_set(answer, STR("url"), json_new_str(cli->arena, buf_str(&url)));
        return print_json(cli, answer, err);
    }
    buf_addc(&url, '\n');
    if (cli_put(cli, buf_str(&url), err) < 0)
        return -1;
    (void)fflush(stdout);
    buf_truncate(&url, url.len - 1);
    if (!options->no_browser && !login_open_browser(url.data))
        cli_say(cli, "Open this address in a browser.");
    return 0;
}

/* "message=ID" or "event=ID", which was checked. */
static void add_place(const char *at, Buf *page)
{
    const char *equals = at ? strchr(at, '=') : NULL;
    auto_free char *name = equals ? mem_strndup(at, (size_t)(equals - at)) : NULL;
    if (name)
        api_add_query(page, name, equals + 1);
}

static int check_place(const char *at, Error *err)
{
    static const char *const kinds[] = {"message=", "event="};
    for (size_t i = 0; at && i < ARRAY_LEN(kinds); i++)
        if (strlen(at) > strlen(kinds[i]) && str_starts(str_of(at), str_of(kinds[i])))
            return 0;
    return at ? error_set(err, ERR_USAGE, "--at %s: expected message=ID or event=ID", at) : 0;
}

static int show_in_viewer(Cli *cli, const Options *options, const char *before, const char *id,
                          Error *err)
{
    Api *api = NULL;
    auto_buf Buf page = BUF_INIT(URL_MAX);
    if (cli_api(cli, &api, err) < 0 || viewer_url(cli, api, &page, err) < 0)
        return -1;
    buf_addz(&page, before);
    if (id)
        api_add_segment(&page, str_of(id));
    add_place(options->at, &page);
    if (buf_check(&page, "the address", err) < 0)
        return -1;
    return show_page(cli, options, &page, api, err);
}

static int run_web(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    auto_error Error none = ERROR_INIT;
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, &none) < 0)
        return show_in_viewer(cli, options, "/", NULL, err);
    if (options->id && api_check_id(cli, id, err) < 0)
        return -1;
    return show_in_viewer(cli, options, "/eval-set/", id, err);
}

static int run_view_sample(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    auto_buf Buf path = BUF_INIT(URL_MAX);
    Json *sample = NULL;
    if (check_place(options->at, err) < 0)
        return -1;
    buf_addz(&path, "/meta/samples/");
    api_add_segment(&path, str_of(options->id));
    if (api_get_path(cli, &path, &sample, err) < 0)
        return -1;
    return show_in_viewer(cli, options, "/permalink/sample/", options->id, err);
}

#define SPEC(opt_rows, opt_args)                                                                   \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = ARRAY_LEN(opt_rows),                                                        \
             .args = (opt_args),                                                                   \
             .n_args = ARRAY_LEN(opt_args),                                                        \
             .size = sizeof(Options)}

const Command commands_web = {
    .path = "web",
    .section = COMMAND_LOOK,
    .summary = "Open an eval set in the viewer",
    .description = "Prints the address and opens a browser where there is a display. An address of "
                   "the local server lets a browser in once, within a minute; afterwards that "
                   "browser stays logged in.",
    SPEC(web_rows, web_args),
    .run = run_web,
};

const Command commands_view_sample = {
    .path = "view-sample",
    .section = COMMAND_LOOK,
    .summary = "Open a sample in the viewer",
    SPEC(sample_rows, sample_args),
    .run = run_view_sample,
};
