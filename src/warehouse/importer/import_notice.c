/* Looking at logs: what is in the store, held against the rows. */

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "evallog/live.h"
#include "warehouse/importer/import_groups.h"
#include "warehouse/importer/import_queue_priv.h"
#include "warehouse/importer/importer_priv.h"

enum { BATCH_MAX = 256, MANIFESTS_MAX = 100 * 1000, FOLLOWED_SECONDS = 3600 };

#define UNREADABLE "unreadable"

/* Logs that were seen, in the order of their keys when they come from a listing. */
typedef struct SeenList {
    ImportSeen *items;
    size_t n;
    size_t cap;
} SeenList;

static void seen_release(SeenList *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i].key);
    free(list->items);
}

static ImportSeen *seen_add(SeenList *list, const char *key, bool is_hot)
{
    if (list->n == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 64;
        list->items = mem_resize(list->items, list->cap, sizeof(*list->items));
    }
    ImportSeen *seen = &list->items[list->n++];
    *seen = (ImportSeen){.key = mem_strdup(key), .is_hot = is_hot};
    return seen;
}

/* --- marks --- */

static char *manifest_key(const char *key)
{
    auto_buf Buf folder = BUF_INIT(STORE_KEY_MAX);
    live_folder_key(str_of(key), &folder);
    return mem_printf("%s/manifest.json", folder.data);
}

static void set_mark(char ret[IMPORT_MARK_MAX], const char *etag, const char *manifest)
{
    (void)snprintf(ret, IMPORT_MARK_MAX, "%.*s%s%.*s", STORE_ETAG_MAX, etag, *manifest ? "+" : "",
                   STORE_ETAG_MAX, manifest);
}

/* The etag of an object; "" when it is not there, UNREADABLE when there is something about it that
   its import will find too. -1 when the store itself does not answer. */
static int read_etag(Store *store, const char *key, StoreStat *ret, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    *ret = (StoreStat){0};
    if (store_stat(store, key, ret, &problem) == 0 || problem.kind == ERR_NOT_FOUND ||
        problem.kind == ERR_USAGE)
        return 0;
    if (problem.kind != ERR_DENIED)
        return error_move(err, &problem);
    (void)snprintf(ret->etag, sizeof(ret->etag), UNREADABLE);
    return 0;
}

static int fill_seen(ImportQueue *queue, ImportSeen *seen, Error *err)
{
    auto_free char *manifest = manifest_key(seen->key);
    StoreStat stat;
    StoreStat live = {0};
    if (read_etag(queue->options.store, seen->key, &stat, err) < 0 ||
        (stat.etag[0] && read_etag(queue->options.store, manifest, &live, err) < 0))
        return -1;
    set_mark(seen->mark, stat.etag, live.etag);
    seen->size = stat.size;
    return 0;
}

/* --- rows --- */

static int insert(SqlTx *tx, ImportQueue *queue, const ImportSeen *seen, int64_t now_us, Error *err)
{
    Str eval_set_id = STR_NONE;
    Str name = STR_NONE;
    auto_buf Buf groups = BUF_INIT(IMPORT_GROUPS_MAX);
    ImportRow row;
    import_row_first(&row, seen, now_us);
    if (!importer_split_key(str_of(seen->key), &eval_set_id, &name))
        return 0;
    if (import_groups_read(queue->options.store, eval_set_id, &groups, err) < 0)
        return -1;
    return sql_exec(
        tx,
        "INSERT INTO import_queue (log_key, eval_set_id, model_groups, size_bytes, mark, state, "
        "attempts, notices, claims, due_at, turn_at, first_seen_at, changed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, 0, 1, 0, $7, $8, $9, $9) ON CONFLICT (log_key) DO NOTHING",
        SQL_ARGS(SQL_TEXTZ(seen->key), SQL_TEXT(eval_set_id), SQL_LIST(buf_str(&groups)),
                 SQL_INT((int64_t)row.size), SQL_TEXTZ(row.mark),
                 SQL_TEXTZ(import_state_name(row.state)), SQL_INSTANT(row.due_us),
                 SQL_INSTANT(row.turn_us), SQL_INSTANT(now_us)),
        NULL, err);
}

static int note(SqlTx *tx, ImportQueue *queue, const ImportSeen *seen, Error *err)
{
    ImportRow row;
    int64_t now_us = import_queue_now(queue);
    int has_row = import_queue_read(tx, queue, seen->key, &row, err);
    if (has_row < 0)
        return -1;
    if (has_row == 1)
        return import_row_see(&row, seen, now_us)
                   ? import_queue_write(tx, seen->key, &row, now_us, err)
                   : 0;
    /* A log that is gone may still have rows, from before there was a queue. */
    return insert(tx, queue, seen, now_us, err);
}

static int compare_seen(const void *a, const void *b)
{
    return strcmp(((const ImportSeen *)a)->key, ((const ImportSeen *)b)->key);
}

/* Notes what was seen, some logs in a transaction; in the order of keys, so that servers who note
   the same logs do not wait for each other in a circle. */
static int note_all(ImportQueue *queue, SeenList *list, Error *err)
{
    if (list->n > 1)
        qsort(list->items, list->n, sizeof(*list->items), compare_seen);
    for (size_t from = 0; from < list->n; from += BATCH_MAX) {
        auto_sql_tx SqlTx *tx = NULL;
        if (sql_begin(queue->options.sql, SQL_WRITE_SHARED, &tx, err) < 0)
            return -1;
        for (size_t i = from; i < list->n && i < from + BATCH_MAX; i++)
            if (note(tx, queue, &list->items[i], err) < 0)
                return -1;
        if (sql_commit(TAKE(tx), err) < 0)
            return -1;
    }
    if (list->n > 0)
        import_queue_wake(queue);
    return 0;
}

int import_queue_look(ImportQueue *queue, const char *const *keys, size_t n, Error *err)
{
    HAWK_CLEANUP(seen_release) SeenList list = {0};
    for (size_t i = 0; i < n; i++) {
        if (!importer_is_log(str_of(keys[i])))
            continue;
        ImportSeen *seen = seen_add(&list, keys[i], true);
        if (fill_seen(queue, seen, err) < 0)
            return -1;
    }
    return note_all(queue, &list, err);
}

/* --- scans --- */

/* A scan goes through the store set by set and holds each set's logs against its rows, both in the
   order of their keys. */
typedef struct Scan {
    ImportQueue *queue;
    bool is_hot;
    char *eval_set_id; /* of what follows; NULL before the first */
    SeenList logs;
    SeenList manifests; /* mark is the etag */
    SeenList wanted;    /* what differs from its row */
    char *last;         /* key of the last log that was held against the rows; NULL before */
    size_t n_rows;
} Scan;

static void scan_release(Scan *scan)
{
    seen_release(&scan->logs);
    seen_release(&scan->manifests);
    seen_release(&scan->wanted);
    free(scan->eval_set_id);
    free(scan->last);
}

/* Adds the etag of each log's manifest to its mark. */
static void add_manifests(Scan *scan)
{
    if (scan->manifests.n == 0)
        return;
    qsort(scan->manifests.items, scan->manifests.n, sizeof(ImportSeen), compare_seen);
    for (size_t i = 0; i < scan->logs.n; i++) {
        ImportSeen *log = &scan->logs.items[i];
        auto_free char *key = manifest_key(log->key);
        const ImportSeen wanted = {.key = key};
        const ImportSeen *found = bsearch(&wanted, scan->manifests.items, scan->manifests.n,
                                          sizeof(ImportSeen), compare_seen);
        if (!found)
            continue;
        char etag[IMPORT_MARK_MAX];
        memcpy(etag, log->mark, sizeof(etag));
        etag[STORE_ETAG_MAX] = '\0';
        set_mark(log->mark, etag, found->mark);
    }
}

static void want(Scan *scan, const ImportSeen *log)
{
    ImportSeen *seen = seen_add(&scan->wanted, log->key, scan->is_hot);
    memcpy(seen->mark, log->mark, sizeof(seen->mark));
    seen->size = log->size;
}

static void want_gone(Scan *scan, Str key)
{
    auto_free char *text = mem_strndup(key.p, key.n);
    (void)seen_add(&scan->wanted, text, scan->is_hot);
}

/* Rows behind the last log up to the last one here; without logs, all the rest. */
static int open_rows(Scan *scan, SqlTx *tx, const char *to, SqlRows **ret, Error *err)
{
    static const char query[] = "SELECT log_key, mark, state FROM import_queue WHERE log_key > $1 "
                                "AND log_key <= $2 ORDER BY log_key";
    return sql_query(tx, query, SQL_ARGS(SQL_TEXTZ(scan->last ? scan->last : ""), SQL_TEXTZ(to)),
                     ret, err);
}

/* Holds the logs, whose keys go up to `to`, against the rows up to there. */
static int compare_rows(Scan *scan, const char *to, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    size_t i = 0;
    if (sql_begin(scan->queue->options.sql, SQL_READ, &tx, err) < 0 ||
        open_rows(scan, tx, to, &rows, err) < 0)
        return -1;
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        Str key = sql_rows_text(rows, 0);
        while (i < scan->logs.n && str_cmp(str_of(scan->logs.items[i].key), key) < 0)
            want(scan, &scan->logs.items[i++]);
        if (i == scan->logs.n || !str_eqz(key, scan->logs.items[i].key)) {
            if (sql_rows_text(rows, 1).n > 0)
                want_gone(scan, key);
            continue;
        }
        bool waits = str_eqz(sql_rows_text(rows, 2), "pending");
        if (!str_eqz(sql_rows_text(rows, 1), scan->logs.items[i].mark) || (scan->is_hot && waits))
            want(scan, &scan->logs.items[i]);
        i++;
    }
    while (i < scan->logs.n)
        want(scan, &scan->logs.items[i++]);
    return has_row;
}

static void seen_reset(SeenList *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i].key);
    list->n = 0;
}

/* What there is up to `to` has been listed. */
static int settle(Scan *scan, const char *to, Error *err)
{
    add_manifests(scan);
    if (compare_rows(scan, to, err) < 0 || note_all(scan->queue, &scan->wanted, err) < 0)
        return -1;
    free(scan->last);
    scan->last = mem_strdup(to);
    seen_reset(&scan->logs);
    seen_reset(&scan->manifests);
    seen_reset(&scan->wanted);
    return 0;
}

static bool is_manifest(Str key)
{
    return str_ends(key, STR("/manifest.json")) && str_find_str(key, STR("/.buffer/")) >= 0;
}

/* A file of groups may be changed when the logs are in. All were looked at once; then those that
   are not old, since clocks and the last look do not agree to the second. */
static int follow_groups(const Scan *scan, Str eval_set_id, const StoreStat *stat, Error *err)
{
    ImportQueue *queue = scan->queue;
    pthread_mutex_lock(&queue->lock);
    bool is_first = !queue->has_followed;
    pthread_mutex_unlock(&queue->lock);
    if (!is_first && stat->modified_us < clock_now_us() - FOLLOWED_SECONDS * CLOCK_SECOND)
        return 0;
    return import_groups_follow(queue->options.sql, queue->options.store, eval_set_id,
                                stat->modified_us, err);
}

static int take_object(void *context, const char *key, const StoreStat *stat, Error *err)
{
    Scan *scan = context;
    Str eval_set_id = STR_NONE;
    Str name = STR_NONE;
    if (!importer_split_key(str_of(key), &eval_set_id, &name))
        return 0;
    if (scan->eval_set_id && !str_eqz(eval_set_id, scan->eval_set_id) && scan->logs.n > 0) {
        auto_free char *to = mem_strdup(scan->logs.items[scan->logs.n - 1].key);
        if (settle(scan, to, err) < 0)
            return -1;
    }
    if (!scan->eval_set_id || !str_eqz(eval_set_id, scan->eval_set_id)) {
        seen_reset(&scan->manifests);
        free(scan->eval_set_id);
        scan->eval_set_id = mem_strndup(eval_set_id.p, eval_set_id.n);
    }
    if (str_eqz(name, ".models.json"))
        return follow_groups(scan, eval_set_id, stat, err);
    bool is_log = importer_is_log(str_of(key));
    if (!is_log && (!is_manifest(str_of(key)) || scan->manifests.n == MANIFESTS_MAX))
        return 0;
    ImportSeen *seen = seen_add(is_log ? &scan->logs : &scan->manifests, key, scan->is_hot);
    (void)snprintf(seen->mark, sizeof(seen->mark), "%s", stat->etag);
    seen->size = stat->size;
    return 0;
}

static int scan_all(Scan *scan, Error *err)
{
    if (store_list(scan->queue->options.store, "evals", true, take_object, scan, err) < 0)
        return -1;
    pthread_mutex_lock(&scan->queue->lock);
    scan->queue->has_followed = true;
    pthread_mutex_unlock(&scan->queue->lock);
    return settle(scan, "evals0", err); /* '0' comes behind '/' */
}

static int scan_set(Scan *scan, const char *eval_set_id, Error *err)
{
    Store *store = scan->queue->options.store;
    auto_free char *folder = mem_printf("evals/%s", eval_set_id);
    auto_free char *buffers = mem_printf("evals/%s/.buffer", eval_set_id);
    auto_free char *behind = mem_printf("evals/%s0", eval_set_id);
    scan->last = mem_printf("evals/%s/", eval_set_id);
    if (store_list(store, buffers, true, take_object, scan, err) < 0 ||
        store_list(store, folder, false, take_object, scan, err) < 0)
        return -1;
    return settle(scan, behind, err);
}

int import_queue_scan(ImportQueue *queue, const char *eval_set_id, Error *err)
{
    HAWK_CLEANUP(scan_release) Scan scan = {.queue = queue, .is_hot = eval_set_id != NULL};
    return eval_set_id ? scan_set(&scan, eval_set_id, err) : scan_all(&scan, err);
}
