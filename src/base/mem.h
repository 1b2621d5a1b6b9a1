/* Heap memory that never is NULL: running out ends the process, hence every input has a ceiling. */
#ifndef HAWK_BASE_MEM_H
#define HAWK_BASE_MEM_H

#include "base/base.h"

/* Returns size zeroed bytes; the caller frees them with free(). */
void *mem_alloc(size_t size) HAWK_MUST_USE;

/* Returns n zeroed items of size bytes; the multiplication is checked. */
void *mem_array(size_t n, size_t size) HAWK_MUST_USE;

/* Resizes p (or allocates when NULL) to n items of size bytes; bytes beyond the old size are not
 * zeroed. */
void *mem_resize(void *p, size_t n, size_t size) HAWK_MUST_USE;

/* Copies a C string or n bytes (with a NUL behind them); the caller frees. NULL gives NULL. */
char *mem_strdup(const char *s) HAWK_MUST_USE;
char *mem_strndup(const char *s, size_t n) HAWK_MUST_USE;

/* printf into new memory; the caller frees. */
char *mem_printf(const char *fmt, ...) HAWK_MUST_USE HAWK_PRINTF(1, 2);

/* Overwrites n bytes with zeros in a way that the compiler keeps. */
void mem_wipe(void *p, size_t n);

/* Frees *p, for auto_free. */
void mem_free_cleanup(void *p);

#define auto_free HAWK_CLEANUP(mem_free_cleanup)

#endif
