/* Allocation that aborts instead of failing. */

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static HAWK_NORETURN void mem_exhausted(size_t size)
{
    fprintf(stderr, "hawk: out of memory (%zu bytes wanted)\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p)
        mem_exhausted(size);
    return p;
}

void *mem_array(size_t n, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(n, size, &total))
        mem_exhausted(SIZE_MAX);
    return mem_alloc(total);
}

void *mem_resize(void *p, size_t n, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(n, size, &total))
        mem_exhausted(SIZE_MAX);
    void *moved = realloc(p, total ? total : 1);
    if (!moved)
        mem_exhausted(total);
    return moved;
}

char *mem_strdup(const char *s)
{
    return s ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_strndup(const char *s, size_t n)
{
    if (!s)
        return NULL;
    char *copy = mem_alloc(n + 1);
    memcpy(copy, s, n);
    return copy;
}

char *mem_printf(const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        mem_exhausted(0);
    return text;
}

void mem_wipe(void *p, size_t n)
{
    if (p)
        explicit_bzero(p, n);
}

void mem_free_cleanup(void *p)
{
    free(*(void **)p);
}
