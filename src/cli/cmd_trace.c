/* hawk trace, hawk stacktrace: what Inspect traces of a running job, and where its tasks are.

   A trace is lines of JSON, shown as those of hawk logs are; a line that is none stays as it is. */

#include <string.h>

#include "base/mem.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/control.h"
#include "cli/print.h"
#include "cli/settings.h"
#include "cli/watch.h"

enum { PATH_MAX_BYTES = 4096, LINE_MAX = 16 << 20, FILE_NAME_MAX = 256, RETRIES_MAX = 100 };

typedef struct Options {
    const char *id;
    int64_t lines;
    double poll_interval;
    bool full;
    bool follow;
    bool raw;
    bool native;
    bool json;
} Options;

/* clang-format off */
static const OptRow trace_rows[] = {
    {"lines", 'n', OPT_INT, offsetof(Options, lines), "How many of the last lines", .fallback = "100", .min = 1, .max = 50000},
    {"full", 0, OPT_FLAG, offsetof(Options, full), "All lines"},
    {"follow", 'f', OPT_FLAG, offsetof(Options, follow), "Go on with lines as they come, until the job is over"},
    {"poll-interval", 0, OPT_REAL, offsetof(Options, poll_interval), "Seconds between questions with --follow", .fallback = "3",
     .min = 0.5, .max = 3600},
    {"raw", 0, OPT_FLAG, offsetof(Options, raw), "The lines as they are in the file"},
};
static const OptRow stack_rows[] = {
    {"native", 0, OPT_FLAG, offsetof(Options, native), "Ask for frames of native code too, which this server does not know"},
    {"json", 0, OPT_FLAG, offsetof(Options, json), "Print JSON"},
};
static const OptArg args[] = {
    {"JOB_ID", OPT_TEXT, offsetof(Options, id), "The job; default: the last one", .is_optional = true, .completer = "jobs"},
};
/* clang-format on */

/* A trace on its way to standard output. */
typedef struct Trace {
    Cli *cli;
    bool is_raw;
    Buf line;                 /* the beginning of one that is not whole yet */
    char file[FILE_NAME_MAX]; /* that the last answer was from; "" before */
    bool is_other_file;       /* than the answer before it: its bytes are not what was asked for */
    int64_t size;             /* of the file as it was answered */
} Trace;

static void trace_release(Trace *trace)
{
    buf_release(&trace->line);
}

static int put_line(Trace *trace, Str line, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error ignored = ERROR_INIT;
    Json *entry = NULL;
    bool is_entry =
        !trace->is_raw && json_parse(arena, line, &json_limits_config, &entry, &ignored) == 0 &&
        json_text(entry, "timestamp", STR_NONE).p && json_text(entry, "message", STR_NONE).p;
    if (is_entry)
        return print_log_entry(trace->cli, entry, err);
    const char *text = arena_printf(arena, "%.*s\n", STR_ARG(line));
    return print_text(trace->cli, str_of(text), err);
}

/* Prints the lines that are whole. */
static int put_bytes(void *context, Str bytes, Error *err)
{
    Trace *trace = context;
    if (trace->is_other_file)
        return 0;
    while (bytes.n > 0) {
        ptrdiff_t end = str_find_str(bytes, STR("\n"));
        if (end < 0) {
            buf_add_str(&trace->line, bytes);
            return buf_check(&trace->line, "a line of the trace", err);
        }
        buf_add(&trace->line, bytes.p, (size_t)end);
        if (buf_check(&trace->line, "a line of the trace", err) < 0 ||
            put_line(trace, buf_str(&trace->line), err) < 0)
            return -1;
        buf_reset(&trace->line);
        bytes = str_slice(bytes, (size_t)end + 1, bytes.n);
    }
    return 0;
}

static void take_field(void *context, Str name, Str value)
{
    Trace *trace = context;
    int64_t size = 0;
    if (str_eq_nocase(name, STR("X-Hawk-Trace-File"))) {
        trace->is_other_file = trace->file[0] && !str_eqz(value, trace->file);
        size_t n = value.n < sizeof(trace->file) - 1 ? value.n : sizeof(trace->file) - 1;
        memcpy(trace->file, value.p, n);
        trace->file[n] = '\0';
    } else if (str_eq_nocase(name, STR("X-Hawk-Trace-Size")) &&
               str_to_i64(value, 0, INT64_MAX, &size) == 0) {
        trace->size = size;
    }
}

/* One question, whose lines are printed as they come; since is -1 for the last ones. */
static int ask(Trace *trace, const char *id, const Options *options, int64_t since, Error *err)
{
    Api *api = NULL;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    api_add_job_path(&path, id, "trace");
    if (options->full)
        api_add_query(&path, "full", "true");
    else if (since >= 0)
        api_add_query_int(&path, "since_bytes", since);
    else
        api_add_query_int(&path, "lines", options->lines);
    trace->is_other_file = false;
    const ApiCall call = {.path = path.data,
                          .timeout_ms = -1,
                          .sink = put_bytes,
                          .sink_context = trace,
                          .field = take_field,
                          .field_context = trace};
    if (buf_check(&path, "the request", err) < 0 || cli_api(trace->cli, &api, err) < 0)
        return -1;
    return api_send(api, &call, NULL, NULL, err);
}

/* Whether a failed question is worth another: the server is away, or nothing is traced yet. */
static bool is_passing(const Error *err)
{
    return api_may_pass(err) || err->kind == ERR_NOT_FOUND || err->kind == ERR_CONFLICT;
}

static int follow(Trace *trace, const char *id, const Options *options, Error *err)
{
    int64_t since = -1;
    for (int n_failed = 0;;) {
        auto_error Error failure = ERROR_INIT;
        int result = ask(trace, id, options, since, &failure);
        if (result < 0 && (!is_passing(&failure) || ++n_failed > RETRIES_MAX))
            return error_move(err, &failure);
        if (result == 0) {
            n_failed = 0;
            since = trace->is_other_file ? 0 : trace->size;
        } else if (watch_job_is_over(trace->cli, id)) {
            return 0;
        }
        if (fflush(stdout) != 0)
            return error_set(err, ERR_CANCELLED, "nobody reads the lines");
        if (!trace->is_other_file)
            control_pause((int)(options->poll_interval * 1000));
    }
}

/* Nothing of a job that is not there will ever be traced, nor is it one to remember. */
static int check_job(Cli *cli, const char *id, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    Json *answer = NULL;
    api_add_job_path(&path, id, "job-status");
    if (api_get_path(cli, &path, &answer, err) < 0)
        return settings_no_job(id, err);
    settings_keep_id(cli, SETTINGS_JOB, id);
    return 0;
}

static int run_trace(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    HAWK_CLEANUP(trace_release)
    Trace trace = {.cli = cli, .is_raw = options->raw, .line = BUF_INIT(LINE_MAX)};
    if (options->full && options->follow)
        return error_set(err, ERR_USAGE, "--full and --follow do not go together");
    if (settings_id(cli, SETTINGS_JOB, options->id, &id, err) < 0 || check_job(cli, id, err) < 0)
        return -1;
    if (options->follow)
        return follow(&trace, id, options, err);
    if (ask(&trace, id, options, -1, err) < 0)
        return -1;
    return trace.line.len ? put_line(&trace, buf_str(&trace.line), err) : 0;
}

static int run_stacktrace(Cli *cli, const void *given, Error *err)
{
    const Options *options = given;
    const char *id = NULL;
    Api *api = NULL;
    auto_buf Buf path = BUF_INIT(PATH_MAX_BYTES);
    auto_buf Buf body = BUF_INIT(API_ANSWER_MAX);
    if (settings_id(cli, SETTINGS_JOB, options->id, &id, err) < 0 || check_job(cli, id, err) < 0 ||
        cli_api(cli, &api, err) < 0)
        return -1;
    api_add_job_path(&path, id, "stacktrace");
    api_add_query(&path, "native", options->native ? "true" : "false");
    api_add_query(&path, "format", options->json ? "json" : "text");
    const ApiCall call = {.path = path.data};
    if (buf_check(&path, "the request", err) < 0 || api_send(api, &call, &body, NULL, err) < 0)
        return -1;
    return options->json ? print_json_text(cli, buf_str(&body), err)
                         : print_text(cli, buf_str(&body), err);
}

const Command commands_trace = {
    .path = "trace",
    .section = COMMAND_LOOK,
    .summary = "Print what Inspect traces of a running job",
    .examples = "hawk trace -n 20\nhawk trace -f",
    .spec = {.rows = trace_rows,
             .n_rows = ARRAY_LEN(trace_rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run_trace,
};

const Command commands_stacktrace = {
    .path = "stacktrace",
    .section = COMMAND_LOOK,
    .summary = "Print where the tasks of a running eval set are",
    .description = "Each task's process says which code its threads are at, and what its asyncio "
                   "tasks wait for.",
    .spec = {.rows = stack_rows,
             .n_rows = ARRAY_LEN(stack_rows),
             .args = args,
             .n_args = ARRAY_LEN(args),
             .size = sizeof(Options)},
    .run = run_stacktrace,
};
