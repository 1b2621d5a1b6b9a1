/* What the tasks of a running job are at: what their samples wait for, and what is wrong with their
   processes. */

#include <stdlib.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "jobs/jobs_priv.h"
#include "jobs/reasons_priv.h"

enum {
    PROC_MAX = 4096,
    BLOCKED_S = 20,          /* an event loop turns many times a second */
    SILENT_S = 30,           /* the thread that tells of a task does so each second */
    FAILING_MIN = 3,         /* samples with the same error */
    NO_PROGRESS_S = 10 * 60, /* unless HAWK_NO_PROGRESS_SECONDS says otherwise */
    WAITS_MAX = 200,
};

/* What samples wait for, by the words of live/<task>.json. */
typedef struct Kind {
    const char *wait;
    const char *code;
    int rank;
    int after_s; /* shorter waits are everyday */
    bool is_trouble;
    const char *text; /* behind "3 samples wait" */
} Kind;

/* clang-format off */
static const Kind kinds[] = {
    { "approval", "approval.waiting",   20,  0, true,  "for somebody to approve a call of" },
    { "limited",  "model.rate_limited", 30,  0, false, "for a model that is rate limited:" },
    { "retry",    "model.failing",      40,  0, true,  "to try again a request that fails at" },
    { "sandbox",  "sandbox.waiting",    50,  3, false, "for a sandbox of kind" },
    { "held",     "memory.short",       60,  0, false, "until memory is free" },
    { "slot",     "limit.waiting",      70,  3, false, "for a place under the limit of" },
    { "model",    "model.waiting",      80, 10, false, "for an answer of" },
};
/* clang-format on */

enum {
    RANK_FROZEN = 10,
    RANK_BLOCKED = 12,
    RANK_DIED = 45,
    RANK_FAILING = 47,
    RANK_ROOM = 65,
    RANK_NO_PROGRESS = 75,
};

static int64_t micros(const Json *object, const char *key)
{
    double seconds = 0;
    return json_number(json_get(object, key), &seconds) && seconds > 0 && seconds < 1e11
               ? (int64_t)(seconds * (double)CLOCK_SECOND)
               : 0;
}

static int64_t seconds_since(int64_t at_us)
{
    return at_us ? (clock_now_us() - at_us) / CLOCK_SECOND : 0;
}

/* One thing that samples of any task wait for. */
typedef struct Wait {
    const Kind *kind;
    Str detail;
    int64_t n;
    int64_t since_us;
    int64_t failures;
    Str error;
} Wait;

typedef struct Look {
    Reasons *reasons;
    Wait waits[WAITS_MAX];
    size_t n_waits;
    int64_t progress_us; /* the latest of any task */
    int64_t n_silent;    /* tasks whose progress is not known */
} Look;

/* Errors by which providers say that there were too many requests. */
static bool is_rate_limit(Str error)
{
    static const char *const words[] = {"RateLimit", "rate limit", "rate_limit",
                                        "429",       "Throttl",    "Overloaded"};
    for (size_t i = 0; error.p && i < ARRAY_LEN(words); i++)
        if (str_find_str(error, str_of(words[i])) >= 0)
            return true;
    return false;
}

static const Kind *kind_of(const Json *wait)
{
    Str name = json_text(wait, "kind", STR(""));
    if (str_eqz(name, "retry") && is_rate_limit(json_text(wait, "error", STR_NONE)))
        name = STR("limited");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eqz(name, kinds[i].wait))
            return &kinds[i];
    return NULL;
}

static void add_wait(Look *look, const Json *wait)
{
    const Kind *kind = kind_of(wait);
    Str detail = json_text(wait, "detail", STR(""));
    int64_t since_us = micros(wait, "since");
    size_t i = 0;
    if (!kind)
        return;
    while (i < look->n_waits &&
           (look->waits[i].kind != kind || !str_eq(look->waits[i].detail, detail)))
        i++;
    if (i == WAITS_MAX)
        return;
    Wait *to = &look->waits[i];
    if (i == look->n_waits) {
        *to = (Wait){.kind = kind, .detail = detail, .since_us = since_us};
        look->n_waits++;
    }
    to->n += json_int(wait, "n", 0);
    if (since_us < to->since_us)
        to->since_us = since_us;
    if (json_int(wait, "failures", 0) > to->failures) {
        to->failures = json_int(wait, "failures", 0);
        to->error = json_text(wait, "error", STR_NONE);
    }
}

static const char *name_of(Arena *arena, const Json *task)
{
    Str name = json_text(task, "name", STR("?"));
    return arena_strndup(arena, name.p, name.n);
}

/* Whether a process was stopped by a signal (proc(5), stat: state T). */
static bool is_stopped(int64_t pid)
{
    auto_buf Buf text = BUF_INIT(PROC_MAX);
    auto_error Error err = ERROR_INIT;
    auto_free char *path = mem_printf("/proc/%lld/stat", (long long)pid);
    if (pid <= 0 || fs_read_file(path, &text, &err) < 0)
        return false;
    ptrdiff_t end = str_rfind(buf_str(&text), ')');
    return end >= 0 && (size_t)end + 2 < text.len && text.data[end + 2] == 'T';
}

static void look_at_process(Reasons *reasons, const Json *task, const Json *live)
{
    Arena *arena = reasons->arena;
    const char *name = name_of(arena, task);
    int64_t pid = json_int(task, "pid", 0);
    int64_t at_us = micros(live, "at");
    int64_t loop_us = micros(live, "loop_at");
    if (is_stopped(pid)) {
        const Reason frozen = {
            .code = "worker.frozen",
            .text = arena_printf(arena,
                                 "the process %lld of task %s was stopped by a signal and does "
                                 "not run; 'kill -CONT %lld' lets it go on",
                                 (long long)pid, name, (long long)pid),
            .since_us = at_us,
            .task = name,
            .rank = RANK_FROZEN,
            .is_trouble = true};
        reasons->is_frozen = true;
        reasons_priv_add(reasons, &frozen);
        return;
    }
    int64_t running = json_int(live, "running", 0);
    bool is_silent = at_us && seconds_since(at_us) >= SILENT_S;
    bool is_blocked = running > 0 && loop_us && at_us - loop_us >= BLOCKED_S * CLOCK_SECOND;
    if (!is_silent && !is_blocked)
        return;
    int64_t since_us = is_silent ? at_us : loop_us;
    const Reason blocked = {
        .code = "worker.blocked",
        .text = arena_printf(arena,
                             "the process %lld of task %s has not answered for %s: something in "
                             "it keeps the others from running",
                             (long long)pid, name, reasons_priv_age(arena, since_us)),
        .since_us = since_us,
        .task = name,
        .n = running,
        .rank = RANK_BLOCKED,
        .is_trouble = true};
    reasons_priv_add(reasons, &blocked);
}

static void look_at_failures(Reasons *reasons, const Json *task, const Json *live)
{
    Arena *arena = reasons->arena;
    const Json *list = json_get(live, "failing");
    for (const Json *item = list ? list->first : NULL; item; item = item->next) {
        int64_t n = json_int(item, "n", 0);
        Str error = json_text(item, "error", STR(""));
        if (n < FAILING_MIN)
            continue;
        const Reason failing = {
            .code = "samples.failing",
            .text = arena_printf(arena, "%s of task %s have failed in the same way: %.*s",
                                 reasons_priv_count(arena, n, "sample"), name_of(arena, task),
                                 STR_ARG(error)),
            .task = name_of(arena, task),
            .n = n,
            .rank = RANK_FAILING,
            .is_trouble = true};
        reasons_priv_add(reasons, &failing);
    }
}

static void look_at_live(void *context, const Json *task, const Json *live)
{
    Look *look = context;
    Reasons *reasons = look->reasons;
    int64_t progress_us = micros(live, "progress_at");
    if (!live) {
        look->n_silent++;
        return;
    }
    reasons->n_running += json_int(live, "running", 0);
    reasons->n_ended += json_int(live, "ended", 0);
    if (progress_us > look->progress_us)
        look->progress_us = progress_us;
    look_at_process(reasons, task, live);
    look_at_failures(reasons, task, live);
    const Json *list = json_get(live, "waits");
    bool is_paused = json_bool(live, "paused", false);
    for (const Json *wait = list ? list->first : NULL; wait; wait = wait->next)
        if (!is_paused || !str_eqz(json_text(wait, "kind", STR("")), "held"))
            add_wait(look, wait);
}

static void add_waits(const Look *look)
{
    Reasons *reasons = look->reasons;
    Arena *arena = reasons->arena;
    for (size_t i = 0; i < look->n_waits; i++) {
        const Wait *wait = &look->waits[i];
        const char *count = reasons_priv_count(arena, wait->n, "sample");
        if (str_eqz(str_of(wait->kind->wait), "approval"))
            reasons->n_approval += wait->n;
        if (seconds_since(wait->since_us) < wait->kind->after_s)
            continue;
        const char *failed =
            wait->failures
                ? arena_printf(arena, " (it has failed %lld times in a row; the last time: %.*s)",
                               (long long)wait->failures, STR_ARG(wait->error))
                : "";
        const Reason reason = {
            .code = wait->kind->code,
            .text = arena_printf(arena, "%s wait%s %s %.*s, the first for %s%s", count,
                                 wait->n == 1 ? "s" : "", wait->kind->text, STR_ARG(wait->detail),
                                 reasons_priv_age(arena, wait->since_us), failed),
            .since_us = wait->since_us,
            .n = wait->n,
            .rank = wait->kind->rank,
            .is_trouble = wait->kind->is_trouble};
        reasons_priv_add(reasons, &reason);
    }
}

static int64_t no_progress_s(void)
{
    const char *given = getenv("HAWK_NO_PROGRESS_SECONDS");
    int64_t seconds = 0;
    return given && str_to_i64(str_of(given), 1, INT32_MAX, &seconds) == 0 ? seconds
                                                                           : NO_PROGRESS_S;
}

static void add_progress(const Look *look)
{
    Reasons *reasons = look->reasons;
    if (!look->progress_us || look->n_silent || seconds_since(look->progress_us) < no_progress_s())
        return;
    const Reason none = {.code = "progress.none",
                         .text = arena_printf(reasons->arena,
                                              "nothing has happened in any sample for %s",
                                              reasons_priv_age(reasons->arena, look->progress_us)),
                         .since_us = look->progress_us,
                         .n = reasons->n_running,
                         .rank = RANK_NO_PROGRESS,
                         .is_trouble = true};
    reasons_priv_add(reasons, &none);
}

/* Tasks that wait: for their first turn, which is everyday, or after a death. */
static void look_at_waiting(Reasons *reasons)
{
    Arena *arena = reasons->arena;
    int64_t n_waiting = 0;
    for (const Json *task = reasons->tasks ? reasons->tasks->first : NULL; task;
         task = task->next) {
        int64_t deaths = json_int(task, "deaths", 0);
        Str reason = json_text(task, "reason", STR_NONE);
        int64_t since_us = 0;
        (void)!clock_parse(json_text(task, "since", STR("")), &since_us);
        if (str_eqz(json_text(task, "state", STR("")), "waiting") && !deaths)
            n_waiting++;
        if (!deaths || str_eqz(json_text(task, "state", STR("")), "over"))
            continue;
        const Reason died = {
            .code = json_bool(task, "lacked_memory", false) ? "task.out_of_memory" : "task.died",
            .text = arena_printf(arena,
                                 "the process of task %s has died %lld time%s%s%.*s; it runs at "
                                 "most %lld samples at once",
                                 name_of(arena, task), (long long)deaths, deaths == 1 ? "" : "s",
                                 reason.n ? ", the last time because " : "", STR_ARG(reason),
                                 (long long)json_int(task, "max_samples", 0)),
            .since_us = since_us,
            .task = name_of(arena, task),
            .rank = RANK_DIED,
            .is_trouble = true};
        reasons_priv_add(reasons, &died);
    }
    if (!n_waiting)
        return;
    const Reason room = {
        .code = "task.waiting",
        .text = arena_printf(arena,
                             "%s until others have ended: max_tasks or free memory allows no more "
                             "at once",
                             reasons_priv_count(arena, n_waiting, "task waits")),
        .rank = RANK_ROOM + 100};
    reasons_priv_add(reasons, &room);
}

/* The process that all tasks are forked from takes them along when it dies. */
static void look_at_pool(Reasons *reasons)
{
    int64_t deaths = json_int(reasons->pool, "pool_deaths", 0);
    if (!deaths)
        return;
    const Reason died = {
        .code = "pool.died",
        .text = arena_printf(reasons->arena,
                             "all its tasks had to start again %lld time%s, the last time because "
                             "%.*s",
                             (long long)deaths, deaths == 1 ? "" : "s",
                             STR_ARG(json_text(reasons->pool, "pool_reason", STR("?")))),
        .rank = RANK_DIED,
        .is_trouble = true};
    reasons_priv_add(reasons, &died);
}

void reasons_priv_tasks(Jobs *jobs, const Job *job, Reasons *reasons)
{
    auto_free Look *look = mem_alloc(sizeof(*look));
    look->reasons = reasons;
    look_at_pool(reasons);
    look_at_waiting(reasons);
    reasons_priv_each_live(jobs, job, reasons, look_at_live, look);
    add_waits(look);
    add_progress(look);
}
