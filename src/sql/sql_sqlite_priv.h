/* What the files of the SQLite driver share: the connection and its prepared statements. */
#ifndef HAWK_SQL_SQL_SQLITE_PRIV_H
#define HAWK_SQL_SQL_SQLITE_PRIV_H

#include <sqlite3.h>

#include "sql/sql_priv.h"

enum { SQLITE_N_CACHED = 64 };

typedef struct SqliteStatement {
    sqlite3_stmt *stmt;
    char *text;
    uint64_t last_used;
    bool is_busy;
    bool is_cached;
} SqliteStatement;

typedef struct SqliteRows SqliteRows;
typedef struct SqliteLoad SqliteLoad;

typedef struct SqliteConn {
    SqlConn base;
    sqlite3 *db;
    SqliteStatement *cache[SQLITE_N_CACHED];
    uint64_t clock;
    SqlMode mode;
    bool has_room;       /* for the pages that a load changes */
    int limit_ms;        /* of a statement; 0: none */
    int64_t deadline_ms; /* of the one that runs, by the monotonic clock */
} SqliteConn;

/* Sets the error that fits the last failure of the connection, and returns -1. */
int sqlite_conn_fail(SqliteConn *conn, Error *err);

/* A statement ready to be bound; the caller gives it back with sqlite_statement_put. */
int sqlite_statement_take(SqliteConn *conn, const char *text, SqliteStatement **ret, Error *err);
void sqlite_statement_put(SqliteStatement *statement);
void sqlite_statement_free(SqliteStatement *statement);

/* Binds the value at a place, from 1. Views that outlive the statement's use are not copied.
   Returns SQLite's code. */
int sqlite_statement_bind(SqliteStatement *statement, int at, const SqlValue *value, bool outlives);

/* Lets only reading statements through, and nothing that leads outside of the database file. */
void sqlite_conn_guard(SqliteConn *conn);

/* Lets triggers and views of the file call only what ours call. ERR_BAD_DATA for a file with
   virtual tables that are not ours. */
int sqlite_conn_guard_schema(SqliteConn *conn, Error *err) HAWK_MUST_USE;

/* How long each statement may take from now on, 0: as long as it takes; and counts the time of one
   that starts now. */
void sqlite_conn_limit(SqliteConn *conn, int limit_ms);
void sqlite_conn_start_clock(SqliteConn *conn);

/* Lets the connection hold the pages that a load changes: those that have to leave before the
   commit are written, and read again, and written once more. */
int sqlite_conn_make_room(SqliteConn *conn, Error *err);

/* The statements of the driver's table. */
int sqlite_conn_script(SqlConn *base, const char *text, Error *err);
int sqlite_conn_exec(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                     int64_t *ret_changed, Error *err);
int sqlite_conn_query(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                      SqlRows **ret, Error *err);

/* The rows of the driver's table. */
int sqlite_rows_next(SqlRows *base, Error *err);
void sqlite_rows_free(SqlRows *base);
bool sqlite_rows_is_null(const SqlRows *rows, int column);
Str sqlite_rows_text(const SqlRows *rows, int column);
int64_t sqlite_rows_int(const SqlRows *rows, int column);
double sqlite_rows_real(const SqlRows *rows, int column);
SqlType sqlite_rows_type(const SqlRows *rows, int column);
int sqlite_rows_n_columns(const SqlRows *rows);
const char *sqlite_rows_name(const SqlRows *rows, int column);

/* The loads of the driver's table. */
SqlLoad *sqlite_load_new(SqlConn *conn);
int sqlite_load_start(SqlLoad *base, Error *err);
int sqlite_load_row(SqlLoad *base, const SqlValue *values, Error *err);
int sqlite_load_flush(SqlLoad *base, Error *err);
void sqlite_load_free(SqlLoad *base);

#endif
