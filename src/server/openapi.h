/* OpenAPI: the document (version 3.1) that says what the server answers, made of the tables that
   requests are dispatched by. */
#ifndef HAWK_SERVER_OPENAPI_H
#define HAWK_SERVER_OPENAPI_H

#include "base/arena.h"
#include "codec/json_out.h"
#include "server/route.h"

/* Writes the document of some route tables. */
void openapi_write(const RouteTable *const *tables, size_t n_tables, Arena *arena, JsonOut *out);

#endif
