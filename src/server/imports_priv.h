/* What the files of imports share. */
#ifndef HAWK_SERVER_IMPORTS_PRIV_H
#define HAWK_SERVER_IMPORTS_PRIV_H

#include "server/imports.h"
#include "server/server_priv.h"

/* Where files lie until they are published. */
#define IMPORTS_STAGING "pending-imports"

/* Sets an error with a code of imports_problem. */
int imports_fail(Error *err, ErrorKind kind, const char *code, const char *text);

#endif
