/* CACHE/locks/<requirements>.lock, CACHE/venvs/<lock>/ with a file `ready` once it is whole. */

#include "runner/venv.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/waits.h"
#include "codec/digest.h"
#include "codec/percent.h"
#include "jobs/venv_cache.h"
#include "runner/capsule.h"
#include "runner/tree.h"

/* What scans run with unless their config names another. */
#define SCOUT_VERSION "0.6.1"

enum {
    LOCK_MAX = 4 << 20,
    LOCK_AGE_SECONDS = 24 * 3600,
    UV_TIMEOUT_MS = 30 * 60 * 1000,
    UV_GRACE_MS = 5000,
    WAIT_STEP_MS = 200,
    PROBE_TIMEOUT_MS = 20 * 1000,
    TAIL_SHOWN = 1500,
    VERSION_MAX = 64,
};

typedef struct Tools {
    ProcessEnv env; /* what installers get to see: no secrets of the job */
    char *uv;
    char *python;
    char version[VERSION_MAX]; /* of Python */
    const char *cache_dir;
} Tools;

static void tools_release(Tools *tools)
{
    process_env_release(&tools->env);
    free(tools->uv);
    free(tools->python);
}

/* clang-format off */
static const char *const passed_on[] = {
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_*", "TMPDIR", "XDG_*", "UV_*", "PIP_*", "GIT_*", "SSL_*", "NETRC",
    "SSH_AUTH_SOCK", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy",
    "no_proxy", "CARGO_HOME", "RUSTUP_HOME", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "PKG_CONFIG_PATH",
};
/* clang-format on */

static bool is_passed_on(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++) {
        Str row = str_of(passed_on[i]);
        bool is_prefix = str_ends(row, STR("*"));
        if (is_prefix ? str_starts(name, str_slice(row, 0, row.n - 1)) : str_eq(name, row))
            return true;
    }
    return false;
}

/* Building a package runs its code, which has no business with the keys of the models. */
static void fill_env(ProcessEnv *env)
{
    extern char **environ;
    process_env_init(env, false);
    for (char **item = environ; *item; item++) {
        const char *equals = strchr(*item, '=');
        if (!equals)
            continue;
        auto_free char *name = mem_strndup(*item, (size_t)(equals - *item));
        if (is_passed_on(str_of(name)))
            process_env_set(env, name, equals + 1);
    }
}

void venv_release(Venv *venv)
{
    free(venv->python);
    free(venv->bin);
    free(venv->lock);
    free(venv->key);
    free(venv->version);
    fs_close_cleanup(&venv->in_use);
}

/* --- what went wrong --- */

/* Whether trying again is of use. */
typedef enum Hope {
    HOPE_NONE,  /* never: exit status 78 */
    HOPE_LATER, /* once somebody has mended something */
    HOPE_SOON,  /* by itself, as for a network that is away for a moment */
} Hope;

typedef struct Cause {
    const char *sign; /* in uv's output */
    const char *code;
    const char *words;
    Hope hope;
} Cause;

/* clang-format off */
static const Cause causes[] = {
    { "No space left on device",         "install.disk_full",  "the disk is full", HOPE_LATER },
    { "client error (429",               "install.network",    "the package index asks to come later", HOPE_SOON },
    { "client error (408",               "install.network",    "the package index did not answer in time", HOPE_SOON },
    { "HTTP status client error",        "install.refused",    "the package index refuses a request", HOPE_LATER },
    { "dns error",                       "install.network",    "the package index cannot be reached", HOPE_SOON },
    { "error sending request",           "install.network",    "the package index cannot be reached", HOPE_SOON },
    { "Failed to fetch",                 "install.network",    "the package index cannot be reached", HOPE_SOON },
    { "Could not resolve host",          "install.network",    "a Git server cannot be reached", HOPE_SOON },
    { "timed out",                       "install.network",    "the package index did not answer in time", HOPE_SOON },
    { "was not found in the package",    "install.not_found",  "a package does not exist", HOPE_NONE },
    { "was not found in the cache",      "install.offline",    "a package is not in the cache and there is no network", HOPE_LATER },
    { "Distribution not found at",       "install.not_found",  "a local package is not there", HOPE_NONE },
    { "there is no version of",          "install.not_found",  "a package has no such version", HOPE_NONE },
    { "Git operation failed",            "install.git",        "a Git repository cannot be read", HOPE_LATER },
    { "does not appear to be a Python",  "install.no_project", "a folder is no Python project", HOPE_NONE },
    { "unsatisfiable",                   "install.conflict",   "the packages do not go together", HOPE_NONE },
    { "No solution found",               "install.conflict",   "the packages do not go together", HOPE_NONE },
    { "Failed to build",                 "install.build",      "a package does not build", HOPE_NONE },
    { "parse requirement",               "install.syntax",     "a package is not written as pip wants it", HOPE_NONE },
    { "Failed to parse",                 "install.syntax",     "a package is not written as pip wants it", HOPE_NONE },
};
/* clang-format on */

static int fail_install(Run *run, Error *err)
{
    Str tail = output_tail(run->output);
    const Cause *cause = NULL;
    for (size_t i = 0; i < ARRAY_LEN(causes) && !cause; i++)
        if (str_find_str(tail, str_of(causes[i].sign)) >= 0)
            cause = &causes[i];
    Str shown = tail.n > TAIL_SHOWN ? str_slice(tail, tail.n - TAIL_SHOWN, tail.n) : tail;
    (void)error_set(err, ERR_FAILED, "cannot install the packages: %s\n%.*s",
                    cause ? cause->words : "uv failed", STR_ARG(shown));
    return error_code(err, cause ? cause->code : "install.failed");
}

static Hope hope_of(const Error *err)
{
    if (err->code && strcmp(err->code, "install.frozen") == 0)
        return HOPE_NONE;
    for (size_t i = 0; err->code && i < ARRAY_LEN(causes); i++)
        if (strcmp(err->code, causes[i].code) == 0)
            return causes[i].hope;
    return HOPE_LATER;
}

int venv_exit_status(const Error *err)
{
    return hope_of(err) == HOPE_NONE ? RUN_CANNOT_WORK : RUN_FAILED;
}

static int run_uv(Run *run, const Tools *tools, const char *const *argv, Error *err)
{
    RunChild child = {0};
    const RunCommand command = {.service = "uv",
                                .argv = argv,
                                .envp = tools->env.items,
                                .timeout_ms = UV_TIMEOUT_MS,
                                .grace_ms = UV_GRACE_MS};
    output_forget_tail(run->output);
    if (run_command(run, &command, &child, err) < 0)
        return -1;
    if (run->is_stopping)
        return error_set(err, ERR_CANCELLED, "told to end while packages were installed");
    if (child.timed_out) {
        (void)error_set(err, ERR_TIMEOUT, "uv has not ended within %d minutes",
                        UV_TIMEOUT_MS / 60000);
        return error_code(err, "install.timeout");
    }
    return child.exit_status == 0 ? 0 : fail_install(run, err);
}

/* --- tools --- */

static int find_python(Tools *tools, Error *err)
{
    const char *named = getenv("HAWK_PYTHON");
    tools->python = process_find_program(named && *named ? named : "python3");
    if (!tools->python) {
        (void)error_set(err, ERR_FAILED, "there is no python3 on this machine");
        (void)error_code(err, "install.no_python");
        return error_fix(err, "install Python 3.10 or newer, or name one with HAWK_PYTHON");
    }
    const char *const argv[] = {
        tools->python,
        "-I",
        "-S",
        "-c",
        "import os, sys; print(*sys.version_info[:3], os.uname().machine, sep='-')",
        NULL};
    const ProcessOptions options = {.argv = argv, .envp = tools->env.items, PROCESS_STDIO_NULL};
    auto_buf Buf text = BUF_INIT(VERSION_MAX - 1);
    int status = 0;
    if (process_run(&options, PROBE_TIMEOUT_MS, &text, &status, err) < 0)
        return error_wrap(err, "%s", tools->python);
    Str version = str_trim(buf_str(&text));
    if (status != 0 || version.n == 0) {
        (void)error_set(err, ERR_FAILED, "%s does not work: it ended with status %d", tools->python,
                        status);
        return error_code(err, "install.no_python");
    }
    memcpy(tools->version, version.p, version.n);
    return 0;
}

/* Gets uv from the package index into CACHE/tools when the machine has none. */
static int install_uv(Run *run, Tools *tools, Error *err)
{
    auto_free char *home = fs_join(tools->cache_dir, "tools");
    auto_free char *pip = fs_join(home, "bin/pip");
    const char *const make[] = {tools->python, "-m", "venv", home, NULL};
    const char *const install[] = {pip,  "install", "--quiet", "--disable-pip-version-check",
                                   "uv", NULL};
    run_phase(run, "installing", "getting uv");
    if (run_uv(run, tools, make, err) < 0 || run_uv(run, tools, install, err) < 0)
        return error_wrap(err, "uv is not on this machine and cannot be installed");
    return 0;
}

static int find_uv(Run *run, Tools *tools, Error *err)
{
    const char *named = getenv("HAWK_UV");
    tools->uv = process_find_program(named && *named ? named : "uv");
    if (tools->uv)
        return 0;
    auto_free char *own = fs_join(tools->cache_dir, "tools/bin/uv");
    if (!fs_exists(own) && install_uv(run, tools, err) < 0)
        return -1;
    tools->uv = TAKE(own);
    return 0;
}

/* --- the lock file --- */

/* "user:password" of "git+https://user:password@host/x". */
static Str credentials_of(Str spec)
{
    ptrdiff_t scheme = str_find_str(spec, STR("://"));
    if (scheme < 0)
        return STR_NONE;
    Str rest = str_slice(spec, (size_t)scheme + 3, spec.n);
    ptrdiff_t path = str_find(rest, '/');
    Str host = path < 0 ? rest : str_slice(rest, 0, (size_t)path);
    ptrdiff_t at = str_rfind(host, '@');
    return at < 0 ? STR_NONE : str_slice(host, 0, (size_t)at);
}

/* A path becomes a URL: then the lock has the package's name, by which add_refreshes finds it, and
   spaces do no harm. */
static void add_requirement(Buf *text, const char *spec)
{
    if (spec[0] == '/' && !strchr(spec, '[')) {
        buf_addz(text, "file://");
        percent_encode(text, str_of(spec), "/");
        buf_addc(text, '\n');
    } else {
        buf_printf(text, "%s\n", spec);
    }
}

/* uv repeats specifiers in its messages, and they may carry a password. */
static void add_requirements(Run *run, Buf *text)
{
    const JobspecPins pins = {.inspect_scout = SCOUT_VERSION};
    JobspecStrings list = run->requirements.n > 0
                              ? run->requirements
                              : jobspec_requirements(run->arena, run->spec, &pins);
    for (size_t i = 0; i < list.n; i++) {
        Str credentials = credentials_of(str_of(list.items[i]));
        ptrdiff_t colon = str_find(credentials, ':');
        output_hide(run->output, credentials);
        if (colon >= 0)
            output_hide(run->output, str_slice(credentials, (size_t)colon + 1, credentials.n));
        add_requirement(text, list.items[i]);
    }
}

const char *venv_local_folder(const Run *run, const char *spec)
{
    Str path = str_of(spec);
    ptrdiff_t at = str_find_str(path, STR("file:"));
    if (at >= 0)
        path = str_slice(path, (size_t)at + 5, path.n);
    while (str_starts(path, STR("//")))
        path = str_slice(path, 1, path.n);
    ptrdiff_t extras = str_rfind(path, '[');
    if (extras > 0)
        path = str_slice(path, 0, (size_t)extras);
    return path.n && path.p[0] == '/' ? arena_strndup(run->arena, path.p, path.n) : NULL;
}

/* What the lock depends on beside the requirements: Python, and what local packages say they need.
 */
static int lock_name(Run *run, const Tools *tools, Str requirements, char ret[DIGEST_HEX_MAX],
                     Error *err)
{
    auto_buf Buf key = BUF_INIT(LOCK_MAX);
    buf_printf(&key, "%s\n%s\n", tools->version,
               getenv("UV_INDEX_URL") ? getenv("UV_INDEX_URL") : "");
    buf_add_str(&key, requirements);
    JobspecStrings local = {0};
    if (run->spec)
        local = jobspec_local_packages(run->arena, run->spec);
    for (size_t i = 0; i < local.n; i++) {
        const char *folder = venv_local_folder(run, local.items[i]);
        if (folder && tree_add_digest(folder, &key, err) < 0)
            return -1;
    }
    if (buf_check(&key, "the list of packages", err) < 0)
        return -1;
    (void)digest_sha256_hex(buf_str(&key), ret);
    return 0;
}

static bool is_fresh(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 &&
           clock_now_us() / CLOCK_SECOND - st.st_mtim.tv_sec < LOCK_AGE_SECONDS;
}

static int compile_lock(Run *run, const Tools *tools, Str requirements, const char *lock_path,
                        Error *err)
{
    auto_free char *in = fs_join(run->folder, "requirements.in");
    auto_free char *out = fs_join(run->folder, "requirements.lock");
    const char *const argv[] = {tools->uv,
                                "pip",
                                "compile",
                                "--python",
                                tools->python,
                                "--no-header",
                                "--no-annotate",
                                "--quiet",
                                "--color",
                                "never",
                                "--output-file",
                                out,
                                in,
                                NULL};
    auto_buf Buf text = BUF_INIT(LOCK_MAX);
    (void)unlink(out);
    if (fs_write_file(in, requirements, 0600, err) < 0 || run_uv(run, tools, argv, err) < 0 ||
        fs_read_file(out, &text, err) < 0)
        return -1;
    return fs_write_file(lock_path, buf_str(&text), 0600, err);
}

char *venv_kept_path(const Run *run, const char *name)
{
    Str log_dir = json_text(run->infra, "log_dir", json_text(run->infra, "results_dir", STR_NONE));
    return log_dir.n && log_dir.p[0] == '/' ? mem_printf("%.*s/.hawk/%s", STR_ARG(log_dir), name)
                                            : NULL;
}

/* The first line of a kept lock tells what it was made for. */
static char *read_kept(const Run *run, const char *key)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = venv_kept_path(run, "requirements.lock");
    auto_free char *head = mem_printf("# %s\n", key);
    auto_buf Buf text = BUF_INIT(LOCK_MAX);
    if (!path || !fs_exists(path) || fs_read_file(path, &text, &err) < 0 ||
        !str_starts(buf_str(&text), str_of(head)))
        return NULL;
    buf_consume(&text, strlen(head));
    return buf_take(&text);
}

int venv_keep_lock(const Run *run, const Venv *venv, Error *err)
{
    auto_free char *path = venv_kept_path(run, "requirements.lock");
    if (!path)
        return 0;
    auto_free char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    auto_free char *text = mem_printf("# %s\n%s", venv->key, venv->lock);
    if (fs_make_dirs(folder, 0700, err) < 0)
        return -1;
    return fs_write_file(path, str_of(text), 0600, err);
}

/* Brings the lock in the cache up to date. One that is too old is better than none when the index
 * cannot be reached. */
static int refresh_lock(Run *run, const Tools *tools, Str requirements, const char *path,
                        Error *err)
{
    if (is_fresh(path))
        return 0;
    run_phase(run, "installing", "resolving packages");
    if (compile_lock(run, tools, requirements, path, err) == 0)
        return 0;
    if (!fs_exists(path) || !err->code || strcmp(err->code, "install.network") != 0)
        return -1;
    output_say(run->output, "warn",
               "the package index cannot be reached; taking the versions of an earlier run");
    error_reset(err);
    return 0;
}

static int read_lock(Run *run, const Tools *tools, Venv *ret, Error *err)
{
    char key[DIGEST_HEX_MAX];
    auto_buf Buf requirements = BUF_INIT(LOCK_MAX);
    auto_free char *folder = fs_join(tools->cache_dir, "locks");
    add_requirements(run, &requirements);
    if (lock_name(run, tools, buf_str(&requirements), key, err) < 0 ||
        fs_make_dirs(folder, 0700, err) < 0)
        return -1;
    ret->key = mem_strdup(key);
    ret->version = mem_strdup(tools->version);
    if (capsule_of_run(run))
        return capsule_take_lock(run, tools->version, key, &ret->lock, err);
    ret->lock = read_kept(run, key);
    if (ret->lock)
        return 0;
    auto_free char *path = mem_printf("%s/%s.lock", folder, key);
    auto_buf Buf text = BUF_INIT(LOCK_MAX);
    if (refresh_lock(run, tools, buf_str(&requirements), path, err) < 0 ||
        fs_read_file(path, &text, err) < 0)
        return -1;
    ret->lock = buf_take(&text);
    return 0;
}

/* --- the virtualenv --- */

/* Waits for another runner that makes the same one. */
static int lock_folder(Run *run, const char *path, int *ret, Error *err)
{
    for (;;) {
        int fd = fs_lock(path, err);
        if (fd >= 0 || err->kind != ERR_CONFLICT) {
            *ret = fd;
            return fd < 0 ? -1 : 0;
        }
        error_reset(err);
        if (run_told_to_end(run, WAIT_STEP_MS))
            return error_set(err, ERR_CANCELLED, "told to end while packages were installed");
    }
}

/* Names of local packages, so that uv builds them anew: it would go by the age of pyproject.toml
 * alone. */
static size_t add_refreshes(Run *run, const char *lock, const char **argv, size_t max)
{
    size_t n = 0;
    Str rest = str_of(lock);
    Str line = STR_NONE;
    while (n + 2 <= max && str_split(&rest, '\n', &line)) {
        if (str_find_str(line, STR("file://")) < 0 && !jobspec_is_local_package(line))
            continue;
        Str name = jobspec_package_name(run->arena, line);
        if (!name.p)
            continue;
        argv[n++] = "--refresh-package";
        argv[n++] = arena_strndup(run->arena, name.p, name.n);
    }
    return n;
}

static int install(Run *run, const Tools *tools, const char *dir, const char *lock, Error *err)
{
    enum { N_ARGS = 200 };
    auto_free char *python = fs_join(dir, "bin/python");
    auto_free char *file = fs_join(run->folder, "requirements.lock");
    const char *const make[] = {tools->uv,  "venv",        "--quiet", "--color", "never",
                                "--python", tools->python, dir,       NULL};
    const char *argv[N_ARGS] = {tools->uv, "pip",       "install",  "--quiet", "--color",
                                "never",   "--no-deps", "--python", python,    "--requirements",
                                file};
    size_t n = 11;
    n += add_refreshes(run, lock, argv + n, N_ARGS - 1 - n);
    argv[n] = NULL;
    if (fs_remove_tree(dir, err) < 0 || fs_write_file(file, str_of(lock), 0600, err) < 0)
        return -1;
    if (run_uv(run, tools, make, err) < 0 || run_uv(run, tools, argv, err) < 0)
        return -1;
    auto_free char *ready = fs_join(dir, "ready");
    return fs_write_file(ready, str_of(lock), 0600, err);
}

/* The same lock with other contents of a local package is another virtualenv. */
static int venv_name(Run *run, const Tools *tools, const char *lock, char ret[DIGEST_HEX_MAX],
                     Error *err)
{
    return lock_name(run, tools, str_of(lock), ret, err);
}

/* Installs it unless another runner has meanwhile. */
static int make_venv(Run *run, const Tools *tools, const char *lock, const char *dir, Error *err)
{
    auto_free char *lock_path = mem_printf("%s.lock", dir);
    auto_free char *ready = fs_join(dir, "ready");
    auto_fd int held = -1;
    run_phase(run, "installing", "installing packages");
    if (lock_folder(run, lock_path, &held, err) < 0)
        return -1;
    return fs_exists(ready) ? 0 : install(run, tools, dir, lock, err);
}

static int take_venv(Run *run, const Tools *tools, const char *lock, Venv *ret, Error *err)
{
    char name[DIGEST_HEX_MAX];
    auto_free char *folder = fs_join(tools->cache_dir, "venvs");
    if (venv_name(run, tools, lock, name, err) < 0 || fs_make_dirs(folder, 0700, err) < 0)
        return -1;
    auto_free char *dir = mem_printf("%s/%.*s", folder, VENV_NAME_LENGTH, name);
    bool made = false;
    for (;;) {
        if (venv_cache_use(dir, &ret->in_use, err) < 0)
            return -1;
        if (ret->in_use >= 0)
            break;
        if (make_venv(run, tools, lock, dir, err) < 0)
            return -1;
        made = true;
    }
    size_t n = made ? venv_cache_prune(folder) : 0;
    if (n)
        output_say(run->output, "info", "removed %zu virtualenvs that were not used lately", n);
    ret->python = fs_join(dir, "bin/python");
    ret->bin = fs_join(dir, "bin");
    return 0;
}

static int prepare_once(Run *run, const char *cache_dir, Venv *ret, Error *err)
{
    HAWK_CLEANUP(tools_release) Tools tools = {.cache_dir = cache_dir};
    auto_venv Venv venv = VENV_INIT;
    fill_env(&tools.env);
    if (find_python(&tools, err) < 0 || find_uv(run, &tools, err) < 0 ||
        read_lock(run, &tools, &venv, err) < 0 || take_venv(run, &tools, venv.lock, &venv, err) < 0)
        return -1;
    *ret = venv;
    venv = (Venv)VENV_INIT;
    return 0;
}

/* --- trying again --- */

static Waits install_waits(const Run *run)
{
    Waits waits = {{5, 15, 45, 120, 300}, 5};
    const char *given = getenv("HAWK_INSTALL_WAITS");
    if (given && *given && waits_of(str_of(given), &waits) < 0)
        output_say(run->output, "warn", "HAWK_INSTALL_WAITS is not like \"5 15 45\" or \"none\"");
    return waits;
}

/* Says that it is tried again, and waits for that; fails when told to end meanwhile. */
static int wait_to_retry(Run *run, const Waits *waits, size_t n_retries, const Error *why,
                         Error *err)
{
    int seconds = waits->seconds[n_retries];
    Str words = str_of(error_text(why));
    ptrdiff_t end = str_find(words, '\n');
    words = str_slice(words, 0, end < 0 ? words.n : (size_t)end);
    auto_free char *detail = mem_printf("%.*s; try %zu of %zu, after a wait of %d s",
                                        STR_ARG(words), n_retries + 2, waits->n + 1, seconds);
    run_phase(run, "retrying", detail);
    output_say(run->output, "warn", "%s", detail);
    int64_t until_ms = clock_monotonic_ms() + (int64_t)seconds * 1000;
    for (int64_t left = 1; left > 0; left = until_ms - clock_monotonic_ms())
        if (run_told_to_end(run, left < 0 ? 0 : (int)left))
            return error_set(err, ERR_CANCELLED, "told to end while packages were installed");
    return 0;
}

int venv_prepare(Run *run, const char *cache_dir, Venv *ret, Error *err)
{
    const Waits waits = install_waits(run);
    for (size_t i = 0; prepare_once(run, cache_dir, ret, err) < 0; i++) {
        if (hope_of(err) != HOPE_SOON)
            return -1;
        if (i == waits.n)
            return i ? error_wrap(err, "tried %zu times", i + 1) : -1;
        auto_error Error why = ERROR_INIT;
        (void)error_move(&why, err);
        if (wait_to_retry(run, &waits, i, &why, err) < 0)
            return -1;
    }
    return 0;
}
