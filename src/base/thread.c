/* Starting threads. */

#include "base/thread.h"

void thread_block_signals(sigset_t *ret_before)
{
    static const int of_a_crash[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    sigset_t others;
    sigfillset(&others);
    for (size_t i = 0; i < ARRAY_LEN(of_a_crash); i++)
        sigdelset(&others, of_a_crash[i]);
    pthread_sigmask(SIG_BLOCK, &others, ret_before);
}

void thread_unblock_signals(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

int thread_start(pthread_t *ret, void *(*run)(void *), void *context, Error *err)
{
    sigset_t before;
    thread_block_signals(&before);
    int failure = pthread_create(ret, NULL, run, context);
    thread_unblock_signals(&before);
    return failure ? error_errno(err, failure, "cannot start a thread") : 0;
}

void thread_cond_init(pthread_cond_t *ret)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(ret, &monotonic);
    pthread_condattr_destroy(&monotonic);
}
