/* RemoteLog: an eval log on the server, read by range, so that one sample of a large log costs a
 * few requests. */
#ifndef HAWK_CLI_REMOTE_LOG_H
#define HAWK_CLI_REMOTE_LOG_H

#include "base/error.h"
#include "cli/command.h"
#include "evallog/evallog.h"

/* Opens "<eval set id>/<file>.eval"; the caller closes it with evallog_close, before the Cli ends.
 */
int remote_log_open(Cli *cli, const char *name, EvalLog **ret, Error *err) HAWK_MUST_USE;

#endif
