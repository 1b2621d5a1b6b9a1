/* Finding and closing. A log is written anew into a file without a name, which then takes its
   place, so a crash leaves the old one or the new one. */

#include "jobs/unfinished.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "evallog/evallog_finish.h"
#include "jobs/jobs_priv.h"

/* Any log of the job. */
typedef struct Known {
    const char *key;
    const char *task_id;
    const char *error;
    int64_t created_us;
    bool is_started;
} Known;

typedef struct Search {
    Store *store;
    Arena *arena;
    Known *logs; /* UNFINISHED_MAX */
    size_t n;
} Search;

static int open_log(Store *store, const char *key, EvalLog **ret, Error *err)
{
    auto_source Source *source = NULL;
    if (store_source(store, key, &source, err) < 0 || evallog_open(source, ret, err) < 0)
        return -1;
    (void)TAKE(source);
    return 0;
}

static int each_log(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    (void)err;
    Search *search = context;
    auto_error Error reading = ERROR_INIT;
    auto_evallog EvalLog *log = NULL;
    const EvalLogHeader *header = NULL;
    Str name = str_of(key);
    if (!str_ends(name, STR(".eval")) || str_ends(name, STR(".fast.eval")) ||
        search->n == UNFINISHED_MAX)
        return 0;
    Known *known = &search->logs[search->n++];
    *known = (Known){.key = arena_strdup(search->arena, key), .task_id = ""};
    if (open_log(search->store, key, &log, &reading) < 0 ||
        evallog_header(log, &header, &reading) < 0) {
        known->error = arena_strdup(search->arena, error_text(&reading));
        return 0;
    }
    if (header->task_id.p)
        known->task_id = arena_strndup(search->arena, header->task_id.p, header->task_id.n);
    known->created_us = header->created_us;
    known->is_started = header->status == EVALLOG_STARTED;
    return 0;
}

/* Whether a later log of the same task goes on from this one. */
static bool is_replaced(const Search *search, const Known *log)
{
    for (size_t i = 0; i < search->n; i++) {
        const Known *other = &search->logs[i];
        if (other != log && !other->error && strcmp(other->task_id, log->task_id) == 0 &&
            (other->created_us > log->created_us ||
             (other->created_us == log->created_us && !other->is_started)))
            return true;
    }
    return false;
}

int unfinished_list(Jobs *jobs, Arena *arena, const char *job_id, Unfinished *ret, Error *err)
{
    auto_free char *prefix = mem_printf("evals/%s", job_id);
    Search search = {.store = jobs->options.store,
                     .arena = arena,
                     .logs = arena_array(arena, UNFINISHED_MAX, sizeof(Known))};
    *ret = (Unfinished){.items = arena_array(arena, UNFINISHED_MAX, sizeof(UnfinishedLog))};
    if (store_list(search.store, prefix, false, each_log, &search, err) < 0)
        return -1;
    for (size_t i = 0; i < search.n; i++) {
        const Known *log = &search.logs[i];
        if (log->error || log->is_started)
            ret->items[ret->n++] = (UnfinishedLog){
                .key = log->key, .error = log->error, .is_replaced = is_replaced(&search, log)};
    }
    return 0;
}

static int write_bytes(void *context, Str bytes, Error *err)
{
    int *fd = context;
    return fs_write_all(*fd, bytes.p, bytes.n, err);
}

static int close_log(Jobs *jobs, const char *job_id, const char *key, Error *err)
{
    Executor *executor = jobs->options.executor;
    Store *store = jobs->options.store;
    auto_free char *folder = executor->file(executor, job_id, "");
    auto_evallog EvalLog *log = NULL;
    auto_fd int fd = fs_open_unlinked(folder, err);
    StoreStat stat;
    if (fd < 0 || store_stat(store, key, &stat, err) < 0 || open_log(store, key, &log, err) < 0 ||
        evallog_finish_write(log, clock_now_us(), write_bytes, &fd, err) < 0)
        return -1;
    /* A plain Inspect goes on from the log that was written last, which this one is not. */
    struct timespec at = {.tv_sec = stat.modified_us / CLOCK_SECOND,
                          .tv_nsec = stat.modified_us % CLOCK_SECOND * 1000};
    (void)futimens(fd, (const struct timespec[]){at, at});
    return store_put_file(store, key, fd, err);
}

/* Whether what has failed may succeed in a while. */
static bool may_pass(const Error *why)
{
    return why->kind == ERR_NO_SPACE || why->kind == ERR_UNREACHABLE || why->kind == ERR_TIMEOUT ||
           why->kind == ERR_BUSY;
}

/* Whether it need not be tried again. */
static bool close_found(Jobs *jobs, const char *job_id, const UnfinishedLog *item)
{
    auto_error Error why = ERROR_INIT;
    if (!item->error && close_log(jobs, job_id, item->key, &why) == 0) {
        log_info("job.log_closed", KV("job", job_id), KV("log", item->key));
        return true;
    }
    log_warn("job.log_not_closed", KV("job", job_id), KV("log", item->key),
             KV("error", item->error ? item->error : error_text(&why)));
    return !may_pass(&why);
}

bool unfinished_close(Jobs *jobs, const char *job_id, bool all)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Unfinished found;
    bool is_done = true;
    if (unfinished_list(jobs, arena, job_id, &found, &err) < 0) {
        log_warn("job.logs_not_listed", KV("job", job_id), KV("error", error_text(&err)));
        return !may_pass(&err);
    }
    for (size_t i = 0; i < found.n; i++)
        if (all || found.items[i].is_replaced)
            is_done = close_found(jobs, job_id, &found.items[i]) && is_done;
    return is_done;
}
