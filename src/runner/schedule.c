/* Tasks are started in their order. How much memory one more will take is guessed from what others
   have taken so far. */

#include "runner/schedule.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "runner/memory.h"

enum { FIRST_GUESS = 256 << 20, KEPT_FREE = 128 << 20 };

struct Schedule {
    Arena *arena;
    ScheduleTask *tasks;
    size_t n_tasks;
    size_t n_running;
    size_t max_running;
    int n_pool_deaths;
    char *pool_reason; /* of the last of them; on the heap, or NULL */
};

Schedule *schedule_new(Arena *arena)
{
    Schedule *schedule = mem_alloc(sizeof(*schedule));
    schedule->arena = arena;
    schedule->max_running = 1;
    return schedule;
}

void schedule_free(Schedule *schedule)
{
    if (!schedule)
        return;
    for (size_t i = 0; i < schedule->n_tasks; i++)
        free(schedule->tasks[i].reason);
    free(schedule->tasks);
    free(schedule->pool_reason);
    free(schedule);
}

bool schedule_add(Schedule *schedule, Str name, Str model, int max_samples)
{
    if (schedule->n_tasks == SCHEDULE_TASKS_MAX)
        return false;
    schedule->tasks = mem_resize(schedule->tasks, schedule->n_tasks + 1, sizeof(*schedule->tasks));
    schedule->tasks[schedule->n_tasks++] = (ScheduleTask){
        .name = arena_str(schedule->arena, name),
        .model = model.p ? arena_str(schedule->arena, model) : STR_NONE,
        .max_samples = max_samples > 0 ? max_samples : 1,
        .since_us = clock_now_us(),
    };
    return true;
}

void schedule_set_max_running(Schedule *schedule, int64_t max_running)
{
    if (max_running < 1)
        max_running = 1;
    if (max_running > SCHEDULE_RUNNING_MAX)
        max_running = SCHEDULE_RUNNING_MAX;
    schedule->max_running = (size_t)max_running;
}

size_t schedule_n_tasks(const Schedule *schedule)
{
    return schedule->n_tasks;
}

const ScheduleTask *schedule_task(const Schedule *schedule, size_t number)
{
    return &schedule->tasks[number];
}

/* The most that a process of a task has held, as far as is known. */
static int64_t held_by(const ScheduleTask *task)
{
    int64_t held = task->state == SCHEDULE_RUNNING && task->pid ? memory_of_process(task->pid) : 0;
    return held > task->peak_bytes ? held : task->peak_bytes;
}

/* What a task will take that has not run yet: as much as any but the largest, for one task that
   leaks says nothing about the others; nor does one that was killed for want of memory. */
static int64_t guess(const Schedule *schedule)
{
    int64_t most = 0;
    int64_t second = 0;
    for (size_t i = 0; i < schedule->n_tasks; i++) {
        int64_t held = schedule->tasks[i].allowed ? 0 : held_by(&schedule->tasks[i]);
        if (held > most) {
            second = most;
            most = held;
        } else if (held > second) {
            second = held;
        }
    }
    if (second)
        return second;
    return most ? most : FIRST_GUESS;
}

/* The first task that waits and finds room: one that has run before needs as much as it held then,
   and lets others go first until that is there. -1: none does, or enough are running. */
static int64_t first_with_room(const Schedule *schedule, int64_t room)
{
    int64_t guessed = room == INT64_MAX ? 0 : guess(schedule);
    if (schedule->n_running >= schedule->max_running)
        return -1;
    for (size_t i = 0; i < schedule->n_tasks; i++) {
        const ScheduleTask *task = &schedule->tasks[i];
        if (task->state == SCHEDULE_WAITING &&
            room >= (task->peak_bytes ? task->peak_bytes : guessed))
            return (int64_t)i;
    }
    return -1;
}

bool schedule_may_start(const Schedule *schedule)
{
    return first_with_room(schedule, INT64_MAX) >= 0;
}

int64_t schedule_next(const Schedule *schedule, int64_t available)
{
    return first_with_room(schedule, schedule->n_running ? available - KEPT_FREE : INT64_MAX);
}

static void set_state(ScheduleTask *task, ScheduleState state)
{
    task->state = state;
    task->since_us = clock_now_us();
}

static void set_reason(char **reason, char *take_text)
{
    free(*reason);
    *reason = take_text;
}

void schedule_started(Schedule *schedule, size_t number)
{
    schedule->n_running++;
    set_state(&schedule->tasks[number], SCHEDULE_RUNNING);
}

void schedule_set_pid(Schedule *schedule, size_t number, pid_t pid)
{
    schedule->tasks[number].pid = pid;
}

/* A process that was killed without a word was most often killed for want of memory, by the kernel
   or by somebody who watches it. */
static bool lacked_memory(const ScheduleEnd *end)
{
    return end->oom || end->signal == SIGKILL;
}

static char *death_in_words(const char *who, int signal, bool oom)
{
    return mem_printf("%s was killed by signal %d (%s)%s", who, signal, strsignal(signal),
                      oom ? "; the kernel was out of memory"
                      : signal == SIGKILL
                          ? "; by somebody else than the kernel, which has not been "
                            "out of memory"
                          : "");
}

bool schedule_ended(Schedule *schedule, size_t number, const ScheduleEnd *end)
{
    ScheduleTask *task = &schedule->tasks[number];
    if (task->state == SCHEDULE_RUNNING)
        schedule->n_running--;
    task->pid = 0;
    if (end->peak_bytes > task->peak_bytes)
        task->peak_bytes = end->peak_bytes;
    task->exit_status = end->signal ? 128 + end->signal : end->exit_status;
    if (end->signal == 0) {
        set_state(task, SCHEDULE_OVER);
        set_reason(&task->reason, NULL);
        return false;
    }
    task->n_deaths++;
    bool is_last = end->is_stopping || task->n_deaths >= SCHEDULE_DEATHS_MAX;
    set_state(task, is_last ? SCHEDULE_OVER : SCHEDULE_WAITING);
    set_reason(&task->reason, death_in_words("the worker", end->signal, end->oom));
    task->lacked_memory = end->oom;
    if (lacked_memory(end)) {
        int before = task->allowed ? task->allowed : task->max_samples;
        task->allowed = before > 1 ? before / 2 : 1;
    }
    return is_last;
}

const char *schedule_pool_died(Schedule *schedule, int signal, bool oom)
{
    for (size_t i = 0; i < schedule->n_tasks; i++) {
        if (schedule->tasks[i].state == SCHEDULE_RUNNING)
            set_state(&schedule->tasks[i], SCHEDULE_WAITING);
        schedule->tasks[i].pid = 0;
    }
    schedule->n_running = 0;
    schedule->n_pool_deaths++;
    set_reason(&schedule->pool_reason,
               death_in_words("the process that starts workers", signal, oom));
    return schedule->pool_reason;
}

bool schedule_is_over(const Schedule *schedule)
{
    for (size_t i = 0; i < schedule->n_tasks; i++)
        if (schedule->tasks[i].state != SCHEDULE_OVER)
            return false;
    return true;
}

size_t schedule_n_running(const Schedule *schedule)
{
    return schedule->n_running;
}

void schedule_write(const Schedule *schedule, Buf *ret)
{
    static const char *const states[] = {
        [SCHEDULE_WAITING] = "waiting", [SCHEDULE_RUNNING] = "running", [SCHEDULE_OVER] = "over"};
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "tasks");
    for (size_t i = 0; i < schedule->n_tasks; i++) {
        const ScheduleTask *task = &schedule->tasks[i];
        json_out_object(&out);
        json_out_kv_str(&out, "name", task->name);
        json_out_kv_str(&out, "model", task->model);
        json_out_kvz(&out, "state", states[task->state]);
        json_out_kv_time(&out, "since", task->since_us);
        json_out_kvz(&out, "reason", task->reason);
        json_out_kv_int(&out, "max_samples", task->allowed ? task->allowed : task->max_samples);
        json_out_kv_int(&out, "deaths", task->n_deaths);
        json_out_kv_bool(&out, "lacked_memory", task->lacked_memory);
        json_out_kv_int(&out, "peak_bytes", task->peak_bytes);
        if (task->state == SCHEDULE_RUNNING)
            json_out_kv_int(&out, "pid", task->pid);
        if (task->state == SCHEDULE_OVER)
            json_out_kv_int(&out, "exit_status", task->exit_status);
        json_out_end_object(&out);
    }
    json_out_end_array(&out);
    json_out_kv_int(&out, "pool_deaths", schedule->n_pool_deaths);
    json_out_kvz(&out, "pool_reason", schedule->pool_reason);
    json_out_end_object(&out);
}
