/* Venv: the virtualenv of a job, made by uv once for each lock file and kept in the cache. */
#ifndef HAWK_RUNNER_VENV_H
#define HAWK_RUNNER_VENV_H

#include "base/error.h"
#include "runner/run.h"

typedef struct Venv {
    char *python;  /* of the virtualenv */
    char *bin;     /* its folder of programs */
    char *lock;    /* text of the lock file */
    char *key;     /* what the lock was made for: the same packages and Python have the same key */
    char *version; /* of Python, and for which processor: "3.11.2-x86_64" */
    int in_use;    /* a descriptor: it stays in the cache as long as that is open */
} Venv;

#define VENV_INIT                                                                                  \
    {                                                                                              \
        .in_use = -1                                                                               \
    }

/* Resolves the job's packages into a lock file, or takes the one that lies beside the logs of an
   earlier attempt, or the one of another job with the same packages (not older than a day, unless
   the index cannot be reached), and makes the virtualenv unless it is there. What fails for want of
   a network is tried again as HAWK_INSTALL_WAITS says (default: "5 15 45 120 300"), and status.json
   says so meanwhile. Fails with code
   "install.*", uv's last words in the message and, where it can be told, the cause. ERR_CANCELLED
   when the runner was told to end. */
int venv_prepare(Run *run, const char *cache_dir, Venv *ret, Error *err) HAWK_MUST_USE;
void venv_release(Venv *venv);

/* The folder that a local specifier means ("/x", "name @ file:///x"), or NULL when it is none of an
   absolute path; in the run's arena. */
const char *venv_local_folder(const Run *run, const char *spec);

/* Where a file of the run is kept beside its logs, on the heap; NULL when they are in no folder. */
char *venv_kept_path(const Run *run, const char *name) HAWK_MUST_USE;

/* Puts the lock file beside the logs, where venv_prepare of a later attempt finds it. */
int venv_keep_lock(const Run *run, const Venv *venv, Error *err) HAWK_MUST_USE;

/* The exit status for a failure of venv_prepare: 78 when trying again is useless. */
int venv_exit_status(const Error *err);

#define auto_venv HAWK_CLEANUP(venv_release)

#endif
