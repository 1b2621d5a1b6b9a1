/* What a connection for statements that users type lets through: reading the tables of its file,
   within limits. The connection is opened for reading besides. */

#include "base/clock.h"
#include "sql/sql_sqlite_priv.h"

typedef struct LimitRow {
    int limit;
    int value;
} LimitRow;

/* clang-format off */
static const LimitRow limits[] = {
    { SQLITE_LIMIT_LENGTH,              64 * 1024 * 1024 }, /* of a value, and of a row on its way */
    { SQLITE_LIMIT_SQL_LENGTH,          1024 * 1024 },
    { SQLITE_LIMIT_EXPR_DEPTH,          200 },
    { SQLITE_LIMIT_COMPOUND_SELECT,     100 },
    { SQLITE_LIMIT_VDBE_OP,             250 * 1000 },
    { SQLITE_LIMIT_ATTACHED,            0 },
    { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000 },
    { SQLITE_LIMIT_WORKER_THREADS,      0 },
};

/* Built-in functions that reach outside of the file. */
static const char *const denied_functions[] = { "load_extension", "fts3_tokenizer" };
/* clang-format on */

static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    (void)context;
    (void)database;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
    case SQLITE_TRANSACTION: return SQLITE_OK;
    case SQLITE_FUNCTION:
        for (size_t i = 0; i < ARRAY_LEN(denied_functions); i++)
            if (sqlite3_stricmp(second, denied_functions[i]) == 0)
                return SQLITE_DENY;
        return SQLITE_OK;
    case SQLITE_PRAGMA: /* which full-text search asks while it reads */
        return sqlite3_stricmp(first, "data_version") == 0 && !second ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_UPDATE: /* what connecting a virtual table would write, which is never run */
        return sqlite3_stricmp(first, "sqlite_master") == 0 ? SQLITE_IGNORE : SQLITE_DENY;
    default: return SQLITE_DENY;
    }
}

void sqlite_conn_guard(SqliteConn *conn)
{
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        sqlite3_limit(conn->db, limits[i].limit, limits[i].value);
    sqlite3_set_authorizer(conn->db, authorize, NULL);
}

static int is_over_time(void *context)
{
    const SqliteConn *conn = context;
    return conn->deadline_ms != 0 && clock_monotonic_ms() > conn->deadline_ms;
}

void sqlite_conn_start_clock(SqliteConn *conn)
{
    conn->deadline_ms = conn->limit_ms > 0 ? clock_monotonic_ms() + conn->limit_ms : 0;
}

void sqlite_conn_limit(SqliteConn *conn, int limit_ms)
{
    enum { STEPS = 1000 }; /* of SQLite's machine between two looks at the clock */
    conn->limit_ms = limit_ms;
    sqlite3_progress_handler(conn->db, STEPS, limit_ms > 0 ? is_over_time : NULL, conn);
}
