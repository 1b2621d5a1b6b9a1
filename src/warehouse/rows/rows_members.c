/* Members of an object. */

#include "warehouse/rows/rows_members.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/json_scan.h"

bool rows_members_read(RowsMembers *members, Str raw, Arena *arena)
{
    members->n = 0;
    if (json_scan_kind_of(raw) != JSON_SCAN_OBJECT)
        return false;
    JsonScan scan;
    Str key = STR_NONE;
    Str value = STR_NONE;
    json_scan_init(&scan, raw, true);
    (void)json_scan_object(&scan);
    while (json_scan_member(&scan, &key) && json_scan_skip(&scan, &value)) {
        if (members->n == members->room) {
            members->room = members->room ? members->room * 2 : 32;
            members->items = mem_resize(members->items, members->room, sizeof(RowsMember));
        }
        Str plain = key;
        if (memchr(key.p, '\\', key.n))
            (void)json_scan_key_str(key, arena, &plain);
        members->items[members->n++] = (RowsMember){plain, key, value};
    }
    return true;
}

void rows_members_release(RowsMembers *members)
{
    free(members->items);
    *members = (RowsMembers){0};
}

Str rows_members_get(const RowsMembers *members, Str key)
{
    for (size_t i = members->n; i > 0; i--) {
        const RowsMember *member = &members->items[i - 1];
        if (member->key.n == key.n && memcmp(member->key.p, key.p, key.n) == 0)
            return json_scan_kind_of(member->raw) == JSON_SCAN_NULL ? STR_NONE : member->raw;
    }
    return STR_NONE;
}

bool rows_members_has_items(Str raw)
{
    JsonScanKind kind = json_scan_kind_of(raw);
    if (kind != JSON_SCAN_ARRAY && kind != JSON_SCAN_OBJECT)
        return false;
    for (size_t i = 1; i + 1 < raw.n; i++)
        if (!strchr(" \t\r\n", raw.p[i]))
            return true;
    return false;
}
