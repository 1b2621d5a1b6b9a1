/* What the files of imports share. */
#ifndef HAWK_SERVER_IMPORTS_PRIV_H
#define HAWK_SERVER_IMPORTS_PRIV_H

#include "base/names.h"
#include "server/imports.h"
#include "server/server_priv.h"

/* Where files lie until they are published. */
#define IMPORTS_STAGING "pending-imports"

/* Sets an error with a code of imports_problem. */
int imports_fail(Error *err, ErrorKind kind, const char *code, const char *text);

/* As names_add, up to the ceiling of an import; what is beyond it is left out. */
void imports_names_add(Names *names, Str name);

/* The groups of models, where groups decide who may see what; ERR_BAD_DATA for a model that is not
   known, or when none says who may see it. */
int imports_find_groups(RouteCtx *ctx, const Names *models, Names *groups,
                        Error *err) HAWK_MUST_USE;

/* Writes .models.json below a folder of the store once the caller is in all of the groups. */
int imports_put_models(RouteCtx *ctx, const char *folder, const char *id, const Names *models,
                       const Names *groups, Error *err) HAWK_MUST_USE;

/* Makes an id busy with being finalized; ERR_CONFLICT when it is. imports_leave ends that. */
int imports_enter(Imports *imports, const char *id, Error *err) HAWK_MUST_USE;
void imports_leave(Imports *imports, const char *id);

#endif
