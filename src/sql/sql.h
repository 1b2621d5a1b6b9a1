/* Sql: one face for SQLite and PostgreSQL. Knows no table but its own record of migrations.

   Statements use $1, $2, ... for values, which are always bound. A transaction belongs to one
   thread; a Sql may be used by many. Write transactions queue up behind one another, also those of
   other processes; readers do not wait. */
#ifndef HAWK_SQL_SQL_H
#define HAWK_SQL_SQL_H

#include <stdbool.h>

#include "base/embedded.h"
#include "base/error.h"
#include "base/str.h"

typedef struct Sql Sql;
typedef struct SqlTx SqlTx;
typedef struct SqlRows SqlRows;

typedef enum SqlDialect { SQL_SQLITE, SQL_POSTGRES } SqlDialect;

typedef enum SqlType {
    SQL_TYPE_NULL,
    SQL_TYPE_INT,
    SQL_TYPE_REAL,
    SQL_TYPE_TEXT,
    SQL_TYPE_BLOB,
    SQL_TYPE_BOOL,    /* bound only; read as a number */
    SQL_TYPE_INSTANT, /* microseconds UTC, INT64_MAX is infinity; bound only; read as a number */
    SQL_TYPE_JSON,    /* read from PostgreSQL, as text; bound, it is text */
    SQL_TYPE_LIST,    /* a JSON array of strings; bound only; read as text; STR_NONE is NULL */
} SqlType;
typedef struct SqlValue {
    SqlType type;
    int64_t integer;
    double real;
    Str text;
} SqlValue;

#define SQL_NULL ((SqlValue){.type = SQL_TYPE_NULL})
#define SQL_INT(v) ((SqlValue){.type = SQL_TYPE_INT, .integer = (v)})
/* Not-a-number becomes NULL in SQLite, which has none. */
#define SQL_REAL(v) ((SqlValue){.type = SQL_TYPE_REAL, .real = (v)})
#define SQL_TEXT(s) sql_text_value(s) /* STR_NONE binds NULL */
#define SQL_TEXTZ(s) sql_text_value(str_of(s))
#define SQL_BOOL(v) ((SqlValue){.type = SQL_TYPE_BOOL, .integer = (v) != 0})
#define SQL_INSTANT(us) ((SqlValue){.type = SQL_TYPE_INSTANT, .integer = (us)})
#define SQL_LIST(s) ((SqlValue){.type = SQL_TYPE_LIST, .text = (s)})
#define SQL_BLOB(s) ((SqlValue){.type = SQL_TYPE_BLOB, .text = (s)})
/* The values of a statement: SQL_ARGS(SQL_INT(1), SQL_TEXT(name)), or SQL_NO_ARGS. */
#define SQL_ARGS(...)                                                                              \
    ((const SqlValue[]){__VA_ARGS__}), sizeof((const SqlValue[]){__VA_ARGS__}) / sizeof(SqlValue)
#define SQL_NO_ARGS NULL, (size_t)0

/* Text, or NULL when there is none. */
static inline SqlValue sql_text_value(Str s)
{
    return s.p ? (SqlValue){.type = SQL_TYPE_TEXT, .text = s} : SQL_NULL;
}

/* Opens "sqlite:/path/to/file" (made 0600 when missing; WAL, synchronous=FULL, foreign keys on) or
   a "postgresql://" URL. n_connections bounds the pool. */
int sql_open(const char *url, size_t n_connections, Sql **ret, Error *err) HAWK_MUST_USE;
void sql_close(Sql *sql); /* every transaction has ended */
SqlDialect sql_dialect(const Sql *sql);

/* Opens a database for sql_query_untrusted: every transaction is for reading and has a connection
   of its own, which is rolled back, on which nothing can be written and nothing outside of the
   database be reached. In SQLite the file is there already. In PostgreSQL the URL names a role that
   is not, and is in, no superuser and no role for files or replication of the server (ERR_DENIED);
   what it may see is what it was granted. It should be another role than hawk's own: a role may end
   its own connections. */
int sql_open_untrusted(const char *url, size_t n_connections, Sql **ret, Error *err) HAWK_MUST_USE;

/* Keeps up to n connections open that nobody uses, so that no request waits until one is made or is
   the first on it: a thread opens them and has `warm` run what it likes on a Sql of that connection
   alone, also for those that somebody had to open. What warm fails at is of no matter; its context
   outlives the Sql. Called once, before other threads use it. In SQLite, where a connection costs
   next to nothing, nothing is kept. */
typedef void SqlWarm(void *context, Sql *one);
int sql_keep_ready(Sql *sql, size_t n, SqlWarm *warm, void *context, Error *err) HAWK_MUST_USE;

/* How long waits for a connection or the write lock may take, from now on; 30 s unless set. */
void sql_set_wait_ms(Sql *sql, int wait_ms);

/* One numbered step of a component's schema, for each dialect. */
typedef struct SqlMigration {
    int number; /* 1, 2, 3, ... */
    const Embedded *sqlite;
    const Embedded *postgres;
} SqlMigration;

/* Applies what is missing, each step in a transaction of its own. ERR_CONFLICT when the database is
   newer than this program knows, naming both versions. */
int sql_migrate(Sql *sql, const char *component, const SqlMigration *migrations, size_t n,
                Error *err) HAWK_MUST_USE;

/* Begins a transaction: SQL_READ sees one consistent state, SQL_WRITE may change it. Waits up to 30
   s for a connection or the write lock, then ERR_BUSY. */
typedef enum SqlMode {
    SQL_READ,
    SQL_WRITE,
    SQL_WRITE_SHARED, /* as SQL_WRITE, but in PostgreSQL others may write meanwhile: see sql_lock */
} SqlMode;
int sql_begin(Sql *sql, SqlMode mode, SqlTx **ret, Error *err) HAWK_MUST_USE;

/* Begins SQL_READ, but waits no longer than this for a connection. */
int sql_begin_within(Sql *sql, int wait_ms, SqlTx **ret, Error *err) HAWK_MUST_USE;

/* Who reads for somebody: a role that the connection's own may take on, and the setting in which
   the database's policies find for whom. */
typedef struct SqlReader {
    const char *role;
    const char *setting; /* "hawk.groups" */
} SqlReader;

/* Names the reader of sql_begin_as, before there are transactions; its texts are borrowed. SQLite
   has no roles and takes no notice. */
void sql_set_reader(Sql *sql, const SqlReader *reader);

/* Begins SQL_READ as the reader, for whom the value says; in the same message to the server, so
   that it costs nothing. Without a reader it is as sql_begin. sql_tx_leave_reader makes it the
   connection's own role again, for the rest of the transaction. */
int sql_begin_as(Sql *sql, Str value, SqlTx **ret, Error *err) HAWK_MUST_USE;

/* The same with statements for PostgreSQL, "SET LOCAL a = b; SET LOCAL ...", in that message; in
   SQLite nothing comes of them. With STR_NONE nobody is read for, as in sql_begin. */
int sql_begin_with(Sql *sql, Str value, const char *settings, SqlTx **ret,
                   Error *err) HAWK_MUST_USE;
int sql_tx_leave_reader(SqlTx *tx, Error *err) HAWK_MUST_USE;

/* How long each further statement of the transaction may take, reading its rows included; then
   ERR_TIMEOUT. 0: as long as it takes. */
int sql_tx_limit_ms(SqlTx *tx, int limit_ms, Error *err) HAWK_MUST_USE;

/* Durable when it returns 0. The transaction is gone either way. */
int sql_commit(SqlTx *take_tx, Error *err) HAWK_MUST_USE;
void sql_rollback(SqlTx *take_tx); /* NULL is fine */

/* Runs a statement that returns no rows; ret_changed may be NULL. Constraint violations are
   ERR_CONFLICT, a full disk ERR_NO_SPACE, a lost server ERR_UNREACHABLE. */
int sql_exec(SqlTx *tx, const char *statement, const SqlValue *args, size_t n_args,
             int64_t *ret_changed, Error *err) HAWK_MUST_USE;

/* Runs a query; rows are fetched as they are asked for. The caller frees the rows before the
 * transaction ends. */
int sql_query(SqlTx *tx, const char *statement, const SqlValue *args, size_t n_args, SqlRows **ret,
              Error *err) HAWK_MUST_USE;

/* The same for rows that are few and small, or that would have to be kept anyway: where it costs
   less they come all at once. */
int sql_query_few(SqlTx *tx, const char *statement, const SqlValue *args, size_t n_args,
                  SqlRows **ret, Error *err) HAWK_MUST_USE;

/* Runs one statement that a user typed, within max_ms, in a transaction of a Sql from
   sql_open_untrusted: SELECT, WITH, VALUES or EXPLAIN. ERR_DENIED for what may not be done,
   ERR_USAGE for what cannot be understood, ERR_TIMEOUT. A row of PostgreSQL can be as large as a
   row may be there: 1 GiB. */
enum { SQL_UNTRUSTED_MAX = 1024 * 1024 };
int sql_query_untrusted(SqlTx *tx, const char *statement, int max_ms, SqlRows **ret,
                        Error *err) HAWK_MUST_USE;

/* 1 when there is a row, 0 at the end, -1 on failure. */
int sql_rows_next(SqlRows *rows, Error *err) HAWK_MUST_USE;
void sql_rows_free(SqlRows *rows);

/* Columns of the row, from 0; views live until the next row. Text of NULL is STR_NONE, numbers of
 * NULL are 0. */
bool sql_rows_is_null(const SqlRows *rows, int column);
Str sql_rows_text(const SqlRows *rows, int column);
int64_t sql_rows_int(const SqlRows *rows, int column);
double sql_rows_real(const SqlRows *rows, int column);
SqlType sql_rows_type(const SqlRows *rows, int column); /* in SQLite, of the row's value */
int sql_rows_n_columns(const SqlRows *rows);
const char *sql_rows_name(const SqlRows *rows, int column);

/* A real as the shortest text that reads back equal, or NaN and the like, where the database gives
   it so; else STR_NONE. */
Str sql_rows_real_text(const SqlRows *rows, int column);

/* Until the transaction ends nobody else gets past the same name; waits as sql_begin does. Nothing
   to do in SQLite, which has one writer. */
int sql_lock(SqlTx *tx, const char *name, Error *err) HAWK_MUST_USE;

/* What a column of a load takes: the type of PostgreSQL's column. */
typedef enum SqlKind {
    SQL_KIND_INT,     /* bigint; SQL_INT */
    SQL_KIND_INT4,    /* integer; SQL_INT */
    SQL_KIND_REAL,    /* double precision; SQL_REAL */
    SQL_KIND_TEXT,    /* text; SQL_TEXT */
    SQL_KIND_ENUM,    /* an enum; SQL_TEXT */
    SQL_KIND_JSON,    /* jsonb; SQL_TEXT */
    SQL_KIND_UUID,    /* uuid; SQL_TEXT of 36 characters */
    SQL_KIND_BOOL,    /* boolean; SQL_BOOL */
    SQL_KIND_INSTANT, /* timestamptz; SQL_INSTANT */
    SQL_KIND_LIST,    /* text[]; SQL_LIST */
} SqlKind;
typedef struct SqlColumn {
    const char *name;
    SqlKind kind;
} SqlColumn;

/* Many rows for one table, sent in blocks: a row may be refused as late as at a later row or the
   flush. A refused value is named by table and column. Names are borrowed until the load is freed.
   A column that no row has a value for is NULL, in PostgreSQL what the table has as its default.
   Several loads may be open in one transaction, and other
   statements may run in between, which see the rows after a flush. */
typedef struct SqlLoad SqlLoad;
int sql_load_open(SqlTx *tx, const char *table, const SqlColumn *columns, size_t n_columns,
                  SqlLoad **ret, Error *err) HAWK_MUST_USE;
int sql_load_row(SqlLoad *load, const SqlValue *values, Error *err) HAWK_MUST_USE;
int sql_load_flush(SqlLoad *load, Error *err) HAWK_MUST_USE;
/* From here on JSON is known to be valid, so that a database that would not look is not made to. */
void sql_load_trust_json(SqlLoad *load);
void sql_load_free(SqlLoad *load); /* drops what was not flushed; before the transaction ends */

HAWK_DEFINE_AUTO(SqlLoad, sql_load, sql_load_free)
#define auto_sql_load HAWK_CLEANUP(sql_load_cleanup_)
HAWK_DEFINE_AUTO(Sql, sql, sql_close)
#define auto_sql HAWK_CLEANUP(sql_cleanup_)
HAWK_DEFINE_AUTO(SqlTx, sql_tx, sql_rollback)
#define auto_sql_tx HAWK_CLEANUP(sql_tx_cleanup_)
HAWK_DEFINE_AUTO(SqlRows, sql_rows, sql_rows_free)
#define auto_sql_rows HAWK_CLEANUP(sql_rows_cleanup_)

#endif
