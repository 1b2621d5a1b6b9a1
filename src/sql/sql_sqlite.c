/* The SQLite driver: WAL, synchronous=FULL, STRICT tables, a cache of prepared statements per
   connection. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "sql/sql_sqlite_priv.h"

enum {
    VALUE_MAX = 512 * 1024 * 1024, /* of one text or blob, well below SQLite's own limit */
};

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
    { SQLITE_INTERRUPT,  ERR_TIMEOUT,   "the statement took longer than it may" },
    { SQLITE_AUTH,       ERR_DENIED,    "the statement may only read" },
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

int sqlite_conn_fail(SqliteConn *conn, Error *err)
{
    sqlite3 *db = conn->db;
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

int sqlite_conn_make_room(SqliteConn *conn, Error *err)
{
    if (!conn->has_room && sqlite_conn_script(&conn->base, "PRAGMA cache_size = -10240", err) < 0)
        return -1;
    conn->has_room = true;
    return 0;
}

static int sqlite_leave_reader(SqlConn *base, Error *err)
{
    (void)base;
    (void)err;
    return 0;
}

static int sqlite_begin(SqlConn *base, const SqlBegin *how, Error *err)
{
    SqliteConn *conn = (SqliteConn *)base;
    sqlite3_busy_timeout(conn->db, how->wait_ms);
    sqlite_conn_limit(conn, 0);
    conn->mode = SQL_WRITE; /* BEGIN itself counts as neither */
    int64_t changed = 0;
    const char *text = how->mode == SQL_READ ? "BEGIN" : "BEGIN IMMEDIATE";
    if (sqlite_conn_exec(base, text, NULL, 0, &changed, err) < 0)
        return -1;
    conn->mode = how->mode;
    return 0;
}

static int sqlite_commit(SqlConn *base, Error *err)
{
    int64_t changed = 0;
    ((SqliteConn *)base)->mode = SQL_WRITE;
    sqlite_conn_limit((SqliteConn *)base, 0);
    return sqlite_conn_exec(base, "COMMIT", NULL, 0, &changed, err);
}

static int sqlite_limit(SqlConn *base, int limit_ms, Error *err)
{
    (void)err;
    sqlite_conn_limit((SqliteConn *)base, limit_ms);
    return 0;
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
    for (size_t i = 0; i < SQLITE_N_CACHED; i++)
        sqlite_statement_free(conn->cache[i]);
    sqlite3_close(conn->db);
    free(conn);
}

/* SQLite asks its allocator's statistics lock for every allocation unless told not to keep any. */
static void configure_once(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_initialize();
}

/* Only a file that is not there yet is opened: to close it would take the locks of all connections
   of this process away, and another program that reads it would then remove the log under them. */
static int make_private(const char *path, Error *err)
{
    if (access(path, F_OK) == 0)
        return 0;
    auto_fd int fd = fs_open(path, O_RDWR | O_CREAT, 0600, err);
    return fd < 0 ? -1 : 0;
}

static int set_up(SqliteConn *conn, bool is_untrusted, int wait_ms, Error *err)
{
    /* Trust is held in check by the guard. */
    static const char pragmas[] = "PRAGMA journal_mode = WAL;"
                                  "PRAGMA synchronous = FULL;"
                                  "PRAGMA foreign_keys = ON;"
                                  "PRAGMA trusted_schema = ON;"
                                  "PRAGMA cell_size_check = ON;"
                                  "PRAGMA temp_store = MEMORY;"
                                  "PRAGMA cache_size = -4096;"
                                  "PRAGMA journal_size_limit = 67108864";
    /* What a statement sorts goes to files when it is much, since memory has no other bound. */
    static const char untrusted[] = "PRAGMA query_only = ON;"
                                    "PRAGMA trusted_schema = OFF;"
                                    "PRAGMA cell_size_check = ON;"
                                    "PRAGMA temp_store = FILE;"
                                    "PRAGMA cache_size = -4096;"
                                    "PRAGMA mmap_size = 0";
    sqlite3_extended_result_codes(conn->db, 1);
    sqlite3_busy_timeout(conn->db, wait_ms);
    sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (sqlite_conn_script(&conn->base, is_untrusted ? untrusted : pragmas, err) < 0)
        return -1;
    if (!is_untrusted)
        return sqlite_conn_guard_schema(conn, err);
    sqlite_conn_guard(conn);
    return 0;
}

static int sqlite_connect(const char *url, bool is_untrusted, int wait_ms, SqlConn **ret,
                          Error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure_once);
    const char *path = url + strlen(sql_driver_sqlite.scheme);
    if (path[0] != '/')
        return error_set(err, ERR_USAGE, "the database file %s is not an absolute path", path);
    if (!is_untrusted && make_private(path, err) < 0)
        return -1;
    SqliteConn *conn = mem_alloc(sizeof(*conn));
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    flags |= is_untrusted ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int result = 0;
    if (sqlite3_open_v2(path, &conn->db, flags, NULL) != SQLITE_OK)
        result = sqlite_conn_fail(conn, err);
    else
        result = set_up(conn, is_untrusted, wait_ms, err);
    if (result < 0) {
        sqlite_disconnect(&conn->base);
        return error_wrap(err, "%s", path);
    }
    *ret = &conn->base;
    return 0;
}

const SqlDriver sql_driver_sqlite = {
    .scheme = "sqlite:",
    .dialect = SQL_SQLITE,
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .begin = sqlite_begin,
    .leave_reader = sqlite_leave_reader,
    .limit = sqlite_limit,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .script = sqlite_conn_script,
    .exec = sqlite_conn_exec,
    .query = sqlite_conn_query,
    .query_few = sqlite_conn_query,
    .lock = sqlite_lock,
    .rows_next = sqlite_rows_next,
    .rows_free = sqlite_rows_free,
    .rows_is_null = sqlite_rows_is_null,
    .rows_text = sqlite_rows_text,
    .rows_int = sqlite_rows_int,
    .rows_real = sqlite_rows_real,
    .rows_type = sqlite_rows_type,
    .rows_n_columns = sqlite_rows_n_columns,
    .rows_name = sqlite_rows_name,
    .load_new = sqlite_load_new,
    .load_start = sqlite_load_start,
    .load_row = sqlite_load_row,
    .load_flush = sqlite_load_flush,
    .load_free = sqlite_load_free,
};
