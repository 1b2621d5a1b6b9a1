/* Watch: follows an eval set or a scan until it is over, and says what came out. */
#ifndef HAWK_CLI_WATCH_H
#define HAWK_CLI_WATCH_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/command.h"
#include "codec/json.h"

typedef struct WatchOptions {
    FILE *out;    /* where progress goes */
    bool redraws; /* it is a terminal: draw over what was drawn before */
    bool colours;
    bool json;     /* one EvalSetStatus per line instead */
    bool once;     /* only what is now */
    bool is_quiet; /* nothing at all, only wait */
} WatchOptions;

/* What it has come to. */
typedef struct WatchResult {
    bool is_over;
    bool succeeded; /* it is complete, every eval says success, and not all samples failed */
    char status[32];
    char why[512]; /* why it has not succeeded; "" when nothing is known */
} WatchResult;

/* Follows the job; a server that is away for a while is asked again. */
int watch_follow(Cli *cli, const char *id, const WatchOptions *options, WatchResult *ret,
                 Error *err) HAWK_MUST_USE;

/* Follows what was just submitted, on standard error: standard output is for what came of it. */
int watch_submitted(Cli *cli, const char *id, bool is_quiet, WatchResult *ret,
                    Error *err) HAWK_MUST_USE;

/* Whether the job has come to its end; false also when that cannot be found out. */
bool watch_job_is_over(Cli *cli, const char *id);

#endif
