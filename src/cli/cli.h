/* The command line: finds the command in its table and runs it. */
#ifndef HAWK_CLI_CLI_H
#define HAWK_CLI_CLI_H

/* Runs the command named by argv and returns the exit status of the process. */
int cli_main(int argc, char **argv);

#endif
