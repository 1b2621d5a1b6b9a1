/* Connections to PostgreSQL. libpq is loaded when the first one is made, because most runs of the
   program need none and it brings a dozen libraries along.

   A server that is starting, or not there yet, is waited for: whoever retries a transaction after a
   restart of the server then gets through. libpq tells no SQLSTATE of a connection that failed,
   hence PQping, which does tell a server that is not ready from one that refuses us. */

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/library.h"
#include "base/mem.h"
#include "base/random.h"
#include "sql/sql_postgres_priv.h"

enum { PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 1000, MESSAGE_MAX = 4096 };

#define X(name) {#name, offsetof(PgLib, name)},
static const LibrarySymbol symbols[] = {PG_FUNCTIONS(X)};
#undef X

PgLib pg_lib;
static bool is_loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int load_libpq(Error *err)
{
    pthread_mutex_lock(&lock);
    if (!is_loaded)
        is_loaded =
            library_load("libpq.so.5", "libpq5", symbols, ARRAY_LEN(symbols), &pg_lib, err) == 0;
    bool is_ready = is_loaded;
    pthread_mutex_unlock(&lock);
    return is_ready ? 0 : -1;
}

/* Keys and values of a connection. What the URL says comes last and wins. */
enum { N_PARAMETERS = 8 };
static const char *const keys[N_PARAMETERS + 1] = {
    "connect_timeout",  "tcp_user_timeout", "keepalives_idle", "keepalives_interval",
    "keepalives_count", "application_name", "client_encoding", "dbname"};

static void fill_values(const char *values[N_PARAMETERS + 1], const char *seconds, const char *url)
{
    const char *const all[N_PARAMETERS + 1] = {seconds, "60000", "30",   "10",
                                               "3",     "hawk",  "UTF8", url};
    memcpy(values, all, sizeof(all));
}

/* The forms in which values come as text; a role or a database may have other defaults. */
static const char session[] = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; "
                              "SET bytea_output = 'hex'; SET extra_float_digits = 1; "
                              "SET standard_conforming_strings = on";

/* Roles that a typed statement could reach, through set_config('role', ...) too. */
static const char strong_roles[] =
    "SELECT rolname FROM pg_catalog.pg_roles "
    "WHERE pg_catalog.pg_has_role(session_user, oid, 'MEMBER') AND (rolsuper OR rolreplication OR "
    "rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', "
    "'pg_signal_backend')) ORDER BY rolname LIMIT 1";

/* Refuses a role that could do more than read the database. */
static int check_role(PgConn *conn, Error *err)
{
    SqlRows *rows = NULL;
    if (pg_conn_script(&conn->base, "SET default_transaction_read_only = on", err) < 0 ||
        pg_conn_query(&conn->base, strong_roles, SQL_NO_ARGS, &rows, err) < 0)
        return -1;
    int result = pg_rows_next(rows, err);
    if (result > 0) {
        (void)error_set(err, ERR_DENIED,
                        "the role for typed statements is too strong: it is, or is in, %.*s",
                        STR_ARG(pg_rows_text(rows, 0)));
        (void)error_fix(err, "make one that may only read: CREATE ROLE reader LOGIN; GRANT "
                             "SELECT ON ALL TABLES IN SCHEMA public TO reader");
        result = -1;
    }
    pg_rows_free(rows);
    return result;
}

/* Notices are for people at a terminal; libpq would print them. */
static void ignore_notice(void *context, const char *message)
{
    (void)context;
    (void)message;
}

/* One attempt. NULL when it failed; the message is then libpq's. */
static PgConn *try_to_connect(const char *url, const char *seconds, Buf *message)
{
    const char *values[N_PARAMETERS + 1];
    fill_values(values, seconds, url);
    PgConn *conn = mem_alloc(sizeof(*conn));
    conn->db = pg_lib.PQconnectdbParams(keys, values, 1);
    if (pg_lib.PQstatus(conn->db) == CONNECTION_OK) {
        (void)pg_lib.PQsetNoticeProcessor(conn->db, ignore_notice, NULL);
        return conn;
    }
    buf_reset(message);
    buf_add_str(message, str_trim(str_of(pg_lib.PQerrorMessage(conn->db))));
    pg_conn_free(&conn->base);
    return NULL;
}

typedef enum Verdict {
    IS_WRONG,   /* the URL cannot be read */
    IS_REFUSED, /* by the server */
    IS_FULL,    /* the server is */
    IS_LOST,    /* there is no such host */
    IS_AWAY,    /* not there yet, or starting */
} Verdict;

/* Why the attempt failed. The server's words are looked at only where nothing else tells. */
static Verdict judge(const char *url, const char *seconds, Str message)
{
    const char *values[N_PARAMETERS + 1];
    fill_values(values, seconds, url);
    switch (pg_lib.PQpingParams(keys, values, 1)) {
    case PQPING_NO_ATTEMPT: return IS_WRONG;
    case PQPING_OK: break;
    default:
        return str_find_str(message, STR("could not translate host name")) >= 0 ? IS_LOST : IS_AWAY;
    }
    bool is_full = str_find_str(message, STR("too many c")) >= 0 ||
                   str_find_str(message, STR("connection slots")) >= 0;
    return is_full ? IS_FULL : IS_REFUSED;
}

static int fail(Verdict verdict, const Buf *message, Error *err)
{
    switch (verdict) {
    case IS_WRONG: /* libpq's message may show a part of the password */
        (void)error_set(err, ERR_USAGE, "the address of the database cannot be read");
        return error_fix(err, "use postgresql://user:password@host:port/name, with other "
                              "characters than letters and digits in percent-encoding");
    case IS_REFUSED:
        return error_set(err, ERR_DENIED, "the database does not let us in: %s", message->data);
    case IS_FULL:
        return error_set(err, ERR_BUSY, "the database has no connection to give: %s",
                         message->data);
    default: return error_set(err, ERR_UNREACHABLE, "cannot reach the database: %s", message->data);
    }
}

/* Sleeps for a random part of a time that doubles, at most until the deadline; false when that has
   passed. */
static bool pause_before(int attempt, int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    int64_t most_ms = PAUSE_MIN_MS;
    for (int i = 1; i < attempt && most_ms < PAUSE_MAX_MS; i++)
        most_ms *= 2;
    if (left_ms <= 0)
        return false;
    uint32_t chance = 0;
    random_bytes(&chance, sizeof(chance));
    int64_t ms = most_ms / 2 + chance % (most_ms / 2);
    ms = ms < left_ms ? ms : left_ms;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
    return true;
}

static int connect_until(const char *url, int wait_ms, PgConn **ret, Error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + wait_ms;
    auto_free char *seconds = mem_printf("%d", wait_ms < 2000 ? 2 : wait_ms / 1000);
    auto_buf Buf message = BUF_INIT(MESSAGE_MAX);
    int n_refused = 0;
    for (int attempt = 1;; attempt++) {
        PgConn *conn = try_to_connect(url, seconds, &message);
        if (conn) {
            *ret = conn;
            return 0;
        }
        Verdict verdict = judge(url, seconds, buf_str(&message));
        /* The first refusal may have been from a server that has become ready meanwhile. */
        if (verdict == IS_REFUSED && n_refused++ == 0)
            continue;
        if (verdict <= IS_REFUSED || verdict == IS_LOST || !pause_before(attempt, deadline_ms))
            return fail(verdict, &message, err);
    }
}

int pg_conn_open(const char *url, bool is_untrusted, int wait_ms, SqlConn **ret, Error *err)
{
    if (load_libpq(err) < 0)
        return -1;
    PgConn *conn = NULL;
    if (connect_until(url, wait_ms, &conn, err) < 0)
        return -1;
    assert(conn);
    if (pg_conn_script(&conn->base, session, err) < 0 ||
        (is_untrusted && check_role(conn, err) < 0)) {
        pg_conn_free(&conn->base);
        return -1;
    }
    *ret = &conn->base;
    return 0;
}

void pg_conn_free(SqlConn *base)
{
    PgConn *conn = (PgConn *)base;
    pg_conn_forget_all(conn);
    error_reset(&conn->deferred);
    pg_lib.PQfinish(conn->db);
    free(conn);
}
