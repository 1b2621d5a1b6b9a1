/* Which trace of Inspect's a process writes: the file "inspect_ai/traces/trace-<pid>.log" that it
   has open. Names alone would do, did the kernel not give the number of an ended process to
   another, of another job. */

#include "jobs/executor_priv.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

#define TRACES "/inspect_ai/traces/trace-"

typedef struct Newest {
    char *path; /* NULL: none yet */
    struct timespec changed;
} Newest;

static void consider(Newest *newest, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    const struct timespec *was = &newest->changed;
    if (newest->path && (st.st_mtim.tv_sec < was->tv_sec ||
                         (st.st_mtim.tv_sec == was->tv_sec && st.st_mtim.tv_nsec <= was->tv_nsec)))
        return;
    free(newest->path);
    newest->path = mem_strdup(path);
    newest->changed = st.st_mtim;
}

static void look_at(void *context, const ExecutorProcess *process)
{
    auto_free char *folder = mem_printf("/proc/%d/fd", (int)process->pid);
    auto_dir DIR *dir = opendir(folder);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char path[PATH_MAX];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, path, sizeof(path) - 1);
        if (n <= 0)
            continue;
        path[n] = '\0';
        /* It is still the process that was looked at, and not one of the same number. */
        if (str_find_str(str_of(path), STR(TRACES)) >= 0 && str_ends(str_of(path), STR(".log")) &&
            syscall(SYS_pidfd_send_signal, process->pidfd, 0, NULL, 0U) == 0)
            consider(context, path);
    }
}

char *executor_trace(const char *jobs_dir, const char *job_id)
{
    Newest newest = {0};
    executor_each(jobs_dir, job_id, look_at, &newest);
    return newest.path;
}
