/* inotify, one watch per folder: the root, each eval set, its .buffer and each log's buffer in
   that.

   A folder may have got files before its watch was in place; so a new watch is followed by a look
   at what is there. */

#include "events/watches_priv.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

enum { READ_MAX = 64 * 1024 };

typedef enum WatchKind { WATCH_ROOT, WATCH_SET, WATCH_BUFFERS, WATCH_BUFFER } WatchKind;

/* clang-format off */
static const uint32_t masks[] = {
    [WATCH_ROOT]    = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF,
    [WATCH_SET]     = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_MODIFY,
    [WATCH_BUFFERS] = IN_CREATE | IN_MOVED_TO,
    [WATCH_BUFFER]  = IN_CLOSE_WRITE | IN_MOVED_TO,
};
/* clang-format on */

typedef struct Watch {
    int wd;
    WatchKind kind;
    char *eval_set_id; /* NULL for the root */
    char *log;         /* of WATCH_BUFFER: the log's file name */
} Watch;

struct Watches {
    char *root;
    int fd;
    Watch *items; /* by wd */
    size_t n;
    size_t cap;
    bool is_complete;
};

typedef struct Listener {
    WatchesNotice *notice;
    void *context;
} Listener;

static void nobody(void *context, WatchesNoticeKind kind, const char *eval_set_id, const char *log)
{
    (void)context;
    (void)kind;
    (void)eval_set_id;
    (void)log;
}

bool watches_is_log(Str name)
{
    return name.n > 5 && name.p[0] != '.' && str_ends(name, STR(".eval")) &&
           !str_ends(name, STR(".fast.eval"));
}

/* Place of the watch, or where it would be. */
static size_t place_of(const Watches *watches, int wd)
{
    size_t low = 0;
    size_t high = watches->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (watches->items[middle].wd < wd)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static Watch *find(Watches *watches, int wd)
{
    size_t at = place_of(watches, wd);
    return at < watches->n && watches->items[at].wd == wd ? &watches->items[at] : NULL;
}

static void drop(Watches *watches, Watch *watch)
{
    free(watch->eval_set_id);
    free(watch->log);
    size_t at = (size_t)(watch - watches->items);
    memmove(watch, watch + 1, (watches->n - at - 1) * sizeof(*watch));
    watches->n--;
}

/* Watches a folder; true when it was not watched before. */
static bool add(Watches *watches, const char *path, WatchKind kind, const char *eval_set_id,
                const char *log)
{
    int wd = inotify_add_watch(watches->fd, path, masks[kind] | IN_ONLYDIR | IN_DONT_FOLLOW);
    if (wd < 0) {
        if (errno == ENOSPC || errno == ENOMEM)
            watches->is_complete = false;
        return false; /* else it is gone or no folder */
    }
    if (find(watches, wd))
        return false;
    if (watches->n == watches->cap) {
        watches->cap = watches->cap ? watches->cap * 2 : 64;
        watches->items = mem_resize(watches->items, watches->cap, sizeof(Watch));
    }
    size_t at = place_of(watches, wd);
    memmove(&watches->items[at + 1], &watches->items[at], (watches->n - at) * sizeof(Watch));
    watches->items[at] = (Watch){
        .wd = wd, .kind = kind, .eval_set_id = mem_strdup(eval_set_id), .log = mem_strdup(log)};
    watches->n++;
    return true;
}

/* The next entry that is not "." or ".."; NULL at the end. */
static const struct dirent *next_entry(DIR *dir)
{
    const struct dirent *entry = dir ? readdir(dir) : NULL;
    while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0))
        entry = readdir(dir);
    return entry;
}

static bool may_be_dir(const struct dirent *entry)
{
    return entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
}

/* A folder .buffer/<name> belongs to the log <name>.eval. */
static void cover_buffer(Watches *watches, const char *buffers, const char *eval_set_id,
                         const char *name, const Listener *listener)
{
    auto_free char *path = fs_join(buffers, name);
    auto_free char *log = mem_printf("%s.eval", name);
    if (watches_is_log(str_of(log)) && add(watches, path, WATCH_BUFFER, eval_set_id, log))
        listener->notice(listener->context, WATCHES_LOG_GROWS, eval_set_id, log);
}

static void cover_buffers(Watches *watches, const char *eval_set_id, const Listener *listener)
{
    auto_free char *path = mem_printf("%s/%s/.buffer", watches->root, eval_set_id);
    (void)add(watches, path, WATCH_BUFFERS, eval_set_id, NULL);
    auto_dir DIR *dir = opendir(path);
    for (const struct dirent *entry = next_entry(dir); entry; entry = next_entry(dir))
        if (may_be_dir(entry))
            cover_buffer(watches, path, eval_set_id, entry->d_name, listener);
}

static void cover_set(Watches *watches, const char *eval_set_id, const Listener *listener)
{
    auto_free char *path = fs_join(watches->root, eval_set_id);
    bool is_new = add(watches, path, WATCH_SET, eval_set_id, NULL);
    cover_buffers(watches, eval_set_id, listener);
    if (!is_new)
        return;
    auto_dir DIR *dir = opendir(path);
    for (const struct dirent *entry = next_entry(dir); entry; entry = next_entry(dir))
        if (watches_is_log(str_of(entry->d_name)))
            listener->notice(listener->context, WATCHES_LOG_WRITTEN, eval_set_id, entry->d_name);
}

int watches_cover(Watches *watches, Error *err)
{
    static const Listener silent = {.notice = nobody};
    watches->is_complete = true;
    if (fs_make_dirs(watches->root, 0700, err) < 0)
        return -1;
    (void)add(watches, watches->root, WATCH_ROOT, NULL, NULL);
    auto_dir DIR *dir = opendir(watches->root);
    if (!dir)
        return error_errno(err, errno, "cannot list %s", watches->root);
    for (const struct dirent *entry = next_entry(dir); entry; entry = next_entry(dir))
        if (may_be_dir(entry))
            cover_set(watches, entry->d_name, &silent);
    return 0;
}

/* Stops watching a set that was moved away; its watches would go on under the old name. */
static void uncover_set(Watches *watches, const char *eval_set_id)
{
    for (size_t i = watches->n; i-- > 0;) {
        Watch *watch = &watches->items[i];
        if (!watch->eval_set_id || strcmp(watch->eval_set_id, eval_set_id) != 0)
            continue;
        (void)inotify_rm_watch(watches->fd, watch->wd);
        drop(watches, watch);
    }
}

static void on_root(Watches *watches, uint32_t mask, const char *name, const Listener *listener)
{
    if (mask & (IN_DELETE_SELF | IN_MOVE_SELF))
        listener->notice(listener->context, WATCHES_LOST, NULL, NULL);
    if (!(mask & IN_ISDIR) || !name)
        return;
    if (mask & (IN_CREATE | IN_MOVED_TO)) {
        cover_set(watches, name, listener);
        listener->notice(listener->context, WATCHES_SET_NEW, name, NULL);
    }
    if (mask & (IN_DELETE | IN_MOVED_FROM)) {
        uncover_set(watches, name);
        listener->notice(listener->context, WATCHES_SET_GONE, name, NULL);
    }
}

static void on_set(Watches *watches, const char *eval_set_id, uint32_t mask, const char *name,
                   const Listener *listener)
{
    if (!name)
        return;
    if (mask & IN_ISDIR) {
        if ((mask & (IN_CREATE | IN_MOVED_TO)) && strcmp(name, ".buffer") == 0)
            cover_buffers(watches, eval_set_id, listener);
        return;
    }
    if (!watches_is_log(str_of(name)))
        return;
    if (mask & (IN_CLOSE_WRITE | IN_MOVED_TO))
        listener->notice(listener->context, WATCHES_LOG_WRITTEN, eval_set_id, name);
    else if (mask & (IN_DELETE | IN_MOVED_FROM))
        listener->notice(listener->context, WATCHES_LOG_GONE, eval_set_id, name);
    else
        listener->notice(listener->context, WATCHES_LOG_GROWS, eval_set_id, name);
}

static void on_event(Watches *watches, const struct inotify_event *event, const Listener *listener)
{
    if (event->mask & IN_Q_OVERFLOW) {
        listener->notice(listener->context, WATCHES_LOST, NULL, NULL);
        return;
    }
    Watch *watch = find(watches, event->wd);
    if (!watch)
        return;
    if (event->mask & IN_IGNORED) { /* the folder is gone and so is the watch */
        drop(watches, watch);
        return;
    }
    const char *name = event->len > 0 ? event->name : NULL;
    /* What handles the event may add watches, which moves them. */
    WatchKind kind = watch->kind;
    auto_free char *eval_set_id = mem_strdup(watch->eval_set_id);
    auto_free char *log = mem_strdup(watch->log);
    switch (kind) {
    case WATCH_ROOT: on_root(watches, event->mask, name, listener); break;
    case WATCH_SET: on_set(watches, eval_set_id, event->mask, name, listener); break;
    case WATCH_BUFFERS:
        if (event->mask & IN_ISDIR)
            cover_buffers(watches, eval_set_id, listener);
        break;
    case WATCH_BUFFER:
        if (name && strcmp(name, "manifest.json") == 0)
            listener->notice(listener->context, WATCHES_LOG_GROWS, eval_set_id, log);
        break;
    }
}

void watches_drain(Watches *watches, WatchesNotice *notice, void *context)
{
    Listener listener = {.notice = notice, .context = context};
    union {
        struct inotify_event first; /* for its alignment */
        char bytes[READ_MAX];
    } space;
    for (;;) {
        ssize_t n = read(watches->fd, space.bytes, sizeof(space.bytes));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        for (const char *p = space.bytes; p < space.bytes + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(const void *)p;
            on_event(watches, event, &listener);
            p += sizeof(*event) + event->len;
        }
    }
}

int watches_open(const char *root, Watches **ret, Error *err)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0)
        return error_errno(err, errno, "cannot watch files");
    Watches *watches = mem_alloc(sizeof(*watches));
    *watches = (Watches){.root = mem_strdup(root), .fd = fd, .is_complete = true};
    if (watches_cover(watches, err) < 0) {
        watches_close(watches);
        return -1;
    }
    *ret = watches;
    return 0;
}

void watches_close(Watches *watches)
{
    if (!watches)
        return;
    while (watches->n > 0)
        drop(watches, &watches->items[watches->n - 1]);
    (void)close(watches->fd);
    free(watches->items);
    free(watches->root);
    free(watches);
}

int watches_fd(const Watches *watches)
{
    return watches->fd;
}

bool watches_is_complete(const Watches *watches)
{
    return watches->is_complete;
}
