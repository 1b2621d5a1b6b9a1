/* What a database driver provides to sql.c. A connection is used by one thread at a time. */
#ifndef HAWK_SQL_SQL_PRIV_H
#define HAWK_SQL_SQL_PRIV_H

#include "sql/sql.h"

typedef struct SqlDriver SqlDriver;

/* First member of every driver's connection. */
typedef struct SqlConn {
    bool is_broken; /* the server is gone: not to be used again */
} SqlConn;

/* First member of every driver's rows. */
struct SqlRows {
    const SqlDriver *driver;
    SqlTx *tx;
};

struct SqlDriver {
    const char *scheme; /* what its URLs begin with */
    SqlDialect dialect;
    bool shares_writing; /* SQL_WRITE_SHARED is another mode than SQL_WRITE */

    int (*connect)(const char *url, int wait_ms, SqlConn **ret, Error *err);
    void (*disconnect)(SqlConn *conn);
    int (*begin)(SqlConn *conn, SqlMode mode, int wait_ms, Error *err);
    int (*commit)(SqlConn *conn, Error *err);
    void (*rollback)(SqlConn *conn);
    int (*script)(SqlConn *conn, const char *text, Error *err); /* several statements */
    int (*exec)(SqlConn *conn, const char *statement, const SqlValue *args, size_t n_args,
                int64_t *ret_changed, Error *err);
    int (*query)(SqlConn *conn, const char *statement, const SqlValue *args, size_t n_args,
                 SqlRows **ret, Error *err);
    int (*lock)(SqlConn *conn, const char *name, Error *err);

    int (*rows_next)(SqlRows *rows, Error *err);
    void (*rows_free)(SqlRows *rows);
    bool (*rows_is_null)(const SqlRows *rows, int column);
    Str (*rows_text)(const SqlRows *rows, int column);
    int64_t (*rows_int)(const SqlRows *rows, int column);
    double (*rows_real)(const SqlRows *rows, int column);
    int (*rows_n_columns)(const SqlRows *rows);
    const char *(*rows_name)(const SqlRows *rows, int column);
};

extern const SqlDriver sql_driver_sqlite;
extern const SqlDriver sql_driver_postgres;

#endif
