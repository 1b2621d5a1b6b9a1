/* Statements and rows of the SQLite driver.

   SQLite numbers "$1", "$2" by first appearance and not by the digits, so values are bound by name.
   Some failures (full disk, I/O) end the transaction by themselves; sql.c lets nothing run after a
   failure. */

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sql/sql_sqlite_priv.h"

struct SqliteRows {
    SqlRows base;
    SqliteConn *conn;
    SqliteStatement *statement;
    int64_t deadline_ms;
};

void sqlite_statement_free(SqliteStatement *statement)
{
    if (!statement)
        return;
    sqlite3_finalize(statement->stmt);
    free(statement->text);
    free(statement);
}

/* Puts a new statement in the place of the one unused for longest, if any is idle. */
static void remember(SqliteConn *conn, SqliteStatement *statement)
{
    size_t place = SQLITE_N_CACHED;
    for (size_t i = 0; i < SQLITE_N_CACHED; i++) {
        SqliteStatement *old = conn->cache[i];
        if (!old) {
            place = i;
            break;
        }
        if (!old->is_busy &&
            (place == SQLITE_N_CACHED || old->last_used < conn->cache[place]->last_used))
            place = i;
    }
    if (place == SQLITE_N_CACHED)
        return;
    sqlite_statement_free(conn->cache[place]);
    conn->cache[place] = statement;
    statement->is_cached = true;
}

/* Whether anything but white space and comments follows the first statement. */
static bool has_more(SqliteConn *conn, const char *tail)
{
    sqlite3_stmt *next = NULL;
    bool is_more = sqlite3_prepare_v2(conn->db, tail, -1, &next, NULL) != SQLITE_OK || next;
    sqlite3_finalize(next);
    return is_more;
}

static int prepare(SqliteConn *conn, const char *text, SqliteStatement **ret, Error *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    if (sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, &tail) !=
        SQLITE_OK)
        return sqlite_conn_fail(conn, err);
    if (!stmt || has_more(conn, tail)) {
        sqlite3_finalize(stmt);
        return error_set(err, ERR_INTERNAL, "the database takes exactly one statement at a time");
    }
    SqliteStatement *statement = mem_alloc(sizeof(*statement));
    statement->stmt = stmt;
    statement->text = mem_strdup(text);
    *ret = statement;
    return 0;
}

int sqlite_statement_take(SqliteConn *conn, const char *text, SqliteStatement **ret, Error *err)
{
    SqliteStatement *found = NULL;
    for (size_t i = 0; i < SQLITE_N_CACHED && !found; i++)
        if (conn->cache[i] && !conn->cache[i]->is_busy && strcmp(conn->cache[i]->text, text) == 0)
            found = conn->cache[i];
    if (!found) {
        if (prepare(conn, text, &found, err) < 0)
            return -1;
        remember(conn, found);
    }
    found->is_busy = true;
    found->last_used = ++conn->clock;
    *ret = found;
    return 0;
}

void sqlite_statement_put(SqliteStatement *statement)
{
    (void)sqlite3_reset(
        statement->stmt); /* repeats the error of the last step, which was reported */
    sqlite3_clear_bindings(statement->stmt);
    statement->is_busy = false;
    if (!statement->is_cached)
        sqlite_statement_free(statement);
}

int sqlite_statement_bind(SqliteStatement *statement, int at, const SqlValue *value, bool outlives)
{
    sqlite3_stmt *stmt = statement->stmt;
    sqlite3_destructor_type life = outlives ? SQLITE_STATIC : SQLITE_TRANSIENT;
    switch (value->type) {
    case SQL_TYPE_INT:
    case SQL_TYPE_BOOL:
    case SQL_TYPE_INSTANT: return sqlite3_bind_int64(stmt, at, value->integer);
    case SQL_TYPE_REAL: return sqlite3_bind_double(stmt, at, value->real);
    case SQL_TYPE_LIST:
        if (!value->text.p)
            return sqlite3_bind_null(stmt, at);
        __attribute__((fallthrough));
    case SQL_TYPE_JSON:
    case SQL_TYPE_TEXT:
        return sqlite3_bind_text64(stmt, at, value->text.p, value->text.n, life, SQLITE_UTF8);
    case SQL_TYPE_BLOB:
        return sqlite3_bind_blob64(stmt, at, value->text.p ? value->text.p : "", value->text.n,
                                   life);
    default: return sqlite3_bind_null(stmt, at);
    }
}

static int bind_all(SqliteConn *conn, SqliteStatement *statement, const SqlValue *args,
                    size_t n_args, bool outlives, Error *err)
{
    sqlite3_stmt *stmt = statement->stmt;
    int n = sqlite3_bind_parameter_count(stmt);
    for (int at = 1; at <= n; at++) {
        const char *name = sqlite3_bind_parameter_name(stmt, at);
        int64_t number = 0;
        if (!name || name[0] != '$' ||
            str_to_i64(str_of(name + 1), 1, (int64_t)n_args, &number) < 0)
            return error_set(err, ERR_INTERNAL, "a statement has no value for %s",
                             name ? name : "?");
        assert(args);
        if (sqlite_statement_bind(statement, at, &args[number - 1], outlives) != SQLITE_OK)
            return sqlite_conn_fail(conn, err);
    }
    return 0;
}

static int prepare_bound(SqliteConn *conn, const char *text, const SqlValue *args, size_t n_args,
                         bool outlives, SqliteStatement **ret, Error *err)
{
    SqliteStatement *statement = NULL;
    if (sqlite_statement_take(conn, text, &statement, err) < 0)
        return -1;
    int result = 0;
    if (conn->mode == SQL_READ && !sqlite3_stmt_readonly(statement->stmt))
        result =
            error_set(err, ERR_INTERNAL, "a statement that writes in a transaction that reads");
    else
        result = bind_all(conn, statement, args, n_args, outlives, err);
    if (result < 0) {
        sqlite_statement_put(statement);
        return -1;
    }
    sqlite_conn_start_clock(conn);
    *ret = statement;
    return 0;
}

int sqlite_conn_exec(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                     int64_t *ret_changed, Error *err)
{
    SqliteConn *conn = (SqliteConn *)base;
    SqliteStatement *statement = NULL;
    if (prepare_bound(conn, text, args, n_args, true, &statement, err) < 0)
        return -1;
    int64_t before = sqlite3_total_changes64(conn->db);
    int step = SQLITE_ROW;
    while (step == SQLITE_ROW)
        step = sqlite3_step(statement->stmt);
    int result = step == SQLITE_DONE ? 0 : sqlite_conn_fail(conn, err);
    /* Only an INSERT, UPDATE or DELETE sets sqlite3_changes, so others are told apart by the total.
     */
    *ret_changed = sqlite3_total_changes64(conn->db) == before ? 0 : sqlite3_changes64(conn->db);
    sqlite_statement_put(statement);
    return result;
}

int sqlite_conn_query(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                      SqlRows **ret, Error *err)
{
    SqliteConn *conn = (SqliteConn *)base;
    SqliteStatement *statement = NULL;
    if (prepare_bound(conn, text, args, n_args, false, &statement, err) < 0)
        return -1;
    SqliteRows *rows = mem_alloc(sizeof(*rows));
    rows->conn = conn;
    rows->statement = statement;
    rows->deadline_ms = conn->deadline_ms;
    *ret = &rows->base;
    return 0;
}

int sqlite_conn_script(SqlConn *base, const char *text, Error *err)
{
    SqliteConn *conn = (SqliteConn *)base;
    if (sqlite3_exec(conn->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_conn_fail(conn, err);
    return 0;
}

int sqlite_rows_next(SqlRows *base, Error *err)
{
    SqliteRows *rows = (SqliteRows *)base;
    rows->conn->deadline_ms = rows->deadline_ms; /* others may have run in between */
    int step = sqlite3_step(rows->statement->stmt);
    if (step == SQLITE_ROW)
        return 1;
    return step == SQLITE_DONE ? 0 : sqlite_conn_fail(rows->conn, err);
}

void sqlite_rows_free(SqlRows *base)
{
    SqliteRows *rows = (SqliteRows *)base;
    sqlite_statement_put(rows->statement);
    free(rows);
}

static sqlite3_stmt *stmt_of(const SqlRows *base)
{
    return ((const SqliteRows *)base)->statement->stmt;
}

bool sqlite_rows_is_null(const SqlRows *rows, int column)
{
    return sqlite3_column_type(stmt_of(rows), column) == SQLITE_NULL;
}

Str sqlite_rows_text(const SqlRows *rows, int column)
{
    sqlite3_stmt *stmt = stmt_of(rows);
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return STR_NONE;
    const char *bytes = sqlite3_column_blob(stmt, column); /* for text: the same bytes */
    int n = sqlite3_column_bytes(stmt, column);
    return (Str){bytes ? bytes : "", (size_t)n};
}

int64_t sqlite_rows_int(const SqlRows *rows, int column)
{
    return sqlite3_column_int64(stmt_of(rows), column);
}

SqlType sqlite_rows_type(const SqlRows *rows, int column)
{
    switch (sqlite3_column_type(stmt_of(rows), column)) {
    case SQLITE_INTEGER: return SQL_TYPE_INT;
    case SQLITE_FLOAT: return SQL_TYPE_REAL;
    case SQLITE_TEXT: return SQL_TYPE_TEXT;
    case SQLITE_BLOB: return SQL_TYPE_BLOB;
    default: return SQL_TYPE_NULL;
    }
}

double sqlite_rows_real(const SqlRows *rows, int column)
{
    return sqlite3_column_double(stmt_of(rows), column);
}

int sqlite_rows_n_columns(const SqlRows *rows)
{
    return sqlite3_column_count(stmt_of(rows));
}

const char *sqlite_rows_name(const SqlRows *rows, int column)
{
    return sqlite3_column_name(stmt_of(rows), column);
}
