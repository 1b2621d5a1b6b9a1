/* Children by fork and exec. Between the two only async-signal-safe calls are made, because the
   server has threads; what fails there travels back through a pipe that a successful exec closes.
 */

#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

enum { CHILD_FAILED = 127, STAT_MAX = 4096, WAIT_STEP_MS = 20, COPY_STEP = 16 * 1024 };

extern char **environ;

/* Everything the child needs, made before the fork. */
typedef struct Plan {
    const ProcessOptions *options;
    char *program;
    int stdio[3];  /* the child's ends */
    int ours[3];   /* our ends, or -1 */
    int report[2]; /* errno of what failed in the child; for detached ones also its pid */
    pid_t starter;
} Plan;

/* What comes back through the report pipe. */
typedef struct Report {
    pid_t pid;
    int errnum; /* 0: this is the pid of a detached child */
} Report;

static void plan_release(Plan *plan)
{
    const int *requested[3] = {&plan->options->in, &plan->options->out, &plan->options->err};
    for (size_t i = 0; i < 3; i++) {
        if (*requested[i] == PROCESS_PIPE || *requested[i] == PROCESS_NULL)
            fs_close_cleanup(&plan->stdio[i]);
        fs_close_cleanup(&plan->ours[i]);
    }
    fs_close_cleanup(&plan->report[0]);
    fs_close_cleanup(&plan->report[1]);
    free(plan->program);
}

/* ---- environment ---- */

static size_t env_find(const ProcessEnv *env, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < env->n; i++)
        if (strncmp(env->items[i], name, n) == 0 && env->items[i][n] == '=')
            return i;
    return env->n;
}

void process_env_init(ProcessEnv *env, bool inherit)
{
    size_t n = 0;
    while (inherit && environ && environ[n])
        n++;
    *env = (ProcessEnv){.items = mem_array(n + 1, sizeof(char *)), .n = n};
    for (size_t i = 0; i < n; i++)
        env->items[i] = mem_strdup(environ[i]);
}

void process_env_release(ProcessEnv *env)
{
    for (size_t i = 0; i < env->n; i++) {
        mem_wipe(env->items[i], strlen(env->items[i]));
        free(env->items[i]);
    }
    free(env->items);
    *env = (ProcessEnv){0};
}

void process_env_set(ProcessEnv *env, const char *name, const char *value)
{
    size_t at = env_find(env, name);
    if (at < env->n) {
        mem_wipe(env->items[at], strlen(env->items[at]));
        free(env->items[at]);
        env->items[at] = env->items[--env->n];
        env->items[env->n] = NULL;
    }
    if (!value)
        return;
    env->items = mem_resize(env->items, env->n + 2, sizeof(char *));
    env->items[env->n++] = mem_printf("%s=%s", name, value);
    env->items[env->n] = NULL;
}

const char *process_env_get(const ProcessEnv *env, const char *name)
{
    size_t at = env_find(env, name);
    return at < env->n ? env->items[at] + strlen(name) + 1 : NULL;
}

/* ---- looking processes and programs up ---- */

char *process_find_program(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 && !fs_is_dir(name) ? mem_strdup(name) : NULL;
    const char *path = getenv("PATH");
    Str rest = str_of(path ? path : "/usr/local/bin:/usr/bin:/bin");
    Str dir;
    while (str_split(&rest, ':', &dir)) {
        auto_free char *full =
            mem_printf("%.*s/%s", dir.n ? (int)dir.n : 1, dir.n ? dir.p : ".", name);
        if (access(full, X_OK) == 0 && !fs_is_dir(full))
            return TAKE(full);
    }
    return NULL;
}

char *process_self_path(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    return n > 0 && (size_t)n < sizeof(path) ? mem_strndup(path, (size_t)n) : NULL;
}

/* Reads a small file of /proc; -1 when it is gone. */
static int read_small(const char *path, char *text, size_t size)
{
    auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (n < 0)
        return -1;
    text[n] = '\0';
    return 0;
}

int process_start_ticks(pid_t pid, uint64_t *ret)
{
    char path[64];
    char text[STAT_MAX];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (pid <= 0 || read_small(path, text, sizeof(text)) < 0)
        return -1;
    /* The name may hold spaces and parentheses, so fields are counted from the last ")": the state
     * is field 3. */
    const char *name_end = strrchr(text, ')');
    if (!name_end)
        return -1;
    Str rest = str_trim(str_of(name_end + 1));
    Str field;
    for (int i = 3; str_split(&rest, ' ', &field); i++) {
        if (i == 3 && (str_eqz(field, "Z") || str_eqz(field, "X")))
            return -1;
        int64_t ticks = 0;
        if (i == 22) {
            if (str_to_i64(field, 0, INT64_MAX, &ticks) < 0)
                return -1;
            *ret = (uint64_t)ticks;
            return 0;
        }
    }
    return -1;
}

bool process_is_alive(pid_t pid, uint64_t start_ticks)
{
    uint64_t ticks = 0;
    return process_start_ticks(pid, &ticks) == 0 && ticks == start_ticks;
}

char *process_boot_id(char text[PROCESS_BOOT_ID_MAX])
{
    if (read_small("/proc/sys/kernel/random/boot_id", text, PROCESS_BOOT_ID_MAX) < 0)
        text[0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* ---- starting ---- */

static int plan_stdio(Plan *plan, size_t i, int requested, Error *err)
{
    if (requested == PROCESS_INHERIT) {
        plan->stdio[i] = (int)i;
        return 0;
    }
    if (requested == PROCESS_NULL) {
        plan->stdio[i] = fs_open("/dev/null", i == 0 ? O_RDONLY : O_WRONLY, 0, err);
        return plan->stdio[i] < 0 ? -1 : 0;
    }
    if (requested != PROCESS_PIPE) {
        plan->stdio[i] = requested;
        return 0;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot make a pipe");
    plan->stdio[i] = ends[i == 0 ? 0 : 1];
    plan->ours[i] = ends[i == 0 ? 1 : 0];
    return 0;
}

static HAWK_NORETURN void child_fail(const Plan *plan)
{
    Report report = {.pid = 0, .errnum = errno ? errno : EINVAL};
    (void)!write(plan->report[1], &report, sizeof(report));
    _exit(CHILD_FAILED);
}

/* Puts the three descriptors in place; first out of the way of 0..2, lest one overwrite another. */
static void child_stdio(const Plan *plan)
{
    int moved[3];
    for (int i = 0; i < 3; i++) {
        moved[i] = fcntl(plan->stdio[i], F_DUPFD_CLOEXEC, 3);
        if (moved[i] < 0)
            child_fail(plan);
    }
    for (int i = 0; i < 3; i++)
        if (dup2(moved[i], i) < 0)
            child_fail(plan);
}

static void child_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &standard, NULL); /* KILL, STOP and the C library's own refuse; fine */
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static HAWK_NORETURN void child_exec(const Plan *plan)
{
    const ProcessOptions *options = plan->options;
    child_stdio(plan);
    if (options->parent_death_signal &&
        prctl(PR_SET_PDEATHSIG, (unsigned long)options->parent_death_signal) < 0)
        child_fail(plan);
    /* The starter may have died between fork and prctl; then the signal would never come. */
    if (options->parent_death_signal && !options->detached && getppid() != plan->starter)
        _exit(CHILD_FAILED);
    if (options->cwd && chdir(options->cwd) < 0)
        child_fail(plan);
    /* All is opened close-on-exec; this covers what libraries forget. Old kernels lack it, which is
     * no harm. */
    (void)syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
    child_signals();
    char **argv = NULL;
    memcpy(&argv, &options->argv,
           sizeof(argv)); /* execve's prototype lacks a const that it honours */
    (void)execve(plan->program, argv, options->envp ? options->envp : environ);
    child_fail(plan);
}

static HAWK_NORETURN void child_main(const Plan *plan)
{
    const ProcessOptions *options = plan->options;
    if (options->own_session && setsid() < 0)
        child_fail(plan);
    if (options->own_group && !options->own_session && setpgid(0, 0) < 0)
        child_fail(plan);
    child_exec(plan);
}

/* The child in between, which leaves at once so that init adopts the grandchild. */
static HAWK_NORETURN void child_between(const Plan *plan)
{
    pid_t pid = fork();
    if (pid < 0)
        child_fail(plan);
    if (pid == 0)
        child_main(plan);
    Report report = {.pid = pid, .errnum = 0};
    (void)!write(plan->report[1], &report, sizeof(report));
    _exit(0);
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/* Reads until exec closes the pipe; remembers the pid of a detached child and the first failure. */
static int read_reports(const Plan *plan, pid_t *pid, Error *err)
{
    for (;;) {
        Report report;
        ssize_t n = read(plan->report[0], &report, sizeof(report));
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof(report))
            return 0;
        if (report.errnum)
            return error_errno(err, report.errnum, "cannot start %s", plan->program);
        *pid = report.pid;
    }
}

static int start_planned(Plan *plan, Process *ret, Error *err)
{
    const ProcessOptions *options = plan->options;
    if (pipe2(plan->report, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot make a pipe");
    plan->starter = getpid();
    /* Blocked until the child has dropped our handlers, which must not run in it. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        if (options->detached)
            child_between(plan);
        child_main(plan);
    }
    int fork_errno = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return error_errno(err, fork_errno, "cannot start %s", plan->program);
    fs_close_cleanup(&plan->report[1]);
    plan->report[1] = -1;
    pid_t child = pid;
    int failed = read_reports(plan, &child, err);
    if (options->detached || failed < 0)
        reap(pid);
    if (failed < 0)
        return -1;
    *ret = (Process){
        .pid = child,
        .pidfd = (int)syscall(SYS_pidfd_open, child, 0U),
        .in = TAKE_FD(plan->ours[0]),
        .out = TAKE_FD(plan->ours[1]),
        .err = TAKE_FD(plan->ours[2]),
        .leads_group = options->own_group || options->own_session,
        .detached = options->detached,
    };
    /* One that has ended already keeps 0, which no living process has. */
    (void)!process_start_ticks(child, &ret->start_ticks);
    return 0;
}

int process_start(const ProcessOptions *options, Process *ret, Error *err)
{
    HAWK_CLEANUP(plan_release)
    Plan plan = {
        .options = options, .stdio = {-1, -1, -1}, .ours = {-1, -1, -1}, .report = {-1, -1}};
    plan.program = process_find_program(options->argv[0]);
    if (!plan.program)
        return error_set(err, ERR_NOT_FOUND, "there is no program %s", options->argv[0]);
    const int requested[3] = {options->in, options->out, options->err};
    for (size_t i = 0; i < 3; i++)
        if (plan_stdio(&plan, i, requested[i], err) < 0)
            return -1;
    return start_planned(&plan, ret, err);
}

/* ---- waiting and ending ---- */

/* Waits for the end of the child without reaping it: as long as the pidfd says, or one step of
 * polling. */
static void pause_for_end(const Process *process, int timeout_ms)
{
    struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};
    if (process->pidfd >= 0)
        (void)poll(&ended, 1, timeout_ms);
    else
        (void)poll(NULL, 0,
                   timeout_ms < 0 || timeout_ms > WAIT_STEP_MS ? WAIT_STEP_MS : timeout_ms);
}

int process_wait(Process *process, int timeout_ms, Error *err)
{
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    while (!process->ended) {
        int status = 0;
        pid_t got = waitpid(process->pid, &status, WNOHANG);
        if (got < 0 && errno != EINTR)
            return error_errno(err, errno, "cannot wait for process %d", (int)process->pid);
        if (got == process->pid) {
            process->ended = true;
            process->exit_status =
                WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            return 0;
        }
        int64_t left = timeout_ms < 0 ? -1 : deadline - clock_monotonic_ms();
        if (timeout_ms >= 0 && left <= 0)
            return error_set(err, ERR_TIMEOUT, "process %d still runs", (int)process->pid);
        pause_for_end(process, (int)left);
    }
    return 0;
}

void process_signal(const Process *process, int signal_number)
{
    if (process->pid <= 0)
        return;
    /* The group may outlive its leader; its number is not given away while a member lives. */
    if (process->leads_group)
        (void)kill(-process->pid, signal_number);
    else if (!process->ended)
        (void)kill(process->pid, signal_number);
}

void process_release(Process *process)
{
    if (process->pid > 0 && !process->detached && !process->ended) {
        process_signal(process, SIGKILL);
        reap(process->pid);
    }
    fs_close_cleanup(&process->pidfd);
    fs_close_cleanup(&process->in);
    fs_close_cleanup(&process->out);
    fs_close_cleanup(&process->err);
    *process = PROCESS_INIT;
}

/* Copies the pipe into output until it ends or the deadline passes; -1 on the deadline. */
static int collect(int fd, int64_t deadline, Buf *output)
{
    char bytes[COPY_STEP];
    for (;;) {
        int64_t left = deadline - clock_monotonic_ms();
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return -1;
        if (poll(&readable, 1, left > INT_MAX ? INT_MAX : (int)left) <= 0)
            continue;
        ssize_t n = read(fd, bytes, sizeof(bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        buf_add(output, bytes, (size_t)n);
    }
}

int process_run(const ProcessOptions *options, int timeout_ms, Buf *output, int *ret_exit_status,
                Error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot make a pipe");
    auto_fd int reading = ends[0];
    int64_t deadline = clock_monotonic_ms() + timeout_ms;
    ProcessOptions piped = *options;
    piped.out = ends[1];
    piped.err = ends[1];
    auto_process Process process = PROCESS_INIT;
    int started = process_start(&piped, &process, err);
    (void)close(ends[1]);
    if (started < 0)
        return -1;
    int64_t left = 0;
    if (collect(reading, deadline, output) == 0)
        left = deadline - clock_monotonic_ms();
    auto_error Error waiting = ERROR_INIT;
    if (process_wait(&process, left > 0 ? (int)left : 0, &waiting) < 0)
        return error_set(err, ERR_TIMEOUT, "%s did not end within %d ms", options->argv[0],
                         timeout_ms);
    *ret_exit_status = process.exit_status;
    return 0;
}

void process_refuse_core_dumps(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_cur == 0)
        return;
    /* One byte: 0 would not hold for a kernel that pipes dumps to a program (core(5)). */
    limit.rlim_cur = 1;
    (void)setrlimit(RLIMIT_CORE, &limit);
}
