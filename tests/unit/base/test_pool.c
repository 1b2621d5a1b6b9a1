/* The worker pool: what runs, what is refused, what stopping means. */
#include "cmocka_all.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/pool.h"

/* A gate that holds workers until it is opened. */
typedef struct Gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_inside;
    bool is_open;
    atomic_int n_done;
    Pool *pool;
} Gate;

#define GATE_INIT ((Gate){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER})

static void pass_gate(void *context)
{
    Gate *gate = context;
    pthread_mutex_lock(&gate->lock);
    gate->n_inside++;
    pthread_cond_broadcast(&gate->changed);
    while (!gate->is_open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    atomic_fetch_add(&gate->n_done, 1);
}

static void gate_await(Gate *gate, int n_inside)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->n_inside < n_inside)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(Gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->is_open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void count(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static void stopping_runs_what_is_queued(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    Pool *pool = NULL;
    atomic_int n = 0;
    assert_int_equal(pool_start(3, 1000, &pool, &err), 0);
    for (int i = 0; i < 1000; i++)
        if (!pool_submit(pool, count, &n))
            pool_submit_admitted(pool, count, &n);
    pool_stop(pool);
    assert_int_equal(n, 1000);
}

static void a_full_queue_refuses_but_takes_admitted_work(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    Gate gate = GATE_INIT;
    assert_int_equal(pool_start(2, 3, &gate.pool, &err), 0);
    assert_true(pool_submit(gate.pool, pass_gate, &gate));
    assert_true(pool_submit(gate.pool, pass_gate, &gate));
    gate_await(&gate, 2);
    for (int i = 0; i < 3; i++)
        assert_true(pool_submit(gate.pool, pass_gate, &gate));
    assert_false(pool_submit(gate.pool, pass_gate, &gate));
    pool_submit_admitted(gate.pool, pass_gate, &gate);
    gate_open(&gate);
    pool_stop(gate.pool);
    assert_int_equal(gate.n_done, 6);
}

static void submit_from_task(void *context)
{
    Gate *gate = context;
    pass_gate(gate);
    pool_submit_admitted(gate->pool, pass_gate, gate);
}

static void work_admitted_by_a_running_task_while_stopping_still_runs(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    Gate gate = GATE_INIT;
    assert_int_equal(pool_start(1, 1, &gate.pool, &err), 0);
    assert_true(pool_submit(gate.pool, submit_from_task, &gate));
    gate_await(&gate, 1);
    gate_open(&gate);
    pool_stop(gate.pool);
    assert_int_equal(gate.n_done, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopping_runs_what_is_queued),
        cmocka_unit_test(a_full_queue_refuses_but_takes_admitted_work),
        cmocka_unit_test(work_admitted_by_a_running_task_while_stopping_still_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
