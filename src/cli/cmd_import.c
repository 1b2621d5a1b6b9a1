/* hawk import: logs of this machine become an eval set of the server.

   A log that cannot be imported is named with its reason and the others go on; the exit status
   tells. Uploading again after a failure makes another eval set: what was published cannot be
   imported a second time, and is refused by its eval ids. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/term.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/import_send.h"
#include "cli/imports.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "codec/json_out.h"

enum {
    PATH_MAX_BYTES = 8192,
    TEXT_MAX = 64 << 10,
    BAR_WIDTH = 24,
    POLL_FIRST_MS = 100,
    POLL_MAX_MS = 1000,
    STUCK_MS = 10 * 60 * 1000, /* without any change */
    FINALIZE_MS = 10 * 60 * 1000,
};

typedef struct Options {
    OptList paths;
    const char *name;
    int64_t jobs;
    bool yes;
    bool wait;
    bool no_wait;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"name", 0, OPT_TEXT, offsetof(Options, name), "Name of the eval set; becomes a part of its id"},
    {"jobs", 'j', OPT_INT, offsetof(Options, jobs), "How many logs to send at once", .fallback = "4", .min = 1, .max = IMPORT_SEND_THREADS_MAX},
    {"yes", 'y', OPT_FLAG, offsetof(Options, yes), "Do not ask"},
    {"wait", 0, OPT_FLAG, offsetof(Options, wait), "Wait until the samples are in the warehouse, as on a terminal"},
    {"no-wait", 0, OPT_FLAG, offsetof(Options, no_wait), "Do not wait"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON: the eval set and what has become of each log"},
};
static const OptArg args[] = {
    {"PATH", OPT_FILES, offsetof(Options, paths), "Logs (.eval or .json), or folders with logs"},
};
/* clang-format on */

/* What has become of a log in the end. */
typedef struct Outcome {
    const char *status; /* "uploaded", "imported", "failed" */
    const char *reason; /* or NULL */
} Outcome;

typedef struct Run {
    Cli *cli;
    const Options *options;
    ImportFiles files;
    ImportSendItem *items;
    Outcome *outcomes;
    size_t n_failed;
    size_t n_published;
    const char *eval_set_id;
    const char *viewer_url;
    int64_t began_ms;
    bool has_bar; /* a line on the terminal is ours */
} Run;

/* --- the terminal --- */

static void clear_bar(Run *run)
{
    if (run->has_bar)
        fputs("\r\033[K", stderr);
    run->has_bar = false;
}

static void add_size(Buf *buf, uint64_t n)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)n;
    size_t unit = 0;
    for (; value >= 1000 && unit + 1 < ARRAY_LEN(units); unit++)
        value /= 1000;
    buf_printf(buf, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* A line "[#####     ] words" that the next one replaces. */
static void draw_bar(Run *run, double part, const char *words)
{
    auto_buf Buf line = BUF_INIT(TEXT_MAX);
    int n_full = (int)(part * BAR_WIDTH);
    buf_addz(&line, "\r[");
    for (int i = 0; i < BAR_WIDTH; i++)
        buf_addc(&line, i < n_full ? '#' : ' ');
    buf_printf(&line, "] %.*s\033[K", term_columns(STDERR_FILENO) - BAR_WIDTH - 4, words);
    fwrite(line.data, 1, line.len, stderr);
    (void)fflush(stderr);
    run->has_bar = true;
}

static void on_progress(void *context, const ImportSendCount *count)
{
    Run *run = context;
    if (!run->cli->err_is_tty)
        return;
    uint64_t total = run->files.n_bytes ? run->files.n_bytes : 1;
    int64_t ms = clock_monotonic_ms() - run->began_ms;
    auto_buf Buf words = BUF_INIT(TEXT_MAX);
    buf_printf(&words, "%zu/%zu logs, ", count->n_done, run->files.n);
    add_size(&words, count->n_bytes);
    buf_addz(&words, " of ");
    add_size(&words, run->files.n_bytes);
    if (ms > 500) {
        buf_addz(&words, ", ");
        add_size(&words, count->n_bytes * 1000 / (uint64_t)ms);
        buf_addz(&words, "/s");
    }
    double part = (double)count->n_bytes / (double)total;
    draw_bar(run, part < 1 ? part : 1, words.data);
}

/* A reason without the name that stands before it anyway. */
static const char *without_name(const char *reason, const char *name)
{
    size_t n = strlen(name);
    bool is_named = strncmp(reason, name, n) == 0 && strncmp(reason + n, ": ", 2) == 0;
    return is_named ? reason + n + 2 : reason;
}

/* Says that a log has failed; on a terminal above the bar. */
static void fail_log(Run *run, size_t i, const char *reason)
{
    clear_bar(run);
    reason = without_name(reason, run->files.items[i].path);
    reason = without_name(reason, run->files.items[i].name);
    run->outcomes[i] = (Outcome){"failed", arena_strdup(run->cli->arena, reason)};
    run->n_failed++;
    cli_say(run->cli, "%s: failed: %s", run->files.items[i].path, reason);
}

static void on_done(void *context, const ImportSendItem *item)
{
    Run *run = context;
    size_t i = (size_t)(item - run->items);
    if (item->state == IMPORT_SEND_FAILED) {
        fail_log(run, i, error_text(&item->error));
        if (item->error.fix)
            cli_say(run->cli, "%s", item->error.fix);
        return;
    }
    run->outcomes[i] = (Outcome){"uploaded", NULL};
    if (run->cli->err_is_tty)
        return;
    auto_buf Buf size = BUF_INIT(TEXT_MAX);
    add_size(&size, item->file->size);
    cli_say(run->cli, "%s: uploaded, %s", item->file->path, size.data);
}

static void say_left_out(const Run *run)
{
    const ImportFiles *files = &run->files;
    size_t n_named =
        files->n_left_out < IMPORT_FILES_NAMED_MAX ? files->n_left_out : IMPORT_FILES_NAMED_MAX;
    for (size_t i = 0; i < n_named; i++)
        cli_say(run->cli, "%s; left out, it is no log", files->left_out[i]);
    if (files->n_left_out > n_named)
        cli_say(run->cli, "%zu more .json files are left out, they are no logs.",
                files->n_left_out - n_named);
}

/* --- steps --- */

static int confirm(Run *run, const Api *api, Error *err)
{
    if (run->options->yes || !cli_may_ask(run->cli))
        return 0;
    auto_buf Buf size = BUF_INIT(TEXT_MAX);
    add_size(&size, run->files.n_bytes);
    if (cli_ask(run->cli, true, "Import %zu log%s (%s) into %s?", run->files.n,
                run->files.n == 1 ? "" : "s", size.data, api_url(api)))
        return 0;
    return error_set(err, ERR_CANCELLED, "nothing was imported");
}

static int begin(Run *run, Error *err)
{
    auto_buf Buf body = BUF_INIT(TEXT_MAX);
    JsonOut out;
    Json *answer = NULL;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "name", run->options->name);
    json_out_end_object(&out);
    if (buf_check(&body, "the name", err) < 0 ||
        api_post(run->cli, "/eval_sets/import/", buf_str(&body), &answer, err) < 0)
        return -1;
    Str id = json_text(answer, "eval_set_id", STR_NONE);
    Str url = json_text(answer, "viewer_url", STR_NONE);
    if (!id.p)
        return error_set(err, ERR_BAD_DATA, "the server gave no id for the import");
    run->eval_set_id = arena_strndup(run->cli->arena, id.p, id.n);
    run->viewer_url = url.p ? arena_strndup(run->cli->arena, url.p, url.n) : NULL;
    return 0;
}

static int send_files(Run *run, const Api *api, Error *err)
{
    Json *me = NULL;
    if (api_get(run->cli, "/auth/me", &me, err) < 0)
        return -1;
    Str sub = json_text(me, "sub", STR_NONE);
    if (!sub.p)
        return error_set(err, ERR_BAD_DATA, "the server does not say who you are");
    const ImportSendOptions options = {
        .api = api,
        .eval_set_id = run->eval_set_id,
        .created_by = arena_strndup(run->cli->arena, sub.p, sub.n),
        .n_threads = (size_t)run->options->jobs,
        .context = run,
        .progress = on_progress,
        .done = on_done,
    };
    run->began_ms = clock_monotonic_ms();
    int sent = import_send_all(&options, run->items, run->files.n, err);
    clear_bar(run);
    return sent;
}

/* The place of the file with this name on the server, or n. */
static size_t find_name(const Run *run, Str name)
{
    size_t i = 0;
    while (i < run->files.n && !str_eqz(name, run->files.items[i].name))
        i++;
    return i;
}

static void pause_ms(int64_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* Whether the server may have gone on without us, so that asking again tells. */
static bool may_go_on(const Error *problem)
{
    return api_may_pass(problem) ||
           (problem->code && strcmp(problem->code, "import.finalizing") == 0);
}

/* Files that an answer which got lost may have named as failed. */
static int find_missing(Run *run, Error *err)
{
    Json *answer = NULL;
    const ImportsQuery query = {.eval_set_id = run->eval_set_id, .limit = IMPORT_FILES_MAX};
    auto_free bool *is_there = mem_array(run->files.n, sizeof(bool));
    if (imports_fetch(run->cli, &query, &answer, err) < 0)
        return -1;
    for (const Json *item = json_get(answer, "items")->first; item; item = item->next) {
        size_t i = find_name(run, json_text(item, "log", STR("")));
        if (i < run->files.n)
            is_there[i] = true;
    }
    for (size_t i = 0; i < run->files.n; i++) {
        if (is_there[i] || strcmp(run->outcomes[i].status, "uploaded") != 0)
            continue;
        fail_log(run, i, "the server did not publish it; why was lost with an answer");
        run->n_published--;
    }
    return 0;
}

static int finalize(Run *run, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    Json *answer = NULL;
    int64_t deadline_ms = clock_monotonic_ms() + FINALIZE_MS;
    bool is_repeated = false;
    buf_addz(&path, "/eval_sets/import/");
    api_add_segment(&path, str_of(run->eval_set_id));
    /* Servers that do not know it publish all or nothing. */
    buf_addz(&path, "/finalize?partial=true");
    while (api_post(run->cli, path.data, STR_NONE, &answer, err) < 0) {
        if (!may_go_on(err) || clock_monotonic_ms() > deadline_ms)
            return -1;
        error_reset(err);
        is_repeated = true;
        pause_ms(POLL_MAX_MS);
    }
    run->n_published = run->files.n - run->n_failed;
    if (is_repeated)
        return find_missing(run, err);
    const Json *failed = json_get(answer, "failed");
    for (const Json *node = failed ? failed->first : NULL; node; node = node->next) {
        size_t i = find_name(run, json_text(node, "filename", STR("")));
        Str detail = json_text(node, "detail", STR("refused"));
        if (i == run->files.n)
            continue;
        fail_log(run, i, arena_strndup(run->cli->arena, detail.p, detail.n));
        run->n_published--;
    }
    return 0;
}

/* --- waiting --- */

typedef struct Counts {
    int64_t waiting;
    int64_t done; /* for now or for good */
    int64_t failed;
    int64_t samples; /* of those that are being imported */
} Counts;

static int read_counts(Run *run, Counts *ret, Error *err)
{
    Json *answer = NULL;
    const ImportsQuery query = {.eval_set_id = run->eval_set_id, .state = "importing", .limit = 20};
    if (imports_fetch(run->cli, &query, &answer, err) < 0)
        return -1;
    const Json *counts = json_get(answer, "counts");
    *ret = (Counts){
        .waiting = json_int(counts, "pending", 0) + json_int(counts, "importing", 0) +
                   json_int(counts, "retrying", 0),
        .done = json_int(counts, "success", 0) + json_int(counts, "running", 0),
        .failed = json_int(counts, "failed", 0),
    };
    for (const Json *item = json_get(answer, "items")->first; item; item = item->next)
        ret->samples += json_int(item, "samples_done", 0);
    return 0;
}

static void draw_counts(Run *run, const Counts *counts)
{
    if (!run->cli->err_is_tty)
        return;
    int64_t total = counts->waiting + counts->done + counts->failed;
    int64_t done = counts->done + counts->failed;
    auto_buf Buf words = BUF_INIT(TEXT_MAX);
    buf_printf(&words, "%" PRId64 "/%" PRId64 " logs in the warehouse", done, total);
    if (counts->samples > 0)
        buf_printf(&words, ", %" PRId64 " samples of the next", counts->samples);
    draw_bar(run, total ? (double)done / (double)total : 0, words.data);
}

/* Names what the importer could not read. */
static int tell_failures(Run *run, Error *err)
{
    Json *answer = NULL;
    const ImportsQuery query = {
        .eval_set_id = run->eval_set_id, .state = "failed", .limit = IMPORT_FILES_MAX};
    if (imports_fetch(run->cli, &query, &answer, err) < 0)
        return -1;
    for (const Json *item = json_get(answer, "items")->first; item; item = item->next) {
        size_t i = find_name(run, json_text(item, "log", STR("")));
        Str reason = json_text(item, "reason", STR("no reason given"));
        if (i < run->files.n)
            fail_log(run, i, arena_strndup(run->cli->arena, reason.p, reason.n));
    }
    return 0;
}

static int wait_for_rows(Run *run, Error *err)
{
    Counts counts = {0};
    Counts last = {.waiting = -1};
    int64_t changed_ms = clock_monotonic_ms();
    int64_t next_ms = POLL_FIRST_MS;
    for (;;) {
        if (read_counts(run, &counts, err) < 0)
            return -1;
        draw_counts(run, &counts);
        if (counts.waiting == 0 && counts.done + counts.failed >= (int64_t)run->n_published)
            break;
        int64_t now_ms = clock_monotonic_ms();
        bool has_changed = memcmp(&last, &counts, sizeof(counts)) != 0;
        changed_ms = has_changed ? now_ms : changed_ms;
        if (now_ms - changed_ms > STUCK_MS) {
            (void)error_set(err, ERR_TIMEOUT, "the import has not gone on for ten minutes");
            return error_fix(err, "look at: hawk list imports %s", run->eval_set_id);
        }
        last = counts;
        pause_ms(next_ms);
        next_ms = next_ms * 2 < POLL_MAX_MS ? next_ms * 2 : POLL_MAX_MS;
    }
    clear_bar(run);
    if (counts.failed > 0 && tell_failures(run, err) < 0)
        return -1;
    for (size_t i = 0; i < run->files.n; i++)
        if (strcmp(run->outcomes[i].status, "uploaded") == 0)
            run->outcomes[i].status = "imported";
    return 0;
}

/* --- the end --- */

static int report_json(Run *run, Error *err)
{
    Arena *arena = run->cli->arena;
    Json *answer = json_new(arena, JSON_OBJECT);
    Json *logs = json_new(arena, JSON_ARRAY);
    bool is_there = run->n_published > 0;
    json_set(answer, STR("eval_set_id"),
             is_there ? json_new_str(arena, str_of(run->eval_set_id)) : json_new(arena, JSON_NULL));
    json_set(answer, STR("viewer_url"),
             is_there && run->viewer_url ? json_new_str(arena, str_of(run->viewer_url))
                                         : json_new(arena, JSON_NULL));
    for (size_t i = 0; i < run->files.n; i++) {
        const Outcome *outcome = &run->outcomes[i];
        Json *log = json_new(arena, JSON_OBJECT);
        json_set(log, STR("path"), json_new_str(arena, str_of(run->files.items[i].path)));
        json_set(log, STR("log"), json_new_str(arena, str_of(run->files.items[i].name)));
        json_set(log, STR("status"), json_new_str(arena, str_of(outcome->status)));
        json_set(log, STR("reason"),
                 outcome->reason ? json_new_str(arena, str_of(outcome->reason))
                                 : json_new(arena, JSON_NULL));
        json_append(logs, log);
    }
    json_set(answer, STR("logs"), logs);
    json_set(answer, STR("n_left_out"), json_new_int(arena, (int64_t)run->files.n_left_out));
    return print_json(run->cli, answer, err);
}

static int report(Run *run, Error *err)
{
    if (run->options->json)
        return report_json(run, err);
    if (run->n_published == 0)
        return 0;
    auto_buf Buf text = BUF_INIT(PATH_MAX_BYTES);
    buf_printf(&text, "Imported as %s\n", run->eval_set_id);
    if (run->viewer_url)
        buf_printf(&text, "View in viewer: %s\n", run->viewer_url);
    return print_text(run->cli, buf_str(&text), err);
}

static int import(Run *run, Error *err)
{
    const Options *options = run->options;
    bool waits = options->wait || (run->cli->err_is_tty && !options->no_wait);
    Api *api = NULL;
    if (cli_api(run->cli, &api, err) < 0 || confirm(run, api, err) < 0 || begin(run, err) < 0 ||
        send_files(run, api, err) < 0)
        return -1;
    if (run->n_failed < run->files.n && finalize(run, err) < 0)
        return -1;
    if (run->n_published > 0) {
        settings_keep_id(run->cli, SETTINGS_EVAL_SET, run->eval_set_id);
        if (waits && wait_for_rows(run, err) < 0)
            return -1;
    }
    if (report(run, err) < 0)
        return -1;
    if (run->n_failed > 0)
        cli_say(run->cli, "%zu of %zu logs could not be imported.", run->n_failed, run->files.n);
    return run->n_failed > 0 ? 1 : 0;
}

static int run_import(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Run run = {.cli = cli, .options = options};
    if (options->wait && options->no_wait)
        return error_set(err, ERR_USAGE, "--wait and --no-wait exclude each other");
    if (import_files_find(cli->arena, &options->paths, &run.files, err) < 0)
        return -1;
    say_left_out(&run);
    run.items = mem_array(run.files.n, sizeof(*run.items));
    run.outcomes = arena_array(cli->arena, run.files.n, sizeof(*run.outcomes));
    for (size_t i = 0; i < run.files.n; i++) {
        run.items[i].file = &run.files.items[i];
        run.outcomes[i] = (Outcome){"failed", "was not sent"};
    }
    int status = import(&run, err);
    clear_bar(&run);
    for (size_t i = 0; i < run.files.n; i++)
        error_release(&run.items[i].error);
    free(run.items);
    return status;
}

const Command commands_import = {
    .path = "import",
    .section = COMMAND_FETCH,
    .summary = "Bring logs of this machine to the server, as an eval set",
    .description =
        "Folders are searched with all folders in them. What cannot be imported is named with its "
        "reason, the rest goes on; the exit status is 1 then. The logs themselves are not changed.",
    .examples = "hawk import logs --name baseline\nhawk import a.eval b.json --wait --json",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run_import,
};
