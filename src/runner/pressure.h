/* Pressure: how short memory is, as a number of steps. With each the tasks run half as many samples
   at once, so that the kernel does not have to kill. */
#ifndef HAWK_RUNNER_PRESSURE_H
#define HAWK_RUNNER_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

enum { PRESSURE_MAX = 10 };

typedef struct Pressure {
    int level;       /* 0: there is room */
    int64_t low;     /* bytes; less is short; 0: not known before the first look */
    int64_t next_ms; /* not before this does the level change */
} Pressure;

/* Takes in how many bytes are available now; true when the level has changed. The first look says
   what is much: short is an eighth of that, at most 256 MB; there is room again at twice as much.
 */
bool pressure_look(Pressure *pressure, int64_t available, int64_t now_ms);

#endif
