/* The connection to the server. */

#include "cli/api.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "access/identity.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cli/local.h"
#include "cli/settings.h"
#include "cli/tokens.h"
#include "codec/percent.h"
#include "http/client.h"
#include "http/loopback.h"
#include "http/problem.h"
#include "server/trace.h"

enum {
    HEADERS_MAX = 8,
    VERSION_TIMEOUT_MS = 2000,
    ERROR_BODY_MAX = 1 << 20,
    DETAIL_MAX = 4096,
    PATH_BYTES_MAX = 8192,
    WAIT_TOTAL_MAX_S = 30, /* of a request that the server asks to send later */
};

struct Api {
    HttpClient *client;
    char *url;
    Buf authorization;   /* "Bearer ..."; empty: no token */
    char *login_problem; /* why there is no token; or NULL */
    char *trace;         /* value of X-Amzn-Trace-Id: all requests of a command are one trace */
    bool is_local;
    const Cli *cli; /* whom waiting is told */
};

void api_close(Api *api)
{
    if (!api)
        return;
    http_client_free(api->client);
    mem_wipe(api->authorization.data, api->authorization.cap);
    buf_release(&api->authorization);
    free(api->login_problem);
    free(api->trace);
    free(api->url);
    free(api);
}

/* Root=1-<8 digits: when>-<24 digits>, as X-Ray has it. */
static char *new_trace(void)
{
    Trace trace;
    trace_begin(&trace);
    return mem_printf("Root=1-%08x-%s;Sampled=1",
                      (unsigned)((uint64_t)clock_now_us() / CLOCK_SECOND & 0xffffffffU),
                      trace.id + 8);
}

static Api *new_api(const Cli *cli, Str url, bool is_local)
{
    Api *api = mem_alloc(sizeof(*api));
    while (str_ends(url, STR("/")))
        url.n--;
    api->client = http_client_new();
    api->url = mem_strndup(url.p, url.n);
    api->authorization = BUF_INIT(64 << 10);
    api->is_local = is_local;
    api->cli = cli;
    api->trace = new_trace();
    return api;
}

Api *api_copy(const Api *api)
{
    Api *copy = new_api(api->cli, str_of(api->url), api->is_local);
    buf_add_str(&copy->authorization, buf_str(&api->authorization));
    free(copy->trace);
    copy->trace = mem_strdup(api->trace);
    return copy;
}

const char *api_url(const Api *api)
{
    return api->url;
}

bool api_is_local(const Api *api)
{
    return api->is_local;
}

static void set_token(Api *api, Str token)
{
    buf_addz(&api->authorization, "Bearer ");
    buf_add_str(&api->authorization, token);
}

/* Another version than ours is worth a warning, never a question: scripts must not stop at it. */
static int check_version(Cli *cli, Str version, const char *what, Error *err)
{
    Setting check = {0};
    if (setting_find(cli, "HAWK_VERSION_CHECK", &check, err) < 0)
        return -1;
    if (version.n == 0 || str_eqz(version, HAWK_VERSION) ||
        (check.value && strcmp(check.value, "off") == 0))
        return 0;
    if (check.value && strcmp(check.value, "block") == 0)
        return error_set(err, ERR_CONFLICT, "%s has version %.*s, this program %s", what,
                         STR_ARG(version), HAWK_VERSION);
    cli_warn(cli, "%s has version %.*s, this program %s", what, STR_ARG(version), HAWK_VERSION);
    return 0;
}

Str api_version(const Json *answer)
{
    return json_text(answer, "hawk", json_text(answer, "version", STR_NONE));
}

static int open_remote(Cli *cli, const Setting *url, Api **ret, Error *err)
{
    if (!str_starts(str_of(url->value), STR("http://")) &&
        !str_starts(str_of(url->value), STR("https://")))
        return error_set(err, ERR_USAGE, "HAWK_API_URL (%s) is no http or https address: %s",
                         url->origin, url->value);
    if (settings_check_token(cli, url, err) < 0 || settings_check_http(cli, url->value, err) < 0)
        return -1;
    Api *api = new_api(cli, str_of(url->value), false);
    /* Without a token the server says what needs one; what it says is then joined by what is wrong
       with the login. */
    auto_error Error problem = ERROR_INIT;
    const char *token = NULL;
    if (tokens_current(cli, api->url, &token, &problem) == 0)
        set_token(api, str_of(token));
    else
        api->login_problem = mem_strdup(error_text(&problem));
    *ret = api;
    Setting check = {0};
    if (setting_find(cli, "HAWK_VERSION_CHECK", &check, err) < 0)
        return -1;
    if (check.value && strcmp(check.value, "off") == 0)
        return 0;
    auto_buf Buf body = BUF_INIT(ERROR_BODY_MAX);
    auto_error Error ignored = ERROR_INIT;
    ApiCall call = {.path = "/version", .timeout_ms = VERSION_TIMEOUT_MS};
    Json *json = NULL;
    int status = 0;
    if (api_send(api, &call, &body, &status, &ignored) < 0 ||
        api_parse(cli->arena, buf_str(&body), &json, &ignored) < 0)
        return 0;
    return check_version(cli, api_version(json), "the server", err);
}

static int open_local(Cli *cli, Api **ret, Error *err)
{
    const char *data_dir = local_data_dir(cli->arena, NULL);
    Local local = {0};
    if (!local_find(cli->arena, data_dir, &local)) {
        if (cli->globals.no_start) {
            (void)error_set(err, ERR_UNREACHABLE, "no server runs on %s", data_dir);
            return error_fix(err, "leave out --no-start, run 'hawk serve', or set HAWK_API_URL");
        }
        if (cli->err_is_tty)
            cli_say(cli, "Starting the local server");
        if (local_start(cli->arena, data_dir, NULL, &local, err) < 0)
            return -1;
    }
    auto_secret Secret *token = NULL;
    if (identity_read_token(data_dir, &token, err) < 0)
        return -1;
    *ret = new_api(cli, str_of(local.url), true);
    set_token(*ret, secret_reveal(token));
    return check_version(cli, str_of(local.version),
                         "the local server ('hawk serve --stop' ends it)", err);
}

int api_open(Cli *cli, Api **ret, Error *err)
{
    Setting url = {0};
    if (setting_find(cli, "HAWK_API_URL", &url, err) < 0)
        return -1;
    Api *api = NULL;
    int failed = url.value ? open_remote(cli, &url, &api, err) : open_local(cli, &api, err);
    if (failed < 0) {
        api_close(api);
        return -1;
    }
    *ret = api;
    return 0;
}

int api_check_secrets(const Api *api, Error *err)
{
    if (api->is_local || api->authorization.len > 0 || loopback_is_url(str_of(api->url)))
        return 0;
    (void)error_set(err, ERR_LOGIN, "%s gets no secrets without a login there: %s", api->url,
                    api->login_problem ? api->login_problem : "there is none");
    return error_fix(err, "run 'hawk login' first");
}

void api_add_segment(Buf *path, Str segment)
{
    percent_encode(path, segment, "");
}

void api_add_job_path(Buf *path, const char *id, const char *what)
{
    buf_addz(path, "/monitoring/jobs/");
    api_add_segment(path, str_of(id));
    buf_printf(path, "/%s", what);
}

int api_check_id(Cli *cli, const char *id, Error *err)
{
    auto_buf Buf path = BUF_INIT(PATH_BYTES_MAX);
    auto_error Error problem = ERROR_INIT;
    Json *answer = NULL;
    buf_addz(&path, "/auth/why/");
    api_add_segment(&path, str_of(id));
    if (api_get_path(cli, &path, &answer, &problem) < 0) {
        /* Only a server that has the route tells a code with its 404. */
        if (problem.kind != ERR_NOT_FOUND || !problem.code)
            return 0;
        (void)error_set(err, ERR_NOT_FOUND, "%s: there is no eval set of this id", id);
        return error_fix(err,
                         "'hawk list eval-sets' and 'hawk list jobs --all' show what there is");
    }
    if (str_eqz(json_text(answer, "type", STR("")), "scan"))
        return error_set(err, ERR_NOT_FOUND, "%s is a scan, not an eval set", id);
    if (json_bool(answer, "allowed", true))
        return 0;
    (void)error_set(err, ERR_DENIED, "%s: %.*s", id, STR_ARG(json_text(answer, "reason", STR(""))));
    return error_fix(err, "'hawk auth why %s' shows which groups it takes", id);
}

void api_add_path(Buf *path, Str name)
{
    percent_encode(path, name, "/");
}

void api_add_query(Buf *path, const char *name, const char *value)
{
    if (!value)
        return;
    buf_addc(path, str_find(buf_str(path), '?') < 0 ? '?' : '&');
    buf_printf(path, "%s=", name);
    api_add_segment(path, str_of(value));
}

void api_add_query_int(Buf *path, const char *name, int64_t value)
{
    auto_free char *text = mem_printf("%lld", (long long)value);
    api_add_query(path, name, text);
}

static const JsonLimits answer_limits = {.bytes = API_ANSWER_MAX,
                                         .depth = 100,
                                         .nodes = 5000000,
                                         .allow_nan = true,
                                         .allow_duplicates = true};

int api_parse(Arena *arena, Str text, Json **ret, Error *err)
{
    Str kept = arena_str(arena, text);
    if (json_parse(arena, kept, &answer_limits, ret, err) < 0)
        return error_wrap(err, "the server's answer is not understood");
    return 0;
}

/* {"detail": [{"loc": ["body", "x"], "msg": "..."}]} in one line. */
static void add_detail_list(const Json *list, Buf *ret)
{
    for (const Json *item = list->first; item; item = item->next) {
        if (ret->len)
            buf_addz(ret, "; ");
        const Json *loc = json_get(item, "loc");
        for (const Json *part = loc ? loc->first : NULL; part; part = part->next)
            buf_printf(ret, "%.*s%s", STR_ARG(part->text), part->next ? "." : ": ");
        buf_add_str(ret, json_text(item, "msg", STR("not valid")));
    }
}

/* Turns an answer that is no success into an error. */
static int refuse(const Api *api, int status, Str body, Error *err)
{
    auto_arena Arena *arena = arena_new();
    auto_error Error ignored = ERROR_INIT;
    auto_buf Buf detail = BUF_INIT(DETAIL_MAX);
    Json *json = NULL;
    ErrorKind kind = error_kind_of_http(status);
    Str title = STR_NONE;
    if (str_starts(str_trim(body), STR("{")) &&
        json_parse(arena, body, &answer_limits, &json, &ignored) == 0) {
        const Json *given = json_get(json, "detail");
        if (given && given->type == JSON_ARRAY)
            add_detail_list(given, &detail);
        else
            buf_add_str(&detail, json_text(json, "detail", STR_NONE));
        title = json_text(json, "title", STR_NONE);
    } else if (body.n && body.n < DETAIL_MAX && !str_starts(str_trim(body), STR("<"))) {
        buf_add_str(&detail, str_trim(body));
    }
    /* A title that only repeats the status says nothing more. */
    bool says_more = title.n && !str_eqz(title, problem_title(status));
    if (says_more && detail.len)
        (void)error_set(err, kind, "%.*s: %s", STR_ARG(title), detail.data);
    else if (says_more || detail.len)
        (void)error_set(err, kind, "%.*s", STR_ARG(says_more ? title : buf_str(&detail)));
    else
        (void)error_set(err, kind, "the server answered %d %s", status, problem_title(status));
    Str code = json_text(json, "code", STR_NONE);
    Str fix = json_text(json, "fix", STR_NONE);
    if (code.n)
        (void)error_code(err, arena_strndup(arena, code.p, code.n));
    if (fix.n)
        (void)error_fix(err, "%.*s", STR_ARG(fix));
    else if (kind == ERR_LOGIN && api->authorization.len == 0)
        (void)error_fix(err, "run 'hawk login', or set HAWK_ACCESS_TOKEN to a token of %s (%s)",
                        api->url, api->login_problem ? api->login_problem : "there is none");
    return -1;
}

/* The body of an error is kept for its message; that of a success goes to the caller's sink. */
static int send(Api *api, const ApiCall *call, HttpReply *reply, Error *err)
{
    /* The token is for our server only, also when an answer named another address to fetch. */
    bool is_absolute = call->path[0] != '/';
    Str url = str_of(call->path);
    size_t n = strlen(api->url);
    bool is_ours =
        !is_absolute || (str_starts(url, str_of(api->url)) && url.n > n && url.p[n] == '/');
    auto_free char *full = mem_printf("%s%s", is_absolute ? "" : api->url, call->path);
    HttpHeader headers[HEADERS_MAX];
    size_t n_headers = 0;
    if (is_ours && api->authorization.len)
        headers[n_headers++] = (HttpHeader){"Authorization", buf_str(&api->authorization)};
    if (is_ours)
        headers[n_headers++] = (HttpHeader){"X-Hawk-Client-Version", STR(HAWK_VERSION)};
    if (is_ours)
        headers[n_headers++] = (HttpHeader){"X-Amzn-Trace-Id", str_of(api->trace)};
    /* Of whatever runs the command, when that is traced itself. */
    const char *traceparent = getenv("TRACEPARENT");
    if (is_ours && traceparent && *traceparent)
        headers[n_headers++] = (HttpHeader){"traceparent", str_of(traceparent)};
    if (call->body.p)
        headers[n_headers++] = (HttpHeader){"Content-Type", STR("application/json")};
    if (call->if_none_match)
        headers[n_headers++] = (HttpHeader){"If-None-Match", str_of(call->if_none_match)};
    if (call->upload && call->checksum.p)
        headers[n_headers++] = (HttpHeader){"x-amz-checksum-sha256", call->checksum};
    if (call->range)
        headers[n_headers++] = (HttpHeader){"Range", str_of(call->range)};
    HttpCall request = {.method = call->method ? call->method : "GET",
                        .url = full,
                        .headers = headers,
                        .n_headers = n_headers,
                        .body = call->body,
                        .body_source = call->upload,
                        .timeout_ms = call->timeout_ms < 0    ? 0
                                      : call->timeout_ms == 0 ? API_TIMEOUT_MS
                                                              : call->timeout_ms,
                        .idle_timeout_ms = call->idle_ms,
                        .sink = call->sink,
                        .sink_context = call->sink_context,
                        .field = call->field,
                        .field_context = call->field_context};
    return http_client_send(api->client, &request, reply, err);
}

/* After how many seconds the server wants a request again that it has no time for (RFC 9110,
   section 10.2.3); 0: it is not to be repeated, or not within the time that is left. */
static int wait_of(const Api *api, const ApiCall *call, const HttpReply *reply, int waited_s)
{
    int64_t seconds = 0;
    bool is_read = !call->method || strcmp(call->method, "GET") == 0;
    int may_take_s = call->timeout_ms > 0 ? call->timeout_ms / 1000 : WAIT_TOTAL_MAX_S;
    if (!is_read || (reply->status != 429 && reply->status != 503) ||
        str_to_i64(str_trim(buf_str(&reply->retry_after)), 1, WAIT_TOTAL_MAX_S, &seconds) < 0 ||
        waited_s + seconds > WAIT_TOTAL_MAX_S || seconds > may_take_s)
        return 0;
    cli_say(api->cli, "The server is busy; asking again in %d s", (int)seconds);
    return (int)seconds;
}

/* Sends, and again when the server asks for that, half a minute long. */
static int send_patiently(Api *api, const ApiCall *call, HttpReply *reply, Error *err)
{
    for (int waited_s = 0;;) {
        http_reply_init(reply, call->max ? call->max : API_ANSWER_MAX);
        if (send(api, call, reply, err) < 0)
            return -1;
        int wait_s = wait_of(api, call, reply, waited_s);
        if (wait_s == 0)
            return 0;
        const struct timespec pause = {.tv_sec = wait_s};
        (void)nanosleep(&pause, NULL);
        waited_s += wait_s;
        http_reply_release(reply);
    }
}

int api_send(Api *api, const ApiCall *call, Buf *body, int *ret_status, Error *err)
{
    auto_http_reply HttpReply reply = {0};
    if (send_patiently(api, call, &reply, err) < 0)
        return -1;
    bool is_success = reply.status >= 200 && reply.status < 300;
    bool is_unchanged = reply.status == 304 && call->if_none_match;
    if (!is_success && !is_unchanged)
        return refuse(api, reply.status, buf_str(&reply.body), err);
    if (body)
        buf_add_str(body, buf_str(&reply.body));
    if (body && buf_check(body, "the server's answer", err) < 0)
        return -1;
    if (ret_status)
        *ret_status = reply.status;
    return 0;
}

bool api_may_pass(const Error *err)
{
    return err->kind == ERR_UNREACHABLE || err->kind == ERR_TIMEOUT || err->kind == ERR_BUSY;
}

int api_get(Cli *cli, const char *path, Json **ret, Error *err)
{
    Api *api = NULL;
    if (cli_api(cli, &api, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(API_ANSWER_MAX);
    ApiCall call = {.path = path};
    if (api_send(api, &call, &body, NULL, err) < 0)
        return -1;
    return api_parse(cli->arena, buf_str(&body), ret, err);
}

int api_get_path(Cli *cli, const Buf *path, Json **ret, Error *err)
{
    if (buf_check(path, "the request", err) < 0)
        return -1;
    return api_get(cli, path->data, ret, err);
}

int api_post(Cli *cli, const char *path, Str json, Json **ret, Error *err)
{
    Api *api = NULL;
    if (cli_api(cli, &api, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(API_ANSWER_MAX);
    ApiCall call = {.method = "POST", .path = path, .body = json};
    if (api_send(api, &call, &body, NULL, err) < 0)
        return -1;
    return ret ? api_parse(cli->arena, buf_str(&body), ret, err) : 0;
}
