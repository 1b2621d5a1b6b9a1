/* Rows in the database: reading, writing and taking; import_claims.c gives them back.

   A row is taken with one statement, which in PostgreSQL passes over rows that others are taking.
   Whoever took it holds it until the lease ends; the claim's number tells a holder whose lease has
   ended that the row is no longer his. */

#include "warehouse/importer/import_queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "base/thread.h"
#include "warehouse/importer/import_queue_priv.h"

enum {
    LEASE_MS = 60 * 1000,
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

int64_t import_queue_now(ImportQueue *queue)
{
    if (queue->options.now_us)
        return queue->options.now_us(queue->options.context);
    pthread_mutex_lock(&queue->lock);
    int64_t now_us = clock_now_us() + queue->offset_us;
    pthread_mutex_unlock(&queue->lock);
    return now_us;
}

int import_queue_read_clock(ImportQueue *queue, Error *err)
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

int64_t import_queue_lease_us(const ImportQueue *queue)
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

const char *import_queue_for_update(const ImportQueue *queue)
{
    return sql_dialect(queue->options.sql) == SQL_POSTGRES ? " FOR UPDATE" : "";
}

int import_queue_read(SqlTx *tx, ImportQueue *queue, const char *key, ImportRow *ret, Error *err)
{
    auto_free char *query = mem_printf("SELECT " COLUMNS " FROM import_queue WHERE log_key = $1%s",
                                       import_queue_for_update(queue));
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
    thread_cond_init(&queue->changed);
    if (import_queue_read_clock(queue, err) < 0 || retry_passed(queue, err) < 0)
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
                  SQL_ARGS(SQL_TEXTZ(queue->owner),
                           SQL_INSTANT(now_us + import_queue_lease_us(queue)), SQL_INSTANT(now_us)),
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
    if (import_active_add(queue, claim.key, claim.number) < 0)
        return error_set(err, ERR_INTERNAL, "over %d logs are taken at a time", IMPORT_ACTIVE_MAX);
    if (sql_commit(TAKE(tx), err) < 0) {
        import_active_drop(queue, claim.key, claim.number);
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
