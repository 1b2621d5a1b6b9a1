/* hawk plan: what a config will do, without doing it. */

#include <stdio.h>

#include "cli/commands.h"
#include "jobs/jobs.h"
#include "jobspec/plan.h"
#include "jobspec/schema.h"

enum { TEXT_MAX = 16 << 20, SETTINGS_MAX = 64 };

typedef struct Options {
    const char *config;
    const char *kind;
    bool no_env;
    bool json;
} Options;

/* The problems of a config go to standard error: the plan is the result. */
static int load(Cli *cli, const Options *options, Jobspec **ret, Error *err)
{
    JobspecKind kind = JOBSPEC_ANY;
    if (options->kind)
        kind = strcmp(options->kind, "scan") == 0 ? JOBSPEC_SCAN : JOBSPEC_EVAL_SET;
    const JobspecOptions strictness = {0};
    Diagnostics list;
    diagnostics_init(&list, cli->arena);
    Str document = STR_NONE;
    int done = jobspec_load_file(cli->arena, options->config, kind, &strictness, &list, &document,
                                 ret, err);
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    diagnostics_format(&list, document, &text);
    (void)fwrite(text.data, 1, text.len, stderr);
    return done;
}

/* What the server adds and Inspect takes; the config may say otherwise. */
static size_t add_defaults(PlanSetting *ret, size_t max)
{
    size_t n = 0;
    const char *name = NULL;
    const char *json = NULL;
    for (size_t i = 0; n < max && jobs_default(i, &name, &json); i++)
        if (strcmp(json, "null") != 0 && schema_forward(str_of(name)))
            ret[n++] = (PlanSetting){.name = name, .json = json, .origin = PLAN_SERVER};
    return n;
}

static int run(Cli *cli, const void *record, Error *err)
{
    const Options *options = record;
    Jobspec *spec = NULL;
    if (load(cli, options, &spec, err) < 0)
        return -1;
    PlanSetting settings[SETTINGS_MAX];
    size_t n = spec->kind == JOBSPEC_EVAL_SET ? add_defaults(settings, SETTINGS_MAX) : 0;
    const PlanInput input = {
        .spec = spec, .settings = settings, .n_settings = n, .no_env = options->no_env};
    Plan *plan = plan_make(cli->arena, &input);
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    if (options->json) {
        JsonOut out;
        json_out_init(&out, &text, 2);
        plan_write(plan, &out);
        buf_addc(&text, '\n');
    } else {
        plan_format(plan, &text);
    }
    if (buf_check(&text, "the plan", err) < 0)
        return -1;
    return cli_put(cli, buf_str(&text), err);
}

static const OptRow rows[] = {
    {"kind", 'k', OPT_CHOICE, offsetof(Options, kind),
     "what the config is; found out from its keys when not given", .choices = "eval-set|scan"},
    {"no-env", 0, OPT_FLAG, offsetof(Options, no_env),
     "take no keys and addresses of models from the environment"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "print JSON"},
};
static const OptArg args[] = {
    {"CONFIG", OPT_FILE, offsetof(Options, config), "YAML or JSON file; - is standard input"},
};

const Command commands_plan = {
    .path = "plan",
    .section = COMMAND_CHECK,
    .summary = "Show what a config will do before it runs",
    .description =
        "Every setting is shown with its value and where it comes from; then each combination of "
        "task, model and solver that will run, the packages that will be installed, and the names "
        "of the environment variables and secrets that the job gets. Nothing is sent or run.",
    .examples = "hawk plan my.eval-set.yaml\nhawk plan --json my.eval-set.yaml",
    .spec = {rows, ARRAY_LEN(rows), args, ARRAY_LEN(args), sizeof(Options)},
    .run = run,
};
