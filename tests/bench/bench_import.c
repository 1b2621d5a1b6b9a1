/* Imports logs with as many threads as told and says how long it took and how much memory it held.

   bench_import DATABASE STORE THREADS KEY... prints "<seconds> <kilobytes>". DATABASE is a
   "sqlite:" or "postgresql://" URL, STORE a "file:" URL; migrating is not counted. */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/mem.h"
#include "base/thread.h"
#include "warehouse/importer/importer.h"
#include "warehouse/warehouse.h"

enum { THREADS_MAX = 16 };

typedef struct Work {
    Sql *sql;
    Store *store;
    char **keys;
    size_t n_keys;
    atomic_size_t next;
    atomic_bool has_failed;
} Work;

static void *import_keys(void *context)
{
    Work *work = context;
    for (size_t i = atomic_fetch_add(&work->next, 1); i < work->n_keys;
         i = atomic_fetch_add(&work->next, 1)) {
        auto_error Error err = ERROR_INIT;
        const ImporterOptions options = {0};
        ImporterReport report;
        if (importer_import(work->sql, work->store, work->keys[i], &options, &report, &err) < 0) {
            fprintf(stderr, "%s\n", error_text(&err));
            atomic_store(&work->has_failed, true);
        }
    }
    return NULL;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int run(char **argv, size_t n_keys, size_t n_threads, Error *err)
{
    auto_sql Sql *sql = NULL;
    auto_store Store *store = NULL;
    if (sql_open(argv[1], n_threads + 1, &sql, err) < 0 || warehouse_migrate(sql, err) < 0 ||
        store_open(argv[2], &store, err) < 0)
        return -1;
    Work work = {.sql = sql, .store = store, .keys = argv + 4, .n_keys = n_keys};
    pthread_t threads[THREADS_MAX];
    double begun = seconds_now();
    for (size_t i = 0; i < n_threads; i++)
        if (thread_start(&threads[i], import_keys, &work, err) < 0)
            return -1;
    for (size_t i = 0; i < n_threads; i++)
        pthread_join(threads[i], NULL);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.6f %ld\n", seconds_now() - begun, usage.ru_maxrss);
    if (atomic_load(&work.has_failed))
        return error_set(err, ERR_BAD_DATA, "not all logs are imported");
    return 0;
}

int main(int argc, char **argv)
{
    auto_error Error err = ERROR_INIT;
    size_t n_threads = argc > 4 ? strtoul(argv[3], NULL, 10) : 0;
    if (n_threads < 1 || n_threads > THREADS_MAX) {
        fprintf(stderr, "usage: bench_import DATABASE STORE THREADS KEY...\n");
        return 2;
    }
    if (run(argv, (size_t)argc - 4, n_threads, &err) < 0) {
        fprintf(stderr, "%s\n", error_text(&err));
        return 1;
    }
    return 0;
}
