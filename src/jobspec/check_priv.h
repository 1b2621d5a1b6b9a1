/* Check: one walk over a document beside its schema, collecting diagnostics and building the full
 * document. */
#ifndef HAWK_JOBSPEC_CHECK_PRIV_H
#define HAWK_JOBSPEC_CHECK_PRIV_H

#include "jobspec/schema.h"

struct Check {
    Arena *arena;
    Diagnostics *list;
    const char *file;
    JobspecKind kind;
    JobspecOptions options;
    bool silent;  /* filling in a default: nothing is reported */
    bool lenient; /* errors are reported as warnings */
    bool hide;    /* inside a field whose values messages do not show */
};

/* A place in the document, as a chain of keys and indexes that lives on the stack of the walk. */
struct CheckPath {
    const CheckPath *up; /* NULL at the document */
    Str key;             /* empty: an index */
    size_t index;
};

/* Checks a value against a field and returns what goes on, or NULL when it was refused. */
Json *check_value(Check *check, const SchemaField *field, const Json *node,
                  const CheckPath *path) HAWK_MUST_USE;

/* As check_value, for an object. */
Json *check_object(Check *check, const SchemaObject *object, const Json *node,
                   const CheckPath *path) HAWK_MUST_USE;

/* Add a diagnostic at a node (its key's place where it has one and by_key is set). fix may be NULL.
 */
void check_report(Check *check, DiagnosticSeverity severity, const Json *node, bool by_key,
                  const CheckPath *path, const char *message, const char *fix);
void check_error(Check *check, const Json *node, const CheckPath *path, const char *fix,
                 const char *fmt, ...) HAWK_PRINTF(5, 6);
void check_warning(Check *check, const Json *node, const CheckPath *path, const char *fix,
                   const char *fmt, ...) HAWK_PRINTF(5, 6);

/* "tasks[0].items[1].args", in the arena. */
const char *check_path_text(Arena *arena, const CheckPath *path);

/* The value in a few words for a message: "the text \"abc\"", "the number 3", "a list". */
const char *check_shown(const Check *check, const Json *node);

/* Whether a text matches a pattern of the schema. */
bool check_matches(const char *pattern, Str text);

/* Characters (not bytes) of UTF-8. */
size_t check_n_chars(Str s);

/* The first characters (not bytes) of UTF-8. */
Str check_clip(Str s, size_t n_chars);

/* Reports the key of `key`, which no field of the object names. */
void check_unknown(Check *check, const SchemaObject *object, const Json *key,
                   const CheckPath *path);

/* The field of the object whose name is few edits away from `name`, or NULL. */
const char *check_nearest_field(const SchemaObject *object, Str name);

#endif
