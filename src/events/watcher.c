/* One thread with two queues. "Hot" are logs of which a notice came, each with the time from which
   it may be handled; "cold" are all logs, in key order, while everything is looked at. Hot ones go
   first, so that a log that has just ended does not wait behind a thousand old ones. Both queues
   are bounded: a full hot queue becomes a look at everything, a full cold one goes on from its last
   key when it is empty. */

#include "events/watcher.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "events/watches_priv.h"

enum {
    HOT_MAX = 4096,
    COLD_MAX = 4096,
    REQUESTS_MAX = 64,
    WRITTEN_MS = 50,       /* after a log was closed: others may follow at once */
    GROWS_MS = 1000,       /* after a sign of growth */
    GAP_MS = 400,          /* between two imports of one log, or four times the last one's time */
    RETRY_FIRST_MS = 1000, /* doubled each time */
    RETRY_MAX = 7,         /* tries after a failure that may pass */
    RESCAN_MS = 5 * 60 * 1000,   /* a look at everything although notices come */
    RESCAN_BLIND_MS = 10 * 1000, /* when they do not, or not all */
};

typedef struct Hot {
    char *key;
    int64_t due_ms;
    int n_failed;
} Hot;

/* When a log was handled last, so that a busy one does not take all the time. A small table: what
   is pushed out of it is handled a little earlier than it might be. */
typedef struct Recent {
    uint64_t hash;
    int64_t next_ms;
} Recent;

enum { RECENT_MAX = 256 };

struct Watcher {
    Store *store;
    WatcherHooks hooks;
    Watches *watches; /* NULL: the store is no folder */
    int wake_fd;
    pthread_t thread;

    /* of the thread */
    Hot *hot;
    size_t n_hot;
    char **cold;
    size_t n_cold;
    size_t next_cold;
    Recent recent[RECENT_MAX];
    bool is_scanning;  /* the cold queue does not hold all keys yet */
    char *scan_cursor; /* last key in it */
    int64_t next_scan_ms;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t settled;
    bool is_stopping;
    bool wants_scan;
    char *requests[REQUESTS_MAX]; /* eval sets to look at */
    size_t n_requests;
    uint64_t n_settles; /* asked for */
    uint64_t n_settled; /* answered */
};

static uint64_t hash_of(const char *key)
{
    uint64_t hash = UINT64_C(1469598103934665603);
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return hash;
}

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

/* Puts a log in the hot queue, or moves it forward in it. */
static void make_hot(Watcher *watcher, const char *key, int64_t due_ms, int n_failed)
{
    uint64_t hash = hash_of(key);
    const Recent *recent = &watcher->recent[hash % RECENT_MAX];
    if (recent->hash == hash && recent->next_ms > due_ms)
        due_ms = recent->next_ms;
    for (size_t i = 0; i < watcher->n_hot; i++) {
        Hot *hot = &watcher->hot[i];
        if (strcmp(hot->key, key) != 0)
            continue;
        if (due_ms < hot->due_ms || n_failed == 0) {
            hot->due_ms = due_ms < hot->due_ms ? due_ms : hot->due_ms;
            hot->n_failed = n_failed;
        }
        return;
    }
    if (watcher->n_hot == HOT_MAX) {
        request_scan(watcher);
        return;
    }
    watcher->hot[watcher->n_hot++] =
        (Hot){.key = mem_strdup(key), .due_ms = due_ms, .n_failed = n_failed};
}

static void tell_changed(Watcher *watcher, const char *eval_set_id, const char *key)
{
    if (watcher->hooks.changed)
        watcher->hooks.changed(watcher->hooks.context, eval_set_id, key);
}

static void on_notice(void *context, WatchesNoticeKind kind, const char *eval_set_id,
                      const char *log)
{
    Watcher *watcher = context;
    auto_free char *key = log ? mem_printf("evals/%s/%s", eval_set_id, log) : NULL;
    switch (kind) {
    case WATCHES_LOG_WRITTEN:
    case WATCHES_LOG_GONE: make_hot(watcher, key, clock_monotonic_ms() + WRITTEN_MS, 0); break;
    case WATCHES_LOG_GROWS: make_hot(watcher, key, clock_monotonic_ms() + GROWS_MS, 0); break;
    case WATCHES_SET_NEW: tell_changed(watcher, eval_set_id, NULL); break;
    case WATCHES_SET_GONE:
        request_scan(watcher);
        tell_changed(watcher, eval_set_id, NULL);
        break;
    case WATCHES_LOST: request_scan(watcher); break;
    }
}

/* Cuts "evals/<id>/<log>"; false when the key is of another form. */
static bool split_key(const char *key, Str *ret_eval_set_id, Str *ret_log)
{
    Str rest = str_of(key);
    Str part = STR_NONE;
    return str_split(&rest, '/', &part) && str_eqz(part, "evals") &&
           str_split(&rest, '/', ret_eval_set_id) && str_split(&rest, '/', ret_log) && !rest.p;
}

static bool is_log_key(const char *key)
{
    Str eval_set_id = STR_NONE;
    Str log = STR_NONE;
    return split_key(key, &eval_set_id, &log) && watches_is_log(log);
}

static bool may_pass(ErrorKind kind)
{
    return kind == ERR_BUSY || kind == ERR_IO || kind == ERR_NO_SPACE || kind == ERR_TIMEOUT ||
           kind == ERR_UNREACHABLE;
}

static void handle(Watcher *watcher, const char *key, int n_failed)
{
    auto_error Error err = ERROR_INIT;
    WatcherOutcome outcome = WATCHER_NOTHING;
    int64_t began_ms = clock_monotonic_ms();
    int result = watcher->hooks.import(watcher->hooks.context, key, &outcome, &err);
    int64_t ended_ms = clock_monotonic_ms();
    int64_t gap_ms = (ended_ms - began_ms) * 4 > GAP_MS ? (ended_ms - began_ms) * 4 : GAP_MS;
    uint64_t hash = hash_of(key);
    watcher->recent[hash % RECENT_MAX] = (Recent){.hash = hash, .next_ms = ended_ms + gap_ms};
    if (result < 0) {
        log_warn("events.import_failed", KV("key", key), KV("error", error_text(&err)));
        if (may_pass(err.kind) && n_failed < RETRY_MAX)
            make_hot(watcher, key, ended_ms + ((int64_t)RETRY_FIRST_MS << n_failed), n_failed + 1);
    }
    Str eval_set_id = STR_NONE;
    Str log = STR_NONE;
    if ((result < 0 || outcome != WATCHER_NOTHING) && split_key(key, &eval_set_id, &log)) {
        auto_free char *id = mem_strndup(eval_set_id.p, eval_set_id.n);
        tell_changed(watcher, id, key);
    }
}

static int add_cold(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    Watcher *watcher = context;
    if (!is_log_key(key) || (watcher->scan_cursor && strcmp(key, watcher->scan_cursor) <= 0))
        return 0;
    if (watcher->n_cold == COLD_MAX)
        return error_set(err, ERR_CANCELLED, "the queue is full");
    watcher->cold[watcher->n_cold++] = mem_strdup(key);
    return 0;
}

/* Fills the empty cold queue from behind the cursor. */
static void scan_on(Watcher *watcher)
{
    auto_error Error err = ERROR_INIT;
    watcher->n_cold = 0;
    watcher->next_cold = 0;
    int result = store_list(watcher->store, "evals", true, add_cold, watcher, &err);
    free(watcher->scan_cursor);
    watcher->scan_cursor = NULL;
    watcher->is_scanning = result < 0 && err.kind == ERR_CANCELLED;
    if (watcher->is_scanning)
        watcher->scan_cursor = mem_strdup(watcher->cold[watcher->n_cold - 1]);
    else if (result < 0)
        log_warn("events.scan_failed", KV("error", error_text(&err)));
}

static void scan_all(Watcher *watcher)
{
    auto_error Error err = ERROR_INIT;
    if (watcher->watches && watches_cover(watcher->watches, &err) < 0) {
        log_warn("events.watch_failed", KV("error", error_text(&err)));
        error_reset(&err);
    }
    if (watcher->hooks.forget && watcher->hooks.forget(watcher->hooks.context, &err) < 0)
        log_warn("events.forget_failed", KV("error", error_text(&err)));
    bool is_blind = !watcher->watches || !watches_is_complete(watcher->watches);
    watcher->next_scan_ms = clock_monotonic_ms() + (is_blind ? RESCAN_BLIND_MS : RESCAN_MS);
    for (size_t i = watcher->next_cold; i < watcher->n_cold; i++)
        free(watcher->cold[i]);
    free(watcher->scan_cursor);
    watcher->scan_cursor = NULL;
    scan_on(watcher);
}

static int add_hot_log(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)stat;
    (void)err;
    if (is_log_key(key))
        make_hot(context, key, clock_monotonic_ms(), 0);
    return 0;
}

static void look_at_set(Watcher *watcher, const char *eval_set_id)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *prefix = mem_printf("evals/%s", eval_set_id);
    if (store_list(watcher->store, prefix, false, add_hot_log, watcher, &err) < 0)
        log_warn("events.scan_failed", KV("error", error_text(&err)));
}

/* Takes what other threads asked for. */
static void take_requests(Watcher *watcher)
{
    char *requests[REQUESTS_MAX];
    pthread_mutex_lock(&watcher->lock);
    size_t n = watcher->n_requests;
    memcpy(requests, watcher->requests, n * sizeof(*requests));
    watcher->n_requests = 0;
    bool wants_scan = watcher->wants_scan;
    watcher->wants_scan = false;
    pthread_mutex_unlock(&watcher->lock);
    for (size_t i = 0; i < n; i++) {
        look_at_set(watcher, requests[i]);
        free(requests[i]);
    }
    if (wants_scan || clock_monotonic_ms() >= watcher->next_scan_ms)
        scan_all(watcher);
}

/* The hot log that is due first; with hurry one that is not due yet, but for those that failed. */
static Hot *first_hot(Watcher *watcher, bool hurry)
{
    Hot *first = NULL;
    for (size_t i = 0; i < watcher->n_hot; i++) {
        Hot *hot = &watcher->hot[i];
        if (hurry && hot->n_failed > 0)
            continue;
        if (!first || hot->due_ms < first->due_ms)
            first = hot;
    }
    return first;
}

static bool handle_hot(Watcher *watcher, bool hurry)
{
    Hot *hot = first_hot(watcher, hurry);
    if (!hot || (!hurry && hot->due_ms > clock_monotonic_ms()))
        return false;
    Hot taken = *hot;
    *hot = watcher->hot[--watcher->n_hot];
    handle(watcher, taken.key, taken.n_failed);
    free(taken.key);
    return true;
}

static bool handle_cold(Watcher *watcher)
{
    if (watcher->next_cold == watcher->n_cold && watcher->is_scanning)
        scan_on(watcher);
    if (watcher->next_cold == watcher->n_cold)
        return false;
    char *key = watcher->cold[watcher->next_cold++];
    handle(watcher, key, 0);
    free(key);
    return true;
}

static int wait_ms(Watcher *watcher)
{
    int64_t until_ms = watcher->next_scan_ms;
    const Hot *hot = first_hot(watcher, false);
    if (hot && hot->due_ms < until_ms)
        until_ms = hot->due_ms;
    int64_t left_ms = until_ms - clock_monotonic_ms();
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
        take_requests(watcher);
        if (handle_hot(watcher, hurry) || handle_cold(watcher))
            continue;
        pthread_mutex_lock(&watcher->lock);
        bool is_quiet = !watcher->wants_scan && watcher->n_requests == 0;
        pthread_mutex_unlock(&watcher->lock);
        if (!is_quiet)
            continue;
        if (hurry)
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
    for (size_t i = 0; i < watcher->n_hot; i++)
        free(watcher->hot[i].key);
    for (size_t i = watcher->next_cold; i < watcher->n_cold; i++)
        free(watcher->cold[i]);
    for (size_t i = 0; i < watcher->n_requests; i++)
        free(watcher->requests[i]);
    free(watcher->hot);
    free(watcher->cold);
    free(watcher->scan_cursor);
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
    int failed = pthread_create(&watcher->thread, NULL, run, watcher);
    if (failed)
        return error_errno(err, failed, "cannot start the watcher's thread");
    return 0;
}

int watcher_start(Store *store, const WatcherHooks *hooks, Watcher **ret, Error *err)
{
    Watcher *watcher = mem_alloc(sizeof(*watcher));
    *watcher = (Watcher){.store = store, .hooks = *hooks, .wants_scan = true};
    watcher->next_scan_ms = INT64_MAX;
    watcher->hot = mem_array(HOT_MAX, sizeof(*watcher->hot));
    watcher->cold = mem_array(COLD_MAX, sizeof(*watcher->cold));
    pthread_mutex_init(&watcher->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watcher->settled, &attributes);
    pthread_condattr_destroy(&attributes);
    watcher->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (begin(watcher, err) < 0) {
        watcher_free(watcher);
        return -1;
    }
    *ret = watcher;
    return 0;
}

void watcher_rescan(Watcher *watcher, const char *eval_set_id)
{
    pthread_mutex_lock(&watcher->lock);
    if (eval_set_id && watcher->n_requests < REQUESTS_MAX)
        watcher->requests[watcher->n_requests++] = mem_strdup(eval_set_id);
    else
        watcher->wants_scan = true;
    pthread_mutex_unlock(&watcher->lock);
    wake(watcher);
}

int watcher_settle(Watcher *watcher, int timeout_ms, Error *err)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
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
        return error_set(err, ERR_TIMEOUT, "the logs were not all read within %d ms", timeout_ms);
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
