/* What the files of this folder share of an Edits. */
#ifndef HAWK_EDITS_EDITS_PRIV_H
#define HAWK_EDITS_EDITS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "edits/edits.h"

enum { EDITS_THREADS = 2, EDITS_OBJECT_MAX = 32 << 20 };

struct Edits {
    EditsOptions options;
    char *folder; /* DATA/edits */
    char *program;
    pthread_t threads[EDITS_THREADS];
    size_t n_threads;
    pthread_mutex_t lock; /* for waiting */
    pthread_cond_t wake;
    _Atomic uint64_t wakes; /* counts requests, so that none is missed between looking and waiting;
                               changed with the lock held */
    atomic_bool is_closing;
};

/* A row that is to be applied. */
typedef struct EditsWork {
    int64_t pk;
    const char *request_uuid;
    const char *log_key;
    const char *eval_set_id;
    const char *object_key;
    const char *reason; /* why it waits; or NULL */
    int64_t attempts;
} EditsWork;

/* What the table says and is told. */
int edits_priv_migrate(Sql *sql, Error *err) HAWK_MUST_USE;
int edits_priv_insert(SqlTx *tx, const EditsWork *row, int64_t n_edits, const char *author,
                      int64_t now_us, Error *err) HAWK_MUST_USE;

/* Rows that an ended server was applying are pending again. */
int edits_priv_take_up(Sql *sql, Error *err) HAWK_MUST_USE;

enum { EDITS_PAGE = 100 };

/* Up to EDITS_PAGE pending rows behind a pk whose time has come and before which there is nothing
   open in their log. */
int edits_priv_candidates(Sql *sql, Arena *arena, int64_t after_pk, EditsWork **ret, size_t *ret_n,
                          Error *err) HAWK_MUST_USE;

/* Makes a pending row one that is being applied; false in *ret when somebody else was faster. */
int edits_priv_claim(Sql *sql, const EditsWork *work, bool *ret, Error *err) HAWK_MUST_USE;

/* Says why a row that is in this state waits, or with NULL that it does not. */
int edits_priv_note(Sql *sql, int64_t pk, EditsState state, const char *reason,
                    Error *err) HAWK_MUST_USE;

/* Moves a row that is being applied. */
typedef struct EditsMove {
    int64_t pk;
    EditsState to;      /* EDITS_PENDING: another trial */
    const char *reason; /* or NULL */
    int64_t retry_in_us;
} EditsMove;
int edits_priv_move(Sql *sql, const EditsMove *move, Error *err) HAWK_MUST_USE;

/* The thread that applies. */
void *edits_priv_work(void *edits);

#endif
