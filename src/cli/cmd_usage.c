/* hawk usage: what one has used, by model. */

#include "base/clock.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"

enum { PATH_MAX_BYTES = 4096, BIN_SECONDS = 3600, LIVE_SECONDS = 300, HOURS_MAX = 1000 };

typedef struct Options {
    int64_t hours;
    bool live;
    bool json;
} Options;

/* clang-format off */
static const OptRow rows[] = {
    {"hours", 0, OPT_INT, offsetof(Options, hours), "How far back", .fallback = "24", .min = 1, .max = HOURS_MAX},
    {"live", 0, OPT_FLAG, offsetof(Options, live), "Only the last minutes"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"},
};
/* clang-format on */

/* The tokens of one person in a list of entries. */
static int64_t tokens_in(const Json *object, Str sub)
{
    const Json *users = json_get(object, "users");
    int64_t tokens = 0;
    for (const Json *user = users ? users->first : NULL; user; user = user->next)
        if (str_eq(json_text(user, "user", STR("")), sub))
            tokens += json_int(user, "tokens", 0);
    return tokens;
}

static int64_t tokens_of(const Json *model, Str sub)
{
    const Json *bins = json_get(model, "bins");
    int64_t tokens = tokens_in(model, sub);
    for (const Json *bin = bins ? bins->first : NULL; bin; bin = bin->next)
        tokens += tokens_in(bin, sub);
    return tokens;
}

/* [{provider, model, tokens}] of the models that were used. */
static Json *sum_up(Cli *cli, const Json *answer, Str sub)
{
    Json *list = json_new(cli->arena, JSON_ARRAY);
    for (const Json *model = answer->first; model; model = model->next) {
        int64_t tokens = tokens_of(model, sub);
        if (tokens == 0)
            continue;
        Json *row = json_new(cli->arena, JSON_OBJECT);
        json_set(row, STR("provider"),
                 json_new_str(cli->arena, json_text(model, "provider", STR(""))));
        json_set(row, STR("model"), json_new_str(cli->arena, json_text(model, "model", STR(""))));
        json_set(row, STR("tokens"), json_new_int(cli->arena, tokens));
        json_append(list, row);
    }
    return list;
}

static int print_people(Cli *cli, const char *label, const Json *list, Error *err)
{
    static const char *const names[] = {"Provider", "Model", "Tokens"};
    if (list->n == 0) {
        cli_say(cli, "You have used nothing in the %s.", label);
        return 0;
    }
    auto_table Table *table = table_new(names, ARRAY_LEN(names));
    for (const Json *row = list->first; row; row = row->next) {
        table_add(table, json_text(row, "provider", STR("")));
        table_add(table, json_text(row, "model", STR("")));
        table_add_i64(table, json_int(row, "tokens", 0));
    }
    return print_table(cli, table, err);
}

static int run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    int64_t end_s = clock_now_us() / CLOCK_SECOND + 1;
    int64_t start_s = end_s - (options->live ? LIVE_SECONDS : options->hours * BIN_SECONDS);
    const char *label =
        options->live ? "last 5 minutes"
                      : arena_printf(cli->arena, "last %lld hours", (long long)options->hours);
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    Json *me = NULL;
    Json *answer = NULL;
    buf_addz(&path, options->live ? "/usage" : "/usage/history");
    if (!options->live) {
        api_add_query_int(&path, "start", start_s);
        api_add_query_int(&path, "end", end_s);
        api_add_query_int(&path, "bin_seconds", BIN_SECONDS);
    }
    if (api_get(cli, "/auth/me", &me, err) < 0 || api_get(cli, path.data, &answer, err) < 0)
        return -1;
    Json *list = sum_up(cli, answer, json_text(me, "sub", STR("")));
    if (!options->json)
        return print_people(cli, label, list, err);
    Json *window = json_new(cli->arena, JSON_OBJECT);
    Json *whole = json_new(cli->arena, JSON_OBJECT);
    json_set(window, STR("label"), json_new_str(cli->arena, str_of(label)));
    json_set(window, STR("start"), json_new_int(cli->arena, start_s));
    json_set(window, STR("end"), json_new_int(cli->arena, end_s));
    json_set(whole, STR("window"), window);
    json_set(whole, STR("rows"), list);
    return print_json(cli, whole, err);
}

const Command commands_usage = {
    .path = "usage",
    .section = COMMAND_LOOK,
    .summary = "What you have used, in tokens by model",
    .description = "Counts samples that have ended. The server has more at /usage/history: by "
                   "person, eval set or task, over time.",
    .examples = "hawk usage --hours 168",
    .spec = {.rows = rows, .n_rows = ARRAY_LEN(rows), .size = sizeof(Options)},
    .run = run,
};
