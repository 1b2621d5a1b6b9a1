/* hawk list imports: what the importer has done, is doing and will do. */

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/imports.h"
#include "cli/print.h"
#include "cli/rows.h"

typedef struct Options {
    const char *id;
    const char *state;
    const char *format;
    int64_t limit;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"state", 0, OPT_CHOICE, offsetof(Options, state), "Only those in this state", .choices = "pending|importing|running|success|retrying|failed"},
    {"limit", 0, OPT_INT, offsetof(Options, limit), "How many at most", .fallback = "50", .min = 1},
    ROWS_FORMAT_ROW(Options, format),
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"},
};
static const OptArg args[] = {
    {"EVAL_SET_ID", OPT_TEXT, offsetof(Options, id), "The eval set; default: all", .is_optional = true, .completer = "eval-sets"},
};
/* clang-format on */

static void add_progress(Table *table, const Json *item)
{
    int64_t total = json_int(item, "samples_total", -1);
    if (total < 0)
        table_addz(table, "");
    else
        table_printf(table, "%lld/%lld", (long long)json_int(item, "samples_done", 0),
                     (long long)total);
}

/* Why it failed, and when it will be tried again. */
static void add_reason(Cli *cli, Table *table, const Json *item)
{
    Str reason = json_text(item, "reason", STR(""));
    Str retry_at = json_text(item, "retry_at", STR_NONE);
    if (retry_at.n)
        table_printf(table, "%.*s (next try %s)", STR_ARG(reason),
                     print_time(cli->arena, retry_at));
    else
        table_add(table, reason);
}

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const ImportsQuery query = {
        .eval_set_id = options->id, .state = options->state, .limit = options->limit};
    Json *answer = NULL;
    if (imports_fetch(cli, &query, &answer, err) < 0)
        return -1;
    if (options->id && !json_get(answer, "items")->first && api_check_id(cli, options->id, err) < 0)
        return -1;
    bool is_done = false;
    if (options->json)
        return print_json(cli, answer, err);
    if (rows_print(cli, options->format, json_get(answer, "items"), "ImportItem", &is_done, err) <
        0)
        return -1;
    if (is_done)
        return 0;
    static const char *const names[] = {"Eval Set", "Log",  "State", "Samples",
                                        "Attempts", "When", "Reason"};
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    for (const Json *item = json_get(answer, "items")->first; item; item = item->next) {
        table_add(table, json_text(item, "eval_set_id", STR_NONE));
        table_add(table, json_text(item, "log", STR_NONE));
        table_add(table, json_text(item, "state", STR_NONE));
        add_progress(table, item);
        table_add_i64(table, json_int(item, "attempts", 0));
        table_addz(table, print_time(cli->arena, json_text(item, "changed_at", STR_NONE)));
        add_reason(cli, table, item);
    }
    if (table_rows(table) == 0) {
        cli_say(cli, "No logs.");
        return 0;
    }
    return print_table(cli, table, err);
}

const Command commands_list_imports = {
    .path = "list imports",
    .section = COMMAND_LOOK,
    .summary = "List logs and how their import goes",
    .description =
        "A log is pending until its turn comes, then importing; running while the eval that writes "
        "it goes on; then success or, with a reason, failed. What failed for a reason that may "
        "pass "
        "is retrying; any other failure stays until the log changes.",
    .examples = "hawk list imports --state failed",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run,
};
