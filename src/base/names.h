/* Names: a list of texts, each once, in the order in which they came. */
#ifndef HAWK_BASE_NAMES_H
#define HAWK_BASE_NAMES_H

#include "base/arena.h"
#include "base/str.h"

/* Zeroed but for the arena: none. */
typedef struct Names {
    Arena *arena;
    Str *items;
    size_t n;
    size_t room;
} Names;

/* Adds a name, copied into the arena, unless it is there. Goes through all: for lists that are
 * short. */
void names_add(Names *names, Str name);

#endif
