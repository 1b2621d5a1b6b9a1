/* ScanImports: which folders of results there are in the store, and whether they have been
 * imported. */
#ifndef HAWK_WAREHOUSE_SCAN_IMPORTS_H
#define HAWK_WAREHOUSE_SCAN_IMPORTS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "sql/sql.h"

/* A folder with results; strings in an arena. */
typedef struct ScanImport {
    const char *folder; /* "scans/<job>/scan_id=<scan>" */
    const char *job_id;
    const char *scan_id;
    const char *mark; /* of the names and versions of its files */
    int64_t attempts;
} ScanImport;

/* Notes what a folder has now: it is to be imported unless that is what was imported last. */
int scan_imports_see(Sql *sql, const ScanImport *seen, Error *err) HAWK_MUST_USE;

/* One that is to be imported and due, the oldest first; false when there is none. */
int scan_imports_next(Sql *sql, Arena *arena, bool *ret_found, ScanImport *ret,
                      Error *err) HAWK_MUST_USE;

/* Records how it went with what was taken: imported, failed for good, or (is_final false) to be
   tried again later. Nothing is recorded when the folder has changed since; when it was forgotten
   since, what was imported is removed again. */
int scan_imports_end(Sql *sql, const ScanImport *taken, const char *error, bool is_final,
                     Error *err) HAWK_MUST_USE;

/* Removes what is known of the scans of a job, with their rows; to be called when its files are
   gone. */
int scan_imports_forget(Sql *sql, const char *job_id, Error *err) HAWK_MUST_USE;

/* What is known of the scans of a job. */
typedef struct ScanImportsState {
    int64_t n_pending;
    int64_t n_success;
    int64_t n_failed;
    const char *error;     /* of the first that failed, or NULL */
    const char *scan_id;   /* of the latest; NULL: none is imported */
    const char *scan_name; /* or NULL */
    const char *errors;    /* of all of them, a JSON array of texts; or NULL */
    int64_t n_results;
} ScanImportsState;
int scan_imports_of_job(Sql *sql, Arena *arena, const char *job_id, ScanImportsState *ret,
                        Error *err) HAWK_MUST_USE;

#endif
