/* Pool: an eval set's tasks as processes, which a warm Python process forks when told to; the
   protocol is in python/hawk_worker/pool.py, what is started when in runner/schedule.h. */
#ifndef HAWK_RUNNER_POOL_H
#define HAWK_RUNNER_POOL_H

#include "base/error.h"
#include "runner/run.h"
#include "runner/venv.h"

/* Runs the eval set of the run to its end, which includes starting the pool anew if it dies. Where
   the installed Inspect cannot be run in parts the pool does all by itself. Fails only when nothing
   could be started or watched. */
int pool_run(Run *run, const char *cache_dir, const Venv *venv, RunChild *ret,
             Error *err) HAWK_MUST_USE;

/* Removes what tasks of an earlier attempt left in the job's folder, so that nobody takes it for
   this one's. */
int pool_forget(const Run *run, Error *err) HAWK_MUST_USE;

#endif
