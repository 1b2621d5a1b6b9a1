/* The fields of an eval set. */

#include "jobspec/schema_priv.h"

#define NAMED_END                                                                                  \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static const SchemaField int_item = {.types = SCHEMA_INT};
static const SchemaField id_item = {.types = SCHEMA_STR | SCHEMA_INT};
static const SchemaField path_item = {.types = SCHEMA_STR, .rule = schema_rule_absolute_path};
static const SchemaField paths_item = {.types = SCHEMA_LIST, .item = &path_item};
static const SchemaField specifier_item = {.types = SCHEMA_STR, .rule = schema_rule_package};

/* --- isolation --- */

static const char *const level_words[] = {"standard", "strict", NULL};

/* clang-format off */
static const SchemaField isolation_fields[] = {
    {.name = "level", .types = SCHEMA_STR, .words = level_words, .fallback = "\"standard\"",
     .help = "standard: what the deployment gives; strict: no network, nothing written, a kernel "
             "of its own."},
    {.name = "allow_domains", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_text_item,
     .help = "Domains that the sandbox may reach at level strict."},
    {.name = "allow_cidr", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_text_item,
     .help = "Networks (10.20.0.0/24) that the sandbox may reach at level strict."},
    {.name = "runtime_class", .types = SCHEMA_STR | SCHEMA_NULL,
     .help = "Kubernetes RuntimeClass of every sandbox service; beats the task's."},
    {.name = "allow_gpu", .types = SCHEMA_BOOL, .fallback = "false",
     .help = "Let services with a GPU run at level strict without the kernel of their own."},
    {.name = "non_root", .types = SCHEMA_BOOL, .fallback = "false",
     .help = "At level strict also demand a user other than root; the image must name one."},
    {.name = "read_only_root", .types = SCHEMA_BOOL, .fallback = "false",
     .help = "At level strict also mount the root file system read-only."},
    NAMED_END,
};
/* clang-format on */

static const SchemaObject isolation = {
    .name = "IsolationConfig",
    .help = "How locked down sandboxes are.",
    .fields = isolation_fields,
    .extra = SCHEMA_FORBID,
    .rule = schema_rule_isolation_exceptions,
};

/* --- items --- */

/* clang-format off */
static const SchemaField task_fields[] = {
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .help = "Name of the task."},
    {.name = "args", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Arguments of the task."},
    {.name = "sample_ids", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &id_item, .min_len = 1,
     .help = "Samples to run; all when not given."},
    {.name = "isolation", .types = SCHEMA_STR | SCHEMA_OBJECT | SCHEMA_NULL,
     .words = level_words, .object = &isolation, .rule = schema_rule_isolation,
     .help = "Isolation of this task's sandboxes; not weaker than the eval set's."},
    {.name = "secrets", .types = SCHEMA_LIST, .item = &schema_secret_item, .fallback = "[]",
     .help = "Secrets that the task needs."},
    NAMED_END,
};
static const SchemaField solver_fields[] = {
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .help = "Name of the solver."},
    {.name = "args", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Arguments of the solver."},
    NAMED_END,
};
static const SchemaField agent_fields[] = {
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .help = "Name of the agent."},
    {.name = "args", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Arguments of the agent."},
    NAMED_END,
};
/* clang-format on */

static const SchemaObject task = {.name = "TaskConfig", .help = "A task.", .fields = task_fields};
static const SchemaObject solver = {
    .name = "SolverConfig", .help = "A solver.", .fields = solver_fields};
static const SchemaObject agent = {
    .name = "AgentConfig", .help = "An agent.", .fields = agent_fields};

static const SchemaField task_item = {
    .types = SCHEMA_OBJECT, .object = &task, .advice = "write `- name: the_task`"};
static const SchemaField solver_item = {
    .types = SCHEMA_OBJECT, .object = &solver, .advice = "write `- name: the_solver`"};
static const SchemaField agent_item = {
    .types = SCHEMA_OBJECT, .object = &agent, .advice = "write `- name: the_agent`"};

/* --- packages --- */

static const char *const builtin_words[] = {"inspect-ai", NULL};

/* clang-format off */
#define PACKAGE_FIELDS                                                                             \
    {.name = "package", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED,                             \
     .not_pattern = "inspect[-_]ai", .rule = schema_rule_package,                                  \
     .help = "What to install: a PEP 508 specifier or a Git URL (git+https://...).",               \
     .advice = "for solvers, agents and models that are built into Inspect write `package: "       \
               "inspect-ai`, without a version; tasks always come from a package of their own"},   \
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED,                                \
     .help = "Name of the package's entry point in the group inspect_ai; comes before the items' " \
             "names."}
#define BUILTIN_FIELD                                                                              \
    {.name = "package", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .words = builtin_words,     \
     .help = "Inspect itself."}
#define ITEMS(field, text)                                                                         \
    {.name = "items", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &(field),            \
     .help = (text)}

static const SchemaField task_package_fields[] = {
    PACKAGE_FIELDS, ITEMS(task_item, "Tasks of the package."), NAMED_END};
static const SchemaField solver_package_fields[] = {
    PACKAGE_FIELDS, ITEMS(solver_item, "Solvers of the package."), NAMED_END};
static const SchemaField agent_package_fields[] = {
    PACKAGE_FIELDS, ITEMS(agent_item, "Agents of the package."), NAMED_END};
static const SchemaField solver_builtin_fields[] = {
    BUILTIN_FIELD, ITEMS(solver_item, "Solvers of Inspect."), NAMED_END};
static const SchemaField agent_builtin_fields[] = {
    BUILTIN_FIELD, ITEMS(agent_item, "Agents of Inspect."), NAMED_END};
/* clang-format on */

static const SchemaObject task_package = {
    .name = "TaskPackage", .help = "Tasks of a Python package.", .fields = task_package_fields};
static const SchemaObject solver_package = {.name = "SolverPackage",
                                            .help = "Solvers of a Python package.",
                                            .fields = solver_package_fields};
static const SchemaObject agent_package = {
    .name = "AgentPackage", .help = "Agents of a Python package.", .fields = agent_package_fields};
static const SchemaObject solver_builtin = {.name = "SolverBuiltin",
                                            .help = "Solvers that are built into Inspect.",
                                            .fields = solver_builtin_fields};
static const SchemaObject agent_builtin = {.name = "AgentBuiltin",
                                           .help = "Agents that are built into Inspect.",
                                           .fields = agent_builtin_fields};

static const SchemaObject *const solver_objects[] = {&solver_package, &solver_builtin, NULL};
static const SchemaObject *const agent_objects[] = {&agent_package, &agent_builtin, NULL};
static const SchemaChoice solver_choice = {.objects = solver_objects, .pick = schema_pick_package};
static const SchemaChoice agent_choice = {.objects = agent_objects, .pick = schema_pick_package};

static const SchemaField task_package_item = {
    .types = SCHEMA_OBJECT,
    .object = &task_package,
    .advice = "write `- package: git+https://...`, `name: my_tasks`, `items: [{name: my_task}]`",
};
static const SchemaField solver_package_item = {
    .types = SCHEMA_OBJECT,
    .choice = &solver_choice,
    .advice = "write `- package: inspect-ai`, `items: [{name: generate}]`",
};
static const SchemaField agent_package_item = {
    .types = SCHEMA_OBJECT,
    .choice = &agent_choice,
    .advice = "write `- package: inspect-ai`, `items: [{name: react}]`",
};

/* --- smaller parts --- */

static const char *const trigger_words[] = {"time", "turn", "token", "manual", NULL};

/* clang-format off */
static const SchemaField cost_fields[] = {
    {.name = "input", .types = SCHEMA_REAL, .flags = SCHEMA_REQUIRED,
     .help = "Dollars per million input tokens."},
    {.name = "output", .types = SCHEMA_REAL, .flags = SCHEMA_REQUIRED,
     .help = "Dollars per million output tokens."},
    {.name = "input_cache_write", .types = SCHEMA_REAL, .flags = SCHEMA_REQUIRED,
     .help = "Dollars per million input tokens written to the cache."},
    {.name = "input_cache_read", .types = SCHEMA_REAL, .flags = SCHEMA_REQUIRED,
     .help = "Dollars per million input tokens read from the cache."},
    NAMED_END,
};
static const SchemaField approver_fields[] = {
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED,
     .help = "Name of the approver."},
    {.name = "tools", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &schema_text_item,
     .help = "Tools whose calls it decides on.",
     .advice = "write a list: `tools: [\"*\"]`"},
    {.name = "args", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .rule = schema_rule_approver_args, .help = "Arguments of the approver."},
    NAMED_END,
};
static const SchemaObject approver = {
    .name = "ApproverConfig", .help = "Who decides on which tool calls.", .fields = approver_fields};
static const SchemaField approver_item = {.types = SCHEMA_OBJECT, .object = &approver};
static const SchemaField approval_fields[] = {
    {.name = "approvers", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &approver_item,
     .help = "Approvers, asked in this order."},
    NAMED_END,
};
static const SchemaField epochs_fields[] = {
    {.name = "epochs", .types = SCHEMA_INT, .flags = SCHEMA_REQUIRED,
     .help = "How often each sample runs."},
    {.name = "reducer", .types = SCHEMA_STR | SCHEMA_LIST | SCHEMA_NULL, .item = &schema_text_item,
     .help = "How the scores of a sample's epochs become one: mean, median, mode, max, at_least_2."},
    NAMED_END,
};
static const SchemaField trigger_fields[] = {
    {.name = "type", .types = SCHEMA_STR, .words = trigger_words, .fallback = "\"time\"",
     .help = "What a checkpoint waits for: seconds, turns, tokens, or the agent's own call."},
    {.name = "every", .types = SCHEMA_INT | SCHEMA_NULL, .has_min = true, .min = 1,
     .help = "How many of them; 600 seconds when not given."},
    NAMED_END,
};
static const SchemaObject trigger = {
    .name = "CheckpointTriggerConfig", .help = "When a checkpoint is made.",
    .fields = trigger_fields, .extra = SCHEMA_FORBID, .rule = schema_rule_trigger};
static const SchemaField checkpoint_fields[] = {
    {.name = "enabled", .types = SCHEMA_BOOL, .fallback = "false",
     .help = "Save the state of running samples, so that a resumed eval set goes on from there. "
             "Works with agents that use Inspect's checkpointer."},
    {.name = "trigger", .types = SCHEMA_OBJECT, .object = &trigger, .fallback = "{}",
     .help = "When a checkpoint is made."},
    {.name = "sandbox_paths", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &paths_item,
     .help = "Paths to save, by sandbox; replaces what tasks and samples say."},
    {.name = "max_consecutive_failures", .types = SCHEMA_INT | SCHEMA_NULL, .has_min = true,
     .help = "Failed checkpoints in a row after which the sample fails; no limit when not given."},
    {.name = "checkpoints_location", .types = SCHEMA_STR | SCHEMA_NULL,
     .help = "Where checkpoints go; beside the log when not given."},
    NAMED_END,
};
static const SchemaField bounds_fields[] = {
    {.name = "min", .types = SCHEMA_INT, .flags = SCHEMA_REQUIRED, .has_min = true, .min = 1,
     .help = "Lowest concurrency."},
    {.name = "max", .types = SCHEMA_INT, .flags = SCHEMA_REQUIRED, .has_min = true, .min = 1,
     .help = "Highest concurrency."},
    {.name = "start", .types = SCHEMA_INT | SCHEMA_NULL, .has_min = true, .min = 1,
     .help = "Concurrency at the start."},
    NAMED_END,
};
static const SchemaField human_fields[] = {
    {.name = "agent_args", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Arguments that are put over those of the human agent."},
    NAMED_END,
};
/* clang-format on */

static const SchemaObject cost = {
    .name = "ModelCostConfig", .help = "Prices of a model.", .fields = cost_fields};
static const SchemaField cost_item = {.types = SCHEMA_OBJECT, .object = &cost};
static const SchemaObject approval = {
    .name = "ApprovalConfig", .help = "Approval of tool calls.", .fields = approval_fields};
static const SchemaObject epochs = {
    .name = "EpochsConfig", .help = "Repetition of samples.", .fields = epochs_fields};
static const SchemaObject checkpoint = {
    .name = "CheckpointConfig",
    .help = "Checkpoints of samples.",
    .fields = checkpoint_fields,
    .extra = SCHEMA_FORBID,
};
static const SchemaObject bounds = {
    .name = "AdaptiveConnectionsBounds",
    .help = "Bounds of the requests at a time.",
    .fields = bounds_fields,
    .extra = SCHEMA_FORBID,
};
static const SchemaObject human = {
    .name = "HumanEvalOverrides",
    .help = "Settings of human evaluations.",
    .fields = human_fields,
    .extra = SCHEMA_FORBID,
};

/* --- the eval set --- */

/* clang-format off */
static const SchemaField eval_set_fields[] = {
    {.name = "tags", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_text_item,
     .help = "Tags of the run."},
    {.name = "metadata", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Metadata of the run."},
    {.name = "runner", .types = SCHEMA_OBJECT, .object = &schema_runner, .fallback = "{}",
     .help = "The process or container that the job runs in."},
    {.name = "name", .types = SCHEMA_STR | SCHEMA_NULL, .min_len = 1,
     .help = "Name of the eval set; the beginning of its id. eval-set when not given."},
    {.name = "eval_set_id", .types = SCHEMA_STR | SCHEMA_NULL, .min_len = 1, .max_len = 43,
     .pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", .rule = schema_rule_eval_set_id,
     .advice = "use lower-case letters, digits and '-', with a letter or digit at both ends",
     .help = "Id of the eval set; made from the name when not given. 1 to 43 lower-case letters, "
             "digits and '-'."},
    {.name = "packages", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &specifier_item,
     .help = "More packages to install, as PEP 508 specifiers."},
    {.name = "tasks", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &task_package_item,
     .help = "Tasks to run, by package."},
    {.name = "models", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_model_package_item,
     .help = "Models to run them with, by package."},
    {.name = "model_cost_config", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &cost_item,
     .help = "Prices by model, for cost_limit."},
    {.name = "model_roles", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_model_role_item,
     .help = "Models by role, for get_model(role=...)."},
    {.name = "solvers", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &solver_package_item,
     .help = "Solvers; every task runs with each of them in place of its own."},
    {.name = "agents", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &agent_package_item,
     .help = "Agents; every task runs with each of them in place of its own solver."},
    {.name = "approval", .types = SCHEMA_STR | SCHEMA_OBJECT | SCHEMA_NULL, .object = &approval,
     .help = "Approval of tool calls: the name of a policy, or a list of approvers."},
    {.name = "acp_server", .types = SCHEMA_INT | SCHEMA_NULL, .has_min = true, .min = 1,
     .has_max = true, .max = 65535,
     .help = "Loopback port of Inspect's ACP server, for approvals by people."},
    {.name = "approval_timeout_minutes", .types = SCHEMA_REAL | SCHEMA_NULL,
     .flags = SCHEMA_ABOVE, .has_min = true,
     .help = "How long a call waits for a person's approval."},
    {.name = "score", .types = SCHEMA_BOOL, .fallback = "true", .help = "Score the samples."},
    {.name = "limit", .types = SCHEMA_INT | SCHEMA_LIST | SCHEMA_NULL, .item = &int_item,
     .min_len = 2, .max_len = 2,
     .advice = "write a number of samples, or a range as [from, to]",
     .help = "How many samples of each task, or a range [from, to]."},
    {.name = "sample_shuffle", .types = SCHEMA_BOOL | SCHEMA_INT | SCHEMA_NULL,
     .help = "Shuffle the samples; a number is the seed."},
    {.name = "epochs", .types = SCHEMA_INT | SCHEMA_OBJECT | SCHEMA_NULL, .object = &epochs,
     .help = "How often each sample runs, and how its scores become one."},
    {.name = "message_limit", .types = SCHEMA_INT | SCHEMA_NULL,
     .help = "Most messages of a sample."},
    {.name = "token_limit", .types = SCHEMA_INT | SCHEMA_NULL, .help = "Most tokens of a sample."},
    {.name = "time_limit", .types = SCHEMA_INT | SCHEMA_NULL, .help = "Most seconds of a sample."},
    {.name = "working_limit", .types = SCHEMA_INT | SCHEMA_NULL,
     .help = "Most seconds of work of a sample, without waiting for retries."},
    {.name = "cost_limit", .types = SCHEMA_REAL | SCHEMA_NULL, .help = "Most dollars of a sample."},
    {.name = "retry_attempts", .types = SCHEMA_INT | SCHEMA_NULL, .has_min = true,
     .help = "How often a failed task is tried again; Inspect's default is 10."},
    {.name = "max_retries", .types = SCHEMA_INT | SCHEMA_NULL, .has_min = true,
     .help = "How often one request to a model is tried again; no limit when not given."},
    {.name = "log_realtime", .types = SCHEMA_BOOL, .fallback = "true",
     .help = "Write events while samples run, for the live view."},
    {.name = "log_model_api", .types = SCHEMA_BOOL, .fallback = "true",
     .help = "Log the raw requests and answers of model APIs."},
    {.name = "log_images", .types = SCHEMA_BOOL | SCHEMA_NULL, .help = "Log images."},
    {.name = "adaptive_connections",
     .types = SCHEMA_BOOL | SCHEMA_INT | SCHEMA_STR | SCHEMA_OBJECT | SCHEMA_NULL,
     .flags = SCHEMA_STRICT, .has_min = true, .min = 1, .pattern = "^[0-9]+-[0-9]+(-[0-9]+)?$",
     .object = &bounds, .rule = schema_rule_adaptive,
     .advice = "write true, false, a ceiling, \"min-max\", \"min-start-max\" or {min: 1, max: 100}",
     .help = "Requests to a model at a time, following its rate limits: on or off, a ceiling, or "
             "bounds. max_connections of a model turns it off for that model."},
    {.name = "monitor", .types = SCHEMA_BOOL, .fallback = "false",
     .help = "Make a monitor that reports errors of the run."},
    {.name = "isolation", .types = SCHEMA_STR | SCHEMA_OBJECT, .flags = SCHEMA_DROP_DEFAULT,
     .words = level_words, .object = &isolation, .fallback = "{}", .rule = schema_rule_isolation,
     .help = "How locked down the sandboxes are: standard, strict, or a mapping."},
    {.name = "checkpoint", .types = SCHEMA_OBJECT, .object = &checkpoint, .fallback = "{}",
     .help = "Checkpoints of running samples."},
    {.name = "human_eval", .types = SCHEMA_OBJECT | SCHEMA_NULL, .object = &human,
     .help = "Settings of human evaluations; no effect elsewhere."},
    {.name = "scan", .types = SCHEMA_OBJECT | SCHEMA_NULL, .flags = SCHEMA_HIDDEN,
     .object = &schema_online_scan, .help = "Scanners that run with each sample."},
    {.name = "secrets", .types = SCHEMA_LIST, .flags = SCHEMA_DEPRECATED | SCHEMA_DROP_EMPTY,
     .item = &schema_secret_item, .fallback = "[]",
     .help = "Secrets that the job needs.", .advice = "write them under `runner.secrets`"},
    NAMED_END,
};
/* clang-format on */

const SchemaObject schema_eval_set = {
    .name = "EvalSetConfig",
    .help = "An eval set: tasks, models and how to run them.",
    .fields = eval_set_fields,
    .extra = SCHEMA_ALLOW,
    .rule = schema_rule_eval_set,
    .unknown = schema_unknown_eval_set,
};

/* Keys that Inspect knows but that are ours to set. */
/* clang-format off */
static const SchemaRefusal refusals[] = {
    { "model",          "write `models: [{package: inspect-ai, items: [{name: openai/gpt-4o}]}]`" },
    { "model_args",     "write them under `models[].items[].args`" },
    { "model_base_url", "write it as `models[].items[].args.base_url`" },
    { "sandbox",        "leave it out: the task names its sandbox, and `isolation` its limits" },
    { "scanner",        "write `scan: {scanners: [...]}`, or a scan of its own for `hawk scan run`" },
    { "scans",          "write `scan: {scanners: [...]}`, or a scan of its own for `hawk scan run`" },
};
/* clang-format on */

const SchemaRefusal *schema_refusal(Str name)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (str_eqz(name, refusals[i].name))
            return &refusals[i];
    return NULL;
}

const SchemaRefusal *schema_refusal_at(size_t i)
{
    return i < ARRAY_LEN(refusals) ? &refusals[i] : NULL;
}

const SchemaObject *schema_of(JobspecKind kind)
{
    return kind == JOBSPEC_SCAN ? &schema_scan : &schema_eval_set;
}

const SchemaField *schema_field(const SchemaObject *object, Str name)
{
    for (const SchemaField *field = object->fields; field->name; field++)
        if (str_eqz(name, field->name))
            return field;
    return NULL;
}

size_t schema_n_fields(const SchemaObject *object)
{
    size_t n = 0;
    while (object->fields[n].name)
        n++;
    return n;
}
