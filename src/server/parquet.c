/* The virtualenv, the program and the pipes: see parquet.h. */

#include "server/parquet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
    END_WAIT_MS = 60 * 1000,
    PUMP_WAIT_MS = 200,
    OUTPUT_MAX = 64 << 10,
    SHOWN_MAX = 600,
    PUMP_STEP = 64 << 10,
    VERSION_MAX = 64,
};

struct Parquet {
    Process process;
};

/* --- what it runs with --- */

typedef struct Tools {
    ProcessEnv env;
    char *python;
    char *uv; /* NULL: pip does it */
    char *folder;
} Tools;

static void tools_release(Tools *tools)
{
    process_env_release(&tools->env);
    free(tools->python);
    free(tools->uv);
    free(tools->folder);
}

#define auto_tools HAWK_CLEANUP(tools_release)

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

static void fill_env(ProcessEnv *env)
{
    extern char **environ;
    process_env_init(env, false);
    for (char **item = environ; *item; item++) {
        const char *equals = strchr(*item, '=');
        if (!equals || !is_passed_on((Str){*item, (size_t)(equals - *item)}))
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
    (void)error_set(err, ERR_UNSUPPORTED, "this machine cannot write Parquet: %s%s%.*s", why,
                    shown.n ? ": " : "", STR_ARG(shown));
    (void)error_code(err, "parquet.unavailable");
    return error_fix(err,
                     "install Python 3.10 or newer with its venv module (python3-venv) and let "
                     "it reach a package index once, or take another format: csv, json or "
                     "ndjson");
}

static int run_tool(const Tools *tools, const char *const *argv, const char *why, Error *err)
{
    const ProcessOptions options = {.argv = argv, .envp = tools->env.items, PROCESS_STDIO_NULL};
    auto_buf Buf output = BUF_INIT(OUTPUT_MAX);
    auto_error Error failed = ERROR_INIT;
    int status = 0;
    if (process_run(&options, INSTALL_TIMEOUT_MS, &output, &status, &failed) < 0)
        return refuse(err, why, str_of(error_text(&failed)));
    return status == 0 ? 0 : refuse(err, why, buf_str(&output));
}

/* The folder's name depends on Python's version and on what is installed into it. */
static int find_tools(const char *cache_dir, Tools *tools, Error *err)
{
    const char *python = getenv("HAWK_PYTHON");
    const char *uv = getenv("HAWK_UV");
    auto_buf Buf version = BUF_INIT(VERSION_MAX);
    auto_buf Buf key = BUF_INIT(1 << 20);
    char name[DIGEST_HEX_MAX];
    int status = 0;
    fill_env(&tools->env);
    tools->python = process_find_program(python && *python ? python : "python3");
    if (!tools->python)
        return refuse(err, "there is no python3", STR_NONE);
    tools->uv = process_find_program(uv && *uv ? uv : "uv");
    if (!tools->uv) {
        auto_free char *own = fs_join(cache_dir, "tools/bin/uv");
        tools->uv = fs_exists(own) ? TAKE(own) : NULL;
    }
    const char *const argv[] = {
        tools->python, "-I", "-S", "-c", "import sys; print(sys.version_info[:3], sys.prefix)",
        NULL};
    const ProcessOptions options = {.argv = argv, .envp = tools->env.items, PROCESS_STDIO_NULL};
    auto_error Error ignored = ERROR_INIT;
    if (process_run(&options, PROBE_TIMEOUT_MS, &version, &status, &ignored) < 0 || status != 0)
        return refuse(err, "python3 does not work", buf_str(&version));
    buf_add_str(&key, buf_str(&version));
    buf_add(&key, embed_hawk_frames_txt.data, embed_hawk_frames_txt.size);
    buf_add(&key, embed_hawk_frames_py.data, embed_hawk_frames_py.size);
    tools->folder =
        mem_printf("%s/frames/%.32s", cache_dir, digest_sha256_hex(buf_str(&key), name));
    return 0;
}

/* --- the virtualenv --- */

static int write_embedded(const char *folder, const char *name, const Embedded *file, Error *err)
{
    auto_free char *path = fs_join(folder, name);
    return fs_write_file(path, (Str){(const char *)file->data, file->size}, 0600, err);
}

static int install(const Tools *tools, Error *err)
{
    auto_free char *venv = fs_join(tools->folder, "venv");
    auto_free char *python = fs_join(venv, "bin/python");
    auto_free char *list = fs_join(tools->folder, "hawk_frames.txt");
    const char *const uv_make[] = {tools->uv,     "venv", "--quiet", "--python",
                                   tools->python, venv,   NULL};
    const char *const uv_install[] = {
        tools->uv,  "pip",  "install",          "--quiet",       "--color", "never",
        "--python", python, "--require-hashes", "--only-binary", ":all:",   "-r",
        list,       NULL};
    const char *const pip_make[] = {tools->python, "-m", "venv", venv, NULL};
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
    if (fs_remove_tree(tools->folder, err) < 0 || fs_make_dirs(tools->folder, 0700, err) < 0 ||
        write_embedded(tools->folder, "hawk_frames.txt", &embed_hawk_frames_txt, err) < 0 ||
        write_embedded(tools->folder, "hawk_frames.py", &embed_hawk_frames_py, err) < 0 ||
        run_tool(tools, tools->uv ? uv_make : pip_make, "no virtualenv can be made", err) < 0 ||
        run_tool(tools, tools->uv ? uv_install : pip_install, "pyarrow cannot be installed", err) <
            0)
        return -1;
    auto_free char *ready = fs_join(tools->folder, "ready");
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

static int prepare(const char *cache_dir, const Tools *tools, Error *err)
{
    auto_free char *ready = fs_join(tools->folder, "ready");
    auto_free char *frames = fs_join(cache_dir, "frames");
    auto_free char *lock_path = mem_printf("%s.lock", tools->folder);
    auto_fd int held = -1;
    if (fs_exists(ready))
        return 0;
    if (fs_make_dirs(frames, 0700, err) < 0 || lock(lock_path, &held, err) < 0)
        return -1;
    return fs_exists(ready) ? 0 : install(tools, err);
}

/* --- the program --- */

int parquet_start(const char *cache_dir, int out, Parquet **ret, Error *err)
{
    auto_tools Tools tools = {0};
    if (find_tools(cache_dir, &tools, err) < 0 || prepare(cache_dir, &tools, err) < 0)
        return -1;
    auto_free char *python = fs_join(tools.folder, "venv/bin/python");
    auto_free char *program = fs_join(tools.folder, "hawk_frames.py");
    const char *const argv[] = {python, "-I", program, NULL};
    const ProcessOptions options = {.argv = argv,
                                    .envp = tools.env.items,
                                    .in = PROCESS_PIPE,
                                    .out = out,
                                    .err = PROCESS_PIPE,
                                    .own_group = true};
    auto_parquet Parquet *parquet = mem_alloc(sizeof(*parquet));
    parquet->process = PROCESS_INIT;
    if (process_start(&options, &parquet->process, err) < 0)
        return error_wrap(err, "cannot start the program that writes Parquet");
    if (out == PROCESS_PIPE) {
        (void)fcntl(parquet->process.in, F_SETFL, O_NONBLOCK);
        (void)fcntl(parquet->process.out, F_SETFL, O_NONBLOCK);
    }
    *ret = TAKE(parquet);
    return 0;
}

void parquet_free(Parquet *parquet)
{
    if (!parquet)
        return;
    process_release(&parquet->process);
    free(parquet);
}

static void end_feed(Parquet *parquet)
{
    fs_close_cleanup(&parquet->process.in);
    parquet->process.in = -1;
}

/* Waits for the end and says what went wrong in the program's own words. */
static int wait_for_end(Parquet *parquet, Error *err)
{
    char words[SHOWN_MAX];
    Process *process = &parquet->process;
    end_feed(parquet);
    if (process_wait(process, END_WAIT_MS, err) < 0)
        return error_wrap(err, "the program that writes Parquet does not end");
    if (process->exit_status == 0)
        return 0;
    ssize_t n = read(process->err, words, sizeof(words));
    Str said = str_trim((Str){words, n > 0 ? (size_t)n : 0});
    return error_set(err, ERR_FAILED, "Parquet cannot be written: %.*s", STR_ARG(said));
}

int parquet_write(Parquet *parquet, Str bytes, Error *err)
{
    auto_error Error failed = ERROR_INIT;
    if (fs_write_all(parquet->process.in, bytes.p, bytes.n, &failed) == 0)
        return 0;
    if (wait_for_end(parquet, err) < 0)
        return -1;
    return error_set(err, ERR_FAILED, "the program that writes Parquet has ended too early");
}

int parquet_finish(Parquet *parquet, Error *err)
{
    return wait_for_end(parquet, err);
}

/* Writes what the pipe takes. A program that has ended is noticed at its other end. */
static void feed_some(Parquet *parquet, Buf *feed)
{
    while (feed->len > 0 && parquet->process.in >= 0) {
        ssize_t n = write(parquet->process.in, feed->data, feed->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            end_feed(parquet);
        if (n <= 0)
            return;
        buf_consume(feed, (size_t)n);
    }
}

/* 1 when bytes came or may still come, 0 at the end of the file. */
static int take_some(Parquet *parquet, size_t max, Buf *ret)
{
    while (ret->len < max) {
        size_t n_wanted = max - ret->len < PUMP_STEP ? max - ret->len : PUMP_STEP;
        char *room = buf_room(ret, n_wanted);
        if (!room)
            return 1;
        ssize_t n = read(parquet->process.out, room, n_wanted);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 1 : 0;
        if (n == 0)
            return 0;
        buf_grew(ret, (size_t)n);
    }
    return 1;
}

int parquet_pump(Parquet *parquet, Buf *feed, bool is_over, size_t max, Buf *ret, Error *err)
{
    size_t before = feed->len;
    feed_some(parquet, feed);
    if (is_over && feed->len == 0)
        end_feed(parquet);
    if (take_some(parquet, max, ret) == 0)
        return wait_for_end(parquet, err);
    bool is_stuck = ret->len == 0 && feed->len == before && (feed->len > 0 || is_over);
    struct pollfd ends[] = {{.fd = parquet->process.out, .events = POLLIN},
                            {.fd = feed->len > 0 ? parquet->process.in : -1, .events = POLLOUT}};
    if (is_stuck)
        (void)poll(ends, ARRAY_LEN(ends), PUMP_WAIT_MS);
    return 1;
}
