/* What the files of this folder share of an Edits. */
#ifndef HAWK_EDITS_EDITS_PRIV_H
#define HAWK_EDITS_EDITS_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "edits/edits.h"

enum {
    EDITS_THREADS = 2,
    EDITS_OBJECT_MAX = 32 << 20,
    EDITS_CLAIM_MAX = 17, /* room for the name of a claim with its NUL */
    EDITS_LEASE_S = 60,   /* that a claim counts unless it is renewed */
};

struct Edits {
    EditsOptions options;
    char *folder; /* DATA/edits */
    char *program;
    pthread_t threads[EDITS_THREADS];
    size_t n_threads;
    pthread_t keeper; /* renews leases */
    bool has_keeper;
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

enum { EDITS_PAGE = 100 };

/* Up to EDITS_PAGE rows behind a pk that are pending, or whose server is silent; whose time has
   come, and before which there is nothing open in their log. */
int edits_priv_candidates(Sql *sql, Arena *arena, int64_t after_pk, EditsWork **ret, size_t *ret_n,
                          Error *err) HAWK_MUST_USE;

/* Makes such a row one that is being applied, under the name of this claim; false in *ret when
   somebody else was faster, or the eval set is not over. */
int edits_priv_claim(Sql *sql, const EditsWork *work, const char *claim, bool *ret,
                     Error *err) HAWK_MUST_USE;

/* Lets claims count for another EDITS_LEASE_S. */
int edits_priv_renew(Sql *sql, const Str *claims, size_t n, Error *err) HAWK_MUST_USE;

/* Rows of these claims, and of a server that made none, are pending again. */
int edits_priv_release(Sql *sql, const Str *claims, size_t n, Error *err) HAWK_MUST_USE;

/* Says why a row that is in this state waits, or with NULL that it does not. */
int edits_priv_note(Sql *sql, int64_t pk, EditsState state, const char *reason,
                    Error *err) HAWK_MUST_USE;

/* Moves a row that is being applied; one whose claim was lost stays as it is. */
typedef struct EditsMove {
    int64_t pk;
    const char *claim;
    EditsState to;      /* EDITS_PENDING: another trial */
    const char *reason; /* or NULL */
    int64_t retry_in_us;
} EditsMove;
int edits_priv_move(Sql *sql, const EditsMove *move, Error *err) HAWK_MUST_USE;

/* The thread that applies. */
void *edits_priv_work(void *context);

/* The thread that renews the leases of what is being applied. */
void *edits_priv_keep(void *context);

/* Waits a tick, or until there are more wakes than were seen; false when the server ends. */
bool edits_priv_wait(Edits *edits, uint64_t seen);

/* What an earlier server of this data folder was applying is pending again, and its folders are
   gone. */
int edits_priv_take_up(Edits *edits, Error *err) HAWK_MUST_USE;

#endif
