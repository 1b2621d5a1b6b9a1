/* Command: one row says everything about a command of the program, and Cli is what a running
   command has at hand. A command is added by a file cmd_<name>.c that defines its row, and the
   row's place in commands.c. */
#ifndef HAWK_CLI_COMMAND_H
#define HAWK_CLI_COMMAND_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/opt.h"
#include "base/str.h"

typedef struct Api Api; /* cli/api.h */
typedef struct Cli Cli;
typedef struct Command Command;

/* Where a command stands in the help of the program. */
typedef enum CommandSection {
    COMMAND_RUN,
    COMMAND_LOOK,
    COMMAND_FETCH,
    COMMAND_CHECK,
    COMMAND_SYSTEM,
    COMMAND_HIDDEN,
} CommandSection;

/* Does the work of a command: results go to standard output through cli_put, talk to standard error
   through cli_say. Returns the exit status of the process, or -1 with the error set. `options` is
   the record that the row's table fills. */
typedef int CommandRun(Cli *cli, const void *options, Error *err);

struct Command {
    const char *path;    /* "eval-set run" */
    const char *aliases; /* other paths, "run|start"; or NULL */
    CommandSection section;
    const char *summary;     /* one phrase, a capital first, no final period */
    const char *description; /* paragraphs separated by an empty line; or NULL */
    const char *examples;    /* lines "hawk ..."; or NULL */
    OptSpec spec;
    CommandRun *run;
};

/* A word, or two, that stands before others: "list". A group with a default runs it when the next
   word is no command of the group. */
typedef struct CommandGroup {
    const char *name;
    const char *summary;
    const char *otherwise; /* "run"; or NULL */
    bool is_folded;        /* one line in the help of the program */
} CommandGroup;

/* All commands in the order of the help, and all groups. */
extern const Command *const command_rows[];
extern const size_t command_rows_n;
extern const CommandGroup command_groups[];
extern const size_t command_groups_n;

/* The command whose path or alias is the longest beginning of the words, and how many words that
 * is; NULL for none. */
const Command *command_find(const char *const *words, size_t n_words, size_t *ret_n);

/* The same for groups. */
const CommandGroup *command_group_find(const char *const *words, size_t n_words, size_t *ret_n);

/* Options that every command takes. */
typedef struct CliGlobals {
    bool help;
    bool no_start;
    bool no_input;
    bool json; /* for errors, in commands that have no such option themselves */
} CliGlobals;

struct Cli {
    Arena *arena; /* lives as long as the command */
    CliGlobals globals;
    const Command *command;
    bool wants_json; /* --json was given: errors are JSON too */
    bool out_is_tty;
    bool err_is_tty;
    bool out_colours;
    bool err_colours;
    Api *api;                /* opened by the first cli_api */
    const char *diagnostics; /* JSON array, part of an error about a config; or NULL */
};

/* Writes bytes to standard output, as they are. */
int cli_put(Cli *cli, Str bytes, Error *err) HAWK_MUST_USE;

/* Writes one line to standard error; cli_warn puts "Warning: " in front. Both make the text safe
 * for a terminal. */
void cli_say(const Cli *cli, const char *fmt, ...) HAWK_PRINTF(2, 3);
void cli_warn(const Cli *cli, const char *fmt, ...) HAWK_PRINTF(2, 3);

/* Whether a question may be asked: both ends are terminals and --no-input was not given. */
bool cli_may_ask(const Cli *cli);

/* Asks a question on standard error; true for "y" or "yes", `otherwise` for an empty answer. Only
 * when cli_may_ask. */
bool cli_ask(const Cli *cli, bool otherwise, const char *fmt, ...) HAWK_PRINTF(3, 4);

/* The connection to the server, opened (and a local server started) by the first call; the Cli
 * keeps it. */
int cli_api(Cli *cli, Api **ret, Error *err) HAWK_MUST_USE;

/* The table of the options that every command takes. */
const OptSpec *cli_global_spec(void);

#endif
