/* The server of this machine. */

#include "cli/local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "codec/json.h"
#include "http/client.h"
#include "server/server.h"

enum {
    SERVER_JSON_MAX = 4096,
    LOCKS_MAX = 4 << 20,
    LOG_TAIL = 2000,
    START_TIMEOUT_MS = 60000,
    STOP_TIMEOUT_MS = 60000,
    POLL_MS = 10,
    ANSWER_TIMEOUT_MS = 2000,
    ANSWER_MAX = 4096,
    OPTIONS_MAX = 24,
};

/* clang-format off */
/* What a server, uv and git need. Everything else of the submitter's environment, keys above all,
   stays out of a process that outlives the command; a job's variables travel with the job. */
static const char *const kept_names[] = {
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SSH_AUTH_SOCK", "NETRC",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "LD_LIBRARY_PATH", "NODE_EXTRA_CA_CERTS",
};
static const char *const kept_prefixes[] = {
    "LC_", "XDG_", "UV_", "SSL_CERT_", "GIT_", "DOCKER_", "HAWK_", "ASAN_", "UBSAN_", "LSAN_", "TSAN_",
};
static const char *const dropped_names[] = {"HAWK_ACCESS_TOKEN", "HAWK_API_URL"};
/* clang-format on */

static bool is_one_of(Str name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eqz(name, names[i]))
            return true;
    return false;
}

static bool is_kept(Str name)
{
    if (is_one_of(name, dropped_names, ARRAY_LEN(dropped_names)))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(kept_prefixes); i++)
        if (str_starts(name, str_of(kept_prefixes[i])))
            return true;
    return is_one_of(name, kept_names, ARRAY_LEN(kept_names));
}

static void keep_environment(ProcessEnv *env)
{
    process_env_init(env, false);
    for (char **item = environ; *item; item++) {
        Str name = str_of(*item);
        ptrdiff_t equals = str_find(name, '=');
        if (equals <= 0)
            continue;
        auto_free char *copy = mem_strndup(name.p, (size_t)equals);
        if (is_kept(str_of(copy)))
            process_env_set(env, copy, *item + equals + 1);
    }
}

/* The process that holds flock(2) on a file, by proc_locks(5): 0 for nobody, -1 when it cannot be
 * told. Taking the lock to find out would get in the way of a server that starts right now. */
static pid_t lock_holder(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return 0;
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf text = BUF_INIT(LOCKS_MAX);
    if (fs_read_file("/proc/locks", &text, &ignored) < 0)
        return -1;
    auto_free char *inode = mem_printf("%02x:%02x:%llu", major(st.st_dev), minor(st.st_dev),
                                       (unsigned long long)st.st_ino);
    Str rest = buf_str(&text);
    Str line = STR_NONE;
    while (str_split(&rest, '\n', &line)) {
        /* "1: FLOCK  ADVISORY  WRITE 708 00:13:21 0 EOF" */
        Str words[8];
        size_t n = 0;
        Str word = STR_NONE;
        while (n < ARRAY_LEN(words) && str_split(&line, ' ', &word))
            if (word.n)
                words[n++] = word;
        int64_t pid = 0;
        if (n >= 6 && str_eqz(words[1], "FLOCK") && str_eqz(words[5], inode) &&
            str_to_i64(words[4], 1, INT32_MAX, &pid) == 0)
            return (pid_t)pid;
    }
    return 0;
}

static pid_t lock_holder_of(const char *data_dir)
{
    auto_free char *lock = fs_join(data_dir, "server.lock");
    return lock_holder(lock);
}

const char *local_data_dir(Arena *arena, const char *given)
{
    auto_free char *path = server_data_dir(given);
    if (path[0] == '/')
        return arena_strdup(arena, path);
    auto_free char *cwd = getcwd(NULL, 0);
    return arena_printf(arena, "%s/%s", cwd ? cwd : "", path);
}

bool local_find(Arena *arena, const char *data_dir, Local *ret)
{
    auto_free char *path = fs_join(data_dir, "server.json");
    auto_buf Buf text = BUF_INIT(SERVER_JSON_MAX);
    auto_error Error ignored = ERROR_INIT;
    if (!fs_exists(path) || fs_read_file(path, &text, &ignored) < 0)
        return false;
    Json *json = NULL;
    Str kept = arena_str(arena, buf_str(&text));
    if (json_parse(arena, kept, &json_limits_config, &json, &ignored) < 0)
        return false;
    pid_t pid = (pid_t)json_int(json, "pid", 0);
    Str url = json_text(json, "url", STR_NONE);
    if (pid <= 0 || url.n == 0)
        return false;
    pid_t holder = lock_holder_of(data_dir);
    if (holder >= 0 ? holder != pid : kill(pid, 0) < 0)
        return false;
    Str version = json_text(json, "version", STR(""));
    Str started = json_text(json, "started_at", STR(""));
    *ret = (Local){.data_dir = data_dir,
                   .url = arena_strndup(arena, url.p, url.n),
                   .version = arena_strndup(arena, version.p, version.n),
                   .started_at = arena_strndup(arena, started.p, started.n),
                   .pid = pid};
    return true;
}

static bool answers(HttpClient *client, const char *url)
{
    auto_free char *health = mem_printf("%s/health/live", url);
    HttpCall call = {.method = "GET", .url = health, .timeout_ms = ANSWER_TIMEOUT_MS};
    auto_http_reply HttpReply reply = {0};
    http_reply_init(&reply, ANSWER_MAX);
    auto_error Error ignored = ERROR_INIT;
    return http_client_send(client, &call, &reply, &ignored) == 0 && reply.status == 200;
}

/* The end of the server's log from an offset on, for the message of a failed start. */
static void add_log_tail(const char *path, off_t from, Buf *ret)
{
    auto_error Error ignored = ERROR_INIT;
    auto_fd int fd = fs_open(path, O_RDONLY, 0, &ignored);
    if (fd < 0)
        return;
    char text[LOG_TAIL];
    off_t end = lseek(fd, 0, SEEK_END);
    if (end - from > LOG_TAIL)
        from = end - LOG_TAIL;
    ssize_t n = end > from ? pread(fd, text, sizeof(text), from) : 0;
    if (n > 0)
        buf_add_str(ret, str_trim((Str){text, (size_t)n}));
}

typedef struct Start {
    Arena *arena;
    const char *data_dir;
    const char *const *options;
    char *log_path;
    off_t log_from; /* where the output of the child begins */
    Process child;
} Start;

static int start_child(Start *start, Error *err)
{
    auto_free char *self = process_self_path();
    if (!self)
        return error_set(err, ERR_IO, "cannot find the path of this program");
    auto_fd int log = fs_open(start->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600, err);
    if (log < 0)
        return -1;
    start->log_from = lseek(log, 0, SEEK_END);
    const char *argv[OPTIONS_MAX] = {self, "serve", "--foreground", "--data", start->data_dir};
    size_t n = 5;
    for (size_t i = 0; start->options && start->options[i] && n + 1 < OPTIONS_MAX; i++)
        argv[n++] = start->options[i];
    auto_process_env ProcessEnv env = {0};
    keep_environment(&env);
    ProcessOptions options = {.argv = argv,
                              .envp = env.items,
                              .cwd = start->data_dir,
                              .in = PROCESS_NULL,
                              .out = log,
                              .err = log,
                              .own_session = true};
    return process_start(&options, &start->child, err);
}

/* A child that left because another server has the folder is no failure: that one is waited for. */
static int check_child(Start *start, Error *err)
{
    auto_error Error running = ERROR_INIT;
    if (start->child.pid == 0 || process_wait(&start->child, 0, &running) < 0)
        return 0;
    int status = start->child.exit_status;
    process_release(&start->child);
    start->child = PROCESS_INIT;
    if (status == error_kind_exit(ERR_CONFLICT) && lock_holder_of(start->data_dir) != 0)
        return 0;
    auto_buf Buf tail = BUF_INIT(LOG_TAIL + 1);
    add_log_tail(start->log_path, start->log_from, &tail);
    (void)error_set(err, ERR_FAILED, "the local server did not start (status %d)%s%s", status,
                    tail.len ? ":\n" : "", tail.data);
    return error_fix(err, "its output is in %s", start->log_path);
}

static int wait_for_server(Start *start, HttpClient *client, Local *ret, Error *err)
{
    int64_t deadline = clock_monotonic_ms() + START_TIMEOUT_MS;
    while (clock_monotonic_ms() < deadline) {
        if (local_find(start->arena, start->data_dir, ret) && answers(client, ret->url))
            return 0;
        if (start->child.pid == 0 && lock_holder_of(start->data_dir) <= 0 &&
            start_child(start, err) < 0)
            return -1;
        if (check_child(start, err) < 0)
            return -1;
        (void)usleep(POLL_MS * 1000);
    }
    return error_set(err, ERR_TIMEOUT, "the local server did not answer within %d seconds; see %s",
                     START_TIMEOUT_MS / 1000, start->log_path);
}

int local_start(Arena *arena, const char *data_dir, const char *const *options, Local *ret,
                Error *err)
{
    if (fs_make_dirs(data_dir, 0700, err) < 0)
        return -1;
    auto_free char *log_path = fs_join(data_dir, "server.log");
    auto_http_client HttpClient *client = http_client_new();
    Start start = {.arena = arena,
                   .data_dir = data_dir,
                   .options = options,
                   .log_path = log_path,
                   .child = PROCESS_INIT};
    int failed = wait_for_server(&start, client, ret, err);
    if (failed == 0) {
        /* It goes on without us: close what we hold of it, but do not end it. */
        if (start.child.pidfd >= 0)
            (void)close(start.child.pidfd);
        start.child = PROCESS_INIT;
    }
    process_release(&start.child);
    return failed;
}

/* Waits for the end of a process, which comes a moment after the server has let go of its lock. */
static int wait_for_end(int pidfd, pid_t pid, Error *err)
{
    int64_t deadline = clock_monotonic_ms() + STOP_TIMEOUT_MS;
    for (;;) {
        int64_t left = deadline - clock_monotonic_ms();
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        int n = poll(&ended, 1, left > 0 ? (int)left : 0);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return error_errno(err, errno, "cannot wait for the server (process %d)", (int)pid);
        if (left <= 0) {
            (void)error_set(err, ERR_TIMEOUT,
                            "the server (process %d) has not ended within %d seconds", (int)pid,
                            STOP_TIMEOUT_MS / 1000);
            return error_fix(err, "it may still answer its last requests: try again, or kill %d",
                             (int)pid);
        }
    }
}

int local_stop(Arena *arena, const Local *local, Error *err)
{
    auto_fd int pidfd = (int)syscall(SYS_pidfd_open, local->pid, 0U);
    if (pidfd < 0 && errno == ESRCH)
        return 0;
    if (pidfd < 0)
        return error_errno(err, errno, "cannot stop the server (process %d)", (int)local->pid);
    /* Looked at after the pidfd was opened: a process that got the number of a server that has just
       ended is not told to end. */
    Local now = {0};
    bool is_server = local_find(arena, local->data_dir, &now) && now.pid == local->pid;
    if (is_server && syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0U) < 0 && errno != ESRCH)
        return error_errno(err, errno, "cannot stop the server (process %d)", (int)local->pid);
    return wait_for_end(pidfd, local->pid, err);
}
