/* The tables as JSON Schema (draft-07, which editors understand best) and as a reference page. */

#include <stdio.h>

#include "base/buf.h"
#include "jobspec/schema_priv.h"

/* More objects than all tables together have. */
enum { OBJECTS_MAX = 128 };

typedef struct ObjectList {
    const SchemaObject *items[OBJECTS_MAX];
    size_t n;
} ObjectList;

static void collect_object(ObjectList *list, const SchemaObject *object);

static void collect_field(ObjectList *list, const SchemaField *field)
{
    if (field->flags & SCHEMA_HIDDEN)
        return;
    if (field->item)
        collect_field(list, field->item);
    if (field->object)
        collect_object(list, field->object);
    for (size_t i = 0; field->choice && field->choice->objects[i]; i++)
        collect_object(list, field->choice->objects[i]);
}

static void collect_object(ObjectList *list, const SchemaObject *object)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i] == object)
            return;
    if (list->n == OBJECTS_MAX)
        return;
    list->items[list->n++] = object;
    for (const SchemaField *field = object->fields; field->name; field++)
        collect_field(list, field);
}

static void put_number(JsonOut *out, const char *key, double value)
{
    json_out_kv_int(out, key, (int64_t)value);
}

static void put_bounds(JsonOut *out, const SchemaField *field)
{
    if (field->has_min)
        put_number(out, field->flags & SCHEMA_ABOVE ? "exclusiveMinimum" : "minimum", field->min);
    if (field->has_max)
        put_number(out, "maximum", field->max);
}

static void put_text(JsonOut *out, const SchemaField *field)
{
    json_out_kvz(out, "type", "string");
    if (field->words) {
        json_out_kv_array(out, "enum");
        for (size_t i = 0; field->words[i]; i++)
            json_out_str(out, str_of(field->words[i]));
        json_out_end_array(out);
    }
    if (field->pattern)
        json_out_kvz(out, "pattern", field->pattern);
    /* Lengths are of lists where the field takes both. */
    bool has_length = !(field->types & SCHEMA_LIST);
    if (has_length && field->min_len > 0)
        json_out_kv_int(out, "minLength", (int64_t)field->min_len);
    if (has_length && field->max_len > 0)
        json_out_kv_int(out, "maxLength", (int64_t)field->max_len);
    if (field->not_pattern) {
        json_out_kv_object(out, "not");
        json_out_kvz(out, "pattern", field->not_pattern);
        json_out_end_object(out);
    }
}

static void put_value(JsonOut *out, const SchemaField *field);

static void put_ref(JsonOut *out, const SchemaObject *object)
{
    char ref[128];
    (void)snprintf(ref, sizeof(ref), "#/definitions/%s", object->name);
    json_out_kvz(out, "$ref", ref);
}

static void put_list(JsonOut *out, const SchemaField *field)
{
    json_out_kvz(out, "type", "array");
    json_out_kv_object(out, "items");
    put_value(out, field->item);
    json_out_end_object(out);
    if (field->min_len > 0)
        json_out_kv_int(out, "minItems", (int64_t)field->min_len);
    if (field->max_len > 0)
        json_out_kv_int(out, "maxItems", (int64_t)field->max_len);
}

static void put_map(JsonOut *out, const SchemaField *field)
{
    json_out_kvz(out, "type", "object");
    json_out_kv_object(out, "additionalProperties");
    put_value(out, field->item);
    json_out_end_object(out);
}

/* One of the things that a value may be. */
typedef struct Variant {
    unsigned type;
    const SchemaObject *object;
} Variant;

enum { VARIANTS_MAX = 24 };

static size_t variants_of(const SchemaField *field, Variant ret[VARIANTS_MAX])
{
    static const unsigned order[] = {SCHEMA_BOOL, SCHEMA_INT, SCHEMA_REAL,   SCHEMA_STR,
                                     SCHEMA_LIST, SCHEMA_MAP, SCHEMA_OBJECT, SCHEMA_NULL};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (!(field->types & order[i]))
            continue;
        if (order[i] != SCHEMA_OBJECT) {
            ret[n++] = (Variant){.type = order[i]};
            continue;
        }
        if (field->object)
            ret[n++] = (Variant){.type = order[i], .object = field->object};
        for (size_t k = 0; field->choice && field->choice->objects[k] && n < VARIANTS_MAX; k++)
            ret[n++] = (Variant){.type = order[i], .object = field->choice->objects[k]};
    }
    return n;
}

static void put_variant(JsonOut *out, const SchemaField *field, Variant variant)
{
    switch (variant.type) {
    case SCHEMA_NULL: json_out_kvz(out, "type", "null"); break;
    case SCHEMA_BOOL: json_out_kvz(out, "type", "boolean"); break;
    case SCHEMA_INT:
    case SCHEMA_REAL:
        json_out_kvz(out, "type", variant.type == SCHEMA_INT ? "integer" : "number");
        put_bounds(out, field);
        break;
    case SCHEMA_STR: put_text(out, field); break;
    case SCHEMA_LIST: put_list(out, field); break;
    case SCHEMA_MAP: put_map(out, field); break;
    case SCHEMA_OBJECT: put_ref(out, variant.object); break;
    default: break;
    }
}

/* The members that describe a value, inside an object that is open. */
static void put_value(JsonOut *out, const SchemaField *field)
{
    if (field->types & SCHEMA_ANY)
        return;
    Variant variants[VARIANTS_MAX];
    size_t n = variants_of(field, variants);
    /* Draft-07 ignores what stands beside a $ref, so a reference is always inside anyOf. */
    if (n == 1 && variants[0].type != SCHEMA_OBJECT) {
        put_variant(out, field, variants[0]);
        return;
    }
    json_out_kv_array(out, "anyOf");
    for (size_t i = 0; i < n; i++) {
        json_out_object(out);
        put_variant(out, field, variants[i]);
        json_out_end_object(out);
    }
    json_out_end_array(out);
}

static void put_property(JsonOut *out, const SchemaField *field, const char *help)
{
    json_out_kv_object(out, field->name);
    if (help)
        json_out_kvz(out, "description", help);
    put_value(out, field);
    if (field->flags & SCHEMA_DEPRECATED) {
        json_out_kv_bool(out, "deprecated", true);
        json_out_kvz(out, "deprecationMessage", field->advice);
    }
    if (!(field->flags & SCHEMA_REQUIRED)) {
        json_out_key(out, STR("default"));
        json_out_raw(out, str_of(field->fallback ? field->fallback : "null"));
    }
    json_out_end_object(out);
}

/* Top-level keys of an eval set that are not its fields: generation options, parameters of
 * eval_set(), refused keys. */
static void put_forwards(JsonOut *out)
{
    for (const SchemaField *field = schema_generate_config.fields; field->name; field++)
        if (!schema_field(&schema_eval_set, str_of(field->name)))
            put_property(out, field, field->help);
    const SchemaForward *forward = NULL;
    for (size_t i = 0; (forward = schema_forward_at(i)); i++) {
        SchemaField field = forward->field;
        put_property(out, &field,
                     forward->is_ours ? "No effect: hawk sets this itself."
                                      : "Passed on to Inspect's eval_set().");
    }
    const SchemaRefusal *refusal = NULL;
    for (size_t i = 0; (refusal = schema_refusal_at(i)); i++) {
        json_out_kv_object(out, refusal->name);
        json_out_kvz(out, "description", refusal->instead);
        json_out_kv_object(out, "not");
        json_out_end_object(out);
        json_out_end_object(out);
    }
}

/* The members of an object's schema, inside an object that is open. */
static void put_object(JsonOut *out, const SchemaObject *object)
{
    json_out_kvz(out, "type", "object");
    json_out_kvz(out, "description", object->help);
    json_out_kv_object(out, "properties");
    for (const SchemaField *field = object->fields; field->name; field++)
        if (!(field->flags & SCHEMA_HIDDEN))
            put_property(out, field, field->help);
    if (object == &schema_eval_set)
        put_forwards(out);
    json_out_end_object(out);
    json_out_kv_array(out, "required");
    for (const SchemaField *field = object->fields; field->name; field++)
        if (field->flags & SCHEMA_REQUIRED)
            json_out_str(out, str_of(field->name));
    json_out_end_array(out);
    json_out_kv_bool(out, "additionalProperties", object->extra != SCHEMA_FORBID);
}

void schema_write(JobspecKind kind, JsonOut *out)
{
    const SchemaObject *root = schema_of(kind);
    ObjectList list = {.n = 0};
    collect_object(&list, root);
    if (root == &schema_eval_set)
        for (const SchemaField *field = schema_generate_config.fields; field->name; field++)
            collect_field(&list, field);
    json_out_object(out);
    json_out_kvz(out, "$schema", "http://json-schema.org/draft-07/schema#");
    json_out_kvz(out, "title", root->name);
    put_object(out, root);
    json_out_kv_object(out, "definitions");
    for (size_t i = 1; i < list.n; i++) {
        json_out_kv_object(out, list.items[i]->name);
        put_object(out, list.items[i]);
        json_out_end_object(out);
    }
    json_out_end_object(out);
    json_out_end_object(out);
}

static void add_types(Buf *ret, const SchemaField *field)
{
    if (field->types & SCHEMA_ANY) {
        buf_addz(ret, "any");
        return;
    }
    static const char *const names[] = {"null", "boolean",  "integer", "number",
                                        "text", "list of ", "map of ", ""};
    Variant variants[VARIANTS_MAX];
    size_t n = variants_of(field, variants);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_addz(ret, " or ");
        buf_addz(ret, names[__builtin_ctz(variants[i].type)]);
        if (variants[i].type == SCHEMA_STR && field->words)
            for (size_t k = 0; field->words[k]; k++)
                buf_printf(ret, "%s`%s`", k == 0 ? " " : ", ", field->words[k]);
        if (variants[i].type & (SCHEMA_LIST | SCHEMA_MAP))
            add_types(ret, field->item);
        if (variants[i].object)
            buf_addz(ret, variants[i].object->name);
    }
}

static void add_rules(Buf *ret, const SchemaField *field)
{
    if (field->has_min)
        buf_printf(ret, " %s %g.", field->flags & SCHEMA_ABOVE ? "Above" : "At least", field->min);
    if (field->has_max)
        buf_printf(ret, " At most %g.", field->max);
    if (field->min_len > 0 && field->min_len == field->max_len)
        buf_printf(ret, " Exactly %zu.", field->min_len);
    else if (field->max_len > 0)
        buf_printf(ret, " Length at most %zu.", field->max_len);
    if (field->flags & SCHEMA_DEPRECATED)
        buf_addz(ret, " Deprecated.");
}

void schema_write_reference(JobspecKind kind, Buf *ret)
{
    ObjectList list = {.n = 0};
    collect_object(&list, schema_of(kind));
    buf_printf(ret,
               "# Fields of a config: %s\n\nMade by `hawk schema %s --reference`. `hawk validate` "
               "checks a config against it, and `hawk schema %s` prints it for editors.\n\n",
               jobspec_kind_name(kind), jobspec_kind_name(kind), jobspec_kind_name(kind));
    for (size_t i = 0; i < list.n; i++) {
        const SchemaObject *object = list.items[i];
        buf_printf(ret, "%s## %s\n\n%s\n\n", i > 0 ? "\n" : "", object->name, object->help);
        buf_addz(ret, "| field | type | default | |\n| --- | --- | --- | --- |\n");
        for (const SchemaField *field = object->fields; field->name; field++) {
            if (field->flags & SCHEMA_HIDDEN)
                continue;
            buf_printf(ret, "| `%s` | ", field->name);
            add_types(ret, field);
            buf_printf(ret, " | %s | %s",
                       field->flags & SCHEMA_REQUIRED ? "required"
                       : field->fallback              ? field->fallback
                                                      : "null",
                       field->help ? field->help : "");
            add_rules(ret, field);
            buf_addz(ret, " |\n");
        }
    }
}
