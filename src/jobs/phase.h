/* Phase: what a runner is at while no sample of its run is at work, as its status.json says. */
#ifndef HAWK_JOBS_PHASE_H
#define HAWK_JOBS_PHASE_H

#include "base/str.h"

typedef struct Phase {
    const char *name;
    const char *code; /* of the reason why the job is not done */
    const char *text; /* a sentence without its period */
} Phase;

/* The phase of this name; NULL when samples run in it, or it is none. */
const Phase *phase_find(Str name);

#endif
