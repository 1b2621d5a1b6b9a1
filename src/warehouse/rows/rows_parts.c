/* Parts kept in two growing arrays. */

#include "warehouse/rows/rows_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void rows_parts_begin(RowsParts *parts, bool is_complete)
{
    parts->n = 0;
    parts->n_members = 0;
    parts->is_complete = is_complete;
}

static void keep_members(RowsParts *parts, const RowsMembers *members)
{
    size_t n = parts->n_members + members->n;
    if (n > parts->members_room) {
        parts->members_room = n * 2;
        parts->members = mem_resize(parts->members, parts->members_room, sizeof(RowsMember));
    }
    memcpy(parts->members + parts->n_members, members->items, members->n * sizeof(RowsMember));
    parts->n_members = n;
}

void rows_parts_add(RowsParts *parts, const SamplePart *part, const RowsMembers *members)
{
    size_t n_members = members ? members->n : 0;
    parts->is_complete = parts->is_complete && parts->n < ROWS_PARTS_MAX &&
                         parts->n_members + n_members <= ROWS_PARTS_MEMBERS_MAX;
    if (!parts->is_complete)
        return;
    if (parts->n == parts->room) {
        parts->room = parts->room ? parts->room * 2 : 256;
        parts->items = mem_resize(parts->items, parts->room, sizeof(*parts->items));
    }
    parts->items[parts->n++] = (RowsPart){.part = *part,
                                          .first = parts->n_members,
                                          .n_members = n_members,
                                          .has_members = members != NULL};
    if (n_members > 0)
        keep_members(parts, members);
}

bool rows_parts_members(const RowsParts *parts, size_t i, RowsMembers *ret)
{
    const RowsPart *item = &parts->items[i];
    if (!item->has_members)
        return false;
    *ret = (RowsMembers){.items = parts->members ? parts->members + item->first : NULL,
                         .n = item->n_members};
    return true;
}

void rows_parts_release(RowsParts *parts)
{
    free(parts->items);
    free(parts->members);
    *parts = (RowsParts){0};
}
