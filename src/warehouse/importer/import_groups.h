/* Groups: the model groups of an eval set, as its .models.json says. */
#ifndef HAWK_WAREHOUSE_IMPORT_GROUPS_H
#define HAWK_WAREHOUSE_IMPORT_GROUPS_H

#include "base/buf.h"
#include "base/error.h"
#include "store/store.h"

/* Appends a JSON array of the groups; a set without the file, or with one that names none, is
   nobody's. */
int import_groups_read(Store *store, Str eval_set_id, Buf *ret, Error *err) HAWK_MUST_USE;

#endif
