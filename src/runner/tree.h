/* Tree: a digest of the contents of a folder, to tell whether a local package has changed. */
#ifndef HAWK_RUNNER_TREE_H
#define HAWK_RUNNER_TREE_H

#include "base/buf.h"
#include "base/error.h"

enum { TREE_FILES_MAX = 20000 };

/* Appends a line with the SHA-256 of the names and bytes of all files below path, in order; what
   builds and tools leave behind is passed over. A symbolic link counts where it leads, and the
   bytes of a file there. A path of a file counts its bytes. ERR_NOT_FOUND when there is nothing,
   ERR_BAD_DATA over TREE_FILES_MAX files. */
int tree_add_digest(const char *path, Buf *ret, Error *err) HAWK_MUST_USE;

#endif
