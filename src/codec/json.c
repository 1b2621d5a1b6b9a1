/* The tree: making nodes, finding and changing members, comparing. Reading is in json_read.c. */

#include "codec/json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_priv.h"

/* Up to here comparing every key with every other is cheaper than sorting. */
enum { FEW_MEMBERS = 16 };

const JsonLimits json_limits_config = {.bytes = 8 << 20, .depth = 100, .nodes = 1000000};

static const char *const type_names[] = {
    [JSON_NULL] = "null",        [JSON_BOOL] = "a boolean",  [JSON_INT] = "an integer",
    [JSON_REAL] = "a number",    [JSON_STRING] = "a string", [JSON_ARRAY] = "a list",
    [JSON_OBJECT] = "a mapping",
};

/* A member with its place in the object, for sorting. */
typedef struct Member {
    const Json *node;
    size_t index;
} Member;

static int compare_members(const void *a, const void *b)
{
    const Member *one = a;
    const Member *two = b;
    int order = str_cmp(one->node->key, two->node->key);
    if (order != 0)
        return order;
    return one->index < two->index ? -1 : one->index > two->index;
}

/* The members of an object by key, equal keys in document order; the caller frees. */
static Member *sorted_members(const Json *object)
{
    Member *members = mem_array(object->n, sizeof(*members));
    size_t n = 0;
    for (const Json *node = object->first; node; node = node->next) {
        members[n] = (Member){.node = node, .index = n};
        n++;
    }
    assert(n == object->n);
    qsort(members, n, sizeof(*members), compare_members);
    return members;
}

static const Json *find_duplicate_of_few(const Json *object, const Json **ret_earlier)
{
    for (const Json *later = object->first; later; later = later->next)
        for (const Json *earlier = object->first; earlier != later; earlier = earlier->next)
            if (str_eq(earlier->key, later->key)) {
                *ret_earlier = earlier;
                return later;
            }
    return NULL;
}

const Json *json_find_duplicate(const Json *object, const Json **ret_earlier)
{
    if (object->n <= FEW_MEMBERS)
        return find_duplicate_of_few(object, ret_earlier);
    auto_free Member *members = sorted_members(object);
    size_t found = 0;
    for (size_t i = 1; i < object->n; i++)
        if (str_eq(members[i - 1].node->key, members[i].node->key))
            if (found == 0 || members[i].index < members[found].index)
                found = i;
    if (found == 0)
        return NULL;
    *ret_earlier = members[found - 1].node;
    return members[found].node;
}

static void unlink_after(Json *container, Json *before, Json *node)
{
    if (before)
        before->next = node->next;
    else
        container->first = node->next;
    if (container->last == node)
        container->last = before;
    container->n--;
    node->next = NULL;
}

void json_drop_duplicates(Json *object)
{
    const Json *earlier = NULL;
    if (!json_find_duplicate(object, &earlier))
        return;
    auto_free Member *members = sorted_members(object);
    auto_free bool *is_dropped = mem_array(object->n, sizeof(*is_dropped));
    for (size_t i = 1; i < object->n; i++)
        if (str_eq(members[i - 1].node->key, members[i].node->key))
            is_dropped[members[i - 1].index] = true;
    Json *before = NULL;
    Json *next = NULL;
    size_t index = 0;
    for (Json *node = object->first; node; node = next) {
        next = node->next;
        if (is_dropped[index++])
            unlink_after(object, before, node);
        else
            before = node;
    }
}

void json_link(Json *container, Json *node)
{
    assert(!node->next);
    if (container->last)
        container->last->next = node;
    else
        container->first = node;
    container->last = node;
    container->n++;
}

Json *json_new(Arena *arena, JsonType type)
{
    Json *node = arena_alloc(arena, sizeof(*node));
    node->type = type;
    return node;
}

Json *json_new_str(Arena *arena, Str s)
{
    Json *node = json_new(arena, JSON_STRING);
    node->text = s;
    return node;
}

Json *json_new_int(Arena *arena, int64_t value)
{
    Json *node = json_new(arena, JSON_INT);
    node->integer = value;
    return node;
}

Json *json_new_bool(Arena *arena, bool value)
{
    Json *node = json_new(arena, JSON_BOOL);
    node->boolean = value;
    return node;
}

Json *json_copy(Arena *arena, const Json *node)
{
    Json *copy = json_new(arena, node->type);
    *copy = *node;
    copy->next = NULL;
    copy->first = NULL;
    copy->last = NULL;
    copy->n = 0;
    if (node->key.p)
        copy->key = arena_str(arena, node->key);
    if (node->text.p)
        copy->text = arena_str(arena, node->text);
    for (const Json *child = node->first; child; child = child->next)
        json_link(copy, json_copy(arena, child));
    return copy;
}

void json_append(Json *array, Json *take_child)
{
    assert(array->type == JSON_ARRAY);
    json_link(array, take_child);
}

void json_set(Json *object, Str key, Json *take_child)
{
    assert(object->type == JSON_OBJECT && !take_child->next);
    take_child->key = key;
    Json *before = NULL;
    for (Json *node = object->first; node; node = node->next) {
        if (str_eq(node->key, key)) {
            take_child->next = node->next;
            if (before)
                before->next = take_child;
            else
                object->first = take_child;
            if (object->last == node)
                object->last = take_child;
            node->next = NULL;
            return;
        }
        before = node;
    }
    json_link(object, take_child);
}

Json *json_remove(Json *object, Str key)
{
    Json *before = NULL;
    for (Json *node = object->first; node; node = node->next) {
        if (str_eq(node->key, key)) {
            unlink_after(object, before, node);
            return node;
        }
        before = node;
    }
    return NULL;
}

Json *json_get_str(const Json *node, Str key)
{
    if (!node || node->type != JSON_OBJECT)
        return NULL;
    for (Json *child = node->first; child; child = child->next)
        if (str_eq(child->key, key))
            return child;
    return NULL;
}

Json *json_get(const Json *node, const char *key)
{
    return json_get_str(node, str_of(key));
}

Str json_text(const Json *object, const char *key, Str otherwise)
{
    const Json *node = json_get(object, key);
    return node && node->type == JSON_STRING ? node->text : otherwise;
}

int64_t json_int(const Json *object, const char *key, int64_t otherwise)
{
    const Json *node = json_get(object, key);
    return node && node->type == JSON_INT ? node->integer : otherwise;
}

bool json_bool(const Json *object, const char *key, bool otherwise)
{
    const Json *node = json_get(object, key);
    return node && node->type == JSON_BOOL ? node->boolean : otherwise;
}

bool json_number(const Json *node, double *ret)
{
    if (!node || (node->type != JSON_INT && node->type != JSON_REAL))
        return false;
    *ret = node->type == JSON_INT ? (double)node->integer : node->real;
    return true;
}

bool json_is_null(const Json *node)
{
    return !node || node->type == JSON_NULL;
}

static bool is_digits(Str s)
{
    size_t i = s.n > 0 && s.p[0] == '-' ? 1 : 0;
    if (i == s.n)
        return false;
    for (; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

/* Numbers are equal by value, as in Python. Integers too large for int64_t are compared by their
 * digits. */
static bool equal_numbers(const Json *a, const Json *b)
{
    if (a->type == JSON_INT && b->type == JSON_INT)
        return a->integer == b->integer;
    if (a->type == JSON_REAL && b->type == JSON_REAL) {
        if (is_digits(a->text) && is_digits(b->text))
            return str_eq(a->text, b->text);
        return a->real == b->real || (isnan(a->real) && isnan(b->real));
    }
    int64_t integer = a->type == JSON_INT ? a->integer : b->integer;
    double real = a->type == JSON_INT ? b->real : a->real;
    return real >= -0x1p63 && real < 0x1p63 && (double)(int64_t)real == real &&
           (int64_t)real == integer;
}

static bool equal_objects(const Json *a, const Json *b)
{
    if (a->n <= FEW_MEMBERS) {
        for (const Json *child = a->first; child; child = child->next) {
            const Json *other = json_get_str(b, child->key);
            if (!other || !json_equal(child, other))
                return false;
        }
        return true;
    }
    auto_free Member *ours = sorted_members(a);
    auto_free Member *theirs = sorted_members(b);
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(ours[i].node->key, theirs[i].node->key) ||
            !json_equal(ours[i].node, theirs[i].node))
            return false;
    return true;
}

static bool is_number(const Json *node)
{
    return node->type == JSON_INT || node->type == JSON_REAL;
}

bool json_equal(const Json *a, const Json *b)
{
    if (json_is_null(a) || json_is_null(b))
        return json_is_null(a) && json_is_null(b);
    if (is_number(a) && is_number(b))
        return equal_numbers(a, b);
    if (a->type != b->type || a->n != b->n)
        return false;
    if (a->type == JSON_BOOL)
        return a->boolean == b->boolean;
    if (a->type == JSON_STRING)
        return str_eq(a->text, b->text);
    if (a->type == JSON_OBJECT)
        return equal_objects(a, b);
    const Json *other = b->first;
    for (const Json *child = a->first; child; child = child->next, other = other->next)
        if (!json_equal(child, other))
            return false;
    return true;
}

const char *json_type_name(JsonType type)
{
    return type_names[type];
}
