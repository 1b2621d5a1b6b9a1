#include "base/names.h"

#include <string.h>

enum { ROOM_FIRST = 8 };

void names_add(Names *names, Str name)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->items[i], name))
            return;
    if (names->n == names->room) {
        size_t room = names->room ? names->room * 2 : ROOM_FIRST;
        Str *larger = arena_array(names->arena, room, sizeof(*larger));
        if (names->n > 0)
            memcpy(larger, names->items, names->n * sizeof(*larger));
        names->items = larger;
        names->room = room;
    }
    names->items[names->n++] = arena_str(names->arena, name);
}
