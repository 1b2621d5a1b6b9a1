/* The steps of a run: the job is ours alone, its turn comes, packages, worker, result. Whatever
   happens, exit.json is the last thing written, and the lock falls only after it. */

#include "runner/runner.h"
#include "runner/capsule.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/secret.h"
#include "codec/json_out.h"
#include "jobs/executor_env.h"
#include "jobspec/diagnostics.h"
#include "runner/edit.h"
#include "runner/pool.h"
#include "runner/renewal.h"
#include "runner/run.h"
#include "runner/venv.h"
#include "runner/worker.h"

enum {
    CONFIG_MAX = 64 << 20,
    SMALL_FILE_MAX = 4096,
    NAMES_MAX = 1 << 20,
    TURN_POLL_MS = 250,
    TURN_LOOK_MS = 5000,
    END_TRIES = 20, /* a disk that is full may not stay so */
    END_PAUSE_MS = 500,
};

typedef struct Arguments {
    const char *job_type;
    const char *user_config;
    const char *infra_config;
    int64_t attempt;
    bool waits;
    bool foreground;
} Arguments;

/* clang-format off */
static const OptRow rows[] = {
    { "attempt",    0, OPT_INT,  offsetof(Arguments, attempt),    "Number of this run of the job", .fallback = "1", .min = 1, .max = 1e9 },
    { "wait",       0, OPT_FLAG, offsetof(Arguments, waits),      "Begin when the file `go` holds the attempt" },
    { "foreground", 0, OPT_FLAG, offsetof(Arguments, foreground), "Show the output on standard error too" },
};
static const OptArg args[] = {
    { "JOB_TYPE",     OPT_CHOICE, offsetof(Arguments, job_type),     "What to run", .choices = "eval-set|scan" },
    { "USER_CONFIG",  OPT_FILE,   offsetof(Arguments, user_config),  "The job's config, as JSON" },
    { "INFRA_CONFIG", OPT_FILE,   offsetof(Arguments, infra_config), "What the server adds" },
};
/* clang-format on */

static const OptSpec spec = {.rows = rows,
                             .n_rows = ARRAY_LEN(rows),
                             .args = args,
                             .n_args = ARRAY_LEN(args),
                             .size = sizeof(Arguments)};

/* --- being the one runner of the job --- */

static int write_self(const Run *run, Error *err)
{
    uint64_t ticks = 0;
    char boot_id[PROCESS_BOOT_ID_MAX];
    if (process_start_ticks(getpid(), &ticks) < 0)
        return error_set(err, ERR_IO, "cannot read the start time of this process");
    auto_buf Buf body = BUF_INIT(SMALL_FILE_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_int(&out, "pid", getpid());
    json_out_kv_int(&out, "start_ticks", (int64_t)ticks);
    json_out_kvz(&out, "boot_id", process_boot_id(boot_id));
    json_out_kv_int(&out, "attempt", run->attempt);
    json_out_end_object(&out);
    auto_free char *path = fs_join(run->folder, "runner.json");
    return fs_write_file(path, buf_str(&body), 0600, err);
}

/* Whether the attempt has its result already: then there is nothing left to do, whoever started
 * this. */
static bool is_over(const Run *run)
{
    auto_free char *path = fs_join(run->folder, "exit.json");
    auto_buf Buf body = BUF_INIT(1 << 20);
    auto_error Error err = ERROR_INIT;
    Json *root = NULL;
    return fs_read_file(path, &body, &err) == 0 &&
           json_parse(run->arena, arena_str(run->arena, buf_str(&body)), &json_limits_config, &root,
                      &err) == 0 &&
           json_int(root, "attempt", -1) == run->attempt;
}

/* --- waiting for the turn --- */

static bool may_begin(const Run *run)
{
    auto_free char *path = fs_join(run->folder, "go");
    auto_buf Buf body = BUF_INIT(SMALL_FILE_MAX);
    auto_error Error err = ERROR_INIT;
    int64_t attempt = 0;
    return fs_read_file(path, &body, &err) == 0 &&
           str_to_i64(str_trim(buf_str(&body)), 0, INT64_MAX, &attempt) == 0 &&
           attempt == run->attempt;
}

/* Waits for a file to appear in the folder, a signal, or some time; true when told to end. */
static bool wait_for_change(Run *run, int changes)
{
    char events[SMALL_FILE_MAX];
    struct pollfd watched[] = {
        {.fd = run->signal_fd, .events = POLLIN},
        {.fd = changes, .events = POLLIN},
    };
    if (poll(watched, ARRAY_LEN(watched), changes < 0 ? TURN_POLL_MS : TURN_LOOK_MS) > 0 &&
        watched[1].revents)
        (void)!read(changes, events, sizeof(events)); /* what changed is looked at anyway */
    return run_told_to_end(run, 0);
}

/* A folder that is gone was a submit that did not come about. */
static int wait_for_turn(Run *run, Error *err)
{
    auto_fd int changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    bool is_watched =
        changes >= 0 && inotify_add_watch(changes, run->folder, IN_MOVED_TO | IN_CLOSE_WRITE) >= 0;
    run_phase(run, "queued", NULL);
    while (!may_begin(run)) {
        if (!fs_is_dir(run->folder))
            return error_set(err, ERR_CANCELLED, "the job's folder is gone");
        if (wait_for_change(run, is_watched ? changes : -1))
            return error_set(err, ERR_CANCELLED, "told to end before its turn came");
    }
    return 0;
}

/* --- configs --- */

static int read_json(Run *run, const char *path, const Json **ret, Error *err)
{
    auto_buf Buf body = BUF_INIT(CONFIG_MAX);
    Json *root = NULL;
    const JsonLimits limits = {.bytes = CONFIG_MAX, .depth = 200, .nodes = 5000000};
    if (fs_read_file(path, &body, err) < 0)
        return -1;
    if (json_parse(run->arena, arena_str(run->arena, buf_str(&body)), &limits, &root, err) < 0)
        return error_wrap(err, "%s", path);
    *ret = root;
    return 0;
}

static int read_configs(Run *run, JobspecKind kind, Error *err)
{
    Diagnostics list;
    diagnostics_init(&list, run->arena);
    const JobspecOptions options = {0};
    const Json *user = NULL;
    Jobspec *checked = NULL;
    if (read_json(run, run->user_config, &user, err) < 0 ||
        read_json(run, run->infra_config, &run->infra, err) < 0)
        return -1;
    if (jobspec_check(run->arena, user, run->user_config, kind, &options, &list, &checked, err) < 0)
        return -1;
    run->spec = checked;
    return 0;
}

/* --- secrets --- */

static bool is_declared(const JobspecSecrets *declared, Str name)
{
    for (size_t i = 0; i < declared->n; i++)
        if (str_eqz(name, declared->items[i].name))
            return true;
    return false;
}

/* Whether the server named the variable as a secret of the job. */
static bool is_given(Str name)
{
    Str rest = str_of(getenv(EXECUTOR_SECRETS));
    Str given = STR_NONE;
    while (rest.p && str_split(&rest, ',', &given))
        if (str_eq(given, name))
            return true;
    return false;
}

/* The values of secrets and of variables that sound like secrets stay out of the output. The worker
   is told the names of those whose values it keeps out of the logs too. */
static void hide_secrets(Run *run)
{
    extern char **environ;
    JobspecSecrets declared = jobspec_secrets(run->arena, run->spec);
    auto_buf Buf names = BUF_INIT(NAMES_MAX);
    for (char **item = environ; *item; item++) {
        Str variable = str_of(*item);
        ptrdiff_t equals = str_find(variable, '=');
        if (equals <= 0)
            continue;
        Str name = str_slice(variable, 0, (size_t)equals);
        if (str_eqz(name, EXECUTOR_SECRETS))
            continue;
        bool is_sure = secret_sounds(name) || is_declared(&declared, name);
        if (is_sure)
            buf_printf(&names, "%s%.*s", names.len ? "," : "", STR_ARG(name));
        if (is_sure || is_given(name))
            output_hide(run->output, str_slice(variable, (size_t)equals + 1, variable.n));
    }
    (void)setenv(EXECUTOR_SECRETS, names.data, 1);
}

/* --- the run --- */

static RunEnd end_of_error(const Run *run, const Error *err)
{
    if (err->kind == ERR_CANCELLED || run->is_stopping)
        return (RunEnd){RUN_CANCELLED, "run.cancelled", mem_strdup(error_text(err))};
    if (err->code && strncmp(err->code, "install.", 8) == 0)
        return (RunEnd){venv_exit_status(err), "install.failed", mem_strdup(error_text(err))};
    if (err->kind == ERR_BAD_DATA)
        return (RunEnd){RUN_CANNOT_WORK, "config.invalid", mem_strdup(error_text(err))};
    return (RunEnd){RUN_FAILED, "runner.failed", mem_strdup(error_text(err))};
}

/* Scout runs a scan in one process, or forks its own. */
static int run_scan(Run *run, const char *cache_dir, const Venv *venv, RunChild *ret, Error *err)
{
    const char *const words[] = {"scan", run->user_config, run->infra_config, NULL};
    const WorkerStart start = {.cache_dir = cache_dir, .venv = venv, .words = words};
    return worker_run(run, &start, ret, err);
}

static int run_job(Run *run, const Arguments *arguments, RunEnd *ret, Error *err)
{
    auto_venv Venv venv = VENV_INIT;
    RunChild child = {0};
    const char *named = getenv("HAWK_CACHE");
    auto_free char *cache_dir =
        named && *named ? mem_strdup(named) : fs_xdg("XDG_CACHE_HOME", ".cache");
    const bool is_scan = strcmp(arguments->job_type, "scan") == 0;
    if (read_configs(run, is_scan ? JOBSPEC_SCAN : JOBSPEC_EVAL_SET, err) < 0)
        return -1;
    hide_secrets(run);
    if (pool_forget(run, err) < 0)
        return -1;
    if (arguments->waits && wait_for_turn(run, err) < 0)
        return -1;
    run_phase(run, "installing", NULL);
    if (venv_prepare(run, cache_dir, &venv, err) < 0 || venv_keep_lock(run, &venv, err) < 0 ||
        capsule_keep(run, &venv, err) < 0)
        return -1;
    if (run_told_to_end(run, 0))
        return error_set(err, ERR_CANCELLED, "told to end before its samples began");
    run_phase(run, "loading", NULL);
    if ((is_scan ? run_scan : pool_run)(run, cache_dir, &venv, &child, err) < 0)
        return -1;
    *ret = run_end_of_worker(run, &child);
    return 0;
}

static int write_end(Run *run, const RunEnd *end)
{
    for (int i = 0; i < END_TRIES && fs_is_dir(run->folder); i++) {
        auto_error Error err = ERROR_INIT;
        if (run_write_end(run, end, &err) == 0)
            return end->exit_code;
        output_say(run->output, "error", "cannot write the result: %s", error_text(&err));
        (void)run_told_to_end(run, END_PAUSE_MS);
    }
    return fs_is_dir(run->folder) ? RUN_UNWRITTEN : end->exit_code;
}

static int run_to_end(Run *run, const Arguments *arguments)
{
    RunEnd end = {0};
    auto_error Error err = ERROR_INIT;
    if (run_job(run, arguments, &end, &err) < 0)
        end = end_of_error(run, &err);
    output_say(run->output, end.exit_code == RUN_DONE ? "info" : "error", "%s", end.detail);
    int status = write_end(run, &end);
    free(end.detail);
    return status;
}

/* --- start --- */

static char *folder_of(const char *path)
{
    auto_free char *real = realpath(path, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;
    return slash ? mem_strndup(real, slash == real ? 1 : (size_t)(slash - real)) : mem_strdup(".");
}

static int complain(const Error *err)
{
    fprintf(stderr, "hawk runner: %s\n", error_text(err));
    return error_kind_exit(err->kind);
}

/* Words may have as little room as the file: the status tells the server. */
static int cannot_write(const Error *err)
{
    (void)complain(err);
    return RUN_UNWRITTEN;
}

static int supervise(Run *run, const Arguments *arguments)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *lock_path = fs_join(run->folder, "lock");
    auto_fd int lock = fs_lock(lock_path, &err);
    if (lock < 0) {
        (void)complain(&err);
        return err.kind == ERR_CONFLICT ? RUN_TAKEN : RUN_UNWRITTEN;
    }
    if (is_over(run))
        return RUN_TAKEN;
    auto_fd int signals = run_open_signals(&err);
    if (signals < 0)
        return complain(&err);
    if (write_self(run, &err) < 0)
        return cannot_write(&err);
    run->signal_fd = signals;
    const OutputOptions options = {.folder = run->folder,
                                   .to_terminal = arguments->foreground,
                                   .event = run_worker_event,
                                   .context = run};
    if (output_open(&options, &run->output, &err) < 0)
        return cannot_write(&err);
    Renewal *renewal = renewal_start(run->folder);
    int status = run_to_end(run, arguments);
    renewal_stop(renewal);
    output_close(run->output);
    free(run->outcome);
    return status;
}

int runner_main(int argc, char **argv)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Arguments arguments = {0};
    if (argc > 1 && strcmp(argv[1], "edit") == 0)
        return edit_main(argc - 1, argv + 1);
    const OptTarget target = {&spec, &arguments};
    if (opt_parse(arena, &target, 1, argc - 1, argv + 1, &err) < 0)
        return complain(&err);
    auto_free char *folder = folder_of(arguments.user_config);
    auto_free char *user = realpath(arguments.user_config, NULL);
    auto_free char *infra = realpath(arguments.infra_config, NULL);
    if (!user || !infra) {
        (void)error_set(&err, ERR_NOT_FOUND, "cannot read %s",
                        user ? arguments.infra_config : arguments.user_config);
        return complain(&err);
    }
    (void)umask(0077);
    Run run = {.arena = arena,
               .user_config = user,
               .infra_config = infra,
               .folder = folder,
               .attempt = arguments.attempt};
    return supervise(&run, &arguments);
}
