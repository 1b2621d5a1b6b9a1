/* The folder of virtualenvs in the cache: who uses one, and which are kept.

   Beside each is a file DIR.lock: shared by those that use it, held alone by one that makes or
   removes it. A virtualenv is whole once it has a file `ready`, whose time is that of its last use.
 */
#ifndef HAWK_JOBS_VENV_CACHE_H
#define HAWK_JOBS_VENV_CACHE_H

#include "base/error.h"

enum { VENV_NAME_LENGTH = 32 };

/* Takes a virtualenv into use: *ret is a descriptor, and as long as it is open nobody removes it;
   -1 when it is not there, or somebody makes or removes it. */
int venv_cache_use(const char *dir, int *ret, Error *err) HAWK_MUST_USE;

/* The virtualenv that a path below it is in ("VENVS/<hash>/lib/python3.11/..."), on the heap. */
char *venv_cache_dir_of(const char *path) HAWK_MUST_USE;

/* Removes virtualenvs that nobody uses: the longest unused, as many as there are beyond
   HAWK_VENVS_KEPT (default 20), but few at a time. The one used last that has Scout stays, since
   scans are looked at with it. Returns how many it has removed. */
size_t venv_cache_prune(const char *folder);

#endif
