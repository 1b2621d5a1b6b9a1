/* The watcher: follows the eval logs of a store and has each read when it has changed.

   On a folder it is told by inotify; at the start, and whenever notices were lost, it looks at
   every log. A log that changes often is handled about once a second; one at a time. */
#ifndef HAWK_EVENTS_WATCHER_H
#define HAWK_EVENTS_WATCHER_H

#include "base/base.h"
#include "base/error.h"
#include "store/store.h"

typedef struct Watcher Watcher;

typedef enum WatcherOutcome {
    WATCHER_DONE,    /* up to date */
    WATCHER_RUNNING, /* up to date, but the log will grow */
    WATCHER_NOTHING, /* there was nothing to do */
} WatcherOutcome;

/* Functions of whoever starts the watcher, called on its thread. */
typedef struct WatcherHooks {
    void *context;
    /* Brings in one log, or forgets it when it is gone; quick when it is up to date. A failure that
       may pass (ERR_BUSY, ERR_IO, ERR_NO_SPACE, ERR_TIMEOUT, ERR_UNREACHABLE) is tried again a few
       times, any other only when the log changes. */
    int (*import)(void *context, const char *key, WatcherOutcome *ret, Error *err);
    /* Called before all logs are looked at, to forget those that are no longer there. May be NULL.
     */
    int (*forget)(void *context, Error *err);
    /* After an import that changed something or failed, and when files of an eval set came or went;
       key is NULL unless it is about one log. May be NULL. */
    void (*changed)(void *context, const char *eval_set_id, const char *key);
} WatcherHooks;

/* Starts to follow the logs below "evals/". The store must outlive the watcher. */
int watcher_start(Store *store, const WatcherHooks *hooks, Watcher **ret, Error *err) HAWK_MUST_USE;

/* Has all logs of an eval set (of all, when NULL) looked at soon, whether notices came or not. */
void watcher_rescan(Watcher *watcher, const char *eval_set_id);

/* Waits until everything known at the call has been handled; -1 with ERR_TIMEOUT. */
int watcher_settle(Watcher *watcher, int timeout_ms, Error *err) HAWK_MUST_USE;

/* Ends the thread, after the import at hand, and frees. NULL is fine. */
void watcher_stop(Watcher *watcher);

HAWK_DEFINE_AUTO(Watcher, watcher, watcher_stop)
#define auto_watcher HAWK_CLEANUP(watcher_cleanup_)

#endif
