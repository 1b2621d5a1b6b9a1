/* hawk eval-set run, hawk eval-set resume, hawk retry. */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/control.h"
#include "cli/print.h"
#include "cli/scores.h"
#include "cli/settings.h"
#include "cli/submit.h"
#include "cli/watch.h"
#include "codec/json_out.h"

enum { BODY_MAX = 32 << 20, TEXT_MAX = 64 << 10 };

typedef struct Options {
    const char *config;
    const char *id;
    SubmitOptions submit;
    bool skip_confirm;
    bool allow_dirty;
    bool monitor;
    bool frozen;
} Options;

/* clang-format off */
#define COMMON_ROWS \
    {"skip-confirm", 0, OPT_FLAG, offsetof(Options, skip_confirm), "Do not ask about warnings"}, \
    SUBMIT_ROWS(Options, "Follow it to the end and print the scores; 1 when it failed", "medium")

static const OptRow run_rows[] = {
    COMMON_ROWS,
    {"log-dir-allow-dirty", 0, OPT_FLAG, offsetof(Options, allow_dirty), "Even when the log folder has logs of another eval set"},
    {"monitor", 0, OPT_FLAG, offsetof(Options, monitor), "Watch it by the deployment's monitor"},
};
static const OptRow resume_rows[] = {
    {"config", 0, OPT_FILE, offsetof(Options, config), "Go on with this config instead of the one it has; needs an id"},
    COMMON_ROWS,
};
static const OptRow rerun_rows[] = {
    {"frozen", 0, OPT_FLAG, offsetof(Options, frozen), "With the very same packages and Python, or not at all"},
    COMMON_ROWS,
};
static const OptArg run_args[] = {
    {"CONFIG", OPT_FILE, offsetof(Options, config), "The eval set's YAML or JSON file; - is standard input"},
};
static const OptArg rerun_args[] = {
    {"EVAL_SET_ID", OPT_TEXT, offsetof(Options, id), "The eval set to run again", .completer = "eval-sets"},
};
static const OptArg resume_args[] = {
    {"EVAL_SET_ID", OPT_TEXT, offsetof(Options, id), "The eval set; default: the last one", .is_optional = true, .completer = "eval-sets"},
};
/* clang-format on */

/* What is sent. */
typedef struct Request {
    const char *id;          /* to resume; or NULL */
    const char *frozen_from; /* whose packages it takes; or NULL */
    const Json *document;    /* or NULL: the config that the server has */
    SubmitSecrets secrets;
} Request;

static void write_request(const Options *options, const Request *request, Buf *body)
{
    JsonOut out;
    json_out_init(&out, body, 0);
    json_out_object(&out);
    json_out_kv_node(&out, "eval_set_config", request->document);
    json_out_kvz(&out, "eval_set_id", request->id);
    submit_write_options(&options->submit, &request->secrets, &out);
    json_out_kv_bool(&out, "log_dir_allow_dirty", options->allow_dirty);
    json_out_kvz(&out, "frozen_from", request->frozen_from);
    json_out_end_object(&out);
}

static int send_request(Cli *cli, const Options *options, const Request *request, Json **ret,
                        Error *err)
{
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    write_request(options, request, &body);
    int failed = buf_check(&body, "the request", err);
    if (failed == 0)
        failed = api_post(cli, "/eval_sets/", buf_str(&body), ret, err);
    mem_wipe(body.data, body.cap);
    return failed;
}

static int print_submitted(Cli *cli, const char *id, bool resumed, const Json *answer, bool json,
                           Error *err)
{
    const Json *warnings = json_get(answer, "warnings");
    for (const Json *w = warnings ? warnings->first : NULL; w; w = w->next)
        cli_warn(cli, "%.*s", STR_ARG(w->text));
    const char *url = submit_view_url(cli, JOBSPEC_EVAL_SET, id);
    if (json) {
        Json *result = json_copy(cli->arena, answer);
        json_set(result, STR("log_url"),
                 url ? json_new_str(cli->arena, str_of(url)) : json_new(cli->arena, JSON_NULL));
        return print_json(cli, result, err);
    }
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    buf_printf(&text, "%s: %s\n", resumed ? "Resuming eval set" : "Eval set ID", id);
    if (url)
        buf_printf(&text, "See your eval set log: %s\n", url);
    submit_add_monitor_url(cli, JOBSPEC_EVAL_SET, id, &text);
    if (print_text(cli, buf_str(&text), err) < 0)
        return -1;
    (void)fflush(stdout);
    return 0;
}

static int watch_to_the_end(Cli *cli, const char *id, const Options *options, Error *err)
{
    WatchResult result = {0};
    if (watch_submitted(cli, id, options->submit.json, &result, err) < 0)
        return -1;
    auto_error Error no_scores = ERROR_INIT;
    if (options->submit.json) {
        Json *outcome = json_new(cli->arena, JSON_OBJECT);
        json_set(outcome, STR("eval_set_id"), json_new_str(cli->arena, str_of(id)));
        json_set(outcome, STR("status"), json_new_str(cli->arena, str_of(result.status)));
        json_set(outcome, STR("succeeded"), json_new_bool(cli->arena, result.succeeded));
        if (print_json(cli, outcome, err) < 0)
            return -1;
    } else if (scores_print_of(cli, id, &no_scores) < 0) {
        cli_warn(cli, "%s", error_text(&no_scores));
    }
    if (result.succeeded)
        return 0;
    (void)error_set(err, ERR_FAILED, "eval set %s %s%s%s", id,
                    strcmp(result.status, "complete") == 0 ? "did not succeed" : result.status,
                    result.why[0] ? ": " : "", result.why);
    return error_fix(err, "'hawk logs %s' shows its output", id);
}

/* Sends, prints, remembers and follows. */
static int submit(Cli *cli, const Options *options, const Request *request, Error *err)
{
    Json *answer = NULL;
    if (send_request(cli, options, request, &answer, err) < 0)
        return -1;
    Str text = json_text(answer, "eval_set_id", STR_NONE);
    if (text.n == 0)
        return error_set(err, ERR_BAD_DATA, "the server's answer has no eval_set_id");
    const char *id = arena_strndup(cli->arena, text.p, text.n);
    settings_keep_id(cli, SETTINGS_EVAL_SET, id);
    bool prints_json = options->submit.json && !options->submit.watch;
    if ((!options->submit.json || prints_json) &&
        print_submitted(cli, id, request->id != NULL, answer, prints_json, err) < 0)
        return -1;
    return options->submit.watch ? watch_to_the_end(cli, id, options, err) : 0;
}

static int run_run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Jobspec *spec = NULL;
    if (submit_load(cli, options->config, JOBSPEC_EVAL_SET, options->skip_confirm, &spec, err) < 0)
        return -1;
    Json *document = submit_document(cli, spec);
    if (options->monitor)
        json_set(document, STR("monitor"), json_new_bool(cli->arena, true));
    Request request = {.document = document};
    if (submit_gather(cli, spec, &options->submit, &request.secrets, err) < 0)
        return -1;
    return submit(cli, options, &request, err);
}

/* What is complete has nothing left to run, also when it was stopped and scored. */
static void warn_complete(Cli *cli, const char *id)
{
    auto_buf Buf path = BUF_INIT(TEXT_MAX);
    auto_error Error ignored = ERROR_INIT; /* of servers that do not know */
    Json *answer = NULL;
    api_add_job_path(&path, id, "explain");
    if (api_get_path(cli, &path, &answer, &ignored) < 0 ||
        !str_eqz(json_text(answer, "state", STR_NONE), "complete"))
        return;
    cli_say(cli, "%.*s", STR_ARG(json_text(answer, "text", STR_NONE)));
    cli_warn(cli,
             "all its samples have ended, so resuming runs none of them; 'hawk rerun %s' runs it "
             "again as a new eval set",
             id);
}

static int run_resume(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Jobspec *spec = NULL;
    Request request = {0};
    if (options->config && !options->id)
        return error_set(err, ERR_USAGE, "--config needs the id of the eval set");
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &request.id, err) < 0)
        return -1;
    if (options->config &&
        submit_load(cli, options->config, JOBSPEC_EVAL_SET, options->skip_confirm, &spec, err) < 0)
        return -1;
    if (!options->config)
        warn_complete(cli, request.id);
    if (spec)
        request.document = submit_document(cli, spec);
    else if (!options->submit.no_env)
        spec = submit_server_config(cli, JOBSPEC_EVAL_SET, request.id);
    if (submit_gather(cli, spec, &options->submit, &request.secrets, err) < 0)
        return -1;
    return submit(cli, options, &request, err);
}

static int run_rerun(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Json *document = NULL;
    if (submit_get_config(cli, JOBSPEC_EVAL_SET, options->id, &document, err) < 0)
        return -1;
    document = json_copy(cli->arena, document);
    json_set(document, STR("eval_set_id"), json_new(cli->arena, JSON_NULL));
    Request request = {.document = document, .frozen_from = options->frozen ? options->id : NULL};
    Jobspec *spec = submit_server_config(cli, JOBSPEC_EVAL_SET, options->id);
    if (submit_gather(cli, spec, &options->submit, &request.secrets, err) < 0)
        return -1;
    return submit(cli, options, &request, err);
}

/* Whether the job is over, so that what failed is run again by resuming it. */
static int is_over(Cli *cli, const char *id, bool *ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(TEXT_MAX);
    Json *answer = NULL;
    api_add_job_path(&path, id, "explain");
    if (api_get_path(cli, &path, &answer, err) < 0)
        return settings_no_job(id, err);
    Str state = json_text(answer, "state", STR(""));
    *ret = !str_eqz(state, "running") && !str_eqz(state, "queued") && !str_eqz(state, "stopping");
    return 0;
}

static int run_retry(Cli *cli, const void *given, Error *err)
{
    Options options = *(const Options *)given;
    bool over = false;
    if (settings_id(cli, SETTINGS_EVAL_SET, options.id, &options.id, err) < 0 ||
        is_over(cli, options.id, &over, err) < 0)
        return -1;
    return over ? run_resume(cli, &options, err)
                : control_ask(cli, options.id, "retry", NULL, options.submit.json, err);
}

#define SPEC(opt_rows, opt_args)                                                                   \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = ARRAY_LEN(opt_rows),                                                        \
             .args = (opt_args),                                                                   \
             .n_args = ARRAY_LEN(opt_args),                                                        \
             .size = sizeof(Options)}

const Command commands_eval_set_run = {
    .path = "eval-set run",
    .aliases = "run",
    .section = COMMAND_RUN,
    .summary = "Submit an eval set",
    .description =
        "Checks the config first and sends it only when it is right. With the local server, the "
        "keys and addresses that Inspect reads for the config's models are taken from your "
        "environment and from .env; their names are printed, and --no-env leaves them out.",
    .examples = "hawk eval-set run examples/hello.eval-set.yaml --watch\n"
                "hawk run set.yaml --secret HF_TOKEN\n"
                "generate-config | hawk run - --json",
    SPEC(run_rows, run_args),
    .run = run_run,
};

const Command commands_eval_set_resume = {
    .path = "eval-set resume",
    .section = COMMAND_RUN,
    .summary = "Go on with an eval set that was stopped or has failed",
    SPEC(resume_rows, resume_args),
    .run = run_resume,
};

const Command commands_rerun = {
    .path = "rerun",
    .section = COMMAND_RUN,
    .summary = "Run an eval set again from the beginning, as a new one",
    .description =
        "Takes the config that the server has of it; its secrets have to be given again. With "
        "--frozen it is run with the packages, Python and local files of which the last attempt "
        "was made, and when something of that is gone or has changed it is not run, and the "
        "reason names it.",
    .examples = "hawk rerun hello-a1b2c3 --frozen --watch",
    SPEC(rerun_rows, rerun_args),
    .run = run_rerun,
};

const Command commands_retry = {
    .path = "retry",
    .section = COMMAND_RUN,
    .summary = "Run what failed in an eval set again",
    .description = "While it runs, its failed samples are put back in line. When it is over, this "
                   "is 'hawk eval-set resume': what is done is not run again.",
    SPEC(resume_rows, resume_args),
    .run = run_retry,
};
