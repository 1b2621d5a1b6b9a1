/* A chain of blocks; each new block is twice the last, up to a limit. The first is made when
   something is wanted of it: many arenas are for what rarely comes. */

#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

typedef struct Block Block;
struct Block {
    Block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char bytes[];
};

struct Arena {
    Block *head; /* the block being filled, or NULL; older ones behind it */
    size_t used;
};

static Block *block_new(size_t size, Block *next)
{
    Block *block = mem_alloc(sizeof(*block) + size);
    block->size = size;
    block->next = next;
    return block;
}

Arena *arena_new(void)
{
    return mem_alloc(sizeof(Arena));
}

static void free_chain(Block *block)
{
    while (block) {
        Block *next = block->next;
        free(block);
        block = next;
    }
}

void arena_free(Arena *arena)
{
    if (!arena)
        return;
    free_chain(arena->head);
    free(arena);
}

void arena_reset(Arena *arena)
{
    if (!arena->head)
        return;
    free_chain(arena->head->next);
    arena->head->next = NULL;
    memset(arena->head->bytes, 0, arena->head->used);
    arena->head->used = 0;
    arena->used = 0;
}

void *arena_alloc(Arena *arena, size_t size)
{
    size_t rounded = 0;
    if (__builtin_add_overflow(size, alignof(max_align_t) - 1, &rounded))
        abort();
    rounded &= ~(alignof(max_align_t) - 1);
    Block *block = arena->head;
    if (!block || block->size - block->used < rounded) {
        size_t next_size = !block                        ? FIRST_BLOCK
                           : block->size < LARGEST_BLOCK ? block->size * 2
                                                         : LARGEST_BLOCK;
        block = block_new(rounded > next_size ? rounded : next_size, block);
        arena->head = block;
    }
    void *p = block->bytes + block->used;
    block->used += rounded;
    arena->used += rounded;
    return p;
}

void *arena_array(Arena *arena, size_t n, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(n, size, &total))
        abort();
    return arena_alloc(arena, total);
}

char *arena_strndup(Arena *arena, const char *s, size_t n)
{
    char *copy = arena_alloc(arena, n + 1);
    if (n)
        memcpy(copy, s, n);
    return copy;
}

char *arena_strdup(Arena *arena, const char *s)
{
    return s ? arena_strndup(arena, s, strlen(s)) : NULL;
}

Str arena_str(Arena *arena, Str s)
{
    return (Str){arena_strndup(arena, s.p, s.n), s.n};
}

char *arena_printf(Arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)n + 1);
    (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

size_t arena_used(const Arena *arena)
{
    return arena->used;
}
