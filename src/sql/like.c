/* Patterns of LIKE: see like.h. */

#include "sql/like.h"

Str like_containing(Arena *arena, Str text)
{
    char *pattern = arena_alloc(arena, text.n * 2 + 3);
    size_t n = 0;
    pattern[n++] = '%';
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' || text.p[i] == '_' || text.p[i] == '\\')
            pattern[n++] = '\\';
        pattern[n++] = text.p[i];
    }
    pattern[n++] = '%';
    return (Str){pattern, n};
}
