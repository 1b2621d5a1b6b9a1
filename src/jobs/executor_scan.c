/* Finding the processes of jobs in /proc: runners by their arguments, everything else by the mark
   in its environment. A pidfd is opened before a process is looked at, so that a signal sent later
   reaches that process or none. */

#include "jobs/executor_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "jobspec/ids.h"

enum { CMDLINE_MAX = 16 * 1024, ENVIRON_MAX = 512 * 1024 };

typedef struct Scan {
    Str jobs_dir;
    const char *only_job;
    char *text; /* ENVIRON_MAX bytes; may hold secrets of jobs, hence wiped */
    ExecutorEach *each;
    void *context;
} Scan;

/* Reads up to max bytes of a file of /proc; an empty view when it cannot be read. */
static Str read_proc(int dir_fd, const char *name, char *text, size_t max)
{
    auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    while (fd >= 0 && n < max) {
        ssize_t got = read(fd, text + n, max - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    return (Str){text, n};
}

/* The job id of "<jobs_dir>/<id><tail>", copied; false when the path is another. */
static bool job_of_path(const Scan *scan, Str path, Str tail, char id[EXECUTOR_ID_MAX])
{
    if (!str_starts(path, scan->jobs_dir) || path.n <= scan->jobs_dir.n + 1 ||
        path.p[scan->jobs_dir.n] != '/' || !str_ends(path, tail))
        return false;
    Str name = str_slice(path, scan->jobs_dir.n + 1, path.n - tail.n);
    if (!ids_is_job_id(name) || name.n >= EXECUTOR_ID_MAX)
        return false;
    memcpy(id, name.p, name.n);
    id[name.n] = '\0';
    return true;
}

/* ... runner TYPE JOBS_DIR/ID/user-config.json JOBS_DIR/ID/infra-config.json --attempt N --wait */
static bool is_runner(const Scan *scan, Str cmdline, ExecutorProcess *process)
{
    Str before = STR_NONE;
    Str last = STR_NONE;
    Str rest = cmdline;
    Str word = STR_NONE;
    bool is_found = false;
    while (str_split(&rest, '\0', &word)) {
        if (str_eqz(before, "runner") &&
            job_of_path(scan, word, STR("/user-config.json"), process->job_id))
            is_found = true;
        if (is_found && str_eqz(last, "--attempt"))
            (void)!str_to_i64(word, 0, INT64_MAX, &process->attempt);
        before = last;
        last = word;
    }
    return is_found;
}

static bool has_mark(const Scan *scan, Str environment, ExecutorProcess *process)
{
    static const Str mark = {EXECUTOR_MARK "=", sizeof(EXECUTOR_MARK)};
    Str rest = environment;
    Str word = STR_NONE;
    while (str_split(&rest, '\0', &word))
        if (str_starts(word, mark))
            return job_of_path(scan, str_slice(word, mark.n, word.n), STR(""), process->job_id);
    return false;
}

static void look_at(const Scan *scan, int proc_fd, const char *name, pid_t pid)
{
    auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
    auto_fd int dir_fd = openat(proc_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    if (pidfd < 0 || dir_fd < 0 || fstat(dir_fd, &st) < 0 || st.st_uid != geteuid())
        return;
    ExecutorProcess process = {.pid = pid, .pidfd = pidfd};
    process.is_runner =
        is_runner(scan, read_proc(dir_fd, "cmdline", scan->text, CMDLINE_MAX), &process);
    if (!process.is_runner &&
        !has_mark(scan, read_proc(dir_fd, "environ", scan->text, ENVIRON_MAX), &process))
        return;
    if (!scan->only_job || strcmp(scan->only_job, process.job_id) == 0)
        scan->each(scan->context, &process);
}

void executor_each(const char *jobs_dir, const char *only_job, ExecutorEach *each, void *context)
{
    auto_dir DIR *dir = opendir("/proc");
    if (!dir)
        return;
    auto_free char *text = mem_alloc(ENVIRON_MAX);
    const Scan scan = {.jobs_dir = str_of(jobs_dir),
                       .only_job = only_job,
                       .text = text,
                       .each = each,
                       .context = context};
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        int64_t pid = 0;
        if (str_to_i64(str_of(entry->d_name), 1, INT32_MAX, &pid) == 0 && pid != getpid())
            look_at(&scan, dirfd(dir), entry->d_name, (pid_t)pid);
    }
    mem_wipe(text, ENVIRON_MAX);
}
