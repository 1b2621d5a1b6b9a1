/* What connections let through.

   One for statements that users type: reading the tables of its file, within limits. The connection
   is opened for reading besides, and trusts nothing that the file says.

   One for hawk's own statements cannot go without trust in the file: full-text indices are kept by
   triggers, and SQLite refuses FTS5 to a schema that is not trusted. But the file may come from
   anywhere. So what triggers and views of a file may call is said here, and a file with other
   virtual tables than FTS5's is refused. */

#include "base/clock.h"
#include "sql/sql_sqlite_priv.h"

typedef struct LimitRow {
    int limit;
    int value;
} LimitRow;

/* clang-format off */
static const LimitRow limits[] = {
    { SQLITE_LIMIT_LENGTH,              4 * 1024 * 1024 }, /* of a value; a row of the most columns is held at once */
    { SQLITE_LIMIT_COLUMN,              200 },
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

/* What triggers and views of our migrations call. */
static const char *const schema_functions[] = { "substr" };
/* clang-format on */

static bool is_among(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sqlite3_stricmp(name, names[i]) == 0)
            return true;
    return false;
}

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
        return is_among(second, denied_functions, ARRAY_LEN(denied_functions)) ? SQLITE_DENY
                                                                               : SQLITE_OK;
    case SQLITE_PRAGMA: /* which full-text search asks while it reads */
        return sqlite3_stricmp(first, "data_version") == 0 && !second ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_UPDATE: /* what connecting a virtual table would write, which is never run */
        return sqlite3_stricmp(first, "sqlite_master") == 0 ? SQLITE_IGNORE : SQLITE_DENY;
    default: return SQLITE_DENY;
    }
}

/* Asked when a statement is prepared; `inside` is the trigger or view whose text it is. */
static int authorize_schema(void *context, int action, const char *first, const char *second,
                            const char *database, const char *inside)
{
    (void)context;
    (void)first;
    (void)database;
    bool is_foreign = action == SQLITE_FUNCTION && inside &&
                      !is_among(second, schema_functions, ARRAY_LEN(schema_functions));
    return is_foreign ? SQLITE_DENY : SQLITE_OK;
}

int sqlite_conn_guard_schema(SqliteConn *conn, Error *err)
{
    static const char text[] = "SELECT name FROM sqlite_schema WHERE type = 'table' AND "
                               "rootpage = 0 AND lower(sql) NOT LIKE '% using fts5%'";
    sqlite3_set_authorizer(conn->db, authorize_schema, NULL);
    sqlite3_stmt *stmt = NULL;
    int result = 0;
    if (sqlite3_prepare_v2(conn->db, text, -1, &stmt, NULL) != SQLITE_OK)
        return sqlite_conn_fail(conn, err);
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        result = error_set(err, ERR_BAD_DATA, "it has a virtual table of another's: %s",
                           (const char *)sqlite3_column_text(stmt, 0));
        (void)error_fix(err, "move the file away; evaluations are read from their logs anew");
    }
    sqlite3_finalize(stmt);
    return result;
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
