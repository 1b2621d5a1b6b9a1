/* Claims: what this process is importing, giving a log back, and keeping the lease meanwhile. */

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "warehouse/importer/import_groups.h"
#include "warehouse/importer/import_queue_priv.h"
#include "warehouse/importer/importer_priv.h"

enum {
    LEASE_PARTS = 4, /* a lease is renewed so often before it ends */
    LOST_MS = 30 * 1000,
};

/* --- what is being imported here --- */

int import_active_add(ImportQueue *queue, const char *key, int64_t number)
{
    int result = -1;
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < IMPORT_ACTIVE_MAX && result < 0; i++) {
        if (queue->active[i].key)
            continue;
        queue->active[i] = (ImportActive){.key = mem_strdup(key), .number = number};
        result = 0;
    }
    pthread_mutex_unlock(&queue->lock);
    return result;
}

void import_active_drop(ImportQueue *queue, const char *key, int64_t number)
{
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < IMPORT_ACTIVE_MAX; i++) {
        ImportActive *active = &queue->active[i];
        if (!active->key || active->number != number || strcmp(active->key, key) != 0)
            continue;
        free(active->key);
        *active = (ImportActive){0};
    }
    pthread_mutex_unlock(&queue->lock);
}

void import_queue_progress(ImportQueue *queue, const ImportClaim *claim, size_t n_done,
                           size_t n_total)
{
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < IMPORT_ACTIVE_MAX; i++) {
        ImportActive *active = &queue->active[i];
        if (!active->key || active->number != claim->number || strcmp(active->key, claim->key) != 0)
            continue;
        active->is_fresh = true;
        active->n_done = n_done;
        active->n_total = n_total;
    }
    pthread_mutex_unlock(&queue->lock);
}

static bool is_active(ImportQueue *queue, Str key, int64_t number)
{
    bool found = false;
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < IMPORT_ACTIVE_MAX && !found; i++)
        found = queue->active[i].key && queue->active[i].number == number &&
                str_eqz(key, queue->active[i].key);
    pthread_mutex_unlock(&queue->lock);
    return found;
}

/* The counts of a claim, in a copy whose key is the claim's. */
static ImportActive counts_of(ImportQueue *queue, const ImportClaim *claim)
{
    ImportActive found = {0};
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < IMPORT_ACTIVE_MAX; i++)
        if (queue->active[i].key && queue->active[i].number == claim->number &&
            strcmp(queue->active[i].key, claim->key) == 0)
            found = queue->active[i];
    pthread_mutex_unlock(&queue->lock);
    found.key = (char *)(uintptr_t)claim->key;
    return found;
}

/* Copies of what has progressed since the last time. */
static size_t fresh_counts(ImportQueue *queue, ImportActive ret[IMPORT_ACTIVE_MAX])
{
    size_t n = 0;
    pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < IMPORT_ACTIVE_MAX; i++) {
        ImportActive *active = &queue->active[i];
        if (!active->key || !active->is_fresh)
            continue;
        ret[n] = *active;
        ret[n++].key = mem_strdup(active->key);
        active->is_fresh = false;
    }
    pthread_mutex_unlock(&queue->lock);
    return n;
}

/* --- giving back --- */

/* Whether the row is still this claim's, and holds it: 1 or 0. */
static int holds(SqlTx *tx, ImportQueue *queue, const char *key, int64_t number, Error *err)
{
    auto_free char *query = mem_printf("SELECT 1 FROM import_queue WHERE log_key = $1 AND "
                                       "claims = $2 AND state = 'importing' AND claimed_by = $3%s",
                                       import_queue_for_update(queue));
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, query, SQL_ARGS(SQL_TEXTZ(key), SQL_INT(number), SQL_TEXTZ(queue->owner)),
                  &rows, err) < 0)
        return -1;
    return sql_rows_next(rows, err);
}

static int write_counts(SqlTx *tx, const ImportActive *active, Error *err)
{
    return sql_exec(tx,
                    "UPDATE import_queue SET samples_done = $3, samples_total = $4 "
                    "WHERE log_key = $1 AND claims = $2",
                    SQL_ARGS(SQL_TEXTZ(active->key), SQL_INT(active->number),
                             SQL_INT((int64_t)active->n_done), SQL_INT((int64_t)active->n_total)),
                    NULL, err);
}

static int write_groups(SqlTx *tx, ImportQueue *queue, const char *key, Error *err)
{
    Str eval_set_id = STR_NONE;
    Str name = STR_NONE;
    auto_buf Buf groups = BUF_INIT(IMPORT_GROUPS_MAX);
    if (!importer_split_key(str_of(key), &eval_set_id, &name))
        return 0;
    if (import_groups_read(queue->options.store, eval_set_id, &groups, err) < 0)
        return -1;
    return sql_exec(tx, "UPDATE import_queue SET model_groups = $2 WHERE log_key = $1",
                    SQL_ARGS(SQL_TEXTZ(key), SQL_LIST(buf_str(&groups))), NULL, err);
}

/* Drops the row of a log that is gone. Another log of the set may be a copy of it and have given
   way; now it has the eval for itself. */
static int drop_row(SqlTx *tx, const char *key, int64_t now_us, Error *err)
{
    Str eval_set_id = STR_NONE;
    Str name = STR_NONE;
    if (sql_exec(tx, "DELETE FROM import_queue WHERE log_key = $1", SQL_ARGS(SQL_TEXTZ(key)), NULL,
                 err) < 0)
        return -1;
    if (!importer_split_key(str_of(key), &eval_set_id, &name))
        return 0;
    return sql_exec(tx,
                    "UPDATE import_queue SET state = 'pending', due_at = $2, turn_at = $2 "
                    "WHERE eval_set_id = $1 AND state = 'success' AND NOT EXISTS "
                    "(SELECT 1 FROM eval WHERE eval.log_key = import_queue.log_key)",
                    SQL_ARGS(SQL_TEXT(eval_set_id), SQL_INSTANT(now_us)), NULL, err);
}

static int finish(ImportQueue *queue, const ImportClaim *claim, const ImportEnd *end, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    ImportRow row;
    if (sql_begin(queue->options.sql, SQL_WRITE_SHARED, &tx, err) < 0)
        return -1;
    int held = holds(tx, queue, claim->key, claim->number, err);
    if (held <= 0)
        return held;
    if (import_queue_read(tx, queue, claim->key, &row, err) < 0)
        return -1;
    int64_t now_us = import_queue_now(queue);
    ImportActive counts = counts_of(queue, claim);
    if (!import_row_end(&row, end, now_us)) {
        if (drop_row(tx, claim->key, now_us, err) < 0)
            return -1;
    } else if (import_queue_write(tx, claim->key, &row, now_us, err) < 0 ||
               (counts.is_fresh && write_counts(tx, &counts, err) < 0) ||
               (!end->problem && write_groups(tx, queue, claim->key, err) < 0)) {
        return -1;
    }
    return sql_commit(TAKE(tx), err);
}

int import_queue_finish(ImportQueue *queue, const ImportClaim *claim, const ImporterReport *report,
                        const Error *problem, Error *err)
{
    bool has_failed = problem && problem->kind != ERR_NONE;
    ImportEnd end = {.problem = has_failed ? problem : NULL, .notices = claim->notices};
    assert(has_failed || report);
    if (!has_failed)
        end.outcome = report->outcome;
    random_bytes(&end.random, sizeof(end.random));
    int result = finish(queue, claim, &end, err);
    import_active_drop(queue, claim->key, claim->number);
    import_queue_wake(queue);
    return result;
}

/* --- keeping --- */

/* Whether an owner is known to be dead: a process of this machine that is not there any more. */
static bool is_dead(const ImportQueue *queue, Str owner)
{
    Str theirs = owner;
    Str ours = str_of(queue->owner);
    Str part[4];
    Str own = STR_NONE;
    for (size_t i = 0; i < ARRAY_LEN(part); i++) {
        if (!str_split(&theirs, '/', &part[i]) || !str_split(&ours, '/', &own))
            return false;
        if (i < 2 && (part[i].n == 0 || !str_eq(part[i], own)))
            return false; /* another machine or container */
    }
    int64_t pid = 0;
    int64_t ticks = 0;
    if (str_to_i64(part[2], 1, INT32_MAX, &pid) < 0 ||
        str_to_i64(part[3], 0, INT64_MAX, &ticks) < 0)
        return false;
    return !process_is_alive((pid_t)pid, (uint64_t)ticks);
}

/* A row that somebody has taken. */
typedef struct Held {
    char *key;
    int64_t number;
    bool is_ours; /* its lease is to be renewed; else its row is to be freed */
} Held;

typedef struct HeldList {
    Held *items;
    size_t n;
} HeldList;

static void held_release(HeldList *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i].key);
    free(list->items);
}

/* Which rows that are taken need something: ours, and those of owners who are dead or silent. A row
   in our name that no thread of ours knows was taken by a commit whose answer got lost. */
static int list_held(ImportQueue *queue, HeldList *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(queue->options.sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT log_key, claims, claimed_by, lease_until, began_at FROM import_queue "
                  "WHERE state = 'importing'",
                  SQL_NO_ARGS, &rows, err) < 0)
        return -1;
    int64_t now_us = import_queue_now(queue);
    int has_row = 0;
    for (has_row = sql_rows_next(rows, err); has_row == 1; has_row = sql_rows_next(rows, err)) {
        Str key = sql_rows_text(rows, 0);
        Str owner = sql_rows_text(rows, 2);
        int64_t number = sql_rows_int(rows, 1);
        bool is_mine = str_eqz(owner, queue->owner);
        bool is_known = is_mine && is_active(queue, key, number);
        bool is_over = is_mine ? sql_rows_int(rows, 4) < now_us - LOST_MS * INT64_C(1000)
                               : sql_rows_int(rows, 3) < now_us || is_dead(queue, owner);
        if (!is_known && !is_over)
            continue;
        ret->items = mem_resize(ret->items, ret->n + 1, sizeof(*ret->items));
        ret->items[ret->n++] =
            (Held){.key = mem_strndup(key.p, key.n), .number = number, .is_ours = is_known};
    }
    return has_row;
}

static int renew(SqlTx *tx, ImportQueue *queue, const Held *held, Error *err)
{
    return sql_exec(tx,
                    "UPDATE import_queue SET lease_until = $3 WHERE log_key = $1 AND claims = $2 "
                    "AND state = 'importing'",
                    SQL_ARGS(SQL_TEXTZ(held->key), SQL_INT(held->number),
                             SQL_INSTANT(import_queue_now(queue) + import_queue_lease_us(queue))),
                    NULL, err);
}

static int free_held(SqlTx *tx, ImportQueue *queue, const Held *held, Error *err)
{
    ImportRow row;
    int has_row = import_queue_read(tx, queue, held->key, &row, err);
    if (has_row <= 0)
        return has_row;
    int64_t now_us = import_queue_now(queue);
    import_row_free(&row, now_us);
    /* Only if it is still that claim: another server may have been faster. */
    int64_t changed = 0;
    if (sql_exec(tx,
                 "UPDATE import_queue SET claims = claims + 1 WHERE log_key = $1 AND claims = $2 "
                 "AND state = 'importing'",
                 SQL_ARGS(SQL_TEXTZ(held->key), SQL_INT(held->number)), &changed, err) < 0)
        return -1;
    return changed == 1 ? import_queue_write(tx, held->key, &row, now_us, err) : 0;
}

static int keep_leases(ImportQueue *queue, Error *err)
{
    HAWK_CLEANUP(held_release) HeldList list = {0};
    if (import_queue_read_clock(queue, err) < 0 || list_held(queue, &list, err) < 0)
        return -1;
    if (list.n == 0)
        return 0;
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(queue->options.sql, SQL_WRITE_SHARED, &tx, err) < 0)
        return -1;
    for (size_t i = 0; i < list.n; i++) {
        const Held *held = &list.items[i];
        int kept = held->is_ours ? renew(tx, queue, held, err) : free_held(tx, queue, held, err);
        if (kept < 0)
            return -1;
    }
    if (sql_commit(TAKE(tx), err) < 0)
        return -1;
    import_queue_wake(queue);
    return 0;
}

static int keep_counts(ImportQueue *queue, Error *err)
{
    ImportActive fresh[IMPORT_ACTIVE_MAX];
    size_t n = fresh_counts(queue, fresh);
    if (n == 0)
        return 0;
    auto_sql_tx SqlTx *tx = NULL;
    int result = sql_begin(queue->options.sql, SQL_WRITE_SHARED, &tx, err);
    for (size_t i = 0; i < n; i++) {
        if (result == 0)
            result = write_counts(tx, &fresh[i], err);
        free(fresh[i].key);
    }
    return result < 0 ? -1 : sql_commit(TAKE(tx), err);
}

int import_queue_keep(ImportQueue *queue, Error *err)
{
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms >= queue->next_keep_ms) {
        if (keep_leases(queue, err) < 0)
            return -1;
        queue->next_keep_ms = now_ms + import_queue_lease_us(queue) / 1000 / LEASE_PARTS;
    }
    return keep_counts(queue, err);
}
