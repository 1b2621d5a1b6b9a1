/* /humans: people who take evaluations themselves. Everybody sees who there is; whoever registered
   somebody changes the entry. */

#include "server/routes.h"

#include "access/access.h"
#include "access/humans.h"
#include "base/clock.h"
#include "server/server_priv.h"

enum { ANSWER_MAX = 16 << 20 };

static int text_member(RouteCtx *ctx, const Json *body, const char *key, const char **ret,
                       Error *err)
{
    const Json *member = json_get(body, key);
    if (!member || member->type != JSON_STRING)
        return error_set(err, ERR_BAD_DATA, "%s: expected a text", key);
    Str text = str_trim(member->text);
    if (text.n > 0 && memchr(text.p, '\0', text.n))
        return error_set(err, ERR_BAD_DATA, "%s: expected a text without NUL", key);
    *ret = arena_strndup(ctx->arena, text.p ? text.p : "", text.n);
    return 0;
}

static void send_human(RouteCtx *ctx, const Human *human)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_object(&out);
    json_out_kvz(&out, "name", human->name);
    json_out_kvz(&out, "ssh_public_key", human->ssh_public_key);
    json_out_kv_time(&out, "created_at", human->created_us);
    json_out_kv_time(&out, "updated_at", human->updated_us);
    json_out_end_object(&out);
    route_send_json(ctx, &body);
}

static int write_item(void *context, const Human *human, Error *err)
{
    (void)err;
    JsonOut *out = context;
    auto_buf Buf fingerprint = BUF_INIT(128);
    humans_add_fingerprint(&fingerprint, str_of(human->ssh_public_key));
    json_out_object(out);
    json_out_kvz(out, "name", human->name);
    json_out_kv_str(out, "ssh_public_key_fingerprint", buf_str(&fingerprint));
    json_out_kv_time(out, "created_at", human->created_us);
    json_out_end_object(out);
    return 0;
}

static int human_list(RouteCtx *ctx, Error *err)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    json_out_array(&out);
    if (humans_list(ctx->app->sql, write_item, &out, err) < 0)
        return -1;
    json_out_end_array(&out);
    if (buf_check(&body, "the answer", err) < 0)
        return -1;
    route_send_json(ctx, &body);
    return 0;
}

static int human_add(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    Human human = {.created_by = ctx->caller->sub, .created_us = clock_now_us()};
    human.updated_us = human.created_us;
    if (access_allows(ctx->caller, ACCESS_HUMAN_ADD, NULL, err) < 0 ||
        route_body_json(ctx, &body, err) < 0 ||
        text_member(ctx, body, "name", &human.name, err) < 0 ||
        text_member(ctx, body, "ssh_public_key", &human.ssh_public_key, err) < 0 ||
        humans_check_name(str_of(human.name), err) < 0 ||
        humans_check_key(str_of(human.ssh_public_key), err) < 0 ||
        humans_add(ctx->app->sql, &human, err) < 0)
        return -1;
    http_response_status(ctx->response, 201);
    send_human(ctx, &human);
    return 0;
}

static int human_get(RouteCtx *ctx, Error *err)
{
    Human human = {0};
    if (humans_get(ctx->app->sql, ctx->arena, ctx->params[0], &human, err) < 0)
        return -1;
    send_human(ctx, &human);
    return 0;
}

/* One that the caller may change. */
static int find_own(RouteCtx *ctx, Human *ret, Error *err)
{
    if (humans_get(ctx->app->sql, ctx->arena, ctx->params[0], ret, err) < 0)
        return -1;
    const AccessResource about = {.name = ret->name, .owner = ret->created_by};
    return access_allows(ctx->caller, ACCESS_HUMAN_CHANGE, &about, err);
}

static int human_update(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    Human human = {0};
    if (route_body_json(ctx, &body, err) < 0 || find_own(ctx, &human, err) < 0 ||
        text_member(ctx, body, "ssh_public_key", &human.ssh_public_key, err) < 0 ||
        humans_check_key(str_of(human.ssh_public_key), err) < 0)
        return -1;
    human.updated_us = clock_now_us();
    if (humans_update(ctx->app->sql, &human, err) < 0)
        return -1;
    send_human(ctx, &human);
    return 0;
}

static int human_delete(RouteCtx *ctx, Error *err)
{
    Human human = {0};
    bool is_busy = false;
    bool is_forced = str_eqz(http_request_param(ctx->request, "force", 0), "true");
    if (find_own(ctx, &human, err) < 0 ||
        humans_is_busy(ctx->app->sql, str_of(human.name), &is_busy, err) < 0)
        return -1;
    if (is_busy && !is_forced) {
        (void)error_set(err, ERR_CONFLICT, "%s was given evaluations", human.name);
        (void)error_fix(err, "--force forgets those too");
        return error_code(err, "human.busy");
    }
    if (humans_delete(ctx->app->sql, str_of(human.name), err) < 0)
        return -1;
    http_response_status(ctx->response, 204);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "CreateHumanRequest", "name: str(1..63); ssh_public_key: str" },
    { "UpdateHumanRequest", "ssh_public_key: str" },
    { "HumanResponse",      "name: str; ssh_public_key: str; created_at: time; updated_at: time" },
    { "HumanListItem",      "name: str; ssh_public_key_fingerprint: str; created_at: time" },
};

static const Route rows[] = {
    { "GET",    "/humans/",       ROUTE_READ,   human_list,   "who is registered",             .answer = "HumanListItem[]" },
    { "GET",    "/humans",        ROUTE_READ,   human_list,   "the same",                      .answer = "HumanListItem[]" },
    { "POST",   "/humans/",       ROUTE_CHANGE, human_add,    "register somebody with a key",  .body = "CreateHumanRequest",
      .answer = "201 HumanResponse" },
    { "POST",   "/humans",        ROUTE_CHANGE, human_add,    "the same",                      .body = "CreateHumanRequest",
      .answer = "201 HumanResponse" },
    { "GET",    "/humans/{name}", ROUTE_READ,   human_get,    "somebody with his key",         .answer = "HumanResponse" },
    { "PUT",    "/humans/{name}", ROUTE_CHANGE, human_update, "give somebody another key",     .body = "UpdateHumanRequest",
      .answer = "HumanResponse" },
    { "DELETE", "/humans/{name}", ROUTE_CHANGE, human_delete, "forget somebody",               .query = "force: bool = false",
      .answer = "204" },
};
/* clang-format on */

const RouteTable routes_humans = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
