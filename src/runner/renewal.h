/* Renewal: moves the end of the job's token on as long as its runner lives, on a thread. */
#ifndef HAWK_RUNNER_RENEWAL_H
#define HAWK_RUNNER_RENEWAL_H

#include "base/base.h"

typedef struct Renewal Renewal;

/* Begins with the token and the server's address in the environment, and the job's folder, two
   above which is the server.json of a server of this machine. NULL when there is no token, or no
   thread can be had: the run does not depend on it. */
Renewal *renewal_start(const char *folder) HAWK_MUST_USE;
void renewal_stop(Renewal *renewal); /* NULL is fine */

#endif
