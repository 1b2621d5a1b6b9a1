/* What the files of the export share: where it is, and putting a row together. */
#ifndef HAWK_WAREHOUSE_EXPORT_PRIV_H
#define HAWK_WAREHOUSE_EXPORT_PRIV_H

#include "base/arena.h"
#include "codec/frame.h"
#include "sql/sql.h"
#include "warehouse/export/export.h"
#include "warehouse/queries/queries_priv.h"

/* The eval whose rows are being read. */
typedef struct ExportEval {
    bool is_there;
    bool has_sample; /* sample and epoch say where it is */
    int64_t created_us;
    Buf pk;
    Buf id;
    Buf location;
    Buf set_id;
    Buf task;
    Buf model;
    Buf sample;
    int64_t epoch;
    int64_t order; /* where it is within a sample, */
    Buf detail;    /* or by name */
} ExportEval;

/* Reads rows of a table; *ret_is_over when there are no more (of the eval, for tables that go eval
   by eval). Stops early when export_is_full. */
typedef int ExportReader(Export *export, SqlTx *tx, bool *ret_is_over, Error *err);

typedef struct ExportSource {
    const char *name;
    int (*columns)(Export *export, Error *err); /* makes those that are known beforehand */
    ExportReader *read;
    void (*begin)(Export *export); /* makes and drops what it needs for itself; or NULL */
    void (*end)(Export *export);
    bool by_eval;
    bool needs_survey; /* columns or types depend on the rows */
} ExportSource;

extern const ExportSource export_eval_sets;
extern const ExportSource export_evals;
extern const ExportSource export_samples;
extern const ExportSource export_scores;
extern const ExportSource export_messages;
extern const ExportSource export_events;

typedef struct ExportMessages ExportMessages; /* of export_messages.c */

typedef enum ExportPhase {
    EXPORT_SURVEY,
    EXPORT_HEAD,
    EXPORT_ROWS,
    EXPORT_OVER,
} ExportPhase;

struct Export {
    Sql *sql;
    Arena *arena; /* of the whole */
    Arena *row;   /* of the row at hand */
    QueriesAccess access;
    Str ids; /* JSON array; STR_NONE: all */
    const ExportSource *source;
    ExportPhase phase;
    Frame *frame;
    FrameWriter writer;
    FrameValue *values; /* of the row at hand, by column */
    Buf *out;           /* of the step at hand */
    size_t n_rows;      /* of the step at hand */
    int64_t limit;      /* rows of the next query; small when rows are large */
    ExportEval eval;
    ExportMessages *messages;
};

/* Whether the step has done enough. */
bool export_is_full(const Export *export);

/* Makes a column with a kind that does not depend on its values; FRAME_NONE: it does. */
int export_column(Export *export, int rank, const char *name, FrameKind kind,
                  Error *err) HAWK_MUST_USE;

/* Puts a value into the row at hand; texts live as long as the row. A column that is not there is
   made in the first pass and passed over in the second. */
int export_put(Export *export, int rank, Str name, FrameValue value, Error *err) HAWK_MUST_USE;
int export_end_row(Export *export, Error *err) HAWK_MUST_USE;

/* Runs a query, writes each row until the step has done enough, and adapts export->limit. */
typedef int ExportWriteRow(Export *export, const SqlRows *rows, Error *err);
int export_rows(Export *export, SqlTx *tx, Query *query, ExportWriteRow *write, bool *ret_is_over,
                Error *err) HAWK_MUST_USE;

/* Puts a column for each member of a JSON object, named by the prefix and the member's name; what
   is no object has none. */
typedef FrameValue ExportConvert(Export *export, Str raw);
int export_members(Export *export, int rank, const char *prefix, Str object, ExportConvert *convert,
                   Error *err) HAWK_MUST_USE;

/* A value of JSON without a type of its own: numbers and flags as they are, text unescaped, lists
   and objects as json.dumps writes them. */
FrameValue export_json(Export *export, Str raw);

/* A column of a query as a value; text is copied into the row. */
FrameValue export_text(Export *export, const SqlRows *rows, int column);
FrameValue export_int(const SqlRows *rows, int column);
FrameValue export_real(const SqlRows *rows, int column);
FrameValue export_time(const SqlRows *rows, int column);

/* Ends the conditions of a query on evals "e": what may be seen and what was asked for. */
void export_add_evals(Export *export, Query *query);

/* Goes to the sample behind the one at hand, in the eval at hand; *ret_found is false when there is
   none. */
int export_next_sample(Export *export, SqlTx *tx, Buf *ret_pk, Buf *ret_uuid, bool *ret_found,
                       Error *err) HAWK_MUST_USE;

/* How many rows the next query should ask for, after one that asked for `limit` gave n. */
void export_adapt(Export *export, int64_t n, bool is_over);

#endif
