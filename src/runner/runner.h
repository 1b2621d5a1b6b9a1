/* The runner: supervisor of one job, beside it for as long as it runs (docs/architecture.md, "A job
 * as a process"). */
#ifndef HAWK_RUNNER_RUNNER_H
#define HAWK_RUNNER_RUNNER_H

/* hawk runner eval-set USER_CONFIG INFRA_CONFIG [--attempt N] [--wait] [--foreground]. Returns the
   exit status: 0 done, 1 failed, 2 wrong arguments, 75 another runner has the job, 78 the config
   cannot work, 130 cancelled. */
int runner_main(int argc, char **argv);

#endif
