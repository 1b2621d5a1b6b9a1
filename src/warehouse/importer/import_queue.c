/* Rows in the database: reading, writing, taking and giving back.

   A row is taken with one statement, which in PostgreSQL passes over rows that others are taking.
   Whoever took it holds it until the lease ends; the claim's number tells a holder whose lease has
   ended that the row is no longer his. */

#include "warehouse/importer/import_queue.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "warehouse/importer/import_groups.h"
#include "warehouse/importer/import_queue_priv.h"
#include "warehouse/importer/importer_priv.h"

enum {
    LEASE_MS = 60 * 1000,
    LEASE_PARTS = 4, /* a lease is renewed so often before it ends */
    LOST_MS = 30 * 1000,
    OTHERS_MS = 10 * 1000, /* how long a change by another server may go unseen */
};

#define COLUMNS                                                                                    \
    "mark, size_bytes, state, attempts, reason, reason_kind, notices, due_at, turn_at, began_at, " \
    "ended_at"
#define WAITING "state IN ('pending', 'retrying')"

/* --- who and when --- */

/* "<boot>:<process namespace>:<pid>:<start>:<random>": tells other processes of this machine
   whether this one is alive. */
static void name_owner(char ret[IMPORT_OWNER_MAX])
{
    char boot[PROCESS_BOOT_ID_MAX];
    char space[64] = "";
    char id[17];
    uint64_t ticks = 0;
    if (readlink("/proc/self/ns/pid", space, sizeof(space) - 1) < 0)
        space[0] = '\0';
    if (process_start_ticks(getpid(), &ticks) < 0)
        space[0] = '\0'; /* then nobody calls us dead */
    random_id(id, sizeof(id) - 1);
    (void)snprintf(ret, IMPORT_OWNER_MAX, "%s/%s/%d/%" PRIu64 "/%s", process_boot_id(boot), space,
                   (int)getpid(), ticks, id);
}

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

int64_t import_queue_now(ImportQueue *queue)
{
    if (queue->options.now_us)
        return queue->options.now_us(queue->options.context);
    pthread_mutex_lock(&queue->lock);
    int64_t now_us = clock_now_us() + queue->offset_us;
    pthread_mutex_unlock(&queue->lock);
    return now_us;
}

/* Servers that share a PostgreSQL go by its clock. */
static int read_clock(ImportQueue *queue, Error *err)
{
    if (queue->options.now_us || sql_dialect(queue->options.sql) != SQL_POSTGRES)
        return 0;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(queue->options.sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, "SELECT clock_timestamp()", SQL_NO_ARGS, &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    int64_t offset_us = sql_rows_int(rows, 0) - clock_now_us();
    pthread_mutex_lock(&queue->lock);
    queue->offset_us = offset_us;
    pthread_mutex_unlock(&queue->lock);
    return 0;
}

static int64_t lease_us(const ImportQueue *queue)
{
    return (queue->options.lease_ms ? queue->options.lease_ms : LEASE_MS) * INT64_C(1000);
}

/* --- rows --- */

/* The name of a kind, which lives for ever. */
static const char *kind_named(Str name)
{
    for (int kind = ERR_NONE; kind <= ERR_INTERNAL; kind++)
        if (str_eqz(name, error_kind_name((ErrorKind)kind)))
            return error_kind_name((ErrorKind)kind);
    return NULL;
}

static void fill_text(char *ret, size_t size, Str text)
{
    (void)snprintf(ret, size, "%.*s", STR_ARG(str_slice(text, 0, size - 1)));
}

static void fill_row(const SqlRows *rows, ImportRow *ret)
{
    *ret = (ImportRow){
        .size = (uint64_t)sql_rows_int(rows, 1),
        .attempts = sql_rows_int(rows, 3),
        .reason_kind = kind_named(sql_rows_text(rows, 5)),
        .notices = sql_rows_int(rows, 6),
        .due_us = sql_rows_int(rows, 7),
        .turn_us = sql_rows_int(rows, 8),
        .began_us = sql_rows_int(rows, 9),
        .ended_us = sql_rows_int(rows, 10),
    };
    fill_text(ret->mark, sizeof(ret->mark), sql_rows_text(rows, 0));
    fill_text(ret->reason, sizeof(ret->reason), sql_rows_text(rows, 4));
    if (import_state_of(sql_rows_text(rows, 2), &ret->state) < 0)
        ret->state = IMPORT_FAILED;
}

static const char *for_update(const ImportQueue *queue)
{
    return sql_dialect(queue->options.sql) == SQL_POSTGRES ? " FOR UPDATE" : "";
}

int import_queue_read(SqlTx *tx, ImportQueue *queue, const char *key, ImportRow *ret, Error *err)
{
    auto_free char *query =
        mem_printf("SELECT " COLUMNS " FROM import_queue WHERE log_key = $1%s", for_update(queue));
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, query, SQL_ARGS(SQL_TEXTZ(key)), &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row == 1)
        fill_row(rows, ret);
    return has_row;
}

int import_queue_write(SqlTx *tx, const char *key, const ImportRow *row, int64_t now_us, Error *err)
{
    bool is_claimed = row->state == IMPORT_IMPORTING;
    /* clang-format off */
    const SqlValue args[] = {
        SQL_TEXTZ(key),
        SQL_TEXTZ(row->mark),
        SQL_INT((int64_t)row->size),
        SQL_TEXTZ(import_state_name(row->state)),
        SQL_INT(row->attempts),
        row->reason[0] ? SQL_TEXTZ(row->reason) : SQL_NULL,
        SQL_TEXTZ(row->reason_kind),
        SQL_INT(row->notices),
        SQL_INSTANT(row->due_us),
        SQL_INSTANT(row->turn_us),
        row->ended_us ? SQL_INSTANT(row->ended_us) : SQL_NULL,
        SQL_INSTANT(now_us),
    };
    /* clang-format on */
    static const char *const texts[] = {
        "UPDATE import_queue SET mark = $2, size_bytes = $3, state = $4, attempts = $5, "
        "reason = $6, reason_kind = $7, notices = $8, due_at = $9, turn_at = $10, ended_at = $11, "
        "changed_at = $12, claimed_by = NULL, lease_until = NULL WHERE log_key = $1",
        "UPDATE import_queue SET mark = $2, size_bytes = $3, state = $4, attempts = $5, "
        "reason = $6, reason_kind = $7, notices = $8, due_at = $9, turn_at = $10, ended_at = $11, "
        "changed_at = $12 WHERE log_key = $1",
    };
    return sql_exec(tx, texts[is_claimed], args, ARRAY_LEN(args), NULL, err);
}

void import_queue_wake(ImportQueue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->n_changes++;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

/* --- opening --- */

/* What failed because of the machine gets another chance from a new start of it. */
static int retry_passed(ImportQueue *queue, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(queue->options.sql, SQL_WRITE_SHARED, &tx, err) < 0)
        return -1;
    int64_t now_us = import_queue_now(queue);
    for (int kind = ERR_NONE; kind <= ERR_INTERNAL; kind++)
        if (import_row_may_pass((ErrorKind)kind) &&
            sql_exec(tx,
                     "UPDATE import_queue SET state = 'retrying', attempts = 0, due_at = $1, "
                     "turn_at = $1 WHERE state IN ('failed', 'retrying') AND reason_kind = $2",
                     SQL_ARGS(SQL_INSTANT(now_us), SQL_TEXTZ(error_kind_name((ErrorKind)kind))),
                     NULL, err) < 0)
            return -1;
    return sql_commit(TAKE(tx), err);
}

int import_queue_open(const ImportQueueOptions *options, ImportQueue **ret, Error *err)
{
    auto_import_queue ImportQueue *queue = mem_alloc(sizeof(*queue));
    queue->options = *options;
    name_owner(queue->owner);
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (read_clock(queue, err) < 0 || retry_passed(queue, err) < 0)
        return -1;
    *ret = TAKE(queue);
    return 0;
}

void import_queue_close(ImportQueue *queue)
{
    if (!queue)
        return;
    for (size_t i = 0; i < IMPORT_ACTIVE_MAX; i++)
        free(queue->active[i].key);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

void import_queue_stop(ImportQueue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_stopping = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

bool import_queue_is_stopping(ImportQueue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool result = queue->is_stopping;
    pthread_mutex_unlock(&queue->lock);
    return result;
}

/* --- taking --- */

/* The instant at which the next log may be taken; INT64_MAX when none waits. */
static int next_due(ImportQueue *queue, int64_t *ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(queue->options.sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, "SELECT due_at FROM import_queue WHERE " WAITING " ORDER BY due_at LIMIT 1",
                  SQL_NO_ARGS, &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row >= 0)
        *ret = has_row == 1 ? sql_rows_int(rows, 0) : INT64_MAX;
    return has_row < 0 ? -1 : 0;
}

/* Remembers a log before it is taken, so that its lease is renewed from the first moment. */
static int add_active(ImportQueue *queue, const char *key, int64_t number)
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

static void drop_active(ImportQueue *queue, const char *key, int64_t number)
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

static const char take_text[] =
    "UPDATE import_queue SET state = 'importing', attempts = attempts + 1, claims = claims + 1, "
    "claimed_by = $1, lease_until = $2, began_at = $3, changed_at = $3, samples_done = NULL, "
    "samples_total = NULL WHERE log_key = (SELECT log_key FROM import_queue WHERE " WAITING
    " AND due_at <= $3 ORDER BY turn_at, log_key LIMIT 1%s) "
    "RETURNING log_key, size_bytes, claims, notices, attempts";

/* Takes the log whose turn it is: 1, or 0 when there is none. */
static int take(ImportQueue *queue, ImportClaim *ret, Error *err)
{
    bool is_shared = sql_dialect(queue->options.sql) == SQL_POSTGRES;
    auto_free char *query = mem_printf(take_text, is_shared ? " FOR UPDATE SKIP LOCKED" : "");
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(queue->options.sql, SQL_WRITE_SHARED, &tx, err) < 0)
        return -1;
    int64_t now_us = import_queue_now(queue);
    if (sql_query(tx, query,
                  SQL_ARGS(SQL_TEXTZ(queue->owner), SQL_INSTANT(now_us + lease_us(queue)),
                           SQL_INSTANT(now_us)),
                  &rows, err) < 0)
        return -1;
    int has_row = sql_rows_next(rows, err);
    if (has_row <= 0)
        return has_row;
    ImportClaim claim = {.size = (uint64_t)sql_rows_int(rows, 1),
                         .number = sql_rows_int(rows, 2),
                         .notices = sql_rows_int(rows, 3),
                         .attempt = sql_rows_int(rows, 4)};
    fill_text(claim.key, sizeof(claim.key), sql_rows_text(rows, 0));
    if (sql_rows_next(rows, err) < 0) /* the statement has run to its end */
        return -1;
    sql_rows_free(TAKE(rows));
    if (add_active(queue, claim.key, claim.number) < 0)
        return error_set(err, ERR_INTERNAL, "over %d logs are taken at a time", IMPORT_ACTIVE_MAX);
    if (sql_commit(TAKE(tx), err) < 0) {
        drop_active(queue, claim.key, claim.number);
        return -1;
    }
    *ret = claim;
    return 1;
}

static void wait_for_change(ImportQueue *queue, uint64_t seen, int64_t ms)
{
    struct timespec until = clock_deadline(ms);
    pthread_mutex_lock(&queue->lock);
    int waited = 0;
    while (queue->n_changes == seen && !queue->is_stopping && waited == 0)
        waited = pthread_cond_timedwait(&queue->changed, &queue->lock, &until);
    pthread_mutex_unlock(&queue->lock);
}

int import_queue_take(ImportQueue *queue, int wait_ms, ImportClaim *ret, Error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
    while (!import_queue_is_stopping(queue)) {
        pthread_mutex_lock(&queue->lock);
        uint64_t seen = queue->n_changes;
        pthread_mutex_unlock(&queue->lock);
        int64_t due_us = 0;
        if (next_due(queue, &due_us, err) < 0)
            return -1;
        int64_t now_us = import_queue_now(queue);
        if (due_us <= now_us) {
            int taken = take(queue, ret, err);
            if (taken != 0)
                return taken;
        }
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        int64_t due_ms = due_us <= now_us      ? OTHERS_MS
                         : due_us == INT64_MAX ? OTHERS_MS
                                               : (due_us - now_us) / 1000 + 1;
        if (left_ms <= 0)
            return 0;
        left_ms = due_ms < left_ms ? due_ms : left_ms;
        wait_for_change(queue, seen, left_ms < OTHERS_MS ? left_ms : OTHERS_MS);
    }
    return 0;
}

/* --- giving back --- */

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

/* Whether the row is still this claim's, and holds it: 1 or 0. */
static int holds(SqlTx *tx, ImportQueue *queue, const char *key, int64_t number, Error *err)
{
    auto_free char *query = mem_printf("SELECT 1 FROM import_queue WHERE log_key = $1 AND "
                                       "claims = $2 AND state = 'importing' AND claimed_by = $3%s",
                                       for_update(queue));
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
    drop_active(queue, claim->key, claim->number);
    import_queue_wake(queue);
    return result;
}

/* --- keeping --- */

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
                             SQL_INSTANT(import_queue_now(queue) + lease_us(queue))),
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
    if (read_clock(queue, err) < 0 || list_held(queue, &list, err) < 0)
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
        queue->next_keep_ms = now_ms + lease_us(queue) / 1000 / LEASE_PARTS;
    }
    return keep_counts(queue, err);
}
