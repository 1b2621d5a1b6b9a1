/* The script is in embed/postgres. */

#include "server/row_security.h"

#include "base/log.h"
#include "server_embed.h"

static const SqlMigration migrations[] = {
    {1, NULL, &embed_postgres_0001_row_security_sql},
    {2, NULL, &embed_postgres_0002_callers_sql},
    {3, NULL, &embed_postgres_0003_scans_sql},
    {4, NULL, &embed_postgres_0004_settings_sql},
};

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

int row_security_update(Sql *sql, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    if (sql_dialect(sql) != SQL_POSTGRES)
        return 0;
    if (sql_migrate(sql, "row_security", migrations, ARRAY_LEN(migrations), err) < 0)
        return -1;
    if (make_roles(sql, &problem) < 0) {
        if (problem.kind != ERR_DENIED)
            return error_move(err, &problem);
        log_warn("row_security.roles", KV("error", error_text(&problem)));
    }
    if (check_reader(sql, err) < 0)
        return -1;
    sql_set_reader(sql, &reader);
    return 0;
}
