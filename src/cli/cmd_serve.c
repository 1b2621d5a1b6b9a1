/* hawk serve: the API server, in the foreground or looked at and ended from outside. */

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "cli/commands.h"
#include "cli/local.h"
#include "cli/print.h"
#include "server/server.h"

enum { LINE_MAX_BYTES = 8192 };

typedef struct Options {
    const char *data;
    const char *cache;
    const char *address;
    const char *viewer;
    int64_t port;
    int64_t max_running;
    int64_t importers;
    bool adopt;
    bool single_user;
    bool log_json;
    bool log_requests;
    bool debug;
    bool foreground;
    bool background;
    bool stop;
    bool status;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"data", 0, OPT_FOLDER, offsetof(Options, data), "Data folder; default: HAWK_DATA, else the state folder of the user"},
    {"cache", 0, OPT_FOLDER, offsetof(Options, cache), "Folder of virtualenvs and viewers; default: HAWK_CACHE, else the cache folder of the user"},
    {"listen", 0, OPT_TEXT, offsetof(Options, address), "Address; only this machine's own without an identity provider",
     .metavar = "ADDRESS", .fallback = "127.0.0.1"},
    {"port", 0, OPT_INT, offsetof(Options, port), "Port, 0 for any free one; default: 8137, or any free one when that is taken", .fallback = "-1", .min = -1, .max = 65535, .hides_default = true},
    {"max-running", 0, OPT_INT, offsetof(Options, max_running), "How many jobs run at a time", .fallback = "4", .min = 1, .max = 10000},
    {"importers", 0, OPT_INT, offsetof(Options, importers), "How many logs are imported at a time", .fallback = "2", .min = 1, .max = 32},
    {"viewer", 0, OPT_FOLDER, offsetof(Options, viewer), "Inspect's log viewer as its wheel has it; default: the newest that is found"},
    {"adopt-database", 0, OPT_FLAG, offsetof(Options, adopt), "Take over a database of another store, and jobs of another data folder, whose server has ended"},
    {"single-user", 0, OPT_FLAG, offsetof(Options, single_user), "Serve a database that had an identity provider to you alone, without a login"},
    {"log-json", 0, OPT_FLAG, offsetof(Options, log_json), "Log lines as JSON"},
    {"log-requests", 0, OPT_FLAG, offsetof(Options, log_requests), "Log a line for every request"},
    {"debug", 0, OPT_FLAG, offsetof(Options, debug), "Log more"},
    {"foreground", 0, OPT_FLAG, offsetof(Options, foreground), "Stay in the foreground, as it does anyway"},
    {"background", 0, OPT_FLAG, offsetof(Options, background), "Start it in the background and return when it answers"},
    {"stop", 0, OPT_FLAG, offsetof(Options, stop), "End the server of the data folder; its jobs go on"},
    {"status", 0, OPT_FLAG, offsetof(Options, status), "Say whether a server runs on the data folder; 5 when none does"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "With --status and --background: print JSON"},
};
/* clang-format on */

static int print_local(Cli *cli, const Options *options, const Local *local, Error *err)
{
    if (options->json) {
        Json *answer = json_new(cli->arena, JSON_OBJECT);
        json_set(answer, STR("url"), json_new_str(cli->arena, str_of(local->url)));
        json_set(answer, STR("pid"), json_new_int(cli->arena, local->pid));
        json_set(answer, STR("version"), json_new_str(cli->arena, str_of(local->version)));
        json_set(answer, STR("started_at"), json_new_str(cli->arena, str_of(local->started_at)));
        json_set(answer, STR("data"), json_new_str(cli->arena, str_of(local->data_dir)));
        return print_json(cli, answer, err);
    }
    auto_buf Buf line = BUF_INIT(LINE_MAX_BYTES);
    buf_printf(&line, "hawk %s runs at %s (process %d, data in %s)\n", local->version, local->url,
               (int)local->pid, local->data_dir);
    return print_text(cli, buf_str(&line), err);
}

static int run_status(Cli *cli, const Options *options, const char *data_dir, Error *err)
{
    Local local = {0};
    if (!local_find(cli->arena, data_dir, &local))
        return error_set(err, ERR_NOT_FOUND, "no server runs on %s", data_dir);
    return print_local(cli, options, &local, err);
}

static int run_stop(Cli *cli, const char *data_dir, Error *err)
{
    Local local = {0};
    if (!local_find(cli->arena, data_dir, &local)) {
        cli_say(cli, "No server runs on %s.", data_dir);
        return 0;
    }
    if (local_stop(cli->arena, &local, err) < 0)
        return -1;
    cli_say(cli, "The server at %s has ended.", local.url);
    return 0;
}

static int run_background(Cli *cli, const Options *options, const char *data_dir, int port,
                          Error *err)
{
    auto_free char *port_text = mem_printf("%d", port);
    auto_free char *running = mem_printf("%lld", (long long)options->max_running);
    auto_free char *importers = mem_printf("%lld", (long long)options->importers);
    const char *further[14] = {"--listen", options->address, "--max-running",
                               running,    "--importers",    importers};
    size_t n = 6;
    if (port >= 0) {
        further[n++] = "--port";
        further[n++] = port_text;
    }
    if (options->adopt)
        further[n++] = "--adopt-database";
    if (options->single_user)
        further[n++] = "--single-user";
    if (options->log_json)
        further[n++] = "--log-json";
    if (options->log_requests)
        further[n++] = "--log-requests";
    if (options->debug)
        further[n++] = "--debug";
    Local local = {0};
    if (local_find(cli->arena, data_dir, &local))
        cli_say(cli, "A server runs already.");
    else if (local_start(cli->arena, data_dir, further, &local, err) < 0)
        return -1;
    return print_local(cli, options, &local, err);
}

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *data_dir = local_data_dir(cli->arena, options->data);
    int port = (int)options->port;
    if (options->stop + options->status + options->background + options->foreground > 1)
        return error_set(err, ERR_USAGE,
                         "--stop, --status, --background and --foreground exclude each other");
    if (options->stop)
        return run_stop(cli, data_dir, err);
    if (options->status)
        return run_status(cli, options, data_dir, err);
    if (options->background)
        return run_background(cli, options, data_dir, port, err);
    log_setup(options->debug ? LOG_DEBUG : LOG_INFO, options->log_json);
    auto_free char *self = process_self_path();
    ServerOptions server = {.data_dir = data_dir,
                            .cache_dir = options->cache,
                            .address = options->address,
                            .port = port,
                            .max_running = (int)options->max_running,
                            .n_importers = (int)options->importers,
                            .adopts_database = options->adopt,
                            .is_single_user = options->single_user,
                            .log_requests = options->log_requests,
                            .program = self,
                            .viewer_dir = options->viewer};
    return server_run(&server, err);
}

const Command commands_serve = {
    .path = "serve",
    .section = COMMAND_SYSTEM,
    .summary = "Run the API server",
    .description =
        "One process with every role, on SQLite and a folder. The other commands start it in the "
        "background when HAWK_API_URL is not set and none runs. On a terminal it runs until "
        "Ctrl-C; "
        "jobs go on without it and are found again by the next one.",
    .examples = "hawk serve --status\nhawk serve --data /srv/hawk --port 8137 --log-json",
    .spec = {.rows = rows, .n_rows = ARRAY_LEN(rows), .size = sizeof(Options)},
    .run = run,
};
