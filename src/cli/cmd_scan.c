/* hawk scan run, hawk scan resume. */

#include <string.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/print.h"
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
    bool allow_cross_lab;
} Options;

/* clang-format off */
#define COMMON_ROWS \
    {"allow-sensitive-cross-lab-scan", 0, OPT_FLAG, offsetof(Options, allow_cross_lab), "Even when scanners of one lab read secret models of another"}, \
    SUBMIT_ROWS(Options, "Follow it to the end; 1 when it failed", "low")

static const OptRow run_rows[] = {
    {"skip-confirm", 0, OPT_FLAG, offsetof(Options, skip_confirm), "Do not ask about warnings"},
    COMMON_ROWS,
};
static const OptRow resume_rows[] = {
    COMMON_ROWS,
};
static const OptArg run_args[] = {
    {"CONFIG", OPT_FILE, offsetof(Options, config), "The scan's YAML or JSON file; - is standard input"},
};
static const OptArg resume_args[] = {
    {"SCAN_RUN_ID", OPT_TEXT, offsetof(Options, id), "The scan; default: the last job", .is_optional = true, .completer = "jobs"},
};
/* clang-format on */

/* What is sent. */
typedef struct Request {
    const char *path;
    const Json *document; /* or NULL: the config that the server has */
    SubmitSecrets secrets;
} Request;

static int send_request(Cli *cli, const Options *options, const Request *request, Json **ret,
                        Error *err)
{
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    if (request->document)
        json_out_kv_node(&out, "scan_config", request->document);
    submit_write_options(&options->submit, &request->secrets, &out);
    json_out_kv_bool(&out, "allow_sensitive_cross_lab_scan", options->allow_cross_lab);
    json_out_end_object(&out);
    int failed = buf_check(&body, "the request", err);
    if (failed == 0)
        failed = api_post(cli, request->path, buf_str(&body), ret, err);
    mem_wipe(body.data, body.cap);
    return failed;
}

static int print_submitted(Cli *cli, const char *id, bool resumed, bool json, Error *err)
{
    const char *url = submit_view_url(cli, JOBSPEC_SCAN, id);
    if (json) {
        Json *result = json_new(cli->arena, JSON_OBJECT);
        json_set(result, STR("scan_run_id"), json_new_str(cli->arena, str_of(id)));
        json_set(result, STR("scan_url"),
                 url ? json_new_str(cli->arena, str_of(url)) : json_new(cli->arena, JSON_NULL));
        return print_json(cli, result, err);
    }
    auto_buf Buf text = BUF_INIT(TEXT_MAX);
    buf_printf(&text, "%s: %s\n", resumed ? "Resuming scan" : "Scan job ID", id);
    if (url)
        buf_printf(&text, "See your scan: %s\n", url);
    submit_add_monitor_url(cli, JOBSPEC_SCAN, id, &text);
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
    if (strcmp(result.status, "complete") == 0)
        return 0;
    (void)error_set(err, ERR_FAILED, "scan %s is %s%s%s", id, result.status,
                    result.why[0] ? ": " : "", result.why);
    return error_fix(err, "'hawk logs %s' shows its output, 'hawk scan resume %s' goes on", id, id);
}

static int submit(Cli *cli, const Options *options, const Request *request, Error *err)
{
    Json *answer = NULL;
    if (send_request(cli, options, request, &answer, err) < 0)
        return -1;
    Str text = json_text(answer, "scan_run_id", STR_NONE);
    if (text.n == 0)
        return error_set(err, ERR_BAD_DATA, "the server's answer has no scan_run_id");
    const char *id = arena_strndup(cli->arena, text.p, text.n);
    settings_keep_id(cli, SETTINGS_JOB, id);
    if (print_submitted(cli, id, !request->document, options->submit.json, err) < 0)
        return -1;
    return options->submit.watch ? watch_to_the_end(cli, id, options, err) : 0;
}

static int run_run(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Jobspec *spec = NULL;
    Request request = {.path = "/scans/"};
    if (submit_load(cli, options->config, JOBSPEC_SCAN, options->skip_confirm, &spec, err) < 0 ||
        submit_gather(cli, spec, &options->submit, &request.secrets, err) < 0)
        return -1;
    request.document = submit_document(cli, spec);
    return submit(cli, options, &request, err);
}

static int run_resume(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    Request request = {0};
    if (settings_id(cli, SETTINGS_JOB, options->id, &id, err) < 0 ||
        submit_gather(cli,
                      options->submit.no_env ? NULL : submit_server_config(cli, JOBSPEC_SCAN, id),
                      &options->submit, &request.secrets, err) < 0)
        return -1;
    auto_buf Buf path = BUF_INIT(TEXT_MAX);
    buf_addz(&path, "/scans/");
    api_add_segment(&path, str_of(id));
    buf_addz(&path, "/resume");
    if (buf_check(&path, "the request", err) < 0)
        return -1;
    request.path = path.data;
    return submit(cli, options, &request, err) < 0 ? settings_no_job(id, err) : 0;
}

#define SPEC(opt_rows, opt_args)                                                                   \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = ARRAY_LEN(opt_rows),                                                        \
             .args = (opt_args),                                                                   \
             .n_args = ARRAY_LEN(opt_args),                                                        \
             .size = sizeof(Options)}

const Command commands_scan_run = {
    .path = "scan run",
    .section = COMMAND_RUN,
    .summary = "Submit a scan of transcripts",
    .description =
        "The scanners of the config read the transcripts of the eval sets that it names, "
        "all of which you must be allowed to read.",
    .examples = "hawk scan run examples/mentions.scan.yaml --watch",
    SPEC(run_rows, run_args),
    .run = run_run,
};

const Command commands_scan_resume = {
    .path = "scan resume",
    .section = COMMAND_RUN,
    .summary = "Go on with a scan that was stopped or has failed",
    .description = "What has been scanned is not scanned again, but for transcripts that a scanner "
                   "failed on.",
    SPEC(resume_rows, resume_args),
    .run = run_resume,
};
