/* Capsule: what a run was made of, in one file: config, lock file, Python, the bytes of local
   packages, and a digest of the files of each installed one. A frozen run is one that is made of
   the same, or does not begin. */
#ifndef HAWK_RUNNER_CAPSULE_H
#define HAWK_RUNNER_CAPSULE_H

#include "base/error.h"
#include "runner/run.h"
#include "runner/venv.h"

enum { CAPSULE_MAX = 32 << 20, CAPSULE_PACKAGES_MAX = 5000 };

/* The capsule that this run is bound to; NULL for a run that is not frozen. */
const Json *capsule_of_run(const Run *run);

/* The lock of a frozen run, on the heap, if Python, packages and the contents of local packages are
   those of its capsule, for which `key` stands. ERR_FAILED with code "install.frozen" names what is
   not. */
int capsule_take_lock(const Run *run, const char *python, const char *key, char **ret,
                      Error *err) HAWK_MUST_USE;

/* Compares the installed packages of a frozen run with those of its capsule, then writes this run's
   own capsule into its folder and beside its logs, when those are in a folder. ERR_FAILED with code
   "install.frozen" names the packages that differ. */
int capsule_keep(const Run *run, const Venv *venv, Error *err) HAWK_MUST_USE;

#endif
