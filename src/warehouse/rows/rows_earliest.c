/* Each event refers to a growing part of the pool; a place is claimed once, and what has been
   claimed is passed over in one step. */

#include "warehouse/rows/rows_earliest.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_scan.h"

/* Makes n places known. */
static void know(RowsEarliest *earliest, size_t n)
{
    if (n <= earliest->n)
        return;
    if (n > earliest->room) {
        earliest->room = n * 2;
        earliest->orders = mem_resize(earliest->orders, earliest->room, sizeof(int32_t));
        earliest->next = mem_resize(earliest->next, earliest->room + 1, sizeof(uint32_t));
    }
    for (size_t i = earliest->n; i < n; i++) {
        earliest->orders[i] = -1;
        earliest->next[i] = (uint32_t)i;
    }
    earliest->next[n] = (uint32_t)n;
    earliest->n = n;
}

/* The first place from i on that no event has; the way there gets shorter for the next time. */
static size_t find_free(RowsEarliest *earliest, size_t i)
{
    size_t root = i;
    while (earliest->next[root] != root)
        root = earliest->next[root];
    while (earliest->next[i] != root) {
        size_t next = earliest->next[i];
        earliest->next[i] = (uint32_t)root;
        i = next;
    }
    return root;
}

static void claim(RowsEarliest *earliest, int64_t start, int64_t end, int32_t order)
{
    size_t from = start < 0 ? 0 : start > ROWS_EARLIEST_MAX ? ROWS_EARLIEST_MAX : (size_t)start;
    size_t to = end < 0 ? 0 : end > ROWS_EARLIEST_MAX ? ROWS_EARLIEST_MAX : (size_t)end;
    if (from >= to)
        return;
    know(earliest, to);
    for (size_t i = find_free(earliest, from); i < to; i = find_free(earliest, i + 1)) {
        earliest->orders[i] = order;
        earliest->next[i] = (uint32_t)i + 1;
    }
}

void rows_earliest_add(RowsEarliest *earliest, Str refs, int32_t order)
{
    JsonScan scan;
    json_scan_init(&scan, refs, true);
    if (json_scan_kind_of(refs) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
        return;
    while (json_scan_item(&scan)) {
        if (json_scan_kind(&scan) != JSON_SCAN_ARRAY || !json_scan_array(&scan))
            continue;
        int64_t range[2] = {0, 0};
        size_t n = 0;
        Str number = STR_NONE;
        for (; json_scan_item(&scan); n++)
            if (json_scan_skip(&scan, &number) && n < 2 && !json_scan_i64(number, &range[n]))
                n = 2; /* no range of numbers */
        if (n == 2)
            claim(earliest, range[0], range[1], order);
    }
}

int32_t rows_earliest_of(const RowsEarliest *earliest, size_t place)
{
    return place < earliest->n ? earliest->orders[place] : -1;
}

void rows_earliest_reset(RowsEarliest *earliest)
{
    earliest->n = 0;
}

void rows_earliest_release(RowsEarliest *earliest)
{
    free(earliest->orders);
    free(earliest->next);
    *earliest = (RowsEarliest){0};
}
