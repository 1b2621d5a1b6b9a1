/* Pack: rows in one piece of memory, to be handed from the thread that makes them to the one that
   writes them, and to be written again when a transaction has to be repeated. */
#ifndef HAWK_WAREHOUSE_PACK_H
#define HAWK_WAREHOUSE_PACK_H

#include <stdbool.h>

#include "base/buf.h"
#include "warehouse/rows/rows.h"

typedef struct Pack {
    Buf rows;
    size_t sample; /* whose they are: its place in the log */
    bool is_first; /* begins with the sample's own row */
    bool is_last;
    bool is_failed; /* the sample is broken: no more rows come, and those there are count for
                       nothing */
    Error problem;  /* why */
} Pack;

/* A pack of a size to be handed on is at least this large. */
enum { PACK_BYTES = 4 * 1024 * 1024 };

/* An empty pack of the sample at this place. */
Pack *pack_new(size_t sample) HAWK_MUST_USE;
void pack_free(Pack *pack); /* NULL is fine */

/* Empties it for another sample, keeping its memory. */
void pack_reset(Pack *pack, size_t sample);

/* Appends a row. */
void pack_add(Pack *pack, RowsTable table, const SqlValue *values);

/* Reads rows one after the other, from *at = 0 on: false at the end. Views point into the pack;
   values has room for ROWS_COLUMNS_MAX, and those the row has not are NULL. */
bool pack_next(const Pack *pack, size_t *at, RowsTable *ret_table, SqlValue *values);

/* The table of the row at *at, and moves behind it. */
bool pack_skip(const Pack *pack, size_t *at, RowsTable *ret_table);

HAWK_DEFINE_AUTO(Pack, pack, pack_free)
#define auto_pack HAWK_CLEANUP(pack_cleanup_)

#endif
