/* Threads that work in rounds. */

#include "base/looper.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

struct Looper {
    void (*run)(void *context, Looper *looper);
    void *context;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool is_woken;
    bool is_ending;
};

static void *begin(void *context)
{
    Looper *looper = context;
    looper->run(looper->context, looper);
    return NULL;
}

int looper_start(void (*run)(void *context, Looper *looper), void *context, Looper **ret,
                 Error *err)
{
    Looper *looper = mem_alloc(sizeof(*looper));
    looper->run = run;
    looper->context = context;
    pthread_mutex_init(&looper->lock, NULL);
    thread_cond_init(&looper->changed);
    if (thread_start(&looper->thread, begin, looper, err) < 0) {
        looper_stop(looper);
        return -1;
    }
    looper->has_thread = true;
    *ret = looper;
    return 0;
}

bool looper_wait(Looper *looper, int ms)
{
    struct timespec until = clock_deadline(ms);
    int waited = 0;
    pthread_mutex_lock(&looper->lock);
    while (ms > 0 && !looper->is_woken && !looper->is_ending && waited == 0)
        waited = pthread_cond_timedwait(&looper->changed, &looper->lock, &until);
    looper->is_woken = false;
    bool goes_on = !looper->is_ending;
    pthread_mutex_unlock(&looper->lock);
    return goes_on;
}

bool looper_is_ending(void *context)
{
    Looper *looper = context;
    pthread_mutex_lock(&looper->lock);
    bool is_ending = looper->is_ending;
    pthread_mutex_unlock(&looper->lock);
    return is_ending;
}

static void tell(Looper *looper, bool *what)
{
    pthread_mutex_lock(&looper->lock);
    *what = true;
    pthread_cond_signal(&looper->changed);
    pthread_mutex_unlock(&looper->lock);
}

void looper_wake(Looper *looper)
{
    tell(looper, &looper->is_woken);
}

void looper_stop(Looper *looper)
{
    if (!looper)
        return;
    tell(looper, &looper->is_ending);
    if (looper->has_thread)
        (void)pthread_join(looper->thread, NULL);
    pthread_cond_destroy(&looper->changed);
    pthread_mutex_destroy(&looper->lock);
    free(looper);
}
