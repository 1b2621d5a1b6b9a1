/* ImportFiles: the logs below paths of this machine, and what they will be called on a server. */
#ifndef HAWK_CLI_IMPORT_FILES_H
#define HAWK_CLI_IMPORT_FILES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/opt.h"

enum { IMPORT_FILES_MAX = 100 * 1000, IMPORT_FILES_NAME_MAX = 200, IMPORT_FILES_NAMED_MAX = 10 };

typedef struct ImportFile {
    const char *path;
    const char *name; /* each once */
    uint64_t size;
} ImportFile;

typedef struct ImportFiles {
    ImportFile *items; /* in the order of the paths, within folders in that of names */
    size_t n;
    uint64_t n_bytes;
    const char *left_out[IMPORT_FILES_NAMED_MAX]; /* "<path>: why", the first that are no logs */
    size_t n_left_out;                            /* of all */
} ImportFiles;

/* Finds files that are given and, in folders and the folders in them, all that end in ".eval" and
   those that end in ".json" and are logs, or begin like one; what begins with a dot is passed over.
   Nothing is opened but such ".json" files. All in the arena. ERR_NOT_FOUND when a path is not
   there or nothing was found. */
int import_files_find(Arena *arena, const OptList *paths, ImportFiles *ret,
                      Error *err) HAWK_MUST_USE;

#endif
