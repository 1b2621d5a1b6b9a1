/* The controller: one thread that brings runners and the table in line. It acts on what is, not on
   what happened, so every step may be repeated, and a crash between any two of them is mended by
   the next server. */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/jobs_priv.h"
#include "jobs/unfinished.h"

enum {
    TICK_MS = 1000,
    SWEEP_SOON_MS =
        3000, /* a runner that the last server forked as it died shows up after the first sweep */
    SWEEP_MS = 60 * 1000,
    LEAVE_MS = 15 * 1000, /* from a runner's result to its end */
    CLOSE_MS = 60 * 1000, /* how long logs are tried to be closed while the disk is full */
    TAIL_MAX = 2048,
    LINE_MAX_SHOWN = 300,
    EXIT_CANCELLED = 130,
};

/* How an attempt ended, in words. */
typedef struct End {
    JobState state;
    const char *code;
    char *reason;
    int64_t exit_code;
    bool is_lost; /* no fault of the job: its runner was taken from it */
} End;

static void end_release(End *end)
{
    free(end->reason);
}

/* ---- why a runner ended ---- */

/* The last line that the runner printed outside of its own log; NULL when there is none. */
static char *last_words(Executor *executor, const char *job_id)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *path = executor->file(executor, job_id, "launch.log");
    auto_fd int fd = path ? fs_open(path, O_RDONLY, 0, &err) : -1;
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    size_t n = size > TAIL_MAX ? TAIL_MAX : (size_t)(size > 0 ? size : 0);
    char text[TAIL_MAX];
    if (n == 0 || fs_read_at(fd, (uint64_t)size - n, text, n, &err) < 0)
        return NULL;
    Str line = str_trim((Str){text, n});
    ptrdiff_t start = str_rfind(line, '\n');
    line = str_slice(line, (size_t)(start + 1), line.n);
    return line.n ? mem_strndup(line.p, line.n > LINE_MAX_SHOWN ? LINE_MAX_SHOWN : line.n) : NULL;
}

/* A runner that left no result. */
static End end_of_vanished(const JobsLive *live, const ExecutorState *state)
{
    const char *what = live->state == JOB_QUEUED ? "before it began" : "while it ran";
    End end = {.state = JOB_FAILED, .code = "run.gone", .exit_code = state->exit_code};
    if (state->was_rebooted) {
        end.code = "run.reboot";
        end.is_lost = true;
        end.reason = mem_printf("the machine was restarted %s", what);
    } else if (state->signal == SIGKILL) {
        end.code = "run.killed";
        end.is_lost = true;
        end.reason = mem_printf("its runner was killed %s (signal 9)", what);
    } else if (state->signal > 0) {
        end.code = "run.killed";
        end.is_lost = true;
        end.reason = mem_printf("its runner was ended by signal %d %s", (int)state->signal, what);
    } else if (state->exit_code == EXECUTOR_UNWRITTEN) {
        end.code = "runner.unwritten";
        end.reason = mem_printf("its runner could not write to the job's folder %s: see whether "
                                "there is room on the disk",
                                what);
    } else if (state->exit_code >= 0) {
        end.reason = mem_printf("its runner left with status %d %s and no result",
                                (int)state->exit_code, what);
    } else {
        end.is_lost = true;
        end.reason = mem_printf("its runner is gone: it was killed or crashed %s", what);
    }
    return end;
}

static End end_of_failed(const ExecutorState *state)
{
    if (state->exit_code == EXIT_CANCELLED)
        return (End){JOB_CANCELLED, "run.cancelled",
                     mem_strdup(state->detail ? state->detail : "its runner was told to end"),
                     state->exit_code};
    return (End){JOB_FAILED, "run.failed",
                 state->detail
                     ? mem_strdup(state->detail)
                     : mem_printf("its runner left with status %d", (int)state->exit_code),
                 state->exit_code};
}

/* Reason codes of a runner are short words of its own; anything else is not taken over. */
static const char *runner_code(Arena *arena, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    for (size_t i = 0; i < n; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || text[i] == '_' || text[i] == '.'))
            return NULL;
    return n > 0 && n < 64 ? arena_strdup(arena, text) : NULL;
}

static void add_to_reason(End *end, const char *more)
{
    char *longer = mem_printf("%s; %s", end->reason, more);
    free(end->reason);
    end->reason = longer;
}

static void add_last_words(Executor *executor, const JobsLive *live, End *end)
{
    auto_free char *words = last_words(executor, live->job_id);
    if (!words)
        return;
    auto_free char *more = mem_printf("its last line was: %s", words);
    add_to_reason(end, more);
}

static End end_of(Jobs *jobs, Arena *arena, const JobsLive *live, const ExecutorState *state)
{
    Executor *executor = jobs->options.executor;
    if (state->life == EXECUTOR_ENDED && state->exit_code == 0) {
        JobsVerdict verdict;
        (live->type == JOB_SCAN ? jobs_priv_scan_verdict : jobs_priv_verdict)(jobs, live->job_id,
                                                                              &verdict);
        return (End){verdict.state, verdict.reason_code, verdict.reason, 0};
    }
    if (live->state == JOB_STOPPING)
        return (End){JOB_CANCELLED, "stop.done", mem_strdup("ended as it was asked to"),
                     state->exit_code};
    if (state->life == EXECUTOR_NONE) {
        End end = end_of_vanished(live, state);
        add_last_words(executor, live, &end);
        return end;
    }
    End end = end_of_failed(state);
    const char *code = runner_code(arena, state->reason);
    if (end.state == JOB_FAILED && code)
        end.code = code;
    if (!state->detail && end.state == JOB_FAILED)
        add_last_words(executor, live, &end);
    return end;
}

/* ---- trying again ---- */

/* Why a job that has lost its runner is not tried again by itself, in the arena; NULL when it is.
 */
static const char *why_no_retry(Jobs *jobs, Arena *arena, const Job *job)
{
    if (job->n_retries >= (int64_t)jobs->options.retries.n)
        return job->n_retries ? arena_printf(arena, "it was started again %lld times",
                                             (long long)job->n_retries)
                              : "";
    if (jobs_priv_has_command(jobs, job, "stop"))
        return "it had been asked to stop";
    if (job->n_secret_names)
        return arena_printf(arena,
                            "it is not started again by itself, because its secrets are kept "
                            "nowhere: do so with: hawk %s resume %s",
                            job_type_name(job->type), job->job_id);
    return NULL;
}

/* Queues the next attempt of a job that has lost its runner; false when that may not be. When it
 * cannot be recorded it is tried again with the next tick. */
static bool retry(Jobs *jobs, const JobsLive *live, End *end)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    bool changed = false;
    Job job;
    if (!end->is_lost || jobs_get(jobs, arena, live->job_id, &job, &err) < 0)
        return false;
    const char *why = why_no_retry(jobs, arena, &job);
    if (why && *why)
        add_to_reason(end, why);
    if (why)
        return false;
    int seconds = jobs->options.retries.seconds[job.n_retries];
    const char *reason =
        arena_printf(arena, "%s; it is started again, %lld of %zu times, after a wait of %d s",
                     end->reason, (long long)job.n_retries + 1, jobs->options.retries.n, seconds);
    const JobMove move = {
        .job_id = live->job_id,
        .attempt = live->attempt,
        .to = JOB_QUEUED,
        .reason_code = JOBS_RETRYING,
        .reason = reason,
        .now_us = clock_now_us(),
        .exit_code = end->exit_code,
        .is_retry = true,
        .retry_ms = (int64_t)seconds * 1000,
    };
    if (jobs_priv_move(jobs, &move, &changed, &err) == 0)
        return changed;
    log_error("job.retry_not_recorded", KV("job", live->job_id), KV("error", error_text(&err)));
    return true;
}

/* ---- steps for one job ---- */

/* Closes the logs that the job has left; false when that is worth another try before its end is
 * recorded, after which nobody would. */
static bool close_logs(Jobs *jobs, JobsLive *live, const End *end)
{
    if (live->type != JOB_EVAL_SET ||
        unfinished_close(jobs, live->job_id, end->state != JOB_FAILED))
        return true;
    int64_t now_ms = clock_monotonic_ms();
    if (!live->end_at_ms)
        live->end_at_ms = now_ms + CLOSE_MS;
    jobs_priv_keep_flags(jobs, live->job_id, live);
    return now_ms >= live->end_at_ms;
}

/* Ends what is left of the runner before the end is recorded: once it is, a resume may start the
 * next one. */
static void finish(Jobs *jobs, JobsLive *live)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    Executor *executor = jobs->options.executor;
    ExecutorState state;
    bool changed = false;
    executor->probe(executor, arena, live->job_id, live->attempt, &state);
    JobsLive now;
    if (state.life == EXECUTOR_ALIVE || !jobs_priv_find_live(jobs, live->job_id, &now))
        return;
    live->state = now.state; /* it may have been told to end a moment ago */
    HAWK_CLEANUP(end_release) End end = end_of(jobs, arena, live, &state);
    if (!job_state_may(live->state, end.state)) /* a good end without ever having had a turn */
        end.state = JOB_FAILED;
    executor->settle(executor, live->job_id);
    if (retry(jobs, live, &end) || !close_logs(jobs, live, &end))
        return;
    if (jobs_priv_keep_capsule(jobs, live->type, live->job_id, &err) < 0) {
        log_warn("job.capsule_not_kept", KV("job", live->job_id), KV("error", error_text(&err)));
        error_reset(&err);
    }
    if (jobs->options.hooks.ended)
        jobs->options.hooks.ended(jobs->options.hooks.context, live->job_id, live->type);
    const JobMove move = {
        .job_id = live->job_id,
        .attempt = live->attempt,
        .to = end.state,
        .reason_code = end.code,
        .reason = end.reason,
        .now_us = clock_now_us(),
        .exit_code = end.exit_code,
    };
    /* Without a change it was marked as stopping meanwhile; the next round sees that. */
    if (jobs_priv_move(jobs, &move, &changed, &err) < 0)
        log_error("job.end_not_recorded", KV("job", live->job_id), KV("error", error_text(&err)));
}

static void relaunch_failed(Jobs *jobs, const JobsLive *live, const Error *why)
{
    auto_error Error err = ERROR_INIT;
    const JobMove move = {
        .job_id = live->job_id,
        .attempt = live->attempt,
        .to = JOB_FAILED,
        .reason_code = "launch.failed",
        .reason = error_text(why),
        .now_us = clock_now_us(),
        .exit_code = -1,
    };
    log_error("job.relaunch_failed", KV("job", live->job_id), KV("error", error_text(why)));
    if (jobs_priv_move(jobs, &move, NULL, &err) < 0)
        log_error("job.end_not_recorded", KV("job", live->job_id), KV("error", error_text(&err)));
}

/* Starts the runner of a job that lost it before it had begun. */
static void relaunch(Jobs *jobs, JobsLive *live)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error err = ERROR_INIT;
    auto_sql_tx SqlTx *tx = NULL;
    Job job;
    Str config = STR_NONE;
    bool allow_dirty = false;
    Jobspec *spec = NULL;
    live->needs_launch = false;
    jobs_priv_keep_flags(jobs, live->job_id, live);
    if (sql_begin(jobs->options.sql, SQL_READ, &tx, &err) < 0 ||
        job_table_find(tx, arena, live->job_id, &job, &err) != 1 ||
        job_table_config(tx, arena, live->job_id, &config, &allow_dirty, &err) < 0) {
        relaunch_failed(jobs, live, &err);
        return;
    }
    sql_rollback(TAKE(tx));
    JobsLaunch launch = {.job = &job, .allow_dirty = allow_dirty, .keeps_commands = true};
    if (jobs_priv_spec(arena, config, job.type, &spec, &err) == 0)
        launch.spec = spec;
    if (!launch.spec || jobs_priv_launch(jobs, &launch, &err) < 0)
        relaunch_failed(jobs, live, &err);
    else
        log_info("job.relaunched", KV("job", live->job_id), KV_INT("attempt", live->attempt));
}

/* Tells a runner that it has its turn; again with the next tick when it cannot be told, because the
 * disk is full say. */
static void grant(Jobs *jobs, JobsLive *live)
{
    auto_error Error err = ERROR_INIT;
    Executor *executor = jobs->options.executor;
    bool had_failed = live->needs_grant;
    live->needs_grant = executor->grant(executor, live->job_id, live->attempt, &err) < 0;
    if (live->needs_grant)
        log_error("job.grant_failed", KV("job", live->job_id), KV("error", error_text(&err)));
    if (live->needs_grant || had_failed)
        jobs_priv_keep_flags(jobs, live->job_id, live);
}

/* A runner that has left its result has nothing more to do. */
static void press_leaving(Jobs *jobs, JobsLive *live, int64_t now_ms)
{
    auto_arena Arena *arena = arena_new();
    Executor *executor = jobs->options.executor;
    ExecutorState state;
    executor->probe(executor, arena, live->job_id, live->attempt, &state);
    if (!state.finished_us)
        return;
    if (!live->ended_seen_ms)
        live->ended_seen_ms = now_ms;
    else if (now_ms - live->ended_seen_ms > LEAVE_MS)
        executor->signal(executor, live->job_id, EXECUTOR_KILL);
    jobs_priv_keep_flags(jobs, live->job_id, live);
}

/* A stop that was to come about within a time and has not: the run is cancelled. */
static void cancel_late(Jobs *jobs, JobsLive *live)
{
    auto_error Error err = ERROR_INIT;
    live->cancel_at_ms = 0;
    jobs_priv_keep_flags(jobs, live->job_id, live);
    log_warn("job.stop_late", KV("job", live->job_id));
    if (jobs_priv_begin_end(jobs, live->job_id, "stop.late",
                            "its samples did not end in time when asked, so it is being cancelled",
                            false, NULL, &err) < 0)
        log_error("job.stop_not_recorded", KV("job", live->job_id), KV("error", error_text(&err)));
}

/* A runner that was told to end gets some time, then it is ended. */
static void press(Jobs *jobs, JobsLive *live, int64_t now_ms)
{
    Executor *executor = jobs->options.executor;
    if (live->state == JOB_STOPPING && !live->was_cancelled) {
        executor->signal(executor, live->job_id, EXECUTOR_CANCEL);
        live->was_cancelled = true;
        live->kill_at_ms = now_ms + jobs->options.cancel_ms;
        /* A scan has been asked by this only. */
        if (live->last_at_ms && (live->type == JOB_SCAN || live->last_at_ms < live->kill_at_ms))
            live->kill_at_ms = live->last_at_ms;
        jobs_priv_keep_flags(jobs, live->job_id, live);
        return;
    }
    if (live->cancel_at_ms && live->state != JOB_STOPPING && now_ms >= live->cancel_at_ms)
        cancel_late(jobs, live);
    if (live->state != JOB_QUEUED)
        press_leaving(jobs, live, now_ms);
    if (!live->kill_at_ms || now_ms < live->kill_at_ms)
        return;
    log_warn("job.killed", KV("job", live->job_id));
    executor->signal(executor, live->job_id, EXECUTOR_KILL);
    live->kill_at_ms = now_ms + jobs->options.cancel_ms;
    jobs_priv_keep_flags(jobs, live->job_id, live);
}

static void step(Jobs *jobs, JobsLive *live, int64_t now_ms)
{
    Executor *executor = jobs->options.executor;
    if (live->is_launching)
        return;
    if (live->needs_launch && live->state != JOB_STOPPING) {
        if (now_ms < live->launch_at_ms)
            return;
        relaunch(jobs, live);
        if (live->state == JOB_RUNNING)
            grant(jobs, live);
        return;
    }
    if (executor->look(executor, live->job_id, live->attempt) != EXECUTOR_ALIVE) {
        finish(jobs, live);
        return;
    }
    if (live->needs_grant && live->state == JOB_RUNNING)
        grant(jobs, live);
    press(jobs, live, now_ms);
}

/* ---- turns ---- */

static void give_turn(Jobs *jobs, JobsLive *live)
{
    auto_error Error err = ERROR_INIT;
    bool changed = false;
    const JobMove move = {
        .job_id = live->job_id,
        .attempt = live->attempt,
        .to = JOB_RUNNING,
        .reason_code = "run.turn",
        .reason = "it was begun",
        .now_us = clock_now_us(),
        .exit_code = -1,
    };
    if (jobs_priv_move(jobs, &move, &changed, &err) < 0)
        log_error("job.turn_not_recorded", KV("job", live->job_id), KV("error", error_text(&err)));
    else if (changed)
        grant(jobs, live);
}

static void give_turns(Jobs *jobs)
{
    auto_arena Arena *arena = arena_new();
    size_t n = 0;
    JobsLive *live = jobs_priv_snapshot(jobs, arena, &n);
    int n_running = 0;
    for (size_t i = 0; i < n; i++)
        if (live[i].state != JOB_QUEUED)
            n_running++;
    for (size_t i = 0; i < n && n_running < jobs->options.max_running; i++) {
        if (live[i].state != JOB_QUEUED || live[i].is_launching || live[i].needs_launch)
            continue;
        give_turn(jobs, &live[i]);
        n_running++;
    }
}

void *jobs_priv_control(void *context)
{
    Jobs *jobs = context;
    Executor *executor = jobs->options.executor;
    int64_t sweep_at_ms = clock_monotonic_ms() + SWEEP_SOON_MS;
    while (!atomic_load(&jobs->is_closing)) {
        auto_arena Arena *arena = arena_new();
        int64_t now_ms = clock_monotonic_ms();
        size_t n = 0;
        JobsLive *live = jobs_priv_snapshot(jobs, arena, &n);
        for (size_t i = 0; i < n && !atomic_load(&jobs->is_closing); i++)
            step(jobs, &live[i], now_ms);
        give_turns(jobs);
        if (now_ms >= sweep_at_ms) {
            executor->sweep(executor);
            sweep_at_ms = now_ms + SWEEP_MS;
        }
        executor->wait(executor, TICK_MS);
    }
    return NULL;
}

/* ---- taking over ---- */

/* What becomes of a job that has no runner and left no result. */
static int take_over_lost(Jobs *jobs, const Job *job, JobsLive *live, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Executor *executor = jobs->options.executor;
    ExecutorState state;
    executor->probe(executor, arena, job->job_id, job->attempt, &state);
    if (state.was_granted || job->state == JOB_STOPPING)
        return 0; /* the controller ends it with its reason */
    if (job->n_secret_names == 0) {
        live->needs_launch = true;
        jobs_priv_add_live(jobs, job->job_id, live);
        return 0;
    }
    auto_buf Buf reason = BUF_INIT(1000);
    buf_addz(&reason, "the server was stopped before the job had begun, and its secrets (");
    for (size_t i = 0; i < job->n_secret_names; i++)
        buf_printf(&reason, "%s%.*s", i ? ", " : "", STR_ARG(job->secret_names[i]));
    buf_printf(&reason, ") are kept nowhere: start it again with: hawk %s resume %s",
               job_type_name(job->type), job->job_id);
    const JobMove move = {
        .job_id = job->job_id,
        .attempt = job->attempt,
        .to = JOB_FAILED,
        .reason_code = "launch.lost",
        .reason = reason.data,
        .now_us = clock_now_us(),
        .exit_code = -1,
    };
    return jobs_priv_move(jobs, &move, NULL, err);
}

static int take_over(Jobs *jobs, const Job *job, Error *err)
{
    Executor *executor = jobs->options.executor;
    JobsLive live = {
        .type = job->type,
        .attempt = job->attempt,
        .priority = job->priority,
        .queued_us = job->queued_us,
        .state = job->state,
    };
    ExecutorLife life = executor->adopt(executor, job->job_id, job->attempt);
    /* The turn was recorded, but the last server may not have come to telling the runner. */
    live.needs_grant = life == EXECUTOR_ALIVE && job->state == JOB_RUNNING;
    jobs_priv_read_deadlines(jobs, job->job_id, &live);
    jobs_priv_add_live(jobs, job->job_id, &live);
    if (life == EXECUTOR_NONE && take_over_lost(jobs, job, &live, err) < 0)
        return -1;
    log_info("job.taken_over", KV("job", job->job_id), KV("state", job_state_name(job->state)),
             KV("runner", life == EXECUTOR_ALIVE   ? "alive"
                          : life == EXECUTOR_ENDED ? "ended"
                                                   : "none"));
    /* Its runner could not renew the token while there was no server. */
    return life == EXECUTOR_ALIVE ? jobs_priv_extend_token(jobs, job->job_id, err) : 0;
}

/* Whether another data folder has the job's last attempt: then its server has the runner, and
   starting one here would make two of it. */
static bool is_elsewhere(const Jobs *jobs, const Job *job)
{
    Executor *executor = jobs->options.executor;
    if (!jobs->options.leaves_others)
        return false;
    if (job->home && jobs->options.home)
        return strcmp(job->home, jobs->options.home) != 0;
    auto_free char *config = executor->file(executor, job->job_id, "user-config.json");
    return !config || !fs_exists(config);
}

/* A job that is taken over with another data folder's database has its home here from now on. */
static int bring_home(Jobs *jobs, const Job *job, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    const char *home = jobs->options.home;
    if (!home || (job->home && strcmp(job->home, home) == 0))
        return 0;
    if (sql_begin(jobs->options.sql, SQL_WRITE, &tx, err) < 0 ||
        job_table_bring_home(tx, job->job_id, home, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

int jobs_priv_reconcile(Jobs *jobs, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_sql_tx SqlTx *tx = NULL;
    Executor *executor = jobs->options.executor;
    Job *found = NULL;
    size_t n = 0;
    if (sql_begin(jobs->options.sql, SQL_READ, &tx, err) < 0 ||
        job_table_live(tx, arena, &found, &n, err) < 0)
        return -1;
    sql_rollback(TAKE(tx));
    for (size_t i = 0; i < n; i++)
        if (is_elsewhere(jobs, &found[i]))
            log_warn("job.elsewhere", KV("job", found[i].job_id));
        else if (bring_home(jobs, &found[i], err) < 0 || take_over(jobs, &found[i], err) < 0)
            return -1;
    executor->sweep(executor);
    return 0;
}
