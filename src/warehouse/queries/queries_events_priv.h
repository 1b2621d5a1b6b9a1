/* What a page of events points to: entries of pools by ranges, long texts by their hash. */
#ifndef HAWK_WAREHOUSE_QUERIES_EVENTS_PRIV_H
#define HAWK_WAREHOUSE_QUERIES_EVENTS_PRIV_H

#include "base/arena.h"
#include "codec/json_out.h"
#include "sql/sql.h"

/* Bytes of events, of the entries of a pool, and of texts in one answer. */
enum { EVENTS_BYTES_MAX = 48 << 20 };

/* Places [start, end) of a pool. */
typedef struct EventRange {
    int64_t start;
    int64_t end;
    int64_t base; /* place of start in the answer */
} EventRange;

/* The entries of a pool that a page needs: collect, join, read, then write. */
typedef struct EventPool {
    EventRange *ranges;
    size_t n_ranges;
    size_t cap;
    Str *entries; /* in the arena: JSON by place in the answer; STR_NONE for what is missing */
    int64_t n_entries;
} EventPool;
void event_pool_release(EventPool *pool);

/* Notes what a list of ranges refers to; STR_NONE is fine. */
void event_pool_collect(EventPool *pool, Str refs);

/* After the last: joins ranges that touch and gives each its place. */
void event_pool_join(EventPool *pool);

/* Reads the entries of a sample from a table of pools. ERR_BAD_DATA when they are too many bytes.
 */
int event_pool_read(EventPool *pool, SqlTx *tx, const char *table, Str sample_pk, Arena *arena,
                    Error *err) HAWK_MUST_USE;

/* A list of ranges, as places in the answer. */
void event_pool_write_refs(const EventPool *pool, Str refs, JsonOut *out);

/* The entries that a list of ranges refers to, as an array. */
void event_pool_write_referred(const EventPool *pool, Str refs, JsonOut *out);

/* All entries, and their places in the pool of the sample. */
void event_pool_write_entries(const EventPool *pool, JsonOut *out);
void event_pool_write_orders(const EventPool *pool, JsonOut *out);

/* Where the long texts of a sample are. */
typedef struct EventTexts {
    SqlTx *tx;
    SqlDialect dialect;
    Str sample_pk;
} EventTexts;

/* The texts that what stands in body from `from` on refers to, as an object by their hashes. */
int queries_events_write_texts(const EventTexts *texts, const Buf *body, size_t from, JsonOut *out,
                               Error *err) HAWK_MUST_USE;

/* Puts them into the place of the strings that are nothing but a reference. ERR_BAD_DATA when they
   are too many bytes. */
int queries_events_insert_texts(const EventTexts *origin, Buf *body, size_t from,
                                Error *err) HAWK_MUST_USE;

#endif
