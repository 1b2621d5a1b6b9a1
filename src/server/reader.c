/* SQLite is opened for reading; PostgreSQL with a role that the operator made. */

#include "server/reader.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/server_priv.h"

#define VARIABLE "HAWK_API_READER_DATABASE_URL"

int reader_open(const App *app, Sql **ret, Error *err)
{
    const ServerSettings *settings = &app->settings;
    if (settings->database_url && !settings->reader_database_url) {
        (void)error_set(err, ERR_UNSUPPORTED, "this server has no role for reading by SQL");
        return error_fix(err, "its operator sets " VARIABLE " to the address of "
                              "the database with a role that may only read");
    }
    auto_free char *url = settings->database_url ? mem_strdup(settings->reader_database_url)
                                                 : mem_printf("sqlite:%s/hawk.db", app->data_dir);
    int result = sql_open_untrusted(url, 1, ret, err);
    mem_wipe(url, strlen(url));
    return result;
}

/* Who a connection is. */
static int role_of(Sql *sql, Arena *arena, const char **ret, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx, "SELECT current_user::text", SQL_NO_ARGS, &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    Str name = sql_rows_text(rows, 0);
    *ret = arena_strndup(arena, name.p, name.n);
    return 0;
}

/* The server's role reads what is nobody's business, such as what job tokens are checked with.
   Roles that are too strong for any server are refused where the connection is made. */
static int check_role(Sql *reader, const char *server, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(reader, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_roles s WHERE s.rolname = $1 AND "
                  "pg_has_role(current_user, s.oid, 'MEMBER')) THEN 1 ELSE 0 END",
                  SQL_ARGS(SQL_TEXTZ(server)), &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    if (sql_rows_int(rows, 0) == 0)
        return 0;
    (void)error_set(err, ERR_DENIED,
                    VARIABLE ": its role is, or may become, the server's own role %s", server);
    return error_fix(err, "make one that may only read: CREATE ROLE hawk_sql LOGIN; GRANT "
                          "rls_bypass TO hawk_sql;");
}

int reader_hidden(Sql *reader, Arena *arena, const char **ret, Error *err)
{
    const char *name = NULL;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    *ret = NULL;
    if (sql_dialect(reader) != SQL_POSTGRES)
        return 0;
    if (role_of(reader, arena, &name, err) < 0 || sql_begin(reader, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT CASE WHEN row_security_active('eval') AND NOT EXISTS (SELECT 1 FROM "
                  "pg_roles r WHERE r.rolname = 'rls_bypass' AND pg_has_role(current_user, r.oid, "
                  "'USAGE')) THEN CASE WHEN has_table_privilege('eval', 'SELECT') AND EXISTS ("
                  "SELECT 1 FROM pg_roles r WHERE r.rolname = 'rls_reader' AND pg_has_role("
                  "current_user, r.oid, 'USAGE')) THEN 1 ELSE 2 END ELSE 0 END",
                  SQL_NO_ARGS, &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    int64_t hidden = sql_rows_int(rows, 0);
    if (hidden != 0)
        *ret = arena_printf(
            arena,
            "row security hides %s from %s, the role that statements are run by: an "
            "operator runs GRANT rls_bypass TO %s",
            hidden == 2 ? "everything" : "what is not of its model groups", name, name);
    return 0;
}

int reader_check(const App *app, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_sql Sql *reader = NULL;
    const char *server = NULL;
    const char *hidden = NULL;
    if (!app->settings.database_url || !app->settings.reader_database_url)
        return 0;
    if (reader_open(app, &reader, err) < 0)
        return error_wrap(err, VARIABLE);
    if (role_of(app->sql, arena, &server, err) < 0 || check_role(reader, server, err) < 0 ||
        reader_hidden(reader, arena, &hidden, err) < 0)
        return -1;
    if (hidden)
        log_warn("sql.rows_hidden", KV("what", hidden));
    return 0;
}
