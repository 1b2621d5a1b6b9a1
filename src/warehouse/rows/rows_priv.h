/* What the makers of rows share. */
#ifndef HAWK_WAREHOUSE_ROWS_PRIV_H
#define HAWK_WAREHOUSE_ROWS_PRIV_H

#include "evallog/sample_parts.h"
#include "warehouse/hash_map.h"
#include "warehouse/model_name.h"
#include "warehouse/rows/rows.h"
#include "warehouse/rows/rows_columns.h"
#include "warehouse/rows/rows_maker.h"
#include "warehouse/rows/rows_members.h"
#include "warehouse/rows/rows_parts.h"
#include "warehouse/rows/sample_facts.h"

/* Entries of a pool that is made here, of a log that has none. */
typedef struct RowsPool {
    RowsTable table;
    HashMap by_text;    /* of entries word for word */
    HashMap by_content; /* of messages without their id */
    uint32_t n;
} RowsPool;

/* Ranges of places, [[start, end), ...], as text. */
typedef struct RowsRefs {
    Buf text;
    int64_t start; /* of the range that is still growing */
    int64_t end;
} RowsRefs;

/* What rows are made with; one sample at a time. */
struct RowsMaker {
    RowsSink *sink;
    SampleCleanRules rules;
    Arena *arena;       /* of the sample */
    Arena *scratch;     /* of the part */
    SampleFacts *facts; /* found in the first pass */
    RowsParts parts;    /* of a sample that is in memory */

    int32_t event_order;
    RowsPool messages;
    RowsPool calls;
    HashMap attachments; /* keys that have a row */
    RowsMembers event;
    RowsMembers call;
    RowsMembers inner;
    RowsRefs refs;
    Buf text;
};

/* Put the rows of one part; scratch is emptied by the caller. */
int rows_put_event(RowsMaker *maker, const RowsMembers *event, Error *err) HAWK_MUST_USE;
int rows_put_message(RowsMaker *maker, const SamplePart *part, Error *err) HAWK_MUST_USE;
int rows_put_attachment(RowsMaker *maker, Str key, Str content, Error *err) HAWK_MUST_USE;
int rows_put_pool_entry(RowsMaker *maker, const SamplePart *part, Error *err) HAWK_MUST_USE;

/* The place of an entry in a pool that is made here; a new one is put as a row. */
int rows_pool_place(RowsMaker *maker, RowsPool *pool, Str raw, uint32_t *ret,
                    Error *err) HAWK_MUST_USE;

/* Ranges are built place by place; rows_refs_end gives their text in the arena. */
void rows_refs_begin(RowsRefs *refs);
void rows_refs_add(RowsRefs *refs, int64_t place);
Str rows_refs_end(RowsRefs *refs, Arena *arena);

/* A message whose long texts are replaced by attachment://, which get rows: the message itself when
   it has none. */
int rows_condense(RowsMaker *maker, Str message, Str *ret, Error *err) HAWK_MUST_USE;

/* The name of an entry's content: the hash of its sorted JSON. */
void rows_content_hash(Str raw, Buf *scratch, char ret[MURMUR3_HEX_MAX]);

#endif
