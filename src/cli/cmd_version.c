/* hawk version, hawk config: what this program and its server are, and what is set where. */

#include <stdlib.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/local.h"
#include "cli/print.h"
#include "cli/settings.h"

enum { TEXT_MAX = 64 << 10 };

typedef struct Options {
    bool json;
    bool origin;
} Options;

/* clang-format off */
static const OptRow version_rows[] = {
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"},
};
static const OptRow config_rows[] = {
    {"origin", 0, OPT_FLAG, offsetof(Options, origin), "Say where each value comes from"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"},
};

/* What `hawk config` shows, and the member of /auth/config that stands for an unset variable. */
static const struct { const char *name; const char *member; } shown[] = {
    {"HAWK_API_URL", NULL},
    {"HAWK_LOG_VIEWER_URL", "log_viewer_url"},
    {"HAWK_DATADOG_EVAL_SET_DASHBOARD_URL", "datadog_eval_set_dashboard_url"},
    {"HAWK_DATADOG_SCAN_DASHBOARD_URL", "datadog_scan_dashboard_url"},
    {"HAWK_MIDDLEMAN_URL", "middleman_url"},
    {"HAWK_RELAY_URL", "relay_url"},
    {"HAWK_VERSION_CHECK", NULL},
    {"HAWK_DATA", NULL},
    {"HAWK_CACHE", NULL},
};
/* clang-format on */

/* Neither command starts a server: they tell what is there. */
static bool server_version(Cli *cli, Str *ret_version, Error *failure)
{
    cli->globals.no_start = true;
    Json *answer = NULL;
    if (api_get(cli, "/version", &answer, failure) < 0)
        return false;
    *ret_version = api_version(answer);
    if (!ret_version->p)
        *ret_version = STR("unknown");
    return true;
}

static int run_version(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    auto_error Error failure = ERROR_INIT;
    Str server = STR_NONE;
    (void)setenv("HAWK_VERSION_CHECK", "off", 1);
    bool reached = server_version(cli, &server, &failure);
    if (options->json) {
        Json *answer = json_new(cli->arena, JSON_OBJECT);
        json_set(answer, STR("cli"), json_new_str(cli->arena, STR(HAWK_VERSION)));
        json_set(answer, STR("server"),
                 reached ? json_new_str(cli->arena, server) : json_new(cli->arena, JSON_NULL));
        return print_json(cli, answer, err);
    }
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    buf_printf(&text, "CLI:    %s\nServer: ", HAWK_VERSION);
    if (reached)
        buf_add_str(&text, server);
    else
        buf_printf(&text, "(%s)", error_text(&failure));
    buf_addc(&text, '\n');
    return print_text(cli, buf_str(&text), err);
}

/* Fills in what the server says about itself; nothing when none runs. */
static const Json *server_config(Cli *cli)
{
    auto_error Error ignored = ERROR_INIT;
    Json *config = NULL;
    cli->globals.no_start = true;
    return api_get(cli, "/auth/config", &config, &ignored) == 0 ? config : NULL;
}

static int run_config(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const Json *config = server_config(cli);
    Json *all = json_new(cli->arena, JSON_OBJECT);
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        Setting setting = {0};
        if (setting_find(cli, shown[i].name, &setting, err) < 0)
            return -1;
        Str value = str_of(setting.value);
        const char *origin = setting.origin;
        if (!value.p && shown[i].member) {
            value = json_text(config, shown[i].member, STR_NONE);
            origin = "server";
        }
        if (value.n == 0)
            continue;
        buf_printf(&text, "%s=%.*s", shown[i].name, STR_ARG(value));
        if (options->origin)
            buf_printf(&text, "  # %s", origin);
        buf_addc(&text, '\n');
        Json *item = json_new(cli->arena, JSON_OBJECT);
        json_set(item, STR("value"), json_new_str(cli->arena, value));
        json_set(item, STR("origin"), json_new_str(cli->arena, str_of(origin)));
        json_set(all, str_of(shown[i].name), item);
    }
    return options->json ? print_json(cli, all, err) : print_text(cli, buf_str(&text), err);
}

const Command commands_version = {
    .path = "version",
    .section = COMMAND_SYSTEM,
    .summary = "Print the versions of this program and of the server",
    .spec = {.rows = version_rows, .n_rows = ARRAY_LEN(version_rows), .size = sizeof(Options)},
    .run = run_version,
};

const Command commands_config = {
    .path = "config",
    .section = COMMAND_SYSTEM,
    .summary = "Print the settings that are in effect",
    .spec = {.rows = config_rows, .n_rows = ARRAY_LEN(config_rows), .size = sizeof(Options)},
    .run = run_config,
};
