/* The worker pool: a ring of tasks under one lock. The ring grows only for admitted work. */

#include "base/pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"

typedef struct PoolItem {
    PoolTask *task;
    void *context;
} PoolItem;

struct Pool {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t has_work;
    PoolItem *ring;
    size_t cap;
    size_t head;
    size_t n_queued;
    size_t n_queued_max;
    bool is_stopping;
    pthread_t *threads;
    size_t n_threads;
};

static void push(Pool *pool, PoolTask *task, void *context)
{
    if (pool->n_queued == pool->cap) {
        size_t cap = pool->cap ? pool->cap * 2 : 16;
        PoolItem *ring = mem_array(cap, sizeof(*ring));
        for (size_t i = 0; i < pool->n_queued; i++)
            ring[i] = pool->ring[(pool->head + i) % pool->cap];
        free(pool->ring);
        pool->ring = ring;
        pool->cap = cap;
        pool->head = 0;
    }
    pool->ring[(pool->head + pool->n_queued) % pool->cap] = (PoolItem){task, context};
    pool->n_queued++;
    pthread_cond_signal(&pool->has_work);
}

static void *work(void *context)
{
    Pool *pool = context;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->n_queued == 0 && !pool->is_stopping)
            pthread_cond_wait(&pool->has_work, &pool->lock);
        if (pool->n_queued == 0)
            break;
        PoolItem item = pool->ring[pool->head];
        pool->head = (pool->head + 1) % pool->cap;
        pool->n_queued--;
        pthread_mutex_unlock(&pool->lock);
        item.task(item.context);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

int pool_start(size_t n_threads, size_t n_queued_max, Pool **ret, Error *err)
{
    auto_pool Pool *pool = mem_alloc(sizeof(*pool));
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->has_work, NULL);
    pool->n_queued_max = n_queued_max;
    pool->threads = mem_array(n_threads, sizeof(*pool->threads));
    for (; pool->n_threads < n_threads; pool->n_threads++)
        if (thread_start(&pool->threads[pool->n_threads], work, pool, err) < 0)
            return -1;
    *ret = TAKE(pool);
    return 0;
}

bool pool_submit(Pool *pool, PoolTask *task, void *context)
{
    pthread_mutex_lock(&pool->lock);
    bool fits = pool->n_queued < pool->n_queued_max && !pool->is_stopping;
    if (fits)
        push(pool, task, context);
    pthread_mutex_unlock(&pool->lock);
    return fits;
}

void pool_submit_admitted(Pool *pool, PoolTask *task, void *context)
{
    pthread_mutex_lock(&pool->lock);
    push(pool, task, context);
    pthread_mutex_unlock(&pool->lock);
}

void pool_stop(Pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->has_work);
    pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    free(pool->ring);
    free(pool);
}
