/* Dispatch: words to a command, options to its record, an error to text and an exit status.

   Nothing is opened or read before the command is known, so that `hawk --version` and completion
   cost nothing. */

#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/term.h"
#include "cli/api.h"
#include "cli/command.h"
#include "cli/help.h"
#include "codec/json_out.h"

enum {
    WORDS_MAX = 4, /* of a command's path, and "help" */
    NAMES_MAX = 128,
    TEXT_MAX = 1 << 20,
    EXIT_PIPE = 141, /* the reader of our output left, as a shell shows it */
};

/* clang-format off */
static const OptRow global_rows[] = {
    {"help", 'h', OPT_STOP, offsetof(CliGlobals, help), "Show this help"},
    {"no-start", 0, OPT_FLAG, offsetof(CliGlobals, no_start), "Do not start a local server when none runs"},
    {"no-input", 0, OPT_FLAG, offsetof(CliGlobals, no_input), "Never ask; fail where a question would be asked"},
    {"json", 0, OPT_FLAG, offsetof(CliGlobals, json), "Say what goes wrong in JSON, in commands that print none", .is_hidden = true},
};
/* clang-format on */

static const OptSpec global_spec = {
    .rows = global_rows, .n_rows = ARRAY_LEN(global_rows), .size = sizeof(CliGlobals)};

const OptSpec *cli_global_spec(void)
{
    return &global_spec;
}

int cli_put(Cli *cli, Str bytes, Error *err)
{
    (void)cli;
    if (bytes.n && fwrite(bytes.p, 1, bytes.n, stdout) != bytes.n)
        return error_errno(err, errno, "cannot write the output");
    return 0;
}

HAWK_PRINTF(2, 0)
static void say(const char *before, const char *fmt, va_list args)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    auto_buf Buf safe = BUF_INIT(TEXT_MAX);
    buf_addz(&text, before);
    buf_vprintf(&text, fmt, args);
    term_add_text(&safe, buf_str(&text));
    buf_addc(&safe, '\n');
    (void)fflush(stdout);
    (void)fwrite(safe.data, 1, safe.len, stderr);
}

void cli_say(const Cli *cli, const char *fmt, ...)
{
    (void)cli;
    va_list args;
    va_start(args, fmt);
    say("", fmt, args);
    va_end(args);
}

void cli_warn(const Cli *cli, const char *fmt, ...)
{
    (void)cli;
    va_list args;
    va_start(args, fmt);
    say("Warning: ", fmt, args);
    va_end(args);
}

bool cli_may_ask(const Cli *cli)
{
    return !cli->globals.no_input && isatty(STDIN_FILENO) && cli->err_is_tty;
}

bool cli_ask(const Cli *cli, bool otherwise, const char *fmt, ...)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    auto_buf Buf safe = BUF_INIT(TEXT_MAX);
    term_add_text(&safe, buf_str(&text));
    (void)cli;
    fprintf(stderr, "%s [%s] ", safe.data, otherwise ? "Y/n" : "y/N");
    (void)fflush(stderr);
    char answer[64] = "";
    if (!fgets(answer, sizeof(answer), stdin))
        return false;
    Str word = str_trim(str_of(answer));
    if (word.n == 0)
        return otherwise;
    return str_eq_nocase(word, STR("y")) || str_eq_nocase(word, STR("yes"));
}

int cli_api(Cli *cli, Api **ret, Error *err)
{
    if (!cli->api && api_open(cli, &cli->api, err) < 0)
        return -1;
    *ret = cli->api;
    return 0;
}

/* The name of a command behind "<group> ", or its first word when group is NULL; in the arena. */
static const char *name_in(Arena *arena, const Command *command, const char *group)
{
    Str path = str_of(command->path);
    if (group) {
        size_t n = strlen(group);
        if (!str_starts(path, str_of(group)) || path.n <= n || path.p[n] != ' ')
            return NULL;
        path = str_slice(path, n + 1, path.n);
    }
    Str word = STR_NONE;
    (void)str_split(&path, ' ', &word);
    return arena_strndup(arena, word.p, word.n);
}

/* What was probably meant by a word after a group, or as the first one. */
static const char *closest_command(Arena *arena, const char *word, const char *group)
{
    const char *names[NAMES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < command_rows_n && n < NAMES_MAX; i++) {
        const char *name = name_in(arena, command_rows[i], group);
        if (name && command_rows[i]->section != COMMAND_HIDDEN)
            names[n++] = name;
    }
    return opt_closest(str_of(word), names, n);
}

static int no_such_command(Cli *cli, const char *group, const char *word, Error *err)
{
    (void)error_set(err, ERR_USAGE, "no such command: hawk %s%s%s", group ? group : "",
                    group ? " " : "", word);
    const char *close = closest_command(cli->arena, word, group);
    if (close)
        (void)error_fix(err, "did you mean hawk %s%s%s?", group ? group : "", group ? " " : "",
                        close);
    else
        (void)error_fix(err, "see hawk %s%s--help", group ? group : "", group ? " " : "");
    return -1;
}

/* What the command line says, before any option of a command is looked at. */
typedef struct Line {
    const char *words[WORDS_MAX];
    size_t n_words;
    bool wants_help;
    bool wants_version;
    char **rest; /* the arguments without the command's path; the array is in the arena */
    int n_rest;
} Line;

/* Collects the first words; options in front of them can only be global flags. */
static void read_line(Cli *cli, int argc, char **argv, Line *line)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            break;
        if (strcmp(argv[i], "--json") == 0)
            cli->wants_json = true;
    }
    for (int i = 1; i < argc && line->n_words < WORDS_MAX; i++) {
        if (argv[i][0] != '-') {
            line->words[line->n_words++] = argv[i];
        } else if (line->n_words > 0 || strcmp(argv[i], "-") == 0) {
            break;
        } else if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
            line->wants_version = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            line->wants_help = true;
        }
    }
}

/* The arguments without the first n words that are no options. */
static void cut_words(Cli *cli, int argc, char **argv, size_t n, Line *line)
{
    line->rest = arena_array(cli->arena, (size_t)argc + 1, sizeof(*line->rest));
    for (int i = 1; i < argc; i++) {
        if (n > 0 && argv[i][0] != '-')
            n--;
        else
            line->rest[line->n_rest++] = argv[i];
    }
}

static int show(Cli *cli, const Buf *text, int status, Error *err)
{
    return cli_put(cli, buf_str(text), err) < 0 ? -1 : status;
}

static int show_command(Cli *cli, const Command *command, Error *err)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    help_add_command(&text, command, term_columns(STDOUT_FILENO));
    return show(cli, &text, 0, err);
}

static int run_command(Cli *cli, const Command *command, const Line *line, Error *err)
{
    cli->command = command;
    if (line->wants_help)
        return show_command(cli, command, err);
    void *record = arena_alloc(cli->arena, command->spec.size + 1);
    OptTarget targets[] = {{&command->spec, record}, {&global_spec, &cli->globals}};
    if (opt_parse(cli->arena, targets, ARRAY_LEN(targets), line->n_rest, line->rest, err) < 0)
        return -1;
    if (cli->globals.help)
        return show_command(cli, command, err);
    return command->run(cli, record, err);
}

/* A group's name without a command of it: its default, its help, or an error. */
static int run_group(Cli *cli, const CommandGroup *group, size_t n_words, int argc, char **argv,
                     Line *line, Error *err)
{
    size_t n = 0;
    const char *next = line->n_words > n_words ? line->words[n_words] : NULL;
    cut_words(cli, argc, argv, n_words, line);
    if (next || line->n_rest > 0) {
        bool asks_help =
            line->wants_help ||
            (line->n_rest == 1 && !next &&
             (strcmp(line->rest[0], "--help") == 0 || strcmp(line->rest[0], "-h") == 0));
        bool is_typo =
            next && (!group->otherwise ||
                     (!fs_exists(next) && closest_command(cli->arena, next, group->name)));
        if (is_typo)
            return no_such_command(cli, group->name, next, err);
        const char *words[] = {group->name, group->otherwise};
        const Command *command = group->otherwise ? command_find(words, 2, &n) : NULL;
        if (command && !asks_help)
            return run_command(cli, command, line, err);
        line->wants_help = line->wants_help || asks_help;
    }
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    help_add_group(&text, group, term_columns(STDOUT_FILENO));
    return show(cli, &text, line->wants_help ? 0 : 2, err);
}

static int dispatch(Cli *cli, int argc, char **argv, Error *err)
{
    Line line = {0};
    read_line(cli, argc, argv, &line);
    if (line.wants_version)
        return printf("hawk %s\n", HAWK_VERSION) < 0 ? 1 : 0;
    if (line.n_words > 0 && strcmp(line.words[0], "help") == 0) {
        /* `hawk help X` is `hawk X --help`. */
        line.wants_help = true;
        memmove(line.words, line.words + 1, (WORDS_MAX - 1) * sizeof(line.words[0]));
        line.n_words--;
    }
    size_t n = 0;
    const Command *command = command_find(line.words, line.n_words, &n);
    if (command) {
        cut_words(cli, argc, argv, n, &line);
        return run_command(cli, command, &line, err);
    }
    if (line.n_words > 0) {
        const CommandGroup *group = command_group_find(line.words, line.n_words, &n);
        return group ? run_group(cli, group, n, argc, argv, &line, err)
                     : no_such_command(cli, NULL, line.words[0], err);
    }
    OptTarget global = {&global_spec, &cli->globals};
    if (!line.wants_help && opt_parse(cli->arena, &global, 1, argc - 1, argv + 1, err) < 0)
        return -1;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    help_add_program(&text, term_columns(STDOUT_FILENO));
    return show(cli, &text, 0, err);
}

/* What to do about an error that does not say so itself: programs that read errors can rely on
   there being something. */
typedef struct FixRow {
    ErrorKind kind;
    const char *fix;
} FixRow;

/* clang-format off */
static const FixRow fixes[] = {
    { ERR_BAD_DATA,    "correct what the message names and try again" },
    { ERR_NOT_FOUND,   "check the name; 'hawk list' shows what there is" },
    { ERR_CONFLICT,    "look at what is there already, or choose another name" },
    { ERR_LOGIN,       "run 'hawk login', or set HAWK_ACCESS_TOKEN" },
    { ERR_DENIED,      "ask whoever owns it or an administrator; 'hawk auth why ID' says which model groups are missing" },
    { ERR_BUSY,        "try again in a moment" },
    { ERR_TIMEOUT,     "try again in a moment" },
    { ERR_UNREACHABLE, "check that it runs and can be reached; 'hawk config' shows which address is used and why" },
    { ERR_NO_SPACE,    "make room on the disk and try again" },
    { ERR_IO,          "check the file or device that the message names" },
    { ERR_CANCELLED,   "run it again when it should go on" },
    { ERR_UNSUPPORTED, "see 'hawk --help' for what there is" },
    { ERR_FAILED,      "see the message and the log that it names" },
    { ERR_INTERNAL,    "this should not happen: report it with the message and the version" },
};
/* clang-format on */

static const char *fix_of(const Cli *cli, const Error *err)
{
    if (err->fix)
        return err->fix;
    if (err->kind == ERR_USAGE)
        return cli->command ? arena_printf(cli->arena, "see hawk %s --help", cli->command->path)
                            : "see hawk --help";
    for (size_t i = 0; i < ARRAY_LEN(fixes); i++)
        if (fixes[i].kind == err->kind)
            return fixes[i].fix;
    return "see hawk --help";
}

static void print_error_json(const Cli *cli, const Error *err)
{
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 0);
    json_out_object(&out);
    json_out_kv_object(&out, "error");
    json_out_kvz(&out, "code", err->code ? err->code : error_kind_name(err->kind));
    json_out_kvz(&out, "kind", error_kind_name(err->kind));
    json_out_kvz(&out, "message", error_text(err));
    json_out_kvz(&out, "fix", fix_of(cli, err));
    if (cli->diagnostics) {
        json_out_key(&out, STR("diagnostics"));
        json_out_raw(&out, str_of(cli->diagnostics));
    }
    json_out_end_object(&out);
    json_out_end_object(&out);
    fprintf(stderr, "%s\n", text.data);
}

static int report(const Cli *cli, const Error *err)
{
    if (cli->wants_json) {
        print_error_json(cli, err);
        return error_kind_exit(err->kind);
    }
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    term_add_colour(&text, cli->err_colours, TERM_RED, "Error:");
    fprintf(stderr, "%s ", text.data);
    cli_say(cli, "%s", error_text(err));
    if (err->fix)
        cli_say(cli, "%s", err->fix);
    if (err->kind == ERR_USAGE && cli->command)
        cli_say(cli, "See hawk %s --help", cli->command->path);
    return error_kind_exit(err->kind);
}

int cli_main(int argc, char **argv)
{
    /* A peer that hangs up must be an error of that call, not the end of the process. */
    (void)signal(SIGPIPE, SIG_IGN);
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Cli cli = {.arena = arena,
               .out_is_tty = isatty(STDOUT_FILENO),
               .err_is_tty = isatty(STDERR_FILENO),
               .out_colours = term_has_colours(STDOUT_FILENO),
               .err_colours = term_has_colours(STDERR_FILENO)};
    int status = dispatch(&cli, argc, argv, &err);
    api_close(cli.api);
    if (fflush(stdout) != 0 && status >= 0)
        status = error_errno(&err, errno, "cannot write the output");
    if (status < 0 && errno == EPIPE && ferror(stdout))
        return EXIT_PIPE;
    return status < 0 ? report(&cli, &err) : status;
}
