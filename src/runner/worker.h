/* Worker: the Python side of a job, started in its virtualenv. */
#ifndef HAWK_RUNNER_WORKER_H
#define HAWK_RUNNER_WORKER_H

#include "base/error.h"
#include "runner/run.h"
#include "runner/venv.h"

/* Puts the worker's sources, which are part of this program, into CACHE/worker/<digest>/ and runs
   them to their end with the arguments in `words`, which ends with NULL. What `input` and `guest`
   are is in run.h; both may be NULL. */
typedef struct WorkerStart {
    const char *cache_dir;
    const Venv *venv;
    const char *const *words;
    const int *input;
    const RunGuest *guest;
} WorkerStart;
int worker_run(Run *run, const WorkerStart *start, RunChild *ret, Error *err) HAWK_MUST_USE;

#endif
