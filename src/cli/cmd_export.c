/* hawk export: tables of the warehouse as files. The server makes the rows; Parquet is made of them
   here. */

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/rows.h"

enum {
    PATH_MAX_BYTES = 256 << 10,
    SURVEY_MS =
        30 * 60 * 1000, /* the server reads all rows for their columns before it sends one */
};

typedef struct Options {
    const char *table;
    OptList ids;
    const char *file;
    const char *format;
    bool excel;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"output", 'o', OPT_FILE, offsetof(Options, file), "Write this file; its ending says the format unless --format does"},
    {"format", 0, OPT_CHOICE, offsetof(Options, format), "Default: a table on a terminal, else csv", .choices = ROWS_FORMATS},
    {"excel", 0, OPT_FLAG, offsetof(Options, excel), "CSV for spreadsheets: a ' in front of texts that would be taken for formulas"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "The same as --format json"},
};
static const OptArg args[] = {
    {"TABLE", OPT_CHOICE, offsetof(Options, table), "What is exported", .choices = "eval-sets|evals|samples|scores|messages|events|jobs|imports"},
    {"ID", OPT_LIST, offsetof(Options, ids), "Eval sets, evals or jobs; default: all that you may see", .is_optional = true, .completer = "eval-sets"},
};
/* clang-format on */

static int take(void *context, Str bytes, Error *err)
{
    return rows_write(context, bytes, err);
}

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Api *api = NULL;
    auto_rows Rows *output = NULL;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    const char *format = options->json ? "json" : options->format;
    if (rows_open(cli, format, options->file, &output, err) < 0 || cli_api(cli, &api, err) < 0)
        return -1;
    buf_addz(&path, "/meta/export/");
    api_add_segment(&path, str_of(options->table));
    api_add_query(&path, "format", frame_format_name(rows_wanted(output)));
    api_add_query(&path, "excel", options->excel ? "1" : NULL);
    for (size_t i = 0; i < options->ids.n; i++)
        api_add_query(&path, "id", options->ids.items[i]);
    if (buf_check(&path, "the request", err) < 0)
        return -1;
    const ApiCall call = {.path = path.data,
                          .timeout_ms = -1,
                          .idle_ms = SURVEY_MS,
                          .sink = take,
                          .sink_context = output};
    if (api_send(api, &call, NULL, NULL, err) < 0 || rows_finish(output, err) < 0)
        return -1;
    if (options->file)
        cli_say(cli, "Wrote %s", options->file);
    return 0;
}

const Command commands_export = {
    .path = "export",
    .section = COMMAND_FETCH,
    .summary = "Export tables: evals, samples, scores, messages, events",
    .description = "evals, samples, messages and events have the columns, types and values of "
                   "inspect_ai.analysis (evals_df and so on). Parquet is written by a small Python "
                   "program, for which a virtualenv is made "
                   "the first time.",
    .examples = "hawk export samples -o samples.parquet\nhawk export evals set-1 set-2 --format "
                "csv\nhawk export scores --format ndjson | jq .value",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run,
};
