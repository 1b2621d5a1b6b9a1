/* The virtualenv of our programs: see frames.h. */

#include "server/frames.h"

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "server_embed.h"

enum {
    INSTALL_TIMEOUT_MS = 10 * 60 * 1000,
    PROBE_TIMEOUT_MS = 20 * 1000,
    LOCK_WAIT_MS = 10 * 60 * 1000,
    LOCK_STEP_MS = 200,
    OUTPUT_MAX = 64 << 10,
    SHOWN_MAX = 600,
    VERSION_MAX = 64,
    WORDS_MAX = 4,
};

/* What they run with. */
typedef struct Frames {
    ProcessEnv env;
    char *python;
    char *uv; /* NULL: pip does it */
    char *folder;
} Frames;

static void frames_release(Frames *frames)
{
    process_env_release(&frames->env);
    free(frames->python);
    free(frames->uv);
    free(frames->folder);
}

/* clang-format off */
/* The keys of models are no business of an installer or of this program. */
static const char *const passed_on[] = {
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "XDG_", "UV_", "PIP_", "SSL_", "NETRC", "HTTP_PROXY",
    "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
};
/* clang-format on */

static bool is_passed_on(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++) {
        Str row = str_of(passed_on[i]);
        if (str_ends(row, STR("_")) ? str_starts(name, row) : str_eq(name, row))
            return true;
    }
    return false;
}

void frames_env(ProcessEnv *env, bool for_store)
{
    extern char **environ;
    process_env_init(env, false);
    for (char **item = environ; *item; item++) {
        const char *equals = strchr(*item, '=');
        if (!equals)
            continue;
        Str variable = {*item, (size_t)(equals - *item)};
        if (!is_passed_on(variable) && !(for_store && str_starts(variable, STR("AWS_"))))
            continue;
        auto_free char *name = mem_strndup(*item, (size_t)(equals - *item));
        process_env_set(env, name, equals + 1);
    }
    process_env_set(env, "PYTHONDONTWRITEBYTECODE", "1");
}

/* Says that Parquet cannot be had, and what to do about it. */
static int refuse(Error *err, const char *why, Str output)
{
    Str shown = str_trim(output);
    if (shown.n > SHOWN_MAX)
        shown = str_slice(shown, shown.n - SHOWN_MAX, shown.n);
    (void)error_set(err, ERR_UNSUPPORTED, "this machine cannot work with Parquet: %s%s%.*s", why,
                    shown.n ? ": " : "", STR_ARG(shown));
    (void)error_code(err, "parquet.unavailable");
    return error_fix(err,
                     "install Python 3.10 or newer with its venv module (python3-venv) and let "
                     "it reach a package index once, or take another format: csv, json or "
                     "ndjson");
}

static int run_tool(const Frames *frames, const char *const *argv, const char *why, Error *err)
{
    const ProcessOptions options = {.argv = argv, .envp = frames->env.items, PROCESS_STDIO_NULL};
    auto_buf Buf output = BUF_INIT(OUTPUT_MAX);
    auto_error Error failed = ERROR_INIT;
    int status = 0;
    if (process_run(&options, INSTALL_TIMEOUT_MS, &output, &status, &failed) < 0)
        return refuse(err, why, str_of(error_text(&failed)));
    return status == 0 ? 0 : refuse(err, why, buf_str(&output));
}

/* The folder's name depends on Python's version and on what is installed into it. */
static int find_tools(const char *cache_dir, Frames *frames, Error *err)
{
    const char *python = getenv("HAWK_PYTHON");
    const char *uv = getenv("HAWK_UV");
    auto_buf Buf version = BUF_INIT(VERSION_MAX);
    auto_buf Buf key = BUF_INIT(1 << 20);
    char name[DIGEST_HEX_MAX];
    int status = 0;
    frames_env(&frames->env, false);
    frames->python = process_find_program(python && *python ? python : "python3");
    if (!frames->python)
        return refuse(err, "there is no python3", STR_NONE);
    frames->uv = process_find_program(uv && *uv ? uv : "uv");
    if (!frames->uv) {
        auto_free char *own = fs_join(cache_dir, "tools/bin/uv");
        frames->uv = fs_exists(own) ? TAKE(own) : NULL;
    }
    const char *const argv[] = {frames->python,
                                "-I",
                                "-S",
                                "-c",
                                "import sys; print(sys.version_info[:3], sys.prefix)",
                                NULL};
    const ProcessOptions options = {.argv = argv, .envp = frames->env.items, PROCESS_STDIO_NULL};
    auto_error Error ignored = ERROR_INIT;
    if (process_run(&options, PROBE_TIMEOUT_MS, &version, &status, &ignored) < 0 || status != 0)
        return refuse(err, "python3 does not work", buf_str(&version));
    buf_add_str(&key, buf_str(&version));
    buf_add(&key, embed_hawk_frames_txt.data, embed_hawk_frames_txt.size);
    buf_add(&key, embed_hawk_frames_py.data, embed_hawk_frames_py.size);
    buf_add(&key, embed_hawk_scans_py.data, embed_hawk_scans_py.size);
    frames->folder =
        mem_printf("%s/frames/%.32s", cache_dir, digest_sha256_hex(buf_str(&key), name));
    return 0;
}

/* --- the virtualenv --- */

static int write_embedded(const char *folder, const char *name, const Embedded *file, Error *err)
{
    auto_free char *path = fs_join(folder, name);
    return fs_write_file(path, (Str){(const char *)file->data, file->size}, 0600, err);
}

static int install(const Frames *frames, Error *err)
{
    auto_free char *venv = fs_join(frames->folder, "venv");
    auto_free char *python = fs_join(venv, "bin/python");
    auto_free char *list = fs_join(frames->folder, "hawk_frames.txt");
    const char *const uv_make[] = {frames->uv,     "venv", "--quiet", "--python",
                                   frames->python, venv,   NULL};
    const char *const uv_install[] = {
        frames->uv, "pip",  "install",          "--quiet",       "--color", "never",
        "--python", python, "--require-hashes", "--only-binary", ":all:",   "-r",
        list,       NULL};
    const char *const pip_make[] = {frames->python, "-m", "venv", venv, NULL};
    const char *const pip_install[] = {python,
                                       "-m",
                                       "pip",
                                       "install",
                                       "--quiet",
                                       "--disable-pip-version-check",
                                       "--require-hashes",
                                       "--only-binary",
                                       ":all:",
                                       "-r",
                                       list,
                                       NULL};
    if (fs_remove_tree(frames->folder, err) < 0 || fs_make_dirs(frames->folder, 0700, err) < 0 ||
        write_embedded(frames->folder, "hawk_frames.txt", &embed_hawk_frames_txt, err) < 0 ||
        write_embedded(frames->folder, "hawk_frames.py", &embed_hawk_frames_py, err) < 0 ||
        write_embedded(frames->folder, "hawk_scans.py", &embed_hawk_scans_py, err) < 0 ||
        run_tool(frames, frames->uv ? uv_make : pip_make, "no virtualenv can be made", err) < 0 ||
        run_tool(frames, frames->uv ? uv_install : pip_install, "pyarrow cannot be installed",
                 err) < 0)
        return -1;
    auto_free char *ready = fs_join(frames->folder, "ready");
    return fs_write_file(ready, STR(""), 0600, err);
}

/* Waits for another process that makes the same one. */
static int lock(const char *path, int *ret, Error *err)
{
    int64_t deadline = clock_monotonic_ms() + LOCK_WAIT_MS;
    for (;;) {
        int fd = fs_lock(path, err);
        if (fd >= 0 || err->kind != ERR_CONFLICT || clock_monotonic_ms() > deadline) {
            *ret = fd;
            return fd < 0 ? -1 : 0;
        }
        error_reset(err);
        (void)poll(NULL, 0, LOCK_STEP_MS);
    }
}

static int prepare(const char *cache_dir, const Frames *frames, Error *err)
{
    auto_free char *ready = fs_join(frames->folder, "ready");
    auto_free char *all = fs_join(cache_dir, "frames");
    auto_free char *lock_path = mem_printf("%s.lock", frames->folder);
    auto_fd int held = -1;
    if (fs_exists(ready))
        return 0;
    if (fs_make_dirs(all, 0700, err) < 0 || lock(lock_path, &held, err) < 0)
        return -1;
    return fs_exists(ready) ? 0 : install(frames, err);
}

int frames_start(const char *cache_dir, const FramesStart *start, Process *ret, Error *err)
{
    HAWK_CLEANUP(frames_release) Frames frames = {0};
    if (find_tools(cache_dir, &frames, err) < 0 || prepare(cache_dir, &frames, err) < 0)
        return -1;
    auto_free char *python = fs_join(frames.folder, "venv/bin/python");
    auto_free char *program = fs_join(frames.folder, start->program);
    const char *argv[3 + WORDS_MAX + 1] = {python, "-I", program};
    for (size_t i = 0; start->words && start->words[i]; i++) {
        assert(i < WORDS_MAX);
        argv[3 + i] = start->words[i];
    }
    const ProcessOptions options = {.argv = argv,
                                    .envp = frames.env.items,
                                    .in = start->in,
                                    .out = start->out,
                                    .err = PROCESS_PIPE,
                                    .own_group = true,
                                    .parent_death_signal = start->dies_with_us ? SIGKILL : 0};
    if (process_start(&options, ret, err) < 0)
        return error_wrap(err, "cannot start the program that works with Parquet");
    return 0;
}

int frames_finish(Process *process, int timeout_ms, Error *err)
{
    char words[SHOWN_MAX];
    if (process_wait(process, timeout_ms, err) < 0)
        return error_wrap(err, "the program that works with Parquet does not end");
    if (process->exit_status == 0)
        return 0;
    ssize_t n = read(process->err, words, sizeof(words));
    Str said = str_trim((Str){words, n > 0 ? (size_t)n : 0});
    return error_set(err, ERR_FAILED, "%.*s", STR_ARG(said));
}
