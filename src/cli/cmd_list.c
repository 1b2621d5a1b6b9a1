/* hawk list eval-sets, evals, samples, jobs. */

#include <math.h>

#include "cli/api.h"
#include "cli/attempts.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/rows.h"
#include "cli/settings.h"

enum { PATH_MAX_BYTES = 8192, PAGE_MAX = 100 };

typedef struct Options {
    const char *id;
    const char *search;
    const char *log;
    const char *cursor;
    const char *model;
    const char *task;
    const char *task_version;
    const char *created_by;
    const char *scorer;
    const char *score_min;
    const char *score_max;
    const char *completed_after;
    const char *completed_before;
    const char *sort;
    const char *format;
    OptList statuses;
    int64_t limit;
    bool all;
    bool ascending;
    bool attempts;
    bool everywhere;
    bool stream;
    bool json;
} Options;

/* How many are listed when nothing is said of it. */
enum { SETS_LIMIT = 10, SAMPLES_LIMIT = 50, JOBS_LIMIT = 10 };

/* clang-format off */
#define LIMIT_ROW(otherwise) {"limit", 0, OPT_INT, offsetof(Options, limit), "How many at most; default: " otherwise, .min = 1}
#define CURSOR_ROW {"cursor", 0, OPT_TEXT, offsetof(Options, cursor), "Go on where an earlier list ended; it names the cursor", .metavar = "CURSOR"}
#define STREAM_ROW {"stream", 0, OPT_FLAG, offsetof(Options, stream), "One line of JSON each, as they come"}
#define ATTEMPTS_ROW(help) {"attempts", 0, OPT_FLAG, offsetof(Options, attempts), help}
#define JSON_ROW   {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON: the rows, how many there are, where they go on"}

static const OptRow eval_sets_rows[] = {
    LIMIT_ROW("10, with --stream all"),
    {"search", 0, OPT_TEXT, offsetof(Options, search), "Only those with these words in id, task or creator"},
    CURSOR_ROW,
    STREAM_ROW,
    ROWS_FORMAT_ROW(Options, format),
    JSON_ROW,
};
static const OptRow evals_rows[] = {
    ATTEMPTS_ROW("Those too that a later log of the same task goes on from"),
    ROWS_FORMAT_ROW(Options, format),
    JSON_ROW,
};
static const OptRow samples_rows[] = {
    {"eval", 0, OPT_TEXT, offsetof(Options, log), "Only those of the log with this name", .metavar = "FILE"},
    {"search", 0, OPT_TEXT, offsetof(Options, search), "Only those with these words in id, task, eval, eval set, location or model"},
    {"status", 0, OPT_LIST, offsetof(Options, statuses), "Only with this status: success, error, token_limit, ...; may be repeated", .metavar = "STATUS"},
    {"model", 0, OPT_TEXT, offsetof(Options, model), "Only of models with this in their name, which is that without the provider", .metavar = "NAME"},
    {"task", 0, OPT_TEXT, offsetof(Options, task), "Only of tasks with this in their name", .metavar = "NAME"},
    {"task-version", 0, OPT_TEXT, offsetof(Options, task_version), "Only of this version of the task", .metavar = "VERSION"},
    {"created-by", 0, OPT_TEXT, offsetof(Options, created_by), "Only of this person", .metavar = "WHO"},
    {"scorer", 0, OPT_TEXT, offsetof(Options, scorer), "The scorer that scores are asked of, or NAME.KEY for one part of a score that has several; default: the only one, of samples with one score", .metavar = "NAME"},
    {"score-min", 0, OPT_TEXT, offsetof(Options, score_min), "Only with a score from here on; C and I are no numbers", .metavar = "NUMBER"},
    {"score-max", 0, OPT_TEXT, offsetof(Options, score_max), "Only with a score up to here; C and I are no numbers", .metavar = "NUMBER"},
    {"completed-after", 0, OPT_TEXT, offsetof(Options, completed_after), "Only completed from this time on", .metavar = "TIME"},
    {"completed-before", 0, OPT_TEXT, offsetof(Options, completed_before), "Only completed up to this time", .metavar = "TIME"},
    {"sort", 0, OPT_TEXT, offsetof(Options, sort), "The column to sort by: total_tokens, score_value, ...; default: completed_at", .metavar = "COLUMN"},
    {"ascending", 0, OPT_FLAG, offsetof(Options, ascending), "The smallest first"},
    ATTEMPTS_ROW("What became of samples before they ran again, too"),
    {"everywhere", 0, OPT_FLAG, offsetof(Options, everywhere), "Of all eval sets"},
    LIMIT_ROW("50, with --stream all"),
    CURSOR_ROW,
    STREAM_ROW,
    ROWS_FORMAT_ROW(Options, format),
    JSON_ROW,
};
static const OptRow jobs_rows[] = {
    {"all", 0, OPT_FLAG, offsetof(Options, all), "Those of other people too"},
    LIMIT_ROW("10"),
    CURSOR_ROW,
    ROWS_FORMAT_ROW(Options, format),
    JSON_ROW,
};
static const OptArg id_args[] = {
    {"EVAL_SET_ID", OPT_TEXT, offsetof(Options, id), "The eval set; default: the last one", .is_optional = true,
     .completer = "eval-sets"},
};
/* clang-format on */

/* What is listed of the rows that come. */
typedef struct Wanted {
    int64_t limit;       /* 0: all */
    Attempts old;        /* rows that are left out */
    const char *old_key; /* the member that names a row there */
    size_t n_old;        /* how many have been left out */
} Wanted;

static int set_limit(const Options *options, int64_t otherwise, Wanted *wanted, Error *err)
{
    if (options->stream && options->format)
        return error_set(err, ERR_USAGE,
                         "--stream prints lines of JSON; --format %s is another form",
                         options->format);
    wanted->limit = options->limit || options->stream ? options->limit : otherwise;
    return 0;
}

static bool is_old(const Wanted *wanted, const Json *item)
{
    return wanted->old.n && attempts_has(&wanted->old, json_text(item, wanted->old_key, STR_NONE));
}

/* Takes the items of an answer, or those that are still wanted of them. */
static size_t take_items(Json *answer, Json *items, Wanted *wanted)
{
    size_t n = 0;
    for (Json *item = json_get(answer, "items")->first; item; n++) {
        Json *following = item->next;
        item->next = NULL;
        if (is_old(wanted, item))
            wanted->n_old++;
        else if ((int64_t)items->n < wanted->limit)
            json_append(items, item);
        item = following;
    }
    return n;
}

/* One page, in an arena. */
static int get_page(Cli *cli, Arena *arena, const Buf *path, const char *cursor, int64_t page,
                    int64_t size, Json **ret, Error *err)
{
    auto_buf Buf full = BUF_INIT(PATH_MAX_BYTES);
    if (buf_check(path, "the request", err) < 0)
        return -1;
    buf_add_str(&full, buf_str(path));
    api_add_query(&full, "cursor", cursor);
    if (!cursor)
        api_add_query_int(&full, "page", page);
    api_add_query_int(&full, "limit", size);
    Api *api = NULL;
    Json *answer = NULL;
    auto_buf Buf body = BUF_INIT(API_ANSWER_MAX);
    if (buf_check(&full, "the request", err) < 0 || cli_api(cli, &api, err) < 0)
        return -1;
    const ApiCall call = {.path = full.data};
    if (api_send(api, &call, &body, NULL, err) < 0 ||
        api_parse(arena, buf_str(&body), &answer, err) < 0)
        return -1;
    const Json *items = json_get(answer, "items");
    if (!items || items->type != JSON_ARRAY)
        return error_set(err, ERR_BAD_DATA, "the server's answer has no items");
    *ret = answer;
    return 0;
}

/* The cursor of the page behind an answer, or NULL. */
static const char *next_of(Cli *cli, const Json *answer)
{
    Str cursor = json_text(answer, "next_cursor", STR_NONE);
    return cursor.p ? arena_strndup(cli->arena, cursor.p, cursor.n) : NULL;
}

/* Gets pages until there are `limit` items, by cursor where the server gives one, else by number;
   the answer is the last one with the items of all. */
static int fetch(Cli *cli, const Buf *path, const char *cursor, Wanted *rows, Json **ret,
                 Error *err)
{
    int64_t limit = rows->limit;
    Json *items = json_new(cli->arena, JSON_ARRAY);
    Json *answer = NULL;
    for (int64_t page = 1; (int64_t)items->n < limit; page++) {
        int64_t wanted = limit - (int64_t)items->n;
        int64_t size = cursor || page == 1 ? wanted : limit;
        size = size < PAGE_MAX ? size : PAGE_MAX;
        if (get_page(cli, cli->arena, path, cursor, page, size, &answer, err) < 0)
            return -1;
        int64_t n = (int64_t)take_items(answer, items, rows);
        cursor = next_of(cli, answer);
        bool is_numbered = json_get(answer, "next_cursor") == NULL;
        if (is_numbered ? n < size : !cursor)
            break;
    }
    json_set(answer, STR("items"), items);
    *ret = answer;
    return 0;
}

/* Prints the items of all pages, each on a line; of one page only is anything kept. */
static int stream(Cli *cli, const Buf *path, const char *cursor, const Wanted *wanted, Error *err)
{
    auto_arena Arena *arena = arena_new();
    int64_t n = PAGE_MAX;
    int64_t n_printed = 0;
    for (int64_t page = 1; n == PAGE_MAX || cursor; page++) {
        Json *answer = NULL;
        arena_reset(arena);
        if (get_page(cli, arena, path, cursor, page, PAGE_MAX, &answer, err) < 0)
            return -1;
        n = 0;
        for (const Json *item = json_get(answer, "items")->first; item; item = item->next, n++) {
            if (is_old(wanted, item))
                continue;
            if (print_json_line(cli, item, err) < 0)
                return -1;
            if (++n_printed == wanted->limit)
                return 0;
        }
        cursor = next_of(cli, answer);
        if (json_get(answer, "next_cursor"))
            n = 0; /* its cursor tells whether there is more */
    }
    return 0;
}

static const Json *items_of(const Json *answer)
{
    return json_get(answer, "items")->first;
}

/* Tells that rows were left out. */
static void say_old(Cli *cli, const Wanted *wanted)
{
    if (wanted->n_old)
        cli_say(cli, "Left out: %zu of earlier attempts; --attempts shows them.", wanted->n_old);
}

/* Tells how to go on, if there is more. */
static void say_more(Cli *cli, const Json *answer)
{
    Str cursor = json_text(answer, "next_cursor", STR_NONE);
    if (cursor.p)
        cli_say(cli, "There is more: --cursor %.*s", STR_ARG(cursor));
}

/* An eval set without any is something else than one that is not there; one that is, is kept. */
static int check_set(Cli *cli, const Json *answer, const char *id, Error *err)
{
    if (!items_of(answer))
        return api_check_id(cli, id, err);
    settings_keep_id(cli, SETTINGS_EVAL_SET, id);
    return 0;
}

static int finish(Cli *cli, Table *table, const char *none, Error *err)
{
    if (table_rows(table) == 0) {
        cli_say(cli, "%s", none);
        return 0;
    }
    return print_table(cli, table, err);
}

/* Prints the items in another form than the table; *ret_done is false when none was asked for. */
static int print_in_format(Cli *cli, const Options *options, const Json *answer, const char *shape,
                           bool *ret_done, Error *err)
{
    *ret_done = options->json;
    if (options->json && options->format)
        return error_set(err, ERR_USAGE,
                         "--json has the whole answer, --format %s only its rows; give one of them",
                         options->format);
    return options->json
               ? print_json(cli, answer, err)
               : rows_print(cli, options->format, json_get(answer, "items"), shape, ret_done, err);
}

static int run_eval_sets(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/eval-sets");
    api_add_query(&path, "search", options->search);
    Json *answer = NULL;
    Wanted wanted = {0};
    if (set_limit(options, SETS_LIMIT, &wanted, err) < 0)
        return -1;
    if (options->stream)
        return stream(cli, &path, options->cursor, &wanted, err);
    if (fetch(cli, &path, options->cursor, &wanted, &answer, err) < 0)
        return -1;
    bool is_done = false;
    if (print_in_format(cli, options, answer, "EvalSetInfo", &is_done, err) < 0)
        return -1;
    if (is_done)
        return 0;
    static const char *const names[] = {"Eval Set ID", "Created At", "Created By", "Evals",
                                        "Tasks"};
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    for (const Json *item = items_of(answer); item; item = item->next) {
        auto_buf Buf tasks = BUF_INIT(PATH_MAX_BYTES);
        const Json *list = json_get(item, "task_names");
        for (const Json *task = list ? list->first : NULL; task; task = task->next) {
            buf_addz(&tasks, tasks.len ? ", " : "");
            buf_add_str(&tasks, task->text);
        }
        table_add(table, json_text(item, "eval_set_id", STR_NONE));
        table_addz(table, print_time(cli->arena, json_text(item, "created_at", STR_NONE)));
        table_add(table, json_text(item, "created_by", STR_NONE));
        table_add(table, print_member(cli->arena, item, "eval_count"));
        table_add(table, buf_str(&tasks));
    }
    if (finish(cli, table, "No eval sets.", err) < 0)
        return -1;
    say_more(cli, answer);
    return 0;
}

/* A status, and that it was not the last. */
static void add_status(Table *table, Str status, bool is_old)
{
    table_printf(table, "%.*s%s", STR_ARG(status), is_old ? " (tried again)" : "");
}

static int run_evals(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0)
        return -1;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/evals");
    api_add_query(&path, "eval_set_id", id);
    Json *answer = NULL;
    Wanted wanted = {.limit = INT32_MAX, .old_key = "id"};
    Attempts old = {0};
    if (attempts_get(cli, id, "eval_ids", &old, err) < 0)
        return -1;
    if (!options->attempts)
        wanted.old = old;
    if (fetch(cli, &path, NULL, &wanted, &answer, err) < 0)
        return -1;
    if (check_set(cli, answer, id, err) < 0)
        return -1;
    bool is_done = false;
    if (print_in_format(cli, options, answer, "EvalInfo", &is_done, err) < 0)
        return -1;
    if (is_done)
        return 0;
    static const char *const names[] = {"Task", "Model", "Status", "Samples"};
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    for (const Json *item = items_of(answer); item; item = item->next) {
        table_add(table, json_text(item, "task_name", STR_NONE));
        table_add(table, json_text(item, "model", STR_NONE));
        add_status(table, json_text(item, "status", STR_NONE),
                   attempts_has(&old, json_text(item, "id", STR_NONE)));
        table_printf(table, "%lld/%lld", (long long)json_int(item, "completed_samples", 0),
                     (long long)json_int(item, "total_samples", 0));
    }
    if (table_rows(table) > 0) {
        auto_buf Buf title = BUF_INIT(PATH_MAX_BYTES);
        buf_printf(&title, "Eval Set: %s\n\n", id);
        if (print_text(cli, buf_str(&title), err) < 0)
            return -1;
    }
    say_old(cli, &wanted);
    return finish(cli, table, arena_printf(cli->arena, "No evals yet in %s.", id), err);
}

/* "match=C, includes=I"; only those that are not intermediate when there are such. */
static void add_scores(Cli *cli, Table *table, const Json *item)
{
    auto_buf Buf text = BUF_INIT(PATH_MAX_BYTES);
    const Json *scores = json_get(item, "scores");
    for (const Json *score = scores ? scores->first : NULL; score; score = score->next) {
        Str value = print_member(cli->arena, score, "value");
        if (value.n == 0)
            value = json_text(score, "value_nonfinite", STR_NONE);
        buf_addz(&text, text.len ? ", " : "");
        buf_add_str(&text, json_text(score, "scorer", STR_NONE));
        buf_addc(&text, '=');
        buf_add_str(&text, value);
    }
    table_add(table, buf_str(&text));
}

static void add_sample(Cli *cli, bool everywhere, const Attempts *old, Table *table,
                       const Json *item)
{
    Str status = json_text(item, "status", STR_NONE);
    table_add(table, json_text(item, "uuid", STR_NONE));
    if (everywhere) {
        table_add(table, json_text(item, "eval_set_id", STR_NONE));
        table_add(table, json_text(item, "task_name", STR_NONE));
    }
    table_add(table, print_member(cli->arena, item, "id"));
    table_add(table, print_member(cli->arena, item, "epoch"));
    bool is_over = !json_bool(item, "is_provisional", false);
    bool is_again = attempts_has(old, json_text(item, "uuid", STR_NONE));
    if (is_over && json_bool(item, "is_invalid", false))
        status = str_of(arena_printf(cli->arena, "%.*s (invalid)", STR_ARG(status)));
    if (is_over || is_again)
        add_status(table, is_over ? status : STR("lost"), is_again);
    else if (str_eqz(status, "success"))
        table_addz(table, old->unfinished ? old->unfinished : "running");
    else
        table_printf(table, "%.*s (pending)", STR_ARG(status));
    add_scores(cli, table, item);
}

static void add_filters(const Options *options, Buf *path)
{
    const struct {
        const char *name;
        const char *value;
    } rows[] = {
        {"scorer", options->scorer},
        {"score_min", options->score_min},
        {"score_max", options->score_max},
        {"sort_by", options->sort},
        {"sort_order", options->ascending ? "asc" : NULL},
        {"filter_model", options->model},
        {"filter_created_by", options->created_by},
        {"filter_task_name", options->task},
        {"filter_task_version", options->task_version},
        {"completed_after", options->completed_after},
        {"completed_before", options->completed_before},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        api_add_query(path, rows[i].name, rows[i].value);
    for (size_t i = 0; i < options->statuses.n; i++)
        api_add_query(path, "status", options->statuses.items[i]);
}

/* Both the log's name and other words are searched for. */
static const char *words_of(Cli *cli, const Options *options)
{
    if (!options->log || !options->search)
        return options->log ? options->log : options->search;
    return arena_printf(cli->arena, "%s %s", options->log, options->search);
}

/* What is said when no sample is listed. */
static const char *none_of(Cli *cli, const Options *options, const char *id)
{
    auto_buf Buf filters = BUF_INIT(PATH_MAX_BYTES);
    add_filters(options, &filters);
    if ((options->score_min || options->score_max) && !options->scorer)
        return "No such samples. Of those with several scores none was looked at: name a --scorer.";
    if (filters.len > 0 || options->log || options->search)
        return "No such samples.";
    return id ? arena_printf(cli->arena, "No samples yet in %s.", id) : "No samples yet.";
}

static int check_number(const char *option, const char *text, Error *err)
{
    double number = 0;
    if (!text || (str_to_double(str_of(text), &number) == 0 && isfinite(number)))
        return 0;
    return error_set(err, ERR_USAGE, "--%s %s: expected a number", option, text);
}

static int run_samples(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    if (options->everywhere && options->id)
        return error_set(err, ERR_USAGE, "--everywhere is for all eval sets, %s is one of them",
                         options->id);
    if (check_number("score-min", options->score_min, err) < 0 ||
        check_number("score-max", options->score_max, err) < 0)
        return -1;
    if (!options->everywhere && settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0)
        return -1;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/samples");
    api_add_query(&path, "eval_set_id", id);
    api_add_query(&path, "search", words_of(cli, options));
    add_filters(options, &path);
    Json *answer = NULL;
    Wanted wanted = {.old_key = "uuid"};
    Attempts old = {0};
    if (set_limit(options, SAMPLES_LIMIT, &wanted, err) < 0)
        return -1;
    if (id && attempts_get(cli, id, "sample_uuids", &old, err) < 0)
        return -1;
    if (!options->attempts && !options->log)
        wanted.old = old;
    if (options->stream)
        return stream(cli, &path, options->cursor, &wanted, err);
    if (fetch(cli, &path, options->cursor, &wanted, &answer, err) < 0)
        return -1;
    if (id && check_set(cli, answer, id, err) < 0)
        return -1;
    bool is_done = false;
    if (print_in_format(cli, options, answer, "SampleListItem", &is_done, err) < 0)
        return -1;
    if (is_done)
        return 0;
    static const char *const of_one[] = {"UUID", "ID", "Epoch", "Status", "Scores"};
    static const char *const of_all[] = {"UUID",  "Eval Set", "Task",  "ID",
                                         "Epoch", "Status",   "Scores"};
    auto_table Table *table = options->everywhere ? table_new(of_all, ARRAY_LEN(of_all))
                                                  : table_new(of_one, ARRAY_LEN(of_one));
    for (const Json *item = items_of(answer); item; item = item->next)
        add_sample(cli, options->everywhere, &old, table, item);
    if (finish(cli, table, none_of(cli, options, id), err) < 0)
        return -1;
    say_old(cli, &wanted);
    say_more(cli, answer);
    return 0;
}

static int run_jobs(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/jobs");
    if (!options->all) {
        Json *me = NULL;
        if (api_get(cli, "/auth/me", &me, err) < 0)
            return -1;
        Str sub = json_text(me, "sub", STR_NONE);
        if (sub.n)
            api_add_query(&path, "created_by", arena_strndup(cli->arena, sub.p, sub.n));
    }
    Json *answer = NULL;
    Wanted wanted = {0};
    if (set_limit(options, JOBS_LIMIT, &wanted, err) < 0)
        return -1;
    if (fetch(cli, &path, options->cursor, &wanted, &answer, err) < 0)
        return -1;
    bool is_done = false;
    if (print_in_format(cli, options, answer, "JobInfo", &is_done, err) < 0)
        return -1;
    if (is_done)
        return 0;
    static const char *const names[] = {"Type",       "Job ID", "Created At",
                                        "Created By", "Status", "Admission"};
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    for (const Json *item = items_of(answer); item; item = item->next) {
        table_add(table, json_text(item, "job_type", STR_NONE));
        table_add(table, json_text(item, "job_id", STR_NONE));
        table_addz(table, print_time(cli->arena, json_text(item, "created_at", STR_NONE)));
        table_add(table, json_text(item, "created_by", STR_NONE));
        table_add(table, json_text(item, "status", STR_NONE));
        table_add(table, json_text(json_get(item, "admission"), "state", STR_NONE));
    }
    if (finish(cli, table, "No jobs.", err) < 0)
        return -1;
    say_more(cli, answer);
    return 0;
}

#define SPEC(opt_rows)                                                                             \
    .spec = {.rows = (opt_rows), .n_rows = ARRAY_LEN(opt_rows), .size = sizeof(Options)}
#define SPEC_WITH_ID(opt_rows)                                                                     \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = ARRAY_LEN(opt_rows),                                                        \
             .args = id_args,                                                                      \
             .n_args = ARRAY_LEN(id_args),                                                         \
             .size = sizeof(Options)}

const Command commands_list_eval_sets = {
    .path = "list eval-sets",
    .section = COMMAND_LOOK,
    .summary = "List eval sets, newest first",
    .examples = "hawk list eval-sets --search hello --json",
    SPEC(eval_sets_rows),
    .run = run_eval_sets,
};

const Command commands_list_evals = {
    .path = "list evals",
    .section = COMMAND_LOOK,
    .summary = "List the evals of an eval set",
    SPEC_WITH_ID(evals_rows),
    .run = run_evals,
};

const Command commands_list_samples = {
    .path = "list samples",
    .section = COMMAND_LOOK,
    .summary = "List the samples of an eval set with their scores",
    .examples =
        "hawk list samples --status error --sort total_tokens\n"
        "hawk list samples --everywhere --scorer f1 --score-max 0.5 --stream | jq -r .uuid\n"
        "hawk list samples --scorer grade.style --score-min 3 --sort score_value",
    SPEC_WITH_ID(samples_rows),
    .run = run_samples,
};

const Command commands_list_jobs = {
    .path = "list jobs",
    .section = COMMAND_LOOK,
    .summary = "List jobs and what they are doing",
    SPEC(jobs_rows),
    .run = run_jobs,
};
