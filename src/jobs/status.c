/* Names of statuses, how they are derived, and the small documents: job status, monitoring data,
 * list of jobs. */

#include "jobs/status.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "jobs/status_priv.h"

typedef struct StatusRow {
    const char *name;
    bool is_terminal;
} StatusRow;

/* clang-format off */
static const StatusRow statuses[] = {
    [JOB_STATUS_PENDING]   = { "pending",              false },
    [JOB_STATUS_RUNNING]   = { "running",              false },
    [JOB_STATUS_WAITING]   = { "waiting_for_capacity", false },
    [JOB_STATUS_IMPORTING] = { "importing",            false },
    [JOB_STATUS_STUCK]     = { "stuck",                false },
    [JOB_STATUS_COMPLETE]  = { "complete",             true  },
    [JOB_STATUS_FAILED]    = { "failed",               true  },
    [JOB_STATUS_DELETED]   = { "deleted",              true  },
};
/* clang-format on */

const char *job_status_name(JobStatus status)
{
    assert((size_t)status < ARRAY_LEN(statuses));
    return statuses[status].name;
}

bool job_status_is_terminal(JobStatus status)
{
    assert((size_t)status < ARRAY_LEN(statuses));
    return statuses[status].is_terminal;
}

JobStatus job_status_of(const Job *job, const JobsImports *imports)
{
    if (job->deleted_us)
        return JOB_STATUS_DELETED;
    if (job->state == JOB_QUEUED)
        return JOB_STATUS_PENDING;
    if (!job_state_is_over(job->state))
        return JOB_STATUS_RUNNING;
    /* Logs that nobody writes any more are not "pending" for ever. */
    if (imports && imports->importing > 0)
        return JOB_STATUS_IMPORTING;
    if (job->state != JOB_COMPLETE || (imports && imports->failed > 0))
        return JOB_STATUS_FAILED;
    return JOB_STATUS_COMPLETE;
}

int status_priv_imports(Jobs *jobs, Arena *arena, const Job *job, JobsImports *ret, Error *err)
{
    const JobsHooks *hooks = &jobs->options.hooks;
    *ret = (JobsImports){0};
    return hooks->imports ? hooks->imports(hooks->context, arena, job->job_id, job->type, ret, err)
                          : 0;
}

JobStatus status_priv_now(const Job *job, const JobsImports *imports, const Reasons *reasons)
{
    JobStatus status = job_status_of(job, imports);
    return status == JOB_STATUS_RUNNING && reasons->is_frozen ? JOB_STATUS_STUCK : status;
}

const char *status_priv_trouble(Arena *arena, const Job *job, const JobsImports *imports,
                                const Reasons *reasons)
{
    if (job->state == JOB_FAILED || job->state == JOB_CANCELLED)
        return job->reason;
    for (size_t i = 0; i < reasons->n && !job_state_is_over(job->state); i++)
        if (reasons->items[i].is_trouble)
            return reasons->items[i].text;
    if (job->state != JOB_COMPLETE)
        return NULL;
    if (imports->scan_error)
        return arena_printf(arena, "its results were not imported: %s", imports->scan_error);
    for (size_t i = 0; i < imports->n_logs; i++)
        if (imports->logs[i].error)
            return arena_printf(arena, "%s was not imported: %s", imports->logs[i].location,
                                imports->logs[i].error);
    return strcmp(job->reason_code, "done") == 0 ? NULL : job->reason;
}

/* ---- parts ---- */

static const char *pod_phase(const Job *job)
{
    switch (job->state) {
    case JOB_QUEUED: return "Pending";
    case JOB_RUNNING:
    case JOB_STOPPING: return "Running";
    case JOB_COMPLETE: return "Succeeded";
    case JOB_FAILED:
    case JOB_CANCELLED:
    default: return "Failed";
    }
}

/* The runner as the one container of a pod, so that clients made for clusters show something true.
 */
void status_priv_pods(Jobs *jobs, const Job *job, const ExecutorState *state, JsonOut *out)
{
    json_out_object(out);
    json_out_kv_array(out, "pods");
    if (state->life == EXECUTOR_ALIVE) {
        auto_free char *name = mem_printf("%s-%lld", job->job_id, (long long)state->pid);
        json_out_object(out);
        json_out_kvz(out, "name", name);
        json_out_kvz(out, "namespace", jobs->options.executor->name);
        json_out_kvz(out, "phase", pod_phase(job));
        json_out_kvz(out, "component", "runner");
        json_out_kvz(out, "job_type", job_type_name(job->type));
        json_out_kv_null(out, "sample_id");
        json_out_kv_array(out, "conditions");
        json_out_end_array(out);
        json_out_kv_array(out, "container_statuses");
        json_out_object(out);
        json_out_kvz(out, "name", "runner");
        json_out_kv_bool(out, "ready", job->state == JOB_RUNNING);
        json_out_kvz(out, "state", job->state == JOB_QUEUED ? "waiting" : "running");
        json_out_kvz(out, "reason", state->phase ? state->phase : job->reason_code);
        json_out_kvz(out, "message", state->phase_detail ? state->phase_detail : job->reason);
        json_out_kv_int(out, "restart_count", job->attempt - 1);
        json_out_end_object(out);
        json_out_end_array(out);
        json_out_kv_array(out, "events");
        json_out_end_array(out);
        json_out_kv_time(out, "creation_timestamp", job->queued_us);
        json_out_kv_null(out, "pod_ip");
        json_out_end_object(out);
    }
    json_out_end_array(out);
    json_out_end_object(out);
}

size_t status_priv_queue_position(Jobs *jobs, const char *job_id, size_t *ret_n)
{
    auto_arena Arena *arena = arena_new();
    size_t n = 0;
    size_t position = 0;
    const JobsLive *live = jobs_priv_snapshot(jobs, arena, &n);
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (live[i].state != JOB_QUEUED)
            continue;
        (*ret_n)++;
        if (strcmp(live[i].job_id, job_id) == 0)
            position = *ret_n;
    }
    return position;
}

void status_priv_admission(Jobs *jobs, const Job *job, JsonOut *out)
{
    size_t n_waiting = 0;
    if (job_state_is_over(job->state)) {
        json_out_null(out);
        return;
    }
    bool is_queued = job->state == JOB_QUEUED;
    size_t position = is_queued ? status_priv_queue_position(jobs, job->job_id, &n_waiting) : 0;
    auto_free char *class = mem_printf("hawk-%s", job_priority_name(job->priority));
    bool is_retry = strcmp(job->reason_code, JOBS_RETRYING) == 0;
    auto_free char *message =
        position && !is_retry
            ? mem_printf("%s: position %zu of %zu, at most %d run at once", job->reason, position,
                         n_waiting, jobs->options.max_running)
            : mem_strdup(job->reason);
    json_out_object(out);
    json_out_kvz(out, "state", is_queued ? "queued" : "admitted");
    json_out_kvz(out, "queue", "default");
    json_out_kvz(out, "priority_class", class);
    json_out_kv_int(out, "priority", job->priority);
    json_out_kvz(out, "reason", job->reason_code);
    json_out_kvz(out, "message", message);
    json_out_kv_time(out, "queued_at", job->queued_us);
    if (job->started_us)
        json_out_kv_time(out, "admitted_at", job->started_us);
    else
        json_out_kv_null(out, "admitted_at");
    json_out_end_object(out);
}

static void write_imports(const JobsImports *imports, JsonOut *out)
{
    json_out_object(out);
    json_out_kv_int(out, "total", imports->total);
    json_out_kv_int(out, "pending", imports->pending);
    json_out_kv_int(out, "importing", imports->importing);
    json_out_kv_int(out, "success", imports->success);
    json_out_kv_int(out, "failed", imports->failed);
    json_out_kv_array(out, "details");
    for (size_t i = 0; i < imports->n_logs; i++) {
        json_out_object(out);
        json_out_kvz(out, "location", imports->logs[i].location);
        json_out_kvz(out, "status", imports->logs[i].status);
        json_out_kvz(out, "error_message", imports->logs[i].error);
        json_out_end_object(out);
    }
    json_out_end_array(out);
    json_out_end_object(out);
}

/* ---- documents ---- */

static void write_set_details(const JobsImports *imports, JsonOut *out)
{
    if (imports->total > 0) {
        json_out_key(out, STR("import_summary"));
        write_imports(imports, out);
    } else {
        json_out_kv_null(out, "import_summary");
    }
    json_out_kv_int(out, "warehouse_sample_count", imports->n_samples);
}

static void write_scan_details(const Job *job, const JobsImports *imports, JsonOut *out)
{
    json_out_kvz(out, "scan_id", imports->scan_id ? imports->scan_id : job->job_id);
    json_out_kvz(out, "scan_name", imports->scan_name);
    if (imports->scan_errors) {
        json_out_key(out, STR("errors"));
        json_out_raw(out, str_of(imports->scan_errors));
    } else {
        json_out_kv_null(out, "errors");
    }
    json_out_kv_int(out, "scanner_result_count", imports->n_results);
}

int status_write_job(Jobs *jobs, const Job *job, JsonOut *out, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Executor *executor = jobs->options.executor;
    JobsImports imports;
    ExecutorState state;
    Reasons reasons;
    if (status_priv_imports(jobs, arena, job, &imports, err) < 0)
        return -1;
    executor->probe(executor, arena, job->job_id, job->attempt, &state);
    reasons_look(jobs, job, arena, &reasons);
    json_out_object(out);
    json_out_kvz(out, "job_type", job->type == JOB_SCAN ? "scan" : "eval_set");
    json_out_kvz(out, "status", job_status_name(status_priv_now(job, &imports, &reasons)));
    json_out_kv_int(out, "pending_interactions", reasons.n_approval);
    json_out_key(out, STR("pod_status"));
    status_priv_pods(jobs, job, &state, out);
    json_out_kv_null(out, "pod_status_error");
    json_out_kv_int(out, "unschedulable_sandboxes", 0);
    json_out_key(out, STR("admission"));
    status_priv_admission(jobs, job, out);
    json_out_kv_object(out, "details");
    if (job->type == JOB_SCAN)
        write_scan_details(job, &imports, out);
    else
        write_set_details(&imports, out);
    json_out_kvz(out, "trouble_reason", status_priv_trouble(arena, job, &imports, &reasons));
    json_out_end_object(out);
    json_out_end_object(out);
    return 0;
}

int status_write_monitoring(Jobs *jobs, const Job *job, int64_t since_us, JsonOut *out, Error *err)
{
    auto_arena Arena *arena = arena_new();
    Executor *executor = jobs->options.executor;
    ExecutorState state;
    Str config = STR_NONE;
    const StatusLogQuery query = {.since_us = since_us, .is_ascending = true};
    if (jobs_config(jobs, arena, job->job_id, &config, err) < 0)
        return -1;
    executor->probe(executor, arena, job->job_id, job->attempt, &state);
    json_out_object(out);
    json_out_kvz(out, "job_id", job->job_id);
    json_out_kvz(out, "provider", executor->name);
    json_out_kv_time(out, "fetch_timestamp", clock_now_us());
    json_out_kv_time(out, "since", since_us);
    json_out_kv_object(out, "logs");
    json_out_key(out, STR("entries"));
    if (status_write_logs(jobs, job, &query, out, err) < 0)
        return -1;
    json_out_end_object(out);
    json_out_kv_object(out, "metrics");
    json_out_end_object(out);
    json_out_kv_object(out, "errors");
    if (job_state_is_over(job->state) && job->state != JOB_COMPLETE)
        json_out_kvz(out, job->reason_code, job->reason);
    json_out_end_object(out);
    json_out_kv_str(out, "user_config", config);
    json_out_key(out, STR("pod_status"));
    status_priv_pods(jobs, job, &state, out);
    json_out_kv_null(out, "performance");
    json_out_end_object(out);
    return 0;
}

static void write_item(Jobs *jobs, const JobsItem *item, JsonOut *out)
{
    json_out_object(out);
    json_out_kvz(out, "job_id", item->job.job_id);
    json_out_kvz(out, "job_type", job_type_name(item->job.type));
    json_out_kv_time(out, "created_at", item->job.created_us);
    json_out_kvz(out, "created_by", item->job.created_by);
    json_out_kvz(out, "status", item->status);
    json_out_kv_int(out, "pending_interactions", 0);
    json_out_key(out, STR("admission"));
    status_priv_admission(jobs, &item->job, out);
    json_out_end_object(out);
}

int status_write_list(Jobs *jobs, const Caller *caller, const JobsQuery *query, JsonOut *out,
                      Error *err)
{
    auto_arena Arena *arena = arena_new();
    JobsList list;
    if (jobs_list(jobs, caller, query, arena, &list, err) < 0)
        return -1;
    json_out_object(out);
    json_out_kv_array(out, "items");
    for (size_t i = 0; i < list.n; i++)
        write_item(jobs, &list.items[i], out);
    json_out_end_array(out);
    json_out_kv_int(out, "total", list.total);
    json_out_kv_int(out, "page", query->page);
    json_out_kv_int(out, "limit", query->limit);
    json_out_kv_str(out, "next_cursor", list.next);
    json_out_kv_object(out, "status_counts");
    for (size_t i = 0; i < list.n_counts; i++)
        json_out_kv_int(out, list.counts[i].status, list.counts[i].n);
    json_out_end_object(out);
    json_out_end_object(out);
    return 0;
}
