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
    IMPORTER_UNCHANGED, /* nothing to do: imported before, or a better log has the eval */
    IMPORTER_GONE,      /* the log was deleted, and its rows are too */
} ImporterOutcome;

typedef struct ImporterReport {
    ImporterOutcome outcome;
    size_t n_samples; /* rows written or replaced */
} ImporterReport;

/* How to import; a zeroed value is fine. */
typedef struct ImporterOptions {
    bool force;       /* also what was imported before */
    size_t n_threads; /* with 2 and more, one writes while the others read; 0 is 2 */
    /* Called after each step with the samples that are in, of those that the log has; -1 with an
       error (ERR_CANCELLED) ends the import there, to be taken up again. */
    int (*progress)(void *context, size_t n_done, size_t n_total, Error *err);
    void *context;
} ImporterOptions;

/* Imports the log at key ("evals/<id>/<name>.eval"). A log that cannot be read is ERR_BAD_DATA.
   Two imports of the same log at the same time are fine; one that was broken off is taken up again.
   Memory: 64 MB, and for each thread that reads its sample, of up to SAMPLE_PARTS_WHOLE_MAX, or of
   a larger one its largest part and the row made of it. */
int importer_import(Sql *sql, Store *store, const char *key, const ImporterOptions *options,
                    ImporterReport *ret, Error *err) HAWK_MUST_USE;

/* Whether a key names a log that the importer reads: directly below evals/<id>/, ending in ".eval",
   but not ".fast.eval". */
bool importer_is_log(Str key);

/* Name of the outcome for log lines. */
const char *importer_outcome_name(ImporterOutcome outcome);

#endif
