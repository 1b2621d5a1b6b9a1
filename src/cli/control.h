/* Control: commands to the tasks of a running eval set, and their answers. */
#ifndef HAWK_CLI_CONTROL_H
#define HAWK_CLI_CONTROL_H

#include "base/buf.h"
#include "base/error.h"
#include "cli/command.h"

/* Appends "/eval_sets/<id>/<what>". */
void control_add_path(Buf *path, const char *id, const char *what);

/* Sends a command and remembers the id. `action` is one of jobs_command_of; the sample may be
   NULL. ret_command (or NULL) is what its answers are found by, in the Cli's arena. */
int control_tell(Cli *cli, const char *id, const char *action, const char *sample_uuid,
                 const char **ret_command, Error *err) HAWK_MUST_USE;

/* Sends a command, waits for the tasks' answers and prints them, also as JSON. ERR_TIMEOUT when
   none answers, ERR_CONFLICT when one refuses. */
int control_ask(Cli *cli, const char *id, const char *action, const char *sample_uuid, bool json,
                Error *err) HAWK_MUST_USE;

/* Waits. */
void control_pause(int ms);

#endif
