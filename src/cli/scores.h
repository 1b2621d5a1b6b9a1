/* Scores: what the logs of an eval set have come to, as one table. */
#ifndef HAWK_CLI_SCORES_H
#define HAWK_CLI_SCORES_H

#include "base/error.h"
#include "cli/command.h"
#include "codec/json.h"

/* Prints an array of log headers on standard output: a row for each scorer of each log. */
int scores_print(Cli *cli, const Json *logs, Error *err) HAWK_MUST_USE;

/* The same for all logs of an eval set on the server. */
int scores_print_of(Cli *cli, const char *id, Error *err) HAWK_MUST_USE;

#endif
