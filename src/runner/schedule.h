/* Schedule: the tasks of one eval set as processes of a pool: which runs when, with how many
   samples at once, what is tried again, and what the run has come to. It decides only;
   runner/pool.h starts and listens. docs/runs.md has the rules. */
#ifndef HAWK_RUNNER_SCHEDULE_H
#define HAWK_RUNNER_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum {
    SCHEDULE_TASKS_MAX = 100000,
    SCHEDULE_RUNNING_MAX = 500, /* processes at once */
    SCHEDULE_DEATHS_MAX = 5,    /* of one task's process, before the task is given up */
};

typedef enum ScheduleState { SCHEDULE_WAITING, SCHEDULE_RUNNING, SCHEDULE_OVER } ScheduleState;

typedef struct ScheduleTask {
    Str name;
    Str model;       /* STR_NONE: none of its own */
    int max_samples; /* at once, as Inspect would */
    int allowed;     /* at once in the next process; 0: as Inspect would */
    ScheduleState state;
    int n_deaths;
    int exit_status;    /* once over */
    int64_t peak_bytes; /* the most that a process of it held */
    int64_t since_us;
    pid_t pid;
    bool lacked_memory; /* what the kernel says of the last death */
    char *reason;       /* of the last death, until a process ends well; on the heap, or NULL */
} ScheduleTask;

typedef struct Schedule Schedule;

/* `arena` keeps names. */
Schedule *schedule_new(Arena *arena) HAWK_MUST_USE;
void schedule_free(Schedule *schedule);
HAWK_DEFINE_AUTO(Schedule, schedule, schedule_free)
#define auto_schedule HAWK_CLEANUP(schedule_cleanup_)

/* Takes the next task of the eval set; false past SCHEDULE_TASKS_MAX. */
bool schedule_add(Schedule *schedule, Str name, Str model, int max_samples);
void schedule_set_max_running(Schedule *schedule, int64_t max_running);
size_t schedule_n_tasks(const Schedule *schedule);
const ScheduleTask *schedule_task(const Schedule *schedule, size_t number);

/* Whether a task waits and no more run than may: else memory need not be looked at. */
bool schedule_may_start(const Schedule *schedule);

/* The next task to start, or -1: enough are running, none waits, or `available` bytes of memory are
   not enough for one more. When nothing runs, one is always let in. */
int64_t schedule_next(const Schedule *schedule, int64_t available);

/* A task's process has been asked for; its number comes later. */
void schedule_started(Schedule *schedule, size_t number);
void schedule_set_pid(Schedule *schedule, size_t number, pid_t pid);

/* What is known of the end of a process. */
typedef struct ScheduleEnd {
    int exit_status;
    int signal;       /* that ended it; 0: none */
    bool oom;         /* the kernel has killed for want of memory meanwhile */
    bool is_stopping; /* the run was told to end, so nothing is tried again */
    int64_t peak_bytes;
} ScheduleEnd;

/* A task's process has ended: the task is over, or waits for another try with half the samples at
   once if memory was short. True when it is over without having left a result of its own. */
bool schedule_ended(Schedule *schedule, size_t number, const ScheduleEnd *end);

/* All processes have died with the pool, which was no fault of theirs: their tasks wait again.
   Returns why, in words. */
const char *schedule_pool_died(Schedule *schedule, int signal, bool oom);

/* Whether every task is over, and how many processes of tasks there are. */
bool schedule_is_over(const Schedule *schedule);
size_t schedule_n_running(const Schedule *schedule);

/* The tasks with their states, as the JSON of tasks.json. */
void schedule_write(const Schedule *schedule, Buf *ret);

#endif
