/* What a database driver provides to sql.c and sql_load.c. A connection is used by one thread at a
   time. */
#ifndef HAWK_SQL_SQL_PRIV_H
#define HAWK_SQL_SQL_PRIV_H

#include "base/buf.h"
#include "sql/sql.h"

/* How a transaction begins. */
typedef struct SqlBegin {
    SqlMode mode;
    int wait_ms;
    const SqlReader *reader; /* NULL: as oneself; else with the value in its setting */
    Str value;
    const char *settings; /* statements for PostgreSQL; NULL: none */
} SqlBegin;

typedef struct SqlDriver SqlDriver;

/* First member of every driver's connection. */
typedef struct SqlConn {
    bool is_broken; /* the server is gone: not to be used again */
    bool is_warm;   /* see sql_keep_ready */
} SqlConn;

struct SqlTx {
    Sql *sql;
    const SqlDriver *driver;
    SqlConn *conn;
    bool is_lone_writer;
    bool has_failed;
    size_t n_rows_open;
    size_t n_loads_open;
};

/* 0, or -1 with an error when the transaction has failed: a further statement would run outside of
   it in SQLite and be refused by PostgreSQL. */
int sql_tx_check(const SqlTx *tx, Error *err) HAWK_MUST_USE;

/* Whether it stands for NULL: a list without a text does. */
static inline bool sql_value_is_null(const SqlValue *value)
{
    return value->type == SQL_TYPE_NULL || (value->type == SQL_TYPE_LIST && !value->text.p);
}

/* First member of every driver's rows. */
struct SqlRows {
    const SqlDriver *driver;
    SqlTx *tx;
};

/* First member of every driver's load. */
struct SqlLoad {
    SqlTx *tx;
    const char *table;
    const SqlColumn *columns;
    size_t n_columns;
    bool is_json_valid; /* by the word of the caller */
};

/* Puts "table.column: " in front of the message of a set error, and returns -1. */
int sql_load_wrap(const SqlLoad *load, size_t column, Error *err);

/* "a", "b", "c": the names of the columns as identifiers. */
void sql_load_add_names(const SqlLoad *load, Buf *buf);

struct SqlDriver {
    const char *scheme; /* what its URLs begin with */
    SqlDialect dialect;
    bool shares_writing; /* SQL_WRITE_SHARED is another mode than SQL_WRITE */

    int (*connect)(const char *url, bool is_untrusted, int wait_ms, SqlConn **ret, Error *err);
    void (*disconnect)(SqlConn *conn);
    int (*begin)(SqlConn *conn, const SqlBegin *how, Error *err);
    int (*leave_reader)(SqlConn *conn, Error *err);
    int (*limit)(SqlConn *conn, int limit_ms, Error *err); /* of each statement until the end */
    int (*commit)(SqlConn *conn, Error *err);
    void (*rollback)(SqlConn *conn);
    int (*script)(SqlConn *conn, const char *text, Error *err); /* several statements */
    int (*exec)(SqlConn *conn, const char *statement, const SqlValue *args, size_t n_args,
                int64_t *ret_changed, Error *err);
    int (*query)(SqlConn *conn, const char *statement, const SqlValue *args, size_t n_args,
                 SqlRows **ret, Error *err);
    int (*query_few)(SqlConn *conn, const char *statement, const SqlValue *args, size_t n_args,
                     SqlRows **ret, Error *err); /* may be the same */
    int (*lock)(SqlConn *conn, const char *name, Error *err);

    int (*rows_next)(SqlRows *rows, Error *err);
    void (*rows_free)(SqlRows *rows);
    bool (*rows_is_null)(const SqlRows *rows, int column);
    Str (*rows_text)(const SqlRows *rows, int column);
    int64_t (*rows_int)(const SqlRows *rows, int column);
    double (*rows_real)(const SqlRows *rows, int column);
    Str (*rows_real_text)(const SqlRows *rows, int column); /* NULL: never has it */
    SqlType (*rows_type)(const SqlRows *rows, int column);
    int (*rows_n_columns)(const SqlRows *rows);
    const char *(*rows_name)(const SqlRows *rows, int column);

    /* ret's base is filled by sql_load.c before load_start, which may fail. */
    SqlLoad *(*load_new)(SqlConn *conn);
    int (*load_start)(SqlLoad *load, Error *err);
    int (*load_row)(SqlLoad *load, const SqlValue *values, Error *err); /* of the right types */
    int (*load_flush)(SqlLoad *load, Error *err);
    void (*load_free)(SqlLoad *load);
};

extern const SqlDriver sql_driver_sqlite;
extern const SqlDriver sql_driver_postgres;

#endif
