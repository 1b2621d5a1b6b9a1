/* ScanQueries: lists of scans, and where the results of one are, for whom they may be seen by. */
#ifndef HAWK_WAREHOUSE_SCAN_QUERIES_H
#define HAWK_WAREHOUSE_SCAN_QUERIES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "codec/json_out.h"
#include "sql/sql.h"
#include "store/store.h"
#include "warehouse/queries/queries.h"

/* Which scans, in which order; views that are STR_NONE stand for the default. */
typedef struct ScanQueriesList {
    QueriesPage page;
    Str search;     /* words that must all occur in id, name, job or location */
    Str sort_by;    /* timestamp */
    Str sort_order; /* desc */
} ScanQueriesList;

/* ScansResponse. ERR_USAGE for a column that cannot be sorted by. */
int scan_queries_list(Sql *sql, const QueriesAccess *access, const ScanQueriesList *list,
                      JsonOut *out, Error *err) HAWK_MUST_USE;

/* The file of a scanner's results; strings in the arena. */
typedef struct ScanResultFile {
    const char *folder; /* in the store */
    const char *scan_id;
    const char *scanner_key;
    const char *scanner_name;
} ScanResultFile;

/* Of the scanner that made the result of this uuid; or, when it is the id of a scan, of its scanner
   of that key, or of its only one. ERR_NOT_FOUND, ERR_DENIED, ERR_USAGE when the scan has several
   scanners and none is named. */
int scan_queries_file(Sql *sql, const QueriesAccess *access, Str uuid, Str scanner, Arena *arena,
                      ScanResultFile *ret, Error *err) HAWK_MUST_USE;

#endif
