/* HashMap: numbers by 128-bit hashes, which stand for what was hashed. */
#ifndef HAWK_WAREHOUSE_HASH_MAP_H
#define HAWK_WAREHOUSE_HASH_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/base.h"
#include "codec/murmur3.h"

typedef struct HashMapEntry {
    Murmur3 key;
    uint32_t value;
    bool is_used;
} HashMapEntry;

/* An empty one is zeroed. */
typedef struct HashMap {
    HashMapEntry *entries;
    size_t n;
    size_t room; /* a power of two, or 0 */
} HashMap;

/* The value of a key, or NULL; valid until the next insertion. */
uint32_t *hash_map_find(const HashMap *map, Murmur3 key);

/* Adds a key unless it is there; false when it was. */
bool hash_map_add(HashMap *map, Murmur3 key, uint32_t value);

/* Empties it, keeping the memory unless it is much; gives the memory back. */
void hash_map_reset(HashMap *map);
void hash_map_release(HashMap *map);

#endif
