/* /meta/sample_edits and the two that add events: changes of samples of finished logs. */

#include "server/routes.h"

#include <string.h>

#include "access/access.h"
#include "base/mem.h"
#include "server/logs.h"
#include "server/server_priv.h"

enum { ANSWER_MAX = 8 << 20, PROBLEMS_SHOWN = 5, WORDS_MAX = 64 << 10, MISSING_SHOWN = 20 };

/* --- reading what is asked for --- */

static int fail_invalid(const Diagnostics *problems, Error *err)
{
    auto_buf Buf text = BUF_INIT(WORDS_MAX);
    for (size_t i = 0; i < problems->n && i < PROBLEMS_SHOWN; i++)
        buf_printf(&text, "%s%s: %s", i ? "; " : "", problems->items[i].path,
                   problems->items[i].message);
    if (problems->n_errors > PROBLEMS_SHOWN)
        buf_printf(&text, "; and %zu more", problems->n_errors - PROBLEMS_SHOWN);
    (void)error_set(err, ERR_BAD_DATA, "%s", text.data);
    return error_code(err, "edit.invalid");
}

static int read_list(RouteCtx *ctx, const char *member, EditForm form, EditList *ret, Error *err)
{
    Json *body = NULL;
    if (route_body_json(ctx, &body, err) < 0)
        return -1;
    const Json *array = json_get(body, member);
    if (!array)
        return error_set(err, ERR_BAD_DATA, "%s: this field is needed", member);
    Diagnostics problems;
    diagnostics_init(&problems, ctx->arena);
    const EditReader reader = {
        .arena = ctx->arena, .problems = &problems, .file = "request body", .form = form};
    if (!edit_list_read(&reader, array, member, ret))
        return fail_invalid(&problems, err);
    size_t first = 0;
    size_t second = 0;
    if (!edit_list_find_duplicate(ret, &first, &second))
        return 0;
    (void)error_set(err, ERR_USAGE, "%s[%zu] and %s[%zu] are about the same: %s of sample %.*s",
                    member, first, member, second, edit_kind_name(ret->items[first].kind),
                    STR_ARG(str_slice(ret->items[first].sample_uuid, 0, 100)));
    return error_code(err, "edit.duplicate");
}

/* --- where the samples are, and whether the caller may --- */

static int find_places(RouteCtx *ctx, const EditList *list, EditsPlace *places, Error *err)
{
    const QueriesAccess all = {.sees_all = true};
    auto_buf Buf missing = BUF_INIT(WORDS_MAX);
    size_t n_missing = 0;
    for (size_t i = 0; i < list->n; i++) {
        QueriesPlace place = {0};
        auto_error Error looking = ERROR_INIT;
        Str uuid = list->items[i].sample_uuid;
        if (queries_place(ctx->app->sql, &all, uuid, ctx->arena, &place, &looking) == 0) {
            places[i] = (EditsPlace){place.eval_set_id, place.log_key, place.id, place.epoch};
            continue;
        }
        if (looking.kind != ERR_NOT_FOUND)
            return error_move(err, &looking);
        if (n_missing++ < MISSING_SHOWN)
            buf_printf(&missing, "%s%.*s", missing.len ? ", " : "",
                       STR_ARG(str_slice(uuid, 0, 100)));
    }
    if (n_missing == 0)
        return 0;
    (void)error_set(err, ERR_NOT_FOUND, "there is no sample %s%s", missing.data,
                    n_missing > MISSING_SHOWN ? ", ..." : "");
    return error_code(err, "edit.no_sample");
}

/* Whether an earlier edit of the list needs the same of the same eval set. */
static bool was_checked(const EditList *list, const EditsPlace *places, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (edit_kind_rewrites(list->items[k].kind) == edit_kind_rewrites(list->items[i].kind) &&
            strcmp(places[k].eval_set_id, places[i].eval_set_id) == 0)
            return true;
    return false;
}

/* A sample is known by its uuid, also to who may not know where it is. */
static const char *log_words(RouteCtx *ctx, const Edit *edit)
{
    Str uuid = str_slice(edit->sample_uuid, 0, 100);
    return arena_printf(ctx->arena, "the log of sample %.*s", STR_ARG(uuid));
}

/* Who may not even see an eval set hears of that first, whatever else is asked for. */
static int check_access(RouteCtx *ctx, const EditList *list, const EditsPlace *places, Error *err)
{
    for (int for_owners = 0; for_owners < 2; for_owners++) {
        for (size_t i = 0; i < list->n; i++) {
            bool rewrites = edit_kind_rewrites(list->items[i].kind);
            if ((for_owners && !rewrites) || was_checked(list, places, i))
                continue;
            AccessResource resource = {.name = places[i].eval_set_id,
                                       .shown = log_words(ctx, &list->items[i])};
            if (logs_resource(ctx, places[i].eval_set_id, &resource, err) < 0 ||
                access_allows(ctx->caller, for_owners ? ACCESS_SAMPLE_EDIT : ACCESS_SAMPLE_APPEND,
                              &resource, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* --- the routes --- */

static int submit(RouteCtx *ctx, const char *member, EditForm form, Error *err)
{
    EditList list = {0};
    if (read_list(ctx, member, form, &list, err) < 0)
        return -1;
    EditsPlace *places = arena_array(ctx->arena, list.n, sizeof(*places));
    if (find_places(ctx, &list, places, err) < 0 || check_access(ctx, &list, places, err) < 0)
        return -1;
    const EditsRequest request = {.author = ctx->caller, .list = &list, .places = places};
    char uuid[RANDOM_UUID_MAX];
    if (edits_submit(ctx->app->edits, &request, uuid, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "request_uuid", uuid);
    json_out_end_object(&out);
    http_response_status(ctx->response, 202);
    route_send_json(ctx, &body);
    return 0;
}

static int post_sample_edits(RouteCtx *ctx, Error *err)
{
    return submit(ctx, "edits", EDIT_FORM_ANY, err);
}

static int post_info_events(RouteCtx *ctx, Error *err)
{
    return submit(ctx, "events", EDIT_FORM_INFO_EVENT, err);
}

static int post_score_events(RouteCtx *ctx, Error *err)
{
    return submit(ctx, "events", EDIT_FORM_SCORE_EVENT, err);
}

/* How the import of a log goes whose edits are done: NULL when there is nothing to tell. */
static int find_import(RouteCtx *ctx, const EditsLog *log, const char **ret, Error *err)
{
    QueriesImports imports = {0};
    *ret = NULL;
    if (log->state != EDITS_DONE)
        return 0;
    if (queries_imports(ctx->app->sql, ctx->app->store, str_of(log->eval_set_id), ctx->arena,
                        &imports, err) < 0)
        return -1;
    auto_free char *location = store_location(ctx->app->store, log->log_key);
    for (size_t i = 0; i < imports.n_logs; i++)
        if (strcmp(imports.logs[i].location, location) == 0)
            *ret = imports.logs[i].status;
    return 0;
}

static int write_log(RouteCtx *ctx, const EditsLog *log, JsonOut *out, Error *err)
{
    const char *import = NULL;
    if (find_import(ctx, log, &import, err) < 0)
        return -1;
    auto_free char *location = store_location(ctx->app->store, log->log_key);
    json_out_object(out);
    json_out_kvz(out, "eval_set_id", log->eval_set_id);
    json_out_kvz(out, "location", location);
    json_out_kvz(out, "filename", strrchr(location, '/') + 1);
    json_out_kv_int(out, "edit_count", log->n_edits);
    json_out_kvz(out, "state", edits_state_name(log->state));
    json_out_kvz(out, "reason", log->reason);
    json_out_kvz(out, "import_status", import);
    json_out_kv_time(out, "updated_at", log->updated_us);
    json_out_end_object(out);
    return 0;
}

static int may_see(RouteCtx *ctx, const EditsStatus *status, Error *err)
{
    for (size_t i = 0; i < status->n; i++) {
        const char *id = status->logs[i].eval_set_id;
        AccessResource resource = {.name = id, .shown = "the logs of this request"};
        if (i > 0 && strcmp(id, status->logs[i - 1].eval_set_id) == 0)
            continue;
        if (logs_resource(ctx, id, &resource, err) < 0 ||
            access_allows(ctx->caller, ACCESS_LOG_READ, &resource, err) < 0)
            return -1;
    }
    return 0;
}

static int get_sample_edits(RouteCtx *ctx, Error *err)
{
    EditsStatus status = {0};
    if (edits_status(ctx->app->edits, ctx->arena, ctx->params[0], &status, err) < 0 ||
        may_see(ctx, &status, err) < 0)
        return -1;
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kv_str(&out, "request_uuid", ctx->params[0]);
    json_out_kvz(&out, "author", status.author);
    json_out_kv_time(&out, "created_at", status.created_us);
    json_out_kvz(&out, "state", edits_state_name(status.state));
    json_out_kv_array(&out, "logs");
    for (size_t i = 0; i < status.n; i++)
        if (write_log(ctx, &status.logs[i], &out, err) < 0)
            return -1;
    json_out_end_array(&out);
    json_out_end_object(&out);
    if (buf_check(&body, "the answer", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

/* clang-format off */
#define EDIT_STATES "'pending' | 'applying' | 'done' | 'failed'"

static const Shape shapes[] = {
    { "Score", "value: any; answer?: str?; explanation?: str?; metadata?: object?; ..." },
    { "ScoreEditDetails",
      "type: 'score_edit'; scorer: str; reason: str; value: any = 'UNCHANGED'; answer: str? = 'UNCHANGED';"
      " explanation: str? = 'UNCHANGED'; metadata: object | 'UNCHANGED' = 'UNCHANGED'" },
    { "InvalidateSampleDetails",   "type: 'invalidate_sample'; reason: str" },
    { "UninvalidateSampleDetails", "type: 'uninvalidate_sample'" },
    { "AppendInfoEventDetails",    "type: 'append_info_event'; source: str; data: any" },
    { "AppendScoreEventDetails",   "type: 'append_score_event'; scorer: str; score: Score; intermediate: bool = false" },
    { "SampleEdit",
      "sample_uuid: str; details: ScoreEditDetails | InvalidateSampleDetails | UninvalidateSampleDetails |"
      " AppendInfoEventDetails | AppendScoreEventDetails" },
    { "SampleEditRequest",        "edits: SampleEdit[](1..1000)" },
    { "AppendInfoEventsRequest",  "events: {sample_uuid: str; source: str; data: any}[](1..1000)" },
    { "AppendScoreEventsRequest",
      "events: {sample_uuid: str; scorer: str; score: Score; intermediate: bool = false}[](1..1000)" },
    { "SampleEditResponse", "request_uuid: str" },
    { "SampleEditLog",
      "eval_set_id: str; location: str; filename: str; edit_count: int; state: " EDIT_STATES "; reason: str?;"
      " import_status: str?; updated_at: time" },
    { "SampleEditStatus",
      "request_uuid: str; author: str; created_at: time; state: " EDIT_STATES "; logs: SampleEditLog[]" },
};

static const Route rows[] = {
    { "POST", "/meta/sample_edits",                ROUTE_CHANGE, post_sample_edits, "change samples of finished logs",
      .body = "SampleEditRequest", .answer = "202 SampleEditResponse" },
    { "GET",  "/meta/sample_edits/{request_uuid}", ROUTE_READ,   get_sample_edits,  "how far such a change is",
      .answer = "SampleEditStatus" },
    { "POST", "/meta/append_info_events",          ROUTE_CHANGE, post_info_events,  "add an info event to samples",
      .body = "AppendInfoEventsRequest", .answer = "202 SampleEditResponse" },
    { "POST", "/meta/append_score_events",         ROUTE_CHANGE, post_score_events, "add a score event to samples",
      .body = "AppendScoreEventsRequest", .answer = "202 SampleEditResponse" },
};
/* clang-format on */

const RouteTable routes_edits = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
