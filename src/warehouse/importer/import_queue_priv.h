/* The row of a log, what moves it from state to state, and what the files of the queue share. */
#ifndef HAWK_WAREHOUSE_IMPORT_QUEUE_PRIV_H
#define HAWK_WAREHOUSE_IMPORT_QUEUE_PRIV_H

#include <pthread.h>

#include "base/buf.h"
#include "warehouse/importer/import_queue.h"

enum {
    IMPORT_MARK_MAX = 2 * STORE_ETAG_MAX + 2,
    IMPORT_REASON_MAX = 2000,
    IMPORT_GROUPS_MAX = 4 << 20,
    IMPORT_SET_ID_MAX = 256,
    IMPORT_ACTIVE_MAX = 64,
    IMPORT_OWNER_MAX = 128,
};

/* One row; what is not here is written by the statement that changes it. */
typedef struct ImportRow {
    char mark[IMPORT_MARK_MAX];
    uint64_t size;
    ImportState state;
    int64_t attempts;
    char reason[IMPORT_REASON_MAX + 1]; /* "" for none */
    const char *reason_kind;            /* a name of an ErrorKind, or NULL */
    int64_t notices;
    int64_t due_us;
    int64_t turn_us;
    int64_t began_us; /* 0: never */
    int64_t ended_us; /* 0: never */
} ImportRow;

/* What was seen of a log. */
typedef struct ImportSeen {
    char *key;
    char mark[IMPORT_MARK_MAX]; /* "" when it is gone */
    uint64_t size;
    bool is_hot;
} ImportSeen;

/* How an import ended. */
typedef struct ImportEnd {
    ImporterOutcome outcome; /* counts when there is no problem */
    const Error *problem;    /* or NULL */
    int64_t notices;         /* of the claim */
    uint32_t random;         /* spreads retries */
} ImportEnd;

/* The row of a log that was not known before. */
void import_row_first(ImportRow *row, const ImportSeen *seen, int64_t now_us);

/* Brings a known row in line with what was seen; false when nothing changes. */
bool import_row_see(ImportRow *row, const ImportSeen *seen, int64_t now_us);

/* Moves a row from "importing" on; false when it is to be deleted, because the log is gone. */
bool import_row_end(ImportRow *row, const ImportEnd *end, int64_t now_us);

/* Frees the row of an importer that is no longer there. */
void import_row_free(ImportRow *row, int64_t now_us);

/* Whether a failure of this kind may pass while the log stays as it is. */
bool import_row_may_pass(ErrorKind kind);

/* A log that this queue is importing. */
typedef struct ImportActive {
    char *key; /* NULL: the place is free */
    int64_t number;
    size_t n_done;
    size_t n_total;
    bool is_fresh; /* the counts are not in the row yet */
} ImportActive;

struct ImportQueue {
    ImportQueueOptions options;
    char owner[IMPORT_OWNER_MAX];

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool is_stopping;
    uint64_t n_changes; /* of rows, by this queue */
    int64_t offset_us;  /* from our clock to that of the database */
    int64_t next_keep_ms;
    bool has_followed; /* a look at everything has seen what every set's groups are */
    ImportActive active[IMPORT_ACTIVE_MAX];
};

/* Now, by the clock that all who share the database have; learning what that of a PostgreSQL says.
 */
int64_t import_queue_now(ImportQueue *queue);
int import_queue_read_clock(ImportQueue *queue, Error *err) HAWK_MUST_USE;

/* How long a claim holds from now. */
int64_t import_queue_lease_us(const ImportQueue *queue);

/* The end of a SELECT that holds its rows. */
const char *import_queue_for_update(const ImportQueue *queue);

/* Remembers a log before it is taken, so that its lease is renewed from the first moment; -1 when
   there are too many. drop forgets it. */
int import_active_add(ImportQueue *queue, const char *key, int64_t number);
void import_active_drop(ImportQueue *queue, const char *key, int64_t number);

/* Reads the row of a key and holds it until the transaction ends: 1, or 0 when there is none. */
int import_queue_read(SqlTx *tx, ImportQueue *queue, const char *key, ImportRow *ret,
                      Error *err) HAWK_MUST_USE;

/* Writes what an ImportRow has. */
int import_queue_write(SqlTx *tx, const char *key, const ImportRow *row, int64_t now_us,
                       Error *err) HAWK_MUST_USE;

/* Wakes those who wait for a log. */
void import_queue_wake(ImportQueue *queue);

#endif
