/* What eval sets and scans have in common: packages and their items, models, secrets, the runner.
 */

#include "jobspec/schema_priv.h"

#define NAMED_END                                                                                  \
    {                                                                                              \
        .name = NULL                                                                               \
    }

const SchemaField schema_text_item = {.types = SCHEMA_STR};
const SchemaField schema_any_item = {.types = SCHEMA_ANY | SCHEMA_NULL};

/* --- secrets --- */

static const char *const env_words[] = {"env", NULL};
static const char *const aws_words[] = {"aws-secrets-manager", NULL};

/* clang-format off */
static const SchemaField env_secret_fields[] = {
    {.name = "type", .types = SCHEMA_STR, .words = env_words, .fallback = "\"env\"",
     .help = "Where the value comes from: sent along with the job."},
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .rule = schema_rule_variable,
     .help = "Name of the environment variable."},
    {.name = "description", .types = SCHEMA_STR | SCHEMA_NULL,
     .help = "What the secret is for; shown when it is missing."},
    NAMED_END,
};

static const SchemaField aws_secret_fields[] = {
    {.name = "type", .types = SCHEMA_STR, .words = aws_words, .fallback = "\"aws-secrets-manager\"",
     .help = "Where the value comes from: the runner fetches it from AWS Secrets Manager."},
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .rule = schema_rule_variable,
     .help = "Name of the environment variable."},
    {.name = "arn", .types = SCHEMA_STR | SCHEMA_NULL,
     .pattern = "^arn:(aws|aws-us-gov):secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:"
                "[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$",
     .help = "Full ARN of the secret.",
     .advice = "write arn:aws:secretsmanager:<region>:<account>:secret:<name>-<6 characters>, "
               "without wildcards"},
    {.name = "secret_name", .types = SCHEMA_STR | SCHEMA_NULL, .rule = schema_rule_secret_name,
     .help = "Name of the secret under the deployment's prefix, where it is not `name`. "
             "Not together with `arn`."},
    {.name = "description", .types = SCHEMA_STR | SCHEMA_NULL, .help = "What the secret is for."},
    NAMED_END,
};
/* clang-format on */

static const SchemaObject env_secret = {
    .name = "EnvSecretConfig",
    .help = "A secret that is sent along with the job.",
    .fields = env_secret_fields,
};

static const SchemaObject aws_secret = {
    .name = "AwsSecretsManagerSecretConfig",
    .help = "A secret that the runner fetches from AWS Secrets Manager.",
    .fields = aws_secret_fields,
    .rule = schema_rule_aws_secret,
};

static const SchemaObject *const secret_objects[] = {&env_secret, &aws_secret, NULL};

/* NULL for a type that there is none of. */
static const SchemaObject *pick_secret(const SchemaObject *const *objects, const Json *node)
{
    const Json *type = json_get(node, "type");
    if (!type || type->type != JSON_STRING || str_eqz(type->text, "env"))
        return objects[0];
    return str_eqz(type->text, "aws-secrets-manager") ? objects[1] : NULL;
}

static const SchemaChoice secret_choice = {.objects = secret_objects, .pick = pick_secret};
const SchemaField schema_secret_item = {
    .types = SCHEMA_OBJECT,
    .choice = &secret_choice,
    .advice = "write `- name: NAME_OF_THE_VARIABLE`; `type` is env or aws-secrets-manager",
};

/* --- models --- */

static const SchemaField model_args_fields[] = {
    /* clang-format off */
    {.name = "role", .types = SCHEMA_STR | SCHEMA_NULL,
     .help = "Role that the model is looked up by."},
    {.name = "default", .types = SCHEMA_STR | SCHEMA_NULL,
     .help = "Model to fall back to when the role is not given, with its provider: openai/gpt-4o."},
    {.name = "config", .types = SCHEMA_OBJECT | SCHEMA_NULL, .flags = SCHEMA_RAW,
     .object = &schema_generate_config,
     .help = "Generation options of the model (Inspect's GenerateConfig)."},
    {.name = "base_url", .types = SCHEMA_STR | SCHEMA_NULL, .help = "Address of the model's API."},
    {.name = "api_key", .types = SCHEMA_NULL, .flags = SCHEMA_SECRET,
     .help = "Refused: a key in a config would be stored with it.",
     .advice = "remove it, and give the key as an environment variable or a secret"},
    {.name = "memoize", .types = SCHEMA_BOOL, .fallback = "true",
     .help = "Use one instance for equal parameters."},
    NAMED_END,
    /* clang-format on */
};

static const SchemaObject model_args = {
    .name = "GetModelArgs",
    .help = "Arguments of Inspect's get_model(). Other keys go to the model provider.",
    .fields = model_args_fields,
    .extra = SCHEMA_ALLOW,
    .unknown = schema_unknown_model_arg,
};

/* clang-format off */
static const SchemaField model_fields[] = {
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .help = "Name of the model."},
    {.name = "args", .types = SCHEMA_OBJECT | SCHEMA_NULL, .object = &model_args,
     .help = "Arguments of Inspect's get_model()."},
    NAMED_END,
};
/* clang-format on */

static const SchemaObject model = {
    .name = "ModelConfig",
    .help = "A model.",
    .fields = model_fields,
};
static const SchemaField model_item = {.types = SCHEMA_OBJECT, .object = &model};

/* --- packages --- */

#define PACKAGE_HELP                                                                               \
    "What to install: a PEP 508 specifier or a Git URL (git+https://...). Write inspect-ai, "      \
    "without a version, for what is built into Inspect."
#define PACKAGE_NAME_HELP                                                                          \
    "Name of the package's entry point in the group inspect_ai; comes before the items' names."

/* clang-format off */
#define PACKAGE_FIELD                                                                              \
    {.name = "package", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED,                             \
     .not_pattern = "inspect[-_]ai", .rule = schema_rule_package, .help = PACKAGE_HELP,            \
     .advice = "for what is built into Inspect write `package: inspect-ai`, without a version; "   \
               "to choose the version list it under `packages`"}
#define PACKAGE_NAME_FIELD                                                                         \
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .help = PACKAGE_NAME_HELP}
/* clang-format on */

static const char *const builtin_words[] = {"inspect-ai", NULL};

/* clang-format off */
#define BUILTIN_FIELD                                                                              \
    {.name = "package", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .words = builtin_words,     \
     .help = "Inspect itself."}

static const SchemaField model_package_fields[] = {
    PACKAGE_FIELD,
    PACKAGE_NAME_FIELD,
    {.name = "items", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &model_item,
     .help = "Models of the package."},
    NAMED_END,
};
static const SchemaField model_builtin_fields[] = {
    BUILTIN_FIELD,
    {.name = "items", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &model_item,
     .help = "Models, named with their provider: openai/gpt-4o."},
    NAMED_END,
};
static const SchemaField role_package_fields[] = {
    PACKAGE_FIELD,
    PACKAGE_NAME_FIELD,
    {.name = "items", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &model_item,
     .min_len = 1, .max_len = 1, .help = "The one model."},
    NAMED_END,
};
static const SchemaField role_builtin_fields[] = {
    BUILTIN_FIELD,
    {.name = "items", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &model_item,
     .min_len = 1, .max_len = 1, .help = "The one model, named with its provider."},
    NAMED_END,
};
/* clang-format on */

static const SchemaObject model_package = {
    .name = "ModelPackage",
    .help = "Models of a Python package, or of a provider of the same name.",
    .fields = model_package_fields,
    .rule = schema_rule_model_package,
};
static const SchemaObject model_builtin = {
    .name = "ModelBuiltin",
    .help = "Models of the providers that Inspect brings along.",
    .fields = model_builtin_fields,
    .rule = schema_rule_model_package,
};
static const SchemaObject role_package = {
    .name = "SingleModelPackage",
    .help = "One model of a Python package.",
    .fields = role_package_fields,
    .rule = schema_rule_model_package,
};
static const SchemaObject role_builtin = {
    .name = "SingleModelBuiltin",
    .help = "One model of the providers that Inspect brings along.",
    .fields = role_builtin_fields,
    .rule = schema_rule_model_package,
};

static const SchemaObject *const model_objects[] = {&model_package, &model_builtin, NULL};
static const SchemaObject *const role_objects[] = {&role_package, &role_builtin, NULL};

const SchemaObject *schema_pick_package(const SchemaObject *const *objects, const Json *node)
{
    const Json *package = json_get(node, "package");
    bool is_builtin =
        package && package->type == JSON_STRING && str_eqz(package->text, "inspect-ai");
    return objects[is_builtin ? 1 : 0];
}

static const SchemaChoice model_choice = {.objects = model_objects, .pick = schema_pick_package};
const SchemaChoice schema_model_role_choice = {.objects = role_objects,
                                               .pick = schema_pick_package};

const SchemaField schema_model_package_item = {
    .types = SCHEMA_OBJECT,
    .choice = &model_choice,
    .advice = "write `- package: openai`, `name: openai`, `items: [{name: gpt-4o}]`",
};
const SchemaField schema_model_role_item = {
    .types = SCHEMA_OBJECT,
    .choice = &schema_model_role_choice,
    .advice = "write `grader: {package: openai, name: openai, items: [{name: gpt-4o}]}`",
};

/* --- the runner --- */

#define QUANTITY "^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?([numkKMGTPE]i?)?$"
#define QUANTITY_ADVICE "write a Kubernetes quantity such as 8Gi, 500m or 2 (Gi, not GB), in quotes"

/* clang-format off */
static const SchemaField runner_fields[] = {
    {.name = "image", .types = SCHEMA_STR | SCHEMA_NULL, .rule = schema_rule_image,
     .help = "Container image of the runner, with a tag other than latest, or a digest."},
    {.name = "image_tag", .types = SCHEMA_STR | SCHEMA_NULL,
     .help = "Another tag of the deployment's runner image. Not together with `image`."},
    {.name = "memory", .types = SCHEMA_STR | SCHEMA_NULL, .pattern = QUANTITY,
     .advice = QUANTITY_ADVICE,
     .help = "Memory of the runner as a Kubernetes quantity: 8Gi. A limit and a reservation."},
    {.name = "cpu", .types = SCHEMA_STR | SCHEMA_NULL, .pattern = QUANTITY,
     .advice = QUANTITY_ADVICE, .help = "CPUs of the runner as a Kubernetes quantity: 2, 500m."},
    {.name = "cleanup", .types = SCHEMA_BOOL | SCHEMA_NULL,
     .help = "false keeps the runner and the sandboxes after the end, for looking into them."},
    {.name = "secrets", .types = SCHEMA_LIST, .item = &schema_secret_item, .fallback = "[]",
     .help = "Secrets that the job needs, by the names of their variables."},
    {.name = "environment", .types = SCHEMA_MAP, .flags = SCHEMA_SECRET,
     .item = &schema_text_item, .fallback = "{}", .rule = schema_rule_variables,
     .advice = "values are text: put numbers and true or false in quotes",
     .help = "Environment variables of the job; not for secrets."},
    {.name = "storage_grants", .types = SCHEMA_LIST, .item = &schema_text_item, .fallback = "[]",
     .max_len = 4,
     .help = "Storage that the deployment lets the runner read, by name. Eval sets only."},
    {.name = "oom_diagnostics_enabled", .types = SCHEMA_BOOL, .fallback = "false",
     .help = "Record memory use and write a report when memory runs short; costs 5 to 15 % CPU."},
    NAMED_END,
};
/* clang-format on */

const SchemaObject schema_runner = {
    .name = "RunnerConfig",
    .help = "The process or container that the job runs in.",
    .fields = runner_fields,
    .rule = schema_rule_runner,
};
