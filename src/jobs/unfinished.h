/* Unfinished: logs that a run left with status "started", because it was killed. */
#ifndef HAWK_JOBS_UNFINISHED_H
#define HAWK_JOBS_UNFINISHED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "jobs/jobs.h"

/* A log that is not finished or cannot be read. */
typedef struct UnfinishedLog {
    const char *key;
    const char *error; /* why it cannot be read; NULL: it was not finished */
    bool is_replaced;  /* a later log of its task goes on from it */
} UnfinishedLog;

typedef struct Unfinished {
    UnfinishedLog *items;
    size_t n;
} Unfinished;

enum { UNFINISHED_MAX = 2000 };

/* The unfinished logs of a job, in the arena, at most UNFINISHED_MAX. */
int unfinished_list(Jobs *jobs, Arena *arena, const char *job_id, Unfinished *ret,
                    Error *err) HAWK_MUST_USE;

/* Closes unfinished logs of a job that nobody runs as cancelled; the samples in them stay. Unless
   `all`, only those that a later log has replaced: of the last one Inspect finds more samples in
   its own buffer when the job is resumed, as long as the log is not finished. What cannot be closed
   is only logged; false when that may pass, as a full disk does. */
bool unfinished_close(Jobs *jobs, const char *job_id, bool all);

#endif
