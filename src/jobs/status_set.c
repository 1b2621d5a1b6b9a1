/* EvalSetStatus: tasks, their samples and progress, from the logs and, for what runs, from the live
   buffer beside them.

   Logs are looked at twice: once at their headers, to leave out those that a retry has replaced,
   then one after the other in full. The etag is made of the etags of all files first, so that a
   reader who knows it costs one listing; the files of a scan are read under the same rule. */

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "access/access.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"
#include "evallog/evallog.h"
#include "jobs/reasons_priv.h"
#include "jobs/status_priv.h"
#include "jobs/status_samples.h"
#include "jobs/status_scan.h"

enum {
    LOGS_MAX = 2000,
    SAMPLES_SHOWN_MAX = 5000, /* in one document; all are counted */
    LIVES_MAX = 20000,
    ARGS_MAX = 16 * 1024, /* of a task; larger ones are left out */
};

typedef struct Progress {
    int64_t total;
    int64_t n[PHASES];
} Progress;

/* A log of the set. */
typedef struct Log {
    const char *key;
    const char *etag;
    const char *live_etag; /* of the manifest of its live buffer; NULL when there is none */
    const char *task_id;
    int64_t created_us;
    const char *error; /* why it cannot be read; NULL */
    bool is_replaced;
} Log;

typedef struct Set {
    Jobs *jobs;
    const Job *job;
    Arena *arena;
    Log *logs;
    size_t n_logs;
    StatusScans scans; /* of a scan, which has no logs */
    StatusScanners scanners;
    bool is_running; /* somebody may be writing */
    Reasons reasons;
    StatusLive *lives; /* of all its processes, sorted by uuid */
    size_t n_lives;
    size_t n_shown;
    Progress progress;
} Set;

/* ---- which files ---- */

static int each_log(void *context, const char *key, const StoreStat *stat, Error *err)
{
    (void)err;
    Set *set = context;
    Str name = str_of(key);
    if (!str_ends(name, STR(".eval")) || str_ends(name, STR(".fast.eval")) ||
        set->n_logs == LOGS_MAX)
        return 0;
    if (!set->logs)
        set->logs = arena_array(set->arena, LOGS_MAX, sizeof(*set->logs));
    set->logs[set->n_logs++] = (Log){
        .key = arena_strdup(set->arena, key),
        .etag = arena_strdup(set->arena, stat->etag),
    };
    return 0;
}

/* Buffers matter only while somebody writes. */
static void look_for_live(const Set *set, Log *log)
{
    auto_error Error err = ERROR_INIT;
    auto_free char *key = status_samples_live_key(log->key, "manifest.json");
    StoreStat stat;
    if (set->is_running && store_stat(set->jobs->options.store, key, &stat, &err) == 0)
        log->live_etag = arena_strdup(set->arena, stat.etag);
}

static int list_logs(Set *set, Error *err)
{
    auto_free char *prefix = mem_printf("evals/%s", set->job->job_id);
    if (store_list(set->jobs->options.store, prefix, false, each_log, set, err) < 0)
        return -1;
    for (size_t i = 0; i < set->n_logs; i++)
        look_for_live(set, &set->logs[i]);
    return 0;
}

/* ---- the etag ---- */

static void hash_text(EVP_MD_CTX *hash, const char *text)
{
    /* With its NUL, so that neighbours cannot be confused. */
    if (EVP_DigestUpdate(hash, text ? text : "", text ? strlen(text) + 1 : 1) != 1)
        abort();
}

static void hash_number(EVP_MD_CTX *hash, int64_t number)
{
    if (EVP_DigestUpdate(hash, &number, sizeof(number)) != 1)
        abort();
}

static void make_etag(const Set *set, const ExecutorState *state, const JobsImports *imports,
                      size_t n_live, bool is_owner, char etag[STATUS_ETAG_MAX])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
        abort();
    hash_text(hash, set->job->job_id);
    hash_number(hash, set->job->updated_us);
    hash_number(hash, set->job->state);
    hash_number(hash, is_owner);
    hash_number(hash, state->life);
    hash_text(hash, state->phase);
    hash_text(hash, state->phase_detail);
    /* Without the texts, in which ages grow. */
    for (size_t i = 0; i < set->reasons.n; i++) {
        hash_text(hash, set->reasons.items[i].code);
        hash_number(hash, set->reasons.items[i].n);
        hash_number(hash, set->reasons.items[i].since_us);
    }
    hash_number(hash, set->reasons.is_frozen);
    hash_number(hash, imports->importing);
    hash_number(hash, imports->failed);
    hash_number(hash, set->job->state == JOB_QUEUED ? (int64_t)n_live : 0);
    for (size_t i = 0; i < set->n_logs; i++) {
        hash_text(hash, set->logs[i].key);
        hash_text(hash, set->logs[i].etag);
        hash_text(hash, set->logs[i].live_etag);
    }
    for (size_t i = 0; i < set->scans.n; i++) {
        hash_text(hash, set->scans.keys[i]);
        hash_text(hash, set->scans.marks[i]);
    }
    if (EVP_DigestFinal_ex(hash, bytes, NULL) != 1)
        abort();
    EVP_MD_CTX_free(hash);
    size_t n = 0;
    etag[n++] = '"';
    for (size_t i = 0; i < 16; i++)
        n += (size_t)snprintf(etag + n, STATUS_ETAG_MAX - n, "%02x", bytes[i]);
    etag[n++] = '"';
    etag[n] = '\0';
}

/* ---- what runs ---- */

static void add_lives(void *context, const Json *task, const Json *live)
{
    Set *set = context;
    const Json *list = json_get(live, "samples");
    (void)task;
    for (const Json *item = list ? list->first : NULL; item && set->n_lives < LIVES_MAX;
         item = item->next)
        set->lives[set->n_lives++] = (StatusLive){
            .log = json_text(item, "log", STR_NONE),
            .id = json_text(item, "id", STR_NONE),
            .epoch = json_int(item, "epoch", 1),
            .uuid = json_text(item, "uuid", STR_NONE),
            .phase = status_samples_phase(json_text(item, "phase", STR_NONE)),
        };
}

static void read_lives(Set *set)
{
    if (set->job->type != JOB_EVAL_SET || set->job->state != JOB_RUNNING)
        return;
    set->lives = arena_array(set->arena, LIVES_MAX, sizeof(*set->lives));
    reasons_priv_each_live(set->jobs, set->job, &set->reasons, add_lives, set);
    qsort(set->lives, set->n_lives, sizeof(*set->lives), status_samples_compare_live);
}

/* ---- reading logs ---- */

static int open_log(const Set *set, const char *key, EvalLog **ret, Error *err)
{
    auto_source Source *source = NULL;
    if (store_source(set->jobs->options.store, key, &source, err) < 0 ||
        evallog_open(source, ret, err) < 0)
        return -1;
    (void)TAKE(source);
    return 0;
}

static void read_head(Set *set, Log *log)
{
    auto_error Error err = ERROR_INIT;
    auto_evallog EvalLog *opened = NULL;
    const EvalLogHeader *header = NULL;
    if (open_log(set, log->key, &opened, &err) < 0 || evallog_header(opened, &header, &err) < 0) {
        log->error = arena_strdup(set->arena, error_text(&err));
        return;
    }
    log->task_id =
        arena_strndup(set->arena, header->task_id.p ? header->task_id.p : "", header->task_id.n);
    log->created_us = header->created_us;
}

/* Whether b goes on from a. Inspect makes a log of one that was not finished, with what its buffer
   had, which has another name and is as old. */
static bool is_newer(const Log *b, const Log *a)
{
    if (a->created_us != b->created_us)
        return b->created_us > a->created_us;
    return strstr(b->key, "-recovered.eval") != NULL;
}

/* Of several logs of one task the latest counts: the others are of attempts that were tried again.
 */
static void leave_out_replaced(Set *set)
{
    for (size_t i = 0; i < set->n_logs; i++)
        read_head(set, &set->logs[i]);
    for (size_t i = 0; i < set->n_logs; i++)
        for (size_t k = 0; k < i; k++) {
            Log *a = &set->logs[k];
            Log *b = &set->logs[i];
            if (a->error || b->error || a->is_replaced || strcmp(a->task_id, b->task_id) != 0)
                continue;
            (is_newer(b, a) ? a : b)->is_replaced = true;
        }
}

/* ---- writing ---- */

static void write_progress(const Progress *progress, JsonOut *out)
{
    json_out_kv_object(out, "progress");
    json_out_kv_int(out, "total", progress->total);
    json_out_kv_int(out, "completed", progress->n[PHASE_COMPLETED]);
    int64_t n_running = 0;
    for (int i = PHASE_INIT; i <= PHASE_AWAITING; i++)
        n_running += progress->n[i];
    json_out_kv_int(out, "running", n_running);
    json_out_kv_int(out, "errored", progress->n[PHASE_ERRORED]);
    json_out_kv_int(out, "canceled", progress->n[PHASE_CANCELED]);
    json_out_kv_int(out, "limit", progress->n[PHASE_LIMIT]);
    json_out_kv_int(out, "waiting", progress->n[PHASE_WAITING]);
    json_out_end_object(out);
}

/* Whether a process writes to a log that is not finished: it was begun in this attempt, and not
   before the process of its task was. Logs know the second in which they were begun. */
static bool is_written(const Set *set, const EvalLogHeader *header)
{
    const Job *job = set->job;
    bool is_known = false;
    if ((job->state != JOB_RUNNING && job->state != JOB_STOPPING) ||
        header->created_us < job->started_us - CLOCK_SECOND)
        return false;
    const Json *tasks = set->reasons.tasks;
    for (const Json *task = tasks ? tasks->first : NULL; task; task = task->next) {
        int64_t since_us = 0;
        if (!str_eq(json_text(task, "name", STR_NONE), header->task))
            continue;
        is_known = true;
        if (str_eqz(json_text(task, "state", STR_NONE), "running") &&
            clock_parse(json_text(task, "since", STR("")), &since_us) == 0 &&
            header->created_us >= since_us - CLOCK_SECOND)
            return true;
    }
    return !is_known;
}

/* StatusSamples times epochs: the results know, else the ids of the samples that were chosen, else
 * the dataset. */
static int64_t count_total(Arena *arena, const EvalLogHeader *header)
{
    if (header->total_samples > 0)
        return header->total_samples;
    const Json *dataset = json_get(status_samples_parse(arena, header->eval_raw), "dataset");
    const Json *ids = json_get(dataset, "sample_ids");
    int64_t n = ids && ids->type == JSON_ARRAY ? (int64_t)ids->n : header->dataset_samples;
    int64_t epochs = header->epochs > 0 ? header->epochs : 1;
    return n > 0 && n < INT32_MAX && epochs < INT32_MAX ? n * epochs : 0;
}

static void count_phases(const StatusSamples *samples, int64_t total, bool goes_on, Progress *ret)
{
    *ret = (Progress){.total = total};
    for (size_t i = 0; i < samples->n; i++)
        ret->n[samples->items[i].phase]++;
    if (ret->total < (int64_t)samples->n)
        ret->total = (int64_t)samples->n;
    ret->n[goes_on ? PHASE_WAITING : PHASE_CANCELED] += ret->total - (int64_t)samples->n;
}

/* Those that are not done first, for they are what one looks for. */
static void write_samples(Set *set, const StatusSamples *samples, JsonOut *out)
{
    json_out_kv_array(out, "samples");
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < samples->n && set->n_shown < SAMPLES_SHOWN_MAX; i++) {
            bool is_done = samples->items[i].phase == PHASE_COMPLETED;
            if (is_done != (pass == 1))
                continue;
            status_samples_write(&samples->items[i], out);
            set->n_shown++;
        }
    json_out_end_array(out);
}

static void add_progress(Progress *sum, const Progress *more)
{
    sum->total += more->total;
    for (int i = 0; i < PHASES; i++)
        sum->n[i] += more->n[i];
}

static int write_task(Set *set, Log *log, JsonOut *out, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_evallog EvalLog *opened = NULL;
    const EvalLogHeader *header = NULL;
    StatusSamples samples = {0};
    Progress progress;
    if (open_log(set, log->key, &opened, err) < 0 || evallog_header(opened, &header, err) < 0)
        return -1;
    bool goes_on = set->is_running && header->status == EVALLOG_STARTED;
    bool is_live = goes_on && is_written(set, header);
    const StatusSource source = {.store = set->jobs->options.store,
                                 .key = log->key,
                                 .live_etag = log->live_etag,
                                 .created_us = header->created_us,
                                 .is_live = is_live,
                                 .is_lost = goes_on && !is_live};
    if (status_samples_read(&source, opened, arena, &samples, err) < 0)
        return -1;
    if (is_live)
        status_samples_refine(&samples, str_of(strrchr(log->key, '/') + 1), set->lives,
                              set->n_lives);
    count_phases(&samples, count_total(arena, header), goes_on, &progress);
    add_progress(&set->progress, &progress);
    size_t package = (size_t)(str_rfind(header->task, '/') + 1);
    json_out_object(out);
    json_out_kv_str(out, "task_name", str_slice(header->task, package, header->task.n));
    json_out_kv_str(out, "task_id", header->task_id);
    json_out_kv_str(out, "model", header->model);
    json_out_key(out, STR("task_args"));
    json_out_node(out, header->task_args.n <= ARGS_MAX
                           ? status_samples_parse(arena, header->task_args)
                           : NULL);
    json_out_kvz(out, "log_file", strrchr(log->key, '/') + 1);
    json_out_kvz(out, "eval_status", evallog_status_name(header->status));
    json_out_kv_bool(out, "live", is_live);
    if (header->status == EVALLOG_STARTED && !goes_on)
        json_out_kvz(out, "trouble_reason", "its log was not finished");
    else
        json_out_kv_str(out, "trouble_reason", header->error_message);
    write_progress(&progress, out);
    write_samples(set, &samples, out);
    json_out_end_object(out);
    return 0;
}

/* A scanner as a task, transcripts as its samples. */
static void write_scanner(Set *set, const StatusScanner *scanner, JsonOut *out)
{
    auto_arena Arena *arena = arena_new();
    const int64_t left = scanner->n_transcripts - scanner->n_scans;
    Progress progress = {.total = left > 0 ? scanner->n_transcripts : scanner->n_scans};
    const int64_t n_good = scanner->n_scans - scanner->n_errors;
    progress.n[PHASE_ERRORED] = scanner->n_errors;
    progress.n[PHASE_COMPLETED] = n_good > 0 ? n_good : 0;
    progress.n[set->is_running ? PHASE_WAITING : PHASE_CANCELED] = left > 0 ? left : 0;
    add_progress(&set->progress, &progress);
    json_out_object(out);
    json_out_kvz(out, "task_name", scanner->name);
    json_out_kvz(out, "task_id", scanner->scan_id);
    json_out_kvz(out, "model", scanner->model);
    json_out_kv_null(out, "task_args");
    json_out_kvz(out, "log_file",
                 arena_printf(arena, "scan_id=%s/%s.parquet", scanner->scan_id, scanner->name));
    json_out_kvz(out, "eval_status", scanner->is_complete ? "success" : "started");
    json_out_kv_bool(out, "live", set->is_running && !scanner->is_complete);
    json_out_kv_null(out, "trouble_reason");
    json_out_kv_int(out, "results", scanner->n_results);
    write_progress(&progress, out);
    json_out_kv_array(out, "samples");
    json_out_end_array(out);
    json_out_end_object(out);
}

static void write_tasks(Set *set, JsonOut *out)
{
    json_out_kv_array(out, "tasks");
    for (size_t i = 0; i < set->scanners.n; i++)
        write_scanner(set, &set->scanners.items[i], out);
    for (size_t i = 0; i < set->n_logs; i++) {
        Log *log = &set->logs[i];
        auto_error Error err = ERROR_INIT;
        if (!log->error && !log->is_replaced && write_task(set, log, out, &err) < 0)
            log->error = arena_strdup(set->arena, error_text(&err));
    }
    json_out_end_array(out);
    write_progress(&set->progress, out);
    json_out_kv_array(out, "waiting_samples");
    reasons_write_waiting(set->jobs, set->job, &set->reasons, out);
    json_out_end_array(out);
    json_out_kv_object(out, "errors");
    for (size_t i = 0; i < set->n_logs; i++)
        if (set->logs[i].error)
            json_out_kvz(out, set->logs[i].key + strlen("evals/"), set->logs[i].error);
    json_out_end_object(out);
}

static int write_set(Set *set, const ExecutorState *state, const JobsImports *imports,
                     bool is_owner, Buf *data, Error *err)
{
    const Job *job = set->job;
    JsonOut out;
    json_out_init(&out, data, 0);
    json_out_object(&out);
    json_out_kvz(&out, "job_id", job->job_id);
    json_out_kvz(&out, "job_type", job->type == JOB_SCAN ? "scan" : "eval_set");
    json_out_kvz(&out, "status", job_status_name(status_priv_now(job, imports, &set->reasons)));
    json_out_kv_int(&out, "pending_interactions", set->reasons.n_approval);
    json_out_kvz(&out, "created_by", job->created_by);
    json_out_kv_bool(&out, "is_owner_or_admin", is_owner);
    json_out_kvz(&out, "trouble_reason",
                 status_priv_trouble(set->arena, job, imports, &set->reasons));
    json_out_key(&out, STR("pods"));
    status_priv_pods(set->jobs, job, state, &out);
    json_out_kv_null(&out, "metrics");
    json_out_key(&out, STR("admission"));
    status_priv_admission(set->jobs, job, &out);
    leave_out_replaced(set);
    status_scan_read(set->jobs, job, &set->scans, set->arena, &set->scanners);
    read_lives(set);
    write_tasks(set, &out);
    json_out_end_object(&out);
    return buf_check(data, "the status", err);
}

int status_write_eval_set(Jobs *jobs, const Job *job, const Caller *caller, Str known_etag,
                          Buf *data, StatusTag *ret, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Executor *executor = jobs->options.executor;
    Set set = {
        .jobs = jobs, .job = job, .arena = arena, .is_running = !job_state_is_over(job->state)};
    const AccessResource about = {.owner = job->created_by};
    bool is_owner = access_may(caller, ACCESS_JOB_CONTROL, &about);
    JobsImports imports;
    ExecutorState state;
    StatusTag tag = {0};
    size_t n_live = 0;
    size_t n_running = 0;
    if (status_priv_imports(jobs, arena, job, &imports, err) < 0 ||
        (job->type == JOB_SCAN ? status_scan_find(jobs, job, arena, &set.scans, err)
                               : list_logs(&set, err)) < 0)
        return -1;
    executor->probe(executor, arena, job->job_id, job->attempt, &state);
    reasons_look(jobs, job, arena, &set.reasons);
    jobs_load(jobs, &n_live, &n_running);
    make_etag(&set, &state, &imports, n_live, is_owner, tag.etag);
    tag.is_terminal = job_status_is_terminal(job_status_of(job, &imports));
    tag.is_unchanged = known_etag.p && str_eqz(known_etag, tag.etag);
    if (!tag.is_unchanged && write_set(&set, &state, &imports, is_owner, data, err) < 0)
        return -1;
    *ret = tag;
    return 0;
}
