/* Arena: memory of things that end together (a request, a document). Nothing in it is freed on its
 * own. */
#ifndef HAWK_BASE_ARENA_H
#define HAWK_BASE_ARENA_H

#include "base/base.h"
#include "base/str.h"

typedef struct Arena Arena;

/* A new arena without a ceiling of its own: what goes in must come from an input that has one. Not
 * thread-safe. */
Arena *arena_new(void) HAWK_MUST_USE;
void arena_free(Arena *arena);

/* Drops everything in it, keeping one block for reuse. */
void arena_reset(Arena *arena);

/* size zeroed bytes, aligned for any type. */
void *arena_alloc(Arena *arena, size_t size) HAWK_MUST_USE;
void *arena_array(Arena *arena, size_t n, size_t size) HAWK_MUST_USE;

/* Copies with a NUL behind; arena_str gives a view of the copy. */
char *arena_strndup(Arena *arena, const char *s, size_t n) HAWK_MUST_USE;
char *arena_strdup(Arena *arena, const char *s) HAWK_MUST_USE;
Str arena_str(Arena *arena, Str s) HAWK_MUST_USE;

/* printf into the arena. */
char *arena_printf(Arena *arena, const char *fmt, ...) HAWK_MUST_USE HAWK_PRINTF(2, 3);

/* Bytes handed out so far. */
size_t arena_used(const Arena *arena);

HAWK_DEFINE_AUTO(Arena, arena, arena_free)
#define auto_arena HAWK_CLEANUP(arena_cleanup_)

#endif
