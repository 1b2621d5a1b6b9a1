/* Threads that leave signals to the thread that waits for them. */
#ifndef HAWK_BASE_THREAD_H
#define HAWK_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

#include "base/base.h"
#include "base/error.h"

/* Blocks all signals but those that a thread brings upon itself by crashing; threads started from
   here inherit that. thread_unblock_signals restores what was before. */
void thread_block_signals(sigset_t *ret_before);
void thread_unblock_signals(const sigset_t *before);

/* A condition whose timed waits go by CLOCK_MONOTONIC, as clock_deadline does. */
void thread_cond_init(pthread_cond_t *ret);

/* Starts a thread with signals blocked; the caller joins it. */
int thread_start(pthread_t *ret, void *(*run)(void *), void *context, Error *err) HAWK_MUST_USE;

#endif
