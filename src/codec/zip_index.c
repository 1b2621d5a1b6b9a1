/* Which member has a name: a table of hashes, made at the opening, and an order by name, made when
   somebody asks for names that begin alike.

   The names are a stranger's, so the hash has a key of this archive. */

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/random.h"
#include "codec/zip_priv.h"

enum { SLOTS_MIN = 16 };
#define HASH_MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

/* One step: both halves of a product of 128 bits. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_name(const Zip *zip, Str name)
{
    uint64_t hash = zip->hash_key ^ name.n;
    uint64_t eight = 0;
    for (; name.n >= sizeof(eight); name = (Str){name.p + sizeof(eight), name.n - sizeof(eight)}) {
        memcpy(&eight, name.p, sizeof(eight));
        hash = mix(hash ^ eight, HASH_MULTIPLIER ^ zip->hash_key);
    }
    eight = 0;
    memcpy(&eight, name.p, name.n);
    return mix(hash ^ eight, HASH_MULTIPLIER ^ zip->hash_key);
}

/* A slot has the upper half of the hash, and the place of the entry + 1 in the lower; 0 is none. */
static uint32_t slot_place(uint64_t slot)
{
    return (uint32_t)slot - 1;
}

/* The slot of the name, or the free one where it belongs. */
static uint64_t *find_slot(const Zip *zip, Str name, uint64_t hash)
{
    size_t i = hash & zip->slot_mask;
    while (zip->slots[i] != 0) {
        if (zip->slots[i] >> 32 == hash >> 32 &&
            str_eq(zip->entries[slot_place(zip->slots[i])].name, name))
            break;
        i = (i + 1) & zip->slot_mask;
    }
    return &zip->slots[i];
}

/* Takes out the entries that are marked, and moves the places in the slots. */
static void drop_entries(Zip *zip, const bool *is_dropped)
{
    auto_free uint32_t *moved = mem_array(zip->n_entries + 1, sizeof(*moved));
    size_t n = 0;
    for (size_t i = 0; i < zip->n_entries; i++) {
        moved[i] = (uint32_t)n;
        if (!is_dropped[i])
            zip->entries[n++] = zip->entries[i];
    }
    for (size_t i = 0; i <= zip->slot_mask; i++) {
        uint64_t slot = zip->slots[i];
        if (slot != 0)
            zip->slots[i] = (slot >> 32 << 32) | (moved[slot_place(slot)] + 1);
    }
    zip->n_entries = n;
}

void zip_index_names(Zip *zip)
{
    size_t n_slots = SLOTS_MIN;
    while (n_slots < zip->n_entries * 2)
        n_slots *= 2;
    random_bytes(&zip->hash_key, sizeof(zip->hash_key));
    zip->slots = mem_array(n_slots, sizeof(*zip->slots));
    zip->slot_mask = n_slots - 1;
    auto_free bool *is_dropped = NULL;
    for (size_t i = 0; i < zip->n_entries; i++) {
        Str name = zip->entries[i].name;
        uint64_t hash = hash_name(zip, name);
        uint64_t *slot = find_slot(zip, name, hash);
        if (*slot != 0 && !is_dropped)
            is_dropped = mem_array(zip->n_entries, sizeof(*is_dropped));
        if (*slot != 0)
            is_dropped[slot_place(*slot)] = true;
        *slot = (hash >> 32 << 32) | (i + 1);
    }
    if (is_dropped)
        drop_entries(zip, is_dropped);
}

const ZipEntry *zip_find(const Zip *zip, Str name)
{
    uint64_t slot = *find_slot(zip, name, hash_name(zip, name));
    return slot != 0 ? &zip->entries[slot_place(slot)] : NULL;
}

static int compare_names(const void *a, const void *b, void *context)
{
    const ZipEntry *entries = context;
    return str_cmp(entries[*(const uint32_t *)a].name, entries[*(const uint32_t *)b].name);
}

/* The places of the entries in the order of their names. Threads that come at once each make it;
   one is kept. */
static const uint32_t *sorted(const Zip *zip)
{
    uint32_t *order = atomic_load(&zip->lazy->by_name);
    if (order)
        return order;
    order = mem_array(zip->n_entries + 1, sizeof(*order));
    for (size_t i = 0; i < zip->n_entries; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, zip->n_entries, sizeof(*order), compare_names, zip->entries);
    uint32_t *other = NULL;
    if (atomic_compare_exchange_strong(&zip->lazy->by_name, &other, order))
        return order;
    free(order);
    return other;
}

/* The first place in the order whose name is not below `name`. */
static size_t lower_bound(const Zip *zip, Str name)
{
    const uint32_t *order = sorted(zip);
    size_t low = 0;
    size_t high = zip->n_entries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_cmp(zip->entries[order[middle]].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t zip_find_prefix(const Zip *zip, Str prefix, size_t *ret_first)
{
    size_t first = lower_bound(zip, prefix);
    size_t n = 0;
    while (first + n < zip->n_entries && str_starts(zip_entry_sorted(zip, first + n)->name, prefix))
        n++;
    *ret_first = first;
    return n;
}

const ZipEntry *zip_entry_sorted(const Zip *zip, size_t i)
{
    assert(i < zip->n_entries);
    return &zip->entries[sorted(zip)[i]];
}
