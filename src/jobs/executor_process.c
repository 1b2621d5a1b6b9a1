/* Runners as child processes. Each leads a session of its own and outlives this program; a later
   server finds it by runner.json (pid, start time, boot) or, if it has not come that far, by its
   arguments in /proc. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/process.h"
#include "codec/json.h"
#include "jobs/executor.h"
#include "jobs/executor_env.h"
#include "jobs/executor_priv.h"

enum { SMALL_FILE_MAX = 256 * 1024, LAUNCH_LOG_MAX = 1024 * 1024, EVENTS_MAX = 64 };
enum { EXIT_OTHER_RUNNER = 75 };

/* A runner that was started or adopted. Once it has ended it stays until it is settled. */
typedef struct Runner {
    char *job_id;
    int64_t attempt;
    Process process;
    bool is_child;
} Runner;

/* A runner that was seen in /proc before the first adoption. */
typedef struct Found {
    char job_id[EXECUTOR_ID_MAX];
    int64_t attempt;
    pid_t pid;
    uint64_t start_ticks;
} Found;

typedef struct ProcessExecutor {
    Executor face; /* first, so that a pointer to one is a pointer to the other */
    char *jobs_dir;
    char *program;
    int epoll_fd;
    int wake_fd;
    pthread_mutex_t
        starting; /* held from the fork of a runner until it is in the table, and while sweeping */
    pthread_mutex_t lock; /* of the table */
    Runner **runners;
    size_t n_runners;
    Found *found; /* only until the first sweep */
    size_t n_found;
    bool has_found;
} ProcessExecutor;

static void lock_cleanup(pthread_mutex_t **lock)
{
    (void)pthread_mutex_unlock(*lock);
}

/* Holds a lock until the end of the scope. */
#define HOLD(mutex)                                                                                \
    HAWK_CLEANUP(lock_cleanup) pthread_mutex_t *held_ = (mutex);                                   \
    (void)pthread_mutex_lock(held_)

static char *job_path(const ProcessExecutor *self, const char *job_id, const char *name)
{
    return mem_printf("%s/%s%s%s", self->jobs_dir, job_id, name ? "/" : "", name ? name : "");
}

/* ---- the table of runners; its lock is held ---- */

static Runner *find_runner(const ProcessExecutor *self, const char *job_id)
{
    for (size_t i = 0; i < self->n_runners; i++)
        if (strcmp(self->runners[i]->job_id, job_id) == 0)
            return self->runners[i];
    return NULL;
}

static void free_runner(Runner *runner)
{
    runner->process.detached = true; /* so that releasing it leaves it alone */
    process_release(&runner->process);
    free(runner->job_id);
    free(runner);
}

static void drop_runner(ProcessExecutor *self, const char *job_id)
{
    for (size_t i = 0; i < self->n_runners; i++) {
        if (strcmp(self->runners[i]->job_id, job_id) != 0)
            continue;
        free_runner(self->runners[i]);
        self->runners[i] = self->runners[--self->n_runners];
        return;
    }
}

/* One event per runner: an end that could not be recorded yet must not keep the controller
 * spinning. */
static void watch(const ProcessExecutor *self, int pidfd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = pidfd};
    (void)epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, pidfd, &event);
}

static Runner *add_runner(ProcessExecutor *self, const char *job_id, int64_t attempt,
                          Process *take_process, bool is_child)
{
    drop_runner(self, job_id);
    Runner *runner = mem_alloc(sizeof(*runner));
    *runner = (Runner){.job_id = mem_strdup(job_id),
                       .attempt = attempt,
                       .process = *take_process,
                       .is_child = is_child};
    *take_process = PROCESS_INIT;
    self->runners = mem_resize(self->runners, self->n_runners + 1, sizeof(*self->runners));
    self->runners[self->n_runners++] = runner;
    if (runner->process.pidfd >= 0)
        watch(self, runner->process.pidfd);
    return runner;
}

static bool is_running(Runner *runner)
{
    if (runner->process.ended)
        return false;
    if (runner->is_child) {
        auto_error Error err = ERROR_INIT;
        (void)!process_wait(&runner->process, 0, &err);
        /* Anything but "still runs" means that there is nothing left to wait for. */
        runner->process.ended = runner->process.ended || (err.kind != ERR_TIMEOUT);
    } else {
        runner->process.ended = !process_is_alive(runner->process.pid, runner->process.start_ticks);
    }
    return !runner->process.ended;
}

/* Takes a process over that is no child of ours; false when it has gone. */
static bool take_over(ProcessExecutor *self, const char *job_id, int64_t attempt, pid_t pid,
                      uint64_t start_ticks)
{
    Process process = PROCESS_INIT;
    process.pid = pid;
    process.start_ticks = start_ticks;
    process.leads_group = true;
    process.detached = true;
    process.pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
    /* Looked at after the pidfd was opened: if it is the right one now, the pidfd is of the right
     * one. */
    if (!process_is_alive(pid, start_ticks)) {
        process_release(&process);
        return false;
    }
    (void)add_runner(self, job_id, attempt, &process, false);
    return true;
}

/* ---- files of a job ---- */

/* Reads a small JSON object of the job's folder; NULL when it is not there or makes no sense. */
static const Json *read_json(const ProcessExecutor *self, Arena *arena, const char *job_id,
                             const char *name)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = job_path(self, job_id, name);
    auto_buf Buf text = BUF_INIT(SMALL_FILE_MAX);
    Json *node = NULL;
    if (fs_read_file(path, &text, &err) < 0)
        return NULL;
    Str kept = arena_str(arena, buf_str(&text));
    if (json_parse(arena, kept, &json_limits_config, &node, &err) < 0 || node->type != JSON_OBJECT)
        return NULL;
    return node;
}

static const Json *read_exit(const ProcessExecutor *self, Arena *arena, const char *job_id,
                             int64_t attempt)
{
    const Json *node = read_json(self, arena, job_id, "exit.json");
    return json_int(node, "attempt", -1) == attempt ? node : NULL;
}

static bool has_ended(const ProcessExecutor *self, const char *job_id, int64_t attempt)
{
    auto_arena Arena *arena = arena_new();
    return read_exit(self, arena, job_id, attempt) != NULL;
}

static bool was_granted(const ProcessExecutor *self, const char *job_id, int64_t attempt)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = job_path(self, job_id, "go");
    auto_buf Buf text = BUF_INIT(64);
    int64_t granted = 0;
    return fs_read_file(path, &text, &err) == 0 &&
           str_to_i64(str_trim(buf_str(&text)), 1, INT64_MAX, &granted) == 0 && granted == attempt;
}

/* The runner that wrote runner.json, if it still runs. */
static bool take_over_by_file(ProcessExecutor *self, const char *job_id, int64_t attempt)
{
    auto_arena Arena *arena = arena_new();
    const Json *node = read_json(self, arena, job_id, "runner.json");
    char boot_id[PROCESS_BOOT_ID_MAX];
    int64_t pid = json_int(node, "pid", 0);
    int64_t ticks = json_int(node, "start_ticks", -1);
    if (pid <= 0 || pid > INT32_MAX || ticks < 0 || json_int(node, "attempt", -1) != attempt ||
        !str_eqz(json_text(node, "boot_id", STR_NONE), process_boot_id(boot_id)))
        return false;
    return take_over(self, job_id, attempt, (pid_t)pid, (uint64_t)ticks);
}

/* ---- starting ---- */

static int drop_file(const ProcessExecutor *self, const char *job_id, const char *name, Error *err)
{
    auto_free char *path = job_path(self, job_id, name);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(err, errno, "cannot remove %s", path);
    return 0;
}

static int put_file(const ProcessExecutor *self, const char *job_id, const char *name, Str bytes,
                    Error *err)
{
    auto_free char *path = job_path(self, job_id, name);
    return fs_write_file(path, bytes, 0600, err);
}

/* Brings the folder into the state that a runner of this attempt expects. */
static int prepare_folder(const ProcessExecutor *self, const ExecutorRun *run, Error *err)
{
    static const char *const stale[] = {"go", "exit.json", "status.json", "runner.json"};
    auto_free char *folder = job_path(self, run->job_id, NULL);
    if (fs_make_dirs(folder, 0700, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(stale); i++)
        if (drop_file(self, run->job_id, stale[i], err) < 0)
            return -1;
    if (put_file(self, run->job_id, "user-config.json", run->user_config, err) < 0)
        return -1;
    return put_file(self, run->job_id, "infra-config.json", run->infra_config, err);
}

/* What a runner prints before it has its own log, and what it prints when it breaks. */
static int open_launch_log(const ProcessExecutor *self, const char *job_id, Error *err)
{
    auto_free char *path = job_path(self, job_id, "launch.log");
    struct stat st;
    bool is_long = stat(path, &st) == 0 && st.st_size > LAUNCH_LOG_MAX;
    return fs_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | (is_long ? O_TRUNC : 0), 0600,
                   err);
}

static int spawn(ProcessExecutor *self, const ExecutorRun *run, Process *ret, Error *err)
{
    auto_free char *user_config = job_path(self, run->job_id, "user-config.json");
    auto_free char *infra_config = job_path(self, run->job_id, "infra-config.json");
    auto_free char *folder = job_path(self, run->job_id, NULL);
    auto_free char *attempt = mem_printf("%lld", (long long)run->attempt);
    auto_fd int log_fd = open_launch_log(self, run->job_id, err);
    if (log_fd < 0)
        return -1;
    auto_process_env ProcessEnv env = {0};
    executor_env_make(run, &env);
    process_env_set(&env, EXECUTOR_MARK, folder);
    const char *const argv[] = {self->program, "runner", run->job_type, user_config, infra_config,
                                "--attempt",   attempt,  "--wait",      NULL};
    const ProcessOptions options = {
        .argv = argv,
        .envp = env.items,
        .cwd = folder,
        .in = PROCESS_NULL,
        .out = log_fd,
        .err = log_fd,
        .own_session = true,
    };
    return process_start(&options, ret, err);
}

static int start(Executor *executor, const ExecutorRun *run, Error *err)
{
    ProcessExecutor *self = (ProcessExecutor *)executor;
    if (prepare_folder(self, run, err) < 0)
        return error_wrap(err, "cannot prepare the job's folder");
    HOLD(&self->starting);
    Process process = PROCESS_INIT;
    if (spawn(self, run, &process, err) < 0)
        return error_wrap(err, "cannot start the runner");
    (void)pthread_mutex_lock(&self->lock);
    (void)add_runner(self, run->job_id, run->attempt, &process, true);
    (void)pthread_mutex_unlock(&self->lock);
    return 0;
}

static int grant(Executor *executor, const char *job_id, int64_t attempt, Error *err)
{
    const ProcessExecutor *self = (const ProcessExecutor *)executor;
    char text[32];
    int n = snprintf(text, sizeof(text), "%lld\n", (long long)attempt);
    return put_file(self, job_id, "go", (Str){text, (size_t)n}, err);
}

/* ---- finding and looking ---- */

static void note_runner(void *context, const ExecutorProcess *process)
{
    ProcessExecutor *self = context;
    uint64_t ticks = 0;
    if (!process->is_runner || process_start_ticks(process->pid, &ticks) < 0)
        return;
    self->found = mem_resize(self->found, self->n_found + 1, sizeof(*self->found));
    Found *found = &self->found[self->n_found++];
    *found = (Found){.attempt = process->attempt, .pid = process->pid, .start_ticks = ticks};
    memcpy(found->job_id, process->job_id, sizeof(found->job_id));
}

/* A runner that had not come as far as runner.json. */
static bool take_over_by_arguments(ProcessExecutor *self, const char *job_id, int64_t attempt)
{
    if (!self->has_found)
        executor_each(self->jobs_dir, NULL, note_runner, self);
    self->has_found = true;
    for (size_t i = 0; i < self->n_found; i++)
        if (strcmp(self->found[i].job_id, job_id) == 0 && self->found[i].attempt == attempt &&
            take_over(self, job_id, attempt, self->found[i].pid, self->found[i].start_ticks))
            return true;
    return false;
}

static ExecutorLife life_of_files(const ProcessExecutor *self, const char *job_id, int64_t attempt)
{
    return has_ended(self, job_id, attempt) ? EXECUTOR_ENDED : EXECUTOR_NONE;
}

static ExecutorLife adopt(Executor *executor, const char *job_id, int64_t attempt)
{
    ProcessExecutor *self = (ProcessExecutor *)executor;
    HOLD(&self->lock);
    if (take_over_by_file(self, job_id, attempt) || take_over_by_arguments(self, job_id, attempt))
        return EXECUTOR_ALIVE;
    return life_of_files(self, job_id, attempt);
}

static ExecutorLife look(Executor *executor, const char *job_id, int64_t attempt)
{
    ProcessExecutor *self = (ProcessExecutor *)executor;
    HOLD(&self->lock);
    Runner *runner = find_runner(self, job_id);
    if (!runner || runner->attempt != attempt)
        return life_of_files(self, job_id, attempt);
    if (is_running(runner))
        return EXECUTOR_ALIVE;
    /* One that found the job taken leaves it to the other, which is the one to watch then. */
    if (runner->is_child && runner->process.exit_status == EXIT_OTHER_RUNNER &&
        !has_ended(self, job_id, attempt) && take_over_by_file(self, job_id, attempt))
        return EXECUTOR_ALIVE;
    return life_of_files(self, job_id, attempt);
}

static const char *text_of(Arena *arena, const Json *node, const char *key)
{
    Str text = json_text(node, key, STR_NONE);
    return text.n ? arena_strndup(arena, text.p, text.n) : NULL;
}

static int64_t instant_of(const Json *node, const char *key)
{
    int64_t instant = 0;
    return clock_parse(json_text(node, key, STR("")), &instant) == 0 ? instant : 0;
}

static void probe_process(ProcessExecutor *self, const char *job_id, int64_t attempt,
                          ExecutorState *ret)
{
    HOLD(&self->lock);
    Runner *runner = find_runner(self, job_id);
    if (!runner || runner->attempt != attempt)
        return;
    ret->pid = runner->process.pid;
    if (!runner->process.ended || !runner->is_child)
        return;
    if (runner->process.exit_status > 128)
        ret->signal = runner->process.exit_status - 128;
    else
        ret->exit_code = runner->process.exit_status;
}

static void probe(Executor *executor, Arena *arena, const char *job_id, int64_t attempt,
                  ExecutorState *ret)
{
    ProcessExecutor *self = (ProcessExecutor *)executor;
    *ret = (ExecutorState){.life = look(executor, job_id, attempt), .exit_code = -1};
    probe_process(self, job_id, attempt, ret);
    const Json *status = read_json(self, arena, job_id, "status.json");
    ret->phase = text_of(arena, status, "phase");
    ret->phase_since_us = instant_of(status, "since");
    ret->phase_detail = text_of(arena, status, "detail");
    ret->was_granted = was_granted(self, job_id, attempt);
    const Json *runner = read_json(self, arena, job_id, "runner.json");
    char boot_id[PROCESS_BOOT_ID_MAX];
    ret->was_rebooted =
        runner && !str_eqz(json_text(runner, "boot_id", STR_NONE), process_boot_id(boot_id));
    const Json *end = read_exit(self, arena, job_id, attempt);
    if (!end)
        return;
    ret->exit_code = json_int(end, "exit_code", -1);
    ret->reason = text_of(arena, end, "reason");
    ret->detail = text_of(arena, end, "detail");
    ret->finished_us = instant_of(end, "finished_at");
}

/* ---- ending ---- */

static void kill_process(void *context, const ExecutorProcess *process)
{
    (void)context;
    (void)syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0U);
}

static void send_signal(Executor *executor, const char *job_id, ExecutorSignal which)
{
    ProcessExecutor *self = (ProcessExecutor *)executor;
    if (which == EXECUTOR_KILL) {
        executor_each(self->jobs_dir, job_id, kill_process, NULL);
        return;
    }
    HOLD(&self->lock);
    const Runner *runner = find_runner(self, job_id);
    if (runner && !runner->process.ended && runner->process.pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, runner->process.pidfd, SIGTERM, NULL, 0U);
}

static void settle(Executor *executor, const char *job_id)
{
    ProcessExecutor *self = (ProcessExecutor *)executor;
    executor_each(self->jobs_dir, job_id, kill_process, NULL);
    HOLD(&self->lock);
    drop_runner(self, job_id);
}

static void kill_unknown(void *context, const ExecutorProcess *process)
{
    ProcessExecutor *self = context;
    HOLD(&self->lock);
    Runner *runner = find_runner(self, process->job_id);
    /* A second runner of a job that has one is about to find that out by itself. */
    if (!runner || !is_running(runner))
        kill_process(NULL, process);
}

static void sweep(Executor *executor)
{
    ProcessExecutor *self = (ProcessExecutor *)executor;
    HOLD(&self->starting);
    executor_each(self->jobs_dir, NULL, kill_unknown, self);
    free(self->found);
    self->found = NULL;
    self->n_found = 0;
}

/* ---- waiting ---- */

static void wait_for_end(Executor *executor, int timeout_ms)
{
    const ProcessExecutor *self = (const ProcessExecutor *)executor;
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(self->epoll_fd, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < n; i++) {
        uint64_t count = 0;
        if (events[i].data.fd == self->wake_fd)
            (void)!read(self->wake_fd, &count, sizeof(count));
    }
}

static void wake(Executor *executor)
{
    const ProcessExecutor *self = (const ProcessExecutor *)executor;
    const uint64_t one = 1;
    (void)!write(self->wake_fd, &one, sizeof(one));
}

/* ---- the rest of the face ---- */

static char *file(Executor *executor, const char *job_id, const char *name)
{
    return job_path((const ProcessExecutor *)executor, job_id, name);
}

static char *trace(Executor *executor, const char *job_id)
{
    return executor_trace(((const ProcessExecutor *)executor)->jobs_dir, job_id);
}

static int remove_job(Executor *executor, const char *job_id, Error *err)
{
    auto_free char *path = job_path((const ProcessExecutor *)executor, job_id, NULL);
    return fs_remove_tree(path, err);
}

static void close_executor(Executor *executor)
{
    ProcessExecutor *self = (ProcessExecutor *)executor;
    for (size_t i = 0; i < self->n_runners; i++)
        free_runner(self->runners[i]);
    free(self->runners);
    free(self->found);
    fs_close_cleanup(&self->epoll_fd);
    fs_close_cleanup(&self->wake_fd);
    (void)pthread_mutex_destroy(&self->lock);
    (void)pthread_mutex_destroy(&self->starting);
    free(self->jobs_dir);
    free(self->program);
    free(self);
}

static const Executor process_face = {
    .name = "process",
    .start = start,
    .adopt = adopt,
    .sweep = sweep,
    .grant = grant,
    .look = look,
    .probe = probe,
    .signal = send_signal,
    .settle = settle,
    .wait = wait_for_end,
    .wake = wake,
    .file = file,
    .trace = trace,
    .remove = remove_job,
    .close = close_executor,
};

int executor_process_open(const char *data_dir, const char *program, Executor **ret, Error *err)
{
    ProcessExecutor *self = mem_alloc(sizeof(*self));
    self->face = process_face;
    self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_mutex_init(&self->starting, NULL);
    auto_executor Executor *owner = &self->face;
    if (self->epoll_fd < 0 || self->wake_fd < 0)
        return error_errno(err, errno, "cannot watch processes");
    struct epoll_event event = {.events = EPOLLIN, .data.fd = self->wake_fd};
    (void)epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, self->wake_fd, &event);
    self->program = program ? mem_strdup(program) : process_self_path();
    if (!self->program)
        return error_set(err, ERR_INTERNAL, "cannot tell the path of this program");
    auto_free char *made = fs_join(data_dir, "jobs");
    if (fs_make_dirs(made, 0700, err) < 0)
        return -1;
    /* Arguments and marks of runners are compared as text, so there must be one way to write the
     * folder. */
    self->jobs_dir = realpath(made, NULL);
    if (!self->jobs_dir)
        return error_errno(err, errno, "cannot find %s", made);
    *ret = TAKE(owner);
    return 0;
}

void executor_close(Executor *executor)
{
    if (executor)
        executor->close(executor);
}
