/* hawk stop, pause, resume-run, requeue, score, explain, doctor: what is said to a run and what it
 * says. */

#include <stdlib.h>

#include "base/clock.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/control.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "codec/json_out.h"

enum { PATH_MAX_BYTES = 4096, BODY_MAX = 4096, POLL_MS = 500, SECONDS_MAX = 1000000 };

typedef struct StopOptions {
    const char *id;
    const char *sample;
    const char *within;
    bool score;
    bool error;
} StopOptions;

typedef struct Options {
    const char *id;
    const char *sample;
    bool json;
} Options;

/* clang-format off */
#define ID_ARG(type) \
    {"EVAL_SET_ID", OPT_TEXT, offsetof(type, id), "The eval set; default: the last one", .is_optional = true, .completer = "eval-sets"}
#define SAMPLE_ROW(type, help) \
    {"sample", 0, OPT_TEXT, offsetof(type, sample), help, .metavar = "UUID", .completer = "samples"}

static const OptRow stop_rows[] = {
    SAMPLE_ROW(StopOptions, "Stop only this sample"),
    {"score", 0, OPT_FLAG, offsetof(StopOptions, score), "Score what there is, as it does anyway"},
    {"error", 0, OPT_FLAG, offsetof(StopOptions, error), "End as an error instead of scoring what there is"},
    {"within", 0, OPT_TEXT, offsetof(StopOptions, within), "Be over by then, by force if need be, and wait for it; 30s, 5m, 1h", .metavar = "TIME"},
};
static const OptArg stop_args[] = {
    {"JOB_ID", OPT_TEXT, offsetof(StopOptions, id), "The eval set, or a scan; default: the last eval set", .is_optional = true, .completer = "jobs"},
};
static const OptArg args[] = {ID_ARG(Options)};
static const OptArg explain_args[] = {
    {"JOB_ID", OPT_TEXT, offsetof(Options, id), "The job; default: the last one", .is_optional = true, .completer = "jobs"},
};
static const OptRow explain_rows[] = {
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON, with all the evidence"},
};
static const OptRow doctor_rows[] = {
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"},
};
static const OptRow requeue_rows[] = {SAMPLE_ROW(Options, "The sample that failed or was cancelled")};
static const OptRow score_rows[] = {
    SAMPLE_ROW(Options, "Score only this sample"),
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON, with the scores"},
};
/* clang-format on */

/* ---- how a stop went ---- */

/* "30s", "5m", "1h"; without a letter it is seconds. */
static int read_within(const char *text, int64_t *ret, Error *err)
{
    Str all = str_trim(str_of(text));
    int64_t unit = 1;
    int64_t count = 0;
    char last = all.n ? all.p[all.n - 1] : '\0';
    if (last == 's' || last == 'm' || last == 'h') {
        unit = last == 'h' ? 3600 : last == 'm' ? 60 : 1;
        all.n--;
    }
    if (str_to_i64(all, 1, SECONDS_MAX, &count) < 0)
        return error_set(err, ERR_USAGE,
                         "--within: expected a time such as 30s, 5m or 1h, found '%s'", text);
    *ret = count * unit;
    return 0;
}

static int get_about(Cli *cli, const char *id, const char *what, Json **ret, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    api_add_job_path(&path, id, what);
    return api_get_path(cli, &path, ret, err);
}

/* How many samples are at what. */
typedef struct Tally {
    int64_t total;
    int64_t scored;
    int64_t errored;
} Tally;

static int tally(Cli *cli, const char *id, Tally *ret, Error *err)
{
    Json *answer = NULL;
    if (get_about(cli, id, "eval-set-status", &answer, err) < 0)
        return -1;
    const Json *progress = json_get(json_get(answer, "data"), "progress");
    *ret = (Tally){
        .total = json_int(progress, "total", 0),
        .scored = json_int(progress, "completed", 0) + json_int(progress, "limit", 0),
        .errored = json_int(progress, "errored", 0),
    };
    return 0;
}

static int report(Cli *cli, const char *id, const Tally *before, Error *err)
{
    Tally after;
    Json *why = NULL;
    if (tally(cli, id, &after, err) < 0 || get_about(cli, id, "explain", &why, err) < 0)
        return -1;
    int64_t killed = json_int(why, "killed", 0);
    int64_t left = after.total - after.scored - after.errored - killed;
    /* What had failed in an attempt that was lost may have been scored since. */
    Tally kept = {.scored = before->scored < after.scored ? before->scored : after.scored,
                  .errored = before->errored < after.errored ? before->errored : after.errored};
    auto_buf Buf text = BUF_INIT(BODY_MAX);
    buf_printf(&text,
               "%s is over: %lld samples were done before, %lld were scored, %lld ended with an "
               "error, %lld were killed, %lld have not run.\n",
               id, (long long)kept.scored + kept.errored, (long long)after.scored - kept.scored,
               (long long)after.errored - kept.errored, (long long)killed,
               left > 0 ? (long long)left : 0LL);
    return print_text(cli, buf_str(&text), err);
}

/* Whether the job is a scan, which has no samples of its own. */
static int find_scan(Cli *cli, const char *id, bool *ret, Error *err)
{
    Json *answer = NULL;
    if (get_about(cli, id, "job-status", &answer, err) < 0)
        return settings_no_job(id, err);
    *ret = str_eqz(json_text(answer, "job_type", STR("")), "scan");
    return 0;
}

static bool is_over(Str state)
{
    return str_eqz(state, "complete") || str_eqz(state, "failed") || str_eqz(state, "cancelled");
}

static int wait_until_over(Cli *cli, const char *id, int64_t within_s, Error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + within_s * 1000;
    for (;;) {
        Json *why = NULL;
        if (get_about(cli, id, "explain", &why, err) < 0)
            return -1;
        Str state = json_text(why, "state", STR(""));
        if (is_over(state))
            return 0;
        if (clock_monotonic_ms() >= deadline_ms)
            return error_set(err, ERR_TIMEOUT, "%s is not over: %.*s", id,
                             STR_ARG(json_text(why, "text", STR(""))));
        control_pause(POLL_MS);
    }
}

static int post_stop(Cli *cli, const char *id, const StopOptions *options, int64_t within_s,
                     Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    control_add_path(&path, id, "stop");
    auto_buf Buf body = BUF_INIT(BODY_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "action", options->error ? "error" : "score");
    if (options->sample)
        json_out_kvz(&out, "sample_uuid", options->sample);
    if (within_s)
        json_out_kv_int(&out, "within_seconds", within_s);
    json_out_end_object(&out);
    return api_post(cli, path.data, buf_str(&body), NULL, err) < 0 ? settings_no_job(id, err) : 0;
}

/* Says what comes of a stop that is not waited for; of what is over, that nothing does. */
static void say_asked(Cli *cli, const char *id, const Json *before)
{
    if (is_over(json_text(before, "state", STR_NONE)))
        cli_say(cli, "There was nothing to stop: %.*s",
                STR_ARG(json_text(before, "text", STR(""))));
    else
        cli_say(cli, "%s was asked to stop; 'hawk explain %s' says what it is at", id, id);
}

static int run_stop(Cli *cli, const void *given, Error *err)
{
    const StopOptions *options = given;
    const char *id = NULL;
    int64_t within_s = 0;
    bool is_scan = false;
    Tally before = {0};
    if (options->score && options->error)
        return error_set(err, ERR_USAGE, "--score and --error do not go together");
    if ((options->within && read_within(options->within, &within_s, err) < 0) ||
        settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0)
        return -1;
    if (within_s &&
        (find_scan(cli, id, &is_scan, err) < 0 || (!is_scan && tally(cli, id, &before, err) < 0)))
        return -1;
    Json *before_stop = NULL;
    auto_error Error ignored = ERROR_INIT; /* of servers that do not know */
    if (!within_s && get_about(cli, id, "explain", &before_stop, &ignored) < 0)
        before_stop = NULL;
    if (post_stop(cli, id, options, within_s, err) < 0)
        return -1;
    settings_keep_id(cli, SETTINGS_EVAL_SET, id);
    if (!within_s) {
        if (!options->sample)
            say_asked(cli, id, before_stop);
        return 0;
    }
    if (wait_until_over(cli, id, within_s, err) < 0)
        return -1;
    if (!is_scan)
        return report(cli, id, &before, err);
    cli_say(cli, "%s is over; 'hawk scan resume %s' goes on with it", id, id);
    return 0;
}

/* ---- commands to tasks ---- */

static int run_pause(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0 ||
        control_tell(cli, id, "pause", NULL, NULL, err) < 0)
        return -1;
    cli_say(cli, "%s begins no more samples; those that run go on to their end", id);
    return 0;
}

static int run_resume(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0 ||
        control_tell(cli, id, "resume", NULL, NULL, err) < 0)
        return -1;
    cli_say(cli, "%s goes on", id);
    return 0;
}

static int run_requeue(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    if (!options->sample)
        return error_set(err, ERR_USAGE, "--sample UUID says which sample");
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0)
        return -1;
    return control_ask(cli, id, "requeue", options->sample, false, err);
}

static int run_score(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    if (settings_id(cli, SETTINGS_EVAL_SET, options->id, &id, err) < 0)
        return -1;
    return control_ask(cli, id, "score", options->sample, options->json, err);
}

static int run_explain(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    Json *answer = NULL;
    if (settings_id(cli, SETTINGS_JOB, options->id, &id, err) < 0)
        return -1;
    if (get_about(cli, id, "explain", &answer, err) < 0)
        return settings_no_job(id, err);
    settings_keep_id(cli, SETTINGS_JOB, id);
    if (options->json)
        return print_json(cli, answer, err);
    auto_buf Buf text = BUF_INIT(64 << 10);
    buf_printf(&text, "%.*s\n", STR_ARG(json_text(answer, "text", STR(""))));
    return print_text(cli, buf_str(&text), err);
}

static int run_doctor(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    Json *answer = NULL;
    if (api_get(cli, "/monitoring/doctor", &answer, err) < 0)
        return -1;
    const Json *findings = json_get(answer, "findings");
    if (options->json) {
        if (print_json(cli, answer, err) < 0)
            return -1;
    } else {
        auto_buf Buf text = BUF_INIT(4 << 20);
        for (const Json *item = findings ? findings->first : NULL; item; item = item->next) {
            Str id = json_text(item, "job_id", STR_NONE);
            Str since = json_text(item, "since", STR_NONE);
            buf_printf(&text, "%.*s%s%.*s\n", STR_ARG(id), id.n ? ": " : "",
                       STR_ARG(json_text(item, "text", STR(""))));
            if (since.n)
                buf_printf(&text, "    since:  %s\n", print_time(cli->arena, since));
            buf_printf(&text, "    to do:  %.*s\n", STR_ARG(json_text(item, "fix", STR(""))));
        }
        if (!text.len)
            buf_printf(&text, "nothing is wrong with the newest %lld jobs\n",
                       (long long)json_int(answer, "jobs", 0));
        if (print_text(cli, buf_str(&text), err) < 0)
            return -1;
    }
    return findings && findings->first ? 1 : 0;
}

#define SPEC(opt_rows, n, opt_args, type)                                                          \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = (n),                                                                        \
             .args = (opt_args),                                                                   \
             .n_args = ARRAY_LEN(opt_args),                                                        \
             .size = sizeof(type)}

const Command commands_stop = {
    .path = "stop",
    .section = COMMAND_RUN,
    .summary = "Stop an eval set, a sample or a scan",
    .description =
        "Without --within it asks and leaves: samples end as soon as they can. With --within the "
        "samples are asked first; after three fifths of the time the run is cancelled, after four "
        "fifths it is killed, and what came of the samples is printed. A scan is cancelled at "
        "once, "
        "which keeps what it has found, and killed after four fifths.",
    .examples =
        "hawk stop my-set-0123456789abcdef --within 5m\nhawk stop --sample 8nPqS5mE --error",
    SPEC(stop_rows, ARRAY_LEN(stop_rows), stop_args, StopOptions),
    .run = run_stop,
};

const Command commands_pause = {
    .path = "pause",
    .section = COMMAND_RUN,
    .summary = "Let a running eval set begin no more samples",
    SPEC(NULL, 0, args, Options),
    .run = run_pause,
};

const Command commands_resume_run = {
    .path = "resume-run",
    .section = COMMAND_RUN,
    .summary = "Let a paused eval set go on",
    SPEC(NULL, 0, args, Options),
    .run = run_resume,
};

const Command commands_requeue = {
    .path = "requeue",
    .section = COMMAND_RUN,
    .summary = "Run a failed sample of a running eval set again",
    .examples = "hawk requeue --sample 8nPqS5mE",
    SPEC(requeue_rows, ARRAY_LEN(requeue_rows), args, Options),
    .run = run_requeue,
};

const Command commands_score = {
    .path = "score",
    .section = COMMAND_RUN,
    .summary = "Score what a running eval set has so far",
    .description = "It goes on afterwards; the scores are printed.",
    SPEC(score_rows, ARRAY_LEN(score_rows), args, Options),
    .run = run_score,
};

const Command commands_explain = {
    .path = "explain",
    .section = COMMAND_LOOK,
    .summary = "Say why a job is not done, with the evidence",
    .examples = "hawk explain\nhawk explain my-set-0123456789abcdef --json",
    SPEC(explain_rows, ARRAY_LEN(explain_rows), explain_args, Options),
    .run = run_explain,
};

const Command commands_doctor = {
    .path = "doctor",
    .section = COMMAND_SYSTEM,
    .summary = "Say what is wrong with jobs and how to mend it",
    .description = "Its status is 1 when something is.",
    .spec = {.rows = doctor_rows, .n_rows = ARRAY_LEN(doctor_rows), .size = sizeof(Options)},
    .run = run_doctor,
};
