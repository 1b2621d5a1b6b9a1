/* ScanWrite: the rows of one scan, in one transaction. What the scan had before is replaced. */
#ifndef HAWK_WAREHOUSE_SCAN_WRITE_H
#define HAWK_WAREHOUSE_SCAN_WRITE_H

#include "base/error.h"
#include "codec/json.h"
#include "sql/sql.h"
#include "warehouse/model_name.h"

typedef struct ScanWrite ScanWrite;

/* Where the scan is; borrowed until scan_write_free. */
typedef struct ScanWritePlace {
    Str scan_id; /* as its folder is called */
    Str job_id;
    const char *location;
} ScanWritePlace;

/* Begins with what the scan says of itself: scan_id, scan_name, timestamp, metadata, model,
   model_roles, errors. ERR_BAD_DATA when that is not well-formed or is about another scan,
   ERR_CONFLICT when another job has a scan of this id. */
int scan_write_begin(Sql *sql, const ScanWritePlace *place, const Json *scan, ScanWrite **ret,
                     Error *err) HAWK_MUST_USE;

/* One result, with the columns of scanner_result as members. */
int scan_write_row(ScanWrite *write, const Json *row, Error *err) HAWK_MUST_USE;

/* The models that the scan declares and that its scanners called, by the names of a registry. */
const ModelNames *scan_write_models(const ScanWrite *write);

/* Links results with samples and commits. The groups are JSON arrays: of the models that were
   called, and all whose members may see the scan. */
int scan_write_end(ScanWrite *write, Str observed_groups, Str groups, Error *err) HAWK_MUST_USE;

/* Without scan_write_end nothing has happened. */
void scan_write_free(ScanWrite *write);

/* Links results whose samples have been imported since. */
int scan_write_link(Sql *sql, Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(ScanWrite, scan_write, scan_write_free)
#define auto_scan_write HAWK_CLEANUP(scan_write_cleanup_)

#endif
