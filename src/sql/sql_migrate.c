/* Numbered steps of a component's tables, each applied once and in order. */

#include <assert.h>

#include "base/clock.h"
#include "sql/sql_priv.h"

/* clang-format off */
static const char *const make_version_table[] = {
    [SQL_SQLITE]   = "CREATE TABLE IF NOT EXISTS schema_version (component TEXT NOT NULL, "
                     "number INTEGER NOT NULL, applied_at INTEGER NOT NULL, "
                     "PRIMARY KEY (component, number)) STRICT",
    [SQL_POSTGRES] = "CREATE TABLE IF NOT EXISTS schema_version (component text NOT NULL, "
                     "number bigint NOT NULL, applied_at bigint NOT NULL, "
                     "PRIMARY KEY (component, number))",
};
/* clang-format on */

/* Begins a write transaction in which nobody else migrates; returns the version that the database
 * has. */
static int begin_migration(Sql *sql, const char *component, SqlTx **ret, int64_t *ret_number,
                           Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    if (sql_begin(sql, SQL_WRITE, &tx, err) < 0)
        return -1;
    if (sql_exec(tx, make_version_table[sql_dialect(sql)], SQL_NO_ARGS, NULL, err) < 0)
        return -1;
    auto_sql_rows SqlRows *rows = NULL;
    if (sql_query(tx, "SELECT coalesce(max(number), 0) FROM schema_version WHERE component = $1",
                  SQL_ARGS(SQL_TEXTZ(component)), &rows, err) < 0)
        return -1;
    if (sql_rows_next(rows, err) < 0)
        return -1;
    *ret_number = sql_rows_int(rows, 0);
    *ret = TAKE(tx);
    return 0;
}

/* Applies the step behind the database's version; *ret_done when there was none left. */
static int migrate_one(Sql *sql, const char *component, const SqlMigration *migrations, size_t n,
                       bool *ret_done, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    int64_t number = 0;
    if (begin_migration(sql, component, &tx, &number, err) < 0)
        return -1;
    if (number > (int64_t)n) {
        (void)error_set(err, ERR_CONFLICT,
                        "the database has version %lld of its %s tables, this program knows %zu",
                        (long long)number, component, n);
        return error_fix(err, "use a newer hawk, or another data folder or database");
    }
    if (number == (int64_t)n) {
        *ret_done = true;
        return sql_commit(TAKE(tx), err);
    }
    const SqlMigration *step = &migrations[number];
    assert(step->number == number + 1);
    const Embedded *script = sql_dialect(sql) == SQL_SQLITE ? step->sqlite : step->postgres;
    if (!script)
        return error_set(err, ERR_UNSUPPORTED,
                         "version %d of the %s tables is not written for this database",
                         step->number, component);
    if (tx->driver->script(tx->conn, (const char *)script->data, err) < 0)
        return -1;
    if (sql_exec(tx,
                 "INSERT INTO schema_version (component, number, applied_at) VALUES ($1, $2, $3)",
                 SQL_ARGS(SQL_TEXTZ(component), SQL_INT(step->number), SQL_INT(clock_now_us())),
                 NULL, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

int sql_migrate(Sql *sql, const char *component, const SqlMigration *migrations, size_t n,
                Error *err)
{
    for (bool is_done = false; !is_done;)
        if (migrate_one(sql, component, migrations, n, &is_done, err) < 0)
            return error_wrap(err, "cannot bring the %s tables up to date", component);
    return 0;
}
