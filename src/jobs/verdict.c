/* What a run that ended well has come to. The exit status of a run says less than its logs: with
   errors allowed, a run whose samples all failed still ends with success. */

#include <stdlib.h>

#include "base/mem.h"
#include "evallog/evallog.h"
#include "jobs/jobs_priv.h"

enum { MESSAGE_MAX = 300 };

/* The latest log of one task. */
typedef struct Task {
    char *task_id;
    char *name;
    char *error;
    int64_t created_us;
    EvalLogStatus status;
    size_t n_samples;
    size_t n_errors;
} Task;

typedef struct Logs {
    Store *store;
    Task *tasks;
    size_t n;
    size_t n_unreadable;
} Logs;

static void free_task(Task *task)
{
    free(task->task_id);
    free(task->name);
    free(task->error);
    *task = (Task){0};
}

static void free_logs(Logs *logs)
{
    for (size_t i = 0; i < logs->n; i++)
        free_task(&logs->tasks[i]);
    free(logs->tasks);
}

static char *first_line(Str text)
{
    ptrdiff_t end = str_find(text, '\n');
    Str line = end < 0 ? text : str_slice(text, 0, (size_t)end);
    return line.p ? mem_strndup(line.p, line.n > MESSAGE_MAX ? MESSAGE_MAX : line.n) : NULL;
}

/* Puts a log in the place of an older one of the same task. */
static void keep_latest(Logs *logs, Task *take_task)
{
    for (size_t i = 0; i < logs->n; i++) {
        Task *known = &logs->tasks[i];
        if (strcmp(known->task_id, take_task->task_id) != 0)
            continue;
        if (known->created_us > take_task->created_us) {
            free_task(take_task);
            return;
        }
        free_task(known);
        *known = *take_task;
        return;
    }
    logs->tasks = mem_resize(logs->tasks, logs->n + 1, sizeof(*logs->tasks));
    logs->tasks[logs->n++] = *take_task;
}

static int count_errors(EvalLog *log, Task *task, Error *err)
{
    const EvalLogSummaries *summaries = NULL;
    if (evallog_summaries(log, &summaries, err) < 0)
        return -1;
    task->n_samples = summaries->n;
    for (size_t i = 0; i < summaries->n; i++) {
        if (!summaries->items[i].error.p)
            continue;
        task->n_errors++;
        if (!task->error)
            task->error = first_line(summaries->items[i].error);
    }
    return 0;
}

static int read_log(Logs *logs, const char *key, Error *err)
{
    auto_source Source *source = NULL;
    auto_evallog EvalLog *log = NULL;
    const EvalLogHeader *header = NULL;
    if (store_source(logs->store, key, &source, err) < 0)
        return -1;
    if (evallog_open(source, &log, err) < 0)
        return -1;
    (void)TAKE(source);
    if (evallog_header(log, &header, err) < 0)
        return -1;
    Task task = {
        .task_id = mem_strndup(header->task_id.p ? header->task_id.p : "", header->task_id.n),
        .name = mem_strndup(header->task.p ? header->task.p : "", header->task.n),
        .error = first_line(header->error_message),
        .created_us = header->created_us,
        .status = header->status,
    };
    if (task.status == EVALLOG_SUCCESS && count_errors(log, &task, err) < 0) {
        free_task(&task);
        return -1;
    }
    keep_latest(logs, &task);
    return 0;
}

static int each_log(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    (void)err;
    Logs *logs = context;
    auto_error Error reading = ERROR_INIT;
    Str name = str_of(key);
    if (str_ends(name, STR(".eval")) && !str_ends(name, STR(".fast.eval")) &&
        read_log(logs, key, &reading) < 0)
        logs->n_unreadable++;
    return 0;
}

static void judge_status(const Task *task, JobsVerdict *ret)
{
    switch (task->status) {
    case EVALLOG_CANCELLED:
        *ret = (JobsVerdict){JOB_CANCELLED, "log.cancelled",
                             mem_printf("task %s was cancelled", task->name)};
        return;
    case EVALLOG_ERROR:
        *ret = (JobsVerdict){JOB_FAILED, "log.error",
                             mem_printf("task %s failed: %s", task->name,
                                        task->error ? task->error : "no message in its log")};
        return;
    case EVALLOG_STARTED:
    case EVALLOG_SUCCESS:
    default:
        *ret = (JobsVerdict){JOB_FAILED, "log.unfinished",
                             mem_printf("the log of task %s was not finished", task->name)};
        return;
    }
}

static void judge(const Logs *logs, JobsVerdict *ret)
{
    size_t n_samples = 0;
    size_t n_errors = 0;
    const char *error = NULL;
    const Task *unsuccessful = NULL;
    for (size_t i = 0; i < logs->n; i++) {
        const Task *task = &logs->tasks[i];
        n_samples += task->n_samples;
        n_errors += task->n_errors;
        error = error ? error : task->error;
        if (task->status == EVALLOG_SUCCESS)
            continue;
        /* A failure tells more than a cancellation that came with it. */
        if (!unsuccessful || task->status == EVALLOG_ERROR)
            unsuccessful = task;
    }
    if (unsuccessful) {
        judge_status(unsuccessful, ret);
        return;
    }
    if (n_samples > 0 && n_errors == n_samples) {
        *ret = (JobsVerdict){JOB_FAILED, "samples.all_failed",
                             mem_printf("every sample failed (%zu of %zu): %s", n_errors, n_samples,
                                        error ? error : "see the logs")};
        return;
    }
    if (n_errors > 0) {
        *ret =
            (JobsVerdict){JOB_COMPLETE, "samples.some_failed",
                          mem_printf("done, but %zu of %zu samples failed", n_errors, n_samples)};
        return;
    }
    *ret = (JobsVerdict){JOB_COMPLETE, "done", mem_strdup("done")};
}

void jobs_priv_verdict(Jobs *jobs, const char *job_id, JobsVerdict *ret)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *prefix = mem_printf("evals/%s", job_id);
    HAWK_CLEANUP(free_logs) Logs logs = {.store = jobs->options.store};
    *ret = (JobsVerdict){0};
    if (store_list(logs.store, prefix, false, each_log, &logs, &err) < 0)
        *ret = (JobsVerdict){JOB_FAILED, "log.unreadable",
                             mem_printf("its logs cannot be listed: %s", error_text(&err))};
    else if (logs.n_unreadable > 0)
        *ret = (JobsVerdict){JOB_FAILED, "log.unreadable",
                             mem_printf("%zu of its logs cannot be read", logs.n_unreadable)};
    else if (logs.n == 0)
        *ret = (JobsVerdict){JOB_FAILED, "log.none", mem_strdup("it ended without any log")};
    else
        judge(&logs, ret);
}
