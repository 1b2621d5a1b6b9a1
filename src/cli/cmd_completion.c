/* hawk completion: scripts for shells, made from the tables. */

#include "cli/commands.h"

typedef struct Options {
    const char *shell;
} Options;

static int run(Cli *cli, const void *options, Error *err)
{
    (void)cli;
    (void)options;
    return error_set(err, ERR_UNSUPPORTED, "not built yet");
}

static const OptArg args[] = {
    {"SHELL", OPT_CHOICE, offsetof(Options, shell), "bash, zsh or fish",
     .choices = "bash|zsh|fish"},
};

const Command commands_completion = {
    .path = "completion",
    .section = COMMAND_SYSTEM,
    .summary = "Print a completion script for a shell",
    .spec = {.args = args, .n_args = ARRAY_LEN(args), .size = sizeof(Options)},
    .run = run,
};
