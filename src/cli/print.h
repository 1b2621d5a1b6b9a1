/* Printing answers of the server: JSON, tables, times, values in a cell. */
#ifndef HAWK_CLI_PRINT_H
#define HAWK_CLI_PRINT_H

#include "base/error.h"
#include "base/table.h"
#include "cli/command.h"
#include "codec/json.h"

/* A tree on standard output, indented by two; print_json_line on one line (for streams). */
int print_json(Cli *cli, const Json *node, Error *err) HAWK_MUST_USE;
int print_json_line(Cli *cli, const Json *node, Error *err) HAWK_MUST_USE;

/* Text that is JSON already. On a terminal control characters are escaped, which means the same. */
int print_json_text(Cli *cli, Str text, Error *err) HAWK_MUST_USE;

/* A table on standard output. */
int print_table(Cli *cli, Table *table, Error *err) HAWK_MUST_USE;

/* Text from elsewhere on standard output: made safe on a terminal, as it is in a pipe. */
int print_text(Cli *cli, Str text, Error *err) HAWK_MUST_USE;

/* A LogEntry on standard output: "[2026-01-31 10:00:00Z] [INFO] message", safe and coloured on a
 * terminal. */
int print_log_entry(Cli *cli, const Json *entry, Error *err) HAWK_MUST_USE;

/* "2026-01-31 10:00:00Z" of a time as the API writes it, in the arena; "" of none, the text itself
 * when it is no time. */
const char *print_time(Arena *arena, Str text);

/* A value in few words: text as it is, a number, compact JSON of the rest; "" of null. */
Str print_value(Arena *arena, const Json *node);

/* A number with up to three decimals and no zeros behind. */
const char *print_real(Arena *arena, double value);

/* A member's value as print_value gives it. */
Str print_member(Arena *arena, const Json *object, const char *key);

#endif
