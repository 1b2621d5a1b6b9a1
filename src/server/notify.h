/* Notify: the two small protocols of systemd that a service speaks (sd_notify(3),
 * sd_listen_fds(3)). */
#ifndef HAWK_SERVER_NOTIFY_H
#define HAWK_SERVER_NOTIFY_H

#include "base/base.h"

/* Tells the service manager, if there is one: "READY=1\nSTATUS=...". Best effort. */
void notify_send(const char *state);

/* The first socket that the service manager opened for this process, or -1. */
int notify_listen_fd(void);

#endif
