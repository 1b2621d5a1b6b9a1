/* The fields of each type of edit are a table; reading fills in what was left out, so that whoever
   applies an edit finds everything spelt out. */

#include "edits/edit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { KNOWN_MAX = 400, PATH_SHOWN = 200 };

static const Str unchanged = {"UNCHANGED", sizeof("UNCHANGED") - 1};

typedef enum FieldType {
    FIELD_TEXT,
    FIELD_TEXT_OR_NULL,
    FIELD_VALUE, /* of a score (inspect_ai.scorer.Value) */
    FIELD_OBJECT,
    FIELD_OBJECT_OR_NULL,
    FIELD_BOOL,
    FIELD_LIST,
    FIELD_SCORE,
    FIELD_DATA, /* of an info event: Inspect leaves null out and then cannot read the log */
} FieldType;

typedef enum Missing {
    MISSING_IS_WRONG,
    MISSING_IS_UNCHANGED, /* and "UNCHANGED" may be written */
    MISSING_IS_FALSE,
    MISSING_IS_FINE, /* it stays away */
} Missing;

typedef struct Field {
    const char *name;
    FieldType type;
    Missing missing;
} Field;

typedef struct Kind {
    const char *name;
    const Field *fields;
    size_t n;
    bool rewrites;
    bool is_unique; /* once for each sample, and scorer if it has one */
} Kind;

/* clang-format off */
static const Field score_fields[] = {
    { "scorer",       FIELD_TEXT,           MISSING_IS_WRONG },
    { "reason",       FIELD_TEXT,           MISSING_IS_WRONG },
    { "value",        FIELD_VALUE,          MISSING_IS_UNCHANGED },
    { "answer",       FIELD_TEXT_OR_NULL,   MISSING_IS_UNCHANGED },
    { "explanation",  FIELD_TEXT_OR_NULL,   MISSING_IS_UNCHANGED },
    { "metadata",     FIELD_OBJECT,         MISSING_IS_UNCHANGED },
};
static const Field invalidate_fields[] = {
    { "reason",       FIELD_TEXT,           MISSING_IS_WRONG },
};
static const Field info_event_fields[] = {
    { "source",       FIELD_TEXT,           MISSING_IS_WRONG },
    { "data",         FIELD_DATA,           MISSING_IS_WRONG },
};
static const Field score_event_fields[] = {
    { "scorer",       FIELD_TEXT,           MISSING_IS_WRONG },
    { "score",        FIELD_SCORE,          MISSING_IS_WRONG },
    { "intermediate", FIELD_BOOL,           MISSING_IS_FALSE },
};
static const Field fields_of_score[] = {
    { "value",        FIELD_VALUE,          MISSING_IS_WRONG },
    { "answer",       FIELD_TEXT_OR_NULL,   MISSING_IS_FINE },
    { "explanation",  FIELD_TEXT_OR_NULL,   MISSING_IS_FINE },
    { "reason",       FIELD_TEXT_OR_NULL,   MISSING_IS_FINE },
    { "metadata",     FIELD_OBJECT_OR_NULL, MISSING_IS_FINE },
    { "history",      FIELD_LIST,           MISSING_IS_FINE },
};
static const Kind kinds[] = {
    [EDIT_SCORE]        = { "score_edit",          score_fields,       ARRAY_LEN(score_fields),       true,  true },
    [EDIT_INVALIDATE]   = { "invalidate_sample",   invalidate_fields,  ARRAY_LEN(invalidate_fields),  true,  true },
    [EDIT_UNINVALIDATE] = { "uninvalidate_sample", NULL,               0,                             true,  true },
    [EDIT_INFO_EVENT]   = { "append_info_event",   info_event_fields,  ARRAY_LEN(info_event_fields),  false, false },
    [EDIT_SCORE_EVENT]  = { "append_score_event",  score_event_fields, ARRAY_LEN(score_event_fields), false, false },
};
static const char *const expected[] = {
    [FIELD_TEXT]           = "a text",
    [FIELD_TEXT_OR_NULL]   = "a text or null",
    [FIELD_VALUE]          = "a text, a number, a boolean, or a list or an object of such",
    [FIELD_OBJECT]         = "an object",
    [FIELD_OBJECT_OR_NULL] = "an object or null",
    [FIELD_BOOL]           = "true or false",
    [FIELD_LIST]           = "a list",
    [FIELD_SCORE]          = "an object with a value",
    [FIELD_DATA]           = "anything but null, which a log cannot keep",
};
/* clang-format on */

const char *edit_kind_name(EditKind kind)
{
    return kinds[kind].name;
}

bool edit_kind_rewrites(EditKind kind)
{
    return kinds[kind].rewrites;
}

/* --- problems --- */

static const char *join(const EditReader *reader, const char *path, const char *name)
{
    return arena_printf(reader->arena, "%s%s%s", path, *path ? "." : "", name);
}

/* Always false, so that a caller can write `return complain(...)`. */
HAWK_PRINTF(4, 5)
static bool complain(const EditReader *reader, const Json *node, const char *path, const char *fmt,
                     ...)
{
    va_list args;
    va_start(args, fmt);
    auto_free char *message = NULL;
    if (vasprintf(&message, fmt, args) < 0)
        abort();
    va_end(args);
    const Diagnostic item = {.severity = DIAGNOSTIC_ERROR,
                             .file = reader->file,
                             .line = node->line > 0 ? node->line + reader->lines_before : 0,
                             .column = node->column,
                             .path = path,
                             .message = message};
    diagnostics_add(reader->problems, &item);
    return false;
}

static bool complain_type(const EditReader *reader, const Json *node, const char *path,
                          const char *what)
{
    return complain(reader, node, path, "expected %s, found %s", what, json_type_name(node->type));
}

/* --- fields that nobody knows --- */

static bool is_known(Str name, const Field *fields, size_t n, const char *const *more)
{
    for (size_t i = 0; i < n; i++)
        if (str_eqz(name, fields[i].name))
            return true;
    for (; *more; more++)
        if (str_eqz(name, *more))
            return true;
    return false;
}

/* `more` are the fields that stand beside those of the table; it ends with NULL. */
static bool check_known(const EditReader *reader, const Json *node, const char *path,
                        const Field *fields, size_t n, const char *const *more)
{
    bool is_fine = true;
    for (const Json *child = node->first; reader->refuses_more && child; child = child->next) {
        if (is_known(child->key, fields, n, more))
            continue;
        auto_buf Buf known = BUF_INIT(KNOWN_MAX);
        for (size_t i = 0; more[i]; i++)
            buf_printf(&known, "%s%s", known.len ? ", " : "", more[i]);
        for (size_t i = 0; i < n; i++)
            buf_printf(&known, "%s%s", known.len ? ", " : "", fields[i].name);
        Str key = str_slice(child->key, 0, PATH_SHOWN);
        is_fine = complain(reader, child, path, "unknown field '%.*s'; there are %s", STR_ARG(key),
                           known.data);
    }
    return is_fine;
}

/* --- values --- */

static bool is_scalar(const Json *node, bool or_null)
{
    switch (node->type) {
    case JSON_BOOL:
    case JSON_INT:
    case JSON_REAL:
    case JSON_STRING: return true;
    case JSON_NULL: return or_null;
    case JSON_ARRAY:
    case JSON_OBJECT:
    default: return false;
    }
}

/* Union[str | int | float | bool, Sequence of these, Mapping of these or None]. */
static bool is_value(const Json *node)
{
    if (node->type != JSON_ARRAY && node->type != JSON_OBJECT)
        return is_scalar(node, false);
    for (const Json *child = node->first; child; child = child->next)
        if (!is_scalar(child, node->type == JSON_OBJECT))
            return false;
    return true;
}

static bool fits(const Field *field, const Json *node)
{
    switch (field->type) {
    case FIELD_TEXT: return node->type == JSON_STRING;
    case FIELD_TEXT_OR_NULL: return node->type == JSON_STRING || node->type == JSON_NULL;
    case FIELD_VALUE: return is_value(node);
    case FIELD_OBJECT:
    case FIELD_SCORE: return node->type == JSON_OBJECT;
    case FIELD_OBJECT_OR_NULL: return node->type == JSON_OBJECT || node->type == JSON_NULL;
    case FIELD_BOOL: return node->type == JSON_BOOL;
    case FIELD_LIST: return node->type == JSON_ARRAY;
    case FIELD_DATA:
    default: return node->type != JSON_NULL;
    }
}

static bool is_unchanged(const Field *field, const Json *node)
{
    return field->missing == MISSING_IS_UNCHANGED && node->type == JSON_STRING &&
           str_eq(node->text, unchanged);
}

static void fill_in(const EditReader *reader, const Field *field, Json *ret)
{
    if (field->missing == MISSING_IS_UNCHANGED)
        json_set(ret, str_of(field->name), json_new_str(reader->arena, unchanged));
    else if (field->missing == MISSING_IS_FALSE)
        json_set(ret, str_of(field->name), json_new_bool(reader->arena, false));
}

static bool read_fields(const EditReader *reader, const Json *node, const char *path,
                        const Field *fields, size_t n, Json *ret);

static bool read_score(const EditReader *reader, const Json *node, const char *path, Json *ret)
{
    static const char *const none[] = {NULL};
    bool is_fine =
        read_fields(reader, node, path, fields_of_score, ARRAY_LEN(fields_of_score), ret);
    return check_known(reader, node, path, fields_of_score, ARRAY_LEN(fields_of_score), none) &&
           is_fine;
}

static bool read_field(const EditReader *reader, const Json *node, const char *path,
                       const Field *field, Json *ret)
{
    const Json *given = json_get(node, field->name);
    const char *place = join(reader, path, field->name);
    if (!given && field->missing == MISSING_IS_WRONG)
        return complain(reader, node, place, "this field is needed: %s", expected[field->type]);
    if (!given) {
        fill_in(reader, field, ret);
        return true;
    }
    if (!is_unchanged(field, given) && !fits(field, given))
        return complain_type(reader, given, place, expected[field->type]);
    if (field->type == FIELD_SCORE) {
        Json *score = json_new(reader->arena, JSON_OBJECT);
        json_set(ret, str_of(field->name), score);
        return read_score(reader, given, place, score);
    }
    json_set(ret, str_of(field->name), json_copy(reader->arena, given));
    return true;
}

static bool read_fields(const EditReader *reader, const Json *node, const char *path,
                        const Field *fields, size_t n, Json *ret)
{
    bool is_fine = true;
    for (size_t i = 0; i < n; i++)
        if (!read_field(reader, node, path, &fields[i], ret))
            is_fine = false;
    return is_fine;
}

/* --- an edit --- */

static bool find_kind(Str name, EditKind *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_eqz(name, kinds[i].name))
            continue;
        *ret = (EditKind)i;
        return true;
    }
    return false;
}

static bool read_kind(const EditReader *reader, const Json *details, const char *path,
                      EditKind *ret)
{
    const Json *type = json_get(details, "type");
    const char *place = join(reader, path, "type");
    if (type && type->type == JSON_STRING && find_kind(type->text, ret))
        return true;
    auto_buf Buf names = BUF_INIT(KNOWN_MAX);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", kinds[i].name);
    return complain(reader, type ? type : details, place, "expected one of %s", names.data);
}

static bool read_uuid(const EditReader *reader, const Json *node, const char *path, Edit *ret)
{
    static const Field field = {"sample_uuid", FIELD_TEXT, MISSING_IS_WRONG};
    Json *read = json_new(reader->arena, JSON_OBJECT);
    if (!read_field(reader, node, path, &field, read))
        return false;
    ret->sample_uuid = json_text(read, field.name, STR(""));
    return true;
}

/* Reads the details, which stand in an object of their own or beside the uuid. */
static bool read_details(const EditReader *reader, const Json *node, const char *path,
                         const char *const *more, Edit *ret)
{
    const Kind *kind = &kinds[ret->kind];
    ret->details = json_new(reader->arena, JSON_OBJECT);
    json_set(ret->details, STR("type"), json_new_str(reader->arena, str_of(kind->name)));
    bool is_fine = read_fields(reader, node, path, kind->fields, kind->n, ret->details);
    if (!check_known(reader, node, path, kind->fields, kind->n, more))
        is_fine = false;
    ret->scorer = json_text(ret->details, "scorer", STR_NONE);
    return is_fine;
}

static bool read_nested(const EditReader *reader, const Json *node, const char *path, Edit *ret)
{
    static const char *const beside[] = {"sample_uuid", "details", NULL};
    static const char *const inside[] = {"type", NULL};
    const Json *details = json_get(node, "details");
    const char *place = join(reader, path, "details");
    bool is_fine = check_known(reader, node, path, NULL, 0, beside);
    if (!details)
        return complain(reader, node, place, "this field is needed: an object with a type");
    if (details->type != JSON_OBJECT)
        return complain_type(reader, details, place, "an object with a type");
    if (!read_kind(reader, details, place, &ret->kind))
        return false;
    return read_details(reader, details, place, inside, ret) && is_fine;
}

bool edit_read(const EditReader *reader, const Json *node, const char *path, Edit *ret)
{
    static const char *const beside[] = {"sample_uuid", NULL};
    if (node->type != JSON_OBJECT)
        return complain_type(reader, node, path, "an object");
    *ret = (Edit){.line = node->line + reader->lines_before};
    bool is_fine = read_uuid(reader, node, path, ret);
    if (reader->form == EDIT_FORM_ANY)
        return read_nested(reader, node, path, ret) && is_fine;
    ret->kind = reader->form == EDIT_FORM_INFO_EVENT ? EDIT_INFO_EVENT : EDIT_SCORE_EVENT;
    return read_details(reader, node, path, beside, ret) && is_fine;
}

bool edit_list_read(const EditReader *reader, const Json *array, const char *path, EditList *ret)
{
    if (array->type != JSON_ARRAY)
        return complain_type(reader, array, path, "a list");
    if (array->n < 1 || array->n > EDIT_LIST_MAX)
        return complain(reader, array, path, "expected 1 to %d items, found %zu", EDIT_LIST_MAX,
                        array->n);
    EditList list = {.items = arena_array(reader->arena, array->n, sizeof(*list.items))};
    bool is_fine = true;
    for (const Json *node = array->first; node; node = node->next, list.n++) {
        const char *place = arena_printf(reader->arena, "%s[%zu]", path, list.n);
        if (!edit_read(reader, node, place, &list.items[list.n]))
            is_fine = false;
    }
    *ret = list;
    return is_fine;
}

/* --- duplicates --- */

static int compare(const void *a, const void *b)
{
    const Edit *x = *(const Edit *const *)a;
    const Edit *y = *(const Edit *const *)b;
    int order = str_cmp(x->sample_uuid, y->sample_uuid);
    if (order == 0)
        order = (int)x->kind - (int)y->kind;
    if (order == 0 && x->kind == EDIT_SCORE)
        order = str_cmp(x->scorer, y->scorer);
    return order;
}

bool edit_list_find_duplicate(const EditList *list, size_t *ret_first, size_t *ret_second)
{
    auto_free const Edit **sorted = mem_array(list->n + 1, sizeof(*sorted));
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        if (kinds[list->items[i].kind].is_unique)
            sorted[n++] = &list->items[i];
    if (n > 0)
        qsort(sorted, n, sizeof(*sorted), compare);
    for (size_t i = 1; i < n; i++) {
        if (compare(&sorted[i - 1], &sorted[i]) != 0)
            continue;
        size_t a = (size_t)(sorted[i - 1] - list->items);
        size_t b = (size_t)(sorted[i] - list->items);
        *ret_first = a < b ? a : b;
        *ret_second = a < b ? b : a;
        return true;
    }
    return false;
}
