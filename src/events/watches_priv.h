/* Watches: inotify over "evals/", its eval sets and their live buffers, as notices about logs. Used
   by one thread. */
#ifndef HAWK_EVENTS_WATCHES_PRIV_H
#define HAWK_EVENTS_WATCHES_PRIV_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/str.h"

typedef struct Watches Watches;

typedef enum WatchesNoticeKind {
    WATCHES_LOG_WRITTEN, /* closed after writing, or renamed to this name */
    WATCHES_LOG_GROWS,   /* being written, or its live buffer was */
    WATCHES_LOG_GONE,
    WATCHES_SET_NEW,
    WATCHES_SET_GONE,
    WATCHES_LOST, /* notices were lost or a folder could not be watched: look at everything */
} WatchesNoticeKind;

/* eval_set_id and log (a file's name) are NULL where they do not apply. */
typedef void WatchesNotice(void *context, WatchesNoticeKind kind, const char *eval_set_id,
                           const char *log);

/* Begins to watch the folder, which is made when it is not there. */
int watches_open(const char *root, Watches **ret, Error *err) HAWK_MUST_USE;
void watches_close(Watches *watches);

/* To be polled for reading; then watches_drain says what there is, without waiting. */
int watches_fd(const Watches *watches);
void watches_drain(Watches *watches, WatchesNotice *notice, void *context);

/* Watches what is there now. -1 when the root is gone and cannot be made again. */
int watches_cover(Watches *watches, Error *err) HAWK_MUST_USE;

/* Whether every folder is watched; false when the system's limit of watches was met. */
bool watches_is_complete(const Watches *watches);

/* Whether a file of this name in an eval set is a log to be imported. */
bool watches_is_log(Str name);

#endif
