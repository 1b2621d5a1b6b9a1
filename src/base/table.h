/* Table: text in columns, a header, a line of dashes, two spaces between columns. Cells are made
 * safe for terminals (term.h) as they come in; columns of numbers are aligned to the right. */
#ifndef HAWK_BASE_TABLE_H
#define HAWK_BASE_TABLE_H

#include "base/base.h"
#include "base/buf.h"
#include "base/str.h"

typedef struct Table Table;

/* A table with these column names, which are made safe for terminals as cells are. */
Table *table_new(const char *const *names, size_t n_columns) HAWK_MUST_USE;
void table_free(Table *table);

/* Fill the next cell; rows begin by themselves. */
void table_add(Table *table, Str cell);
void table_addz(Table *table, const char *cell);
void table_add_i64(Table *table, int64_t number);
void table_printf(Table *table, const char *fmt, ...) HAWK_PRINTF(2, 3);

/* Rows begun so far. */
size_t table_rows(const Table *table);

/* Cuts long texts, so that rows fit in so many columns as far as that goes. What may be an id,
   since it has no space in it and is no wider than all columns, stays whole, and so do numbers. */
void table_fit(Table *table, size_t columns);

/* Appends the table as text, each row ended by a line end. */
void table_write(const Table *table, Buf *ret);

HAWK_DEFINE_AUTO(Table, table, table_free)
#define auto_table HAWK_CLEANUP(table_cleanup_)

#endif
