/* RowsParts: the parts of a sample in memory, with the members of its events, kept from the first
   pass for the second, so that no byte is scanned twice. */
#ifndef HAWK_WAREHOUSE_ROWS_PARTS_H
#define HAWK_WAREHOUSE_ROWS_PARTS_H

#include "evallog/sample_parts.h"
#include "warehouse/rows/rows_members.h"

/* A sample with more is read again instead: no text of a usual size has as many, and then what is
   kept would take more memory than the text. */
enum { ROWS_PARTS_MAX = 1 << 15, ROWS_PARTS_MEMBERS_MAX = 1 << 16 };

typedef struct RowsPart {
    SamplePart part;
    size_t first; /* member */
    size_t n_members;
    bool has_members; /* it is an event, and an object */
} RowsPart;

typedef struct RowsParts {
    RowsPart *items;
    size_t n;
    size_t room;
    RowsMember *members;
    size_t n_members;
    size_t members_room;
    bool is_complete; /* all parts of the sample are here */
} RowsParts;

/* Forgets all parts; is_complete: those that come will stay valid. */
void rows_parts_begin(RowsParts *parts, bool is_complete);

/* Keeps the next part; members may be NULL. */
void rows_parts_add(RowsParts *parts, const SamplePart *part, const RowsMembers *members);

/* The members of the i-th part, to be read only; false when it has none. */
bool rows_parts_members(const RowsParts *parts, size_t i, RowsMembers *ret);
void rows_parts_release(RowsParts *parts);

#endif
