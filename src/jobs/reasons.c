/* Reasons: of a job's state and phase, and how they are told. */

#include "jobs/reasons.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "jobs/jobs_priv.h"
#include "jobs/phase.h"
#include "jobs/reasons_priv.h"
#include "jobs/status.h"
#include "jobs/status_priv.h"

enum {
    FILE_MAX = 64 << 20,
    LIVE_MAX = 500, /* tasks that run; the runner starts no more at once */
    EVIDENCE_MAX = 100,
    TOLD_MAX = 4, /* sentences of evidence in the paragraph */
    REASON_TEXT_MAX = 2000,
};

enum { RANK_STATE = 0, RANK_PHASE = 5, RANK_RESULT = 48, RANK_RUNNING = 900 };

/* ---- reading ---- */

const Json *reasons_priv_file(Jobs *jobs, Arena *arena, const char *job_id, const char *name)
{
    Executor *executor = jobs->options.executor;
    auto_free char *path = executor->file(executor, job_id, name);
    auto_buf Buf text = BUF_INIT(FILE_MAX);
    auto_error Error err = ERROR_INIT;
    JsonLimits limits = json_limits_config;
    limits.bytes = FILE_MAX;
    limits.nodes = 4 * 1000 * 1000;
    Json *node = NULL;
    if (!path || fs_read_file(path, &text, &err) < 0 ||
        json_parse(arena, arena_str(arena, buf_str(&text)), &limits, &node, &err) < 0)
        return NULL;
    return node;
}

const Json *reasons_priv_live(Jobs *jobs, Arena *arena, const char *job_id, int64_t number)
{
    auto_free char *name = mem_printf("live/%lld.json", (long long)number);
    return reasons_priv_file(jobs, arena, job_id, name);
}

void reasons_priv_each_live(Jobs *jobs, const Job *job, const Reasons *reasons, ReasonsEach *each,
                            void *context)
{
    int64_t number = 0;
    int64_t n = 0;
    const Json *first = reasons->tasks ? reasons->tasks->first : NULL;
    /* Where all tasks run in one process, that is live/0.json and there is no tasks.json. */
    if (!first)
        each(context, NULL, reasons_priv_live(jobs, reasons->arena, job->job_id, 0));
    for (const Json *task = first; task && n < LIVE_MAX; task = task->next, number++) {
        if (!str_eqz(json_text(task, "state", STR("")), "running"))
            continue;
        const Json *live = reasons_priv_live(jobs, reasons->arena, job->job_id, number);
        /* It may still be that of a process that is gone, until the next has written its own. */
        bool is_its_own = json_int(live, "pid", 0) == json_int(task, "pid", 0);
        each(context, task, is_its_own ? live : NULL);
        n++;
    }
}

/* ---- words ---- */

const char *reasons_priv_count(Arena *arena, int64_t n, const char *what)
{
    Str word = str_of(what);
    ptrdiff_t space = str_find(word, ' ');
    Str noun = space < 0 ? word : str_slice(word, 0, (size_t)space);
    Str verb = space < 0 ? STR("") : str_slice(word, (size_t)space, word.n);
    /* "task waits", "tasks wait" */
    if (n != 1 && verb.n)
        verb.n--;
    return arena_printf(arena, "%lld %.*s%s%.*s", (long long)n, STR_ARG(noun), n == 1 ? "" : "s",
                        STR_ARG(verb));
}

const char *reasons_priv_age(Arena *arena, int64_t since_us)
{
    int64_t seconds = (clock_now_us() - since_us) / CLOCK_SECOND;
    if (seconds < 0)
        seconds = 0;
    if (seconds < 120)
        return arena_printf(arena, "%lld s", (long long)seconds);
    if (seconds < 2 * 3600)
        return arena_printf(arena, "%lld min", (long long)seconds / 60);
    return arena_printf(arena, "%lld h", (long long)seconds / 3600);
}

/* "2026-01-31 10:00 UTC" */
static const char *moment(Arena *arena, int64_t at_us)
{
    char text[CLOCK_TEXT_MAX];
    clock_format(at_us, text);
    return arena_printf(arena, "%.10s %.5s UTC", text, text + strlen("2026-01-31T"));
}

void reasons_priv_add(Reasons *reasons, const Reason *reason)
{
    if (!reasons->items)
        reasons->items = arena_array(reasons->arena, EVIDENCE_MAX, sizeof(*reasons->items));
    if (reasons->n < EVIDENCE_MAX)
        reasons->items[reasons->n++] = *reason;
}

/* ---- the job as a whole ---- */

static void add_pause(Jobs *jobs, const Job *job, Reasons *reasons)
{
    if (jobs_priv_has_command(jobs, job, "pause"))
        reasons_priv_add(reasons,
                         &(Reason){.code = "run.paused",
                                   .text = arena_printf(reasons->arena,
                                                        "it is paused: no more samples begin until "
                                                        "'hawk resume-run %s'",
                                                        job->job_id),
                                   .rank = RANK_STATE + 1});
}

static void add_queued(Jobs *jobs, const Job *job, Reasons *reasons)
{
    size_t n_waiting = 0;
    size_t position = status_priv_queue_position(jobs, job->job_id, &n_waiting);
    if (strcmp(job->reason_code, JOBS_RETRYING) == 0)
        reasons_priv_add(reasons, &(Reason){.code = JOBS_RETRYING,
                                            .text = arena_strdup(reasons->arena, job->reason),
                                            .since_us = job->updated_us,
                                            .rank = RANK_STATE,
                                            .is_trouble = true});
    const Reason queued = {
        .code = "queue.turn",
        .text = arena_printf(reasons->arena,
                             "it waits in the queue, position %zu of %zu; at most %d run at once",
                             position, n_waiting, jobs->options.max_running),
        .since_us = job->queued_us,
        .rank = RANK_STATE + 1};
    reasons_priv_add(reasons, &queued);
    add_pause(jobs, job, reasons);
}

/* The name of a task, and its model where another task has the same name. */
static const char *name_of(const Reasons *reasons, const Json *task)
{
    Str name = json_text(task, "name", STR("?"));
    Str model = json_text(task, "model", STR_NONE);
    for (const Json *other = reasons->tasks->first; other && model.n; other = other->next)
        if (other != task && str_eq(json_text(other, "name", STR_NONE), name))
            return arena_printf(reasons->arena, "%.*s of %.*s", STR_ARG(name), STR_ARG(model));
    return arena_strndup(reasons->arena, name.p, name.n);
}

/* Results of tasks that did not succeed. */
static void add_results(Jobs *jobs, const Job *job, int rank, Reasons *reasons)
{
    Arena *arena = reasons->arena;
    int64_t number = 0;
    for (const Json *task = reasons->tasks ? reasons->tasks->first : NULL;
         task && reasons->n < EVIDENCE_MAX; task = task->next, number++) {
        auto_free char *name = mem_printf("results/%lld.json", (long long)number);
        const Json *result = reasons_priv_file(jobs, arena, job->job_id, name);
        const Json *live = reasons_priv_live(jobs, arena, job->job_id, number);
        Str status = json_text(result, "status", STR("success"));
        Str why = str_slice(json_text(result, "reason", STR("")), 0, REASON_TEXT_MAX);
        Str named = json_text(task, "name", STR("?"));
        int64_t since_us = 0;
        int64_t deaths = json_int(task, "deaths", 0);
        if (job_state_is_over(job->state))
            reasons->n_killed += json_int(live, "running", 0);
        if (!result || str_eqz(status, "success"))
            continue;
        (void)!clock_parse(json_text(task, "since", STR("")), &since_us);
        const char *shown = name_of(reasons, task);
        const Reason failed = {
            .code = str_eqz(status, "died") ? "task.given_up" : "task.failed",
            .text = deaths ? arena_printf(arena,
                                          "task %s was given up after its process had died "
                                          "%lld times: %.*s",
                                          shown, (long long)deaths, STR_ARG(why))
                           : arena_printf(arena, "task %s ended with %.*s: %.*s", shown,
                                          STR_ARG(status), STR_ARG(why)),
            .since_us = since_us,
            .task = arena_strndup(arena, named.p, named.n),
            .rank = rank,
            .is_trouble = true};
        reasons_priv_add(reasons, &failed);
    }
}

/* Why a job is over, in words; *ret_code is the code of that. */
static const char *over_in_words(Jobs *jobs, const Job *job, Arena *arena, const char **ret_code)
{
    JobsStopped stop;
    *ret_code = job->reason_code;
    bool is_done = strcmp(job->reason_code, "done") == 0;
    const char *what = is_done ? "it ran to its end" : arena_strdup(arena, job->reason);
    if (job->state == JOB_FAILED || !jobs_priv_stopped(jobs, arena, job, &stop))
        return what;
    const char *stopped =
        arena_printf(arena, "it was stopped by %s at %s", stop.by, moment(arena, stop.at_us));
    *ret_code = "stop.done";
    if (strcmp(job->reason_code, "stop.done") == 0)
        return stopped;
    if (!is_done)
        return arena_printf(arena, "%s; %s", stopped, what);
    return arena_printf(arena, "%s, and samples that had not ended %s", stopped,
                        stop.as_errors ? "ended as errors" : "were scored with what they had");
}

static void add_over(Jobs *jobs, const Job *job, Reasons *reasons)
{
    const char *code = NULL;
    const char *text = over_in_words(jobs, job, reasons->arena, &code);
    const Reason over = {.code = code,
                         .text = text,
                         .since_us = job->finished_us,
                         .rank = RANK_STATE,
                         .is_trouble = job->state != JOB_COMPLETE};
    reasons_priv_add(reasons, &over);
    add_results(jobs, job, RANK_PHASE, reasons);
}

static void add_deleted(const Job *job, Reasons *reasons)
{
    const Reason deleted = {.code = "job.deleted",
                            .text =
                                arena_printf(reasons->arena, "this was done at %s; its logs stay",
                                             moment(reasons->arena, job->deleted_us)),
                            .since_us = job->deleted_us,
                            .rank = RANK_STATE - 1};
    reasons_priv_add(reasons, &deleted);
}

static void add_stop(Jobs *jobs, const Job *job, Reasons *reasons)
{
    if (jobs_priv_has_command(jobs, job, "stop"))
        reasons_priv_add(reasons,
                         &(Reason){.code = "stop.asked",
                                   .text = "it was asked to stop and its samples are ending",
                                   .rank = RANK_STATE});
}

/* False while no sample can run yet, or any more. */
static bool add_phase(const ExecutorState *state, Reasons *reasons)
{
    const Phase *phase = phase_find(str_of(state->phase));
    if (!phase)
        return true;
    const Reason reason = {
        .code = phase->code,
        .text = state->phase_detail
                    ? arena_printf(reasons->arena, "%s: %s", phase->text, state->phase_detail)
                    : phase->text,
        .since_us = state->phase_since_us,
        .rank = RANK_PHASE};
    reasons_priv_add(reasons, &reason);
    return false;
}

static const char *running_in_words(const Reasons *reasons)
{
    Arena *arena = reasons->arena;
    const char *tasks = reasons->n_tasks > 1
                            ? arena_printf(arena, ", %lld of %lld tasks are done",
                                           (long long)reasons->n_over, (long long)reasons->n_tasks)
                            : "";
    return arena_printf(arena, "it is running: %s at work, %lld have ended%s",
                        reasons_priv_count(arena, reasons->n_running, "sample"),
                        (long long)reasons->n_ended, tasks);
}

static void add_running(Jobs *jobs, const Job *job, const ExecutorState *state, Reasons *reasons)
{
    Arena *arena = reasons->arena;
    if (job->state == JOB_STOPPING)
        reasons_priv_add(reasons, &(Reason){.code = "run.stopping",
                                            .text = arena_strdup(arena, job->reason),
                                            .rank = RANK_STATE});
    bool has_begun = add_phase(state, reasons);
    /* Until then there may be a stop of an earlier attempt, which its first process forgets. */
    if (has_begun && job->state == JOB_RUNNING)
        add_stop(jobs, job, reasons);
    add_pause(jobs, job, reasons);
    reasons_priv_tasks(jobs, job, reasons);
    add_results(jobs, job, RANK_RESULT, reasons);
    const Reason running = {.code = "run.running",
                            .text =
                                job->type == JOB_SCAN ? "it is running" : running_in_words(reasons),
                            .since_us = job->started_us,
                            .n = reasons->n_running,
                            .rank = RANK_RUNNING};
    if (has_begun || reasons->n == 0)
        reasons_priv_add(reasons, &running);
}

static int by_rank(const void *a, const void *b)
{
    const Reason *x = a;
    const Reason *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return (y->n > x->n) - (y->n < x->n);
}

void reasons_look(Jobs *jobs, const Job *job, Arena *arena, Reasons *ret)
{
    Executor *executor = jobs->options.executor;
    ExecutorState state;
    *ret = (Reasons){.arena = arena};
    ret->pool = reasons_priv_file(jobs, arena, job->job_id, "tasks.json");
    ret->tasks = json_get(ret->pool, "tasks");
    for (const Json *task = ret->tasks ? ret->tasks->first : NULL; task; task = task->next) {
        ret->n_tasks++;
        ret->n_over += str_eqz(json_text(task, "state", STR("")), "over");
    }
    if (job->deleted_us)
        add_deleted(job, ret);
    if (job_state_is_over(job->state)) {
        add_over(jobs, job, ret);
    } else if (job->state == JOB_QUEUED) {
        add_queued(jobs, job, ret);
    } else {
        executor->probe(executor, arena, job->job_id, job->attempt, &state);
        add_running(jobs, job, &state, ret);
    }
    qsort(ret->items, ret->n, sizeof(*ret->items), by_rank);
}

const Reason *reasons_first(const Reasons *reasons)
{
    return &reasons->items[0];
}

/* ---- writing ---- */

static const char *state_in_words(const Job *job)
{
    if (job->deleted_us)
        return "is deleted";
    switch (job->state) {
    case JOB_COMPLETE: return "is complete";
    case JOB_FAILED: return "has failed";
    case JOB_CANCELLED: return "was cancelled";
    case JOB_QUEUED:
    case JOB_RUNNING:
    case JOB_STOPPING:
    default: return "is not done";
    }
}

/* The best reasons as one paragraph. */
static void write_paragraph(const Job *job, const Reasons *reasons, JsonOut *out)
{
    auto_buf Buf text = BUF_INIT(64 << 10);
    const Reason *first = reasons_first(reasons);
    buf_printf(&text, "%s %s: %s.", job->job_id, state_in_words(job), first->text);
    for (size_t i = 1; i < reasons->n && i <= TOLD_MAX; i++) {
        const char *more = reasons->items[i].text;
        if (strcmp(more, reasons->items[i - 1].text) == 0)
            continue;
        buf_printf(&text, " %c%s.",
                   more[0] >= 'a' && more[0] <= 'z' ? more[0] - 'a' + 'A' : more[0],
                   more + (more[0] != '\0'));
    }
    json_out_kv_str(out, "text", buf_str(&text));
}

void reasons_write(Jobs *jobs, const Job *job, JsonOut *out)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    JobsImports imports;
    Reasons reasons;
    if (status_priv_imports(jobs, arena, job, &imports, &err) < 0)
        imports = (JobsImports){0};
    reasons_look(jobs, job, arena, &reasons);
    json_out_object(out);
    json_out_kvz(out, "job_id", job->job_id);
    json_out_kvz(out, "status", job_status_name(status_priv_now(job, &imports, &reasons)));
    json_out_kvz(out, "state", job_state_name(job->state));
    json_out_kvz(out, "reason", reasons_first(&reasons)->code);
    write_paragraph(job, &reasons, out);
    json_out_kv_array(out, "evidence");
    for (size_t i = 0; i < reasons.n; i++) {
        const Reason *reason = &reasons.items[i];
        json_out_object(out);
        json_out_kvz(out, "reason", reason->code);
        json_out_kvz(out, "text", reason->text);
        if (reason->since_us)
            json_out_kv_time(out, "since", reason->since_us);
        else
            json_out_kv_null(out, "since");
        json_out_kvz(out, "task", reason->task);
        json_out_kv_int(out, "samples", reason->n);
        json_out_kv_bool(out, "trouble", reason->is_trouble);
        json_out_end_object(out);
    }
    json_out_end_array(out);
    json_out_kv_int(out, "running", reasons.n_running);
    json_out_kv_int(out, "killed", reasons.n_killed);
    json_out_end_object(out);
}

/* What writers of lists of live tasks are given. */
typedef struct Writing {
    JsonOut *out;
    Str command;
    int64_t n_waiting;
} Writing;

static void write_answer(void *context, const Json *task, const Json *live)
{
    Writing *writing = context;
    const Json *answer = json_get_str(json_get(live, "answers"), writing->command);
    if (!answer) {
        writing->n_waiting++;
        return;
    }
    json_out_object(writing->out);
    json_out_kv_str(writing->out, "task", json_text(task, "name", STR("all")));
    json_out_kv_bool(writing->out, "ok", json_bool(answer, "ok", false));
    json_out_kv_str(writing->out, "text", json_text(answer, "text", STR("")));
    json_out_kv_node(writing->out, "result", json_get(answer, "result"));
    json_out_end_object(writing->out);
}

void reasons_write_answers(Jobs *jobs, const Job *job, Str command, JsonOut *out)
{
    auto_arena Arena *arena = arena_new();
    Writing writing = {.out = out, .command = command};
    Reasons reasons = {.arena = arena};
    reasons.tasks = json_get(reasons_priv_file(jobs, arena, job->job_id, "tasks.json"), "tasks");
    json_out_object(out);
    json_out_kv_array(out, "answers");
    if (!job_state_is_over(job->state))
        reasons_priv_each_live(jobs, job, &reasons, write_answer, &writing);
    json_out_end_array(out);
    json_out_kv_int(out, "waiting", writing.n_waiting);
    json_out_end_object(out);
}

static void write_waiting(void *context, const Json *task, const Json *live)
{
    (void)task;
    Writing *writing = context;
    const Json *list = json_get(live, "samples");
    for (const Json *sample = list ? list->first : NULL; sample; sample = sample->next) {
        Str kind = json_text(sample, "kind", STR("work"));
        if (str_eqz(kind, "work") || str_eqz(kind, "model"))
            continue;
        json_out_object(writing->out);
        json_out_kv_str(writing->out, "sample_id", json_text(sample, "id", STR_NONE));
        json_out_kvz(writing->out, "pod_name", "runner");
        json_out_kvz(writing->out, "phase", "Running");
        json_out_kv_str(writing->out, "reason", kind);
        json_out_kv_str(writing->out, "detail", json_text(sample, "detail", STR_NONE));
        json_out_end_object(writing->out);
    }
}

void reasons_write_waiting(Jobs *jobs, const Job *job, const Reasons *reasons, JsonOut *out)
{
    Writing writing = {.out = out};
    if (job->state == JOB_RUNNING)
        reasons_priv_each_live(jobs, job, reasons, write_waiting, &writing);
}
