/* /jobs/self: what a job's own processes ask, with the token of the job. */

#include "server/routes.h"

#include "jobs/jobs.h"
#include "server/server_priv.h"

enum { ANSWER_MAX = 256 << 10 };

static void send_self(RouteCtx *ctx, const JobsSelf *self)
{
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    const Job *job = &self->job;
    JsonOut out;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kvz(&out, "job_id", job->job_id);
    json_out_kvz(&out, "job_type", job_type_name(job->type));
    json_out_kv_int(&out, "attempt", job->attempt);
    json_out_kvz(&out, "state", job_state_name(job->state));
    json_out_kvz(&out, "created_by", job->created_by);
    json_out_kv_array(&out, "model_groups");
    for (size_t i = 0; i < job->n_model_groups; i++)
        json_out_str(&out, job->model_groups[i]);
    json_out_end_array(&out);
    json_out_kv_time(&out, "token_expires_at", self->expires_us);
    json_out_kv_int(&out, "token_seconds", self->token_seconds);
    json_out_end_object(&out);
    route_send_json(ctx, &answer);
}

static int job_self(RouteCtx *ctx, Error *err)
{
    (void)err;
    send_self(ctx, ctx->self);
    return 0;
}

static int job_renew(RouteCtx *ctx, Error *err)
{
    JobsSelf self = *ctx->self;
    if (jobs_renew(ctx->app->jobs, &self, err) < 0)
        return -1;
    send_self(ctx, &self);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "JobSelf", "job_id: str; job_type: 'eval-set' | 'scan'; attempt: int; state: str; created_by: str; model_groups: str[];"
                 " token_expires_at: time; token_seconds: int" },
};

static const Route rows[] = {
    { "GET",  "/jobs/self",       ROUTE_JOB, job_self,  "the job whose token asks", .answer = "JobSelf" },
    { "POST", "/jobs/self/renew", ROUTE_JOB, job_renew, "move the end of the job's token on", .answer = "JobSelf" },
};
/* clang-format on */

const RouteTable routes_jobs = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
