/* Notices about jobs: when they move, in the transaction of the move; and when a running one gets
   into a state in which somebody is wanted, as a thread sees it. */

#include "server/announce.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/looper.h"
#include "base/mem.h"
#include "codec/json_out.h"
#include "jobs/reasons.h"
#include "server/server_priv.h"

enum {
    DATA_MAX = 8 << 10,
    TEXT_SHOWN_MAX = 1000,
    LOOK_MS = 5000,
    JOBS_MAX = 500,
    STANDING_MAX = 4 * JOBS_MAX,
};

/* What is told: of a job that has moved its own reason, else one that was found. */
typedef struct News {
    const char *type;
    const char *code;
    const char *text;
    const char *key; /* which of the job's changes it is */
} News;

bool announce_is_type(Str type)
{
    Str rest = STR(ANNOUNCE_TYPES);
    Str word = STR_NONE;
    while (str_split(&rest, ' ', &word))
        if (str_eq(word, type))
            return true;
    return false;
}

/* Where the job is shown; NULL for jobs that end before it is known where this server listens. */
static const char *page_of(const App *app, const Job *job, Arena *arena)
{
    const char *base = server_viewer_url(app);
    return base ? arena_printf(arena, "%s/%s/%s", base, job_type_name(job->type), job->job_id)
                : NULL;
}

static Str shown(const char *text)
{
    Str all = str_of(text);
    return all.n > TEXT_SHOWN_MAX
               ? str_slice(all, 0, str_utf8_prefix(str_slice(all, 0, TEXT_SHOWN_MAX)))
               : all;
}

static void write_data(const Job *job, const News *news, const char *page, Buf *ret)
{
    JsonOut out;
    json_out_init(&out, ret, 0);
    json_out_object(&out);
    json_out_kvz(&out, "job_id", job->job_id);
    json_out_kvz(&out, "job_type", job_type_name(job->type));
    json_out_kv_int(&out, "attempt", job->attempt);
    json_out_kvz(&out, "state", job_state_name(job->state));
    json_out_kvz(&out, "reason_code", news->code);
    json_out_kv_str(&out, "reason", shown(news->text));
    json_out_kvz(&out, "created_by", job->created_by);
    json_out_kv_time(&out, "created_at", job->created_us);
    if (job->finished_us)
        json_out_kv_time(&out, "finished_at", job->finished_us);
    else
        json_out_kv_null(&out, "finished_at");
    json_out_kvz(&out, "url", page);
    json_out_end_object(&out);
}

static int tell(App *app, SqlTx *tx, const Job *job, const News *news, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_buf Buf data = BUF_INIT(DATA_MAX);
    const char *page = page_of(app, job, arena);
    write_data(job, news, page, &data);
    const Notice notice = {
        .key = arena_printf(arena, "%s %" PRId64 " %s", job->job_id, job->attempt, news->key),
        .type = news->type,
        .text = arena_printf(arena, "%s %s: %.*s%s%s", job->job_id, job_state_name(job->state),
                             STR_ARG(shown(news->text)), page ? " " : "", page ? page : ""),
        .data = buf_str(&data),
        .now_us = clock_now_us(),
    };
    return notices_add(app->notices, tx, &notice, err);
}

int announce_job(void *context, SqlTx *tx, const Job *job, Error *err)
{
    App *app = context;
    auto_arena Arena *arena = arena_new();
    bool is_retry = strcmp(job->reason_code, JOBS_RETRYING) == 0;
    if (!app->notices || !(is_retry || job_state_is_over(job->state)))
        return 0;
    const News news = {.type = is_retry ? "job.retrying"
                                        : arena_printf(arena, "job.%s", job_state_name(job->state)),
                       .code = job->reason_code,
                       .text = job->reason,
                       .key = is_retry ? "retrying" : "over"};
    if (tell(app, tx, job, &news, err) < 0)
        return -1;
    /* Its thread waits for this transaction's lock before it looks. */
    notices_wake(app->notices);
    return 0;
}

/* ---- running jobs ---- */

/* Reasons in which somebody is wanted. */
static const struct {
    const char *code;
    const char *type;
} wanted[] = {
    {"approval.waiting", "job.approval"},
    {"progress.none", "job.no_progress"},
    {"worker.frozen", "job.no_progress"},
    {"worker.blocked", "job.no_progress"},
};

/* What is the case, so that it is told when it begins and not as long as it lasts. */
typedef struct Standing {
    Arena *arena;
    const char *keys[STANDING_MAX];
    size_t n;
} Standing;

struct Announcer {
    App *app;
    Standing before;
    Standing now;
    Looper *looper;
};

static bool has_key(const Standing *standing, const char *key)
{
    for (size_t i = 0; i < standing->n; i++)
        if (strcmp(standing->keys[i], key) == 0)
            return true;
    return false;
}

static int tell_begun(App *app, const Job *job, const Reason *reason, const char *type, Error *err)
{
    auto_sql_tx SqlTx *tx = NULL;
    auto_arena Arena *arena = arena_new();
    /* A server that has just started sees what another has told of: it has the same beginning. */
    const News news = {.type = type,
                       .code = reason->code,
                       .text = reason->text,
                       .key = arena_printf(arena, "%s %" PRId64, reason->code, reason->since_us)};
    if (sql_begin(app->sql, SQL_WRITE, &tx, err) < 0 || tell(app, tx, job, &news, err) < 0)
        return -1;
    return sql_commit(TAKE(tx), err);
}

static int look_at(Announcer *announcer, const Job *job, const Reason *reason, Error *err)
{
    Standing *now = &announcer->now;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (strcmp(wanted[i].code, reason->code) != 0)
            continue;
        const char *key = arena_printf(now->arena, "%s %" PRId64 " %s", job->job_id, job->attempt,
                                       wanted[i].type);
        if (has_key(now, key) || now->n == STANDING_MAX)
            return 0;
        if (!has_key(&announcer->before, key) &&
            tell_begun(announcer->app, job, reason, wanted[i].type, err) < 0)
            return -1;
        now->keys[now->n++] = key;
        return 0;
    }
    return 0;
}

static int look_at_running(Announcer *announcer, Error *err)
{
    static const Caller everybody = {.sub = "notices", .is_admin = true, .sees_all = true};
    const JobsQuery query = {.status = STR("running"), .page = 1, .limit = JOBS_MAX};
    auto_arena Arena *arena = arena_new();
    JobsList list = {0};
    if (jobs_list(announcer->app->jobs, &everybody, &query, arena, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.n; i++) {
        Reasons reasons;
        reasons_look(announcer->app->jobs, &list.items[i].job, arena, &reasons);
        for (size_t k = 0; k < reasons.n; k++)
            if (look_at(announcer, &list.items[i].job, &reasons.items[k], err) < 0)
                return -1;
    }
    return 0;
}

static void watch(void *context, Looper *looper)
{
    Announcer *announcer = context;
    while (looper_wait(looper, LOOK_MS)) {
        auto_error Error err = ERROR_INIT;
        if (look_at_running(announcer, &err) < 0)
            log_warn("notice.not_looked", KV("error", error_text(&err)));
        Standing spare = announcer->before;
        announcer->before = announcer->now;
        announcer->now = (Standing){.arena = spare.arena};
        arena_reset(announcer->now.arena);
    }
}

int announcer_start(App *app, Announcer **ret, Error *err)
{
    Announcer *announcer = mem_alloc(sizeof(*announcer));
    *announcer =
        (Announcer){.app = app, .before = {.arena = arena_new()}, .now = {.arena = arena_new()}};
    *ret = announcer;
    return looper_start(watch, announcer, &announcer->looper, err);
}

void announcer_stop(Announcer *announcer)
{
    if (!announcer)
        return;
    looper_stop(announcer->looper);
    arena_free(announcer->before.arena);
    arena_free(announcer->now.arena);
    free(announcer);
}
