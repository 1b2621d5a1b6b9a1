/* Capsules of runs between runner and store: what a job was made of, and what one is bound to. */

#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "jobs/jobs_priv.h"

enum { CAPSULE_MAX = 32 * 1024 * 1024 };

static char *key_of(JobType type, const char *job_id, const char *name)
{
    return mem_printf("%s/%s/.hawk/%s", job_type_root(type), job_id, name);
}

int jobs_priv_capsule(Jobs *jobs, Arena *arena, const Job *job, const char *name, Str *ret,
                      Error *err)
{
    auto_free char *key = key_of(job->type, job->job_id, name);
    auto_buf Buf text = BUF_INIT(CAPSULE_MAX);
    if (store_get(jobs->options.store, key, &text, err) < 0)
        return -1;
    *ret = arena_str(arena, buf_str(&text));
    return 0;
}

int jobs_priv_bind_capsule(Jobs *jobs, const Job *job, Str capsule, Error *err)
{
    auto_free char *key = key_of(job->type, job->job_id, JOBS_CAPSULE_BOUND);
    return store_put(jobs->options.store, key, capsule, false, err);
}

int jobs_priv_keep_capsule(Jobs *jobs, JobType type, const char *job_id, Error *err)
{
    Executor *executor = jobs->options.executor;
    auto_free char *key = key_of(type, job_id, JOBS_CAPSULE_LEFT);
    auto_free char *beside = store_local_path(jobs->options.store, key);
    auto_free char *path = executor->file(executor, job_id, "capsule.json");
    auto_buf Buf text = BUF_INIT(CAPSULE_MAX);
    if (beside || !path || !fs_exists(path)) /* the runner put it there, or has made none */
        return 0;
    if (fs_read_file(path, &text, err) < 0)
        return -1;
    return store_put(jobs->options.store, key, buf_str(&text), false, err);
}
