/* One step at a time, with time for samples to end between two steps down and longer between two
   steps up, so that it does not swing. */

#include "runner/pressure.h"

enum { LOW_MAX = 256 << 20, LOW_PART = 8, DOWN_MS = 5000, UP_MS = 15000 };

bool pressure_look(Pressure *pressure, int64_t available, int64_t now_ms)
{
    if (!pressure->low)
        pressure->low = available / LOW_PART < LOW_MAX ? available / LOW_PART + 1 : LOW_MAX;
    if (now_ms < pressure->next_ms)
        return false;
    if (available < pressure->low && pressure->level < PRESSURE_MAX) {
        pressure->level++;
        pressure->next_ms = now_ms + DOWN_MS;
        return true;
    }
    if (available > 2 * pressure->low && pressure->level > 0) {
        pressure->level--;
        pressure->next_ms = now_ms + UP_MS;
        return true;
    }
    return false;
}
