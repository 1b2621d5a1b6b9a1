/* Frames: small Python programs of ours that work with Parquet, for there is no C library of it to
   rely on, in a virtualenv of pinned packages. CACHE/frames/<hash>/ is made once; until then that
   needs a Python and a package index. */
#ifndef HAWK_SERVER_FRAMES_H
#define HAWK_SERVER_FRAMES_H

#include <stdbool.h>

#include "base/error.h"
#include "base/process.h"

typedef struct FramesStart {
    const char *program;      /* "hawk_frames.py", "hawk_scans.py" */
    const char *const *words; /* its arguments, which end with NULL; or NULL */
    int in;                   /* as in ProcessOptions; standard error is a pipe */
    int out;
    bool dies_with_us; /* with the thread that starts it */
} FramesStart;

/* Makes the virtualenv unless it is there, which may take minutes, and starts a program, which the
   caller ends with process_release. ERR_UNSUPPORTED, with a fix, when this machine cannot have it.
 */
int frames_start(const char *cache_dir, const FramesStart *start, Process *ret,
                 Error *err) HAWK_MUST_USE;

/* What such programs get to see of the environment: no keys of models, and only when for_store is
   set those of the store. */
void frames_env(ProcessEnv *env, bool for_store);

/* Waits for its end; ERR_FAILED with its own words when something went wrong. */
int frames_finish(Process *process, int timeout_ms, Error *err) HAWK_MUST_USE;

#endif
