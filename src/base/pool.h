/* Pool: worker threads behind a bounded queue, for work that may wait. */
#ifndef HAWK_BASE_POOL_H
#define HAWK_BASE_POOL_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

typedef struct Pool Pool;
typedef void PoolTask(void *context);

/* Starts n_threads workers; at most n_queued_max tasks wait for one. Signals are left to the other
 * threads. */
int pool_start(size_t n_threads, size_t n_queued_max, Pool **ret, Error *err) HAWK_MUST_USE;

/* Queues a task; false when the queue is full or the pool stops, and then the task does not run. */
bool pool_submit(Pool *pool, PoolTask *task, void *context) HAWK_MUST_USE;

/* Queues the next part of work that was admitted before, past the limit; the caller bounds how much
   there is of it. Must not be called once pool_stop has returned. */
void pool_submit_admitted(Pool *pool, PoolTask *task, void *context);

/* Runs what is queued, then ends the workers and frees the pool. NULL is fine. Not from a worker.
 */
void pool_stop(Pool *pool);

HAWK_DEFINE_AUTO(Pool, pool, pool_stop)
#define auto_pool HAWK_CLEANUP(pool_cleanup_)

#endif
