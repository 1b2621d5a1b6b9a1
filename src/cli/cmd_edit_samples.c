/* hawk edit-samples: a file of edits, checked here line by line, sent in one request. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "codec/json_out.h"
#include "edits/edit.h"

enum {
    FILE_MAX = 8 << 20,
    TEXT_MAX = 4 << 20,
    PATH_MAX_BYTES = 4096,
    POLL_FIRST_MS = 300,
    POLL_MAX_MS = 3000,
    RETRIES_MAX = 20,
};

typedef struct Options {
    const char *file;
    bool wait;
    bool json;
} Options;

/* --- reading the file --- */

typedef struct Reading {
    Cli *cli;
    EditReader reader;
    Diagnostics problems;
    EditList list;
} Reading;

/* A syntax error says "line L column C: ..."; in a file of lines L is 1. */
static void add_syntax_error(Reading *reading, const Error *bad)
{
    Str text = str_of(error_text(bad));
    Diagnostic item = {.severity = DIAGNOSTIC_ERROR, .file = reading->reader.file};
    ptrdiff_t colon = str_find(text, ':');
    Str place = colon > 0 ? str_slice(text, 0, (size_t)colon) : STR_NONE;
    int64_t numbers[2] = {0, 0};
    size_t n = 0;
    Str word = STR_NONE;
    while (n < 2 && str_split(&place, ' ', &word))
        if (str_to_i64(word, 1, INT32_MAX, &numbers[n]) == 0)
            n++;
    item.line = reading->reader.lines_before + (n == 2 ? (int)numbers[0] : 1);
    item.column = n == 2 ? (int)numbers[1] : 1;
    Str rest = n == 2 ? str_trim(str_slice(text, (size_t)colon + 1, text.n)) : text;
    item.message = arena_strndup(reading->cli->arena, rest.p, rest.n);
    diagnostics_add(&reading->problems, &item);
}

static void add_problem(Reading *reading, int line, const char *message)
{
    const Diagnostic item = {.severity = DIAGNOSTIC_ERROR,
                             .file = reading->reader.file,
                             .line = line,
                             .column = line > 0 ? 1 : 0,
                             .message = message};
    diagnostics_add(&reading->problems, &item);
}

/* Each line that is not empty is an edit. */
static void read_lines(Reading *reading, Str text)
{
    Arena *arena = reading->cli->arena;
    reading->list.items = arena_array(arena, EDIT_LIST_MAX, sizeof(*reading->list.items));
    Str line = STR_NONE;
    for (int n_before = 0; str_split(&text, '\n', &line); n_before++) {
        if (str_trim(line).n == 0)
            continue;
        reading->reader.lines_before = n_before;
        if (reading->list.n == EDIT_LIST_MAX) {
            add_problem(reading, n_before + 1,
                        arena_printf(arena, "there are over %d edits; send them in several files",
                                     EDIT_LIST_MAX));
            return;
        }
        auto_error Error bad = ERROR_INIT;
        Json *node = NULL;
        if (json_parse(arena, line, &json_limits_config, &node, &bad) < 0)
            add_syntax_error(reading, &bad);
        else if (edit_read(&reading->reader, node, "", &reading->list.items[reading->list.n]))
            reading->list.n++;
    }
}

/* A list of edits, or the body of a request with one. */
static void read_document(Reading *reading, Str text)
{
    auto_error Error bad = ERROR_INIT;
    Json *root = NULL;
    if (json_parse(reading->cli->arena, text, &json_limits_config, &root, &bad) < 0) {
        add_syntax_error(reading, &bad);
        return;
    }
    const Json *edits = json_get(root, "edits");
    if (root->type == JSON_ARRAY && root->n == 0)
        return;
    (void)edit_list_read(&reading->reader, edits ? edits : root, edits ? "edits" : "",
                         &reading->list);
}

static void check_duplicates(Reading *reading)
{
    size_t first = 0;
    size_t second = 0;
    if (reading->problems.n_errors > 0 ||
        !edit_list_find_duplicate(&reading->list, &first, &second))
        return;
    const Edit *a = &reading->list.items[first];
    const Edit *b = &reading->list.items[second];
    add_problem(reading, b->line,
                arena_printf(reading->cli->arena, "the same as in line %d: %s of sample %.*s%s%.*s",
                             a->line, edit_kind_name(b->kind), STR_ARG(b->sample_uuid),
                             b->scorer.n ? ", scorer " : "", STR_ARG(b->scorer)));
}

static int fail(Reading *reading, Str text, Error *err)
{
    auto_buf Buf lines = BUF_INIT(TEXT_MAX);
    if (reading->cli->wants_json) {
        JsonOut out;
        json_out_init(&out, &lines, 0);
        diagnostics_write(&reading->problems, &out);
        reading->cli->diagnostics = arena_strndup(reading->cli->arena, lines.data, lines.len);
    } else {
        diagnostics_format(&reading->problems, text, &lines);
        cli_say(reading->cli, "%.*s", STR_ARG(str_trim(buf_str(&lines))));
    }
    size_t n = reading->problems.n_errors;
    return error_set(err, ERR_BAD_DATA, "Invalid edits file: %s has %zu error%s; nothing was sent",
                     reading->reader.file, n, n == 1 ? "" : "s");
}

static int read_file(Cli *cli, const char *path, EditList *ret, Error *err)
{
    bool is_lines = str_ends(str_of(path), STR(".jsonl"));
    if (!is_lines && !str_ends(str_of(path), STR(".json")))
        return error_set(err, ERR_USAGE, "Invalid edits file: %s is neither .json nor .jsonl",
                         path);
    auto_buf Buf file = BUF_INIT(FILE_MAX);
    if (fs_read_file(path, &file, err) < 0)
        return -1;
    Str text = arena_str(cli->arena, buf_str(&file));
    Reading reading = {.cli = cli};
    diagnostics_init(&reading.problems, cli->arena);
    reading.reader = (EditReader){
        .arena = cli->arena, .problems = &reading.problems, .file = path, .refuses_more = true};
    if (is_lines)
        read_lines(&reading, text);
    else
        read_document(&reading, text);
    check_duplicates(&reading);
    if (reading.problems.n_errors > 0)
        return fail(&reading, text, err);
    if (reading.list.n == 0)
        return error_set(err, ERR_BAD_DATA, "No edits found in %s", path);
    *ret = reading.list;
    return 0;
}

/* --- sending --- */

static int send_edits(Cli *cli, const EditList *list, Json **ret, Error *err)
{
    auto_buf Buf body = BUF_INIT(4 * (size_t)FILE_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "edits");
    for (size_t i = 0; i < list->n; i++) {
        json_out_object(&out);
        json_out_kv_str(&out, "sample_uuid", list->items[i].sample_uuid);
        json_out_kv_node(&out, "details", list->items[i].details);
        json_out_end_object(&out);
    }
    json_out_end_array(&out);
    json_out_end_object(&out);
    if (buf_check(&body, "the request", err) < 0)
        return -1;
    return api_post(cli, "/meta/sample_edits", buf_str(&body), ret, err);
}

/* --- waiting --- */

static bool is_over(const Json *log)
{
    Str state = json_text(log, "state", STR(""));
    Str import = json_text(log, "import_status", STR(""));
    return str_eqz(state, "failed") ||
           (str_eqz(state, "done") && !str_eqz(import, "importing") && !str_eqz(import, "pending"));
}

static Str word_for(const Json *log)
{
    Str state = json_text(log, "state", STR(""));
    return str_eqz(state, "done") && !is_over(log) ? STR("importing") : state;
}

/* Says what has changed since the last answer; logs keep their order. */
static void show_changes(const Cli *cli, const Json *before, const Json *now)
{
    const Json *old = before ? json_get(before, "logs")->first : NULL;
    const Json *logs = json_get(now, "logs");
    for (const Json *log = logs ? logs->first : NULL; log; log = log->next) {
        Str reason = json_text(log, "reason", STR(""));
        bool is_news = !old || !str_eq(word_for(old), word_for(log)) ||
                       !str_eq(json_text(old, "reason", STR("")), reason);
        Str name = json_text(log, "filename", STR(""));
        if (is_news)
            cli_say(cli, "%.*s: %.*s%s%.*s", STR_ARG(name), STR_ARG(word_for(log)),
                    reason.n ? ": " : "", STR_ARG(reason));
        old = old ? old->next : NULL;
    }
}

static bool all_over(const Json *status)
{
    const Json *logs = json_get(status, "logs");
    for (const Json *log = logs ? logs->first : NULL; log; log = log->next)
        if (!is_over(log))
            return false;
    return true;
}

static int wait_for_end(Cli *cli, Str uuid, Json **ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/sample_edits/");
    api_add_segment(&path, uuid);
    int pause_ms = POLL_FIRST_MS;
    int n_failures = 0;
    for (Json *before = NULL;;) {
        Json *now = NULL;
        auto_error Error failure = ERROR_INIT;
        int failed = api_get_path(cli, &path, &now, &failure);
        if (failed < 0 && (!api_may_pass(&failure) || ++n_failures > RETRIES_MAX))
            return error_move(err, &failure);
        if (failed == 0) {
            n_failures = 0;
            show_changes(cli, before, now);
            before = now;
            if (all_over(now)) {
                *ret = now;
                return 0;
            }
        }
        pause_ms = pause_ms * 3 / 2 > POLL_MAX_MS ? POLL_MAX_MS : pause_ms * 3 / 2;
        (void)usleep((useconds_t)pause_ms * 1000);
    }
}

static int check_end(const Json *status, Error *err)
{
    size_t n_failed = 0;
    const Json *first = NULL;
    const Json *logs = json_get(status, "logs");
    for (const Json *log = logs ? logs->first : NULL; log; log = log->next) {
        if (!str_eqz(json_text(log, "state", STR("")), "failed"))
            continue;
        first = first ? first : log;
        n_failed++;
    }
    if (n_failed == 0)
        return 0;
    return error_set(err, ERR_FAILED, "the edits of %zu of %zu logs failed; %.*s: %.*s", n_failed,
                     logs->n, STR_ARG(json_text(first, "filename", STR(""))),
                     STR_ARG(json_text(first, "reason", STR("no reason is known"))));
}

/* --- the command --- */

static int say_sent(Cli *cli, Str uuid, Error *err)
{
    auto_buf Buf line = BUF_INIT(PATH_MAX_BYTES);
    buf_printf(&line, "Edit request submitted successfully.\nRequest UUID: %.*s\n", STR_ARG(uuid));
    return print_text(cli, buf_str(&line), err);
}

static int run(Cli *cli, const void *record, Error *err)
{
    const Options *options = record;
    EditList list = {0};
    Json *answer = NULL;
    if (read_file(cli, options->file, &list, err) < 0)
        return -1;
    auto_free char *begin = mem_printf("Submitting %zu sample edit(s)...\n", list.n);
    if (!options->json && print_text(cli, str_of(begin), err) < 0)
        return -1;
    if (send_edits(cli, &list, &answer, err) < 0)
        return -1;
    Str uuid = json_text(answer, "request_uuid", STR(""));
    if (!options->json && say_sent(cli, uuid, err) < 0)
        return -1;
    if (options->wait && wait_for_end(cli, uuid, &answer, err) < 0)
        return -1;
    if (options->json && print_json(cli, answer, err) < 0)
        return -1;
    return options->wait ? check_end(answer, err) : 0;
}

/* clang-format off */
static const OptRow rows[] = {
    {"wait", 0, OPT_FLAG, offsetof(Options, wait), "Wait until the edits are in the logs and the warehouse; 1 when some failed"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON: the request, with --wait what became of it"},
};
static const OptArg args[] = {
    {"EDITS_FILE", OPT_FILE, offsetof(Options, file), "A list of edits (.json), or one edit a line (.jsonl)"},
};
/* clang-format on */

const Command commands_edit_samples = {
    .path = "edit-samples",
    .section = COMMAND_RUN,
    .summary = "Change scores, declare samples invalid, add events",
    .description =
        "Each edit is an object with sample_uuid and details, whose type is score_edit, "
        "invalidate_sample, uninvalidate_sample, append_info_event or append_score_event. All of "
        "the file is checked before anything is sent. Edits of a log are applied together, by "
        "Inspect, once no run writes to its eval set, and its metrics are computed anew.",
    .examples = "hawk edit-samples edits.jsonl --wait",
    .spec = {rows, ARRAY_LEN(rows), args, ARRAY_LEN(args), sizeof(Options)},
    .run = run,
};
