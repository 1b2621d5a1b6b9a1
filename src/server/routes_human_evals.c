/* /human_evals: eval sets that somebody takes who is registered under /humans. The config is
   rewritten for an agent that lets people in, and submitted like any other. */

#include "server/routes.h"

#include "access/humans.h"
#include "jobs/jobs.h"
#include "jobspec/ids.h"
#include "server/server_priv.h"
#include "server/submits.h"

enum { ANSWER_MAX = 64 << 10, PREFIX_PART = 12 };

/* --- the config --- */

static void set_null(RouteCtx *ctx, Json *object, const char *key)
{
    json_set(object, str_of(key), json_new(ctx->arena, JSON_NULL));
}

static void set_text(RouteCtx *ctx, Json *object, const char *key, const char *text)
{
    json_set(object, str_of(key), json_new_str(ctx->arena, arena_str(ctx->arena, str_of(text))));
}

/* The member as an object, which is made when there is none. */
static Json *object_of(RouteCtx *ctx, Json *parent, const char *key)
{
    Json *object = json_get(parent, key);
    if (object && object->type == JSON_OBJECT)
        return object;
    object = json_new(ctx->arena, JSON_OBJECT);
    json_set(parent, str_of(key), object);
    return object;
}

/* The agent of the server's settings, with the arguments that the config has for it. */
static int set_agent(RouteCtx *ctx, Json *config, Error *err)
{
    const ServerSettings *settings = &ctx->app->settings;
    if (!settings->human_agent_package || !settings->human_agent_name ||
        !settings->human_agent_item) {
        (void)error_set(err, ERR_BAD_DATA, "this server has no agent for people");
        (void)error_fix(err, "name one under agents and give --no-rewrite, or have an "
                             "administrator set HAWK_API_DEFAULT_HUMAN_AGENT_PACKAGE, _NAME and "
                             "_ITEM");
        return error_code(err, "human.no_agent");
    }
    Json *args = json_get(json_get(config, "human_eval"), "agent_args");
    Json *item = json_new(ctx->arena, JSON_OBJECT);
    Json *items = json_new(ctx->arena, JSON_ARRAY);
    Json *agent = json_new(ctx->arena, JSON_OBJECT);
    Json *agents = json_new(ctx->arena, JSON_ARRAY);
    set_text(ctx, item, "name", settings->human_agent_item);
    if (!json_is_null(args))
        json_set(item, STR("args"), json_copy(ctx->arena, args));
    json_append(items, item);
    set_text(ctx, agent, "package", settings->human_agent_package);
    set_text(ctx, agent, "name", settings->human_agent_name);
    json_set(agent, STR("items"), items);
    json_append(agents, agent);
    json_set(config, STR("agents"), agents);
    return 0;
}

/* People take one sample once, as long as they like. */
static int rewrite(RouteCtx *ctx, Json *config, Error *err)
{
    static const char *const nulls[] = {"solvers", "cost_limit", "token_limit", "message_limit",
                                        "approval"};
    if (set_agent(ctx, config, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
        set_null(ctx, config, nulls[i]);
    json_set(config, STR("epochs"), json_new_int(ctx->arena, 1));
    json_set(config, STR("limit"), json_new_int(ctx->arena, 1));
    Json *runner = object_of(ctx, config, "runner");
    if (json_is_null(json_get(runner, "cleanup")))
        json_set(runner, STR("cleanup"), json_new_bool(ctx->arena, false));
    return 0;
}

/* Every agent and solver is told who may log in. */
static void add_key(RouteCtx *ctx, Json *config, const char *list, const char *key)
{
    const Json *packages = json_get(config, list);
    for (Json *package = packages ? packages->first : NULL; package; package = package->next) {
        const Json *items = json_get(package, "items");
        for (Json *item = items ? items->first : NULL; item; item = item->next)
            if (item->type == JSON_OBJECT)
                set_text(ctx, object_of(ctx, item, "args"), "public_key", key);
    }
}

static int check_isolation(const Json *config, Error *err)
{
    const Json *isolation = json_get(config, "isolation");
    Str level = isolation && isolation->type == JSON_STRING
                    ? isolation->text
                    : json_text(isolation, "level", STR(""));
    if (!str_eqz(level, "strict"))
        return 0;
    (void)error_set(err, ERR_BAD_DATA, "nobody can log in to a sandbox that is strictly isolated");
    return error_code(err, "human.isolation");
}

/* "<who>-<task>-<random>", unless the config has an id. */
static void choose_id(RouteCtx *ctx, Json *config, const char *human)
{
    char id[IDS_JOB_ID_MAX + 1];
    const Json *tasks = json_get(config, "tasks");
    const Json *items = tasks ? json_get(tasks->first, "items") : NULL;
    Str task = json_text(items ? items->first : NULL, "name", STR("task"));
    if (!json_is_null(json_get(config, "eval_set_id")))
        return;
    ids_generate(str_of(arena_printf(ctx->arena, "%.*s-%.*s", PREFIX_PART, human,
                                     STR_ARG(str_slice(task, 0, PREFIX_PART)))),
                 id);
    set_text(ctx, config, "eval_set_id", id);
}

static int prepare(RouteCtx *ctx, const Json *body, const Human *human, Json **ret, Error *err)
{
    Json *config = json_get(body, "eval_set_config");
    if (!config || config->type != JSON_OBJECT)
        return error_set(err, ERR_BAD_DATA, "eval_set_config: is needed");
    if (check_isolation(config, err) < 0 ||
        (json_bool(body, "rewrite", true) && rewrite(ctx, config, err) < 0))
        return -1;
    add_key(ctx, config, "agents", human->ssh_public_key);
    add_key(ctx, config, "solvers", human->ssh_public_key);
    choose_id(ctx, config, human->name);
    *ret = config;
    return 0;
}

/* --- handlers --- */

/* Who takes it is noted before it begins, so that it is never anybody's. */
static int submit(RouteCtx *ctx, const Human *human, Str id, const JobsRequest *request, Error *err)
{
    auto_error Error ignored = ERROR_INIT;
    JobsSubmitted submitted = {0};
    if (humans_assign(ctx->app->sql, str_of(human->name), id, err) < 0)
        return -1;
    if (jobs_submit(ctx->app->jobs, ctx->caller, request, ctx->arena, &submitted, err) == 0)
        return 0;
    (void)!humans_unassign(ctx->app->sql, str_of(human->name), id, &ignored);
    return -1;
}

/* One that is there is nobody's to be given again. */
static int check_is_new(RouteCtx *ctx, Str id, Error *err)
{
    Job job = {0};
    auto_error Error missing = ERROR_INIT;
    const char *name = arena_strndup(ctx->arena, id.p, id.n);
    if (jobs_get(ctx->app->jobs, ctx->arena, name, &job, &missing) == 0) {
        (void)error_set(err, ERR_CONFLICT, "there is a job %s", name);
        return error_code(err, "job.exists");
    }
    return missing.kind == ERR_NOT_FOUND ? 0 : error_move(err, &missing);
}

static int human_eval_create(RouteCtx *ctx, Error *err)
{
    Json *body = NULL;
    Json *config = NULL;
    Human human = {0};
    auto_submits_secrets SubmitsSecrets secrets = {0};
    JobsRequest request = {.type = JOB_EVAL_SET, .is_human_eval = true};
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    if (route_body_json(ctx, &body, err) < 0 ||
        submits_read(ctx, body, STR("medium"), &request, &secrets, err) < 0)
        return -1;
    Str name = json_text(body, "human", STR_NONE);
    if (!name.p)
        return error_set(err, ERR_BAD_DATA, "human: expected a text");
    if (humans_get(ctx->app->sql, ctx->arena, name, &human, err) < 0 ||
        prepare(ctx, body, &human, &config, err) < 0 ||
        submits_config(ctx, config, "eval_set_config", JOBSPEC_EVAL_SET, &secrets, &request.spec,
                       err) < 0)
        return -1;
    Str id = jobspec_pinned_id(request.spec);
    if (check_is_new(ctx, id, err) < 0 || submit(ctx, &human, id, &request, err) < 0)
        return -1;
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kv_str(&out, "eval_set_id", id);
    json_out_kvz(&out, "human", human.name);
    json_out_end_object(&out);
    http_response_status(ctx->response, 201);
    route_send_json(ctx, &answer);
    return 0;
}

static void write_assignment(JsonOut *out, const char *human, const Job *job)
{
    int64_t end_us = job->finished_us ? job->finished_us : job->deleted_us;
    json_out_object(out);
    json_out_kvz(out, "human", human);
    if (job_state_is_over(job->state) && end_us)
        json_out_kv_time(out, "completed_at", end_us);
    else
        json_out_kv_null(out, "completed_at");
    json_out_end_object(out);
}

static int human_eval_get(RouteCtx *ctx, Error *err)
{
    Job job = {0};
    const char *human = NULL;
    auto_buf Buf answer = BUF_INIT(ANSWER_MAX);
    JsonOut out;
    const char *id = arena_strndup(ctx->arena, ctx->params[0].p, ctx->params[0].n);
    if (jobs_get_for(ctx->app->jobs, ctx->caller, ctx->arena, id, &job, err) < 0 ||
        humans_assigned(ctx->app->sql, ctx->arena, ctx->params[0], &human, err) < 0)
        return -1;
    if (!human)
        return error_set(err, ERR_NOT_FOUND, "Human eval not found.");
    json_out_init(&out, &answer, 0);
    json_out_object(&out);
    json_out_kvz(&out, "eval_set_id", id);
    json_out_kvz(&out, "jumphost_host", ctx->app->settings.jumphost);
    json_out_kv_array(&out, "assignments");
    write_assignment(&out, human, &job);
    json_out_end_array(&out);
    json_out_end_object(&out);
    route_send_json(ctx, &answer);
    return 0;
}

/* clang-format off */
static const Shape shapes[] = {
    { "CreateHumanEvalRequest",
      "human: str; eval_set_config: EvalSetConfig; priority: 'low' | 'medium' | 'high' = 'medium'; secrets?: str{}?;"
      " rewrite: bool = true; image?: str?; image_tag?: str?; force: bool = false; refresh_token?: str?" },
    { "CreateHumanEvalResponse", "eval_set_id: str; human: str" },
    { "GetHumanEvalResponse",
      "eval_set_id: str; jumphost_host: str?; assignments: HumanEvalAssignmentResponse[]" },
    { "HumanEvalAssignmentResponse", "human: str; completed_at: time?" },
};

static const Route rows[] = {
    { "POST", "/human_evals/", ROUTE_CHANGE, human_eval_create, "submit an eval set that somebody takes",
      .body = "CreateHumanEvalRequest", .answer = "201 CreateHumanEvalResponse" },
    { "POST", "/human_evals",  ROUTE_CHANGE, human_eval_create, "the same",
      .body = "CreateHumanEvalRequest", .answer = "201 CreateHumanEvalResponse" },
    { "GET",  "/human_evals/{eval_set_id}", ROUTE_READ, human_eval_get, "who takes an eval set",
      .answer = "GetHumanEvalResponse" },
};
/* clang-format on */

const RouteTable routes_human_evals = {rows, ARRAY_LEN(rows), shapes, ARRAY_LEN(shapes)};
