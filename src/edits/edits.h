/* Edits: requests to change samples of finished logs, kept until they are in the logs.

   A request is durable when edits_submit returns, and is then applied to each of its logs exactly
   once, whatever is killed when: by Inspect itself, in a child process, one request after the other
   in each log, and never while a runner has the eval set. All functions may be called from any
   thread; they do disk and SQL work, so never from an event loop. */
#ifndef HAWK_EDITS_EDITS_H
#define HAWK_EDITS_EDITS_H

#include "access/caller.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/random.h"
#include "edits/edit.h"
#include "jobs/jobs.h"
#include "sql/sql.h"
#include "store/store.h"

typedef struct Edits Edits;

/* Where a sample is. */
typedef struct EditsPlace {
    const char *eval_set_id;
    const char *log_key; /* in the store */
    const char *sample_id;
    int64_t epoch;
} EditsPlace;

/* Functions of whoever opens Edits, called on its threads. */
typedef struct EditsHooks {
    void *context;
    /* Finds a sample, whoever may see it, in the arena; ERR_NOT_FOUND. */
    int (*place)(void *context, Arena *arena, Str sample_uuid, EditsPlace *ret, Error *err);
    /* A log has been replaced. May be NULL. */
    void (*changed)(void *context, const char *log_key);
} EditsHooks;

/* Borrowed things must outlive the Edits. */
typedef struct EditsOptions {
    Sql *sql;
    Store *store;
    Jobs *jobs;
    EditsHooks hooks;
    const char *data_dir; /* its folder `edits` holds what is at work */
    const char *program;  /* run with the arguments "runner edit ..."; NULL: this very program */
} EditsOptions;

/* Brings the schema up to date. edits_start takes up what an earlier server left and begins to
   apply. */
int edits_open(const EditsOptions *options, Edits **ret, Error *err) HAWK_MUST_USE;
int edits_start(Edits *edits, Error *err) HAWK_MUST_USE;

/* Ends the child that is at work, which loses nothing, and frees. NULL is fine. */
void edits_close(Edits *edits);

/* Edits of which it is known where their samples are: as many places as edits. */
typedef struct EditsRequest {
    const Caller *author;
    const EditList *list;
    const EditsPlace *places;
} EditsRequest;

/* Stores a request, which the caller has found to be allowed, and gives it a name. ERR_NOT_FOUND
   with code "edit.no_log" when a log is not there. */
int edits_submit(Edits *edits, const EditsRequest *request, char ret_uuid[RANDOM_UUID_MAX],
                 Error *err) HAWK_MUST_USE;

/* Title and HTTP status of the problem document for an error's code; NULL for codes that are not of
 * edits. */
const JobsProblem *edits_problem(const char *code);

typedef enum EditsState { EDITS_PENDING, EDITS_APPLYING, EDITS_DONE, EDITS_FAILED } EditsState;

/* "pending", "applying", "done", "failed". */
const char *edits_state_name(EditsState state);

/* How far the edits of one log are. */
typedef struct EditsLog {
    const char *eval_set_id;
    const char *log_key;
    int64_t n_edits;
    EditsState state;
    const char *reason; /* in words: why it waits, why it has failed, what was odd; or NULL */
    int64_t updated_us;
} EditsLog;

typedef struct EditsStatus {
    const char *author; /* email or sub */
    int64_t created_us;
    EditsState state; /* failed when one is, done when all are */
    EditsLog *logs;
    size_t n;
} EditsStatus;

/* What has become of a request, in the arena; ERR_NOT_FOUND. Does not ask whether anyone may see
 * it. */
int edits_status(Edits *edits, Arena *arena, Str request_uuid, EditsStatus *ret,
                 Error *err) HAWK_MUST_USE;

/* Whether samples of an eval set are being edited, by whichever server: meanwhile no runner may
   have it. In a transaction that writes, so that none begins to be edited before its end. */
int edits_are_applied(SqlTx *tx, const char *eval_set_id, bool *ret, Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(Edits, edits, edits_close)
#define auto_edits HAWK_CLEANUP(edits_cleanup_)

#endif
