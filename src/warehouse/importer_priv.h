/* What the files of the importer share. */
#ifndef HAWK_WAREHOUSE_IMPORTER_PRIV_H
#define HAWK_WAREHOUSE_IMPORTER_PRIV_H

#include <math.h>

#include "base/arena.h"
#include "base/random.h"
#include "evallog/evallog.h"
#include "sql/sql.h"
#include "store/store.h"
#include "warehouse/importer.h"
#include "warehouse/sample_row.h"

enum { IMPORTER_HASH_MAX = STORE_ETAG_MAX + 8 };

/* What eval.file_hash holds for the bytes of a log. */
void importer_file_hash(const StoreStat *stat, char ret[IMPORTER_HASH_MAX]);

/* Cuts "evals/<id>/<name>" into its parts; false when the key is of another form. */
bool importer_split_key(Str key, Str *ret_eval_set_id, Str *ret_name);

/* One column of a row to be written. */
typedef struct ImportField {
    const char *column;
    SqlValue value;
    bool is_kept; /* what is there already stays */
} ImportField;

/* INSERT, or UPDATE of the row that has the same values in the columns `conflict` ("eval_pk, id").
 */
int import_upsert(SqlTx *tx, const char *table, const char *conflict, const ImportField *fields,
                  size_t n, Error *err) HAWK_MUST_USE;

/* NULL for what is missing. */
static inline SqlValue import_int(int64_t value)
{
    return value == INT64_MIN ? SQL_NULL : SQL_INT(value);
}

/* The same for instants. */
static inline SqlValue import_instant(int64_t us)
{
    return us == INT64_MIN ? SQL_NULL : SQL_INSTANT(us);
}

/* NULL for what is missing or not finite. */
static inline SqlValue import_real(double value)
{
    return isfinite(value) ? SQL_REAL(value) : SQL_NULL;
}

/* One log on its way in. */
typedef struct Import {
    Sql *sql;
    Store *store;
    const char *key;
    ImporterOptions options;
    Str eval_set_id; /* part of key */
    StoreStat stat;
    char file_hash[IMPORTER_HASH_MAX];
    char *location;
    int64_t started_us; /* of this import; rows that are older are not in the log any more */

    EvalLog *log;
    const EvalLogHeader *header;
    Arena *arena; /* of the whole import */
    bool is_running;
    char eval_pk[RANDOM_UUID_MAX];
    Str model;            /* canonical */
    bool is_called_model; /* `model` is how a provider was asked for it */
    size_t n_written;
    size_t n_done;       /* samples that were looked at, */
    size_t n_total;      /* of so many */
    size_t n_unreadable; /* samples */
    char *first_problem; /* with one of them */
} Import;

/* The eval's row. begin claims it (creating or updating it as "importing"); *ret_mine is false when
   a better log has it. end says how it went. */
int import_eval_begin(Import *import, bool *ret_mine, Error *err) HAWK_MUST_USE;
int import_eval_end(Import *import, Error *err) HAWK_MUST_USE;

/* Model without its provider: "openai/gpt-4o" is "gpt-4o". */
Str import_canonical_model(Str model);

/* Writes one sample with its scores and models in the given transaction; *ret_written is false when
   a better eval has it. */
int import_sample(Import *import, SqlTx *tx, const SampleRow *row, bool is_provisional,
                  bool *ret_written, Error *err) HAWK_MUST_USE;

#endif
