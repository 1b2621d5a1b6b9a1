/* Json: a document as a tree in an arena, for configs and request bodies. Logs of any size go
   through json_scan.h.

   Reads RFC 8259 strictly (UTF-8, no duplicate keys unless allowed, no trailing text), with a
   ceiling on depth and on nodes. YAML documents become the same tree (yaml.h), with the place of
   each node kept for messages. */
#ifndef HAWK_CODEC_JSON_H
#define HAWK_CODEC_JSON_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

typedef enum JsonType {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,  /* fits int64_t */
    JSON_REAL, /* any other number; `text` keeps its digits, `real` may be infinite or NaN where
                  allowed */
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
} JsonType;

/* A node. Children of arrays and objects are a list in document order; a child of an object has a
 * key. */
typedef struct Json Json;
struct Json {
    JsonType type;
    int line;   /* 1-based; 0 when the node was not read from a text */
    int column; /* 1-based; in bytes, in YAML in characters */
    Str key;
    int key_line;
    int key_column;
    union {
        bool boolean;
        int64_t integer;
        double real;
    };
    Str text; /* the string, unescaped; or a number as it was written */
    Json *first;
    Json *last;
    size_t n; /* children */
    Json *next;
};

typedef struct JsonLimits {
    size_t bytes;
    size_t depth;
    size_t nodes;
    bool allow_nan;        /* NaN, Infinity, -Infinity, as Python writes them in logs */
    bool allow_duplicates; /* the last of equal keys wins */
} JsonLimits;

/* For configs and request bodies: 8 MiB, depth 100, 1,000,000 nodes, strict. */
extern const JsonLimits json_limits_config;

/* Reads text into a tree. The tree may point into text, which must live as long as the arena.
   Errors are ERR_BAD_DATA "line L column C: expected ...". */
int json_parse(Arena *arena, Str text, const JsonLimits *limits, Json **ret,
               Error *err) HAWK_MUST_USE;

/* New nodes, placed at line 0. Strings are not copied. */
Json *json_new(Arena *arena, JsonType type) HAWK_MUST_USE;
Json *json_new_str(Arena *arena, Str s) HAWK_MUST_USE;
Json *json_new_int(Arena *arena, int64_t value) HAWK_MUST_USE;
Json *json_new_bool(Arena *arena, bool value) HAWK_MUST_USE;

/* A deep copy in another arena. */
Json *json_copy(Arena *arena, const Json *node) HAWK_MUST_USE;

/* Appends a child to an array, or under a key to an object (the key is not copied; an equal key is
 * replaced). */
void json_append(Json *array, Json *take_child);
void json_set(Json *object, Str key, Json *take_child);

/* Takes the member out of an object; returns it or NULL. */
Json *json_remove(Json *object, Str key);

/* The member of an object, or NULL when it is not there or `node` is NULL or no object. */
Json *json_get(const Json *node, const char *key);
Json *json_get_str(const Json *node, Str key);

/* The member as a type, or the default when it is missing, null or of another type. */
Str json_text(const Json *object, const char *key, Str otherwise);
int64_t json_int(const Json *object, const char *key, int64_t otherwise);
bool json_bool(const Json *object, const char *key, bool otherwise);

/* A number of either type as double; false when node is NULL or no number. */
bool json_number(const Json *node, double *ret);

/* Whether it is null; a node that is not there counts as null. */
bool json_is_null(const Json *node);

/* Whether both have the same type and content; members in any order, 1 and 1.0 are equal. */
bool json_equal(const Json *a, const Json *b);

/* "null", "a boolean", "an integer", ... for messages. */
const char *json_type_name(JsonType type);

#endif
