/* hawk watch: live progress of an eval set or a scan. */

#include <unistd.h>

#include "cli/commands.h"
#include "cli/settings.h"
#include "cli/watch.h"

typedef struct Options {
    const char *id;
    bool no_follow;
    bool json;
    bool exit_status;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"no-follow", 0, OPT_FLAG, offsetof(Options, no_follow), "Print what is now and leave"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON: with following one status per line"},
    {"exit-status", 0, OPT_FLAG, offsetof(Options, exit_status), "Leave with 1 when it failed"},
};
static const OptArg args[] = {
    {"JOB_ID", OPT_TEXT, offsetof(Options, id), "The eval set or scan; default: the last job", .is_optional = true, .completer = "jobs"},
};
/* clang-format on */

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    if (settings_id(cli, SETTINGS_JOB, options->id, &id, err) < 0)
        return -1;
    WatchOptions watch = {.out = stdout,
                          .redraws = cli->out_is_tty,
                          .colours = cli->out_colours,
                          .json = options->json,
                          .once = options->no_follow};
    WatchResult result = {0};
    if (watch_follow(cli, id, &watch, &result, err) < 0)
        return settings_no_job(id, err);
    settings_keep_id(cli, SETTINGS_JOB, id);
    if (result.is_over && !result.succeeded && result.why[0] && !options->json)
        cli_say(cli, "%s", result.why);
    return options->exit_status && result.is_over && !result.succeeded ? 1 : 0;
}

const Command commands_watch = {
    .path = "watch",
    .section = COMMAND_LOOK,
    .summary = "Show the progress of an eval set or a scan to its end",
    .examples = "hawk watch\nhawk watch my-set-0123456789abcdef --exit-status && echo passed",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run,
};
