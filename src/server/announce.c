/* Notices about jobs. */

#include "server/announce.h"

#include <inttypes.h>

#include "base/clock.h"
#include "codec/json_out.h"
#include "server/server_priv.h"

enum { DATA_MAX = 8 << 10, REASON_SHOWN_MAX = 1000 };

/* Where the job is shown; NULL for jobs that end before it is known where this server listens. */
static const char *page_of(const App *app, const Job *job, Arena *arena)
{
    const char *base = server_viewer_url(app);
    return base ? arena_printf(arena, "%s/%s/%s", base, job_type_name(job->type), job->job_id)
                : NULL;
}

static Str shown_reason(const Job *job)
{
    Str reason = str_of(job->reason);
    return reason.n > REASON_SHOWN_MAX
               ? str_slice(reason, 0, str_utf8_prefix(str_slice(reason, 0, REASON_SHOWN_MAX)))
               : reason;
}

static void write_data(const Job *job, const char *page, Buf *ret)
{
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_out_kvz(&out, "job_id", job->job_id);
    json_out_kvz(&out, "job_type", job_type_name(job->type));
    json_out_kv_int(&out, "attempt", job->attempt);
    json_out_kvz(&out, "state", job_state_name(job->state));
    json_out_kvz(&out, "reason_code", job->reason_code);
    json_out_kv_str(&out, "reason", shown_reason(job));
    json_out_kvz(&out, "created_by", job->created_by);
    json_out_kv_time(&out, "created_at", job->created_us);
    json_out_kv_time(&out, "finished_at", job->finished_us);
    json_out_kvz(&out, "url", page);
    json_out_end_object(&out);
}

int announce_job(void *context, SqlTx *tx, const Job *job, Error *err)
{
    App *app = context;
    auto_arena Arena *arena = arena_new();
    auto_buf Buf data = BUF_INIT(DATA_MAX);
    if (!app->notices || !job_state_is_over(job->state))
        return 0;
    const char *page = page_of(app, job, arena);
    write_data(job, page, &data);
    const Notice notice = {
        .key = arena_printf(arena, "%s %" PRId64 " over", job->job_id, job->attempt),
        .type = arena_printf(arena, "job.%s", job_state_name(job->state)),
        .text = arena_printf(arena, "%s %s: %.*s%s%s", job->job_id, job_state_name(job->state),
                             STR_ARG(shown_reason(job)), page ? " " : "", page ? page : ""),
        .data = buf_str(&data),
        .now_us = clock_now_us(),
    };
    if (notices_add(app->notices, tx, &notice, err) < 0)
        return -1;
    /* Its thread waits for this transaction's lock before it looks. */
    notices_wake(app->notices);
    return 0;
}
