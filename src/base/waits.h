/* Waits: how often something is tried again that failed for a reason that may pass, and how long
   to wait each time. */
#ifndef HAWK_BASE_WAITS_H
#define HAWK_BASE_WAITS_H

#include <stddef.h>

#include "base/base.h"
#include "base/str.h"

enum { WAITS_TRIES_MAX = 20, WAITS_SECONDS_MAX = 3600 };

typedef struct Waits {
    int seconds[WAITS_TRIES_MAX];
    size_t n; /* 0: not tried again */
} Waits;

/* Reads "5 15 45", seconds each; "none" is no try. -1 for anything else; ret is untouched then. */
int waits_of(Str text, Waits *ret) HAWK_MUST_USE;

#endif
