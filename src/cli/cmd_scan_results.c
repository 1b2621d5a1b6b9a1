/* hawk list scans, hawk scan export. */

#include "base/fs.h"
#include "base/mem.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/fetch.h"
#include "cli/print.h"
#include "cli/rows.h"

enum { PATH_MAX_BYTES = 8192 };

typedef struct ListOptions {
    int64_t limit;
    const char *search;
    const char *format;
    bool json;
} ListOptions;

typedef struct ExportOptions {
    const char *uuid;
    const char *scanner;
    const char *output;
    const char *format;
} ExportOptions;

/* clang-format off */
static const OptRow list_rows[] = {
    {"limit", 0, OPT_INT, offsetof(ListOptions, limit), "How many at most", .fallback = "10", .min = 1, .max = 500},
    {"search", 0, OPT_TEXT, offsetof(ListOptions, search), "Only those with these words in id, name or job"},
    ROWS_FORMAT_ROW(ListOptions, format),
    {"json", 0, OPT_FLAG, offsetof(ListOptions, json), "Print JSON"},
};
static const OptRow export_rows[] = {
    {"output", 'o', OPT_FILE, offsetof(ExportOptions, output), "Write this file, or into this folder; its ending says the format unless --format does"},
    {"format", 0, OPT_CHOICE, offsetof(ExportOptions, format), "Default: csv", .choices = "csv|parquet"},
    {"scanner", 0, OPT_TEXT, offsetof(ExportOptions, scanner), "Which scanner of a scan that has several", .metavar = "KEY"},
};
static const OptArg export_args[] = {
    {"RESULT", OPT_TEXT, offsetof(ExportOptions, uuid), "The uuid of a result, or the id of a scan as 'hawk list scans' has it"},
};
/* clang-format on */

static int run_list(Cli *cli, const void *given, Error *err)
{
    const ListOptions *options = given;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    Json *answer = NULL;
    buf_addz(&path, "/meta/scans");
    api_add_query(&path, "search", options->search);
    api_add_query_int(&path, "limit", options->limit);
    if (api_get_path(cli, &path, &answer, err) < 0)
        return -1;
    if (options->json)
        return print_json(cli, answer, err);
    const Json *items = json_get(answer, "items");
    bool is_done = false;
    if (rows_print(cli, options->format, items, "ScanListItem", &is_done, err) < 0)
        return -1;
    if (is_done)
        return 0;
    if (!items || items->n == 0)
        return print_text(cli, STR("No scans.\n"), err);
    static const char *const names[] = {"Scan ID", "Name", "Job ID", "When", "Results", "Errors"};
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    for (const Json *item = items->first; item; item = item->next) {
        const Json *errors = json_get(item, "errors");
        table_add(table, json_text(item, "scan_id", STR_NONE));
        table_add(table, json_text(item, "meta_name", json_text(item, "scan_name", STR_NONE)));
        table_add(table, json_text(item, "job_id", STR_NONE));
        table_addz(table, print_time(cli->arena, json_text(item, "timestamp", STR_NONE)));
        table_addz(table, arena_printf(cli->arena, "%lld",
                                       (long long)json_int(item, "scanner_result_count", 0)));
        table_addz(table, arena_printf(cli->arena, "%zu", json_is_null(errors) ? 0 : errors->n));
    }
    return print_table(cli, table, err);
}

static bool is_parquet(const ExportOptions *options)
{
    if (options->format)
        return strcmp(options->format, "parquet") == 0;
    return options->output && str_ends(str_of(options->output), STR(".parquet"));
}

static int run_export(Cli *cli, const void *given, Error *err)
{
    const ExportOptions *options = given;
    const char *format = is_parquet(options) ? "parquet" : "csv";
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    Api *api = NULL;
    size_t n_done = 0;
    buf_addz(&path, "/meta/scan-export/");
    api_add_segment(&path, str_of(options->uuid));
    api_add_query(&path, "format", format);
    api_add_query(&path, "scanner", options->scanner);
    if (buf_check(&path, "the request", err) < 0 || cli_api(cli, &api, err) < 0)
        return -1;
    const char *own =
        arena_printf(cli->arena, "%s%s%s.%s", options->uuid, options->scanner ? "_" : "",
                     options->scanner ? options->scanner : "", format);
    if (!options->output && strchr(own, '/'))
        return error_set(err, ERR_USAGE, "%s is no uuid; name a file with -o", options->uuid);
    const char *output = options->output ? options->output : ".";
    auto_free char *file = fs_is_dir(output) ? fs_join(output, own) : mem_strdup(output);
    FetchItem item = {.name = options->uuid, .url = path.data, .path = file};
    if (fetch_all(api, &item, 1, 1, &n_done, err) < 0)
        return -1;
    auto_buf Buf line = BUF_INIT(PATH_MAX_BYTES);
    buf_printf(&line, "Exported: %s\n", str_starts(str_of(file), STR("./")) ? file + 2 : file);
    return print_text(cli, buf_str(&line), err);
}

const Command commands_list_scans = {
    .path = "list scans",
    .section = COMMAND_LOOK,
    .summary = "List what scans have found, newest first",
    .spec = {.rows = list_rows, .n_rows = ARRAY_LEN(list_rows), .size = sizeof(ListOptions)},
    .run = run_list,
};

const Command commands_scan_export = {
    .path = "scan export",
    .aliases = "scan-export",
    .section = COMMAND_FETCH,
    .summary = "Write the results of a scanner as CSV or Parquet",
    .description =
        "All results of the scanner that made the one of this uuid. What the scanner was "
        "given is left out, as are the events of the scan.",
    .examples = "hawk scan export aMCX5z7qiVSQm9ic37DEPD --scanner polite -o polite.parquet",
    .spec = {.rows = export_rows,
             .n_rows = ARRAY_LEN(export_rows),
             .args = export_args,
             .n_args = ARRAY_LEN(export_args),
             .size = sizeof(ExportOptions)},
    .run = run_export,
};
