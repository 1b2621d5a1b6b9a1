/* /view/logs/scout: where in the transcript of a sample something is, for Inspect's log viewer,
   which takes it for Scout's search. Samples are looked through here; Scout need not be there. */

#include "server/routes.h"

#include <string.h>

#include "codec/digest.h"
#include "evallog/grep.h"
#include "server/logs.h"
#include "server/searches.h"
#include "server/server_priv.h"

enum { ANSWER_MAX = 256 << 20, DIR_MAX_BYTES = 4096 };

/* --- the question --- */

/* "all", null, or a list of kinds. */
static int read_filter(const Json *body, const char *key, const Json **ret, Error *err)
{
    const Json *filter = json_get(body, key);
    bool is_list = filter && filter->type == JSON_ARRAY;
    *ret = json_is_null(filter) ? NULL : filter;
    for (const Json *item = is_list ? filter->first : NULL; item; item = item->next)
        if (item->type != JSON_STRING)
            is_list = false;
    bool is_all = filter && filter->type == JSON_STRING && str_eqz(filter->text, "all");
    if (!*ret || is_list || is_all)
        return 0;
    return error_set(err, ERR_BAD_DATA, "%s: expected 'all', null or a list of kinds", key);
}

static int read_flag(const Json *body, const char *key, bool otherwise, bool *ret, Error *err)
{
    const Json *flag = json_get(body, key);
    if (flag && flag->type != JSON_BOOL)
        return error_set(err, ERR_BAD_DATA, "%s: expected true or false", key);
    *ret = flag ? flag->boolean : otherwise;
    return 0;
}

/* What a body may have, by its type. */
static int check_members(const Json *body, bool is_llm, Error *err)
{
    static const char *const both[] = {"type", "query", "messages", "events"};
    static const char *const of_grep[] = {"regex", "ignore_case", "word_boundary"};
    for (const Json *member = body->first; member; member = member->next) {
        bool is_known = is_llm && str_eqz(member->key, "model");
        for (size_t i = 0; i < ARRAY_LEN(both); i++)
            is_known = is_known || str_eqz(member->key, both[i]);
        for (size_t i = 0; i < ARRAY_LEN(of_grep) && !is_llm; i++)
            is_known = is_known || str_eqz(member->key, of_grep[i]);
        if (!is_known)
            return error_set(err, ERR_BAD_DATA, "%.*s: there is no such member",
                             STR_ARG(member->key));
    }
    return 0;
}

static int read_question(const Json *body, bool *ret_is_llm, GrepQuestion *ret, Error *err)
{
    const Json *query = json_get(body, "query");
    Str type = json_text(body, "type", STR_NONE);
    *ret_is_llm = str_eqz(type, "llm");
    if (!*ret_is_llm && !str_eqz(type, "grep"))
        return error_set(err, ERR_BAD_DATA, "type: expected grep or llm");
    if (!query || query->type != JSON_STRING)
        return error_set(err, ERR_BAD_DATA, "query: expected a text");
    ret->query = query->text;
    if (check_members(body, *ret_is_llm, err) < 0 ||
        read_filter(body, "messages", &ret->messages, err) < 0 ||
        read_filter(body, "events", &ret->events, err) < 0 ||
        read_flag(body, "regex", false, &ret->is_regex, err) < 0 ||
        read_flag(body, "ignore_case", true, &ret->ignores_case, err) < 0)
        return -1;
    return read_flag(body, "word_boundary", false, &ret->has_word_boundary, err);
}

/* --- the sample --- */

/* The sample that the address names: a folder of logs, which the caller may read, and a uuid. */
static int find_sample(RouteCtx *ctx, QueriesPlace *ret, Error *err)
{
    auto_buf Buf dir = BUF_INIT(DIR_MAX_BYTES);
    LogsName name = {0};
    const QueriesAccess access = server_queries_access(ctx->caller);
    if (ctx->params[0].n > DIR_MAX_BYTES || digest_read_base64url(ctx->params[0], &dir) < 0)
        return error_set(err, ERR_USAGE, "the folder is not base64url");
    if (logs_dir(ctx, buf_str(&dir), &name, err) < 0 ||
        queries_place(ctx->app->sql, &access, ctx->params[1], ctx->arena, ret, err) < 0)
        return -1;
    if (strcmp(ret->eval_set_id, name.eval_set_id) != 0)
        return error_set(err, ERR_NOT_FOUND, "Transcript not found");
    if (ret->is_provisional) {
        (void)error_set(err, ERR_CONFLICT, "the sample is still being written");
        return error_fix(err, "search again when it has ended");
    }
    return 0;
}

static int search(RouteCtx *ctx, const QueriesPlace *place, const GrepQuestion *question,
                  JsonOut *out, Error *err)
{
    auto_evallog EvalLog *log = NULL;
    auto_sample_parts SampleParts *parts = NULL;
    if (logs_open_sample(ctx, place, &log, &parts, err) < 0)
        return -1;
    return grep_sample(parts, question, out, err);
}

static int no_models(Error *err)
{
    (void)error_set(err, ERR_UNSUPPORTED,
                    "this server calls no models: search for a text (type 'grep'), or run a scan "
                    "with llm_scanner, which calls a model with keys of yours (hawk scan run)");
    return error_code(err, "search.no_models");
}

static int transcript_search(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    bool is_llm = false;
    GrepQuestion question = {0};
    QueriesPlace place = {0};
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    if (route_body_json(ctx, &body, err) < 0 || read_question(body, &is_llm, &question, err) < 0 ||
        find_sample(ctx, &place, err) < 0)
        return -1;
    if (is_llm)
        return no_models(err);
    SearchesInput input = {.query = question.query,
                           .is_regex = question.is_regex,
                           .ignores_case = question.ignores_case,
                           .has_word_boundary = question.has_word_boundary};
    searches_name(&input);
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kvz(&out, "id", input.id);
    json_out_key(&out, STR("result"));
    if (search(ctx, &place, &question, &out, err) < 0)
        return -1;
    json_out_end_object(&out);
    if (buf_check(&answer, "what was found", err) < 0)
        return -1;
    searches_add(ctx->app->searches, ctx->caller->sub, &input);
    route_send_json(ctx, &answer);
    return 0;
}

/* A filter of the query: as the body has it. */
static const Json *param_filter(RouteCtx *ctx, const char *name)
{
    Str text = http_request_param(ctx->request, name, 0);
    Str kind = STR_NONE;
    if (!text.p || text.n == 0 || str_eqz(text, "all"))
        return text.n ? json_new_str(ctx->arena, text) : NULL;
    Json *list = json_new(ctx->arena, JSON_ARRAY);
    while (str_split(&text, ',', &kind))
        json_append(list, json_new_str(ctx->arena, kind));
    return list;
}

/* Looked for again, because that takes no longer than keeping what was found. */
static int transcript_search_again(RouteCtx *ctx, Error *err)
{
    SearchesInput input = {0};
    QueriesPlace place = {0};
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    if (find_sample(ctx, &place, err) < 0)
        return -1;
    if (!searches_find(ctx->app->searches, ctx->caller->sub, ctx->params[2], ctx->arena, &input))
        return error_set(err, ERR_NOT_FOUND, "Search result not found");
    const GrepQuestion question = {.query = input.query,
                                   .is_regex = input.is_regex,
                                   .ignores_case = input.ignores_case,
                                   .has_word_boundary = input.has_word_boundary,
                                   .messages = param_filter(ctx, "messages"),
                                   .events = param_filter(ctx, "events")};
    json_out_init(&out, &answer, 0);
    if (search(ctx, &place, &question, &out, err) < 0 ||
        buf_check(&answer, "what was found", err) < 0)
        return -1;
    route_send_json(ctx, &answer);
    return 0;
}

static int searches_list(RouteCtx *ctx, Error *err)
{
    Str type = http_request_param(ctx->request, "type", 0);
    int64_t count = 0;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    if (!str_eqz(type, "grep") && !str_eqz(type, "llm"))
        return error_set(err, ERR_BAD_DATA, "type: expected grep or llm");
    if (route_param_int(ctx, "count", 20, 1, 100, &count, err) < 0)
        return -1;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kv_array(&out, "items");
    if (str_eqz(type, "grep"))
        searches_write(ctx->app->searches, ctx->caller->sub, count, &out);
    json_out_end_array(&out);
    json_out_end_object(&out);
    route_send_json(ctx, &answer);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "TranscriptSearchRequest",
      "type: 'grep' | 'llm'; query: str(..1000); regex: bool = false; ignore_case: bool = true; word_boundary: bool = false;"
      " model?: str?; messages?: 'all' | str[] | null; events?: 'all' | str[] | null" },
    { "TranscriptSearchReference", "type: 'message' | 'event'; cite: str; id: str" },
    { "TranscriptSearchResult",
      "uuid: str; value: int; explanation: str?; metadata: null; label: null; type: null; answer: null;"
      " references: TranscriptSearchReference[]" },
    { "TranscriptSearchInput",
      "search_id: str; query: str; created_at: time; type: 'grep'; regex: bool; ignore_case: bool; word_boundary: bool" },
};

#define SEARCH_ROUTES(base) \
    { "POST", base "/scout/transcripts/{dir}/{id}/search", ROUTE_READ, transcript_search, "where in a sample a text is", \
      .body = "TranscriptSearchRequest", .answer = "{id: str; result: TranscriptSearchResult}" }, \
    { "GET", base "/scout/transcripts/{dir}/{id}/searches/{search_id}", ROUTE_READ, transcript_search_again, \
      "the same again, of a search that one has made", .query = "messages?: str; events?: str", .answer = "TranscriptSearchResult" }, \
    { "GET", base "/scout/searches", ROUTE_READ, searches_list, "what one has looked for, the newest first", \
      .query = "type: 'grep' | 'llm'; count: int(1..100) = 20", .answer = "{items: TranscriptSearchInput[]}" }

static const Route rows[] = {
    SEARCH_ROUTES("/view/logs"),
    SEARCH_ROUTES("/api"),
};
/* clang-format on */

const RouteTable routes_transcript_search = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
