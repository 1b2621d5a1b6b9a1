/* /monitoring/jobs/{id}/stacktrace: where the tasks of a running eval set are. The workers tell it
   themselves, about once a second, so the answer is waited for; of their asyncio tasks they know
   too, which a look from outside does not show. */

#include "server/routes.h"

#include <time.h>

#include "base/clock.h"
#include "codec/json.h"
#include "jobs/jobs.h"
#include "jobs/reasons.h"
#include "server/server_priv.h"

enum {
    ANSWER_MAX = 64 << 20,
    PAUSE_MS = 200,
    WAIT_MS = 20000,
    OTHERS_MS = 3000, /* for further tasks, once one has answered */
    WAITING_MAX = 4,  /* requests that wait, so that they leave threads to others */
};

/* Tasks that have answered so far; NULL when the answers cannot be read. */
static const Json *read_answers(RouteCtx *ctx, Arena *arena, const Job *job, const char *command,
                                bool *ret_are_all)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    auto_error Error ignored = ERROR_INIT;
    JsonOut out;
    Json *root = NULL;
    json_out_init(&out, &body, 0);
    reasons_write_answers(ctx->app->jobs, job, str_of(command), &out);
    if (buf_check(&body, "the answers", &ignored) < 0 ||
        json_parse(arena, arena_str(arena, buf_str(&body)), &json_limits_config, &root, &ignored) <
            0)
        return NULL;
    *ret_are_all = json_int(root, "waiting", 0) == 0;
    return json_get(root, "answers");
}

static int wait_for_answers(RouteCtx *ctx, const Job *job, const char *command, const Json **ret,
                            Error *err)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    auto_arena Arena *round = arena_new();
    int64_t deadline_ms = clock_monotonic_ms() + WAIT_MS;
    bool has_some = false;
    for (;;) {
        bool are_all = false;
        arena_reset(round);
        const Json *answers = read_answers(ctx, round, job, command, &are_all);
        int64_t now_ms = clock_monotonic_ms();
        bool is_first = answers && answers->first && !has_some;
        if (is_first && now_ms + OTHERS_MS < deadline_ms)
            deadline_ms = now_ms + OTHERS_MS;
        has_some = has_some || is_first;
        if (has_some && (are_all || now_ms >= deadline_ms)) {
            *ret = read_answers(ctx, ctx->arena, job, command, &are_all);
            return *ret ? 0 : error_set(err, ERR_BAD_DATA, "the answers cannot be read");
        }
        if (now_ms >= deadline_ms)
            return error_set(err, ERR_TIMEOUT, "no task of %s has said where it is", job->job_id);
        (void)nanosleep(&pause, NULL);
    }
}

static void add_frames(const Json *part, Buf *text)
{
    const Json *frames = json_get(part, "frames");
    for (const Json *frame = frames ? frames->first : NULL; frame; frame = frame->next)
        buf_printf(text, "    %.*s (%.*s:%lld)\n", STR_ARG(json_text(frame, "name", STR("?"))),
                   STR_ARG(json_text(frame, "filename", STR("?"))),
                   (long long)json_int(frame, "line", 0));
}

/* As py-spy prints it, with the tasks behind the threads. */
static void add_process(const Json *answer, Buf *text)
{
    const Json *process = json_get(answer, "result");
    buf_printf(text, "%sProcess %lld: %.*s\nPython v%.*s\n", text->len ? "\n" : "",
               (long long)json_int(process, "pid", 0),
               STR_ARG(json_text(answer, "task", STR("task"))),
               STR_ARG(json_text(process, "python", STR("?"))));
    const Json *threads = json_get(process, "threads");
    for (const Json *thread = threads ? threads->first : NULL; thread; thread = thread->next) {
        buf_printf(text, "\nThread %lld: \"%.*s\"\n",
                   (long long)json_int(thread, "os_thread_id", 0),
                   STR_ARG(json_text(thread, "thread_name", STR("?"))));
        add_frames(thread, text);
    }
    const Json *tasks = json_get(process, "tasks");
    for (const Json *task = tasks ? tasks->first : NULL; task; task = task->next) {
        buf_printf(text, "\nTask \"%.*s\"\n", STR_ARG(json_text(task, "name", STR("?"))));
        add_frames(task, text);
    }
}

/* Members of py-spy's JSON of a thread, of which a task has none but its name and frames. */
static void write_part(const Json *process, const Json *part, const char *name, JsonOut *out)
{
    json_out_object(out);
    json_out_kv_int(out, "pid", json_int(process, "pid", 0));
    json_out_kv_node(out, "thread_id", json_get(part, "thread_id"));
    json_out_kv_str(out, "thread_name", json_text(part, name, STR_NONE));
    json_out_kv_node(out, "os_thread_id", json_get(part, "os_thread_id"));
    json_out_kv_bool(out, "is_task", !json_get(part, "thread_id"));
    json_out_kv_node(out, "frames", json_get(part, "frames"));
    json_out_end_object(out);
}

static void write_process(const Json *answer, JsonOut *out)
{
    static const char *const lists[][2] = {{"threads", "thread_name"}, {"tasks", "name"}};
    const Json *process = json_get(answer, "result");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        const Json *parts = json_get(process, lists[i][0]);
        for (const Json *part = parts ? parts->first : NULL; part; part = part->next)
            write_part(process, part, lists[i][1], out);
    }
}

static int send_answers(RouteCtx *ctx, const Json *answers, bool as_json, Error *err)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    if (as_json)
        json_out_array(&out);
    for (const Json *answer = answers->first; answer; answer = answer->next) {
        if (as_json)
            write_process(answer, &out);
        else
            add_process(answer, &body);
    }
    if (as_json)
        json_out_end_array(&out);
    if (buf_check(&body, "the stack traces", err) < 0)
        return -1;
    http_response_buf(ctx->response, as_json ? "application/json" : "text/plain; charset=utf-8",
                      &body);
    return 0;
}

static int ask(RouteCtx *ctx, const Job *job, const Json **ret, Error *err)
{
    char command[JOBS_COMMAND_MAX] = "";
    if (jobs_ask_stacks(ctx->app->jobs, job, command, err) < 0)
        return -1;
    int result = wait_for_answers(ctx, job, command, ret, err);
    jobs_forget_command(ctx->app->jobs, job->job_id, command);
    return result;
}

/* Only so many wait at a time. */
static int ask_in_turn(RouteCtx *ctx, const Job *job, const Json **ret, Error *err)
{
    int *n_waiting = &ctx->app->n_stacks_waiting;
    int result = -1;
    if (__atomic_fetch_add(n_waiting, 1, __ATOMIC_RELAXED) < WAITING_MAX) {
        result = ask(ctx, job, ret, err);
    } else {
        (void)error_set(err, ERR_BUSY, "others are waiting for stack traces");
        (void)error_retry(err, 1);
    }
    (void)__atomic_fetch_sub(n_waiting, 1, __ATOMIC_RELAXED);
    return result;
}

static int monitoring_stacktrace(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    const Json *answers = NULL;
    Str format = http_request_param(ctx->request, "format", 0);
    bool as_json = str_eqz(format, "json");
    if (format.p && !as_json && !str_eqz(format, "text"))
        return error_set(err, ERR_BAD_DATA, "format: expected text or json");
    if (server_job_of_path(ctx, &job, err) < 0)
        return -1;
    if (str_eqz(http_request_param(ctx->request, "native", 0), "true")) {
        (void)error_set(err, ERR_USAGE, "frames of native code are not known");
        return error_fix(err, "ask without native");
    }
    if (ask_in_turn(ctx, &job, &answers, err) < 0)
        return -1;
    http_response_header(ctx->response, "X-Hawk-Stacktrace-Pod", str_of(job.job_id));
    http_response_header(ctx->response, "Cache-Control", STR("no-store"));
    return send_answers(ctx, answers, as_json, err);
}

/* clang-format off */
static const Route rows[] = {
    { "GET", "/monitoring/jobs/{job_id}/stacktrace", ROUTE_READ, monitoring_stacktrace, "where the tasks of a running eval set are",
      .query = "native: bool = false; format: 'text' | 'json' = 'text'", .answer = "text/plain; application/json" },
};
/* clang-format on */

const RouteTable routes_stacktrace = {rows, ARRAY_LEN(rows), NULL, 0};
