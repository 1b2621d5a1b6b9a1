/* Schema: the fields of a config as tables. One table drives the checks, the defaults, the JSON
   Schema that editors read, and the reference page. */
#ifndef HAWK_JOBSPEC_SCHEMA_H
#define HAWK_JOBSPEC_SCHEMA_H

#include <stdbool.h>

#include "base/arena.h"
#include "codec/json.h"
#include "codec/json_out.h"
#include "jobspec/jobspec.h"

/* What a value may be; several may be joined. */
enum {
    SCHEMA_NULL = 1 << 0,
    SCHEMA_BOOL = 1 << 1,
    SCHEMA_INT = 1 << 2,
    SCHEMA_REAL = 1 << 3,
    SCHEMA_STR = 1 << 4,
    SCHEMA_LIST = 1 << 5,   /* of `item` */
    SCHEMA_MAP = 1 << 6,    /* any keys, with values as `item` */
    SCHEMA_OBJECT = 1 << 7, /* the fields of `object`, or of the one that `choice` picks */
    SCHEMA_ANY = 1 << 8,
};

/* Properties of a field. */
enum {
    SCHEMA_REQUIRED = 1 << 0,
    SCHEMA_HIDDEN = 1 << 1, /* not in the published schema */
    SCHEMA_DEPRECATED = 1 << 2,
    SCHEMA_RAW = 1 << 3,          /* checked, but goes on as it was written */
    SCHEMA_STRICT = 1 << 4,       /* takes true and false, but not what merely looks like them */
    SCHEMA_SECRET = 1 << 5,       /* messages do not show the value */
    SCHEMA_DROP_EMPTY = 1 << 6,   /* not in the full document when an empty list */
    SCHEMA_DROP_DEFAULT = 1 << 7, /* not in the full document when equal to the default */
    SCHEMA_ABOVE = 1 << 8,        /* `min` itself is refused */
};

/* What becomes of keys that no field names. */
typedef enum SchemaExtra {
    SCHEMA_IGNORE, /* dropped, with a warning */
    SCHEMA_ALLOW,  /* kept as written */
    SCHEMA_FORBID, /* refused */
} SchemaExtra;

typedef struct SchemaField SchemaField;
typedef struct SchemaObject SchemaObject;

/* State of one check, in check_priv.h. */
typedef struct Check Check;
typedef struct CheckPath CheckPath;

/* One of several objects: `pick` looks at the value and returns the one that it is meant to be. */
typedef struct SchemaChoice {
    const SchemaObject *const *objects; /* NULL at the end */
    const SchemaObject *(*pick)(const SchemaObject *const *objects, const Json *node);
} SchemaChoice;

/* A rule that the table cannot say: adds diagnostics, may change the value that goes on. */
typedef void SchemaRule(Check *check, const SchemaField *field, Json *value, const CheckPath *path);
typedef void SchemaObjectRule(Check *check, Json *object, const CheckPath *path);

/* What to say about a key that an object keeps without knowing it. */
typedef void SchemaUnknown(Check *check, const Json *key, const CheckPath *path);

/* A field of an object, or, without a name, the items of a list or values of a map. */
struct SchemaField {
    const char *name;
    unsigned types;
    unsigned flags;
    const char *fallback; /* the default as JSON; NULL stands for null */
    const SchemaField *item;
    const SchemaObject *object;
    const SchemaChoice *choice;
    const char *const *words; /* the texts that are accepted, NULL at the end */
    const char *pattern;      /* POSIX extended and ECMA 262 alike; anchored */
    const char *not_pattern;  /* refused where it matches */
    bool has_min;
    bool has_max;
    double min;
    double max;
    size_t min_len; /* characters of a text, items of a list */
    size_t max_len; /* 0: no limit */
    SchemaRule *rule;
    const char *help;
    const char *advice; /* what to write instead, where pattern, words or types refuse */
};

struct SchemaObject {
    const char *name; /* "TaskConfig": the name in the published schema */
    const char *help;
    const SchemaField *fields; /* a field without a name ends them */
    SchemaExtra extra;
    SchemaObjectRule *rule;
    SchemaUnknown *unknown; /* with SCHEMA_ALLOW */
};

/* A top-level key that is refused, with what to write instead. */
typedef struct SchemaRefusal {
    const char *name;
    const char *instead;
} SchemaRefusal;

/* A top-level key of an eval set that is no field of ours but a parameter of Inspect's eval_set().
 */
typedef struct SchemaForward {
    SchemaField field;
    bool is_ours; /* hawk sets it itself: a value in the config has no effect */
} SchemaForward;

/* The object of a kind of config. */
const SchemaObject *schema_of(JobspecKind kind);

/* The field of an object by name, or NULL; and how many fields there are. */
const SchemaField *schema_field(const SchemaObject *object, Str name);
size_t schema_n_fields(const SchemaObject *object);

/* The refused top-level key of that name, or of that index; NULL when there is none. */
const SchemaRefusal *schema_refusal(Str name);
const SchemaRefusal *schema_refusal_at(size_t i);

/* The parameter of eval_set() of that name, or of that index, that is no field of ours; NULL when
   there is none. Generation options are apart: schema_generate_option. */
const SchemaForward *schema_forward(Str name);
const SchemaForward *schema_forward_at(size_t i);

/* The field of Inspect's GenerateConfig of that name, or NULL. */
const SchemaField *schema_generate_option(Str name);

/* Writes the JSON Schema (draft-07) of a kind of config. */
void schema_write(JobspecKind kind, JsonOut *out);

/* Appends the reference of a kind of config as Markdown tables. */
void schema_write_reference(JobspecKind kind, Buf *ret);

#endif
