/* /code_rules: which group the code of a place is for; for administrators only. */

#include "server/routes.h"

#include "access/access.h"
#include "access/code_rules.h"
#include "server/server_priv.h"

enum { ANSWER_MAX = 16 << 20 };

static void write_rule(const CodeRule *rule, JsonOut *out)
{
    json_out_object(out);
    json_out_kv_str(out, "pk", rule->pk);
    json_out_kv_str(out, "url_prefix", rule->url_prefix);
    json_out_kv_str(out, "group", rule->group);
    json_out_end_object(out);
}

static void send_rule(RouteCtx *ctx, const CodeRule *rule)
{
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    json_out_init(&out, &body, 0);
    write_rule(rule, &out);
    route_send_json(ctx, &body);
}

static int code_rule_list(RouteCtx *ctx, Error *err)
{
    CodeRule *rules = NULL;
    size_t n = 0;
    auto_buf Buf body = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    if (access_allows(ctx->caller, ACCESS_CODE_RULE_READ, NULL, err) < 0 ||
        code_rules_list(ctx->app->sql, ctx->arena, &rules, &n, err) < 0)
        return -1;
    json_out_init(&out, &body, 0);
    json_out_array(&out);
    for (size_t i = 0; i < n; i++)
        write_rule(&rules[i], &out);
    json_out_end_array(&out);
    route_send_json(ctx, &body);
    return 0;
}

/* Both members have to be there, and no other: that a rule is for everybody is said, and not what
   comes of a misspelled name. */
static int read_rule(RouteCtx *ctx, CodeRule *ret, Error *err)
{
    Json *body = NULL;
    if (route_body_json(ctx, &body, err) < 0)
        return -1;
    const Json *prefix = json_get(body, "url_prefix");
    const Json *group = json_get(body, "group");
    if (!prefix || prefix->type != JSON_STRING)
        return error_set(err, ERR_BAD_DATA, "url_prefix: expected a text");
    if (!group || (group->type != JSON_STRING && group->type != JSON_NULL))
        return error_set(err, ERR_BAD_DATA, "group: expected a text, or null for everybody");
    for (const Json *item = body->first; item; item = item->next)
        if (!str_eqz(item->key, "url_prefix") && !str_eqz(item->key, "group"))
            return error_set(err, ERR_BAD_DATA, "%.*s: is no part of a rule",
                             STR_ARG(str_slice(item->key, 0, 100)));
    ret->url_prefix = prefix->text;
    ret->group = group->type == JSON_STRING ? group->text : STR_NONE;
    return code_rules_check(ret, err);
}

static int allow_change(RouteCtx *ctx, Error *err)
{
    const AccessResource about = {.name = "the rules for code"};
    return access_allows(ctx->caller, ACCESS_CODE_RULE_CHANGE, &about, err);
}

static int code_rule_add(RouteCtx *ctx, Error *err)
{
    CodeRule rule = {0};
    if (allow_change(ctx, err) < 0 || read_rule(ctx, &rule, err) < 0 ||
        code_rules_add(ctx->app->sql, ctx->arena, &rule, err) < 0)
        return -1;
    http_response_status(ctx->response, 201);
    send_rule(ctx, &rule);
    return 0;
}

/* The pk of the path, if the caller may change rules. */
static int find_pk(RouteCtx *ctx, Str *ret, Error *err)
{
    if (allow_change(ctx, err) < 0)
        return -1;
    if (!str_is_uuid(ctx->params[0]))
        return error_set(err, ERR_BAD_DATA, "pk: expected a UUID");
    *ret = ctx->params[0];
    return 0;
}

static int code_rule_update(RouteCtx *ctx, Error *err)
{
    CodeRule rule = {0};
    if (find_pk(ctx, &rule.pk, err) < 0 || read_rule(ctx, &rule, err) < 0 ||
        code_rules_update(ctx->app->sql, &rule, err) < 0)
        return -1;
    send_rule(ctx, &rule);
    return 0;
}

static int code_rule_delete(RouteCtx *ctx, Error *err)
{
    Str pk = STR_NONE;
    if (find_pk(ctx, &pk, err) < 0 || code_rules_delete(ctx->app->sql, pk, err) < 0)
        return -1;
    http_response_status(ctx->response, 204);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "RuleBody",     "url_prefix: str(1..1000); group: str(1..52)?" },
    { "RuleResponse", "pk: str; url_prefix: str; group: str?" },
};

static const Route rows[] = {
    { "GET",    "/code_rules/",     ROUTE_READ,   code_rule_list,   "which group the code of a place is for", .answer = "RuleResponse[]" },
    { "GET",    "/code_rules",      ROUTE_READ,   code_rule_list,   "the same",       .answer = "RuleResponse[]" },
    { "POST",   "/code_rules/",     ROUTE_CHANGE, code_rule_add,    "add a rule",     .body = "RuleBody", .answer = "201 RuleResponse" },
    { "POST",   "/code_rules",      ROUTE_CHANGE, code_rule_add,    "the same",       .body = "RuleBody", .answer = "201 RuleResponse" },
    { "PUT",    "/code_rules/{pk}", ROUTE_CHANGE, code_rule_update, "change a rule",  .body = "RuleBody", .answer = "RuleResponse" },
    { "DELETE", "/code_rules/{pk}", ROUTE_CHANGE, code_rule_delete, "remove a rule",  .answer = "204" },
};
/* clang-format on */

const RouteTable routes_code_rules = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
