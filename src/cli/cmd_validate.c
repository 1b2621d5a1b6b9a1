/* hawk validate: checks configs without sending them anywhere. */

#include "cli/commands.h"
#include "jobspec/jobspec.h"

enum { TEXT_MAX = 64 << 20 };

typedef struct Options {
    OptList files;
    const char *kind;
    bool strict;
    bool json;
} Options;

typedef struct Totals {
    size_t n_errors;
    size_t n_warnings;
} Totals;

static JobspecKind kind_of(const char *name)
{
    for (JobspecKind kind = JOBSPEC_EVAL_SET; name && kind <= JOBSPEC_SCAN; kind++)
        if (strcmp(name, jobspec_kind_name(kind)) == 0)
            return kind;
    return JOBSPEC_ANY;
}

static void write_result(JsonOut *out, const char *file, const Jobspec *spec,
                         const Diagnostics *list)
{
    json_out_object(out);
    json_out_kvz(out, "file", file);
    json_out_kvz(out, "kind", spec ? jobspec_kind_name(spec->kind) : NULL);
    json_out_kv_bool(out, "valid", spec);
    json_out_key(out, STR("problems"));
    diagnostics_write(list, out);
    json_out_kv_node(out, "config", spec ? spec->full : NULL);
    json_out_end_object(out);
}

static void add_count(Buf *text, size_t n, const char *word)
{
    buf_printf(text, "%zu %s%s", n, word, n == 1 ? "" : "s");
}

static void add_summary(Buf *text, const char *file, const Jobspec *spec, const Diagnostics *list)
{
    buf_printf(text, "%s: ", file);
    if (spec)
        buf_printf(text, "valid %s", jobspec_kind_name(spec->kind));
    else
        add_count(text, list->n_errors, "error");
    if (list->n_warnings > 0) {
        buf_addz(text, ", ");
        add_count(text, list->n_warnings, "warning");
    }
    buf_addc(text, '\n');
}

/* One file; what is wrong with it is the result, not an error of the command. */
static void validate(const Options *options, const char *path, Totals *totals, JsonOut *out,
                     Buf *text)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error ignored = ERROR_INIT;
    const JobspecOptions strictness = {0};
    Diagnostics list;
    diagnostics_init(&list, arena);
    Jobspec *spec = NULL;
    Str document = STR_NONE;
    if (jobspec_load_file(arena, path, kind_of(options->kind), &strictness, &list, &document, &spec,
                          &ignored) < 0)
        spec = NULL;
    totals->n_errors += list.n_errors;
    totals->n_warnings += list.n_warnings;
    const char *file = strcmp(path, "-") == 0 ? "<stdin>" : path;
    if (options->json) {
        write_result(out, file, spec, &list);
        return;
    }
    diagnostics_format(&list, document, text);
    add_summary(text, file, spec, &list);
}

static int run(Cli *cli, const void *record, Error *err)
{
    const Options *options = record;
    Totals totals = {0};
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 2);
    if (options->json)
        json_out_array(&out);
    for (size_t i = 0; i < options->files.n; i++)
        validate(options, options->files.items[i], &totals, &out, &text);
    if (options->json) {
        json_out_end_array(&out);
        buf_addc(&text, '\n');
    }
    if (buf_check(&text, "the result", err) < 0 || cli_put(cli, buf_str(&text), err) < 0)
        return -1;
    bool has_failed = totals.n_errors > 0 || (options->strict && totals.n_warnings > 0);
    return has_failed ? 2 : 0;
}

static const OptRow rows[] = {
    {"kind", 'k', OPT_CHOICE, offsetof(Options, kind),
     "what the configs are; found out from their keys when not given", .choices = "eval-set|scan"},
    {"strict", 0, OPT_FLAG, offsetof(Options, strict), "let warnings count as errors"},
    {"json", 0, OPT_FLAG, offsetof(Options, json),
     "print JSON: problems and the config with all defaults"},
};
static const OptArg args[] = {
    {"CONFIG", OPT_FILES, offsetof(Options, files), "YAML or JSON files; - is standard input"},
};

const Command commands_validate = {
    .path = "validate",
    .section = COMMAND_CHECK,
    .summary = "Check configs and say everything that is wrong with them",
    .description = "Every problem is shown with its line, what was expected and what to write "
                   "instead. The exit status is 2 when any config has an error.",
    .examples = "hawk validate my.eval-set.yaml\nhawk validate --json *.yaml",
    .spec = {rows, ARRAY_LEN(rows), args, ARRAY_LEN(args), sizeof(Options)},
    .run = run,
};
