/* The PostgreSQL driver: errors and transactions.

   Write transactions queue up behind an advisory lock, so that code which reads and then writes is
   as right here as in SQLite; those that share writing do not. */

#include <stdlib.h>

#include "base/mem.h"
#include "sql/sql_postgres_priv.h"

enum {
    LOCK_KEY = 0x6861776b, /* of the advisory lock of writers */
    SCRIPT_MAX = 1024,
};

typedef struct StateRow {
    const char *prefix; /* of the SQLSTATE; the first that fits counts */
    ErrorKind kind;
    const char *code; /* or NULL */
    const char *what;
} StateRow;

/* clang-format off */
static const StateRow states[] = {
    { "23505", ERR_CONFLICT,    "sql.unique",      "the database refused a value" },
    { "23503", ERR_CONFLICT,    "sql.foreign_key", "the database refused a value" },
    { "23502", ERR_CONFLICT,    "sql.not_null",    "the database refused a value" },
    { "23514", ERR_CONFLICT,    "sql.check",       "the database refused a value" },
    { "23",    ERR_CONFLICT,    NULL,              "the database refused a value" },
    { "53100", ERR_NO_SPACE,    NULL,              "the disk of the database is full" },
    { "53200", ERR_BUSY,        "sql.too_large",   "the database is out of memory" },
    { "53",    ERR_BUSY,        NULL,              "the database is overloaded" },
    { "55P03", ERR_BUSY,        NULL,              "another write to the database took too long" },
    { "40",    ERR_BUSY,        NULL,              "the database gave way to another transaction" },
    { "57014", ERR_CANCELLED,   NULL,              "the statement was cancelled" },
    { "25006", ERR_DENIED,      NULL,              "the statement may only read" },
    { "25P03", ERR_TIMEOUT,     NULL,              "the transaction was idle for too long" },
    { "57P",   ERR_UNREACHABLE, NULL,              "the database is shutting down" },
    { "08P01", ERR_INTERNAL,    NULL,              "the database refused a statement" },
    { "08",    ERR_UNREACHABLE, NULL,              "the database broke off" },
    { "28",    ERR_DENIED,      NULL,              "the database does not let us in" },
    { "42501", ERR_DENIED,      NULL,              "the database does not allow this" },
    { "22",    ERR_BAD_DATA,    NULL,              "the database cannot take a value" },
    { "54",    ERR_BAD_DATA,    "sql.too_large",               "a value is too large for the database" },
};
/* clang-format on */

/* The server ends the connection with what it calls fatal, though libpq may learn of it later. */
static bool is_fatal(const PGresult *result)
{
    const char *severity = pg_lib.PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

int pg_conn_fail(PgConn *conn, const PGresult *result, Error *err)
{
    const char *state = result ? pg_lib.PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (!state) { /* the words are libpq's own */
        conn->base.is_broken = true;
        Str message = str_trim(str_of(pg_lib.PQerrorMessage(conn->db)));
        return error_set(err, ERR_UNREACHABLE, "the database broke off: %.*s", STR_ARG(message));
    }
    if (pg_lib.PQstatus(conn->db) != CONNECTION_OK || is_fatal(result))
        conn->base.is_broken = true;
    const char *message = pg_lib.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (strcmp(state, "57014") == 0 && conn->limit_ms > 0)
        return error_set(err, ERR_TIMEOUT, "the statement took longer than it may (%d ms)",
                         conn->limit_ms);
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        if (!str_starts(str_of(state), str_of(states[i].prefix)))
            continue;
        (void)error_set(err, states[i].kind, "%s: %s", states[i].what, message ? message : state);
        if (states[i].code)
            (void)error_code(err, states[i].code);
        return -1;
    }
    const char *position = pg_lib.PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    return error_set(err, conn->base.is_broken ? ERR_UNREACHABLE : ERR_INTERNAL,
                     "the database refused a statement: %s%s%s", message ? message : state,
                     position ? ", at character " : "", position ? position : "");
}

static void pg_rollback(SqlConn *base)
{
    PgConn *conn = (PgConn *)base;
    pg_conn_settle_all(conn);
    if (!conn->base.is_broken && pg_lib.PQtransactionStatus(conn->db) != PQTRANS_IDLE)
        pg_lib.PQclear(pg_lib.PQexec(conn->db, "ROLLBACK"));
    if (pg_lib.PQtransactionStatus(conn->db) != PQTRANS_IDLE)
        conn->base.is_broken = true;
}

/* A value as a literal: quotes are doubled, and backslashes mean themselves (see the session). */
static void add_literal(Buf *text, Str value)
{
    buf_addc(text, '\'');
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\'')
            buf_addc(text, '\'');
        buf_addc(text, value.p[i]);
    }
    buf_addc(text, '\'');
}

static int pg_begin(SqlConn *base, const SqlBegin *how, Error *err)
{
    static const char *const begins[] = {
        [SQL_READ] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        [SQL_WRITE] = "BEGIN",
        [SQL_WRITE_SHARED] = "BEGIN",
    };
    auto_buf Buf text = BUF_INIT(SCRIPT_MAX + 2 * how->value.n);
    ((PgConn *)base)->limit_ms = 0;
    ((PgConn *)base)->is_reader = how->reader != NULL;
    buf_printf(&text, "%s; SET LOCAL lock_timeout = %d", begins[how->mode],
               how->wait_ms > 0 ? how->wait_ms : 1);
    if (how->mode == SQL_WRITE)
        buf_printf(&text, "; SELECT pg_advisory_xact_lock(%d)", LOCK_KEY);
    if (how->settings)
        buf_printf(&text, "; %s", how->settings);
    if (how->reader) {
        buf_printf(&text, "; SET LOCAL %s = ", how->reader->setting);
        add_literal(&text, how->value);
        buf_printf(&text, "; SET LOCAL ROLE %s", how->reader->role);
    }
    if (buf_check(&text, "the beginning of a transaction", err) == 0 &&
        pg_conn_script(base, text.data, err) == 0)
        return 0;
    pg_rollback(base);
    return -1;
}

static int pg_leave_reader(SqlConn *base, Error *err)
{
    ((PgConn *)base)->is_reader = false;
    return pg_conn_script(base, "SET LOCAL ROLE NONE", err);
}

static int pg_limit(SqlConn *base, int limit_ms, Error *err)
{
    auto_free char *text = mem_printf("SET LOCAL statement_timeout = %d", limit_ms);
    ((PgConn *)base)->limit_ms = limit_ms;
    return pg_conn_script(base, text, err);
}

static int pg_lock(SqlConn *base, const char *name, Error *err)
{
    int64_t changed = 0;
    return pg_conn_exec(base, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                        SQL_ARGS(SQL_TEXTZ(name)), &changed, err);
}

static int pg_commit(SqlConn *base, Error *err)
{
    PgConn *conn = (PgConn *)base;
    if (pg_conn_settle(conn, err) < 0)
        return -1;
    PGresult *result = pg_lib.PQexec(conn->db, "COMMIT");
    int status = 0;
    if (pg_lib.PQresultStatus(result) != PGRES_COMMAND_OK)
        status = pg_conn_fail(conn, result, err);
    else if (strcmp(pg_lib.PQcmdStatus(result), "COMMIT") != 0) /* but ROLLBACK */
        status = error_set(err, ERR_INTERNAL, "the database gave the transaction up");
    pg_lib.PQclear(result);
    return status;
}

const SqlDriver sql_driver_postgres = {
    .scheme = "postgres", /* postgres:// and postgresql:// */
    .dialect = SQL_POSTGRES,
    .shares_writing = true,
    .connect = pg_conn_open,
    .disconnect = pg_conn_free,
    .begin = pg_begin,
    .leave_reader = pg_leave_reader,
    .limit = pg_limit,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .script = pg_conn_script,
    .exec = pg_conn_exec,
    .query = pg_conn_query,
    .query_few = pg_conn_query_few,
    .lock = pg_lock,
    .rows_next = pg_rows_next,
    .rows_free = pg_rows_free,
    .rows_is_null = pg_rows_is_null,
    .rows_text = pg_rows_text,
    .rows_int = pg_rows_int,
    .rows_real = pg_rows_real,
    .rows_real_text = pg_rows_real_text,
    .rows_type = pg_rows_type,
    .rows_n_columns = pg_rows_n_columns,
    .rows_name = pg_rows_name,
    .load_new = pg_load_new,
    .load_start = pg_load_start,
    .load_row = pg_load_row,
    .load_flush = pg_load_flush,
    .load_free = pg_load_free,
};
