/* The warehouse's migrations: a step is a file below embed/ per dialect and a row here. */

#include "warehouse/warehouse.h"

#include "warehouse_embed.h"

static const SqlMigration migrations[] = {
    {1, &embed_sqlite_0001_warehouse_sql, &embed_postgres_0001_warehouse_sql},
};

int warehouse_migrate(Sql *sql, Error *err)
{
    return sql_migrate(sql, "warehouse", migrations, ARRAY_LEN(migrations), err);
}
