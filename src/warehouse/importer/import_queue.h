/* ImportQueue: which logs there are, and whose turn it is to be imported.

   A log has a row from the first notice of it until it is gone; the row says what has become of it,
   in words when it failed. Whoever imports a log holds a lease on its row, so that several servers
   may share a database, and so that a log whose importer died is taken again. Safe to use from
   several threads. */
#ifndef HAWK_WAREHOUSE_IMPORT_QUEUE_H
#define HAWK_WAREHOUSE_IMPORT_QUEUE_H

#include <stdbool.h>

#include "base/error.h"
#include "sql/sql.h"
#include "store/store.h"
#include "warehouse/importer/importer.h"

typedef struct ImportQueue ImportQueue;

typedef enum ImportState {
    IMPORT_PENDING,   /* waits for its turn */
    IMPORT_IMPORTING, /* is being imported */
    IMPORT_RUNNING,   /* the log is still being written; what it had when last seen is in */
    IMPORT_SUCCESS,
    IMPORT_RETRYING, /* failed for a reason that may pass, and will be tried again */
    IMPORT_FAILED,   /* failed; is tried again when the log changes */
} ImportState;
enum { IMPORT_STATES_N = IMPORT_FAILED + 1 };

/* The state's name in the database and the API; -1 when a name is none. */
const char *import_state_name(ImportState state);
int import_state_of(Str name, ImportState *ret) HAWK_MUST_USE;

/* Borrowed things must outlive the queue. */
typedef struct ImportQueueOptions {
    Sql *sql; /* migrated */
    Store *store;
    int64_t (*now_us)(void *context); /* NULL: the clock of the database */
    void *context;
    int lease_ms; /* 0: a minute */
} ImportQueueOptions;

/* Opens the queue. Logs that failed for a reason that may have passed get another chance. */
int import_queue_open(const ImportQueueOptions *options, ImportQueue **ret,
                      Error *err) HAWK_MUST_USE;
void import_queue_close(ImportQueue *queue);

/* Looks at the logs with these keys and queues those that have changed or gone, before the logs
   that only lie there; keys of other files are passed over. Durable when it returns. */
int import_queue_look(ImportQueue *queue, const char *const *keys, size_t n,
                      Error *err) HAWK_MUST_USE;

/* The same for every log of an eval set; or, with NULL, for every log there is or was, which then
   go last. */
int import_queue_scan(ImportQueue *queue, const char *eval_set_id, Error *err) HAWK_MUST_USE;

/* A log that was taken to be imported. */
typedef struct ImportClaim {
    char key[STORE_KEY_MAX + 1];
    uint64_t size;
    int64_t number;  /* of this claim of the log */
    int64_t notices; /* that it answers */
    int64_t attempt; /* 1, 2, ... at these bytes */
} ImportClaim;

/* Takes the log whose turn it is: 1, or 0 when none came up within wait_ms or import_queue_stop was
   called. */
int import_queue_take(ImportQueue *queue, int wait_ms, ImportClaim *ret, Error *err) HAWK_MUST_USE;

/* Says how far the import is; kept at the next import_queue_keep. */
void import_queue_progress(ImportQueue *queue, const ImportClaim *claim, size_t n_done,
                           size_t n_total);

/* Gives the log back with the report of its import, or with the problem when that is set. A claim
   that was lost meanwhile changes nothing. */
int import_queue_finish(ImportQueue *queue, const ImportClaim *claim, const ImporterReport *report,
                        const Error *problem, Error *err) HAWK_MUST_USE;

/* To be called every IMPORT_QUEUE_KEEP_MS: keeps progress, renews the leases of this queue, and
   frees the logs whose importers are dead or silent. */
enum { IMPORT_QUEUE_KEEP_MS = 1000 };
int import_queue_keep(ImportQueue *queue, Error *err) HAWK_MUST_USE;

/* Ends all waits, now and later. */
void import_queue_stop(ImportQueue *queue);
bool import_queue_is_stopping(ImportQueue *queue);

HAWK_DEFINE_AUTO(ImportQueue, import_queue, import_queue_close)
#define auto_import_queue HAWK_CLEANUP(import_queue_cleanup_)

#endif
