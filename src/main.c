/* The one entry point: the first word decides whether this is the command line or a job's runner.
 */

#include <string.h>

#include "base/process.h"
#include "cli/cli.h"
#include "runner/runner.h"

int main(int argc, char **argv)
{
    process_refuse_core_dumps();
    if (argc > 1 && strcmp(argv[1], "runner") == 0)
        return runner_main(argc - 1, argv + 1);
    return cli_main(argc, argv);
}
