/* Edits of a log: a virtualenv with the Inspect that wrote it, and the worker in it. */

#include "runner/edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "runner/run.h"
#include "runner/venv.h"
#include "runner/worker.h"

enum { TASK_MAX = 64 << 10 };

/* The version of Inspect that the worker is known to work with first; older logs are read by newer
   ones. */
#define INSPECT_FIRST 188

/* Whether it is a release "0.3.N" that the index may have and the worker can use. */
static bool is_release(Str version)
{
    Str number = STR("0.3.");
    int64_t patch = 0;
    return str_starts(version, number) && str_to_i64(str_slice(version, number.n, version.n),
                                                     INSPECT_FIRST, INT32_MAX, &patch) == 0;
}

/* The newest, or the one that wrote the log. */
static void require(Run *run, Str version)
{
    const char **items = arena_array(run->arena, 1, sizeof(*items));
    items[0] =
        version.p ? arena_printf(run->arena, "inspect-ai==%.*s", STR_ARG(version)) : "inspect-ai";
    run->requirements = (JobspecStrings){.items = items, .n = 1};
}

/* A version that cannot be had is no reason not to edit: the newest reads what older ones wrote. */
static int prepare(Run *run, const char *cache_dir, Str version, Venv *ret, Error *err)
{
    bool is_exact = is_release(version);
    require(run, is_exact ? version : STR_NONE);
    if (venv_prepare(run, cache_dir, ret, err) == 0)
        return 0;
    if (!is_exact || venv_exit_status(err) != RUN_CANNOT_WORK)
        return -1;
    output_say(run->output, "warn", "%s; taking the newest Inspect", error_text(err));
    error_reset(err);
    require(run, STR_NONE);
    return venv_prepare(run, cache_dir, ret, err);
}

static int read_task(Run *run, Json **ret, Error *err)
{
    auto_buf Buf body = BUF_INIT(TASK_MAX);
    if (fs_read_file(run->user_config, &body, err) < 0)
        return -1;
    return json_parse(run->arena, arena_str(run->arena, buf_str(&body)), &json_limits_config, ret,
                      err);
}

static int edit(Run *run, RunEnd *ret, Error *err)
{
    auto_venv Venv venv = VENV_INIT;
    RunChild child = {0};
    Json *task = NULL;
    const char *named = getenv("HAWK_CACHE");
    auto_free char *cache_dir =
        named && *named ? mem_strdup(named) : fs_xdg("XDG_CACHE_HOME", ".cache");
    auto_free char *edits = fs_join(run->folder, "edits.jsonl");
    auto_free char *target = fs_join(run->folder, "new.eval");
    if (read_task(run, &task, err) < 0)
        return -1;
    Str log = json_text(task, "log", STR(""));
    run_phase(run, "installing", NULL);
    if (prepare(run, cache_dir, json_text(task, "inspect_ai", STR_NONE), &venv, err) < 0)
        return -1;
    run_phase(run, "running", NULL);
    const char *const words[] = {"edit", edits, arena_strndup(run->arena, log.p, log.n), target,
                                 NULL};
    const WorkerStart start = {.cache_dir = cache_dir, .venv = &venv, .words = words};
    if (worker_run(run, &start, &child, err) < 0)
        return -1;
    *ret = run_end_of_worker(run, &child);
    return 0;
}

static RunEnd end_of_error(const Run *run, const Error *err)
{
    bool was_told = err->kind == ERR_CANCELLED || run->is_stopping;
    return (RunEnd){was_told ? RUN_CANCELLED : RUN_FAILED,
                    was_told ? "run.cancelled" : "runner.failed", mem_strdup(error_text(err))};
}

static int complain(const Error *err)
{
    fprintf(stderr, "hawk runner: %s\n", error_text(err));
    return error_kind_exit(err->kind);
}

int edit_main(int argc, char **argv)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    auto_free char *folder = argc == 2 ? realpath(argv[1], NULL) : NULL;
    if (!folder) {
        (void)error_set(&err, ERR_USAGE, "usage: hawk runner edit FOLDER");
        return complain(&err);
    }
    (void)umask(0077);
    auto_free char *task = fs_join(folder, "edit.json");
    Run run = {.arena = arena, .user_config = task, .folder = folder, .attempt = 1};
    auto_fd int signals = run_open_signals(&err);
    run.signal_fd = signals;
    const OutputOptions options = {.folder = folder, .event = run_worker_event, .context = &run};
    if (signals < 0 || output_open(&options, &run.output, &err) < 0)
        return complain(&err);
    RunEnd end = {0};
    if (edit(&run, &end, &err) < 0)
        end = end_of_error(&run, &err);
    output_say(run.output, end.exit_code == RUN_DONE ? "info" : "error", "%s", end.detail);
    auto_error Error unwritten = ERROR_INIT;
    if (run_write_end(&run, &end, &unwritten) < 0)
        output_say(run.output, "error", "cannot write the result: %s", error_text(&unwritten));
    output_close(run.output);
    free(run.outcome);
    free(end.detail);
    return end.exit_code;
}
