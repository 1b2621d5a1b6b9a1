/* RowsMembers: the members of one JSON object, to be looked up. */
#ifndef HAWK_WAREHOUSE_ROWS_MEMBERS_H
#define HAWK_WAREHOUSE_ROWS_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"

/* Members of one object. Of equal keys the last counts. */
typedef struct RowsMember {
    Str key;     /* without escapes */
    Str written; /* the key as the text has it */
    Str raw;
} RowsMember;
typedef struct RowsMembers {
    RowsMember *items; /* grows; freed by rows_members_release */
    size_t n;
    size_t room;
} RowsMembers;

/* Finds the members of an object; false when raw is none. */
bool rows_members_read(RowsMembers *members, Str raw, Arena *arena);
void rows_members_release(RowsMembers *members);

/* The member's value, or STR_NONE when it is missing or null. */
Str rows_members_get(const RowsMembers *members, Str key);

/* Whether raw is an array or object that has something in it. */
bool rows_members_has_items(Str raw);

#endif
