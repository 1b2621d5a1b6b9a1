/* Export: tables of the warehouse as files, of any length in bounded memory.

   evals, samples, messages and events have the columns, order, types and values of
   inspect_ai.analysis (evals_df, samples_df with full, messages_df, events_df of Inspect 0.3.285);
   docs/export.md names what differs. Rows are read in short transactions, from key to key, so that
   a reader who is slow holds nothing; what is imported meanwhile may be in or not. */
#ifndef HAWK_WAREHOUSE_EXPORT_H
#define HAWK_WAREHOUSE_EXPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/frame.h"
#include "sql/sql.h"
#include "warehouse/queries/queries.h"

typedef enum ExportTable {
    EXPORT_EVAL_SETS,
    EXPORT_EVALS,
    EXPORT_SAMPLES,
    EXPORT_SCORES,
    EXPORT_MESSAGES,
    EXPORT_EVENTS,
    N_EXPORT_TABLES,
} ExportTable;

/* The table of a name ("eval-sets", "samples"); false when there is none. */
bool export_table_find(Str name, ExportTable *ret);
const char *export_table_name(ExportTable table);

typedef struct ExportQuery {
    ExportTable table;
    const Str *ids; /* eval sets and evals; none: all that the caller may see */
    size_t n_ids;
    FrameFormat format;
    bool for_excel;
} ExportQuery;

enum { EXPORT_IDS_MAX = 1000, EXPORT_STEP_BYTES = 1 << 20 };

/* Begins; keeps copies of what it was given. ERR_NOT_FOUND when one of the ids is nothing that the
   caller may see. */
typedef struct Export Export;
int export_open(Sql *sql, const QueriesAccess *access, const ExportQuery *query, Export **ret,
                Error *err) HAWK_MUST_USE;

/* Does a small part of the work: appends some bytes, about EXPORT_STEP_BYTES and a row more at
   most, or none yet. 1 when there is more to do, 0 when the table is whole, -1 on failure. */
int export_step(Export *export, Buf *out, Error *err) HAWK_MUST_USE;
void export_close(Export *export);

HAWK_DEFINE_AUTO(Export, export, export_close)
#define auto_export HAWK_CLEANUP(export_cleanup_)

#endif
