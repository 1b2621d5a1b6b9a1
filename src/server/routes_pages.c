/* What a browser sees: the list of eval sets, Inspect's viewer, and addresses that lead into it. */

#include "server/routes.h"

#include "base/clock.h"
#include "jobs/status.h"
#include "server/dist.h"
#include "server/page.h"
#include "server/server_priv.h"
#include "warehouse/queries/queries.h"

enum { PAGE_ITEMS = 50, PAGE_BYTES_MAX = 8 << 20, ANSWER_MAX = 8 << 20 };

/* --- the list --- */

static void add_cell(Buf *html, Str text)
{
    buf_addz(html, "<td>");
    page_text(html, text);
    buf_addz(html, "</td>");
}

static void add_viewer_link(RouteCtx *ctx, Buf *html, Str id)
{
    const char *encoded = route_encode(ctx->arena, id, "");
    buf_printf(html, "<td><a href=\"/viewer/?inspect_server=true&amp;log_dir=%s\"><code>", encoded);
    page_text(html, id);
    buf_addz(html, "</code></a></td>");
}

static const char *status_class(Str status)
{
    if (str_eqz(status, "complete"))
        return "good";
    return str_eqz(status, "failed") || str_eqz(status, "stuck") ? "bad" : "dim";
}

/* Status and reason of the job behind an eval set; imported sets have none. */
static void add_status(RouteCtx *ctx, Buf *html, Str id)
{
    Job job = {0};
    auto_error Error err = ERROR_INIT;
    const char *key = arena_strndup(ctx->arena, id.p, id.n);
    if (jobs_get_for(ctx->app->jobs, ctx->caller, ctx->arena, key, &job, &err) < 0) {
        buf_addz(html, "<td class=\"dim\">imported</td>");
        return;
    }
    const char *status = job_status_name(job_status_of(&job, NULL));
    buf_printf(html, "<td class=\"%s\">%s<br><span class=\"dim\">", status_class(str_of(status)),
               status);
    page_text(html, str_of(job.reason));
    buf_addz(html, "</span></td>");
}

static void add_set(RouteCtx *ctx, Buf *html, const Json *set)
{
    Str id = json_text(set, "eval_set_id", STR(""));
    buf_addz(html, "<tr>");
    add_viewer_link(ctx, html, id);
    add_status(ctx, html, id);
    buf_addz(html, "<td>");
    const Json *tasks = json_get(set, "task_names");
    for (const Json *task = tasks ? tasks->first : NULL; task; task = task->next) {
        page_text(html, task->text);
        buf_addz(html, task->next ? ", " : "");
    }
    buf_addz(html, "</td>");
    add_cell(html, json_text(set, "created_by", STR("")));
    add_cell(html, json_text(set, "latest_eval_created_at", STR("")));
    buf_addz(html, "</tr>\n");
}

/* The id of a job without logs; that of a scan leads to its results. */
static void add_job(Buf *html, const Job *job)
{
    bool is_scan = job->type == JOB_SCAN;
    buf_addz(html, "<td>");
    if (is_scan)
        buf_printf(html, "<a href=\"/scan/%s\">", job->job_id);
    buf_addz(html, "<code>");
    page_text(html, str_of(job->job_id));
    buf_printf(html, "</code>%s</td>", is_scan ? "</a> scan" : "");
}

/* Scans, and jobs that have no log yet, are not among the eval sets; they are shown above. */
static int add_young_jobs(RouteCtx *ctx, Buf *html, Error *err)
{
    const JobsQuery query = {.page = 1, .limit = PAGE_ITEMS};
    JobsList list = {0};
    if (jobs_list(ctx->app->jobs, ctx->caller, &query, ctx->arena, &list, err) < 0)
        return -1;
    for (size_t i = 0; i < list.n; i++) {
        const Job *job = &list.items[i].job;
        QueriesImports imports = {0};
        if (queries_imports(ctx->app->sql, ctx->app->store, str_of(job->job_id), ctx->arena,
                            &imports, err) < 0)
            return -1;
        if (imports.n_logs > 0 || job->deleted_us)
            continue;
        buf_addz(html, "<tr>");
        add_job(html, job);
        add_status(ctx, html, str_of(job->job_id));
        buf_addz(html, "<td></td>");
        add_cell(html, str_of(job->created_by));
        char text[CLOCK_TEXT_MAX];
        add_cell(html, str_of(clock_format(job->created_us / CLOCK_SECOND * CLOCK_SECOND, text)));
        buf_addz(html, "</tr>\n");
    }
    return 0;
}

static int read_sets(RouteCtx *ctx, QueriesPage page, Str search, Json **ret, Error *err)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (queries_eval_sets(ctx->app->sql, &access, page, search, &out, err) < 0 ||
        buf_check(&body, "the list", err) < 0)
        return -1;
    return json_parse(ctx->arena, arena_str(ctx->arena, buf_str(&body)), &json_limits_config, ret,
                      err);
}

static void add_pager(RouteCtx *ctx, Buf *html, QueriesPage page, int64_t total, Str search)
{
    const char *encoded = route_encode(ctx->arena, search, "");
    if (page.page > 1)
        buf_printf(html, "<a href=\"/?page=%lld&amp;search=%s\">newer</a> ",
                   (long long)page.page - 1, encoded);
    if (page.page * page.limit < total)
        buf_printf(html, "<a href=\"/?page=%lld&amp;search=%s\">older</a>",
                   (long long)page.page + 1, encoded);
}

static int index_page(RouteCtx *ctx, Error *err)
{
    QueriesPage page = {.limit = PAGE_ITEMS};
    Json *sets = NULL;
    Str search = http_request_param(ctx->request, "search", 0);
    if (route_param_int(ctx, "page", 1, 1, INT32_MAX, &page.page, err) < 0 ||
        read_sets(ctx, page, search, &sets, err) < 0)
        return -1;
    auto_buf Buf html = BUF_INIT(PAGE_BYTES_MAX);
    page_begin(&html, "hawk: eval sets");
    buf_addz(&html,
             "<h1>Eval sets</h1><nav><form method=\"get\" action=\"/\"><input name=\"search\" "
             "placeholder=\"id, task or creator\" value=\"");
    page_text(&html, search);
    buf_addz(&html, "\"> <input type=\"submit\" "
                    "value=\"Search\"></form></nav>\n<table><thead><tr><th>Eval set</th>"
                    "<th>Status</th><th>Tasks</th><th>Created by</th><th>Latest "
                    "log</th></tr></thead><tbody>\n");
    if (page.page == 1 && search.n == 0 && add_young_jobs(ctx, &html, err) < 0)
        return -1;
    const Json *items = json_get(sets, "items");
    for (const Json *set = items ? items->first : NULL; set; set = set->next)
        add_set(ctx, &html, set);
    buf_addz(&html, "</tbody></table><p>");
    add_pager(ctx, &html, page, json_int(sets, "total", 0), search);
    buf_addz(&html, "</p>");
    page_send(ctx, &html);
    return 0;
}

/* --- addresses that lead into the viewer --- */

static int redirect(RouteCtx *ctx, const char *to)
{
    http_response_status(ctx->response, 302);
    http_response_header(ctx->response, "Location", str_of(to));
    return 0;
}

static int eval_set_page(RouteCtx *ctx, Error *err)
{
    (void)err;
    const char *id = route_encode(ctx->arena, ctx->params[0], ",");
    return redirect(ctx, arena_printf(ctx->arena, "/viewer/?inspect_server=true&log_dir=%s", id));
}

/* The place in a sample that is asked for, as the viewer's address has it. */
static const char *place_in_sample(RouteCtx *ctx)
{
    static const struct {
        const char *name;
        const char *tab;
    } places[] = {{"event", "transcript"}, {"message", "messages"}};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        Str id = http_request_param(ctx->request, places[i].name, 0);
        if (id.n > 0)
            return arena_printf(ctx->arena, "%s?%s=%s", places[i].tab, places[i].name,
                                route_encode(ctx->arena, id, ""));
    }
    return "";
}

/* Opens the one log only, so that an eval set of thousands of logs costs nothing. */
static int sample_permalink(RouteCtx *ctx, Error *err)
{
    QueriesPlace place = {0};
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (queries_place(ctx->app->sql, &access, ctx->params[0], ctx->arena, &place, err) < 0)
        return -1;
    Str log = str_of(place.log_key);
    if (str_starts(log, STR("evals/")))
        log = str_slice(log, 6, log.n);
    return redirect(
        ctx,
        arena_printf(ctx->arena,
                     "/viewer/?inspect_server=true&log_file=%s#/logs/%s/samples/sample/%s/%lld/%s",
                     route_encode(ctx->arena, log, ""), route_encode(ctx->arena, log, ""),
                     route_encode(ctx->arena, str_of(place.id), ""), (long long)place.epoch,
                     place_in_sample(ctx)));
}

/* --- the viewer's files --- */

static int find_viewer(RouteCtx *ctx, DistPlace *ret, Error *err)
{
    ViewerPlace place = {0};
    if (viewer_find(ctx->app->viewer, ctx->arena, &place, err) < 0)
        return -1;
    *ret = (DistPlace){place.dir, place.version};
    return 0;
}

static int viewer_index(RouteCtx *ctx, Error *err)
{
    DistPlace place = {0};
    return find_viewer(ctx, &place, err) < 0 ? -1 : dist_send_index(ctx, &place, err);
}

static int viewer_file(RouteCtx *ctx, Error *err)
{
    DistPlace place = {0};
    if (find_viewer(ctx, &place, err) < 0)
        return -1;
    return dist_send_file(ctx, &place, ctx->params[0], err);
}

/* clang-format off */
static const Route rows[] = {
    { "GET", "/",                               ROUTE_READ, index_page,       "list of eval sets",
      .query = "page: int(1..2147483647) = 1; search?: str", .answer = "text/html" },
    { "GET", "/eval-set/{eval_set_id}",         ROUTE_READ, eval_set_page,    "an eval set in the viewer", .answer = "302" },
    { "GET", "/permalink/sample/{sample_uuid}", ROUTE_READ, sample_permalink, "a sample in the viewer, at one of its messages or events if one is named",
      .query = "message?: str(1..); event?: str(1..)", .answer = "302" },
    { "GET", "/viewer/",                        ROUTE_READ, viewer_index,     "Inspect's log viewer", .answer = "text/html; 304" },
    { "GET", "/viewer/{path*}",                 ROUTE_READ, viewer_file,      "files of the viewer", .answer = "*/*; 304" },
};
/* clang-format on */

const RouteTable routes_pages = {rows, ARRAY_LEN(rows), NULL, 0};
