/* hawk logs: the output of a job, with -f as it comes. */

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "cli/watch.h"

enum { PATH_MAX_BYTES = 4096, FOLLOW_LIMIT = 100, RETRIES_MAX = 100 };

typedef struct Options {
    const char *id;
    int64_t lines;
    int64_t hours;
    double poll_interval;
    bool follow;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"lines", 'n', OPT_INT, offsetof(Options, lines), "How many of the newest lines", .fallback = "100", .min = 1},
    {"follow", 'f', OPT_FLAG, offsetof(Options, follow), "Go on with lines as they come, until the job is over"},
    {"hours", 0, OPT_INT, offsetof(Options, hours), "How far back to look", .fallback = "43800", .min = 1, .max = 1000000},
    {"poll-interval", 0, OPT_REAL, offsetof(Options, poll_interval), "Seconds between questions with --follow", .fallback = "3",
     .min = 0.1, .max = 3600},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON: one array, or with --follow one entry per line"},
};
static const OptArg args[] = {
    {"JOB_ID", OPT_TEXT, offsetof(Options, id), "The job; default: the last one", .is_optional = true, .completer = "jobs"},
};
/* clang-format on */

static int fetch(Cli *cli, const char *id, const char *since, int64_t limit, bool ascending,
                 Json **ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    api_add_job_path(&path, id, "logs");
    api_add_query(&path, "sort", ascending ? "asc" : "desc");
    api_add_query_int(&path, "limit", limit);
    api_add_query(&path, "since", since);
    Json *answer = NULL;
    if (api_get_path(cli, &path, &answer, err) < 0) {
        (void)settings_no_job(id, err);
        return -1;
    }
    Json *entries = json_get(answer, "entries");
    if (!entries || entries->type != JSON_ARRAY)
        return error_set(err, ERR_BAD_DATA, "the server's answer has no entries");
    *ret = entries;
    return 0;
}

static int put_entry(Cli *cli, const Json *entry, bool json, Error *err)
{
    return json ? print_json_line(cli, entry, err) : print_log_entry(cli, entry, err);
}

/* The entries of an answer that came newest first, oldest first. */
static int print_reversed(Cli *cli, const Json *entries, bool json, Error *err)
{
    const Json **order = arena_array(cli->arena, entries->n + 1, sizeof(*order));
    size_t n = 0;
    for (const Json *entry = entries->first; entry; entry = entry->next)
        order[n++] = entry;
    while (n > 0)
        if (put_entry(cli, order[--n], json, err) < 0)
            return -1;
    return 0;
}

/* Forgets what the last question left in the arena, for a job may run for weeks; the id and the
 * time of the newest entry are kept outside of it. */
typedef struct Follow {
    char *since;
    int failures;
} Follow;

static void follow_release(Follow *follow)
{
    free(follow->since);
}

static void keep_since(Follow *follow, const Json *entry)
{
    Str stamp = json_text(entry, "timestamp", STR_NONE);
    if (stamp.n == 0)
        return;
    free(follow->since);
    follow->since = mem_strndup(stamp.p, stamp.n);
}

/* One question: prints what came. Returns the number of entries, -1 on failure. */
static int follow_once(Cli *cli, const char *id, Follow *follow, bool json, Error *err)
{
    Json *entries = NULL;
    if (fetch(cli, id, follow->since, FOLLOW_LIMIT, true, &entries, err) < 0)
        return -1;
    for (const Json *entry = entries->first; entry; entry = entry->next) {
        if (put_entry(cli, entry, json, err) < 0)
            return -1;
        keep_since(follow, entry);
    }
    (void)fflush(stdout);
    return (int)entries->n;
}

static int follow_loop(Cli *cli, const Options *options, const char *id, Follow *follow, Error *err)
{
    Arena *outer = cli->arena;
    auto_arena Arena *round = arena_new();
    bool is_over = false;
    for (;;) {
        cli->arena = round;
        auto_error Error failure = ERROR_INIT;
        int n = follow_once(cli, id, follow, options->json, &failure);
        bool was_over = is_over;
        if (n == 0)
            is_over = watch_job_is_over(cli, id);
        cli->arena = outer;
        arena_reset(round);
        if (n < 0 && (!api_may_pass(&failure) || ++follow->failures > RETRIES_MAX))
            return error_move(err, &failure);
        if (n >= 0)
            follow->failures = 0;
        /* What was written while we asked whether it is over comes with one more question. */
        if (n == 0 && is_over && was_over)
            return 0;
        if (n < FOLLOW_LIMIT && !(is_over && !was_over))
            (void)usleep((useconds_t)(options->poll_interval * 1e6));
    }
}

/* Says why there are no more lines of a job that does not run, or none at all. */
static void say_why(Cli *cli, const char *id, bool has_lines)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    auto_error Error ignored = ERROR_INIT; /* of servers that do not know */
    Json *answer = NULL;
    api_add_job_path(&path, id, "explain");
    if (api_get_path(cli, &path, &answer, &ignored) < 0)
        return;
    Str state = json_text(answer, "state", STR_NONE);
    bool is_good = str_eqz(state, "complete") || str_eqz(state, "running");
    if (!has_lines || !is_good)
        cli_say(cli, "%s%.*s", has_lines ? "" : "Nothing was written yet. ",
                STR_ARG(json_text(answer, "text", STR_NONE)));
}

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    if (settings_id(cli, SETTINGS_JOB, options->id, &id, err) < 0)
        return -1;
    char since[CLOCK_TEXT_MAX];
    clock_format(clock_now_us() - options->hours * 3600 * CLOCK_SECOND, since);
    Json *entries = NULL;
    if (fetch(cli, id, since, options->lines, false, &entries, err) < 0)
        return -1;
    settings_keep_id(cli, SETTINGS_JOB, id);
    if (options->json && !options->follow)
        return print_json(cli, entries, err);
    if (print_reversed(cli, entries, options->json, err) < 0)
        return -1;
    HAWK_CLEANUP(follow_release) Follow follow = {.since = mem_strdup(since)};
    bool has_lines = entries->first != NULL;
    if (has_lines)
        keep_since(&follow, entries->first);
    if (options->follow && follow_loop(cli, options, id, &follow, err) < 0)
        return -1;
    if (!options->json)
        say_why(cli, id, has_lines || options->follow);
    return 0;
}

const Command commands_logs = {
    .path = "logs",
    .section = COMMAND_LOOK,
    .summary = "Print the output of a job",
    .examples = "hawk logs -f\nhawk logs my-set-0123456789abcdef -n 1000",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run,
};
