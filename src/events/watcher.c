/* One thread that gathers notices for a moment and then tells of all logs at once: the answer to a
   notice is a write to a database, and a log that is being written gives notices by the hundred.
   What it remembers is bounded: when it is full, everything is looked at instead. */

#include "events/watcher.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "events/watches_priv.h"

enum {
    NOTES_MAX = 4096,
    BATCH_MAX = 256,
    WRITTEN_MS = 50,             /* after a log was closed: others may follow at once */
    GROWS_MS = 250,              /* after a sign of growth */
    RETRY_MS = 500,              /* doubled each time */
    RETRY_MAX_MS = 10 * 1000,    /* up to here */
    RESCAN_MS = 5 * 60 * 1000,   /* a look at everything although notices come */
    RESCAN_BLIND_MS = 10 * 1000, /* when they do not, or not all */
    SCAN_SHARE = 10,             /* between looks, at least so often the time that one takes */
};

/* A log of which a notice came. */
typedef struct Note {
    char *key;
    int64_t due_ms;
} Note;

struct Watcher {
    Store *store;
    WatcherHooks hooks;
    Watches *watches; /* NULL: the store is no folder */
    int wake_fd;
    pthread_t thread;

    /* of the thread */
    Note notes[NOTES_MAX];
    size_t n_notes;
    int64_t next_scan_ms;
    int retry_ms; /* 0: the hooks work */
    int64_t retry_at_ms;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t settled;
    bool is_stopping;
    bool wants_scan;
    uint64_t n_settles; /* asked for */
    uint64_t n_settled; /* answered */
};

static void request_scan(Watcher *watcher)
{
    pthread_mutex_lock(&watcher->lock);
    watcher->wants_scan = true;
    pthread_mutex_unlock(&watcher->lock);
}

static bool is_stopping(Watcher *watcher)
{
    pthread_mutex_lock(&watcher->lock);
    bool result = watcher->is_stopping;
    pthread_mutex_unlock(&watcher->lock);
    return result;
}

/* Notes a log, or that it is to be told of sooner. */
static void add_note(Watcher *watcher, const char *eval_set_id, const char *log, int in_ms)
{
    auto_free char *key = mem_printf("evals/%s/%s", eval_set_id, log);
    int64_t due_ms = clock_monotonic_ms() + in_ms;
    for (size_t i = 0; i < watcher->n_notes; i++) {
        Note *note = &watcher->notes[i];
        if (strcmp(note->key, key) != 0)
            continue;
        note->due_ms = due_ms < note->due_ms ? due_ms : note->due_ms;
        return;
    }
    if (watcher->n_notes == NOTES_MAX) {
        request_scan(watcher);
        return;
    }
    watcher->notes[watcher->n_notes++] = (Note){.key = TAKE(key), .due_ms = due_ms};
}

static void tell_changed(Watcher *watcher, const char *eval_set_id)
{
    if (watcher->hooks.changed)
        watcher->hooks.changed(watcher->hooks.context, eval_set_id);
}

static void on_notice(void *context, WatchesNoticeKind kind, const char *eval_set_id,
                      const char *log)
{
    Watcher *watcher = context;
    switch (kind) {
    case WATCHES_LOG_WRITTEN:
    case WATCHES_LOG_GONE: add_note(watcher, eval_set_id, log, WRITTEN_MS); break;
    case WATCHES_LOG_GROWS: add_note(watcher, eval_set_id, log, GROWS_MS); break;
    case WATCHES_SET_NEW: tell_changed(watcher, eval_set_id); break;
    case WATCHES_SET_GONE:
        request_scan(watcher);
        tell_changed(watcher, eval_set_id);
        break;
    case WATCHES_LOST: request_scan(watcher); break;
    }
}

/* Sets when the hooks are asked again after a failure. */
static void set_trouble(Watcher *watcher, const char *event, const Error *problem)
{
    if (!problem) {
        watcher->retry_ms = 0;
        return;
    }
    if (watcher->retry_ms == 0)
        log_warn(event, KV("error", error_text(problem)));
    watcher->retry_ms = watcher->retry_ms ? 2 * watcher->retry_ms : RETRY_MS;
    if (watcher->retry_ms > RETRY_MAX_MS)
        watcher->retry_ms = RETRY_MAX_MS;
    watcher->retry_at_ms = clock_monotonic_ms() + watcher->retry_ms;
}

static void scan_all(Watcher *watcher)
{
    auto_error Error err = ERROR_INIT;
    if (watcher->watches && watches_cover(watcher->watches, &err) < 0) {
        log_warn("events.watch_failed", KV("error", error_text(&err)));
        error_reset(&err);
    }
    bool is_blind = !watcher->watches || !watches_is_complete(watcher->watches);
    int64_t began_ms = clock_monotonic_ms();
    if (watcher->hooks.scan(watcher->hooks.context, &err) < 0) {
        request_scan(watcher);
        set_trouble(watcher, "events.scan_failed", &err);
        return;
    }
    set_trouble(watcher, NULL, NULL);
    int64_t now_ms = clock_monotonic_ms();
    int64_t pause_ms = is_blind ? RESCAN_BLIND_MS : RESCAN_MS;
    if (pause_ms < SCAN_SHARE * (now_ms - began_ms))
        pause_ms = SCAN_SHARE * (now_ms - began_ms);
    watcher->next_scan_ms = now_ms + pause_ms;
}

/* Whether a look at everything is due, which is thereby answered for. */
static bool take_scan(Watcher *watcher)
{
    pthread_mutex_lock(&watcher->lock);
    bool wants_scan = watcher->wants_scan || clock_monotonic_ms() >= watcher->next_scan_ms;
    watcher->wants_scan = false;
    pthread_mutex_unlock(&watcher->lock);
    return wants_scan;
}

/* Tells of the logs that are due, in a hurry of all; false when there are none or it failed. */
static bool tell_notes(Watcher *watcher, bool hurry)
{
    auto_error Error err = ERROR_INIT;
    const char *keys[BATCH_MAX];
    size_t from[BATCH_MAX];
    size_t n = 0;
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < watcher->n_notes && n < BATCH_MAX; i++) {
        if (!hurry && watcher->notes[i].due_ms > now_ms)
            continue;
        from[n] = i;
        keys[n++] = watcher->notes[i].key;
    }
    if (n == 0)
        return false;
    if (watcher->hooks.look(watcher->hooks.context, keys, n, &err) < 0) {
        set_trouble(watcher, "events.look_failed", &err);
        return false;
    }
    set_trouble(watcher, NULL, NULL);
    while (n-- > 0) { /* the last first, so that places stay what they are */
        free(watcher->notes[from[n]].key);
        watcher->notes[from[n]] = watcher->notes[--watcher->n_notes];
    }
    return true;
}

static int wait_ms(Watcher *watcher)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t until_ms = watcher->next_scan_ms;
    for (size_t i = 0; i < watcher->n_notes; i++)
        until_ms = watcher->notes[i].due_ms < until_ms ? watcher->notes[i].due_ms : until_ms;
    if (watcher->retry_ms > 0)
        until_ms = watcher->retry_at_ms;
    int64_t left_ms = until_ms - now_ms;
    return left_ms < 0 ? 0 : left_ms > RESCAN_MS ? RESCAN_MS : (int)left_ms;
}

static void wait_for_notice(Watcher *watcher)
{
    struct pollfd fds[] = {
        {.fd = watcher->wake_fd, .events = POLLIN},
        {.fd = watcher->watches ? watches_fd(watcher->watches) : -1, .events = POLLIN},
    };
    (void)poll(fds, ARRAY_LEN(fds), wait_ms(watcher));
    uint64_t count = 0;
    ssize_t n = read(watcher->wake_fd, &count, sizeof(count));
    (void)n; /* nothing there is fine */
}

/* Answers those who wait for quiet if they asked before `seen`. */
static void answer_settles(Watcher *watcher, uint64_t seen)
{
    pthread_mutex_lock(&watcher->lock);
    watcher->n_settled = seen;
    pthread_cond_broadcast(&watcher->settled);
    pthread_mutex_unlock(&watcher->lock);
}

static void *run(void *context)
{
    Watcher *watcher = context;
    while (!is_stopping(watcher)) {
        pthread_mutex_lock(&watcher->lock);
        uint64_t asked = watcher->n_settles;
        bool hurry = asked != watcher->n_settled;
        pthread_mutex_unlock(&watcher->lock);
        if (watcher->watches)
            watches_drain(watcher->watches, on_notice, watcher);
        bool may_tell = watcher->retry_ms == 0 || clock_monotonic_ms() >= watcher->retry_at_ms;
        if (may_tell && take_scan(watcher)) {
            scan_all(watcher);
            continue;
        }
        if (may_tell && tell_notes(watcher, hurry))
            continue;
        if (hurry && watcher->retry_ms == 0)
            answer_settles(watcher, asked);
        else
            wait_for_notice(watcher);
    }
    return NULL;
}

static void wake(const Watcher *watcher)
{
    uint64_t one = 1;
    ssize_t n = write(watcher->wake_fd, &one, sizeof(one));
    (void)n; /* full means that it wakes anyway */
}

static void watcher_free(Watcher *watcher)
{
    watches_close(watcher->watches);
    for (size_t i = 0; i < watcher->n_notes; i++)
        free(watcher->notes[i].key);
    if (watcher->wake_fd >= 0)
        (void)close(watcher->wake_fd);
    pthread_cond_destroy(&watcher->settled);
    pthread_mutex_destroy(&watcher->lock);
    free(watcher);
}

static int begin(Watcher *watcher, Error *err)
{
    auto_free char *root = store_local_path(watcher->store, "evals");
    if (root && watches_open(root, &watcher->watches, err) < 0)
        return -1;
    if (watcher->wake_fd < 0)
        return error_errno(err, errno, "cannot make an event descriptor");
    return thread_start(&watcher->thread, run, watcher, err);
}

int watcher_start(Store *store, const WatcherHooks *hooks, Watcher **ret, Error *err)
{
    Watcher *watcher = mem_alloc(sizeof(*watcher));
    watcher->store = store;
    watcher->hooks = *hooks;
    watcher->wants_scan = true;
    watcher->next_scan_ms = INT64_MAX;
    pthread_mutex_init(&watcher->lock, NULL);
    thread_cond_init(&watcher->settled);
    watcher->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (begin(watcher, err) < 0) {
        watcher_free(watcher);
        return -1;
    }
    *ret = watcher;
    return 0;
}

int watcher_settle(Watcher *watcher, int timeout_ms, Error *err)
{
    struct timespec deadline = clock_deadline(timeout_ms);
    pthread_mutex_lock(&watcher->lock);
    uint64_t mine = ++watcher->n_settles;
    pthread_mutex_unlock(&watcher->lock);
    wake(watcher);
    pthread_mutex_lock(&watcher->lock);
    int result = 0;
    while (watcher->n_settled < mine && result == 0)
        result = pthread_cond_timedwait(&watcher->settled, &watcher->lock, &deadline);
    bool is_settled = watcher->n_settled >= mine;
    pthread_mutex_unlock(&watcher->lock);
    if (!is_settled)
        return error_set(err, ERR_TIMEOUT, "the logs were not all looked at within %d ms",
                         timeout_ms);
    return 0;
}

void watcher_stop(Watcher *watcher)
{
    if (!watcher)
        return;
    pthread_mutex_lock(&watcher->lock);
    watcher->is_stopping = true;
    pthread_mutex_unlock(&watcher->lock);
    wake(watcher);
    pthread_join(watcher->thread, NULL);
    watcher_free(watcher);
}
