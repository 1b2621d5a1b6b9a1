/* Rules of single fields and objects that the tables cannot say. Objects may lack members that were
   refused: a rule then stays silent, since the member has its own message. */

#include "jobspec/check_priv.h"
#include "jobspec/ids.h"
#include "jobspec/schema_priv.h"

/* Inspect's defaults for adaptive connections, which it moves into the bounds that are given. */
enum { ADAPTIVE_MIN = 10, ADAPTIVE_START = 20 };

static bool is_set(const Json *object, const char *key)
{
    const Json *member = json_get(object, key);
    return member && member->type != JSON_NULL;
}

static bool is_text(const Json *object, const char *key, const char *text)
{
    return str_eqz(json_text(object, key, STR_NONE), text);
}

void schema_rule_image(Check *check, const SchemaField *field, Json *value, const CheckPath *path)
{
    (void)field;
    static const char fix[] = "name a version: registry.example/runner:v1, or a digest @sha256:...";
    Str ref = value->text;
    if (ref.n == 0) {
        check_error(check, value, path, fix, "the image is empty");
        return;
    }
    ptrdiff_t at = str_rfind(ref, '@');
    Str name = at < 0 ? ref : str_slice(ref, 0, (size_t)at);
    /* A colon before the last slash is a registry's port. */
    Str last = str_slice(name, (size_t)(str_rfind(name, '/') + 1), name.n);
    ptrdiff_t colon = str_rfind(last, ':');
    Str tag = colon < 0 ? STR_NONE : str_slice(last, (size_t)colon + 1, last.n);
    if (colon < 0 && at < 0)
        check_error(check, value, path, fix, "the image has neither tag nor digest");
    else if (str_eqz(tag, "latest"))
        check_error(check, value, path, fix, "the tag latest is refused: it changes under a job");
}

void schema_rule_secret_name(Check *check, const SchemaField *field, Json *value,
                             const CheckPath *path)
{
    (void)field;
    Str name = str_trim(value->text);
    value->text = name;
    if (name.n == 0) {
        value->type = JSON_NULL;
        return;
    }
    if (str_starts(name, STR("arn:")))
        check_error(check, value, path, "write a full ARN under `arn`",
                    "expected the name of a secret, found an ARN");
    else if (name.p[0] == '/')
        check_error(check, value, path, "leave out the '/': a prefix comes before the name",
                    "the name of the secret begins with '/'");
    else if (!check_matches("^[A-Za-z0-9/_+=.@-]+$", name))
        check_error(check, value, path, "use letters, digits and /_+=.@-",
                    "the name of the secret has a character that AWS does not allow");
}

/* A config may have very many variables, and compiling a pattern for each would be felt. */
static bool is_usual_variable(Str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

static void check_variable(Check *check, Str name, const Json *node, const CheckPath *path)
{
    if (name.n == 0 || str_find(name, '=') >= 0 || memchr(name.p, 0, name.n)) {
        check_error(check, node, path, "use letters, digits and '_'",
                    "this cannot be the name of an environment variable");
        return;
    }
    if (!is_usual_variable(name))
        check_warning(check, node, path, "use letters, digits and '_'",
                      "most programs cannot read an environment variable of this name");
}

void schema_rule_variable(Check *check, const SchemaField *field, Json *value,
                          const CheckPath *path)
{
    (void)field;
    check_variable(check, value->text, value, path);
}

void schema_rule_variables(Check *check, const SchemaField *field, Json *value,
                           const CheckPath *path)
{
    (void)field;
    for (const Json *member = value->first; member; member = member->next) {
        CheckPath sub = {.up = path, .key = member->key};
        check_variable(check, member->key, member, &sub);
    }
}

void schema_rule_isolation(Check *check, const SchemaField *field, Json *value,
                           const CheckPath *path)
{
    if (value->type != JSON_STRING)
        return;
    Json *level = json_new_str(check->arena, value->text);
    level->line = value->line;
    level->column = value->column;
    Json *written = json_new(check->arena, JSON_OBJECT);
    written->line = value->line;
    written->column = value->column;
    json_set(written, STR("level"), level);
    Json *object = check_object(check, field->object, written, path);
    value->type = JSON_OBJECT;
    value->text = STR_NONE;
    value->first = object->first;
    value->last = object->last;
    value->n = object->n;
}

typedef struct Bounds {
    int64_t min;
    int64_t start;
    int64_t max;
} Bounds;

static int64_t clamped(int64_t value, int64_t min, int64_t max)
{
    return value > max && max >= min ? max : value < min ? min : value;
}

/* "min-max" or "min-start-max"; -1 when a number is too large. */
static int read_shorthand(Str text, Bounds *ret)
{
    int64_t numbers[3] = {0};
    size_t n = 0;
    Str part = STR_NONE;
    while (str_split(&text, '-', &part)) {
        if (n == ARRAY_LEN(numbers) || str_to_i64(part, 0, INT32_MAX, &numbers[n]) < 0)
            return -1;
        n++;
    }
    if (n < 2)
        return -1;
    *ret = (Bounds){.min = numbers[0], .start = numbers[1], .max = numbers[n - 1]};
    if (n == 2)
        ret->start = clamped(ADAPTIVE_START, ret->min, ret->max);
    return 0;
}

static void read_bounds(const Json *object, Bounds *ret)
{
    ret->max = json_int(object, "max", 100);
    ret->min = json_int(object, "min", ADAPTIVE_MIN);
    if (ret->min == ADAPTIVE_MIN && ret->max < ADAPTIVE_MIN)
        ret->min = ret->max;
    ret->start = json_int(object, "start", ADAPTIVE_START);
    if (ret->start == ADAPTIVE_START)
        ret->start = clamped(ADAPTIVE_START, ret->min, ret->max);
}

void schema_rule_adaptive(Check *check, const SchemaField *field, Json *value,
                          const CheckPath *path)
{
    Bounds bounds = {0};
    if (value->type == JSON_STRING) {
        if (read_shorthand(value->text, &bounds) < 0) {
            check_error(check, value, path, field->advice, "a bound is too large");
            return;
        }
    } else if (value->type == JSON_OBJECT && json_get(value, "min") && json_get(value, "max")) {
        read_bounds(value, &bounds);
    } else {
        return;
    }
    if (bounds.min < 1)
        check_error(check, value, path, NULL, "the lower bound must be at least 1, found %lld",
                    (long long)bounds.min);
    else if (bounds.max < bounds.min)
        check_error(check, value, path, NULL, "the upper bound %lld is below the lower bound %lld",
                    (long long)bounds.max, (long long)bounds.min);
    else if (bounds.start < bounds.min || bounds.start > bounds.max)
        check_error(check, value, path, NULL, "the start %lld is not between %lld and %lld",
                    (long long)bounds.start, (long long)bounds.min, (long long)bounds.max);
}

void schema_rule_absolute_path(Check *check, const SchemaField *field, Json *value,
                               const CheckPath *path)
{
    (void)field;
    if (value->text.n == 0 || value->text.p[0] != '/')
        check_error(check, value, path, "begin it with '/'", "expected an absolute path, found %s",
                    check_shown(check, value));
}

/* A specifier becomes an argument of the installer, where a leading '-' would be an option. */
void schema_rule_package(Check *check, const SchemaField *field, Json *value, const CheckPath *path)
{
    (void)field;
    static const char fix[] = "write a PEP 508 specifier (name, name==1.0) or git+https://...";
    Str spec = str_trim(value->text);
    if (spec.n == 0) {
        check_error(check, value, path, fix, "the package is empty");
        return;
    }
    for (size_t i = 0; i < value->text.n; i++) {
        unsigned char c = (unsigned char)value->text.p[i];
        if (c >= 0x20 && c != 0x7f)
            continue;
        check_error(check, value, path, fix, "the package has a control character in it");
        return;
    }
    if (spec.p[0] == '-')
        check_error(check, value, path, fix, "expected a package, found an option");
    else if (check->options.refuse_local_packages && jobspec_is_local_package(spec))
        check_error(check, value, path, fix,
                    "a local path means nothing to a runner on another machine");
    else if (check->options.refuse_credentials && !str_eq(jobspec_redact(check->arena, spec), spec))
        check_error(check, value, path,
                    "take them out and hand them to the job with --secret, as the installer reads "
                    "them",
                    "the address of the package has credentials, and all who may see the job see "
                    "its config");
}

void schema_rule_eval_set_id(Check *check, const SchemaField *field, Json *value,
                             const CheckPath *path)
{
    (void)field;
    if (ids_is_imported(value->text))
        check_error(check, value, path, "choose another id",
                    "ids that begin with imported- belong to imports");
}

void schema_rule_approver_args(Check *check, const SchemaField *field, Json *value,
                               const CheckPath *path)
{
    (void)field;
    static const char *const reserved[] = {"name", "tools", "params"};
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        const Json *member = json_get(value, reserved[i]);
        if (!member)
            continue;
        CheckPath sub = {.up = path, .key = member->key};
        check_report(check, DIAGNOSTIC_ERROR, member, true, &sub,
                     "an argument of an approver cannot have this name", NULL);
    }
}

void schema_rule_logit_bias(Check *check, const SchemaField *field, Json *value,
                            const CheckPath *path)
{
    (void)field;
    for (const Json *member = value->first; member; member = member->next) {
        int64_t token = 0;
        CheckPath sub = {.up = path, .key = member->key};
        if (str_to_i64(member->key, INT64_MIN, INT64_MAX, &token) < 0)
            check_report(check, DIAGNOSTIC_ERROR, member, true, &sub,
                         "expected the number of a token as key", NULL);
    }
}

void schema_rule_runner(Check *check, Json *object, const CheckPath *path)
{
    CheckPath tag_path = {.up = path, .key = STR("image_tag")};
    CheckPath grants_path = {.up = path, .key = STR("storage_grants")};
    if (is_set(object, "image") && is_set(object, "image_tag"))
        check_error(check, json_get(object, "image_tag"), &tag_path,
                    "`image` is a full address, `image_tag` a tag of the usual image",
                    "`image` and `image_tag` are both given");
    const Json *grants = json_get(object, "storage_grants");
    if (check->kind == JOBSPEC_SCAN && grants && grants->n > 0)
        check_error(check, grants, &grants_path, "remove `storage_grants`",
                    "storage grants are for eval sets only");
}

void schema_rule_aws_secret(Check *check, Json *object, const CheckPath *path)
{
    CheckPath sub = {.up = path, .key = STR("secret_name")};
    if (is_set(object, "arn") && is_set(object, "secret_name"))
        check_error(check, json_get(object, "secret_name"), &sub, "keep one of them",
                    "`arn` and `secret_name` are both given");
}

void schema_rule_isolation_exceptions(Check *check, Json *object, const CheckPath *path)
{
    static const char *const strict_only[] = {"allow_domains", "allow_cidr", "non_root",
                                              "read_only_root"};
    if (!is_text(object, "level", "standard"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(strict_only); i++) {
        const Json *member = json_get(object, strict_only[i]);
        if (!member || (member->type != JSON_ARRAY && member->type != JSON_BOOL))
            continue;
        if (member->type == JSON_BOOL ? !member->boolean : member->n == 0)
            continue;
        CheckPath sub = {.up = path, .key = member->key};
        check_error(check, member, &sub, "add `level: strict` or remove it",
                    "this has a meaning at level strict only");
    }
}

void schema_rule_trigger(Check *check, Json *object, const CheckPath *path)
{
    const Json *every = json_get(object, "every");
    if (!every || every->type != JSON_NULL || is_text(object, "type", "manual"))
        return;
    if (is_text(object, "type", "time")) {
        /* In place, so that the order of the fields stays. */
        Json *value = json_new_int(check->arena, 600);
        json_set(object, every->key, value);
    } else if (is_set(object, "type")) {
        check_error(check, object, path, "write `every: 10`", "the field 'every' is missing");
    }
}

void schema_rule_model_package(Check *check, Json *object, const CheckPath *path)
{
    Str prefix = json_text(object, "name", STR_NONE);
    bool is_builtin = is_text(object, "package", "inspect-ai");
    const Json *items = json_get(object, "items");
    size_t i = 0;
    for (const Json *item = items ? items->first : NULL; item; item = item->next, i++) {
        Str name = json_text(item, "name", STR_NONE);
        CheckPath list = {.up = path, .key = STR("items")};
        CheckPath sub = {.up = &list, .index = i};
        CheckPath leaf = {.up = &sub, .key = STR("name")};
        const Json *node = json_get(item, "name");
        if (!node)
            continue;
        ptrdiff_t slash = str_find(name, '/');
        if (is_builtin && slash < 0 && !str_eqz(name, "none"))
            check_warning(check, node, &leaf,
                          arena_printf(check->arena, "write <provider>/%.*s", STR_ARG(name)),
                          "the model has no provider");
        else if (!is_builtin && slash > 0 && str_eq(str_slice(name, 0, (size_t)slash), prefix))
            check_warning(check, node, &leaf, "leave out the part before the '/'",
                          "the package's name comes before this: the model will be %.*s/%.*s",
                          STR_ARG(prefix), STR_ARG(name));
    }
}

void schema_rule_scanner(Check *check, Json *object, const CheckPath *path)
{
    Str key = json_text(object, "key", STR_NONE);
    Str name = json_text(object, "name", STR_NONE);
    if (!json_get(object, "key") || !json_get(object, "name"))
        return;
    bool has_key = key.n > 0;
    CheckPath sub = {.up = path, .key = has_key ? STR("key") : STR("name")};
    if (!ids_is_scanner_key(has_key ? key : name))
        check_error(check, json_get_str(object, sub.key), &sub,
                    has_key ? "use letters, digits, '.', '_' and '-'"
                            : "give it a `key` of letters, digits, '.', '_' and '-'",
                    "the scanner's results cannot be stored under this name");
}
