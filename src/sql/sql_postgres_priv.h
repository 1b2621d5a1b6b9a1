/* What the files of the PostgreSQL driver share: libpq, the connection, values on the wire. */
#ifndef HAWK_SQL_SQL_POSTGRES_PRIV_H
#define HAWK_SQL_SQL_POSTGRES_PRIV_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "sql/sql_priv.h"

enum {
    PG_N_PREPARED = 64,
    PG_NAME_MAX_BYTES = 32,
    PG_VALUES_MAX = 1000 * 1000 * 1000, /* of one statement; PostgreSQL's own limit is 1 GiB */
};

/* Numbers of types, as in PostgreSQL's pg_type.dat. */
enum {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_OID = 26,
    PG_FLOAT4 = 700,
    PG_FLOAT8 = 701,
    PG_TEXT_LIST = 1009,
    PG_VARCHAR_LIST = 1015,
    PG_DATE = 1082,
    PG_TIMESTAMP = 1114,
    PG_TIMESTAMPTZ = 1184,
    PG_NUMERIC = 1700,
    PG_JSON = 114,
    PG_JSONB = 3802,
};

/* The functions of libpq in use: one row each makes both the pointer and its name. */
#define PG_FUNCTIONS(X)                                                                            \
    X(PQconnectdbParams)                                                                           \
    X(PQstatus)                                                                                    \
    X(PQfinish)                                                                                    \
    X(PQsetNoticeProcessor)                                                                        \
    X(PQerrorMessage)                                                                              \
    X(PQexec)                                                                                      \
    X(PQprepare)                                                                                   \
    X(PQexecPrepared)                                                                              \
    X(PQsendQueryPrepared)                                                                         \
    X(PQsetSingleRowMode)                                                                          \
    X(PQgetResult)                                                                                 \
    X(PQresultStatus)                                                                              \
    X(PQresultErrorField)                                                                          \
    X(PQclear)                                                                                     \
    X(PQcmdTuples)                                                                                 \
    X(PQtransactionStatus)                                                                         \
    X(PQnfields)                                                                                   \
    X(PQntuples)                                                                                   \
    X(PQfname)                                                                                     \
    X(PQftype)                                                                                     \
    X(PQgetisnull)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQgetlength)                                                                                 \
    X(PQputCopyData)                                                                               \
    X(PQsetnonblocking) X(PQflush) X(PQcmdStatus) X(PQputCopyEnd) X(PQpingParams)

typedef struct PgLib {
#define X(name) __typeof__(name) *name;
    PG_FUNCTIONS(X)
#undef X
} PgLib;

/* Filled once, before the first connection. */
extern PgLib pg_lib;

typedef struct PgPrepared {
    char *text; /* NULL: free */
    Oid *types; /* that its values were declared with, 0: inferred by the server */
    size_t n_types;
    bool is_reader; /* the server plans anew for another role, where there are policies */
    char name[PG_NAME_MAX_BYTES];
    uint64_t last_used;
} PgPrepared;

typedef struct PgRows PgRows;
typedef struct PgLoad PgLoad;

typedef struct PgConn {
    SqlConn base;
    PGconn *db;
    PgPrepared prepared[PG_N_PREPARED];
    uint64_t clock;
    bool is_reader;    /* of the transaction: it has taken on the reader's role */
    int limit_ms;      /* of a statement of the transaction; 0: none */
    PgRows *streaming; /* whose rows are still on their way, or NULL */
    PgLoad *sending;   /* to whose rows the server has not yet said anything, or NULL */
    Error deferred;    /* what it said, if that is still to be reported */
} PgConn;

/* Connects, waiting for a server that is not ready; and disconnects. */
int pg_conn_open(const char *url, bool is_untrusted, int wait_ms, SqlConn **ret, Error *err);
void pg_conn_free(SqlConn *base);

/* Sets the error that fits a failed result, which may be NULL, and returns -1. Only the primary
   message is shown: details repeat values. */
int pg_conn_fail(PgConn *conn, const PGresult *result, Error *err);

/* Makes the connection free for the next statement: takes in the rest of the rows that are on their
   way, and the server's answer to rows that were sent, which is what can fail. */
int pg_conn_settle(PgConn *conn, Error *err);

/* The same for rows alone; for a load alone, if it is the one, whose failure is kept for later; and
   for everything, forgetting failures. */
void pg_conn_settle_rows(PgConn *conn);
void pg_conn_settle_load(PgConn *conn, const PgLoad *load);
void pg_conn_settle_all(PgConn *conn);

/* Forgets all prepared statements without telling the server. */
void pg_conn_forget_all(PgConn *conn);

/* The statements of the driver's table. */
int pg_conn_script(SqlConn *base, const char *text, Error *err);
int pg_conn_exec(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                 int64_t *ret_changed, Error *err);
int pg_conn_query(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                  SqlRows **ret, Error *err);
int pg_conn_query_few(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                      SqlRows **ret, Error *err);

/* The rows of the driver's table. */
int pg_rows_next(SqlRows *base, Error *err);
void pg_rows_free(SqlRows *base);
bool pg_rows_is_null(const SqlRows *base, int column);
Str pg_rows_text(const SqlRows *base, int column);
int64_t pg_rows_int(const SqlRows *base, int column);
double pg_rows_real(const SqlRows *base, int column);
Str pg_rows_real_text(const SqlRows *base, int column);
SqlType pg_rows_type(const SqlRows *base, int column);
int pg_rows_n_columns(const SqlRows *base);
const char *pg_rows_name(const SqlRows *base, int column);

/* The loads of the driver's table. */
SqlLoad *pg_load_new(SqlConn *conn);
int pg_load_start(SqlLoad *base, Error *err);
int pg_load_row(SqlLoad *base, const SqlValue *values, Error *err);
int pg_load_flush(SqlLoad *base, Error *err);
void pg_load_free(SqlLoad *base);

/* Waits for the answer to the rows that were sent; the connection is free afterwards. */
int pg_load_finish(PgLoad *load, Error *err);

/* The values of a statement as libpq takes them. */
typedef struct PgArgs {
    const char **values;
    int *lengths;
    int *formats;
    Oid *types; /* 0 where the server infers it */
    size_t n;
    Buf bytes;
} PgArgs;

/* Fills args, which the caller releases also after a failure. */
int pg_args_init(PgArgs *args, const SqlValue *values, size_t n, Error *err);
void pg_args_release(PgArgs *args);

/* Appends big-endian numbers of the binary protocol. */
void pg_args_add_i16(Buf *buf, int16_t value);
void pg_args_add_i32(Buf *buf, int32_t value);
void pg_args_add_i64(Buf *buf, int64_t value);

/* Appends an instant or a JSON array of strings in the binary form of timestamptz and text[]
   (PostgreSQL's timestamptz_recv and array_recv). */
int pg_args_add_instant(Buf *buf, int64_t instant_us, Error *err);
int pg_args_add_list(Buf *buf, Str json, Error *err);

#endif
