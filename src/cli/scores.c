/* The scores of an eval set: the headers of its logs as one table. */

#include "cli/scores.h"

#include "base/table.h"
#include "cli/api.h"
#include "cli/print.h"

enum {
    PATH_MAX_BYTES = 64 << 10,
    METRICS_MAX = 8,
    COLUMNS_MAX = 6, /* beside metrics */
    FILES_PER_CALL = 20,
    COMPARED_MAX = 200, /* of more logs solvers are not told */
    SOLVERS_MAX = 200,  /* bytes of names */
};

/* The metrics that get a column: those of all scorers, in the order in which they turn up. */
typedef struct Metrics {
    const char *names[METRICS_MAX];
    size_t n;
    bool has_solvers; /* which tell apart what is alike else */
} Metrics;

static const Json *scores_of(const Json *log)
{
    const Json *scores = json_get(json_get(log, "results"), "scores");
    return scores && scores->type == JSON_ARRAY ? scores->first : NULL;
}

static void collect(Arena *arena, Metrics *metrics, const Json *log)
{
    for (const Json *score = scores_of(log); score; score = score->next) {
        const Json *all = json_get(score, "metrics");
        for (const Json *metric = all ? all->first : NULL; metric; metric = metric->next) {
            bool known = metrics->n == METRICS_MAX;
            for (size_t i = 0; i < metrics->n && !known; i++)
                known = str_eqz(metric->key, metrics->names[i]);
            if (!known)
                metrics->names[metrics->n++] = arena_strndup(arena, metric->key.p, metric->key.n);
        }
    }
}

/* How a log was solved: the name of its plan or, where it has none of its own, of the steps. */
static Str solvers_of(Arena *arena, const Json *log)
{
    const Json *plan = json_get(log, "plan");
    const Json *steps = json_get(plan, "steps");
    Str name = json_text(plan, "name", STR_NONE);
    if (name.n > 0 && !str_eqz(name, "plan"))
        return name;
    auto_buf Buf names = BUF_INIT(PATH_MAX_BYTES);
    for (const Json *step = steps ? steps->first : NULL; step; step = step->next) {
        buf_addz(&names, names.len ? ", " : "");
        buf_add_str(&names, json_text(step, "solver", STR_NONE));
    }
    return arena_str(arena, str_slice(buf_str(&names), 0, SOLVERS_MAX));
}

/* Whether logs of one task and model were solved in other ways. */
static bool have_solvers(Arena *arena, const Json *logs)
{
    if (logs->n > COMPARED_MAX)
        return false;
    for (const Json *a = logs->first; a; a = a->next)
        for (const Json *b = a->next; b; b = b->next) {
            const Json *x = json_get(a, "eval");
            const Json *y = json_get(b, "eval");
            if (str_eq(json_text(x, "task", STR_NONE), json_text(y, "task", STR_NONE)) &&
                str_eq(json_text(x, "model", STR_NONE), json_text(y, "model", STR_NONE)) &&
                !str_eq(solvers_of(arena, a), solvers_of(arena, b)))
                return true;
        }
    return false;
}

static void add_fixed(Arena *arena, Table *table, const Metrics *metrics, const Json *log,
                      Str scorer)
{
    const Json *eval = json_get(log, "eval");
    const Json *results = json_get(log, "results");
    table_add(table, json_text(eval, "task", STR_NONE));
    table_add(table, json_text(eval, "model", STR_NONE));
    if (metrics->has_solvers)
        table_add(table, solvers_of(arena, log));
    table_add(table, json_text(log, "status", STR_NONE));
    if (results && results->type == JSON_OBJECT)
        table_printf(table, "%.*s/%.*s", STR_ARG(print_member(arena, results, "completed_samples")),
                     STR_ARG(print_member(arena, results, "total_samples")));
    else
        table_addz(table, "");
    table_add(table, scorer);
}

static void add_log(Arena *arena, Table *table, const Metrics *metrics, const Json *log)
{
    const Json *score = scores_of(log);
    if (!score) {
        add_fixed(arena, table, metrics, log, STR_NONE);
        for (size_t i = 0; i < metrics->n; i++)
            table_addz(table, "");
    }
    for (; score; score = score->next) {
        add_fixed(arena, table, metrics, log, json_text(score, "name", STR_NONE));
        for (size_t i = 0; i < metrics->n; i++) {
            const Json *metric = json_get(json_get(score, "metrics"), metrics->names[i]);
            table_add(table, print_member(arena, metric, "value"));
        }
    }
}

/* The headers of all logs, in one array. */
static int fetch_headers(Cli *cli, const char *id, Json **ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    buf_addz(&path, "/view/logs/logs");
    api_add_query(&path, "log_dir", id);
    Json *listing = NULL;
    if (api_get_path(cli, &path, &listing, err) < 0)
        return -1;
    const Json *files = json_get(listing, "files");
    const Json *file = files ? files->first : NULL;
    Json *all = json_new(cli->arena, JSON_ARRAY);
    while (file) {
        buf_reset(&path);
        buf_addz(&path, "/view/logs/log-headers");
        for (size_t i = 0; i < FILES_PER_CALL && file; i++, file = file->next) {
            Str name = json_text(file, "name", STR_NONE);
            api_add_query(&path, "file", arena_strndup(cli->arena, name.p, name.n));
        }
        Json *headers = NULL;
        if (buf_check(&path, "the names of the logs", err) < 0 ||
            api_get_path(cli, &path, &headers, err) < 0)
            return -1;
        for (Json *header = headers->type == JSON_ARRAY ? headers->first : NULL; header;) {
            Json *following = header->next;
            header->next = NULL;
            json_append(all, header);
            header = following;
        }
    }
    *ret = all;
    return 0;
}

/* Whether another log of the same task succeeded: then this one is an earlier try. */
static bool is_superseded(const Json *logs, const Json *log)
{
    Str id = json_text(json_get(log, "eval"), "task_id", STR_NONE);
    if (id.n == 0 || str_eqz(json_text(log, "status", STR_NONE), "success"))
        return false;
    for (const Json *other = logs->first; other; other = other->next)
        if (str_eq(json_text(json_get(other, "eval"), "task_id", STR_NONE), id) &&
            str_eqz(json_text(other, "status", STR_NONE), "success"))
            return true;
    return false;
}

int scores_print(Cli *cli, const Json *logs, Error *err)
{
    if (!logs->first)
        return 0;
    Metrics metrics = {0};
    for (const Json *log = logs->first; log; log = log->next)
        collect(cli->arena, &metrics, log);
    metrics.has_solvers = have_solvers(cli->arena, logs);
    const char *names[COLUMNS_MAX + METRICS_MAX] = {"Task", "Model"};
    size_t n = 2;
    if (metrics.has_solvers)
        names[n++] = "Solver";
    names[n++] = "Status";
    names[n++] = "Samples";
    names[n++] = "Scorer";
    for (size_t i = 0; i < metrics.n; i++)
        names[n++] = metrics.names[i];
    auto_table Table *table = table_new(names, n);
    for (const Json *log = logs->first; log; log = log->next)
        if (!is_superseded(logs, log))
            add_log(cli->arena, table, &metrics, log);
    return print_table(cli, table, err);
}

int scores_print_of(Cli *cli, const char *id, Error *err)
{
    Json *logs = NULL;
    if (fetch_headers(cli, id, &logs, err) < 0)
        return error_wrap(err, "cannot read the scores");
    return scores_print(cli, logs, err);
}
