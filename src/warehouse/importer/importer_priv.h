/* What the files of the importer share. */
#ifndef HAWK_WAREHOUSE_IMPORTER_PRIV_H
#define HAWK_WAREHOUSE_IMPORTER_PRIV_H

#include <math.h>

#include "base/arena.h"
#include "base/random.h"
#include "evallog/evallog.h"
#include "sql/sql.h"
#include "store/store.h"
#include "warehouse/hash_map.h"
#include "warehouse/importer/importer.h"
#include "warehouse/model_name.h"
#include "warehouse/rows/pack.h"
#include "warehouse/rows/rows_maker.h"

enum { IMPORTER_HASH_MAX = STORE_ETAG_MAX + 16 };

/* What eval.file_hash holds for the bytes of a log at a location. */
void importer_file_hash(const char *location, const StoreStat *stat, char ret[IMPORTER_HASH_MAX]);

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

/* NULL for what is missing, or does not fit in an integer column. */
static inline SqlValue import_int4(int64_t value)
{
    return value < INT32_MIN || value > INT32_MAX ? SQL_NULL : SQL_INT(value);
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
    Str eval_set_id; /* part of key */
    ImporterOptions options;
    StoreStat stat;
    char file_hash[IMPORTER_HASH_MAX];
    char *location;
    char *lock;         /* what imports of the same eval wait for */
    int64_t started_us; /* of this import, never before cycle_us */
    int64_t cycle_us;   /* of the import that this one takes up again, or of this one; samples that
                           were imported before it are not in the log any more */
    bool is_resumed;

    EvalLog *log;
    const EvalLogHeader *header;
    Arena *arena; /* of the whole import */
    bool is_running;
    bool has_samples; /* the warehouse had samples of this eval before */
    char eval_pk[RANDOM_UUID_MAX];
    Str model;           /* as the warehouse has it */
    Str first_model;     /* before calls told better; STR_NONE when they did not */
    ModelNames declared; /* names that the log's header has for models */
    ModelNames called;   /* by which some of them were called, the first for each */
    ModelNames observed;
    size_t n_observed_written;

    HashMap done; /* samples (import_sample_key) that need not be read */
    RowsKeys keys;
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

/* Begins a transaction that no other import of this eval is in. ERR_CONFLICT with the code
   IMPORT_CLAIMED when a later import has claimed the eval. */
#define IMPORT_CLAIMED "import.claimed"
int import_begin(Import *import, SqlTx **ret, Error *err) HAWK_MUST_USE;

/* What stands for a sample in `done`. */
Murmur3 import_sample_key(Str id, int64_t epoch);

/* Counts a sample that cannot be read; the others still come in. Empties the error. */
void import_note_problem(Import *import, Str id, int64_t epoch, Error *problem);

/* Learns from the names that a sample's calls have for models. */
void import_learn(Import *import, const Pack *pack);

/* Tells how far the import is; fails when it is to end here. */
int import_progress(Import *import, size_t n_more, Error *err) HAWK_MUST_USE;

/* Reads and writes all samples of the log that are not done. */
int import_samples(Import *import, Error *err) HAWK_MUST_USE;

/* Passes over the samples of a running log that failed in the one that it goes on from: all of them
   run again, and what they were is there with that log. */
int import_carried(Import *import, Error *err) HAWK_MUST_USE;

/* What a running log has beside: samples of its live buffer, and lines of its summaries. */
int import_running(Import *import, Error *err) HAWK_MUST_USE;

/* Writes the names of models that were seen so far into the eval's row, if there are new ones. */
int import_put_observed(Import *import, SqlTx *tx, Error *err) HAWK_MUST_USE;

/* Samples of the log, by their places, that have to be read again. */
typedef struct ImportAgain {
    size_t *samples; /* freed by its owner */
    size_t n;
    size_t room;
} ImportAgain;
void import_again_add(ImportAgain *again, size_t sample);

/* Writes samples, each whole in one pack, in one transaction. What the database refuses is written
   sample by sample; those that it refuses even so are added to `again`, or fail when that is NULL.
   The eval has been learnt from these packs then. */
int import_write(Import *import, const Pack *const *packs, size_t n, ImportAgain *again,
                 Error *err) HAWK_MUST_USE;

/* A sample that comes in several packs: they are written as they come, and count when the last has
   been. */
typedef struct ImportStream ImportStream;
int import_stream_open(Import *import, ImportStream **ret, Error *err) HAWK_MUST_USE;
int import_stream_write(ImportStream *stream, const Pack *pack, Error *err) HAWK_MUST_USE;
int import_stream_commit(ImportStream *take_stream, Error *err) HAWK_MUST_USE;
void import_stream_close(ImportStream *stream); /* drops what was not committed */

#endif
