/* The script is in embed/postgres. */

#include "server/row_security.h"

#include "base/log.h"
#include "server_embed.h"

static const SqlMigration migrations[] = {
    {1, NULL, &embed_postgres_0001_row_security_sql},
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

int row_security_update(Sql *sql, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    if (sql_dialect(sql) != SQL_POSTGRES)
        return 0;
    if (sql_migrate(sql, "row_security", migrations, ARRAY_LEN(migrations), err) < 0)
        return -1;
    if (make_roles(sql, &problem) == 0)
        return 0;
    if (problem.kind != ERR_DENIED)
        return error_move(err, &problem);
    log_warn("row_security.roles", KV("error", error_text(&problem)));
    return 0;
}
