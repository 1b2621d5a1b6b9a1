/* The importer: one log of the store into the warehouse. Safe to repeat and to interrupt. */
#ifndef HAWK_WAREHOUSE_IMPORTER_H
#define HAWK_WAREHOUSE_IMPORTER_H

#include <stdbool.h>

#include "base/error.h"
#include "sql/sql.h"
#include "store/store.h"

typedef enum ImporterOutcome {
    IMPORTER_DONE,      /* the log is over and all of it is in the warehouse */
    IMPORTER_RUNNING,   /* the log is still being written; what it has so far is in */
    IMPORTER_UNCHANGED, /* nothing to do: imported before, or found to be bad before */
    IMPORTER_GONE,      /* the log was deleted, and its rows are too */
} ImporterOutcome;

typedef struct ImporterReport {
    ImporterOutcome outcome;
    size_t n_samples; /* rows written or replaced */
} ImporterReport;

/* Imports the log at key ("evals/<id>/<name>.eval"). A log that cannot be read is ERR_BAD_DATA; the
   reason is kept in import_failure, and the same bytes are not tried again unless force is set.
   Two imports of the same log at the same time are fine. */
int importer_import(Sql *sql, Store *store, const char *key, bool force, ImporterReport *ret,
                    Error *err) HAWK_MUST_USE;

/* Deletes the rows of all logs that are no longer in the store. */
int importer_forget_missing(Sql *sql, Store *store, Error *err) HAWK_MUST_USE;

/* Whether a key names a log that the importer reads: directly below evals/<id>/, ending in ".eval",
   but not ".fast.eval". */
bool importer_is_log(Str key);

/* Name of the outcome for log lines. */
const char *importer_outcome_name(ImporterOutcome outcome);

#endif
