/* The script is in embed/postgres. */

#include "server/row_security.h"

#include "base/log.h"
#include "base/mem.h"
#include "server_embed.h"

static const SqlMigration migrations[] = {
    {1, NULL, &embed_postgres_0001_row_security_sql},
    {2, NULL, &embed_postgres_0002_callers_sql},
    {3, NULL, &embed_postgres_0003_scans_sql},
    {4, NULL, &embed_postgres_0004_settings_sql},
};

/* Asks for one row. */
static int ask(SqlTx *tx, const char *question, SqlRows **ret, Error *err)
{
    if (sql_query(tx, question, SQL_NO_ARGS, ret, err) < 0)
        return -1;
    return sql_rows_next(*ret, err) < 0 ? -1 : 0;
}

/* The role of the server, whether it may make roles, what makes those of the four that are not
   there, and whether hawk_caller is granted to it or can be: since PostgreSQL 16 not by whoever
   may only make roles. */
static const char needed_roles[] =
    "SELECT current_user::text, CASE WHEN r.rolsuper OR r.rolcreaterole THEN 1 ELSE 0 END, "
    "coalesce((SELECT string_agg(format('CREATE ROLE %I NOLOGIN;', w), ' ') FROM unnest(ARRAY["
    "'rls_reader', 'rls_bypass', 'model_access_all', 'hawk_caller']) w "
    "WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = w)), ''), "
    "CASE WHEN EXISTS (SELECT 1 FROM pg_roles c WHERE c.rolname = 'hawk_caller' "
    "AND NOT pg_has_role(current_user, c.oid, 'MEMBER')) AND NOT r.rolsuper AND NOT "
    "(r.rolcreaterole AND current_setting('server_version_num')::int < 160000) THEN 1 ELSE 0 END, "
    "format('GRANT hawk_caller TO %I;', current_user) "
    "FROM pg_roles r WHERE r.rolname = current_user";

/* Before the migrations, so that all that is missing is said at once. */
static int check_roles(Sql *sql, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *row = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 || ask(tx, needed_roles, &row, err) < 0)
        return -1;
    Str missing = sql_rows_text(row, 2);
    bool may_make = sql_rows_int(row, 1) == 1;
    bool is_not_granted = sql_rows_int(row, 3) == 1;
    if (missing.n > 0 && !may_make) {
        (void)error_set(err, ERR_DENIED, "the database lacks roles, and %.*s may not make them",
                        STR_ARG(sql_rows_text(row, 0)));
        return error_fix(err, "as a superuser of the database: %.*s %.*s", STR_ARG(missing),
                         STR_ARG(sql_rows_text(row, 4)));
    }
    if (!is_not_granted)
        return 0;
    (void)error_set(err, ERR_DENIED, "the role hawk_caller is there, but not granted to %.*s",
                    STR_ARG(sql_rows_text(row, 0)));
    return error_fix(err, "as a superuser of the database: %.*s", STR_ARG(sql_rows_text(row, 4)));
}

/* The model groups that have no role, or one that model_access_all is not a member of, and what
   mends it. */
static const char lacking_roles[] =
    "SELECT coalesce(string_agg(g.name, ' ' ORDER BY g.name), ''), "
    "coalesce(string_agg(CASE WHEN r.oid IS NULL THEN format('CREATE ROLE %I NOLOGIN; ', g.name) "
    "ELSE '' END || format('GRANT %I TO model_access_all;', g.name), ' ' ORDER BY g.name), '') "
    "FROM middleman.model_group g LEFT JOIN pg_roles r ON r.rolname = g.name "
    "WHERE g.name LIKE 'model-access-%' AND octet_length(g.name) <= 63 AND (r.oid IS NULL OR NOT "
    "EXISTS (SELECT 1 FROM pg_auth_members m JOIN pg_roles a ON a.oid = m.member "
    "WHERE m.roleid = r.oid AND a.rolname = 'model_access_all'))";

static int make_roles(Sql *sql, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0)
        return -1;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT sync_model_group_roles()", SQL_NO_ARGS, &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    sql_rows_free(TAKE(rows));
    return sql_commit(TAKE(tx), err);
}

static const SqlReader reader = {.role = "hawk_caller", .setting = "hawk.groups"};

/* Without membership the wall would be down, and nobody would notice. */
static int check_reader(Sql *sql, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 ||
        sql_query(tx,
                  "SELECT CASE WHEN pg_has_role(current_user, 'hawk_caller', 'MEMBER') THEN 1 "
                  "ELSE 0 END, current_user::text",
                  SQL_NO_ARGS, &rows, err) < 0 ||
        sql_rows_next(rows, err) < 0)
        return -1;
    if (sql_rows_int(rows, 0) == 1)
        return 0;
    (void)error_set(err, ERR_DENIED, "%.*s may not take on the role hawk_caller",
                    STR_ARG(sql_rows_text(rows, 1)));
    return error_fix(err, "as a superuser of the database: GRANT hawk_caller TO %.*s",
                     STR_ARG(sql_rows_text(rows, 1)));
}

/* A role for each model group: who reads the database as himself sees by these. The server itself
   does without, so that nobody may make them is no reason to stop. */
static int update_groups(Sql *sql, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    auto_sql_rows SqlRows *row = NULL;
    if (sql_begin(sql, SQL_READ, &tx, err) < 0 || ask(tx, lacking_roles, &row, err) < 0)
        return -1;
    auto_free char *groups = mem_strndup(sql_rows_text(row, 0).p, sql_rows_text(row, 0).n);
    auto_free char *mend = mem_strndup(sql_rows_text(row, 1).p, sql_rows_text(row, 1).n);
    sql_rows_free(TAKE(row));
    sql_rollback(TAKE(tx));
    if (!*groups || make_roles(sql, &problem) == 0)
        return 0;
    if (problem.kind != ERR_DENIED)
        return error_move(err, &problem);
    log_warn("row_security.roles", KV("groups", groups),
             KV("what", "have no role yet: people with roles of their own, and `hawk sql`, do not "
                        "see what is of these model groups"),
             KV("fix", mend));
    return 0;
}

int row_security_update(Sql *sql, Error *err)
{
    if (sql_dialect(sql) != SQL_POSTGRES)
        return 0;
    if (check_roles(sql, err) < 0 ||
        sql_migrate(sql, "row_security", migrations, ARRAY_LEN(migrations), err) < 0)
        return -1;
    if (update_groups(sql, err) < 0)
        return -1;
    if (check_reader(sql, err) < 0)
        return -1;
    sql_set_reader(sql, &reader);
    return 0;
}
