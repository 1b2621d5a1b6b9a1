/* Row-level security in PostgreSQL, which knows the tables of several folders: a second wall, and
   what people have who read the database with a role of their own. */
#ifndef HAWK_SERVER_ROW_SECURITY_H
#define HAWK_SERVER_ROW_SECURITY_H

#include "base/error.h"
#include "sql/sql.h"

/* Brings policies and the roles of model groups up to date, after all tables are there, and makes
   sql_begin_as read as the role hawk_caller from then on. Nothing to do in SQLite. That no role of
   a group may be made is a warning in the log: new groups then need one by hand. ERR_DENIED when
   the server may not take on hawk_caller. */
int row_security_update(Sql *sql, Error *err) HAWK_MUST_USE;

#endif
