/* Scans: brings the results of scans, which lie in the store, into the warehouse. What there is to
   do is in the table scan_import; a thread does it, with a small Python program that reads Parquet.
 */
#ifndef HAWK_SERVER_SCANS_H
#define HAWK_SERVER_SCANS_H

#include "base/error.h"
#include "base/looper.h"
#include "base/process.h"
#include "server/route.h"
#include "store/store.h"
#include "warehouse/scans/scan_queries.h"

/* Starts the thread, which begins with a look at everything. The App must outlive it. */
int scans_start(App *app, Looper **ret, Error *err) HAWK_MUST_USE;

/* Notes what results of a job there are in the store now; of all jobs when job_id is NULL. */
int scans_look(App *app, const char *job_id, Error *err) HAWK_MUST_USE;

/* Whether a path below "scans/" has parts of [A-Za-z0-9._=-] only, none of which begins with a dot.
 */
bool scans_path_is_safe(Str path);

/* Whether the caller may read the scans of the job that such a folder begins with. ERR_NOT_FOUND
   when there is none, ERR_DENIED. */
int scans_check_access(RouteCtx *ctx, const char *folder, Error *err) HAWK_MUST_USE;

/* A folder of results, or one of its files, on this machine. */
typedef struct ScansCopy {
    char *path;
    char *temporary; /* removed with it; NULL: it is the store's own */
} ScansCopy;
int scans_copy(App *app, const char *folder, const char *only_file, ScansCopy *ret,
               Error *err) HAWK_MUST_USE;
void scans_copy_release(ScansCopy *copy);
#define auto_scans_copy HAWK_CLEANUP(scans_copy_release)

#endif
