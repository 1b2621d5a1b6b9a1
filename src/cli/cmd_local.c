/* hawk local eval-set, hawk local scan: a runner of one's own, without a server. The job's folder
   is temporary; the logs go below --log-dir, the results of a scan below --results-dir. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/scores.h"
#include "cli/submit.h"
#include "codec/json_out.h"
#include "evallog/evallog.h"
#include "jobs/executor_env.h"
#include "jobspec/ids.h"

enum { DOCUMENT_MAX = 64 << 20, LINE_MAX_BYTES = 4 << 20, POLL_MS = 100, CONFIG_EXIT = 78 };

typedef struct Options {
    const char *config;
    const char *log_dir;
    const char *results_dir; /* of a scan */
    OptList secrets_files;
    OptList secrets;
    const char *priority;
    bool direct;
    bool no_env;
    bool skip_confirm;
} Options;

/* clang-format off */
#define COMMON_ROWS(priority_now) \
    {"secret", 0, OPT_LIST, offsetof(Options, secrets), "Hand this environment variable to the job", .metavar = "NAME"}, \
    {"secrets-file", 0, OPT_FILES, offsetof(Options, secrets_files), "Hand the NAME=value lines of this file to the job"}, \
    {"no-env", 0, OPT_FLAG, offsetof(Options, no_env), "Do not take the keys of the config's models from the environment and .env"}, \
    {"skip-confirm", 0, OPT_FLAG, offsetof(Options, skip_confirm), "Do not ask about warnings"}, \
    {"priority", 0, OPT_CHOICE, offsetof(Options, priority), "Has no effect here", .choices = "low|medium|high", .fallback = (priority_now)}, \
    {"direct", 0, OPT_FLAG, offsetof(Options, direct), "Has no effect: a virtualenv is made once for the packages and then used again"}

static const OptRow rows[] = {
    {"log-dir", 0, OPT_FOLDER, offsetof(Options, log_dir), "Where the folder with the logs is made", .fallback = "logs"},
    COMMON_ROWS("medium"),
};
static const OptRow scan_rows[] = {
    {"log-dir", 0, OPT_FOLDER, offsetof(Options, log_dir), "Where the eval sets of the config are: a folder with logs for each", .fallback = "logs"},
    {"results-dir", 0, OPT_FOLDER, offsetof(Options, results_dir), "Where the folder with the results is made", .fallback = "results"},
    COMMON_ROWS("low"),
};
static const OptArg args[] = {
    {"CONFIG", OPT_FILE, offsetof(Options, config), "The eval set's YAML or JSON file; - is standard input"},
};
static const OptArg scan_args[] = {
    {"CONFIG", OPT_FILE, offsetof(Options, config), "The scan's YAML or JSON file; - is standard input"},
};
/* clang-format on */

/* A run in its folder. */
typedef struct Run {
    Cli *cli;
    const Options *options;
    const Jobspec *spec;
    char id[IDS_JOB_ID_MAX + 1];
    char *folder;        /* removed at the end */
    const char *out_dir; /* of the logs or the results */
    off_t log_at;        /* what of runner.log has been printed */
    ino_t log_inode;
} Run;

static void run_release(Run *run)
{
    auto_error Error ignored = ERROR_INIT;
    if (run->folder && fs_remove_tree(run->folder, &ignored) < 0)
        cli_warn(run->cli, "%s", error_text(&ignored));
    if (run->out_dir)
        (void)rmdir(run->out_dir); /* only if nothing has come into it */
    free(run->folder);
}

static const char *in_folder(const Run *run, const char *name)
{
    return arena_printf(run->cli->arena, "%s/%s", run->folder, name);
}

static int make_folder(Run *run, Error *err)
{
    const char *tmp = getenv("TMPDIR");
    char *path = mem_printf("%s/hawk-local-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(path)) {
        (void)error_errno(err, errno, "cannot make a folder in %s", tmp && *tmp ? tmp : "/tmp");
        free(path);
        return -1;
    }
    run->folder = path;
    return 0;
}

static const char *user_name(void)
{
    const char *user = getenv("USER");
    return user && *user ? user : "local";
}

static int write_user_config(const Run *run, const Json *document, Error *err)
{
    auto_buf Buf text = BUF_INIT(DOCUMENT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 2);
    json_out_node(&out, document);
    if (buf_check(&text, "the config", err) < 0)
        return -1;
    return fs_write_file(in_folder(run, "user-config.json"), buf_str(&text), 0600, err);
}

static void write_eval_set_settings(const Run *run, JsonOut *out)
{
    json_out_kvz(out, "log_dir", run->out_dir);
    json_out_kv_object(out, "metadata");
    json_out_kvz(out, "eval_set_id", run->id);
    json_out_kvz(out, "created_by", user_name());
    json_out_end_object(out);
    json_out_kv_bool(out, "continue_on_fail", true);
    json_out_kvz(out, "log_level", "notset");
    json_out_kv_bool(out, "log_dir_allow_dirty", false);
}

/* The folders of the eval sets, each of which must be there, and that of the results. */
static int write_scan_places(const Run *run, JsonOut *out, Error *err)
{
    JobspecStrings ids = jobspec_scanned_ids(run->cli->arena, run->spec);
    json_out_kv_array(out, "transcripts");
    for (size_t i = 0; i < ids.n; i++) {
        auto_free char *folder = fs_join(run->options->log_dir, ids.items[i]);
        auto_free char *real = realpath(folder, NULL);
        if (!real) {
            (void)error_set(err, ERR_NOT_FOUND, "there is no folder %s with the logs of %s", folder,
                            ids.items[i]);
            return error_fix(err, "say with --log-dir where the eval sets are");
        }
        json_out_str(out, str_of(real));
    }
    json_out_end_array(out);
    json_out_kvz(out, "results_dir", run->out_dir);
    json_out_kvz(out, "log_level", "info");
    return 0;
}

/* What is not given here has its default in the worker. */
static int write_infra_config(const Run *run, Error *err)
{
    auto_buf Buf text = BUF_INIT(DOCUMENT_MAX);
    JsonOut out;
    json_out_init(&out, &text, 2);
    json_out_object(&out);
    json_out_kvz(&out, "job_type", jobspec_kind_name(run->spec->kind));
    json_out_kvz(&out, "job_id", run->id);
    json_out_kvz(&out, "priority", run->options->priority);
    json_out_kvz(&out, "created_by", user_name());
    json_out_kvz(&out, "email", "unknown");
    json_out_kv_array(&out, "model_groups");
    json_out_end_array(&out);
    if (run->spec->kind == JOBSPEC_SCAN) {
        if (write_scan_places(run, &out, err) < 0)
            return -1;
    } else {
        write_eval_set_settings(run, &out);
    }
    json_out_end_object(&out);
    return fs_write_file(in_folder(run, "infra-config.json"), buf_str(&text), 0600, err);
}

/* The run's id and the folder of what comes of it. */
static int name_run(Run *run, const char *below, Error *err)
{
    Str pinned = jobspec_pinned_id(run->spec);
    if (pinned.n)
        (void)snprintf(run->id, sizeof(run->id), "%.*s", STR_ARG(pinned));
    else
        ids_generate(jobspec_name(run->spec), run->id);
    auto_free char *out_dir = fs_join(below, run->id);
    if (fs_make_dirs(out_dir, 0755, err) < 0)
        return -1;
    auto_free char *real = realpath(out_dir, NULL);
    if (!real)
        return error_errno(err, errno, "cannot find %s", out_dir);
    run->out_dir = arena_strdup(run->cli->arena, real);
    return 0;
}

static int start_runner(const Run *run, const SubmitSecrets *secrets, Process *ret, Error *err)
{
    auto_free char *self = process_self_path();
    if (!self)
        return error_set(err, ERR_IO, "cannot find the path of this program");
    auto_process_env ProcessEnv env = {0};
    process_env_init(&env, true);
    auto_buf Buf names = BUF_INIT(DOCUMENT_MAX);
    for (size_t i = 0; i < secrets->n; i++) {
        process_env_set(&env, secrets->items[i].name, secrets->items[i].value);
        buf_printf(&names, "%s%s", i ? "," : "", secrets->items[i].name);
    }
    process_env_set(&env, EXECUTOR_SECRETS, names.data);
    const char *argv[] = {self,
                          "runner",
                          jobspec_kind_name(run->spec->kind),
                          in_folder(run, "user-config.json"),
                          in_folder(run, "infra-config.json"),
                          "--attempt",
                          "1",
                          NULL};
    auto_fd int log =
        fs_open(in_folder(run, "launch.log"), O_WRONLY | O_CREAT | O_APPEND, 0600, err);
    if (log < 0)
        return -1;
    ProcessOptions options = {.argv = argv,
                              .envp = env.items,
                              .cwd = run->folder,
                              .in = PROCESS_NULL,
                              .out = log,
                              .err = log,
                              .own_group = true,
                              .parent_death_signal = SIGTERM};
    return process_start(&options, ret, err);
}

/* One line of the runner's output: JSON as a rule, else as it is. */
static int print_line(Run *run, Str line, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error ignored = ERROR_INIT;
    Json *entry = NULL;
    if (line.n == 0)
        return 0;
    Arena *outer = run->cli->arena;
    int failed = 0;
    if (json_parse(arena, line, &json_limits_config, &entry, &ignored) == 0 &&
        entry->type == JSON_OBJECT) {
        run->cli->arena = arena;
        failed = print_log_entry(run->cli, entry, err);
        run->cli->arena = outer;
        return failed;
    }
    if (print_text(run->cli, line, err) < 0)
        return -1;
    return cli_put(run->cli, STR("\n"), err);
}

/* Prints the whole lines that runner.log has got since the last time; a file that was rotated is
   begun anew. */
static int print_log(Run *run, Error *err)
{
    auto_error Error none = ERROR_INIT;
    auto_fd int fd = fs_open(in_folder(run, "runner.log"), O_RDONLY, 0, &none);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return 0;
    if (st.st_ino != run->log_inode || st.st_size < run->log_at)
        run->log_at = 0;
    run->log_inode = st.st_ino;
    auto_buf Buf text = BUF_INIT(LINE_MAX_BYTES);
    for (;;) {
        buf_reset(&text);
        off_t left = st.st_size - run->log_at;
        size_t n = left > LINE_MAX_BYTES / 2 ? LINE_MAX_BYTES / 2 : (size_t)left;
        char *room = n ? buf_room(&text, n) : NULL;
        ssize_t got = room ? pread(fd, room, n, run->log_at) : 0;
        if (got <= 0)
            return 0;
        buf_grew(&text, (size_t)got);
        ptrdiff_t end = str_rfind(buf_str(&text), '\n');
        /* A line longer than what is read at once is printed in pieces. */
        size_t whole = end >= 0 ? (size_t)end + 1 : got == LINE_MAX_BYTES / 2 ? (size_t)got : 0;
        if (whole == 0)
            return 0;
        run->log_at += (off_t)whole;
        Str rest = str_slice(buf_str(&text), 0, whole);
        Str line = STR_NONE;
        while (str_split(&rest, '\n', &line))
            if (print_line(run, line, err) < 0)
                return -1;
        (void)fflush(stdout);
    }
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    interrupted = signal_number;
}

/* Waits for the end of the runner, printing what it says. Ctrl-C ends the run as a stop from
   outside would: once asks, twice kills. */
static int wait_for_end(Run *run, Process *runner, Error *err)
{
    int asked = 0;
    struct sigaction action = {.sa_handler = on_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    for (;;) {
        auto_error Error running = ERROR_INIT;
        bool is_over = process_wait(runner, POLL_MS, &running) == 0;
        if (print_log(run, err) < 0)
            return -1;
        if (is_over)
            return 0;
        if (interrupted) {
            interrupted = 0;
            cli_say(run->cli, asked ? "Killing it." : "Stopping; again to kill it.");
            process_signal(runner, asked ? SIGKILL : SIGTERM);
            asked++;
        }
    }
}

/* Why the runner ended, from exit.json; its last output when there is none. */
static int failure(const Run *run, int status, Error *err)
{
    auto_buf Buf text = BUF_INIT(LINE_MAX_BYTES);
    auto_error Error ignored = ERROR_INIT;
    Json *json = NULL;
    ErrorKind kind = status == CONFIG_EXIT ? ERR_BAD_DATA
                     : status > 128        ? ERR_CANCELLED
                                           : ERR_FAILED;
    if (fs_read_file(in_folder(run, "exit.json"), &text, &ignored) == 0 &&
        json_parse(run->cli->arena, buf_str(&text), &json_limits_config, &json, &ignored) == 0) {
        Str reason = json_text(json, "reason", STR("failed"));
        Str detail = json_text(json, "detail", reason);
        (void)error_set(err, kind, "the run did not succeed: %.*s", STR_ARG(detail));
        return error_code(err, arena_strndup(run->cli->arena, reason.p, reason.n));
    }
    buf_reset(&text);
    error_reset(&ignored);
    bool has_log = fs_read_file(in_folder(run, "launch.log"), &text, &ignored) == 0;
    Str tail = has_log ? str_trim(buf_str(&text)) : STR_NONE;
    tail = str_slice(tail, tail.n > 2000 ? tail.n - 2000 : 0, tail.n);
    return error_set(err, kind, "the runner ended with status %d%s%.*s", status,
                     tail.n ? ":\n" : "", STR_ARG(tail));
}

/* Adds the header of a log file to the list; what cannot be read is left out. */
static void add_header(Cli *cli, const char *path, Json *list)
{
    Source *source = NULL;
    auto_evallog EvalLog *log = NULL;
    const EvalLogHeader *header = NULL;
    auto_error Error ignored = ERROR_INIT;
    if (source_open_file(path, &source, &ignored) < 0)
        return;
    if (evallog_open(source, &log, &ignored) < 0) {
        source_close(source);
        return;
    }
    JsonLimits limits = json_limits_config;
    limits.allow_nan = true;
    limits.bytes = EVALLOG_HEADER_MAX;
    Json *json = NULL;
    if (evallog_header(log, &header, &ignored) == 0 &&
        json_parse(cli->arena, arena_str(cli->arena, header->raw), &limits, &json, &ignored) == 0)
        json_append(list, json);
}

static int print_scores(const Run *run, Error *err)
{
    Json *logs = json_new(run->cli->arena, JSON_ARRAY);
    auto_dir DIR *folder = opendir(run->out_dir);
    if (!folder)
        return error_errno(err, errno, "cannot read %s", run->out_dir);
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        auto_free char *path = fs_join(run->out_dir, entry->d_name);
        if (str_ends(str_of(entry->d_name), STR(".eval")))
            add_header(run->cli, path, logs);
    }
    return scores_print(run->cli, logs, err);
}

static int run_in_folder(Run *run, const Json *document, const SubmitSecrets *secrets, Error *err)
{
    auto_process Process runner = PROCESS_INIT;
    if (make_folder(run, err) < 0 || write_user_config(run, document, err) < 0 ||
        write_infra_config(run, err) < 0 || start_runner(run, secrets, &runner, err) < 0)
        return -1;
    bool is_scan = run->spec->kind == JOBSPEC_SCAN;
    cli_say(run->cli, "Running %s; %s in %s", run->id, is_scan ? "results" : "logs", run->out_dir);
    if (wait_for_end(run, &runner, err) < 0)
        return -1;
    auto_error Error no_scores = ERROR_INIT;
    if (!is_scan && print_scores(run, &no_scores) < 0)
        cli_warn(run->cli, "%s", error_text(&no_scores));
    return runner.exit_status == 0 ? 0 : failure(run, runner.exit_status, err);
}

static int run_kind(Cli *cli, const Options *options, JobspecKind kind, Error *err)
{
    Jobspec *spec = NULL;
    SubmitSecrets secrets = {0};
    SubmitSecretOptions secret_options = {.files = options->secrets_files,
                                          .names = options->secrets,
                                          .takes_model_keys = !options->no_env};
    HAWK_CLEANUP(run_release) Run run = {.cli = cli, .options = options};
    if (submit_load(cli, options->config, kind, options->skip_confirm, &spec, err) < 0 ||
        submit_secrets(cli, spec, &secret_options, &secrets, err) < 0)
        return -1;
    run.spec = spec;
    if (name_run(&run, kind == JOBSPEC_SCAN ? options->results_dir : options->log_dir, err) < 0)
        return -1;
    return run_in_folder(&run, submit_document(cli, spec), &secrets, err);
}

static int run_local(Cli *cli, const void *given, Error *err)
{
    return run_kind(cli, given, JOBSPEC_EVAL_SET, err);
}

static int run_local_scan(Cli *cli, const void *given, Error *err)
{
    return run_kind(cli, given, JOBSPEC_SCAN, err);
}

#define SPEC(opt_rows, opt_args)                                                                   \
    .spec = {.rows = (opt_rows),                                                                   \
             .n_rows = ARRAY_LEN(opt_rows),                                                        \
             .args = (opt_args),                                                                   \
             .n_args = ARRAY_LEN(opt_args),                                                        \
             .size = sizeof(Options)}

const Command commands_local_eval_set = {
    .path = "local eval-set",
    .section = COMMAND_RUN,
    .summary = "Run an eval set in the foreground, without a server",
    .description =
        "The logs go to a folder of their own below --log-dir, and are not in the lists of "
        "any server. Ctrl-C cancels the run.",
    .examples = "hawk local eval-set examples/hello.eval-set.yaml",
    SPEC(rows, args),
    .run = run_local,
};

const Command commands_local_scan = {
    .path = "local scan",
    .section = COMMAND_RUN,
    .summary = "Run a scan in the foreground, without a server",
    .description = "Reads the logs of the eval sets below --log-dir. The results go to a folder of "
                   "their own below --results-dir, for 'scout view'.",
    .examples = "hawk local scan examples/mentions.scan.yaml --log-dir logs",
    SPEC(scan_rows, scan_args),
    .run = run_local_scan,
};
