/* One socket to the pool, one pipe from each process. Every packet is small; what is long is in
   files: the configs, results of tasks, tasks.json. */

#include "runner/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "runner/memory.h"
#include "runner/pressure.h"
#include "runner/schedule.h"
#include "runner/worker.h"

enum { LOOK_MS = 1000 };
enum { PACKET_MAX = 64 << 10, STATUS_MAX = 64 << 20, POOL_DEATHS_MAX = 3, RESULT_MAX = 64 << 10 };

/* Between two writings of tasks.json, which is written whole: a moment, and longer for many tasks,
   so that writing stays a small part of what a runner does. */
enum { WRITE_PAUSE_MS = 200, WRITE_PAUSE_TASKS = 10, WRITE_PAUSE_MAX_MS = 5000 };

typedef enum PartKind { PART_OPEN, PART_TASK, PART_CLOSE } PartKind;

static const char *const kinds[] = {
    [PART_OPEN] = "open", [PART_TASK] = "task", [PART_CLOSE] = "close"};

/* A process of the pool. */
typedef struct Part {
    int64_t id;
    PartKind kind;
    size_t task;
    int output; /* the pipe; -1 at its end */
    Buf line;   /* not whole yet */
    char *word; /* the last that a task said of its end; on the heap, or NULL */
    bool is_over;
} Part;

typedef struct Pool {
    Run *run;
    Schedule *schedule;
    int socket; /* -1: closed, the pool is to end */
    Part **parts;
    size_t n_parts;
    int64_t last_id;
    bool is_open;     /* the books are open: tasks may run */
    bool is_changed;  /* since tasks.json was written */
    int64_t write_ms; /* not before this is it written again */
    bool has_end;     /* a process has told what the run has come to */
    int exit_status;  /* that */
    int64_t oom_kills;
    Pressure pressure;
    int64_t look_ms; /* not before this is memory looked at again */
} Pool;

/* --- what is written down --- */

static void write_tasks(Pool *pool)
{
    auto_buf Buf body = BUF_INIT(STATUS_MAX);
    auto_error Error err = ERROR_INIT;
    auto_free char *path = fs_join(pool->run->folder, "tasks.json");
    schedule_write(pool->schedule, &body);
    if (buf_check(&body, "tasks.json", &err) < 0 ||
        fs_write_file(path, buf_str(&body), 0600, &err) < 0)
        output_say(pool->run->output, "error", "cannot write the state of tasks: %s",
                   error_text(&err));
    int64_t pause_ms =
        WRITE_PAUSE_MS + (int64_t)schedule_n_tasks(pool->schedule) / WRITE_PAUSE_TASKS;
    pool->is_changed = false;
    pool->write_ms = clock_monotonic_ms() +
                     (pause_ms < WRITE_PAUSE_MAX_MS ? pause_ms : (int64_t)WRITE_PAUSE_MAX_MS);
}

/* Tells the tasks how short memory is; they look at the file each second. */
static void write_pressure(const Pool *pool)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *folder = fs_join(pool->run->folder, ".slots");
    auto_free char *path = fs_join(folder, "pressure");
    auto_free char *text = mem_printf("%d\n", pool->pressure.level);
    if (fs_make_dirs(folder, 0700, &err) < 0 || fs_write_file(path, str_of(text), 0600, &err) < 0)
        output_say(pool->run->output, "error", "cannot write how short memory is: %s",
                   error_text(&err));
}

static void look_at_memory(Pool *pool)
{
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < pool->look_ms)
        return;
    pool->look_ms = now_ms + LOOK_MS;
    if (!pressure_look(&pool->pressure, memory_available(""), now_ms))
        return;
    output_say(pool->run->output, "warn", "memory is %s: step %d",
               pool->pressure.level ? "short, so fewer samples run at once" : "free again",
               pool->pressure.level);
    write_pressure(pool);
}

/* Why a task has no result of its own. The caller frees. */
static char *reason_of(const ScheduleTask *task, const char *word)
{
    if (task->reason || word)
        return mem_strdup(task->reason ? task->reason : word);
    return mem_printf("its process left with status %d and no result", task->exit_status);
}

/* A process that died, or could not write, left no result; the judge reads one for each task. */
static int write_result(const Pool *pool, size_t number, const char *word, Error *err)
{
    const ScheduleTask *task = schedule_task(pool->schedule, number);
    auto_free char *reason = reason_of(task, word);
    auto_free char *path = mem_printf("%s/results/%zu.json", pool->run->folder, number);
    if (fs_exists(path) && task->exit_status < 128)
        return 0;
    auto_free char *folder = fs_join(pool->run->folder, "results");
    auto_buf Buf body = BUF_INIT(RESULT_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_str(&out, "task", task->name);
    json_out_kvz(&out, "status", task->exit_status > 128 ? "died" : "error");
    json_out_kvz(&out, "reason", reason);
    json_out_end_object(&out);
    if (fs_make_dirs(folder, 0700, err) < 0)
        return -1;
    return fs_write_file(path, buf_str(&body), 0600, err);
}

/* --- processes --- */

/* Sends a packet with a descriptor. */
static int send_packet(const Pool *pool, Str packet, int fd, Error *err)
{
    struct iovec bytes = {.iov_base = (void *)(uintptr_t)packet.p, .iov_len = packet.n};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control = {0};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    message.msg_control = control.space;
    message.msg_controllen = sizeof(control.space);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
    while (sendmsg(pool->socket, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "cannot reach the process that starts workers");
    return 0;
}

static int open_pipe(int ret[2], Error *err)
{
    if (pipe2(ret, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot make a pipe for a worker");
    (void)fcntl(ret[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static int start_part(Pool *pool, PartKind kind, size_t task, Error *err)
{
    int ends[2] = {-1, -1};
    if (open_pipe(ends, err) < 0)
        return -1;
    Part *part = mem_alloc(sizeof(*part));
    *part = (Part){.id = ++pool->last_id,
                   .kind = kind,
                   .task = task,
                   .output = ends[0],
                   .line = BUF_INIT(OUTPUT_LINE_MAX)};
    pool->parts = mem_resize(pool->parts, pool->n_parts + 1, sizeof(*pool->parts));
    pool->parts[pool->n_parts++] = part;
    auto_buf Buf packet = BUF_INIT(PACKET_MAX);
    JsonOut out;
    json_out_init(&out, &packet, 0);
    json_out_object(&out);
    json_out_kv_int(&out, "start", part->id);
    json_out_kvz(&out, "kind", kinds[kind]);
    if (kind == PART_TASK) {
        int allowed = schedule_task(pool->schedule, task)->allowed;
        json_out_kv_int(&out, "task", (int64_t)task);
        if (allowed)
            json_out_kv_int(&out, "max_samples", allowed);
        schedule_started(pool->schedule, task);
        pool->is_changed = true;
    }
    json_out_end_object(&out);
    int result = send_packet(pool, buf_str(&packet), ends[1], err);
    (void)close(ends[1]);
    return result;
}

static Part *find_part(const Pool *pool, int64_t id)
{
    for (size_t i = 0; i < pool->n_parts; i++)
        if (pool->parts[i]->id == id)
            return pool->parts[i];
    return NULL;
}

static void free_part(Part *part)
{
    fs_close_cleanup(&part->output);
    buf_release(&part->line);
    free(part->word);
    free(part);
}

/* Reads once from the output of a process; false when nothing is there. What a task says of its end
   is not what the run has come to. */
static bool read_part(const Pool *pool, Part *part)
{
    Run *run = pool->run;
    char *outcome = TAKE(run->outcome);
    bool has_more = run_read_pipe(run, "worker", &part->output, &part->line);
    if (part->kind == PART_TASK && run->outcome) {
        free(part->word);
        part->word = TAKE(run->outcome);
    }
    if (run->outcome)
        free(outcome);
    else
        run->outcome = outcome;
    return has_more;
}

/* Takes away the parts that are over and whose output has come to its end. */
static void drop_parts(Pool *pool, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; i < pool->n_parts; i++) {
        Part *part = pool->parts[i];
        if (all || (part->is_over && part->output < 0))
            free_part(part);
        else
            pool->parts[kept++] = part;
    }
    pool->n_parts = kept;
}

/* --- what happens next --- */

/* Nothing more is to be done: the end of the socket ends the pool. */
static void end_pool(Pool *pool, int exit_status)
{
    pool->has_end = true;
    pool->exit_status = exit_status;
    fs_close_cleanup(&pool->socket);
}

/* Starts what may start; ends the pool when all is done. */
static int go_on(Pool *pool, Error *err)
{
    if (!pool->is_open || pool->has_end)
        return 0;
    while (!pool->run->is_stopping && schedule_may_start(pool->schedule)) {
        int64_t number = schedule_next(pool->schedule, memory_available(""));
        if (number < 0)
            break;
        if (start_part(pool, PART_TASK, (size_t)number, err) < 0)
            return -1;
    }
    if (schedule_n_running(pool->schedule))
        return 0;
    if (pool->run->is_stopping) {
        end_pool(pool, RUN_CANCELLED);
    } else if (schedule_is_over(pool->schedule)) {
        pool->is_open = false;
        run_phase(pool->run, "stopping", NULL);
        return start_part(pool, PART_CLOSE, 0, err);
    }
    return 0;
}

/* Whether the kernel has killed for want of memory since this was asked last. */
static bool lacked_memory(Pool *pool)
{
    int64_t kills = memory_oom_kills("");
    bool is_more = kills > pool->oom_kills;
    pool->oom_kills = kills;
    return is_more;
}

static int task_ended(Pool *pool, Part *part, const Json *packet, Error *err)
{
    while (part->output >= 0 && read_part(pool, part))
        ;
    int signal = (int)json_int(packet, "signal", 0);
    const ScheduleEnd end = {
        .exit_status = (int)json_int(packet, "status", RUN_FAILED),
        .signal = signal,
        /* A process that ended by itself is not the one that the kernel killed. */
        .oom = signal && lacked_memory(pool),
        .is_stopping = pool->run->is_stopping,
        .peak_bytes = json_int(packet, "peak_kb", 0) * 1024,
    };
    pool->is_changed = true;
    (void)schedule_ended(pool->schedule, part->task, &end);
    const ScheduleTask *task = schedule_task(pool->schedule, part->task);
    if (task->reason)
        output_say(pool->run->output, "warn", "task %.*s: %s%s", STR_ARG(task->name), task->reason,
                   task->state == SCHEDULE_WAITING ? "; it is tried again" : "");
    return task->state == SCHEDULE_OVER ? write_result(pool, part->task, part->word, err) : 0;
}

static int part_ended(Pool *pool, const Json *packet, Error *err)
{
    Part *part = find_part(pool, json_int(packet, "ended", 0));
    if (!part || part->is_over)
        return 0;
    part->is_over = true;
    int64_t killed_by = json_int(packet, "signal", 0);
    int status = killed_by ? 128 + (int)killed_by : (int)json_int(packet, "status", RUN_FAILED);
    switch (part->kind) {
    case PART_TASK:
        if (task_ended(pool, part, packet, err) < 0)
            return -1;
        break;
    case PART_OPEN:
        pool->is_open = status == RUN_DONE;
        if (!pool->is_open)
            end_pool(pool, status);
        else if (!pool->run->is_stopping)
            run_phase(pool->run, "running", NULL);
        break;
    case PART_CLOSE: end_pool(pool, status); break;
    }
    return go_on(pool, err);
}

static int loaded(Pool *pool, const Json *packet, Error *err)
{
    schedule_set_max_running(pool->schedule, json_int(packet, "max_tasks", 1));
    return start_part(pool, PART_OPEN, 0, err);
}

static void add_task(Pool *pool, const Json *packet)
{
    /* A pool that was started anew tells of the same tasks. */
    if ((size_t)json_int(packet, "task", 0) == schedule_n_tasks(pool->schedule))
        (void)schedule_add(pool->schedule, json_text(packet, "name", STR("")),
                           json_text(packet, "model", STR_NONE),
                           (int)json_int(packet, "max_samples", 1));
    pool->is_changed = true;
}

static void part_started(Pool *pool, const Json *packet)
{
    const Part *part = find_part(pool, json_int(packet, "started", 0));
    if (part && part->kind == PART_TASK)
        schedule_set_pid(pool->schedule, part->task, (pid_t)json_int(packet, "pid", 0));
    pool->is_changed = true;
}

static int take_packet(Pool *pool, Str bytes, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Json *packet = NULL;
    if (json_parse(arena, bytes, &json_limits_config, &packet, err) < 0)
        return error_wrap(err, "the process that starts workers");
    if (json_get(packet, "loaded"))
        return loaded(pool, packet, err);
    if (json_get(packet, "ended"))
        return part_ended(pool, packet, err);
    if (json_get(packet, "started"))
        part_started(pool, packet);
    else
        add_task(pool, packet);
    return 0;
}

/* --- listening --- */

static size_t watch(void *context, struct pollfd *fds, size_t n)
{
    const Pool *pool = context;
    size_t used = 0;
    fds[used++] = (struct pollfd){.fd = pool->socket, .events = POLLIN};
    for (size_t i = 0; i < pool->n_parts && used < n; i++)
        fds[used++] = (struct pollfd){.fd = pool->parts[i]->output, .events = POLLIN};
    return used;
}

static int read_packets(Pool *pool, Error *err)
{
    char bytes[PACKET_MAX];
    while (pool->socket >= 0) {
        ssize_t n = recv(pool->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0) {
            fs_close_cleanup(&pool->socket);
            return 0;
        }
        if (take_packet(pool, (Str){bytes, (size_t)n}, err) < 0)
            return -1;
    }
    return 0;
}

/* `fds` is in the order of watch(), and parts are only added behind it while this runs. */
static int look(void *context, const struct pollfd *fds, size_t n, Error *err)
{
    Pool *pool = context;
    for (size_t i = 1; i < n; i++)
        if (fds[i].revents)
            (void)read_part(pool, pool->parts[i - 1]);
    if (fds[0].revents && read_packets(pool, err) < 0)
        return -1;
    if (pool->socket >= 0 && go_on(pool, err) < 0)
        return -1;
    drop_parts(pool, false);
    look_at_memory(pool);
    if (pool->is_changed && clock_monotonic_ms() >= pool->write_ms)
        write_tasks(pool);
    return 0;
}

/* --- the whole --- */

static int run_once(Pool *pool, const char *cache_dir, const Venv *venv, RunChild *ret, Error *err)
{
    int ends[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_errno(err, errno, "cannot make a socket for the workers");
    pool->socket = ends[0];
    auto_fd int theirs = ends[1];
    const RunGuest guest = {.context = pool, .watch = watch, .look = look};
    const char *const words[] = {"pool", pool->run->user_config, pool->run->infra_config, NULL};
    const WorkerStart start = {
        .cache_dir = cache_dir, .venv = venv, .words = words, .input = &theirs, .guest = &guest};
    int result = worker_run(pool->run, &start, ret, err);
    fs_close_cleanup(&pool->socket);
    for (size_t i = 0; i < pool->n_parts; i++)
        while (pool->parts[i]->output >= 0 && read_part(pool, pool->parts[i]))
            ;
    drop_parts(pool, true);
    return result;
}

/* Whether the pool was killed before the run had come to its end, and may be started anew. */
static bool died(const Pool *pool, const RunChild *child)
{
    return child->exit_status > 128 && !pool->has_end && !pool->run->is_stopping;
}

static int run_to_end(Pool *pool, const char *cache_dir, const Venv *venv, RunChild *ret,
                      Error *err)
{
    for (int n_deaths = 0;; n_deaths++) {
        if (run_once(pool, cache_dir, venv, ret, err) < 0)
            return -1;
        if (!died(pool, ret) || n_deaths == POOL_DEATHS_MAX)
            break;
        output_say(pool->run->output, "warn", "%s; it is started anew",
                   schedule_pool_died(pool->schedule, ret->exit_status - 128, lacked_memory(pool)));
        pool->is_open = false;
        write_tasks(pool);
        run_phase(pool->run, "loading", NULL);
    }
    if (pool->has_end)
        ret->exit_status = pool->exit_status;
    return 0;
}

int pool_forget(const Run *run, Error *err)
{
    static const char *const names[] = {"results", "live", "tasks.json"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        auto_free char *path = fs_join(run->folder, names[i]);
        if (fs_remove_tree(path, err) < 0)
            return -1;
    }
    return 0;
}

int pool_run(Run *run, const char *cache_dir, const Venv *venv, RunChild *ret, Error *err)
{
    auto_schedule Schedule *schedule = schedule_new(run->arena);
    Pool pool = {.run = run, .schedule = schedule, .socket = -1, .oom_kills = memory_oom_kills("")};
    write_pressure(&pool);
    int result = run_to_end(&pool, cache_dir, venv, ret, err);
    if (schedule_n_tasks(schedule))
        write_tasks(&pool);
    free(pool.parts);
    return result;
}
