/* hawk schema: the JSON Schema of configs, for editors and other programs. */

#include "cli/commands.h"
#include "jobspec/schema.h"

enum { TEXT_MAX = 4 << 20 };

typedef struct Options {
    const char *kind;
    bool reference;
    bool json;
} Options;

static int run(Cli *cli, const void *record, Error *err)
{
    const Options *options = record;
    JobspecKind kind = strcmp(options->kind, "scan") == 0 ? JOBSPEC_SCAN : JOBSPEC_EVAL_SET;
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    if (options->reference) {
        schema_write_reference(kind, &text);
    } else {
        JsonOut out;
        json_out_init(&out, &text, 2);
        schema_write(kind, &out);
        buf_addc(&text, '\n');
    }
    return cli_put(cli, buf_str(&text), err);
}

static const OptRow rows[] = {
    {"reference", 0, OPT_FLAG, offsetof(Options, reference),
     "print a reference page in Markdown instead"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "as without: the schema is JSON",
     .is_hidden = true},
};
static const OptArg args[] = {
    {"KIND", OPT_CHOICE, offsetof(Options, kind), "eval-set or scan", .choices = "eval-set|scan"},
};

const Command commands_schema = {
    .path = "schema",
    .section = COMMAND_CHECK,
    .summary = "Print the JSON Schema of configs",
    .description =
        "Draft-07, as yaml-language-server and most editors read it. Save it beside your configs "
        "and name it in their first line:\n\n"
        "# yaml-language-server: $schema=eval-set.schema.json",
    .examples = "hawk schema eval-set > eval-set.schema.json\nhawk schema scan --reference",
    .spec = {rows, ARRAY_LEN(rows), args, ARRAY_LEN(args), sizeof(Options)},
    .run = run,
};
