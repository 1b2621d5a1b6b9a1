/* RowsEarliest: which event refers first to each entry of a sample's message pool. */
#ifndef HAWK_WAREHOUSE_ROWS_EARLIEST_H
#define HAWK_WAREHOUSE_ROWS_EARLIEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef struct RowsEarliest {
    int32_t *orders; /* of the event; -1: none so far */
    uint32_t *next;  /* the first place from here on that has none, or on the way there */
    size_t n;        /* places known of */
    size_t room;
} RowsEarliest;

/* More entries than this have no such event. */
enum { ROWS_EARLIEST_MAX = 1 << 20 };

/* Notes an event's input_refs, [[start, end), ...], whatever they are. */
void rows_earliest_add(RowsEarliest *earliest, Str refs, int32_t order);

/* The event's order, or -1. */
int32_t rows_earliest_of(const RowsEarliest *earliest, size_t place);
void rows_earliest_reset(RowsEarliest *earliest);
void rows_earliest_release(RowsEarliest *earliest);

#endif
