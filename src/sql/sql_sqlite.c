/* The SQLite driver: WAL, synchronous=FULL, STRICT tables, a cache of prepared statements per
   connection.

   SQLite numbers "$1", "$2" by first appearance and not by the digits, so values are bound by name.
   Some failures (full disk, I/O) end the transaction by themselves; sql.c lets nothing run after a
   failure. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "sql/sql_priv.h"

enum {
    N_CACHED = 64,
    VALUE_MAX = 512 * 1024 * 1024, /* of one text or blob, well below SQLite's own limit */
};

typedef struct Statement {
    sqlite3_stmt *stmt;
    char *text;
    uint64_t last_used;
    bool is_busy;
    bool is_cached;
} Statement;

typedef struct SqliteConn {
    SqlConn base;
    sqlite3 *db;
    Statement *cache[N_CACHED];
    uint64_t clock;
    SqlMode mode;
} SqliteConn;

typedef struct SqliteRows {
    SqlRows base;
    SqliteConn *conn;
    Statement *statement;
} SqliteRows;

typedef struct CodeRow {
    int code; /* primary result code */
    ErrorKind kind;
    const char *what;
} CodeRow;

/* clang-format off */
static const CodeRow codes[] = {
    { SQLITE_CONSTRAINT, ERR_CONFLICT,  "the database refused a value" },
    { SQLITE_FULL,       ERR_NO_SPACE,  "the disk of the database is full" },
    { SQLITE_CORRUPT,    ERR_BAD_DATA,  "the database file is damaged" },
    { SQLITE_NOTADB,     ERR_BAD_DATA,  "the file is not a database" },
    { SQLITE_BUSY,       ERR_BUSY,      "another process is writing to the database" },
    { SQLITE_LOCKED,     ERR_BUSY,      "the database is locked" },
    { SQLITE_READONLY,   ERR_DENIED,    "the database cannot be written" },
    { SQLITE_PERM,       ERR_DENIED,    "the database cannot be accessed" },
    { SQLITE_CANTOPEN,   ERR_IO,        "the database file cannot be opened" },
    { SQLITE_IOERR,      ERR_IO,        "the database file cannot be read or written" },
    { SQLITE_TOOBIG,     ERR_BAD_DATA,  "a value is too large for the database" },
    { SQLITE_INTERRUPT,  ERR_CANCELLED, "the statement was cancelled" },
};

static const struct { int code; const char *name; } constraint_codes[] = {
    { SQLITE_CONSTRAINT_UNIQUE,     "sql.unique" },
    { SQLITE_CONSTRAINT_PRIMARYKEY, "sql.unique" },
    { SQLITE_CONSTRAINT_ROWID,      "sql.unique" },
    { SQLITE_CONSTRAINT_FOREIGNKEY, "sql.foreign_key" },
    { SQLITE_CONSTRAINT_NOTNULL,    "sql.not_null" },
    { SQLITE_CONSTRAINT_CHECK,      "sql.check" },
    { SQLITE_CONSTRAINT_DATATYPE,   "sql.type" },
};
/* clang-format on */

/* Sets the error that fits the last failure of the connection. */
static int fail(sqlite3 *db, Error *err)
{
    int extended = sqlite3_extended_errcode(db);
    int primary = extended & 0xff;
    if (primary == SQLITE_NOMEM)
        abort();
    ErrorKind kind = ERR_INTERNAL;
    const char *what = "the database refused a statement";
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].code == primary) {
            kind = codes[i].kind;
            what = codes[i].what;
        }
    int os_error = sqlite3_system_errno(db);
    if (primary == SQLITE_IOERR && (os_error == ENOSPC || os_error == EDQUOT)) {
        kind = ERR_NO_SPACE;
        what = "the disk of the database is full";
    }
    (void)error_set(err, kind, "%s: %s", what, sqlite3_errmsg(db));
    for (size_t i = 0; i < ARRAY_LEN(constraint_codes); i++)
        if (constraint_codes[i].code == extended)
            (void)error_code(err, constraint_codes[i].name);
    if (kind == ERR_NO_SPACE)
        (void)error_fix(err, "free some space; nothing was changed");
    if (kind == ERR_BAD_DATA && primary != SQLITE_TOOBIG)
        (void)error_fix(err, "put back a copy of the file, or move it away and start again: "
                             "evaluations are read from their logs anew");
    return -1;
}

static void statement_free(Statement *statement)
{
    if (!statement)
        return;
    sqlite3_finalize(statement->stmt);
    free(statement->text);
    free(statement);
}

/* Puts a new statement in the place of the one unused for longest, if any is idle. */
static void remember(SqliteConn *conn, Statement *statement)
{
    size_t place = N_CACHED;
    for (size_t i = 0; i < N_CACHED; i++) {
        Statement *old = conn->cache[i];
        if (!old) {
            place = i;
            break;
        }
        if (!old->is_busy && (place == N_CACHED || old->last_used < conn->cache[place]->last_used))
            place = i;
    }
    if (place == N_CACHED)
        return;
    statement_free(conn->cache[place]);
    conn->cache[place] = statement;
    statement->is_cached = true;
}

/* A statement ready to be bound; give it back with put_statement. */
static int take_statement(SqliteConn *conn, const char *text, Statement **ret, Error *err)
{
    Statement *found = NULL;
    for (size_t i = 0; i < N_CACHED && !found; i++)
        if (conn->cache[i] && !conn->cache[i]->is_busy && strcmp(conn->cache[i]->text, text) == 0)
            found = conn->cache[i];
    if (!found) {
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
            SQLITE_OK)
            return fail(conn->db, err);
        found = mem_alloc(sizeof(*found));
        found->stmt = stmt;
        found->text = mem_strdup(text);
        remember(conn, found);
    }
    found->is_busy = true;
    found->last_used = ++conn->clock;
    *ret = found;
    return 0;
}

static void put_statement(Statement *statement)
{
    (void)sqlite3_reset(
        statement->stmt); /* repeats the error of the last step, which was reported */
    sqlite3_clear_bindings(statement->stmt);
    statement->is_busy = false;
    if (!statement->is_cached)
        statement_free(statement);
}

/* keep: the values outlive the statement's use, so they need not be copied. */
static int bind_value(sqlite3_stmt *stmt, int at, const SqlValue *value, bool keep)
{
    sqlite3_destructor_type life = keep ? SQLITE_STATIC : SQLITE_TRANSIENT;
    switch (value->type) {
    case SQL_TYPE_INT:
    case SQL_TYPE_BOOL:
    case SQL_TYPE_INSTANT: return sqlite3_bind_int64(stmt, at, value->integer);
    case SQL_TYPE_REAL: return sqlite3_bind_double(stmt, at, value->real);
    case SQL_TYPE_LIST:
        if (!value->text.p)
            return sqlite3_bind_null(stmt, at);
        __attribute__((fallthrough));
    case SQL_TYPE_TEXT:
        return sqlite3_bind_text64(stmt, at, value->text.p, value->text.n, life, SQLITE_UTF8);
    case SQL_TYPE_BLOB:
        return sqlite3_bind_blob64(stmt, at, value->text.p ? value->text.p : "", value->text.n,
                                   life);
    default: return sqlite3_bind_null(stmt, at);
    }
}

static int bind_all(SqliteConn *conn, sqlite3_stmt *stmt, const SqlValue *args, size_t n_args,
                    bool keep, Error *err)
{
    int n = sqlite3_bind_parameter_count(stmt);
    for (int at = 1; at <= n; at++) {
        const char *name = sqlite3_bind_parameter_name(stmt, at);
        int64_t number = 0;
        if (!name || name[0] != '$' ||
            str_to_i64(str_of(name + 1), 1, (int64_t)n_args, &number) < 0)
            return error_set(err, ERR_INTERNAL, "a statement has no value for %s",
                             name ? name : "?");
        assert(args);
        if (bind_value(stmt, at, &args[number - 1], keep) != SQLITE_OK)
            return fail(conn->db, err);
    }
    return 0;
}

static int prepare_bound(SqliteConn *conn, const char *text, const SqlValue *args, size_t n_args,
                         bool keep, Statement **ret, Error *err)
{
    Statement *statement = NULL;
    if (take_statement(conn, text, &statement, err) < 0)
        return -1;
    int result = 0;
    if (conn->mode == SQL_READ && !sqlite3_stmt_readonly(statement->stmt))
        result =
            error_set(err, ERR_INTERNAL, "a statement that writes in a transaction that reads");
    else
        result = bind_all(conn, statement->stmt, args, n_args, keep, err);
    if (result < 0) {
        put_statement(statement);
        return -1;
    }
    *ret = statement;
    return 0;
}

static int sqlite_exec(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                       int64_t *ret_changed, Error *err)
{
    SqliteConn *conn = (SqliteConn *)base;
    Statement *statement = NULL;
    if (prepare_bound(conn, text, args, n_args, true, &statement, err) < 0)
        return -1;
    int64_t before = sqlite3_total_changes64(conn->db);
    int step = SQLITE_ROW;
    while (step == SQLITE_ROW)
        step = sqlite3_step(statement->stmt);
    int result = step == SQLITE_DONE ? 0 : fail(conn->db, err);
    /* Only an INSERT, UPDATE or DELETE sets sqlite3_changes, so others are told apart by the total.
     */
    *ret_changed = sqlite3_total_changes64(conn->db) == before ? 0 : sqlite3_changes64(conn->db);
    put_statement(statement);
    return result;
}

static int sqlite_query(SqlConn *base, const char *text, const SqlValue *args, size_t n_args,
                        SqlRows **ret, Error *err)
{
    SqliteConn *conn = (SqliteConn *)base;
    Statement *statement = NULL;
    if (prepare_bound(conn, text, args, n_args, false, &statement, err) < 0)
        return -1;
    SqliteRows *rows = mem_alloc(sizeof(*rows));
    rows->conn = conn;
    rows->statement = statement;
    *ret = &rows->base;
    return 0;
}

/* Runs statements one after another; scripts are ours and bind nothing. */
static int sqlite_script(SqlConn *base, const char *text, Error *err)
{
    SqliteConn *conn = (SqliteConn *)base;
    if (sqlite3_exec(conn->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return fail(conn->db, err);
    return 0;
}

static int sqlite_begin(SqlConn *base, SqlMode mode, int wait_ms, Error *err)
{
    SqliteConn *conn = (SqliteConn *)base;
    sqlite3_busy_timeout(conn->db, wait_ms);
    conn->mode = SQL_WRITE; /* BEGIN itself counts as neither */
    int64_t changed = 0;
    const char *text = mode == SQL_READ ? "BEGIN" : "BEGIN IMMEDIATE";
    if (sqlite_exec(base, text, NULL, 0, &changed, err) < 0)
        return -1;
    conn->mode = mode;
    return 0;
}

static int sqlite_commit(SqlConn *base, Error *err)
{
    int64_t changed = 0;
    ((SqliteConn *)base)->mode = SQL_WRITE;
    return sqlite_exec(base, "COMMIT", NULL, 0, &changed, err);
}

/* There is one writer, who has every lock. */
static int sqlite_lock(SqlConn *base, const char *name, Error *err)
{
    (void)base;
    (void)name;
    (void)err;
    return 0;
}

static void sqlite_rollback(SqlConn *base)
{
    SqliteConn *conn = (SqliteConn *)base;
    if (!sqlite3_get_autocommit(conn->db) &&
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
        conn->base.is_broken = true;
}

static void sqlite_disconnect(SqlConn *base)
{
    SqliteConn *conn = (SqliteConn *)base;
    for (size_t i = 0; i < N_CACHED; i++)
        statement_free(conn->cache[i]);
    sqlite3_close(conn->db);
    free(conn);
}

/* SQLite asks its allocator's statistics lock for every allocation unless told not to keep any. */
static void configure_once(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_initialize();
}

static int make_private(const char *path, Error *err)
{
    auto_fd int fd = fs_open(path, O_RDWR | O_CREAT, 0600, err);
    return fd < 0 ? -1 : 0;
}

static int set_up(SqliteConn *conn, int wait_ms, Error *err)
{
    static const char pragmas[] = "PRAGMA journal_mode = WAL;"
                                  "PRAGMA synchronous = FULL;"
                                  "PRAGMA foreign_keys = ON;"
                                  "PRAGMA trusted_schema = OFF;"
                                  "PRAGMA cell_size_check = ON;"
                                  "PRAGMA temp_store = MEMORY;"
                                  "PRAGMA cache_size = -4096;"
                                  "PRAGMA journal_size_limit = 67108864";
    sqlite3_extended_result_codes(conn->db, 1);
    sqlite3_busy_timeout(conn->db, wait_ms);
    sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    return sqlite_script(&conn->base, pragmas, err);
}

static int sqlite_connect(const char *url, int wait_ms, SqlConn **ret, Error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_once);
    const char *path = url + strlen(sql_driver_sqlite.scheme);
    if (path[0] != '/')
        return error_set(err, ERR_USAGE, "the database file %s is not an absolute path", path);
    if (make_private(path, err) < 0)
        return -1;
    SqliteConn *conn = mem_alloc(sizeof(*conn));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int result = 0;
    if (sqlite3_open_v2(path, &conn->db, flags, NULL) != SQLITE_OK)
        result = fail(conn->db, err);
    else
        result = set_up(conn, wait_ms, err);
    if (result < 0) {
        sqlite_disconnect(&conn->base);
        return error_wrap(err, "%s", path);
    }
    *ret = &conn->base;
    return 0;
}

static int sqlite_rows_next(SqlRows *base, Error *err)
{
    SqliteRows *rows = (SqliteRows *)base;
    int step = sqlite3_step(rows->statement->stmt);
    if (step == SQLITE_ROW)
        return 1;
    return step == SQLITE_DONE ? 0 : fail(rows->conn->db, err);
}

static void sqlite_rows_free(SqlRows *base)
{
    SqliteRows *rows = (SqliteRows *)base;
    put_statement(rows->statement);
    free(rows);
}

static sqlite3_stmt *stmt_of(const SqlRows *base)
{
    return ((const SqliteRows *)base)->statement->stmt;
}

static bool sqlite_rows_is_null(const SqlRows *rows, int column)
{
    return sqlite3_column_type(stmt_of(rows), column) == SQLITE_NULL;
}

static Str sqlite_rows_text(const SqlRows *rows, int column)
{
    sqlite3_stmt *stmt = stmt_of(rows);
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return STR_NONE;
    const char *bytes = sqlite3_column_blob(stmt, column); /* for text: the same bytes */
    int n = sqlite3_column_bytes(stmt, column);
    return (Str){bytes ? bytes : "", (size_t)n};
}

static int64_t sqlite_rows_int(const SqlRows *rows, int column)
{
    return sqlite3_column_int64(stmt_of(rows), column);
}

static double sqlite_rows_real(const SqlRows *rows, int column)
{
    return sqlite3_column_double(stmt_of(rows), column);
}

static int sqlite_rows_n_columns(const SqlRows *rows)
{
    return sqlite3_column_count(stmt_of(rows));
}

static const char *sqlite_rows_name(const SqlRows *rows, int column)
{
    return sqlite3_column_name(stmt_of(rows), column);
}

const SqlDriver sql_driver_sqlite = {
    .scheme = "sqlite:",
    .dialect = SQL_SQLITE,
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .script = sqlite_script,
    .exec = sqlite_exec,
    .query = sqlite_query,
    .lock = sqlite_lock,
    .rows_next = sqlite_rows_next,
    .rows_free = sqlite_rows_free,
    .rows_is_null = sqlite_rows_is_null,
    .rows_text = sqlite_rows_text,
    .rows_int = sqlite_rows_int,
    .rows_real = sqlite_rows_real,
    .rows_n_columns = sqlite_rows_n_columns,
    .rows_name = sqlite_rows_name,
};
