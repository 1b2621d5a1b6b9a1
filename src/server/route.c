/* Finding the row of a request, and what every request goes through before and after its handler.
 */

#include "server/route.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/percent.h"
#include "http/loopback.h"
#include "http/problem.h"
#include "server/login.h"
#include "server/page.h"
#include "server/server_priv.h"

enum {
    SEGMENT_MAX = 1024,
    METHODS_MAX = 1024,
    BODY_JSON_MAX = 64 << 20,
    REQUEST_ID_MAX = 64,
    TRACE_MAX = 128,
    CLIENT_VERSION_MAX = 64
};

/* --- matching --- */

/* Compares one segment of a pattern with one of a path; fills the parameter when the pattern has
 * one. */
static bool segment_matches(Str pattern, Str raw, Arena *arena, Str params[ROUTE_PARAMS_MAX],
                            size_t *n_params)
{
    if (pattern.n < 2 || pattern.p[0] != '{')
        return str_eq(pattern, raw);
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf value = BUF_INIT(SEGMENT_MAX);
    if (raw.n == 0 || raw.n > SEGMENT_MAX || percent_decode(raw, false, &value, &ignored) < 0)
        return false;
    assert(*n_params < ROUTE_PARAMS_MAX);
    params[(*n_params)++] = arena_str(arena, buf_str(&value));
    return true;
}

static bool is_rest(Str pattern)
{
    return pattern.n > 3 && pattern.p[0] == '{' && pattern.p[pattern.n - 2] == '*';
}

static bool path_matches(const char *pattern, Str path, Arena *arena, Str params[ROUTE_PARAMS_MAX])
{
    Str pattern_rest = str_of(pattern);
    Str path_rest = path;
    Str want = STR_NONE;
    Str have = STR_NONE;
    size_t n_params = 0;
    while (str_split(&pattern_rest, '/', &want)) {
        if (is_rest(want))
            return path_rest.p &&
                   segment_matches(STR("{rest}"), path_rest, arena, params, &n_params);
        if (!str_split(&path_rest, '/', &have) ||
            !segment_matches(want, have, arena, params, &n_params))
            return false;
    }
    return !path_rest.p;
}

static bool method_matches(const Route *route, Str method)
{
    return str_eqz(method, route->method) ||
           (str_eqz(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

int route_find(const RouteTable *const *tables, size_t n_tables, Str method, Str path, Arena *arena,
               const Route **ret, Str params[ROUTE_PARAMS_MAX], Error *err)
{
    bool other_method = false;
    for (size_t t = 0; t < n_tables; t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            const Route *route = &tables[t]->rows[i];
            if (!path_matches(route->pattern, path, arena, params))
                continue;
            if (method_matches(route, method)) {
                *ret = route;
                return 0;
            }
            other_method = true;
        }
    }
    if (other_method) {
        (void)error_set(err, ERR_USAGE, "%.*s is not a method of this address", STR_ARG(method));
        return error_code(err, "method_not_allowed");
    }
    return error_set(err, ERR_NOT_FOUND, "there is nothing at this address");
}

/* --- who and whether --- */

/* A browser whose access token has ended goes on with its refresh token, so that nobody has to log
   in again in the middle of reading. */
static int identify(RouteCtx *ctx, Caller *ret, Error *err)
{
    auto_error Error problem = ERROR_INIT;
    auto_error Error ignored = ERROR_INIT; /* why there is no session is what the browser is told */
    OidcTokens tokens = {0};
    const IdentityProof proof = {
        .authorization = http_request_header(ctx->request, "Authorization"),
        .cookie = http_request_cookie(ctx->request, login_access_cookie(ctx->app)),
    };
    if (identity_check(ctx->app->identity, ctx->arena, &proof, ret, &problem) == 0)
        return limits_request(ctx->app->limits,
                              proof.authorization.p ? proof.authorization : proof.cookie,
                              clock_monotonic_ms(), err);
    bool may_renew = problem.kind == ERR_LOGIN && !proof.authorization.p &&
                     (ctx->route->permission == ROUTE_READ || origins_allow(ctx));
    if (!may_renew || login_renew(ctx, &tokens, &ignored) < 0)
        return error_move(err, &problem);
    const IdentityProof renewed = {.cookie = str_of(tokens.access_token)};
    return identity_check(ctx->app->identity, ctx->arena, &renewed, ret, err);
}

/* A job is no person: its token opens nothing but its own routes, and those are for nobody else. */
static int authenticate_job(RouteCtx *ctx, Error *err)
{
    Str token = identity_bearer(http_request_header(ctx->request, "Authorization"));
    JobsSelf *self = arena_alloc(ctx->arena, sizeof(*self));
    if (jobs_self(ctx->app->jobs, ctx->arena, token, self, err) < 0)
        return -1;
    ctx->self = self;
    return limits_request(ctx->app->limits, token, clock_monotonic_ms(), err);
}

static int authenticate(RouteCtx *ctx, Error *err)
{
    if (ctx->route->permission == ROUTE_JOB)
        return authenticate_job(ctx, err);
    Caller *caller = arena_alloc(ctx->arena, sizeof(*caller));
    if (identify(ctx, caller, err) < 0)
        return -1;
    if (ctx->app->audit)
        caller->audit = audit_of_request(ctx->app->audit, ctx->arena, caller->sub, ctx->request_id,
                                         http_request_peer(ctx->request));
    ctx->caller = caller;
    if (ctx->route->permission != ROUTE_CHANGE)
        return 0;
    if (caller->by_cookie && !origins_allow(ctx))
        return error_set(err, ERR_DENIED, "CSRF: request origin not allowed");
    if (caller->is_read_only)
        return error_set(err, ERR_DENIED, "This credential has read-only access");
    return 0;
}

/* --- answers --- */

const char *route_encode(Arena *arena, Str s, const char *safe)
{
    auto_buf Buf text = BUF_INIT(3 * s.n);
    percent_encode(&text, s, safe);
    return arena_strndup(arena, text.data, text.len);
}

void route_send_json(RouteCtx *ctx, Buf *take_body)
{
    http_response_buf(ctx->response, "application/json", take_body);
}

int route_param_int(RouteCtx *ctx, const char *name, int64_t otherwise, int64_t min, int64_t max,
                    int64_t *ret, Error *err)
{
    Str text = http_request_param(ctx->request, name, 0);
    if (!text.p) {
        *ret = otherwise;
        return 0;
    }
    if (str_to_i64(text, min, max, ret) < 0)
        return error_set(err, ERR_BAD_DATA, "%s must be a whole number from %lld to %lld", name,
                         (long long)min, (long long)max);
    return 0;
}

int route_body_json(RouteCtx *ctx, Json **ret, Error *err)
{
    Str body = STR_NONE;
    if (http_request_body(ctx->request, BODY_JSON_MAX, &body, err) < 0)
        return -1;
    Json *root = NULL;
    if (json_parse(ctx->arena, body, &json_limits_config, &root, err) < 0)
        return error_wrap(err, "request body");
    if (root->type != JSON_OBJECT)
        return error_set(err, ERR_BAD_DATA, "request body: expected an object, found %s",
                         json_type_name(root->type));
    *ret = root;
    return 0;
}

/* Echoes a well-formed request id, or makes one. */
static void add_request_id(RouteCtx *ctx)
{
    Str given = http_request_header(ctx->request, "X-Request-Id");
    char id[REQUEST_ID_MAX + 1] = "";
    bool usable = given.p && given.n > 0 && given.n <= REQUEST_ID_MAX;
    for (size_t i = 0; usable && i < given.n; i++)
        usable = given.p[i] > 0x20 && given.p[i] < 0x7f;
    if (!usable)
        random_id(id, 32);
    ctx->request_id = usable ? given : arena_str(ctx->arena, str_of(id));
    http_response_header(ctx->response, "x-request-id", ctx->request_id);
    http_response_header(ctx->response, "X-Hawk-Server-Version", STR(HAWK_VERSION));
}

static const char *text_of(const RouteCtx *ctx, Str text)
{
    return arena_strndup(ctx->arena, text.p ? text.p : "", text.n);
}

/* The trace that a request belongs to, as W3C Trace Context or X-Ray say. */
static Str trace_of(const RouteCtx *ctx)
{
    Str trace = http_request_header(ctx->request, "traceparent");
    if (!trace.p)
        trace = http_request_header(ctx->request, "X-Amzn-Trace-Id");
    return str_slice(trace, 0, TRACE_MAX);
}

/* The address with everything behind the path left out; a query may hold what nobody should log. */
static void log_failure(const RouteCtx *ctx, const Error *err)
{
    if (error_kind_http(err->kind) < 500)
        return;
    char *path = arena_strndup(ctx->arena, http_request_path(ctx->request).p,
                               http_request_path(ctx->request).n);
    log_error("request.failed", KV("path", path), KV("kind", error_kind_name(err->kind)),
              KV("error", error_text(err)), KV("request_id", text_of(ctx, ctx->request_id)));
}

static void begin_span(RouteCtx *ctx)
{
    bool is_known = trace_read(http_request_header(ctx->request, "traceparent"),
                               http_request_header(ctx->request, "X-Amzn-Trace-Id"), &ctx->trace);
    if (is_known)
        memcpy(ctx->span, ctx->trace.parent, sizeof(ctx->span));
    if (!ctx->app->spans)
        return;
    if (!is_known)
        trace_begin(&ctx->trace);
    trace_span(ctx->span);
}

const char *route_traceparent(RouteCtx *ctx)
{
    char text[TRACE_PARENT_MAX];
    if (!ctx->trace.id[0] || !ctx->span[0])
        return NULL;
    trace_write(&ctx->trace, ctx->span, text);
    return arena_strdup(ctx->arena, text);
}

/* A trace that whoever began it does not want to see is not shown. */
static void note_span(const RouteCtx *ctx, int status, int64_t begun_us, int64_t took_us)
{
    Span span = {.trace = ctx->trace,
                 .method = ctx->route ? ctx->route->method : "HTTP",
                 .route = ctx->route ? ctx->route->pattern : NULL,
                 .status = status,
                 .begun_us = begun_us,
                 .ended_us = begun_us + took_us};
    memcpy(span.id, ctx->span, sizeof(span.id));
    if (ctx->app->spans && span.trace.is_sampled)
        spans_add(ctx->app->spans, &span);
}

/* The pattern and not the address, which names things. */
static void note_request(const RouteCtx *ctx, int64_t begun_us)
{
    int status = http_response_get_status(ctx->response);
    int64_t took_us = clock_now_us() - begun_us;
    metrics_count(ctx->app->metrics, ctx->route, status, took_us);
    note_span(ctx, status, begun_us, took_us);
    if (!ctx->app->options->log_requests)
        return;
    log_info("request", KV("method", text_of(ctx, http_request_method(ctx->request))),
             KV("route", ctx->route ? ctx->route->pattern : ""), KV_INT("status", status),
             KV_INT("microseconds", took_us), KV("request_id", text_of(ctx, ctx->request_id)),
             KV("sub", ctx->caller ? ctx->caller->sub : ""),
             KV("peer", text_of(ctx, http_request_peer(ctx->request))),
             KV("client",
                text_of(ctx, str_slice(http_request_header(ctx->request, "X-Hawk-Client-Version"),
                                       0, CLIENT_VERSION_MAX))),
             KV("trace", text_of(ctx, trace_of(ctx))));
}

bool route_has_json_logins(Str path)
{
    return str_starts(path, STR("/auth/"));
}

bool route_is_local(const RouteCtx *ctx)
{
    /* Forwarded is of RFC 7239, Via of RFC 9110 section 7.6.3, the others are what proxies sent
       before there was one. */
    static const char *const of_proxies[] = {"Forwarded",        "X-Forwarded-For",
                                             "X-Forwarded-Host", "X-Forwarded-Proto",
                                             "X-Real-IP",        "Via"};
    for (size_t i = 0; i < ARRAY_LEN(of_proxies); i++)
        if (http_request_header(ctx->request, of_proxies[i]).p)
            return false;
    return loopback_is_name(http_request_peer(ctx->request)) &&
           loopback_is_host(http_request_header(ctx->request, "Host"));
}

/* Login failures are plain text for API clients, and a page that says what to do for browsers. */
static bool answer_login_failure(RouteCtx *ctx, const Error *err)
{
    if (err->kind != ERR_LOGIN)
        return false;
    http_response_status(ctx->response, 401);
    if (route_has_json_logins(http_request_path(ctx->request)))
        return false;
    http_response_header(ctx->response, "WWW-Authenticate", STR("Bearer"));
    Str accept = http_request_header(ctx->request, "Accept");
    if (accept.p && str_find_str(accept, STR("text/html")) >= 0) {
        page_login_needed(ctx);
        return true;
    }
    http_response_bytes(ctx->response, "text/plain; charset=utf-8", str_of(error_text(err)));
    return true;
}

/* clang-format off */
static const JobsProblem problems[] = {
    { "method_not_allowed", 405, NULL },
    { "schema.none",        503, "Schema unavailable" },
    { "trace.none",         404, "No trace log yet" },
    { "trace.not_running",  409, "No running runner pod" },
    { "stack.not_running",  409, "No running runner pod" },
    { "content.bad_path",   400, "Invalid path" },
    { "human.busy",         409, "Human has assignments" },
    { "human.resume",       409, "Cannot resume a human eval" },
    { "human.no_agent",     422, "No human agent" },
    { "human.isolation",    422, "Strict isolation not supported" },
    { "human.exists",       409, "Human already exists" },
    { "human.not_found",    404, "Human not found" },
    { "human.bad_name",     422, "Invalid human name" },
    { "human.bad_key",      422, "Invalid SSH public key" },
};
/* clang-format on */

static const JobsProblem *own_problem(const char *code)
{
    for (size_t i = 0; i < ARRAY_LEN(problems); i++)
        if (strcmp(problems[i].code, code) == 0)
            return &problems[i];
    return NULL;
}

/* Title and status of an error's code; NULL when it has none of its own. */
static const JobsProblem *find_problem(const char *code)
{
    static const JobsProblem *(*const tables[])(const char *code) = {jobs_problem, imports_problem,
                                                                     edits_problem, own_problem};
    const JobsProblem *found = NULL;
    for (size_t i = 0; code && !found && i < ARRAY_LEN(tables); i++)
        found = tables[i](code);
    return found;
}

bool route_has_plain_errors(Str path)
{
    return str_starts(path, STR("/auth/")) || str_starts(path, STR("/view/"));
}

/* The methods that an address has (RFC 9110, section 15.5.6). */
static void add_allow(RouteCtx *ctx)
{
    auto_buf Buf methods = BUF_INIT(METHODS_MAX);
    Str params[ROUTE_PARAMS_MAX] = {0};
    for (size_t t = 0; t < server_n_route_tables; t++) {
        const RouteTable *table = server_route_tables[t];
        for (size_t i = 0; i < table->n; i++)
            if (path_matches(table->rows[i].pattern, http_request_path(ctx->request), ctx->arena,
                             params))
                buf_printf(&methods, "%s%s%s", methods.len ? ", " : "", table->rows[i].method,
                           strcmp(table->rows[i].method, "GET") == 0 ? ", HEAD" : "");
    }
    http_response_header(ctx->response, "Allow", buf_str(&methods));
}

static void answer_error(RouteCtx *ctx, const Error *err)
{
    log_failure(ctx, err);
    if (answer_login_failure(ctx, err))
        return;
    const JobsProblem *known = find_problem(err->code);
    int status = known ? known->status : error_kind_http(err->kind);
    if (status == 405)
        add_allow(ctx);
    problem_respond_as(ctx->request, ctx->response, status, known ? known->title : NULL, err);
    if (route_has_plain_errors(http_request_path(ctx->request)))
        http_response_retype(ctx->response, "application/json");
}

static int handle(RouteCtx *ctx, Error *err)
{
    if (!__atomic_load_n(&ctx->app->url, __ATOMIC_ACQUIRE)) {
        (void)error_set(err, ERR_CANCELLED, "the server is still starting");
        return error_retry(err, 1);
    }
    if (!server_host_is_ours(ctx->app, http_request_header(ctx->request, "Host")))
        return error_set(err, ERR_DENIED, "this server does not answer to that host name");
    if (origins_answer(ctx))
        return 0;
    if (route_find(server_route_tables, server_n_route_tables, http_request_method(ctx->request),
                   http_request_path(ctx->request), ctx->arena, &ctx->route, ctx->params, err) < 0)
        return -1;
    if (ctx->route->permission != ROUTE_OPEN && authenticate(ctx, err) < 0)
        return -1;
    return ctx->route->handler(ctx, err);
}

/* Refusals that are found by a query, or before there is a decision, belong into the trail too. */
static void audit_refusal(const RouteCtx *ctx, const Error *err)
{
    const CallerAudit *audit = ctx->caller ? ctx->caller->audit : NULL;
    bool was_told = err->code && str_starts(str_of(err->code), STR("access."));
    if (!audit || !ctx->route || err->kind != ERR_DENIED || was_told)
        return;
    const char *action = arena_printf(ctx->arena, "%s %s", ctx->route->method, ctx->route->pattern);
    audit->decided(audit->context, action, text_of(ctx, ctx->params[0]),
                   err->code ? err->code : "denied");
}

/* A place among the streams of a person. */
typedef struct StreamPlace {
    Limits *limits;
    size_t i;
} StreamPlace;

static void leave_streams(void *context)
{
    const StreamPlace *place = context;
    limits_stream_end(place->limits, place->i);
}

static int enter_streams(RouteCtx *ctx, Error *err)
{
    if (!ctx->caller || !http_response_is_stream(ctx->response))
        return 0;
    StreamPlace *place = arena_alloc(ctx->arena, sizeof(*place));
    place->limits = ctx->app->limits;
    if (limits_stream_begin(place->limits, str_of(ctx->caller->sub), &place->i, err) < 0)
        return -1;
    http_response_when_done(ctx->response, leave_streams, place);
    return 0;
}

void route_dispatch(void *context, HttpRequest *request, HttpResponse *response)
{
    RouteCtx ctx = {.app = context,
                    .request = request,
                    .response = response,
                    .arena = http_request_arena(request)};
    auto_error Error err = ERROR_INIT;
    int64_t begun_us = clock_now_us();
    add_request_id(&ctx);
    begin_span(&ctx);
    store_trace(route_traceparent(&ctx));
    http_response_header(response, "X-Content-Type-Options", STR("nosniff"));
    if (handle(&ctx, &err) < 0 || enter_streams(&ctx, &err) < 0) {
        audit_refusal(&ctx, &err);
        answer_error(&ctx, &err);
    }
    store_trace(NULL);
    note_request(&ctx, begun_us);
}
