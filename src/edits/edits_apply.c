/* Applying: a copy of the log and the edits go into a folder, a child makes the new log there, and
   that takes the place of the old one if that is still what was copied.

   A crash before the new log is in place has changed nothing, and one after it but before the row
   says so makes the next server apply the edits to a log that has them, which changes nothing
   either. The same holds when two servers on one database come to apply the same row, since the
   claim of one has ended while it was slow: one of them finds that the log has changed, and then
   the edits in it. */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "codec/json_out.h"
#include "edits/edits_priv.h"
#include "evallog/evallog.h"
#include "jobs/executor_env.h"

enum {
    TICK_SECONDS = 1,
    RECORD_TRIALS_MAX = 60,
    LOOK_MS = 200,
    CHILD_MS = 2 * 3600 * 1000,
    GRACE_MS = 5000,
    TRIALS_MAX = 10,
    PAUSE_MAX_S = 60,
    SMALL_FILE_MAX = 1 << 20,
    REASON_MAX = 4000,
    EXIT_CANNOT_WORK = 78,
};

/* What has come of a trial. */
typedef struct Outcome {
    EditsState state; /* EDITS_PENDING: it may work another time */
    char *reason;     /* or NULL */
} Outcome;

static void outcome_release(Outcome *outcome)
{
    free(outcome->reason);
}

/* One row being applied. */
typedef struct Trial {
    Edits *edits;
    const EditsWork *work;
    Arena *arena;
    const char *claim;
    const char *folder; /* of that name */
    StoreStat before;   /* of the log that was copied */
} Trial;

static const char *in_folder(const Trial *trial, const char *name)
{
    return arena_printf(trial->arena, "%s/%s", trial->folder, name);
}

/* --- bringing things together --- */

static int copy_log(Trial *trial, Error *err)
{
    Store *store = trial->edits->options.store;
    if (store_stat(store, trial->work->log_key, &trial->before, err) < 0)
        return -1;
    return store_copy_out(store, trial->work->log_key, in_folder(trial, "log.eval"), err);
}

static int copy_edits(const Trial *trial, Str *ret, Error *err)
{
    auto_buf Buf text = BUF_INIT(EDITS_OBJECT_MAX);
    if (store_get(trial->edits->options.store, trial->work->object_key, &text, err) < 0 ||
        fs_write_file(in_folder(trial, "edits.jsonl"), buf_str(&text), 0600, err) < 0)
        return -1;
    *ret = arena_str(trial->arena, buf_str(&text));
    return 0;
}

/* A sample may have moved to another log since the request: its eval set was resumed, say. */
static int check_places(const Trial *trial, Str lines, Error *err)
{
    const EditsHooks *hooks = &trial->edits->options.hooks;
    Str line = STR_NONE;
    while (str_split(&lines, '\n', &line)) {
        Json *edit = NULL;
        EditsPlace place = {0};
        auto_error Error looking = ERROR_INIT;
        if (line.n == 0)
            continue;
        if (json_parse(trial->arena, line, &json_limits_config, &edit, err) < 0)
            return error_wrap(err, "%s", trial->work->object_key);
        Str uuid = json_text(edit, "sample_uuid", STR(""));
        if (hooks->place(hooks->context, trial->arena, uuid, &place, &looking) < 0) {
            if (looking.kind != ERR_NOT_FOUND)
                return error_move(err, &looking);
            continue; /* the log itself has the last word */
        }
        if (strcmp(place.log_key, trial->work->log_key) == 0)
            continue;
        (void)error_set(err, ERR_BAD_DATA, "sample %.*s is now in %s", STR_ARG(uuid),
                        place.log_key);
        return error_fix(err, "send its edits again");
    }
    return 0;
}

static int write_task(const Trial *trial, Error *err)
{
    auto_source Source *source = NULL;
    auto_evallog EvalLog *log = NULL;
    const EvalLogHeader *header = NULL;
    const char *path = in_folder(trial, "log.eval");
    if (source_open_file(path, &source, err) < 0 || evallog_open(source, &log, err) < 0)
        return -1;
    (void)TAKE(source);
    if (evallog_header(log, &header, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(SMALL_FILE_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "log", path);
    json_out_kv_str(&out, "inspect_ai", header->inspect_version);
    json_out_end_object(&out);
    return fs_write_file(in_folder(trial, "edit.json"), buf_str(&body), 0600, err);
}

/* --- the child --- */

static int start_child(const Trial *trial, Process *ret, Error *err)
{
    auto_process_env ProcessEnv env = {0};
    const ExecutorRun run = {.job_id = trial->work->request_uuid, .job_type = "edit"};
    executor_env_make(&run, &env);
    auto_fd int out = fs_open(in_folder(trial, "launch.log"), O_WRONLY | O_CREAT, 0600, err);
    if (out < 0)
        return -1;
    const char *const argv[] = {trial->edits->program, "runner", "edit", trial->folder, NULL};
    const ProcessOptions options = {.argv = argv,
                                    .envp = env.items,
                                    .cwd = trial->folder,
                                    .in = PROCESS_NULL,
                                    .out = out,
                                    .err = out,
                                    .own_group = true,
                                    .parent_death_signal = SIGKILL};
    return process_start(&options, ret, err);
}

/* What the child says that it waits for, which is an environment; "" when it does not. */
static Str detail_of(const char *path, Arena *arena)
{
    auto_buf Buf body = BUF_INIT(SMALL_FILE_MAX);
    auto_error Error ignored = ERROR_INIT;
    Json *status = NULL;
    if (fs_read_file(path, &body, &ignored) < 0 ||
        json_parse(arena, arena_str(arena, buf_str(&body)), &json_limits_config, &status,
                   &ignored) < 0)
        return STR("");
    return json_text(status, "detail", STR(""));
}

/* Makes the row say so, when it is not what it says already. */
static void note_detail(const Trial *trial, const char *path, Buf *said)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error ignored = ERROR_INIT;
    Str detail = detail_of(path, arena);
    if (str_eq(detail, buf_str(said)))
        return;
    const char *reason =
        arena_printf(arena,
                     "makes an environment with the Inspect that wrote the log, which is kept for "
                     "the next time: %.*s",
                     STR_ARG(str_slice(detail, 0, REASON_MAX)));
    (void)!edits_priv_note(trial->edits->options.sql, trial->work->pk, EDITS_APPLYING,
                           detail.n ? reason : NULL, &ignored);
    buf_reset(said);
    buf_add_str(said, detail);
}

/* Waits for the child's end; ERR_CANCELLED when the server ends first. */
static int wait_for_child(const Trial *trial, Process *child, Error *err)
{
    int64_t deadline = clock_monotonic_ms() + CHILD_MS;
    const char *status = in_folder(trial, "status.json");
    auto_buf Buf said = BUF_INIT(SMALL_FILE_MAX);
    bool was_told = false;
    while (clock_monotonic_ms() < deadline) {
        if (process_wait(child, LOOK_MS, err) == 0)
            return was_told ? error_set(err, ERR_CANCELLED, "the server ends") : 0;
        if (err->kind != ERR_TIMEOUT)
            return -1;
        error_reset(err);
        note_detail(trial, status, &said);
        if (!was_told && atomic_load(&trial->edits->is_closing)) {
            was_told = true;
            deadline = clock_monotonic_ms() + GRACE_MS;
            process_signal(child, SIGTERM);
        }
    }
    return error_set(err, was_told ? ERR_CANCELLED : ERR_TIMEOUT,
                     "the edit has not ended within %d minutes", CHILD_MS / 60000);
}

/* The last word of the child, in the arena; NULL when it left none. */
static const char *last_word(const Trial *trial)
{
    auto_buf Buf body = BUF_INIT(SMALL_FILE_MAX);
    auto_error Error ignored = ERROR_INIT;
    Json *end = NULL;
    if (fs_read_file(in_folder(trial, "exit.json"), &body, &ignored) < 0 ||
        json_parse(trial->arena, arena_str(trial->arena, buf_str(&body)), &json_limits_config, &end,
                   &ignored) < 0)
        return NULL;
    Str detail = json_text(end, "detail", STR_NONE);
    return detail.n ? arena_strndup(trial->arena, detail.p, detail.n) : NULL;
}

static int run_child(const Trial *trial, Outcome *ret, Error *err)
{
    auto_process Process child = PROCESS_INIT;
    if (start_child(trial, &child, err) < 0 || wait_for_child(trial, &child, err) < 0)
        return -1;
    int status = child.exit_status;
    const char *word = last_word(trial);
    *ret = (Outcome){.state = status == 0                  ? EDITS_DONE
                              : status == EXIT_CANNOT_WORK ? EDITS_FAILED
                                                           : EDITS_PENDING,
                     .reason = mem_strdup(word)};
    if (!ret->reason && status != 0)
        ret->reason = mem_printf(status > 128 ? "the editor was killed by signal %d"
                                              : "the editor ended with status %d",
                                 status > 128 ? status - 128 : status);
    return 0;
}

/* --- one row --- */

bool edits_priv_wait(Edits *edits, uint64_t seen)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TICK_SECONDS;
    (void)pthread_mutex_lock(&edits->lock);
    while (seen == atomic_load(&edits->wakes) &&
           pthread_cond_timedwait(&edits->wake, &edits->lock, &until) == 0)
        continue;
    (void)pthread_mutex_unlock(&edits->lock);
    return !atomic_load(&edits->is_closing);
}

/* Without a new log the old one had the edits already. */
static int put_new_log(const Trial *trial, Error *err)
{
    const EditsOptions *options = &trial->edits->options;
    const char *path = in_folder(trial, "new.eval");
    if (!fs_exists(path))
        return 0;
    if (store_replace(options->store, trial->work->log_key, trial->before.etag, path, err) < 0)
        return -1;
    if (options->hooks.changed)
        options->hooks.changed(options->hooks.context, trial->work->log_key);
    return 0;
}

static int try(Trial *trial, Outcome *ret, Error *err)
{
    Str lines = STR_NONE;
    if (copy_edits(trial, &lines, err) < 0 || check_places(trial, lines, err) < 0 ||
        copy_log(trial, err) < 0 || write_task(trial, err) < 0 || run_child(trial, ret, err) < 0)
        return -1;
    return ret->state == EDITS_DONE ? put_new_log(trial, err) : 0;
}

/* What another trial cannot mend. */
static bool is_final(const Error *err)
{
    return err->kind == ERR_NOT_FOUND || err->kind == ERR_BAD_DATA || err->kind == ERR_DENIED ||
           err->kind == ERR_UNSUPPORTED;
}

static char *words_of(const Error *err)
{
    return mem_printf("%s%s%s", error_text(err), err->fix ? ": " : "", err->fix ? err->fix : "");
}

/* Makes the outcome known. One that may pass is tried again after a while that grows. */
static void record(const Trial *trial, Outcome *outcome)
{
    Edits *edits = trial->edits;
    const EditsWork *work = trial->work;
    EditsMove move = {
        .pk = work->pk, .claim = trial->claim, .to = outcome->state, .reason = outcome->reason};
    if (move.to == EDITS_PENDING && work->attempts + 1 >= TRIALS_MAX)
        move.to = EDITS_FAILED;
    if (move.to == EDITS_PENDING) {
        int64_t pause_s = INT64_C(1) << (work->attempts < 6 ? work->attempts : 6);
        move.retry_in_us = (pause_s < PAUSE_MAX_S ? pause_s : PAUSE_MAX_S) * CLOCK_SECOND;
    }
    auto_error Error err = ERROR_INIT;
    for (int i = 0; edits_priv_move(edits->options.sql, &move, &err) < 0; i++) {
        log_error("edit.unrecorded", KV("request", work->request_uuid), KV("log", work->log_key),
                  KV("error", error_text(&err)));
        error_reset(&err);
        /* The next server takes it up, and finds the edits in the log. */
        if (i == RECORD_TRIALS_MAX || !edits_priv_wait(edits, atomic_load(&edits->wakes)))
            return;
    }
    log_info("edit.moved", KV("request", work->request_uuid), KV("log", work->log_key),
             KV("to", edits_state_name(move.to)), KV("reason", move.reason));
}

/* False when the server ends: the next one finds the folder and takes the row up. */
static bool apply(Trial *trial)
{
    HAWK_CLEANUP(outcome_release) Outcome outcome = {0};
    auto_error Error err = ERROR_INIT;
    if (try(trial, &outcome, &err) < 0) {
        free(outcome.reason);
        outcome = (Outcome){is_final(&err) ? EDITS_FAILED : EDITS_PENDING, words_of(&err)};
    }
    if (err.kind == ERR_CANCELLED && atomic_load(&trial->edits->is_closing))
        return false;
    record(trial, &outcome);
    return true;
}

/* --- the thread --- */

static void note_wait(Edits *edits, const EditsWork *work)
{
    auto_free char *reason = mem_printf("waits until eval set %s is over", work->eval_set_id);
    if (work->reason && strcmp(work->reason, reason) == 0)
        return;
    auto_error Error ignored = ERROR_INIT;
    (void)!edits_priv_note(edits->options.sql, work->pk, EDITS_PENDING, reason, &ignored);
}

/* Whether the job is not over, here or with another server on the same database. */
static bool is_live(Edits *edits, const EditsWork *work, Arena *arena)
{
    Job job;
    auto_error Error err = ERROR_INIT;
    if (jobs_get(edits->options.jobs, arena, work->eval_set_id, &job, &err) == 0)
        return !job_state_is_over(job.state);
    return err.kind != ERR_NOT_FOUND;
}

/* True when the row was ours. */
static bool take(Edits *edits, const EditsWork *work, Arena *arena)
{
    auto_error Error err = ERROR_INIT;
    bool is_ours = false;
    char claim[EDITS_CLAIM_MAX];
    if (is_live(edits, work, arena)) {
        note_wait(edits, work);
        return false;
    }
    random_id(claim, sizeof(claim) - 1);
    Trial trial = {.edits = edits,
                   .work = work,
                   .arena = arena,
                   .claim = claim,
                   .folder = arena_printf(arena, "%s/%s", edits->folder, claim)};
    if (fs_make_dirs(trial.folder, 0700, &err) < 0 ||
        edits_priv_claim(edits->options.sql, work, claim, &is_ours, &err) < 0)
        log_error("edit.unclaimed", KV("request", work->request_uuid),
                  KV("error", error_text(&err)));
    if (is_ours && !apply(&trial))
        return true;
    auto_error Error ignored = ERROR_INIT;
    (void)!fs_remove_tree(trial.folder, &ignored);
    return is_ours;
}

/* Goes through what is pending once; true when something was done. */
static bool look(Edits *edits)
{
    bool has_done = false;
    size_t n = EDITS_PAGE;
    for (int64_t after = 0; n == EDITS_PAGE && !atomic_load(&edits->is_closing);) {
        auto_arena Arena *arena = arena_new();
        auto_error Error err = ERROR_INIT;
        EditsWork *found = NULL;
        if (edits_priv_candidates(edits->options.sql, arena, after, &found, &n, &err) < 0) {
            log_error("edit.unread", KV("error", error_text(&err)));
            return false;
        }
        for (size_t i = 0; i < n && !atomic_load(&edits->is_closing); i++) {
            after = found[i].pk;
            if (take(edits, &found[i], arena))
                has_done = true;
        }
    }
    return has_done;
}

void *edits_priv_work(void *context)
{
    Edits *edits = context;
    while (!atomic_load(&edits->is_closing)) {
        uint64_t seen = atomic_load(&edits->wakes);
        if (!look(edits))
            (void)edits_priv_wait(edits, seen);
    }
    return NULL;
}
