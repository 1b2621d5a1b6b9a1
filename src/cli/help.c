/* Texts made from the command table. */

#include "cli/help.h"

#include <string.h>

#include "base/mem.h"
#include "base/term.h"

enum { NAME_COLUMN = 24, GROUP_MAX = 16 };

/* clang-format off */
static const char *const titles[] = {
    [COMMAND_RUN]    = "Run",
    [COMMAND_LOOK]   = "Look",
    [COMMAND_FETCH]  = "Fetch",
    [COMMAND_CHECK]  = "Check a config",
    [COMMAND_SYSTEM] = "Server and program",
};
/* clang-format on */

static const char intro[] =
    "hawk runs Inspect AI evaluations from one YAML file, on this machine or on a cluster.";

/* The lines of a text, one after the other. */
static bool next_line(Str *rest, Str *ret)
{
    return str_split(rest, '\n', ret) && !(ret->n == 0 && !rest->p);
}

static void add_row(Buf *ret, Str name, const char *summary, int columns)
{
    size_t start = ret->len;
    buf_addz(ret, "  ");
    buf_add_str(ret, name);
    do
        buf_addc(ret, ' ');
    while (ret->len - start < NAME_COLUMN);
    term_add_wrapped(ret, str_of(summary), (int)(ret->len - start), NAME_COLUMN, columns);
    buf_addc(ret, '\n');
}

static const CommandGroup *folded_group_of(const Command *command)
{
    for (size_t i = 0; i < command_groups_n; i++) {
        const CommandGroup *group = &command_groups[i];
        size_t n = strlen(group->name);
        if (group->is_folded && strncmp(command->path, group->name, n) == 0 &&
            command->path[n] == ' ')
            return group;
    }
    return NULL;
}

/* A group stands once, where its first command would. */
static bool is_first_of(const CommandGroup *group, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (folded_group_of(command_rows[i]) == group)
            return false;
    return true;
}

static void add_section(Buf *ret, CommandSection section, int columns)
{
    for (size_t i = 0; i < command_rows_n; i++) {
        const Command *command = command_rows[i];
        if (command->section != section)
            continue;
        const CommandGroup *group = folded_group_of(command);
        if (!group) {
            add_row(ret, str_of(command->path), command->summary, columns);
        } else if (is_first_of(group, i)) {
            auto_free char *name = mem_printf("%s COMMAND", group->name);
            add_row(ret, str_of(name), group->summary, columns);
        }
    }
}

void help_add_program(Buf *ret, int columns)
{
    buf_printf(ret, "%s\n\nusage: hawk COMMAND [OPTIONS] [ARGUMENTS]\n", intro);
    for (size_t section = 0; section < ARRAY_LEN(titles); section++) {
        buf_printf(ret, "\n%s\n", titles[section]);
        add_section(ret, (CommandSection)section, columns);
    }
    buf_addz(
        ret,
        "\nExamples\n"
        "  hawk eval-set run examples/hello.eval-set.yaml --watch\n"
        "  hawk list samples && hawk transcript SAMPLE_UUID\n"
        "\n'hawk COMMAND --help' says more; all commands have --no-start and --no-input too.\n");
}

void help_add_group(Buf *ret, const CommandGroup *group, int columns)
{
    buf_printf(ret, "usage: hawk %s COMMAND [OPTIONS] [ARGUMENTS]\n\n%s.\n\nCommands:\n",
               group->name, group->summary);
    size_t n = strlen(group->name);
    for (size_t i = 0; i < command_rows_n; i++) {
        Str path = str_of(command_rows[i]->path);
        if (command_rows[i]->section != COMMAND_HIDDEN && path.n > n && path.p[n] == ' ' &&
            str_starts(path, str_of(group->name)))
            add_row(ret, str_slice(path, n + 1, path.n), command_rows[i]->summary, columns);
    }
    if (group->otherwise)
        buf_printf(ret, "\n'hawk %s X' is short for 'hawk %s %s X'.\n", group->name, group->name,
                   group->otherwise);
}

/* A description: paragraphs are wrapped, indented lines stay. */
static void add_paragraphs(Buf *ret, const char *text, int columns)
{
    Str rest = str_of(text);
    Str line = STR_NONE;
    while (next_line(&rest, &line)) {
        if (line.n && line.p[0] == ' ')
            buf_add_str(ret, line);
        else
            term_add_wrapped(ret, line, 0, 0, columns);
        buf_addc(ret, '\n');
    }
}

static void add_examples(Buf *ret, const Command *command, const char *before, const char *after)
{
    Str rest = str_of(command->examples);
    Str line = STR_NONE;
    while (next_line(&rest, &line)) {
        buf_addz(ret, before);
        buf_add_str(ret, line);
        buf_addz(ret, after);
    }
}

static void add_aliases(Buf *ret, const Command *command, const char *mark)
{
    Str rest = str_of(command->aliases);
    Str alias = STR_NONE;
    while (str_split(&rest, '|', &alias))
        buf_printf(ret, " %shawk %.*s%s", mark, STR_ARG(alias), mark);
}

void help_add_command(Buf *ret, const Command *command, int columns)
{
    buf_printf(ret, "usage: hawk %s ", command->path);
    opt_add_usage(&command->spec, ret);
    buf_printf(ret, "\n\n%s.\n", command->summary);
    if (command->description) {
        buf_addc(ret, '\n');
        add_paragraphs(ret, command->description, columns);
    }
    opt_add_help(&command->spec, columns, ret);
    buf_addz(ret, "\nOptions of all commands:");
    auto_buf Buf global = BUF_INIT(16384);
    opt_add_help(cli_global_spec(), columns, &global);
    ptrdiff_t at = str_find_str(buf_str(&global), STR("Options:"));
    buf_add_str(ret, str_slice(buf_str(&global), (size_t)at + strlen("Options:"), global.len));
    if (command->examples) {
        buf_addz(ret, "\nExamples:\n");
        add_examples(ret, command, "  ", "\n");
    }
    if (command->aliases) {
        buf_addz(ret, "\nAlso:");
        add_aliases(ret, command, "");
        buf_addc(ret, '\n');
    }
}

static void add_roff_line(Buf *ret, const char *macro, Str text)
{
    buf_addz(ret, macro);
    opt_add_roff(text, ret);
    buf_addc(ret, '\n');
}

/* Paragraphs as roff: an empty line begins a new one, indented lines are kept as they are. */
static void add_man_paragraphs(Buf *ret, const char *text)
{
    Str rest = str_of(text);
    Str line = STR_NONE;
    bool kept = false;
    while (next_line(&rest, &line)) {
        bool keep = line.n && line.p[0] == ' ';
        if (keep != kept)
            buf_addz(ret, keep ? ".nf\n" : ".fi\n");
        kept = keep;
        if (line.n == 0)
            buf_addz(ret, ".PP\n");
        else
            add_roff_line(ret, "", line);
    }
    if (kept)
        buf_addz(ret, ".fi\n");
}

static void add_man_command(Buf *ret, const Command *command)
{
    auto_buf Buf usage = BUF_INIT(4096);
    buf_printf(&usage, "hawk %s ", command->path);
    opt_add_usage(&command->spec, &usage);
    add_roff_line(ret, ".SS ", buf_str(&usage));
    buf_printf(ret, "%s.\n", command->summary);
    if (command->description) {
        buf_addz(ret, ".PP\n");
        add_man_paragraphs(ret, command->description);
    }
    opt_add_man(&command->spec, ret);
    if (command->examples) {
        buf_addz(ret, ".PP\n.nf\n");
        Str rest = str_of(command->examples);
        Str line = STR_NONE;
        while (next_line(&rest, &line))
            add_roff_line(ret, "", line);
        buf_addz(ret, ".fi\n");
    }
}

typedef struct Pair {
    const char *name;
    const char *text;
} Pair;

/* clang-format off */
static const Pair statuses[] = {
    {"0",   "done"},
    {"1",   "the thing itself failed: a run, an install, the disk"},
    {"2",   "the command line or the config is wrong"},
    {"3",   "not logged in"},
    {"4",   "denied"},
    {"5",   "not found"},
    {"6",   "conflict: it exists, runs or has changed"},
    {"75",  "try again later: busy, unreachable, timed out"},
    {"130", "cancelled"},
};

static const Pair variables[] = {
    {"HAWK_API_URL",       "The server; unset: the local one of the data folder. Also read from .env in this folder and from the env file below."},
    {"HAWK_ACCESS_TOKEN",  "The token to show to a server that HAWK_API_URL names; not to one that only the .env of this folder names."},
    {"HAWK_ALLOW_HTTP",    "1: talk to a server of another machine by plain http too. Not read from the .env of this folder."},
    {"HAWK_LOG_VIEWER_URL", "The viewer, when it is not the server's."},
    {"HAWK_VERSION_CHECK", "\"off\" leaves out the question which version the server has, \"block\" makes a difference an error."},
    {"HAWK_DATA",          "The data folder of the local server; default: $XDG_STATE_HOME/hawk."},
    {"HAWK_CACHE",         "Virtualenvs and viewers; default: $XDG_CACHE_HOME/hawk."},
    {"HAWK_VENVS_KEPT",    "How many virtualenvs stay in the cache that no run uses; default: 20, those used last."},
    {"NO_COLOR",           "When set, no colours."},
};

static const Pair files[] = {
    {"~/.config/hawk-cli/env",              "HAWK_ variables of this user, NAME=value."},
    {"~/.config/hawk-cli/last-eval-set-id", "The eval set that commands without an id mean; last-job-id likewise."},
};
/* clang-format on */

static void add_man_pairs(Buf *ret, const char *title, const Pair *pairs, size_t n)
{
    buf_printf(ret, ".SH %s\n", title);
    for (size_t i = 0; i < n; i++) {
        add_roff_line(ret, ".TP\n.B ", str_of(pairs[i].name));
        add_roff_line(ret, "", str_of(pairs[i].text));
    }
}

void help_add_man(Buf *ret)
{
    buf_printf(ret, ".TH HAWK 1 \"\" \"hawk %s\" \"User Commands\"\n.SH NAME\n", HAWK_VERSION);
    buf_addz(ret, "hawk \\- run Inspect AI evaluations\n.SH SYNOPSIS\n.B hawk\n.I COMMAND\n"
                  "[OPTIONS] [ARGUMENTS]\n.SH DESCRIPTION\n");
    add_roff_line(ret, "", str_of(intro));
    for (size_t section = 0; section < ARRAY_LEN(titles); section++) {
        add_roff_line(ret, ".SH ", str_of(titles[section]));
        for (size_t i = 0; i < command_rows_n; i++)
            if (command_rows[i]->section == (CommandSection)section)
                add_man_command(ret, command_rows[i]);
    }
    buf_addz(ret, ".SH OPTIONS OF ALL COMMANDS\n");
    opt_add_man(cli_global_spec(), ret);
    add_man_pairs(ret, "EXIT STATUS", statuses, ARRAY_LEN(statuses));
    add_man_pairs(ret, "ENVIRONMENT", variables, ARRAY_LEN(variables));
    add_man_pairs(ret, "FILES", files, ARRAY_LEN(files));
}

static void add_markdown_pairs(Buf *ret, const char *title, const Pair *pairs, size_t n)
{
    buf_printf(ret, "\n## %s\n\n| | |\n| --- | --- |\n", title);
    for (size_t i = 0; i < n; i++)
        buf_printf(ret, "| `%s` | %s |\n", pairs[i].name, pairs[i].text);
}

static void add_markdown_command(Buf *ret, const Command *command)
{
    buf_printf(ret, "\n### hawk %s\n\n%s.\n\n    hawk %s ", command->path, command->summary,
               command->path);
    opt_add_usage(&command->spec, ret);
    buf_addc(ret, '\n');
    if (command->aliases) {
        buf_addz(ret, "\nAlso:");
        add_aliases(ret, command, "`");
        buf_addc(ret, '\n');
    }
    if (command->description) {
        buf_printf(ret, "\n%s\n", command->description);
    }
    opt_add_markdown(&command->spec, ret);
    if (command->examples) {
        buf_addz(ret, "\nExamples:\n\n");
        add_examples(ret, command, "    ", "\n");
    }
}

void help_add_markdown(Buf *ret)
{
    buf_printf(
        ret,
        "# The command line\n\nMade from the tables of the program by `hawk docs-cli`.\n\n%s\n",
        intro);
    for (size_t section = 0; section < ARRAY_LEN(titles); section++) {
        buf_printf(ret, "\n## %s\n", titles[section]);
        for (size_t i = 0; i < command_rows_n; i++)
            if (command_rows[i]->section == (CommandSection)section)
                add_markdown_command(ret, command_rows[i]);
    }
    buf_addz(ret, "\n## Options of all commands\n");
    opt_add_markdown(cli_global_spec(), ret);
    add_markdown_pairs(ret, "Exit status", statuses, ARRAY_LEN(statuses));
    add_markdown_pairs(ret, "Environment", variables, ARRAY_LEN(variables));
    add_markdown_pairs(ret, "Files", files, ARRAY_LEN(files));
}
