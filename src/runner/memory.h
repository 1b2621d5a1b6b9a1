/* Memory: how much of it this process and those it starts may still take, and whether the kernel
   has killed for want of it. */
#ifndef HAWK_RUNNER_MEMORY_H
#define HAWK_RUNNER_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

/* Bytes that can be taken before the kernel has to kill: what the machine has available
   (proc(5), MemAvailable), or what the cgroup's limit leaves, if that is less. Page cache that can
   be given back counts as free. `root` is "" but for tests. INT64_MAX when nothing is known. Both
   versions of cgroups are read (cgroups(7); Linux admin-guide/cgroup-v2 and cgroup-v1/memory). */
int64_t memory_available(const char *root);

/* How many processes the kernel has killed for want of memory: in this cgroup, else on the machine
   (proc(5), vmstat). To be compared with an earlier answer. */
int64_t memory_oom_kills(const char *root);

/* Bytes a process holds in memory (proc(5), statm); 0 when there is no such process. */
int64_t memory_of_process(pid_t pid);

#endif
