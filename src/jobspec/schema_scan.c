/* The fields of a scan: scanners, the transcripts they read, and the conditions that choose
 * transcripts. */

#include "jobspec/schema_priv.h"

#define NAMED_END                                                                                  \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static const SchemaField specifier_item = {.types = SCHEMA_STR, .rule = schema_rule_package};

/* --- conditions --- */

static const SchemaField plain_item = {.types = SCHEMA_STR | SCHEMA_INT | SCHEMA_REAL};

/* clang-format off */
#define OPERATOR(id, key, t, text)                                                                 \
    static const SchemaField id##_fields[] = {                                                     \
        {.name = (key), .types = (t), .flags = SCHEMA_REQUIRED, .help = (text)}, NAMED_END}
#define OPERATOR_OBJECT(id, title, text)                                                           \
    static const SchemaObject id = {.name = (title), .help = (text), .fields = id##_fields}

OPERATOR(like, "like", SCHEMA_STR, "SQL pattern; % stands for any text, _ for any character.");
OPERATOR(ilike, "ilike", SCHEMA_STR, "SQL pattern that ignores case.");
OPERATOR(gt, "gt", SCHEMA_ANY | SCHEMA_NULL, "More than this.");
OPERATOR(ge, "ge", SCHEMA_ANY | SCHEMA_NULL, "At least this.");
OPERATOR(lt, "lt", SCHEMA_ANY | SCHEMA_NULL, "Less than this.");
OPERATOR(le, "le", SCHEMA_ANY | SCHEMA_NULL, "At most this.");
static const SchemaField between_fields[] = {
    {.name = "between", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &schema_any_item,
     .min_len = 2, .max_len = 2, .help = "From the first to the second.",
     .advice = "write `between: [from, to]`"},
    NAMED_END,
};
static const SchemaField custom_fields[] = {
    {.name = "operator", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED,
     .help = "Name of an operator of Scout's columns."},
    {.name = "args", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &schema_any_item,
     .help = "Its arguments."},
    NAMED_END,
};
/* clang-format on */

OPERATOR_OBJECT(like, "LikeOperator", "The text looks like a pattern.");
OPERATOR_OBJECT(ilike, "ILikeOperator", "The text looks like a pattern, case aside.");
OPERATOR_OBJECT(gt, "GreaterThanOperator", "The value is more.");
OPERATOR_OBJECT(ge, "GreaterThanOrEqualOperator", "The value is at least.");
OPERATOR_OBJECT(lt, "LessThanOperator", "The value is less.");
OPERATOR_OBJECT(le, "LessThanOrEqualOperator", "The value is at most.");
OPERATOR_OBJECT(between, "BetweenOperator", "The value is in a range.");
OPERATOR_OBJECT(custom, "CustomOperator", "Any other operator.");

static const SchemaObject *const operator_objects[] = {&like, &ilike,   &gt,     &ge, &lt,
                                                       &le,   &between, &custom, NULL};

/* The operator whose key is there; NULL when none is. */
static const SchemaObject *pick_operator(const SchemaObject *const *objects, const Json *node)
{
    for (size_t i = 0; objects[i]; i++)
        if (json_get(node, objects[i]->fields[0].name))
            return objects[i];
    return NULL;
}

static const SchemaChoice operator_choice = {.objects = operator_objects, .pick = pick_operator};
static const SchemaField condition_item = {
    .types = SCHEMA_STR | SCHEMA_INT | SCHEMA_REAL | SCHEMA_NULL | SCHEMA_LIST | SCHEMA_OBJECT,
    .item = &plain_item,
    .choice = &operator_choice,
    .advice = "write a value, a list of values, or one of {like: ...}, {ilike: ...}, {gt: ...}, "
              "{ge: ...}, {lt: ...}, {le: ...}, {between: [a, b]}, {operator: ..., args: [...]}",
};

/* clang-format off */
static const SchemaField not_fields[] = {
    {.name = "not", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &schema_where_item,
     .min_len = 1, .help = "Conditions of which not all may hold."},
    NAMED_END,
};
static const SchemaField or_fields[] = {
    {.name = "or", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &schema_where_item,
     .min_len = 2, .help = "Conditions of which one must hold."},
    NAMED_END,
};
/* clang-format on */

static const SchemaObject not_condition = {
    .name = "NotCondition", .help = "Turns conditions around.", .fields = not_fields};
static const SchemaObject or_condition = {
    .name = "OrCondition", .help = "One of several conditions.", .fields = or_fields};
static const SchemaObject *const where_objects[] = {&not_condition, &or_condition, NULL};

/* A list under `not` or `or` is a condition; anything else under them is a field of that name. */
static const SchemaObject *pick_where(const SchemaObject *const *objects, const Json *node)
{
    for (size_t i = 0; objects[i]; i++) {
        const Json *value = json_get(node, objects[i]->fields[0].name);
        if (value && value->type == JSON_ARRAY)
            return objects[i];
    }
    return NULL;
}

static const SchemaChoice where_choice = {.objects = where_objects, .pick = pick_where};
const SchemaField schema_where_item = {
    .types = SCHEMA_MAP | SCHEMA_OBJECT,
    .item = &condition_item,
    .choice = &where_choice,
    .advice = "write `- field: value`, `- not: [...]` or `- or: [..., ...]`",
};

/* --- scanners --- */

/* clang-format off */
static const SchemaField filter_fields[] = {
    {.name = "where", .types = SCHEMA_LIST, .item = &schema_where_item, .fallback = "[]",
     .help = "Conditions, all of which must hold.",
     .advice = "write a list: `where: [{task_name: my_task}]`"},
    {.name = "limit", .types = SCHEMA_INT | SCHEMA_NULL, .help = "Most transcripts."},
    {.name = "shuffle", .types = SCHEMA_BOOL | SCHEMA_INT | SCHEMA_NULL,
     .help = "Shuffle the transcripts; a number is the seed."},
    NAMED_END,
};
static const SchemaField online_filter_fields[] = {
    {.name = "where", .types = SCHEMA_LIST, .item = &schema_where_item, .fallback = "[]",
     .help = "Conditions, all of which must hold.",
     .advice = "write a list: `where: [{task_name: my_task}]`"},
    NAMED_END,
};
static const SchemaObject filter = {
    .name = "TranscriptFilterConfig", .help = "Which transcripts.", .fields = filter_fields};
static const SchemaField scanner_fields[] = {
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED,
     .help = "Name of the scanner."},
    {.name = "args", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Arguments of the scanner."},
    {.name = "key", .types = SCHEMA_STR | SCHEMA_NULL, .min_len = 1,
     .help = "Name of its results, needed when a scanner is used twice. The scanner's name when "
             "not given."},
    {.name = "secrets", .types = SCHEMA_LIST, .item = &schema_secret_item, .fallback = "[]",
     .help = "Secrets that the scanner needs."},
    {.name = "filter", .types = SCHEMA_OBJECT | SCHEMA_NULL, .object = &filter,
     .help = "Which transcripts it reads; in place of the filter of `transcripts`."},
    NAMED_END,
};
static const SchemaObject scanner = {
    .name = "ScannerConfig", .help = "A scanner.", .fields = scanner_fields,
    .rule = schema_rule_scanner};
static const SchemaField scanner_item = {
    .types = SCHEMA_OBJECT, .object = &scanner, .advice = "write `- name: the_scanner`"};

static const char *const builtin_words[] = {"inspect-ai", NULL};

static const SchemaField scanner_package_fields[] = {
    {.name = "package", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED,
     .not_pattern = "inspect[-_]ai", .rule = schema_rule_package,
     .help = "What to install: a PEP 508 specifier or a Git URL (git+https://...).",
     .advice = "for what is built into Inspect write `package: inspect-ai`, without a version"},
    {.name = "name", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED,
     .help = "Name of the package's entry point in the group inspect_ai."},
    {.name = "items", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &scanner_item,
     .help = "Scanners of the package."},
    NAMED_END,
};
static const SchemaField scanner_builtin_fields[] = {
    {.name = "package", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .words = builtin_words,
     .help = "Inspect itself."},
    {.name = "items", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &scanner_item,
     .help = "Scanners of Inspect."},
    NAMED_END,
};
/* clang-format on */

static const SchemaObject scanner_package = {.name = "ScannerPackage",
                                             .help = "Scanners of a Python package.",
                                             .fields = scanner_package_fields};
static const SchemaObject scanner_builtin = {.name = "ScannerBuiltin",
                                             .help = "Scanners that are built into Inspect.",
                                             .fields = scanner_builtin_fields};
static const SchemaObject *const scanner_objects[] = {&scanner_package, &scanner_builtin, NULL};
static const SchemaChoice scanner_choice = {.objects = scanner_objects,
                                            .pick = schema_pick_package};
const SchemaField schema_scanner_package_item = {
    .types = SCHEMA_OBJECT,
    .choice = &scanner_choice,
    .advice = "write `- package: git+https://...`, `name: my_scanners`, "
              "`items: [{name: my_scanner}]`",
};

static const SchemaObject online_filter = {
    .name = "OnlineFilterConfig",
    .help = "Which samples are scanned.",
    .fields = online_filter_fields,
    .extra = SCHEMA_FORBID,
};

/* clang-format off */
static const SchemaField online_fields[] = {
    {.name = "scanners", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED,
     .item = &schema_scanner_package_item, .min_len = 1, .help = "Scanners, by package."},
    {.name = "model", .types = SCHEMA_OBJECT | SCHEMA_NULL, .choice = &schema_model_role_choice,
     .help = "The one model of the scanners."},
    {.name = "filter", .types = SCHEMA_OBJECT | SCHEMA_NULL, .object = &online_filter,
     .help = "Which samples are scanned."},
    {.name = "name", .types = SCHEMA_STR | SCHEMA_NULL, .min_len = 1, .help = "Name of the scan."},
    {.name = "tags", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_text_item,
     .help = "Tags of the scan."},
    {.name = "metadata", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Metadata of the scan."},
    NAMED_END,
};
static const SchemaField source_fields[] = {
    {.name = "eval_set_id", .types = SCHEMA_STR, .flags = SCHEMA_REQUIRED, .min_len = 1,
     .max_len = 45, .pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
     .help = "Id of an eval set whose transcripts are read."},
    NAMED_END,
};
static const SchemaObject source = {
    .name = "TranscriptSource", .help = "Transcripts of one eval set.", .fields = source_fields};
static const SchemaField source_item = {
    .types = SCHEMA_OBJECT, .object = &source, .advice = "write `- eval_set_id: the-id`"};
static const SchemaField transcripts_fields[] = {
    {.name = "sources", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED, .item = &source_item,
     .max_len = 20, .help = "Eval sets whose transcripts are read, 20 at most."},
    {.name = "filter", .types = SCHEMA_OBJECT | SCHEMA_NULL, .object = &filter,
     .help = "Which of their transcripts."},
    NAMED_END,
};
/* clang-format on */

const SchemaObject schema_online_scan = {
    .name = "OnlineScanConfig",
    .help = "Scanners that run with each sample.",
    .fields = online_fields,
    .extra = SCHEMA_FORBID,
    .rule = schema_rule_online_scan,
};
static const SchemaObject transcripts = {
    .name = "TranscriptsConfig", .help = "What is scanned.", .fields = transcripts_fields};

/* clang-format off */
static const SchemaField scan_fields[] = {
    {.name = "tags", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_text_item,
     .help = "Tags of the run."},
    {.name = "metadata", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_any_item,
     .help = "Metadata of the run."},
    {.name = "runner", .types = SCHEMA_OBJECT, .object = &schema_runner, .fallback = "{}",
     .help = "The process or container that the job runs in."},
    {.name = "name", .types = SCHEMA_STR | SCHEMA_NULL, .min_len = 1,
     .help = "Name of the scan; the beginning of its id. scan when not given."},
    {.name = "max_transcripts", .types = SCHEMA_INT | SCHEMA_NULL,
     .help = "Transcripts at a time; Scout's default is 25."},
    {.name = "max_processes", .types = SCHEMA_INT | SCHEMA_NULL,
     .help = "Processes at a time; Scout's default is 4."},
    {.name = "packages", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &specifier_item,
     .help = "More packages to install, as PEP 508 specifiers."},
    {.name = "scanners", .types = SCHEMA_LIST, .flags = SCHEMA_REQUIRED,
     .item = &schema_scanner_package_item, .help = "Scanners, by package."},
    {.name = "models", .types = SCHEMA_LIST | SCHEMA_NULL, .item = &schema_model_package_item,
     .help = "Models; every scanner runs with each of them."},
    {.name = "model_roles", .types = SCHEMA_MAP | SCHEMA_NULL, .item = &schema_model_role_item,
     .help = "Models by role, for get_model(role=...)."},
    {.name = "transcripts", .types = SCHEMA_OBJECT, .flags = SCHEMA_REQUIRED,
     .object = &transcripts, .help = "What is scanned."},
    NAMED_END,
};
/* clang-format on */

const SchemaObject schema_scan = {
    .name = "ScanConfig",
    .help = "A scan: scanners and the transcripts they read.",
    .fields = scan_fields,
    .extra = SCHEMA_ALLOW,
    .rule = schema_rule_scan,
    .unknown = schema_unknown_scan,
};
