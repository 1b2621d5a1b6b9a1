/* The warehouse's migrations: a step is a file below embed/ per dialect and a row here. */

#include "warehouse/warehouse.h"

#include "warehouse_embed.h"

static const SqlMigration migrations[] = {
    {1, &embed_sqlite_0001_warehouse_sql, &embed_postgres_0001_warehouse_sql},
    {2, &embed_sqlite_0002_lists_sql, &embed_postgres_0002_lists_sql},
    {3, &embed_sqlite_0003_search_sql, &embed_postgres_0003_search_sql},
    {4, &embed_sqlite_0004_load_sql, &embed_postgres_0004_load_sql},
    {5, &embed_sqlite_0005_scans_sql, &embed_postgres_0005_scans_sql},
    {6, &embed_sqlite_0006_list_ids_sql, &embed_postgres_0006_list_ids_sql},
    {7, &embed_sqlite_0007_inline_sql, &embed_postgres_0007_inline_sql},
    {8, &embed_sqlite_0008_score_parts_sql, &embed_postgres_0008_score_parts_sql},
};

static const SqlMigration queue_migrations[] = {
    {1, &embed_sqlite_0001_import_queue_sql, &embed_postgres_0001_import_queue_sql},
};

int warehouse_migrate(Sql *sql, Error *err)
{
    if (sql_migrate(sql, "warehouse", migrations, ARRAY_LEN(migrations), err) < 0)
        return -1;
    return sql_migrate(sql, "import_queue", queue_migrations, ARRAY_LEN(queue_migrations), err);
}
