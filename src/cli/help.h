/* Help: what is written from the command table. */
#ifndef HAWK_CLI_HELP_H
#define HAWK_CLI_HELP_H

#include "base/buf.h"
#include "cli/command.h"

/* Append the help of the program (one screen), of a group, of a command. */
void help_add_program(Buf *ret, int columns);
void help_add_group(Buf *ret, const CommandGroup *group, int columns);
void help_add_command(Buf *ret, const Command *command, int columns);

/* Append the man page hawk(1), and docs/cli.md. */
void help_add_man(Buf *ret);
void help_add_markdown(Buf *ret);

#endif
