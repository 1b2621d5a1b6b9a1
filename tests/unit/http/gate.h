/* A gate: threads wait at it until it is opened, and tests wait until threads have come. */
#ifndef HAWK_TEST_GATE_H
#define HAWK_TEST_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "cmocka_all.h"

enum { GATE_PATIENCE_S = 20 };

typedef struct Gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_come;
    bool is_open;
} Gate;

#define GATE_INIT                                                                                  \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                     \
    }

/* Counts the caller, without waiting. */
static inline void gate_count(Gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->n_come++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static inline void gate_pass(Gate *gate)
{
    gate_count(gate);
    pthread_mutex_lock(&gate->lock);
    while (!gate->is_open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static inline void gate_open(Gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->is_open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

/* Waits until n have come; false when they do not. */
static inline bool gate_await(Gate *gate, int n)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GATE_PATIENCE_S;
    int waited = 0;
    pthread_mutex_lock(&gate->lock);
    while (gate->n_come < n && waited == 0)
        waited = pthread_cond_timedwait(&gate->changed, &gate->lock, &until);
    bool has_come = gate->n_come >= n;
    pthread_mutex_unlock(&gate->lock);
    return has_come;
}

#endif
