/* Models: the registry of a server for more than one person. It says which group a model belongs
   to, and so who may use it and see what was made with it. What is in no group is nobody's. */
#ifndef HAWK_ACCESS_MODELS_H
#define HAWK_ACCESS_MODELS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "codec/json.h"
#include "sql/sql.h"

enum { MODELS_MAX = 100 * 1000, MODELS_FILE_MAX = 16 << 20 };

/* Brings the registry's tables up to date. */
int models_migrate(Sql *sql, Error *err) HAWK_MUST_USE;

/* Puts the models of a file (YAML or JSON: a list of {name, group, lab, provider, dead, ...}) into
   the registry, in place of those with the same names; others stay. ERR_BAD_DATA names the place in
   the file. */
int models_seed(Sql *sql, const char *path, Error *err) HAWK_MUST_USE;

/* One row of the registry. */
typedef struct Model {
    Str name;
    Str group;
    const Json *config; /* the rest of what is known, an object */
    bool is_active;
    bool is_dead; /* its provider does not serve it any more */
} Model;

typedef struct Models {
    const Model *items;
    size_t n;
} Models;

/* The whole registry, in the arena. */
int models_load(Sql *sql, Arena *arena, Models *ret, Error *err) HAWK_MUST_USE;

/* The i-th model (from 0) that a name of a config or a log may mean, or NULL: the one of the same
   name alone, else all whose name ends in it, or that it ends in, at a '/'. */
const Model *models_match(const Models *models, Str name, size_t i);

#endif
