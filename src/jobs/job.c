/* States, types and priorities of jobs, each a table. */

#include "jobs/job.h"

#include <assert.h>

#define BIT(state) (1U << (state))

typedef struct StateRow {
    const char *name;
    bool is_over;
    unsigned next; /* bits of the states that may follow */
} StateRow;

/* clang-format off */
static const StateRow states[] = {
    [JOB_QUEUED]    = { "queued",    false, BIT(JOB_QUEUED) | BIT(JOB_RUNNING) | BIT(JOB_STOPPING) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED) },
    [JOB_RUNNING]   = { "running",   false, BIT(JOB_QUEUED) | BIT(JOB_STOPPING) | BIT(JOB_COMPLETE) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED) },
    [JOB_STOPPING]  = { "stopping",  false, BIT(JOB_COMPLETE) | BIT(JOB_FAILED) | BIT(JOB_CANCELLED) },
    [JOB_COMPLETE]  = { "complete",  true,  BIT(JOB_QUEUED) },
    [JOB_FAILED]    = { "failed",    true,  BIT(JOB_QUEUED) },
    [JOB_CANCELLED] = { "cancelled", true,  BIT(JOB_QUEUED) },
};
/* clang-format on */

static const char *const types[] = {[JOB_EVAL_SET] = "eval-set", [JOB_SCAN] = "scan"};
static const char *const roots[] = {[JOB_EVAL_SET] = "evals", [JOB_SCAN] = "scans"};
static const char *const priorities[] = {
    [JOB_LOW] = "low", [JOB_MEDIUM] = "medium", [JOB_HIGH] = "high"};

static int find(const char *const *names, size_t n, Str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eqz(name, names[i]))
            return (int)i;
    return -1;
}

bool job_state_may(JobState from, JobState to)
{
    assert((size_t)from < ARRAY_LEN(states) && (size_t)to < ARRAY_LEN(states));
    return (states[from].next & BIT(to)) != 0;
}

bool job_state_is_over(JobState state)
{
    assert((size_t)state < ARRAY_LEN(states));
    return states[state].is_over;
}

const char *job_state_name(JobState state)
{
    assert((size_t)state < ARRAY_LEN(states));
    return states[state].name;
}

int job_state_of(Str name, JobState *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (str_eqz(name, states[i].name)) {
            *ret = (JobState)i;
            return 0;
        }
    return -1;
}

const char *job_type_name(JobType type)
{
    assert((size_t)type < ARRAY_LEN(types));
    return types[type];
}

const char *job_type_root(JobType type)
{
    assert((size_t)type < ARRAY_LEN(roots));
    return roots[type];
}

int job_type_of(Str name, JobType *ret)
{
    int i = find(types, ARRAY_LEN(types), name);
    if (i < 0)
        return -1;
    *ret = (JobType)i;
    return 0;
}

const char *job_priority_name(JobPriority priority)
{
    assert((size_t)priority < ARRAY_LEN(priorities));
    return priorities[priority];
}

int job_priority_of(Str name, JobPriority *ret)
{
    int i = find(priorities, ARRAY_LEN(priorities), name);
    if (i < 0)
        return -1;
    *ret = (JobPriority)i;
    return 0;
}
