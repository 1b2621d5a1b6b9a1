/* The warehouse: what the logs say, as tables that lists can be made from. Its content can always
   be made again from the logs.

   Instants are INTEGER microseconds UTC, JSON and UUIDs are TEXT. */
#ifndef HAWK_WAREHOUSE_WAREHOUSE_H
#define HAWK_WAREHOUSE_WAREHOUSE_H

#include "base/error.h"
#include "sql/sql.h"

/* Brings the warehouse's tables up to date; see sql_migrate for how it fails. */
int warehouse_migrate(Sql *sql, Error *err) HAWK_MUST_USE;

#endif
