/* ImportWorkers: threads that import the logs of a queue, one log each at a time. */
#ifndef HAWK_WAREHOUSE_IMPORT_WORKERS_H
#define HAWK_WAREHOUSE_IMPORT_WORKERS_H

#include "warehouse/importer/import_queue.h"

typedef struct ImportWorkers ImportWorkers;

enum { IMPORT_WORKERS_MAX = 32 };

/* Borrowed things must outlive the workers. */
typedef struct ImportWorkersOptions {
    ImportQueue *queue;
    Sql *sql;
    Store *store;
    size_t n_workers; /* at most IMPORT_WORKERS_MAX */
    void *context;
    /* Called on a worker after each import, with the report or with the problem. May be NULL. */
    void (*ended)(void *context, const ImportClaim *claim, const ImporterReport *report,
                  const Error *problem);
    /* Called when the queue itself fails and when it works again, with NULL. May be NULL. */
    void (*troubled)(void *context, const Error *problem);
} ImportWorkersOptions;

/* Starts the workers and the thread that keeps their leases. */
int import_workers_start(const ImportWorkersOptions *options, ImportWorkers **ret,
                         Error *err) HAWK_MUST_USE;

/* Ends the imports at hand after their current step, waits and frees; the queue can be used
   afterwards but gives out no more logs. NULL is fine. */
void import_workers_stop(ImportWorkers *workers);

HAWK_DEFINE_AUTO(ImportWorkers, import_workers, import_workers_stop)
#define auto_import_workers HAWK_CLEANUP(import_workers_cleanup_)

#endif
