/* Loading shared libraries. */

#include "base/library.h"

#include <dlfcn.h>

int library_load(const char *file, const char *package, const LibrarySymbol *symbols, size_t n,
                 void *table, Error *err)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        error_set(err, ERR_UNSUPPORTED, "cannot load %s: %s", file, dlerror());
        return error_fix(err, "install the package %s", package);
    }
    for (size_t i = 0; i < n; i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (!symbol) {
            error_set(err, ERR_UNSUPPORTED, "%s has no %s", file, symbols[i].name);
            return error_fix(err, "install a newer package %s", package);
        }
        memcpy((char *)table + symbols[i].offset, &symbol, sizeof(symbol));
    }
    return 0;
}
