/* The rows of the commands, one per file cmd_*.c. */
#ifndef HAWK_CLI_COMMANDS_H
#define HAWK_CLI_COMMANDS_H

#include "cli/command.h"

extern const Command commands_validate;
extern const Command commands_plan;
extern const Command commands_schema;
extern const Command commands_completion;
extern const Command commands_man;
extern const Command commands_docs_cli;

#endif
