/* hawk login, hawk auth ...: getting, showing and forgetting the tokens of a login, and why
   something may or may not be seen. */

#include "base/clock.h"
#include "base/fs.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/login.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "cli/tokens.h"

enum { PATH_MAX_BYTES = 4096, LINE_MAX_BYTES = 64 << 10 };

typedef struct Options {
    const char *id;
    bool device;
    bool no_browser;
    bool json;
} Options;

/* clang-format off */
static const OptRow login_rows[] = {
    {"device", 0, OPT_FLAG, offsetof(Options, device), "Show a code to enter on any device"},
    {"no-browser", 0, OPT_FLAG, offsetof(Options, no_browser), "Open no browser; show what to open instead"},
};
static const OptRow why_rows[] = {
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"},
};
static const OptArg why_args[] = {
    {"ID", OPT_TEXT, offsetof(Options, id), "An eval set or scan; default: the last job", .is_optional = true,
     .completer = "eval-sets"},
};
/* clang-format on */

/* The server's address without a trailing slash. */
static int server_url(Cli *cli, const char **ret, Error *err)
{
    Setting url = {0};
    if (setting_find(cli, "HAWK_API_URL", &url, err) < 0)
        return -1;
    if (!url.value) {
        (void)error_set(err, ERR_USAGE, "the server of this machine needs no login");
        return error_fix(err, "set HAWK_API_URL to log in to another");
    }
    Str text = str_of(url.value);
    while (str_ends(text, STR("/")))
        text.n--;
    *ret = arena_strndup(cli->arena, text.p, text.n);
    return 0;
}

static int find_provider(Cli *cli, bool is_fresh, Provider *ret, Error *err)
{
    const char *url = NULL;
    return server_url(cli, &url, err) < 0 ? -1 : provider_find(cli, url, is_fresh, ret, err);
}

static int run_login(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Provider provider = {0};
    Credentials tokens = {0};
    Json *answer = NULL;
    if (find_provider(cli, true, &provider, err) < 0)
        return -1;
    bool by_device = options->device || !*provider.authorization_endpoint ||
                     (options->no_browser && *provider.device_endpoint);
    int rc = by_device ? login_device(cli, &provider, &answer, err)
                       : login_browser(cli, &provider, !options->no_browser, &answer, err);
    if (rc < 0 || tokens_accept(cli, &provider, answer, &tokens, err) < 0)
        return -1;
    auto_fd int lock = credentials_lock(cli, err);
    if (lock < 0 || credentials_store(cli, &provider, &tokens, err) < 0)
        return -1;
    cli_say(cli, "Logged in successfully");
    return 0;
}

static int run_logout(Cli *cli, const void *given, Error *err)
{
    (void)given;
    Provider provider = {0};
    if (find_provider(cli, false, &provider, err) < 0 ||
        credentials_forget(cli, &provider, err) < 0)
        return -1;
    cli_say(cli, "The login is forgotten");
    return 0;
}

static int print_token(Cli *cli, const char *token, Error *err)
{
    auto_buf Buf line = BUF_INIT(LINE_MAX_BYTES);
    buf_printf(&line, "%s\n", token);
    return cli_put(cli, buf_str(&line), err);
}

static int run_access_token(Cli *cli, const void *given, Error *err)
{
    (void)given;
    const char *url = NULL;
    const char *token = NULL;
    if (server_url(cli, &url, err) < 0 || tokens_current(cli, url, &token, err) < 0)
        return -1;
    return print_token(cli, token, err);
}

static int run_refresh_token(Cli *cli, const void *given, Error *err)
{
    (void)given;
    Provider provider = {0};
    Credentials tokens = {0};
    if (find_provider(cli, false, &provider, err) < 0 ||
        credentials_load(cli, &provider, &tokens, err) < 0)
        return -1;
    if (!tokens.refresh_token)
        return error_set(err, ERR_LOGIN, "the login has no refresh token");
    return print_token(cli, tokens.refresh_token, err);
}

static int run_why(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    Json *answer = NULL;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    if (settings_id(cli, SETTINGS_JOB, options->id, &id, err) < 0)
        return -1;
    buf_addz(&path, "/auth/why/");
    api_add_segment(&path, str_of(id));
    if (api_get_path(cli, &path, &answer, err) < 0)
        return settings_no_job(id, err);
    if (options->json)
        return print_json(cli, answer, err);
    auto_buf Buf text = BUF_INIT(LINE_MAX_BYTES);
    const Json *needs = json_get(answer, "model_groups");
    const Json *actions = json_get(answer, "actions");
    const char *not_yours = str_eqz(json_text(answer, "code", STR("")), "access.public_only")
                                ? "  (this server does not show it)"
                                : "  (you are not in it)";
    buf_printf(&text, "%s: %.*s\n", id, STR_ARG(json_text(answer, "reason", STR(""))));
    buf_addz(&text, "Its model groups:\n");
    for (const Json *group = needs ? needs->first : NULL; group; group = group->next)
        buf_printf(&text, "  %.*s%s\n", STR_ARG(json_text(group, "name", STR(""))),
                   json_bool(group, "is_yours", false) ? "" : not_yours);
    for (const Json *item = actions ? actions->first : NULL; item; item = item->next)
        if (!json_bool(item, "allowed", true) &&
            !str_eqz(json_text(item, "action", STR("")), "log.read"))
            buf_printf(&text, "%.*s\n", STR_ARG(json_text(item, "reason", STR(""))));
    if (json_bool(answer, "is_read_only", false))
        buf_addz(&text, "This login may look at things and change nothing.\n");
    return print_text(cli, buf_str(&text), err);
}

const Command commands_login = {
    .path = "login",
    .aliases = "auth login",
    .section = COMMAND_SYSTEM,
    .summary = "Log in to the server that HAWK_API_URL names",
    .description =
        "Gets tokens from the server's identity provider, in the browser or with --device by a "
        "code. "
        "They are kept in the desktop's Secret Service where there is one, else in a file that "
        "only you can read; HAWK_CREDENTIALS=file or keyring chooses. They are renewed when "
        "needed. "
        "In scripts set HAWK_ACCESS_TOKEN instead.",
    .examples = "hawk login --device",
    .spec = {.rows = login_rows, .n_rows = ARRAY_LEN(login_rows), .size = sizeof(Options)},
    .run = run_login,
};

const Command commands_logout = {
    .path = "logout",
    .aliases = "auth logout",
    .section = COMMAND_SYSTEM,
    .summary = "Forget the login",
    .spec = {.size = sizeof(Options)},
    .run = run_logout,
};

const Command commands_auth_access_token = {
    .path = "auth access-token",
    .section = COMMAND_SYSTEM,
    .summary = "Print the access token, renewed when needed",
    .spec = {.size = sizeof(Options)},
    .run = run_access_token,
};

const Command commands_auth_refresh_token = {
    .path = "auth refresh-token",
    .section = COMMAND_SYSTEM,
    .summary = "Print the refresh token of the login",
    .spec = {.size = sizeof(Options)},
    .run = run_refresh_token,
};

const Command commands_auth_why = {
    .path = "auth why",
    .section = COMMAND_SYSTEM,
    .summary = "Say why you may or may not see a job",
    .spec = {.rows = why_rows,
             .n_rows = ARRAY_LEN(why_rows),
             .args = why_args,
             .n_args = ARRAY_LEN(why_args),
             .size = sizeof(Options)},
    .run = run_why,
};
