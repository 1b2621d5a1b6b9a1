/* The phases of a runner, in words. */

#include "jobs/phase.h"

/* clang-format off */
static const Phase phases[] = {
    { "queued",     "run.starting",     "its runner is starting" },
    { "installing", "run.installing",   "its packages are being installed" },
    { "retrying",   "install.retrying", "its packages could not be installed, which is tried again" },
    { "loading",    "run.loading",      "its packages, models and tasks are being loaded" },
    { "stopping",   "run.finishing",    "its logs are being finished" },
};
/* clang-format on */

const Phase *phase_find(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        if (str_eqz(name, phases[i].name))
            return &phases[i];
    return NULL;
}
