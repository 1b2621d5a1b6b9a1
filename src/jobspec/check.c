/* The walk over a document beside its schema. Values are taken as their type says, and, where
   pydantic-based servers do the same, also when they only look like it ("5" for 5, yes for true);
   the latter with a warning. */

#include "jobspec/check_priv.h"

#include <math.h>
#include <stdio.h>

typedef struct TypeWord {
    unsigned type;
    const char *word;
} TypeWord;

/* clang-format off */
static const TypeWord type_words[] = {
    { SCHEMA_BOOL,                "true or false" },
    { SCHEMA_INT,                 "a whole number" },
    { SCHEMA_REAL,                "a number" },
    { SCHEMA_STR,                 "a text" },
    { SCHEMA_LIST,                "a list" },
    { SCHEMA_MAP | SCHEMA_OBJECT, "a mapping" },
};
/* clang-format on */

static const char *words_text(Arena *arena, const char *const *words)
{
    auto_buf Buf buf = BUF_INIT(1024);
    for (size_t i = 0; words[i]; i++)
        buf_printf(&buf, "%s\"%s\"", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    return arena_strndup(arena, buf.data, buf.len);
}

/* "true or false, a whole number or a mapping". */
static const char *expected(Arena *arena, const SchemaField *field)
{
    const char *parts[ARRAY_LEN(type_words)] = {0};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(type_words); i++) {
        if (!(field->types & type_words[i].type))
            continue;
        bool has_words = type_words[i].type == SCHEMA_STR && field->words;
        parts[n++] = has_words ? words_text(arena, field->words) : type_words[i].word;
    }
    if (n == 0)
        return "nothing";
    auto_buf Buf buf = BUF_INIT(2048);
    for (size_t i = 0; i < n; i++)
        buf_printf(&buf, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", parts[i]);
    return arena_strndup(arena, buf.data, buf.len);
}

static Json *refuse_type(Check *check, const SchemaField *field, const Json *node,
                         const CheckPath *path)
{
    const char *fix = field->advice;
    bool is_scalar = node->type == JSON_BOOL || node->type == JSON_INT || node->type == JSON_REAL;
    if (!fix && (field->types & SCHEMA_STR) && is_scalar)
        fix = "put it in quotes";
    else if (!fix && node->type == JSON_NULL)
        fix = "give it a value or remove the key";
    else if (!fix && (field->types & SCHEMA_LIST))
        fix = "write each entry on a line of its own after '- '";
    check_error(check, node, path, fix, "expected %s, found %s", expected(check->arena, field),
                check_shown(check, node));
    return NULL;
}

static const char *nearest_word(const char *const *words, Str text)
{
    for (size_t i = 0; words[i]; i++)
        if (str_distance(str_of(words[i]), text) <= 2)
            return words[i];
    return NULL;
}

static bool is_word(const char *const *words, Str text)
{
    for (size_t i = 0; words[i]; i++)
        if (str_eqz(text, words[i]))
            return true;
    return false;
}

/* Whether a text is one that the field takes. */
static bool text_fits(const SchemaField *field, Str text)
{
    if (!(field->types & SCHEMA_STR))
        return false;
    if (field->words)
        return is_word(field->words, text);
    /* Lengths are of lists where the field takes both. */
    size_t n = field->types & SCHEMA_LIST ? field->min_len : check_n_chars(text);
    if (n < field->min_len || (field->max_len > 0 && n > field->max_len))
        return false;
    if (field->pattern && !check_matches(field->pattern, text))
        return false;
    return !(text.n > 0 && memchr(text.p, 0, text.n));
}

static Json *refuse_text(Check *check, const SchemaField *field, const Json *node,
                         const CheckPath *path)
{
    size_t n = check_n_chars(node->text);
    if (field->words) {
        const char *near = nearest_word(field->words, node->text);
        const char *fix = near ? arena_printf(check->arena, "did you mean \"%s\"?", near) : NULL;
        check_error(check, node, path, fix ? fix : field->advice, "expected %s, found %s",
                    expected(check->arena, field), check_shown(check, node));
    } else if (n < field->min_len) {
        check_error(check, node, path, NULL, "expected at least %zu character%s, found %zu",
                    field->min_len, field->min_len == 1 ? "" : "s", n);
    } else if (field->max_len > 0 && n > field->max_len) {
        check_error(check, node, path, NULL, "expected at most %zu characters, found %zu",
                    field->max_len, n);
    } else if (field->types & ~(unsigned)(SCHEMA_STR | SCHEMA_NULL)) {
        return refuse_type(check, field, node, path);
    } else if (node->text.n > 0 && memchr(node->text.p, 0, node->text.n)) {
        check_error(check, node, path, NULL, "the text has a zero byte in it");
    } else {
        check_error(check, node, path, field->advice, "%s does not have the form that is needed",
                    check_shown(check, node));
    }
    return NULL;
}

typedef struct LaxWord {
    const char *text;
    bool value;
} LaxWord;

/* clang-format off */
static const LaxWord lax_words[] = {
    { "true", true },   { "yes", true }, { "on", true },   { "y", true },  { "t", true },  { "1", true },
    { "false", false }, { "no", false }, { "off", false }, { "n", false }, { "f", false }, { "0", false },
};
/* clang-format on */

static Json *lax_bool(Arena *arena, const Json *node)
{
    double number = 0;
    if (json_number(node, &number) && (number == 0 || number == 1))
        return json_new_bool(arena, number == 1);
    if (node->type != JSON_STRING)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(lax_words); i++)
        if (str_eq_nocase(node->text, str_of(lax_words[i].text)))
            return json_new_bool(arena, lax_words[i].value);
    return NULL;
}

static Json *lax_int(Arena *arena, const Json *node)
{
    int64_t value = 0;
    if (node->type == JSON_BOOL)
        return json_new_int(arena, node->boolean ? 1 : 0);
    bool is_small = node->type == JSON_REAL && node->real > -9e15 && node->real < 9e15;
    if (is_small && node->real == (double)(int64_t)node->real)
        return json_new_int(arena, (int64_t)node->real);
    if (node->type == JSON_STRING &&
        str_to_i64(str_trim(node->text), INT64_MIN, INT64_MAX, &value) == 0)
        return json_new_int(arena, value);
    return NULL;
}

static Json *new_real(Arena *arena, double value)
{
    Json *node = json_new(arena, JSON_REAL);
    node->real = value;
    char text[40];
    (void)snprintf(text, sizeof(text), "%.17g", value);
    bool is_whole = !strpbrk(text, ".en");
    node->text = str_of(arena_printf(arena, "%s%s", text, is_whole ? ".0" : ""));
    return node;
}

static Json *lax_real(Arena *arena, const Json *node)
{
    double value = 0;
    if (node->type == JSON_BOOL)
        return new_real(arena, node->boolean ? 1 : 0);
    if (node->type == JSON_STRING && str_to_double(str_trim(node->text), &value) == 0)
        return new_real(arena, value);
    return NULL;
}

/* A value of another type that stands for one of the field's, with a warning; NULL when there is
 * none. */
static Json *take_lax(Check *check, const SchemaField *field, const Json *node,
                      const CheckPath *path)
{
    Json *value = NULL;
    if (field->types & SCHEMA_INT && !(field->flags & SCHEMA_STRICT && node->type == JSON_BOOL))
        value = lax_int(check->arena, node);
    if (!value && field->types & SCHEMA_REAL)
        value = lax_real(check->arena, node);
    if (!value && field->types & SCHEMA_BOOL && !(field->flags & SCHEMA_STRICT))
        value = lax_bool(check->arena, node);
    if (!value)
        return NULL;
    const char *shown = value->type == JSON_BOOL ? (value->boolean ? "true" : "false")
                        : value->type == JSON_INT
                            ? arena_printf(check->arena, "%lld", (long long)value->integer)
                            : arena_printf(check->arena, "%.*s", STR_ARG(value->text));
    check_warning(check, node, path, arena_printf(check->arena, "write %s", shown),
                  "%s is taken as %s", check_shown(check, node), shown);
    return value;
}

static bool number_fits(Check *check, const SchemaField *field, const Json *value, const Json *node,
                        const CheckPath *path)
{
    double number = 0;
    if (!json_number(value, &number))
        return true;
    const char *needed = NULL;
    if (!isfinite(number))
        needed = "a finite number";
    else if (field->has_min && field->flags & SCHEMA_ABOVE && number <= field->min)
        needed = arena_printf(check->arena, "a number above %g", field->min);
    else if (field->has_min && number < field->min)
        needed = arena_printf(check->arena, "at least %g", field->min);
    else if (field->has_max && number > field->max)
        needed = arena_printf(check->arena, "at most %g", field->max);
    if (!needed)
        return true;
    check_error(check, node, path, NULL, "expected %s, found %s", needed, check_shown(check, node));
    return false;
}

static Json *take_scalar(Check *check, const SchemaField *field, const Json *node,
                         const CheckPath *path)
{
    static const unsigned exact[] = {
        [JSON_BOOL] = SCHEMA_BOOL,
        [JSON_INT] = SCHEMA_INT,
        [JSON_REAL] = SCHEMA_REAL,
    };
    Json *value = NULL;
    if (node->type == JSON_STRING) {
        if (text_fits(field, node->text))
            value = json_copy(check->arena, node);
    } else if (field->types & exact[node->type]) {
        value = json_copy(check->arena, node);
    } else if (node->type == JSON_INT && field->types & SCHEMA_REAL) {
        value = new_real(check->arena, (double)node->integer);
    }
    if (!value)
        value = take_lax(check, field, node, path);
    if (!value)
        return node->type == JSON_STRING && field->types & SCHEMA_STR
                   ? refuse_text(check, field, node, path)
                   : refuse_type(check, field, node, path);
    if (!number_fits(check, field, value, node, path))
        return NULL;
    return value;
}

/* Appends without looking for an equal key: the reader has refused those, and objects may be large.
 */
static void link_child(Json *parent, Json *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->n++;
}

static Json *take_list(Check *check, const SchemaField *field, const Json *node,
                       const CheckPath *path)
{
    if (node->n < field->min_len || (field->max_len > 0 && node->n > field->max_len)) {
        bool is_exact = field->min_len == field->max_len;
        bool is_short = node->n < field->min_len;
        size_t needed = is_short ? field->min_len : field->max_len;
        check_error(check, node, path, field->advice, "expected %s %zu %s, found %zu",
                    is_exact   ? "exactly"
                    : is_short ? "at least"
                               : "at most",
                    needed, needed == 1 ? "item" : "items", node->n);
        return NULL;
    }
    Json *list = json_new(check->arena, JSON_ARRAY);
    size_t i = 0;
    for (const Json *item = node->first; item; item = item->next) {
        CheckPath sub = {.up = path, .index = i++};
        Json *value = check_value(check, field->item, item, &sub);
        if (value)
            link_child(list, value);
    }
    return list;
}

static Json *take_map(Check *check, const SchemaField *field, const Json *node,
                      const CheckPath *path)
{
    Json *map = json_new(check->arena, JSON_OBJECT);
    for (const Json *item = node->first; item; item = item->next) {
        CheckPath sub = {.up = path, .key = item->key};
        Json *value = check_value(check, field->item, item, &sub);
        if (!value)
            continue;
        value->key = item->key;
        value->key_line = item->key_line;
        value->key_column = item->key_column;
        link_child(map, value);
    }
    return map;
}

static Json *take_object(Check *check, const SchemaField *field, const Json *node,
                         const CheckPath *path)
{
    const SchemaObject *object = field->object;
    if (field->types & SCHEMA_OBJECT && field->choice)
        object = field->choice->pick(field->choice->objects, node);
    if (object)
        return check_object(check, object, node, path);
    if (field->types & SCHEMA_MAP)
        return take_map(check, field, node, path);
    check_error(check, node, path, field->advice, "this mapping is none of those that can be here");
    return NULL;
}

static Json *take_value(Check *check, const SchemaField *field, const Json *node,
                        const CheckPath *path)
{
    if (field->types & SCHEMA_ANY)
        return json_copy(check->arena, node);
    switch (node->type) {
    case JSON_NULL:
        if (field->types & SCHEMA_NULL)
            return json_new(check->arena, JSON_NULL);
        break;
    case JSON_BOOL:
    case JSON_INT:
    case JSON_REAL:
    case JSON_STRING: return take_scalar(check, field, node, path);
    case JSON_ARRAY:
        if (field->types & SCHEMA_LIST)
            return take_list(check, field, node, path);
        break;
    case JSON_OBJECT:
        if (field->types & (SCHEMA_OBJECT | SCHEMA_MAP))
            return take_object(check, field, node, path);
        break;
    }
    return refuse_type(check, field, node, path);
}

static void place(Json *value, const Json *node)
{
    value->line = node->line;
    value->column = node->column;
    value->key_line = node->key_line;
    value->key_column = node->key_column;
}

Json *check_value(Check *check, const SchemaField *field, const Json *node, const CheckPath *path)
{
    bool was_hidden = check->hide;
    check->hide = was_hidden || field->flags & SCHEMA_SECRET;
    Json *value = take_value(check, field, node, path);
    if (value)
        place(value, node);
    if (value && field->not_pattern && value->type == JSON_STRING &&
        check_matches(field->not_pattern, value->text)) {
        check_error(check, node, path, field->advice, "%s cannot be given here",
                    check_shown(check, node));
        value = NULL;
    }
    if (value && field->rule && value->type != JSON_NULL)
        field->rule(check, field, value, path);
    if (value && field->flags & SCHEMA_RAW) {
        value = json_copy(check->arena, node);
        value->key = STR_NONE;
    }
    check->hide = was_hidden;
    return value;
}

/* Nothing of a default stands in the document. */
static void unplace(Json *node)
{
    node->line = node->column = node->key_line = node->key_column = 0;
    for (Json *child = node->first; child; child = child->next)
        unplace(child);
}

/* The default of a field, with the defaults below it filled in. */
static Json *default_value(Check *check, const SchemaField *field)
{
    if (!field->fallback)
        return json_new(check->arena, JSON_NULL);
    Json *value = NULL;
    auto_error Error err = ERROR_INIT;
    if (json_parse(check->arena, str_of(field->fallback), &json_limits_config, &value, &err) < 0)
        return json_new(check->arena, JSON_NULL);
    if (field->types & SCHEMA_OBJECT && value->type == JSON_OBJECT) {
        bool was_silent = check->silent;
        check->silent = true;
        value = check_value(check, field, value, NULL);
        check->silent = was_silent;
    }
    if (value)
        unplace(value);
    return value;
}

static bool is_dropped(Check *check, const SchemaField *field, const Json *value)
{
    if (field->flags & SCHEMA_DROP_EMPTY && value->n == 0)
        return true;
    return field->flags & SCHEMA_DROP_DEFAULT && json_equal(value, default_value(check, field));
}

static Json *member_value(Check *check, const SchemaField *field, const Json *member,
                          const Json *node, const CheckPath *path)
{
    if (member) {
        CheckPath sub = {.up = path, .key = str_of(field->name)};
        if (field->flags & SCHEMA_DEPRECATED && member->n > 0)
            check_report(check, DIAGNOSTIC_WARNING, member, true, &sub, "this field is deprecated",
                         field->advice);
        return check_value(check, field, member, &sub);
    }
    if (!(field->flags & SCHEMA_REQUIRED))
        return default_value(check, field);
    check_error(check, node, path, arena_printf(check->arena, "add it: %s", field->help),
                "the field '%s' is missing", field->name);
    return NULL;
}

static void keep_unknown(Check *check, const SchemaObject *object, const Json *node, Json *ret,
                         const CheckPath *path)
{
    for (const Json *member = node->first; member; member = member->next) {
        if (schema_field(object, member->key))
            continue;
        CheckPath sub = {.up = path, .key = member->key};
        if (!check->silent && check->list->n < DIAGNOSTICS_MAX)
            check_unknown(check, object, member, &sub);
        else if (object->extra == SCHEMA_FORBID)
            check_error(check, member, &sub, NULL, "unknown field");
        if (object->extra == SCHEMA_ALLOW)
            link_child(ret, json_copy(check->arena, member));
    }
}

Json *check_object(Check *check, const SchemaObject *object, const Json *node,
                   const CheckPath *path)
{
    Json *ret = json_new(check->arena, JSON_OBJECT);
    for (const SchemaField *field = object->fields; field->name; field++) {
        const Json *member = json_get(node, field->name);
        Json *value = member_value(check, field, member, node, path);
        if (!value || is_dropped(check, field, value))
            continue;
        value->key = str_of(field->name);
        link_child(ret, value);
    }
    keep_unknown(check, object, node, ret, path);
    place(ret, node);
    if (object->rule)
        object->rule(check, ret, path);
    return ret;
}
