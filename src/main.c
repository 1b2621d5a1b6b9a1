/* The one entry point: the command line decides what this process is. */

#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
