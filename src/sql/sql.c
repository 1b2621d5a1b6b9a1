/* The pool of connections and transactions, over whatever driver the URL names.

   A write transaction takes the writer's place before it takes a connection, so that writers who
   wait never keep readers from a connection. */

#include "sql/sql.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/looper.h"
#include "base/mem.h"
#include "base/thread.h"
#include "sql/sql_priv.h"

enum { WAIT_MS = 30 * 1000, WARM_WAIT_MS = 1000, READY_PAUSE_MS = 10 * 1000 };

static const SqlDriver *const drivers[] = {
    &sql_driver_sqlite,
    &sql_driver_postgres,
};

/* Of one that waits to write. */
typedef struct Turn Turn;
struct Turn {
    Turn *next; /* who has come later */
};

struct Sql {
    const SqlDriver *driver;
    char *url;
    int wait_ms;
    bool is_untrusted;
    SqlReader reader; /* role NULL: none */
    size_t n_max;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    SqlConn **idle;
    size_t n_idle;
    size_t n_open; /* idle and in use, connections being made included */
    bool has_writer;
    Turn *turns; /* the first is the next to write */

    Looper *keeper; /* NULL: nothing is kept ready; the rest is for it */
    size_t n_ready;
    SqlWarm *warm;
    void *warm_context;
};

static struct timespec deadline_in(int ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static int ms_until(const struct timespec *deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)(deadline->tv_sec - now.tv_sec) * 1000 +
                 (deadline->tv_nsec - now.tv_nsec) / 1000000;
    return ms > 0 ? (int)ms : 0;
}

static void leave_turns(Sql *sql, const Turn *turn)
{
    Turn **at = &sql->turns;
    while (*at != turn)
        at = &(*at)->next;
    *at = turn->next;
}

/* In the order of coming: one that writes again and again would be faster than any that has to wake
   up first. */
static int take_writer(Sql *sql, const struct timespec *deadline, Error *err)
{
    Turn turn = {0};
    int result = 0;
    pthread_mutex_lock(&sql->lock);
    Turn **last = &sql->turns;
    while (*last)
        last = &(*last)->next;
    *last = &turn;
    while ((sql->has_writer || sql->turns != &turn) && result == 0)
        result = pthread_cond_timedwait(&sql->changed, &sql->lock, deadline);
    bool taken = !sql->has_writer && sql->turns == &turn;
    leave_turns(sql, &turn);
    if (taken)
        sql->has_writer = true;
    pthread_mutex_unlock(&sql->lock);
    if (!taken)
        return error_set(err, ERR_BUSY, "another write to the database took over %d ms",
                         sql->wait_ms);
    return 0;
}

static void leave_writer(Sql *sql)
{
    pthread_mutex_lock(&sql->lock);
    sql->has_writer = false;
    pthread_cond_broadcast(&sql->changed);
    pthread_mutex_unlock(&sql->lock);
}

static void put_conn(Sql *sql, SqlConn *conn)
{
    if (conn && conn->is_broken) {
        sql->driver->disconnect(conn);
        conn = NULL;
    }
    bool is_cold = conn && !conn->is_warm;
    pthread_mutex_lock(&sql->lock);
    if (conn)
        sql->idle[sql->n_idle++] = conn;
    else
        sql->n_open--;
    pthread_cond_broadcast(&sql->changed);
    Looper *keeper = is_cold ? sql->keeper : NULL;
    pthread_mutex_unlock(&sql->lock);
    if (keeper)
        looper_wake(keeper);
}

/* Takes an idle connection or makes one, which may take until the deadline; waits when the pool is
   used up. */
static int take_conn(Sql *sql, const struct timespec *deadline, SqlConn **ret, bool *ret_is_new,
                     Error *err)
{
    int result = 0;
    SqlConn *conn = NULL;
    pthread_mutex_lock(&sql->lock);
    while (sql->n_idle == 0 && sql->n_open == sql->n_max && result == 0)
        result = pthread_cond_timedwait(&sql->changed, &sql->lock, deadline);
    bool may_connect = false;
    if (sql->n_idle > 0) {
        conn = sql->idle[--sql->n_idle];
    } else if (sql->n_open < sql->n_max) {
        sql->n_open++;
        may_connect = true;
    }
    Looper *keeper = sql->n_idle < sql->n_ready ? sql->keeper : NULL;
    pthread_mutex_unlock(&sql->lock);
    if (keeper)
        looper_wake(keeper);
    if (!conn && !may_connect)
        return error_set(err, ERR_BUSY, "all %zu connections to the database are in use",
                         sql->n_max);
    if (!conn &&
        sql->driver->connect(sql->url, sql->is_untrusted, ms_until(deadline), &conn, err) < 0) {
        put_conn(sql, NULL);
        return -1;
    }
    assert(conn);
    *ret_is_new = may_connect;
    *ret = conn;
    return 0;
}

/* Takes a connection and begins. Connections that turn out to have been lost while idle are
   replaced: all of them are, when the server has been restarted. */
static int begin_on_conn(Sql *sql, const SqlBegin *how, SqlConn **ret, Error *err)
{
    struct timespec deadline = deadline_in(how->wait_ms);
    for (;;) {
        SqlConn *conn = NULL;
        bool is_new = false;
        if (take_conn(sql, &deadline, &conn, &is_new, err) < 0)
            return -1;
        assert(conn);
        if (sql->driver->begin(conn, how, err) == 0) {
            *ret = conn;
            return 0;
        }
        bool was_lost = conn->is_broken && !is_new;
        put_conn(sql, conn);
        if (!was_lost)
            return -1;
        error_reset(err);
    }
}

/* ---- connections that are ready ---- */

/* Takes an idle connection that is not warm, or the right to make one; NULL and false: enough are
   ready. */
static SqlConn *take_cold(Sql *sql, bool *ret_may_connect)
{
    SqlConn *conn = NULL;
    *ret_may_connect = false;
    pthread_mutex_lock(&sql->lock);
    for (size_t i = 0; i < sql->n_idle && !conn; i++)
        if (!sql->idle[i]->is_warm) {
            conn = sql->idle[i];
            sql->idle[i] = sql->idle[--sql->n_idle];
        }
    if (!conn && sql->n_idle < sql->n_ready && sql->n_open < sql->n_max) {
        sql->n_open++;
        *ret_may_connect = true;
    }
    pthread_mutex_unlock(&sql->lock);
    return conn;
}

/* Warms a connection; NULL when it got lost. */
static SqlConn *warm_conn(const Sql *sql, SqlConn *conn)
{
    Sql one = {.driver = sql->driver,
               .url = sql->url,
               .wait_ms = WARM_WAIT_MS,
               .reader = sql->reader,
               .n_max = 1,
               .idle = &conn,
               .n_idle = 1,
               .n_open = 1};
    pthread_mutex_init(&one.lock, NULL);
    thread_cond_init(&one.changed);
    sql->warm(sql->warm_context, &one);
    assert(one.n_idle == one.n_open);
    pthread_cond_destroy(&one.changed);
    pthread_mutex_destroy(&one.lock);
    if (one.n_idle == 0)
        return NULL;
    conn->is_warm = true;
    return conn;
}

/* Makes one more connection ready. false: there is none to be made, or it is not to be had now. */
static bool ready_one(Sql *sql)
{
    auto_error Error err = ERROR_INIT;
    bool may_connect = false;
    SqlConn *conn = take_cold(sql, &may_connect);
    if (!conn && !may_connect)
        return false;
    if (!conn && sql->driver->connect(sql->url, sql->is_untrusted, 0, &conn, &err) < 0) {
        put_conn(sql, NULL);
        return false;
    }
    conn = warm_conn(sql, conn);
    put_conn(sql, conn);
    return conn != NULL;
}

static void keep_ready(void *context, Looper *looper)
{
    Sql *sql = context;
    do {
        while (!looper_is_ending(looper) && ready_one(sql))
            continue;
    } while (looper_wait(looper, READY_PAUSE_MS));
}

int sql_keep_ready(Sql *sql, size_t n, SqlWarm *warm, void *context, Error *err)
{
    Looper *keeper = NULL;
    if (sql->driver->dialect != SQL_POSTGRES)
        return 0;
    sql->warm = warm;
    sql->warm_context = context;
    pthread_mutex_lock(&sql->lock);
    sql->n_ready = n;
    pthread_mutex_unlock(&sql->lock);
    if (looper_start(keep_ready, sql, &keeper, err) < 0)
        return -1;
    pthread_mutex_lock(&sql->lock);
    sql->keeper = keeper;
    pthread_mutex_unlock(&sql->lock);
    return 0;
}

static int open_pool(const char *url, size_t n_connections, bool is_untrusted, Sql **ret,
                     Error *err)
{
    const SqlDriver *driver = NULL;
    for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
        if (str_starts(str_of(url), str_of(drivers[i]->scheme)))
            driver = drivers[i];
    if (!driver) {
        (void)error_set(err, ERR_USAGE, "the database address is of no known kind");
        return error_fix(err, "use sqlite:/path/to/file or postgresql://user@host/name");
    }
    auto_sql Sql *sql = mem_alloc(sizeof(*sql));
    sql->driver = driver;
    sql->url = mem_strdup(url);
    sql->wait_ms = WAIT_MS;
    sql->is_untrusted = is_untrusted;
    sql->n_max = n_connections ? n_connections : 1;
    sql->idle = mem_array(sql->n_max, sizeof(SqlConn *));
    pthread_mutex_init(&sql->lock, NULL);
    thread_cond_init(&sql->changed);

    struct timespec deadline = deadline_in(sql->wait_ms);
    SqlConn *first = NULL;
    bool is_new = false;
    if (take_conn(sql, &deadline, &first, &is_new, err) < 0)
        return -1;
    put_conn(sql, first);
    *ret = TAKE(sql);
    return 0;
}

int sql_open(const char *url, size_t n_connections, Sql **ret, Error *err)
{
    return open_pool(url, n_connections, false, ret, err);
}

int sql_open_untrusted(const char *url, size_t n_connections, Sql **ret, Error *err)
{
    return open_pool(url, n_connections, true, ret, err);
}

void sql_close(Sql *sql)
{
    if (!sql)
        return;
    looper_stop(sql->keeper);
    assert(sql->n_idle == sql->n_open); /* every transaction has ended */
    for (size_t i = 0; i < sql->n_idle; i++)
        sql->driver->disconnect(sql->idle[i]);
    pthread_cond_destroy(&sql->changed);
    pthread_mutex_destroy(&sql->lock);
    free(sql->idle);
    free(sql->url);
    free(sql);
}

SqlDialect sql_dialect(const Sql *sql)
{
    return sql->driver->dialect;
}

static int begin_tx(Sql *sql, const SqlBegin *how, SqlTx **ret, Error *err)
{
    SqlMode mode = how->mode;
    if (sql->is_untrusted && mode != SQL_READ)
        return error_set(err, ERR_DENIED, "the database was opened for reading");
    bool is_lone_writer =
        mode == SQL_WRITE || (mode == SQL_WRITE_SHARED && !sql->driver->shares_writing);
    struct timespec deadline = deadline_in(how->wait_ms);
    if (is_lone_writer && take_writer(sql, &deadline, err) < 0)
        return -1;
    SqlConn *conn = NULL;
    if (begin_on_conn(sql, how, &conn, err) < 0) {
        if (is_lone_writer)
            leave_writer(sql);
        return -1;
    }
    SqlTx *tx = mem_alloc(sizeof(*tx));
    *tx =
        (SqlTx){.sql = sql, .driver = sql->driver, .conn = conn, .is_lone_writer = is_lone_writer};
    *ret = tx;
    return 0;
}

int sql_begin(Sql *sql, SqlMode mode, SqlTx **ret, Error *err)
{
    const SqlBegin how = {.mode = mode, .wait_ms = sql->wait_ms};
    return begin_tx(sql, &how, ret, err);
}

int sql_begin_within(Sql *sql, int wait_ms, SqlTx **ret, Error *err)
{
    const SqlBegin how = {.mode = SQL_READ, .wait_ms = wait_ms};
    return begin_tx(sql, &how, ret, err);
}

void sql_set_reader(Sql *sql, const SqlReader *reader)
{
    sql->reader = *reader;
}

int sql_begin_as(Sql *sql, Str value, SqlTx **ret, Error *err)
{
    assert(value.p); /* else it would be read for nobody, who sees everything */
    return sql_begin_with(sql, value, NULL, ret, err);
}

int sql_begin_with(Sql *sql, Str value, const char *settings, SqlTx **ret, Error *err)
{
    const SqlBegin how = {.mode = SQL_READ,
                          .wait_ms = sql->wait_ms,
                          .reader = sql->reader.role && value.p ? &sql->reader : NULL,
                          .value = value,
                          .settings = settings};
    return begin_tx(sql, &how, ret, err);
}

int sql_tx_leave_reader(SqlTx *tx, Error *err)
{
    if (sql_tx_check(tx, err) < 0)
        return -1;
    if (tx->driver->leave_reader(tx->conn, err) < 0) {
        tx->has_failed = true;
        return -1;
    }
    return 0;
}

void sql_set_wait_ms(Sql *sql, int wait_ms)
{
    sql->wait_ms = wait_ms;
}

/* Gives back the connection and the writer's place. */
static void end_tx(SqlTx *tx)
{
    Sql *sql = tx->sql;
    if (sql->is_untrusted)
        tx->conn->is_broken = true; /* what a typed statement left there is for nobody else */
    put_conn(sql, tx->conn);
    if (tx->is_lone_writer)
        leave_writer(sql);
    free(tx);
}

void sql_rollback(SqlTx *take_tx)
{
    if (!take_tx)
        return;
    assert(take_tx->n_rows_open == 0 && take_tx->n_loads_open == 0);
    take_tx->driver->rollback(take_tx->conn);
    end_tx(take_tx);
}

int sql_tx_check(const SqlTx *tx, Error *err)
{
    if (tx->has_failed)
        return error_set(err, ERR_INTERNAL,
                         "the transaction has failed and can only be rolled back");
    return 0;
}

int sql_commit(SqlTx *take_tx, Error *err)
{
    assert(take_tx->n_rows_open == 0 && take_tx->n_loads_open == 0);
    if (sql_tx_check(take_tx, err) < 0) {
        sql_rollback(take_tx);
        return -1;
    }
    if (take_tx->sql->is_untrusted) { /* a function may have left something after all */
        sql_rollback(take_tx);
        return 0;
    }
    if (take_tx->driver->commit(take_tx->conn, err) < 0) {
        sql_rollback(take_tx);
        return -1;
    }
    end_tx(take_tx);
    return 0;
}

int sql_exec(SqlTx *tx, const char *statement, const SqlValue *args, size_t n_args,
             int64_t *ret_changed, Error *err)
{
    if (sql_tx_check(tx, err) < 0)
        return -1;
    int64_t changed = 0;
    if (tx->driver->exec(tx->conn, statement, args, n_args, &changed, err) < 0) {
        tx->has_failed = true;
        return -1;
    }
    if (ret_changed)
        *ret_changed = changed;
    return 0;
}

int sql_tx_limit_ms(SqlTx *tx, int limit_ms, Error *err)
{
    if (sql_tx_check(tx, err) < 0)
        return -1;
    if (tx->driver->limit(tx->conn, limit_ms, err) < 0) {
        tx->has_failed = true;
        return -1;
    }
    return 0;
}

int sql_lock(SqlTx *tx, const char *name, Error *err)
{
    if (sql_tx_check(tx, err) < 0)
        return -1;
    if (tx->driver->lock(tx->conn, name, err) < 0) {
        tx->has_failed = true;
        return error_wrap(err, "cannot lock %s", name);
    }
    return 0;
}

typedef int QueryFunction(SqlConn *conn, const char *statement, const SqlValue *args, size_t n_args,
                          SqlRows **ret, Error *err);

static int query_with(QueryFunction *query, SqlTx *tx, const char *statement, const SqlValue *args,
                      size_t n_args, SqlRows **ret, Error *err)
{
    if (sql_tx_check(tx, err) < 0)
        return -1;
    SqlRows *rows = NULL;
    if (query(tx->conn, statement, args, n_args, &rows, err) < 0) {
        tx->has_failed = true;
        return -1;
    }
    rows->driver = tx->driver;
    rows->tx = tx;
    tx->n_rows_open++;
    *ret = rows;
    return 0;
}

int sql_query(SqlTx *tx, const char *statement, const SqlValue *args, size_t n_args, SqlRows **ret,
              Error *err)
{
    return query_with(tx->driver->query, tx, statement, args, n_args, ret, err);
}

int sql_query_few(SqlTx *tx, const char *statement, const SqlValue *args, size_t n_args,
                  SqlRows **ret, Error *err)
{
    return query_with(tx->driver->query_few, tx, statement, args, n_args, ret, err);
}

int sql_rows_next(SqlRows *rows, Error *err)
{
    int result = rows->driver->rows_next(rows, err);
    if (result < 0)
        rows->tx->has_failed = true;
    return result;
}

void sql_rows_free(SqlRows *rows)
{
    if (!rows)
        return;
    rows->tx->n_rows_open--;
    rows->driver->rows_free(rows);
}

bool sql_rows_is_null(const SqlRows *rows, int column)
{
    return rows->driver->rows_is_null(rows, column);
}

Str sql_rows_text(const SqlRows *rows, int column)
{
    return rows->driver->rows_text(rows, column);
}

int64_t sql_rows_int(const SqlRows *rows, int column)
{
    return rows->driver->rows_int(rows, column);
}

SqlType sql_rows_type(const SqlRows *rows, int column)
{
    return rows->driver->rows_type(rows, column);
}

double sql_rows_real(const SqlRows *rows, int column)
{
    return rows->driver->rows_real(rows, column);
}

Str sql_rows_real_text(const SqlRows *rows, int column)
{
    return rows->driver->rows_real_text ? rows->driver->rows_real_text(rows, column) : STR_NONE;
}

int sql_rows_n_columns(const SqlRows *rows)
{
    return rows->driver->rows_n_columns(rows);
}

const char *sql_rows_name(const SqlRows *rows, int column)
{
    return rows->driver->rows_name(rows, column);
}
