/* Open addressing; at most half of the places are taken. */

#include "warehouse/hash_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { ROOM_MIN = 64, ROOM_KEPT = 64 * 1024 };

static HashMapEntry *place_of(const HashMap *map, Murmur3 key)
{
    size_t at = (size_t)key.first & (map->room - 1);
    for (;; at = (at + 1) & (map->room - 1)) {
        HashMapEntry *entry = &map->entries[at];
        if (!entry->is_used || (entry->key.first == key.first && entry->key.second == key.second))
            return entry;
    }
}

static void grow(HashMap *map)
{
    HashMap larger = {.room = map->room ? map->room * 2 : ROOM_MIN};
    larger.entries = mem_array(larger.room, sizeof(HashMapEntry));
    for (size_t i = 0; i < map->room; i++)
        if (map->entries[i].is_used)
            *place_of(&larger, map->entries[i].key) = map->entries[i];
    larger.n = map->n;
    free(map->entries);
    *map = larger;
}

uint32_t *hash_map_find(const HashMap *map, Murmur3 key)
{
    if (map->n == 0)
        return NULL;
    HashMapEntry *entry = place_of(map, key);
    return entry->is_used ? &entry->value : NULL;
}

bool hash_map_add(HashMap *map, Murmur3 key, uint32_t value)
{
    if (map->n * 2 >= map->room)
        grow(map);
    HashMapEntry *entry = place_of(map, key);
    if (entry->is_used)
        return false;
    *entry = (HashMapEntry){.key = key, .value = value, .is_used = true};
    map->n++;
    return true;
}

void hash_map_reset(HashMap *map)
{
    if (map->room > ROOM_KEPT)
        hash_map_release(map);
    else if (map->n > 0)
        memset(map->entries, 0, map->room * sizeof(HashMapEntry));
    map->n = 0;
}

void hash_map_release(HashMap *map)
{
    free(map->entries);
    *map = (HashMap){0};
}
