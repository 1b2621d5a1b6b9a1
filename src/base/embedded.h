/* A file of src/<folder>/embed/ built into the program. */
#ifndef HAWK_BASE_EMBEDDED_H
#define HAWK_BASE_EMBEDDED_H

#include <stddef.h>

/* The bytes are followed by a NUL that `size` does not count. */
typedef struct Embedded {
    const unsigned char *data;
    size_t size;
} Embedded;

/* One of all files of a folder, with its path below that. */
typedef struct EmbeddedFile {
    const char *path;
    const Embedded *file;
} EmbeddedFile;

#endif
