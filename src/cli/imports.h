/* Imports: what the server says of the logs in its import queue. */
#ifndef HAWK_CLI_IMPORTS_H
#define HAWK_CLI_IMPORTS_H

#include "base/error.h"
#include "cli/command.h"
#include "codec/json.h"

/* Which; NULL: all. */
typedef struct ImportsQuery {
    const char *eval_set_id;
    const char *state;
    int64_t limit;
} ImportsQuery;

/* GET /meta/imports, page after page: a tree {items, counts} in the Cli's arena. */
int imports_fetch(Cli *cli, const ImportsQuery *query, Json **ret, Error *err) HAWK_MUST_USE;

#endif
