/* Threads of parts that work beside the requests: a round of work, a wait, the next round, until
   they are stopped. */
#ifndef HAWK_BASE_LOOPER_H
#define HAWK_BASE_LOOPER_H

#include <stdbool.h>

#include "base/error.h"

typedef struct Looper Looper;

/* Starts a thread that calls run(context, looper), which returns soon after looper_wait has said
   false. context outlives looper_stop. */
int looper_start(void (*run)(void *context, Looper *looper), void *context, Looper **ret,
                 Error *err) HAWK_MUST_USE;

/* Waits in the looper's thread so many milliseconds, or until it is woken or stopped. false: return
   from run. */
bool looper_wait(Looper *looper, int ms);

/* Whether a Looper is being stopped: asked between the steps of a long round. Any thread; takes
   void so that it can tell an HttpCall that it is cancelled. */
bool looper_is_ending(void *looper);

/* Ends the wait, the next one when there is none now. Any thread. */
void looper_wake(Looper *looper);

/* Asks the thread to end, joins it and frees. NULL is nothing. */
void looper_stop(Looper *looper);

#endif
