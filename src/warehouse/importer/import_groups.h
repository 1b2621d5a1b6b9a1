/* Groups: the model groups of an eval set, as its .models.json says. */
#ifndef HAWK_WAREHOUSE_IMPORT_GROUPS_H
#define HAWK_WAREHOUSE_IMPORT_GROUPS_H

#include "base/buf.h"
#include "base/error.h"
#include "sql/sql.h"
#include "store/store.h"

/* Appends a JSON array of the groups; a set without the file, or with one that names none, is
   nobody's. */
int import_groups_read(Store *store, Str eval_set_id, Buf *ret, Error *err) HAWK_MUST_USE;

/* Gives the rows of an eval set that are older than the file, which was changed then, the groups
   that it says now. */
int import_groups_follow(Sql *sql, Store *store, Str eval_set_id, int64_t changed_us,
                         Error *err) HAWK_MUST_USE;

#endif
