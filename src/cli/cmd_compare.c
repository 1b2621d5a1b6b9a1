/* hawk compare: two runs of the same tasks. The server works it out; here it is put into words. */

#include <math.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"

enum { PATH_MAX_BYTES = 16384, LINE_MAX_BYTES = 8192 };

typedef struct Options {
    const char *a;
    const char *b;
    const char *scorer;
    const char *task;
    const char *by;
    const char *model_a;
    const char *model_b;
    int64_t seed;
    int64_t flips;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"scorer", 0, OPT_TEXT, offsetof(Options, scorer), "Only this scorer; NAME.KEY for one part of a score that has several", .metavar = "NAME"},
    {"task", 0, OPT_TEXT, offsetof(Options, task), "Only this task", .metavar = "NAME"},
    {"by", 0, OPT_CHOICE, offsetof(Options, by), "Compare the two models of A with one another", .choices = "model"},
    {"model-a", 0, OPT_TEXT, offsetof(Options, model_a), "Only evals of A with this model", .metavar = "NAME"},
    {"model-b", 0, OPT_TEXT, offsetof(Options, model_b), "Only evals of B with this model", .metavar = "NAME"},
    {"flips", 0, OPT_INT, offsetof(Options, flips), "How many samples that got better, and worse, are listed", .fallback = "10", .max = 1000},
    {"seed", 0, OPT_INT, offsetof(Options, seed), "Seed of the resampling; the same seed gives the same figures", .fallback = "0", .max = 9007199254740992},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"},
};
static const OptArg args[] = {
    {"A", OPT_TEXT, offsetof(Options, a), "An eval set or an eval", .completer = "eval-sets"},
    {"B", OPT_TEXT, offsetof(Options, b), "What it is compared with; default: A itself, for --by model", .is_optional = true, .completer = "eval-sets"},
};

static const struct { const char *name; const char *words; } tests[] = {
    {"mcnemar_exact",     "McNemar's exact test"},
    {"permutation_exact", "exact permutation test"},
    {"permutation",       "permutation test"},
};
/* clang-format on */

static const char *test_words(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        if (str_eqz(name, tests[i].name))
            return tests[i].words;
    return NULL;
}

/* "scorer" or "scorer.key". */
static Str scorer_of(Arena *arena, const Json *one)
{
    Str scorer = json_text(one, "scorer", STR_NONE);
    Str key = json_text(one, "key", STR_NONE);
    return key.p ? str_of(arena_printf(arena, "%.*s.%.*s", STR_ARG(scorer), STR_ARG(key))) : scorer;
}

static const Json *items_of(const Json *answer, const char *name)
{
    const Json *list = json_get(answer, name);
    return list && list->type == JSON_ARRAY ? list->first : NULL;
}

static void add_summary(Cli *cli, Table *table, const Json *one)
{
    const Json *interval = items_of(one, "interval");
    table_add(table, json_text(one, "task", STR_NONE));
    table_add(table, scorer_of(cli->arena, one));
    table_add_i64(table, json_int(one, "n_samples", 0));
    table_add_i64(table, json_int(one, "n_pairs", 0));
    table_add_i64(table, json_int(one, "n_unpaired_a", 0));
    table_add_i64(table, json_int(one, "n_unpaired_b", 0));
    table_add(table, print_member(cli->arena, one, "mean_a"));
    table_add(table, print_member(cli->arena, one, "mean_b"));
    table_add(table, print_member(cli->arena, one, "difference"));
    if (interval && interval->next)
        table_printf(table, "%.*s to %.*s", STR_ARG(print_value(cli->arena, interval)),
                     STR_ARG(print_value(cli->arena, interval->next)));
    else
        table_addz(table, "");
}

static int print_summary(Cli *cli, const Json *answer, Error *err)
{
    static const char *const names[] = {"Task",   "Scorer", "Samples", "Pairs", "Only A",
                                        "Only B", "A",      "B",       "B - A", "95 % interval"};
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    for (const Json *one = items_of(answer, "comparisons"); one; one = one->next)
        add_summary(cli, table, one);
    return print_table(cli, table, err);
}

static void add_p(Buf *line, const char *before, double p)
{
    if (p < 0.0001)
        buf_printf(line, "%s < 0.0001", before);
    else
        buf_printf(line, "%s = %.4f", before, p);
}

static void add_words(Cli *cli, const Json *one, size_t n, Buf *line)
{
    double p = 1;
    double adjusted = 1;
    const char *test = test_words(json_text(one, "test", STR_NONE));
    buf_printf(line, "%.*s, %.*s: ", STR_ARG(json_text(one, "task", STR_NONE)),
               STR_ARG(scorer_of(cli->arena, one)));
    buf_add_str(line, json_text(one, "words", STR_NONE));
    if (test && json_number(json_get(one, "p_value"), &p)) {
        buf_printf(line, "; %s,", test);
        add_p(line, " p", p);
        if (n > 1 && json_number(json_get(one, "p_adjusted"), &adjusted))
            add_p(line, ", among all", adjusted);
    }
    int64_t unusable = json_int(one, "n_not_numbers", 0);
    if (unusable)
        buf_printf(line, "; %lld pairs left out that are no numbers", (long long)unusable);
    buf_addc(line, '\n');
}

static int print_words(Cli *cli, const Json *answer, Error *err)
{
    size_t n = json_get(answer, "comparisons")->n;
    for (const Json *one = items_of(answer, "comparisons"); one; one = one->next) {
        auto_buf Buf line = BUF_INIT(LINE_MAX_BYTES);
        add_words(cli, one, n, &line);
        if (print_text(cli, buf_str(&line), err) < 0)
            return -1;
    }
    return 0;
}

static void add_flips(Cli *cli, Table *table, const Json *one, const char *direction)
{
    for (const Json *flip = items_of(one, direction); flip; flip = flip->next) {
        table_add(table, json_text(one, "task", STR_NONE));
        table_add(table, scorer_of(cli->arena, one));
        table_add(table, json_text(flip, "id", STR_NONE));
        table_add(table, print_member(cli->arena, flip, "epoch"));
        table_add(table, print_member(cli->arena, flip, "value_a"));
        table_add(table, print_member(cli->arena, flip, "value_b"));
        table_add(table, json_text(flip, "uuid_a", STR_NONE));
        table_add(table, json_text(flip, "uuid_b", STR_NONE));
    }
}

static int print_flips(Cli *cli, const Json *answer, const char *direction, const char *count,
                       const char *title, Error *err)
{
    static const char *const names[] = {"Task", "Scorer", "ID",          "Epoch",
                                        "A",    "B",      "Sample of A", "Sample of B"};
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    int64_t n = 0;
    for (const Json *one = items_of(answer, "comparisons"); one; one = one->next) {
        add_flips(cli, table, one, direction);
        n += json_int(one, count, 0);
    }
    if (table_rows(table) == 0)
        return 0;
    auto_buf Buf line = BUF_INIT(LINE_MAX_BYTES);
    buf_printf(&line, "\n%s (%zu of %lld)\n\n", title, table_rows(table), (long long)n);
    if (print_text(cli, buf_str(&line), err) < 0)
        return -1;
    return print_table(cli, table, err);
}

static void say_alone(Cli *cli, const Json *answer, const char *key, const char *side)
{
    for (const Json *lane = items_of(answer, key); lane; lane = lane->next)
        cli_say(cli, "Only in %s: %.*s with %.*s", side, STR_ARG(json_text(lane, "task", STR(""))),
                STR_ARG(json_text(lane, "model", STR(""))));
}

/* The model of a side, or how many it has. */
static Str model_of(const Json *answer, const char *key)
{
    const Json *first = items_of(answer, "comparisons");
    Str model = json_text(first, key, STR(""));
    for (const Json *one = first; one; one = one->next)
        if (!str_eq(json_text(one, key, STR("")), model))
            return STR("several models");
    return model;
}

static int print_sides(Cli *cli, const Json *answer, Error *err)
{
    auto_buf Buf line = BUF_INIT(LINE_MAX_BYTES);
    Str a = json_text(answer, "a", STR(""));
    buf_printf(&line, "A: %.*s, %.*s\n", STR_ARG(a), STR_ARG(model_of(answer, "model_a")));
    buf_printf(&line, "B: %.*s, %.*s\n\n", STR_ARG(json_text(answer, "b", a)),
               STR_ARG(model_of(answer, "model_b")));
    return print_text(cli, buf_str(&line), err);
}

static int print_all(Cli *cli, const Json *answer, const char *scorer, Error *err)
{
    if (!items_of(answer, "comparisons")) {
        if (scorer)
            return error_set(err, ERR_NOT_FOUND,
                             "%s: no task has scores of this scorer on both sides", scorer);
        cli_say(cli, "There is no task that both have scores of.");
        return 0;
    }
    if (print_sides(cli, answer, err) < 0 || print_summary(cli, answer, err) < 0 ||
        cli_put(cli, STR("\n"), err) < 0 || print_words(cli, answer, err) < 0)
        return -1;
    if (print_flips(cli, answer, "up", "n_up", "Higher in B", err) < 0)
        return -1;
    return print_flips(cli, answer, "down", "n_down", "Lower in B", err);
}

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/meta/compare");
    api_add_query(&path, "a", options->a);
    api_add_query(&path, "b", options->b);
    api_add_query(&path, "by", options->by);
    api_add_query(&path, "model_a", options->model_a);
    api_add_query(&path, "model_b", options->model_b);
    api_add_query(&path, "task", options->task);
    api_add_query(&path, "scorer", options->scorer);
    api_add_query_int(&path, "seed", options->seed);
    api_add_query_int(&path, "flips", options->flips);
    Json *answer = NULL;
    if (api_get_path(cli, &path, &answer, err) < 0)
        return -1;
    if (options->json)
        return print_json(cli, answer, err);
    if (!json_get(answer, "comparisons"))
        return error_set(err, ERR_BAD_DATA, "the server's answer has no comparisons");
    say_alone(cli, answer, "only_a", "A");
    say_alone(cli, answer, "only_b", "B");
    return print_all(cli, answer, options->scorer, err);
}

const Command commands_compare = {
    .path = "compare",
    .section = COMMAND_LOOK,
    .summary = "Compare two runs of the same tasks, sample by sample",
    .description =
        "Samples are paired by task, id and epoch. For each task and scorer: the means, their "
        "difference with a bootstrap interval, a test, and the samples whose score changed.",
    .examples = "hawk compare set-1 set-2\nhawk compare set-1 --by model --scorer match --flips 50",
    .spec = {.rows = rows,
             .n_rows = ARRAY_LEN(rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run,
};
