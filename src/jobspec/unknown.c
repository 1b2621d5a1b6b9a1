/* What to say about keys that no field names: what was meant, or where the key belongs. */

#include "jobspec/check_priv.h"
#include "jobspec/schema_priv.h"

const char *check_nearest_field(const SchemaObject *object, Str name)
{
    const char *best = NULL;
    size_t best_distance = name.n / 3 + 1 < 3 ? name.n / 3 + 1 : 3;
    for (const SchemaField *field = object->fields; field->name; field++) {
        size_t distance = str_distance(name, str_of(field->name));
        if (distance < best_distance + (best ? 0 : 1)) {
            best = field->name;
            best_distance = distance;
        }
    }
    return best;
}

static const char *meant(Check *check, const char *name)
{
    return arena_printf(check->arena, "did you mean '%s'?", name);
}

/* A top-level field whose object has a field of that name: "runner.memory". */
static const char *place_below(Check *check, const SchemaObject *root, Str name)
{
    for (const SchemaField *field = root->fields; field->name; field++)
        if (field->object && !(field->flags & SCHEMA_HIDDEN) && schema_field(field->object, name))
            return arena_printf(check->arena, "did you mean '%s.%.*s'?", field->name,
                                STR_ARG(name));
    return NULL;
}

static const char *other_place(Check *check, const SchemaObject *object, Str name)
{
    const SchemaObject *root = schema_of(check->kind);
    if (object == root)
        return place_below(check, root, name);
    if (str_eqz(name, "arn") || str_eqz(name, "secret_name"))
        return "add `type: aws-secrets-manager`";
    const SchemaField *args = schema_field(object, STR("args"));
    if (args && args->object && schema_generate_option(name))
        return arena_printf(check->arena, "did you mean 'args.config.%.*s'?", STR_ARG(name));
    if (schema_field(root, name))
        return arena_printf(check->arena, "did you mean '%.*s' at the top level?", STR_ARG(name));
    if (args)
        return "arguments go under 'args'";
    return NULL;
}

/* Where the key belongs, or NULL. */
static const char *hint(Check *check, const SchemaObject *object, Str name)
{
    const char *exact = other_place(check, object, name);
    const char *near = check_nearest_field(object, name);
    /* A name that is right elsewhere beats one that is nearly right here, but not the catch-all
     * advice. */
    if (near && (!exact || !strstr(exact, "did you mean")))
        return meant(check, near);
    return exact;
}

void check_unknown(Check *check, const SchemaObject *object, const Json *key, const CheckPath *path)
{
    if (object->extra == SCHEMA_ALLOW) {
        object->unknown(check, key, path);
        return;
    }
    bool is_forbidden = object->extra == SCHEMA_FORBID;
    check_report(check, is_forbidden ? DIAGNOSTIC_ERROR : DIAGNOSTIC_WARNING, key, true, path,
                 is_forbidden ? "unknown field" : "unknown field, which has no effect",
                 hint(check, object, key->key));
}

void schema_unknown_model_arg(Check *check, const Json *key, const CheckPath *path)
{
    if (schema_generate_option(key->key)) {
        check_report(check, DIAGNOSTIC_WARNING, key, true, path,
                     "this goes to the model provider and not to generation",
                     arena_printf(check->arena, "did you mean 'config.%.*s'?", STR_ARG(key->key)));
        return;
    }
    check_report(check, DIAGNOSTIC_NOTE, key, true, path,
                 "this goes to the model provider unchecked", NULL);
}

/* The parameter of eval_set() that the name is few edits away from, or NULL. */
static const char *nearest_option(Str name)
{
    return check_nearest_field(&schema_generate_config, name);
}

static void check_forward(Check *check, const SchemaField *field, const Json *key,
                          const CheckPath *path)
{
    bool was_lenient = check->lenient;
    check->lenient = true;
    (void)!check_value(check, field, key, path);
    check->lenient = was_lenient;
}

void schema_unknown_eval_set(Check *check, const Json *key, const CheckPath *path)
{
    Str name = key->key;
    const SchemaRefusal *refusal = schema_refusal(name);
    if (refusal) {
        check_report(check, DIAGNOSTIC_ERROR, key, true, path, "this field is refused",
                     refusal->instead);
        return;
    }
    const SchemaForward *forward = schema_forward(name);
    if (forward && forward->is_ours) {
        check_report(check, DIAGNOSTIC_WARNING, key, true, path,
                     "hawk sets this itself: the value has no effect", "remove it");
        return;
    }
    const SchemaField *option = forward ? &forward->field : schema_generate_option(name);
    if (option) {
        check_forward(check, option, key, path);
        return;
    }
    const char *fix = hint(check, &schema_eval_set, name);
    const char *near = fix ? NULL : nearest_option(name);
    check_report(check, DIAGNOSTIC_WARNING, key, true, path,
                 "unknown field, passed on to Inspect as it is", near ? meant(check, near) : fix);
}

void schema_unknown_scan(Check *check, const Json *key, const CheckPath *path)
{
    const SchemaRefusal *refusal = schema_refusal(key->key);
    const char *fix = refusal ? refusal->instead : hint(check, &schema_scan, key->key);
    if (!fix && schema_generate_option(key->key))
        fix = arena_printf(check->arena, "did you mean 'models[].items[].args.config.%.*s'?",
                           STR_ARG(key->key));
    check_report(check, DIAGNOSTIC_WARNING, key, true, path,
                 "unknown field, passed on to Scout as it is", fix);
}
