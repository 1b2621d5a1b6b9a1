/* Shared libraries that are loaded when they are first needed. Linking the heavy ones would make
   every command pay for them at its start. */
#ifndef HAWK_BASE_LIBRARY_H
#define HAWK_BASE_LIBRARY_H

#include <stddef.h>

#include "base/base.h"
#include "base/error.h"

/* Where a function of the library goes in a table of function pointers. */
typedef struct LibrarySymbol {
    const char *name;
    size_t offset;
} LibrarySymbol;

/* Loads the library and fills the table; it stays loaded. package is what to install when it is not
   there: ERR_UNSUPPORTED with that as the fix. */
int library_load(const char *file, const char *package, const LibrarySymbol *symbols, size_t n,
                 void *table, Error *err) HAWK_MUST_USE;

#endif
