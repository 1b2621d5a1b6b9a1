/* One look at each job: troubles while it runs, unfinished logs and failed imports once it is over.
 */

#include "jobs/doctor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "jobs/jobs_priv.h"
#include "jobs/reasons.h"
#include "jobs/status_priv.h"
#include "jobs/unfinished.h"

enum { DISK_LEFT_PERCENT = 5, MEGABYTE = 1 << 20 };

typedef struct Finding {
    const char *what;
    const char *job_id; /* NULL: of no job */
    const char *text;
    int64_t since_us; /* 0: not known */
    const char *fix;
} Finding;

static void write_finding(const Finding *finding, JsonOut *out)
{
    json_out_object(out);
    json_out_kvz(out, "what", finding->what);
    json_out_kvz(out, "job_id", finding->job_id);
    json_out_kvz(out, "text", finding->text);
    if (finding->since_us)
        json_out_kv_time(out, "since", finding->since_us);
    else
        json_out_kv_null(out, "since");
    json_out_kvz(out, "fix", finding->fix);
    json_out_end_object(out);
}

/* clang-format off */
/* What to do about troubles of a run that goes on; about others, STOP. %s is the job. */
static const struct {
    const char *code;
    const char *fix;
} fixes[] = {
    { "task.failed",        "run what failed again with: hawk retry %s" },
    { "task.given_up",      "run what failed again with: hawk retry %s" },
    { "task.died",          "nothing yet: it was started again" },
    { "task.out_of_memory", "nothing yet: it was started again; if it dies again, set max_samples lower" },
    { "pool.died",          "nothing yet: they were started again" },
    { "run.retrying",       "nothing yet: it is started again" },
};
#define STOP "if it does not pass, end it with: hawk stop %s --within 5m"
/* clang-format on */

static const char *fix_of(Arena *arena, const Job *job, const Reason *reason)
{
    const char *fix = STOP;
    for (size_t i = 0; i < ARRAY_LEN(fixes); i++)
        if (strcmp(fixes[i].code, reason->code) == 0)
            fix = fixes[i].fix;
    const char *place = strstr(fix, "%s");
    if (!place)
        return fix;
    return arena_printf(arena, "%.*s%s%s", (int)(place - fix), fix, job->job_id, place + 2);
}

static void look_at_running(Jobs *jobs, const Job *job, Arena *arena, JsonOut *out)
{
    Reasons reasons;
    reasons_look(jobs, job, arena, &reasons);
    for (size_t i = 0; i < reasons.n; i++)
        if (reasons.items[i].is_trouble)
            write_finding(&(Finding){.what = reasons.items[i].code,
                                     .job_id = job->job_id,
                                     .text = reasons.items[i].text,
                                     .since_us = reasons.items[i].since_us,
                                     .fix = fix_of(arena, job, &reasons.items[i])},
                          out);
}

static int look_at_logs(Jobs *jobs, const Job *job, Arena *arena, JsonOut *out, Error *err)
{
    Unfinished found;
    if (unfinished_list(jobs, arena, job->job_id, &found, err) < 0)
        return -1;
    for (size_t i = 0; i < found.n; i++) {
        const UnfinishedLog *log = &found.items[i];
        if (log->is_replaced && !log->error)
            continue;
        write_finding(
            &(Finding){
                .what = log->error ? "log.unreadable" : "log.unfinished",
                .job_id = job->job_id,
                .text = log->error ? arena_printf(arena, "the log %s cannot be read: %s", log->key,
                                                  log->error)
                                   : arena_printf(arena,
                                                  "the log %s is not finished, because its run "
                                                  "was ended by force",
                                                  log->key),
                .since_us = job->finished_us,
                .fix = arena_printf(arena, "run what is missing with: hawk eval-set resume %s",
                                    job->job_id)},
            out);
    }
    return 0;
}

static int look_at_imports(Jobs *jobs, const Job *job, Arena *arena, JsonOut *out, Error *err)
{
    JobsImports imports;
    if (status_priv_imports(jobs, arena, job, &imports, err) < 0)
        return -1;
    if (imports.scan_error)
        write_finding(&(Finding){.what = "import.failed",
                                 .job_id = job->job_id,
                                 .text = arena_printf(arena, "its results were not imported: %s",
                                                      imports.scan_error),
                                 .since_us = job->finished_us,
                                 .fix = "nothing: it is tried again when its files change"},
                      out);
    for (size_t i = 0; i < imports.n_logs; i++)
        if (imports.logs[i].error)
            write_finding(
                &(Finding){.what = "import.failed",
                           .job_id = job->job_id,
                           .text = arena_printf(arena, "%s was not imported: %s",
                                                imports.logs[i].location, imports.logs[i].error),
                           .since_us = job->finished_us,
                           .fix =
                               arena_printf(arena, "see what was tried with: hawk list imports %s",
                                            job->job_id)},
                out);
    return 0;
}

static int look_at_job(Jobs *jobs, const Job *job, JsonOut *out, Error *err)
{
    auto_arena Arena *arena = arena_new();
    if (job->deleted_us)
        return 0;
    if (!job_state_is_over(job->state)) {
        look_at_running(jobs, job, arena, out);
        return 0;
    }
    if (job->type == JOB_EVAL_SET && look_at_logs(jobs, job, arena, out, err) < 0)
        return -1;
    return look_at_imports(jobs, job, arena, out, err);
}

static void look_at_disk(Jobs *jobs, JsonOut *out)
{
    auto_arena Arena *arena = arena_new();
    Executor *executor = jobs->options.executor;
    auto_free char *folder = executor->file(executor, "..", "");
    struct statvfs disk;
    if (!folder || statvfs(folder, &disk) < 0 || disk.f_blocks == 0 ||
        disk.f_bavail * 100 / disk.f_blocks >= DISK_LEFT_PERCENT)
        return;
    write_finding(&(Finding){.what = "disk.full",
                             .text = arena_printf(
                                 arena, "the disk of the data folder has %llu MB left",
                                 (unsigned long long)(disk.f_bavail * disk.f_frsize / MEGABYTE)),
                             .fix = "make room: runs fail when it is full"},
                  out);
}

int doctor_write(Jobs *jobs, const Caller *caller, JsonOut *out, Error *err)
{
    auto_arena Arena *arena = arena_new();
    const JobsQuery query = {.page = 1, .limit = DOCTOR_JOBS_MAX};
    JobsList list;
    if (jobs_list(jobs, caller, &query, arena, &list, err) < 0)
        return -1;
    json_out_object(out);
    json_out_kv_array(out, "findings");
    look_at_disk(jobs, out);
    for (size_t i = 0; i < list.n; i++)
        if (look_at_job(jobs, &list.items[i].job, out, err) < 0)
            return -1;
    json_out_end_array(out);
    json_out_kv_int(out, "jobs", (int64_t)list.n);
    json_out_end_object(out);
    return 0;
}
