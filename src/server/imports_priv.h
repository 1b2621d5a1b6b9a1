/* What the files of imports share. */
#ifndef HAWK_SERVER_IMPORTS_PRIV_H
#define HAWK_SERVER_IMPORTS_PRIV_H

#include "server/imports.h"
#include "server/server_priv.h"

/* Where files lie until they are published. */
#define IMPORTS_STAGING "pending-imports"

/* Sets an error with a code of imports_problem. */
int imports_fail(Error *err, ErrorKind kind, const char *code, const char *text);

/* A set of texts in an arena. */
typedef struct ImportsNames {
    Arena *arena;
    Str *items;
    size_t n;
    size_t room;
} ImportsNames;
void imports_names_add(ImportsNames *names, Str name);

/* The groups of models, where groups decide who may see what; ERR_BAD_DATA for a model that is not
   known, or when none says who may see it. */
int imports_find_groups(RouteCtx *ctx, const ImportsNames *models, ImportsNames *groups,
                        Error *err) HAWK_MUST_USE;

/* Writes .models.json below a folder of the store once the caller is in all of the groups. */
int imports_put_models(RouteCtx *ctx, const char *folder, const char *id,
                       const ImportsNames *models, const ImportsNames *groups,
                       Error *err) HAWK_MUST_USE;

/* Makes an id busy with being finalized; ERR_CONFLICT when it is. imports_leave ends that. */
int imports_enter(Imports *imports, const char *id, Error *err) HAWK_MUST_USE;
void imports_leave(Imports *imports, const char *id);

#endif
