/* ModelName: names of models as the warehouse has them, without what only says how to reach them
   ("openai/azure/gpt-4o" is "gpt-4o"). A name that a provider was asked for wins over that, when it
   is the end of the path. */
#ifndef HAWK_WAREHOUSE_MODEL_NAME_H
#define HAWK_WAREHOUSE_MODEL_NAME_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

/* Names, each once, sorted; they are copied into the arena. */
typedef struct ModelNames {
    Arena *arena;
    Str *items;
    size_t n;
    size_t room;
} ModelNames;

enum { MODEL_NAMES_MAX = 10000 }; /* more are left out */

/* Adds a name unless it is there; empty ones are not added. */
void model_names_add(ModelNames *names, Str name);
bool model_names_has(const ModelNames *names, Str name);

/* Without provider, service and lab; a part of the name. */
Str model_name_canonical(Str name);

/* The longest called name that is the name or the end of its path; else the canonical name. */
Str model_name_resolve(Str name, const ModelNames *called);

/* The name under which a registry of models knows it, or STR_NONE when it names no model. */
Str model_name_registry(Str name);

/* A JSON object with its keys, which are model names, resolved. Other JSON is given back. */
Str model_name_resolve_keys(Str json, const ModelNames *called, Arena *arena);

#endif
