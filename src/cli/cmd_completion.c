/* hawk completion: scripts for shells. They ask `hawk complete` (hidden) at every TAB, so that
   they never grow old and can name eval sets and samples.

   `hawk complete WORDS...` gets the words of the line up to and with the one being written, and
   prints one candidate per line, a tab and what it is; a line ":files" or ":folders" leaves it to
   the shell. It starts no server and waits for none longer than a moment. */

#include <stdlib.h>
#include <string.h>

#include "base/term.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/settings.h"

enum { TEXT_MAX = 1 << 20, ASK_TIMEOUT_MS = 500, IDS_MAX = 50, WORDS_MAX = 3 };

typedef struct ScriptOptions {
    const char *shell;
} ScriptOptions;

typedef struct CompleteOptions {
    OptList words;
} CompleteOptions;

/* clang-format off */
static const char bash_script[] =
    "# hawk completion for bash: source it, or put it into ~/.local/share/bash-completion/completions/hawk\n"
    "_hawk() {\n"
    "    local line candidate\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"); return ;;\n"
    "        :folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- \"${COMP_WORDS[COMP_CWORD]}\"); return ;;\n"
    "        esac\n"
    "        candidate=${line%%$'\\t'*}\n"
    "        [[ $candidate == \"${COMP_WORDS[COMP_CWORD]}\"* ]] && COMPREPLY+=(\"$candidate\")\n"
    "    done < <(\"${COMP_WORDS[0]}\" complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _hawk hawk\n";

static const char zsh_script[] =
    "#compdef hawk\n"
    "# hawk completion for zsh: put it as _hawk into a folder of $fpath\n"
    "_hawk() {\n"
    "    local line\n"
    "    local -a candidates\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        (:files) _files; return ;;\n"
    "        (:folders) _files -/; return ;;\n"
    "        esac\n"
    "        candidates+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
    "    done < <(\"${words[1]}\" complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    _describe -t hawk 'hawk' candidates\n"
    "}\n"
    "if [ \"${funcstack[1]}\" = \"_hawk\" ]; then _hawk \"$@\"; else compdef _hawk hawk; fi\n";

static const char fish_script[] =
    "# hawk completion for fish: put it into ~/.config/fish/completions/hawk.fish\n"
    "function __hawk_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    set -l program $words[1]\n"
    "    set -e words[1]\n"
    "    for line in (command $program complete -- $words 2>/dev/null)\n"
    "        switch $line\n"
    "            case ':files'\n"
    "                __fish_complete_path (commandline -ct)\n"
    "            case ':folders'\n"
    "                __fish_complete_directories (commandline -ct)\n"
    "            case '*'\n"
    "                printf '%s\\n' $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c hawk -f -a '(__hawk_complete)'\n";

static const struct { const char *shell; const char *text; } scripts[] = {
    {"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script},
};

static const OptArg script_args[] = {
    {"SHELL", OPT_CHOICE, offsetof(ScriptOptions, shell), "bash, zsh or fish", .choices = "bash|zsh|fish"},
};
static const OptArg complete_args[] = {
    {"WORDS", OPT_LIST, offsetof(CompleteOptions, words), "The line so far, behind --"},
};

/* What a completer's word asks for: a list of the API and the member that is the id. */
static const struct { const char *completer; const char *path; const char *member; const char *about; } ids[] = {
    {"eval-sets", "/meta/eval-sets", "eval_set_id", "created_by"},
    {"jobs", "/meta/jobs", "job_id", "status"},
    {"samples", "/meta/samples", "uuid", "task_name"},
};
/* clang-format on */

static int run_script(Cli *cli, const void *given, Error *err)
{
    const ScriptOptions *options = given;
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        if (strcmp(scripts[i].shell, options->shell) == 0)
            return cli_put(cli, str_of(scripts[i].text), err);
    return error_set(err, ERR_INTERNAL, "no script for %s", options->shell);
}

static void add_candidate(Buf *ret, Str word, Str about)
{
    term_add_line(ret, word);
    buf_addc(ret, '\t');
    term_add_line(ret, about);
    buf_addc(ret, '\n');
}

static void add_choices(Buf *ret, const char *choices)
{
    Str rest = str_of(choices);
    Str one = STR_NONE;
    while (str_split(&rest, '|', &one))
        add_candidate(ret, one, STR_NONE);
}

/* The newest ids that the server knows; none when it does not answer at once. */
static void add_ids(Cli *cli, const char *completer, Buf *ret)
{
    auto_error Error ignored = ERROR_INIT;
    Api *api = NULL;
    cli->globals.no_start = true;
    (void)setenv("HAWK_VERSION_CHECK", "off", 1);
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        if (strcmp(ids[i].completer, completer) != 0)
            continue;
        auto_buf Buf path = BUF_INIT(TEXT_MAX);
        auto_buf Buf body = BUF_INIT(API_ANSWER_MAX);
        buf_addz(&path, ids[i].path);
        api_add_query_int(&path, "limit", IDS_MAX);
        ApiCall call = {.path = path.data, .timeout_ms = ASK_TIMEOUT_MS};
        Json *answer = NULL;
        if (cli_api(cli, &api, &ignored) < 0 || api_send(api, &call, &body, NULL, &ignored) < 0 ||
            api_parse(cli->arena, buf_str(&body), &answer, &ignored) < 0)
            return;
        const Json *items = json_get(answer, "items");
        for (const Json *item = items ? items->first : NULL; item; item = item->next)
            add_candidate(ret, json_text(item, ids[i].member, STR_NONE),
                          json_text(item, ids[i].about, STR_NONE));
    }
}

static void add_values(Cli *cli, OptKind kind, const char *choices, const char *completer, Buf *ret)
{
    if (choices)
        add_choices(ret, choices);
    else if (completer)
        add_ids(cli, completer, ret);
    else if (kind == OPT_FILE || kind == OPT_FILES)
        buf_addz(ret, ":files\n");
    else if (kind == OPT_FOLDER)
        buf_addz(ret, ":folders\n");
}

static bool takes_value(const OptRow *row)
{
    return row->kind != OPT_FLAG && row->kind != OPT_STOP;
}

/* The option that a word names, without '='. */
static const OptRow *option_of(const OptSpec *spec, Str word)
{
    for (size_t i = 0; i < spec->n_rows; i++) {
        const OptRow *row = &spec->rows[i];
        if (str_starts(word, STR("--")) && str_eqz(str_slice(word, 2, word.n), row->name))
            return row;
        if (row->letter && word.n == 2 && word.p[0] == '-' && word.p[1] == row->letter)
            return row;
    }
    return NULL;
}

static void add_options(const OptSpec *spec, Buf *ret)
{
    for (size_t i = 0; i < spec->n_rows; i++) {
        if (spec->rows[i].is_hidden)
            continue;
        buf_printf(ret, "--%s\t", spec->rows[i].name);
        term_add_line(ret, str_of(spec->rows[i].help));
        buf_addc(ret, '\n');
    }
}

/* Completes the last of the words that stand behind a command's path. */
static void complete_command(Cli *cli, const Command *command, const char *const *words, size_t n,
                             Buf *ret)
{
    const OptSpec *spec = &command->spec;
    size_t n_args = 0;
    const OptRow *pending = NULL;
    for (size_t i = 0; i + 1 < n; i++) {
        const OptRow *row = pending ? NULL : option_of(spec, str_of(words[i]));
        if (!pending && words[i][0] != '-')
            n_args++;
        pending = row && takes_value(row) ? row : NULL;
    }
    if (pending) {
        add_values(cli, pending->kind, pending->choices, pending->completer, ret);
    } else if (words[n - 1][0] == '-') {
        add_options(spec, ret);
        add_options(cli_global_spec(), ret);
    } else if (spec->n_args) {
        const OptArg *arg = &spec->args[n_args < spec->n_args ? n_args : spec->n_args - 1];
        bool is_list = arg->kind == OPT_LIST || arg->kind == OPT_FILES;
        if (n_args < spec->n_args || is_list)
            add_values(cli, arg->kind, arg->choices, arg->completer, ret);
    }
}

/* Whether the words up to the last are the beginning of a path; the next word of the path then. */
static bool next_word(const char *path, const char *const *words, size_t n, Str *ret)
{
    Str rest = str_of(path);
    for (size_t i = 0; i < n; i++) {
        Str word = STR_NONE;
        if (!str_split(&rest, ' ', &word) || (i + 1 < n && !str_eqz(word, words[i])))
            return false;
        *ret = word;
    }
    return true;
}

static void complete_path(const char *const *words, size_t n, Buf *ret)
{
    Str last = STR_NONE;
    for (size_t i = 0; i < command_rows_n; i++) {
        Str word = STR_NONE;
        if (command_rows[i]->section == COMMAND_HIDDEN || n > WORDS_MAX ||
            !next_word(command_rows[i]->path, words, n, &word) || str_eq(word, last))
            continue;
        last = word;
        char name[64];
        (void)snprintf(name, sizeof(name), "%.*s", STR_ARG(word));
        const char *path[WORDS_MAX];
        size_t used = 0;
        for (size_t k = 0; k < n; k++)
            path[k] = k + 1 < n ? words[k] : name;
        const CommandGroup *group = command_group_find(path, n, &used);
        bool is_group = group && used == n;
        add_candidate(ret, word, str_of(is_group ? group->summary : command_rows[i]->summary));
    }
}

static int run_complete(Cli *cli, const void *given, Error *err)
{
    const OptList *words = &((const CompleteOptions *)given)->words;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    size_t used = 0;
    const Command *command = command_find(words->items, words->n - 1, &used);
    if (command) {
        complete_command(cli, command, words->items + used, words->n - used, &text);
    } else {
        complete_path(words->items, words->n, &text);
        const CommandGroup *group = command_group_find(words->items, words->n - 1, &used);
        if (group && group->otherwise && words->n == 2 &&
            (text.len == 0 || words->items[1][0] == '-')) {
            const char *path[] = {group->name, group->otherwise};
            command = command_find(path, 2, &used);
            complete_command(cli, command, words->items + 1, 1, &text);
        }
    }
    return cli_put(cli, buf_str(&text), err);
}

const Command commands_completion = {
    .path = "completion",
    .section = COMMAND_SYSTEM,
    .summary = "Print a completion script for a shell",
    .examples = "source <(hawk completion bash)\n"
                "hawk completion fish > ~/.config/fish/completions/hawk.fish",
    .spec = {.args = script_args, .n_args = ARRAY_LEN(script_args), .size = sizeof(ScriptOptions)},
    .run = run_script,
};

const Command commands_complete = {
    .path = "complete",
    .section = COMMAND_HIDDEN,
    .summary = "Print what may come next on a command line",
    .spec = {.args = complete_args,
             .n_args = ARRAY_LEN(complete_args),
             .size = sizeof(CompleteOptions)},
    .run = run_complete,
};
