/* The watcher: follows the eval logs of a store and tells which have changed.

   On a folder it is told by inotify; at the start, from time to time, and whenever notices were
   lost, it has everything looked at. A log that changes often is told of a few times a second at
   most. */
#ifndef HAWK_EVENTS_WATCHER_H
#define HAWK_EVENTS_WATCHER_H

#include "base/base.h"
#include "base/error.h"
#include "store/store.h"

typedef struct Watcher Watcher;

/* Functions of whoever starts the watcher, called on its thread. What fails is tried again. */
typedef struct WatcherHooks {
    void *context;
    /* Looks at logs that have changed, or are gone. Once this returns 0 the watcher forgets what it
       was told. */
    int (*look)(void *context, const char *const *keys, size_t n, Error *err);
    /* Looks at all logs. */
    int (*scan)(void *context, Error *err);
    /* An eval set's folder came or went. May be NULL. */
    void (*changed)(void *context, const char *eval_set_id);
} WatcherHooks;

/* Starts to follow the logs below "evals/". The store must outlive the watcher. */
int watcher_start(Store *store, const WatcherHooks *hooks, Watcher **ret, Error *err) HAWK_MUST_USE;

/* Waits until everything known at the call has been told; -1 with ERR_TIMEOUT. */
int watcher_settle(Watcher *watcher, int timeout_ms, Error *err) HAWK_MUST_USE;

/* Ends the thread and frees. NULL is fine. */
void watcher_stop(Watcher *watcher);

HAWK_DEFINE_AUTO(Watcher, watcher, watcher_stop)
#define auto_watcher HAWK_CLEANUP(watcher_cleanup_)

#endif
