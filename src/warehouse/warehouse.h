/* The warehouse: what the logs say, as tables that lists can be made from. Its content can always
   be made again from the logs.

   Which types stand for one another in the two databases is in docs/warehouse.md. */
#ifndef HAWK_WAREHOUSE_WAREHOUSE_H
#define HAWK_WAREHOUSE_WAREHOUSE_H

#include "base/error.h"
#include "sql/sql.h"

/* Brings the warehouse's tables up to date; see sql_migrate for how it fails. */
int warehouse_migrate(Sql *sql, Error *err) HAWK_MUST_USE;

#endif
