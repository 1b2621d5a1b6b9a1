/* Attempts: which rows of an eval set are of tries that were made again, so that lists show the
   last one. */
#ifndef HAWK_CLI_ATTEMPTS_H
#define HAWK_CLI_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/command.h"

/* Zeroed: none. The names live in the arena of the Cli. */
typedef struct Attempts {
    Str *names; /* ids of evals, or uuids of samples, sorted */
    size_t n;
    const char *unfinished; /* what a sample is that is not over: "running", "waiting", "lost" */
} Attempts;

/* Gets the ids ("eval_ids") or uuids ("sample_uuids") of an eval set's rows that were tried again.
   None with a server that does not know. */
int attempts_get(Cli *cli, const char *eval_set_id, const char *kind, Attempts *ret,
                 Error *err) HAWK_MUST_USE;

/* Whether the row of this name was tried again. */
bool attempts_has(const Attempts *attempts, Str name);

#endif
