/* Rows: where the rows of a command go, and as what: standard output or a file; CSV, JSON, NDJSON,
   Parquet, or a table for people. A file appears under its name when it is whole. */
#ifndef HAWK_CLI_ROWS_H
#define HAWK_CLI_ROWS_H

#include "base/error.h"
#include "cli/command.h"
#include "codec/frame.h"
#include "codec/json.h"

#define ROWS_FORMATS "table|json|ndjson|csv|parquet"

/* The option of commands that print a list with rows_print. */
#define ROWS_FORMAT_ROW(type, field)                                                               \
    {                                                                                              \
        "format", 0, OPT_CHOICE, offsetof(type, field),                                            \
            "Print all columns in this format; default: the table for people",                     \
            .choices = ROWS_FORMATS                                                                \
    }

typedef struct Rows Rows;

/* Format NULL: from the end of the file's name, else a table on a terminal and CSV in a pipe. File
   NULL: standard output. ERR_USAGE for Parquet on a terminal. The caller frees. */
int rows_open(Cli *cli, const char *format, const char *file, Rows **ret, Error *err) HAWK_MUST_USE;

/* In which format rows_write wants its bytes. */
FrameFormat rows_wanted(const Rows *rows);

/* Takes a part of the rows in that format. */
int rows_write(Rows *rows, Str bytes, Error *err) HAWK_MUST_USE;

/* Takes all rows at once, a list of objects as frame_rows.h takes it; the shape of one, by its name
   in the server's tables, tells which columns there are when there is no row. */
int rows_put(Rows *rows, const Json *list, const char *shape, Error *err) HAWK_MUST_USE;

/* No more rows: ends what has been begun and gives the file its name. */
int rows_finish(Rows *rows, Error *err) HAWK_MUST_USE;

/* Without rows_finish, no file is left. */
void rows_free(Rows *rows);

/* Prints a list of objects on standard output in a format; *ret_done is false, and nothing is
   printed, when that is none or "table". */
int rows_print(Cli *cli, const char *format, const Json *list, const char *shape, bool *ret_done,
               Error *err) HAWK_MUST_USE;

HAWK_DEFINE_AUTO(Rows, rows, rows_free)
#define auto_rows HAWK_CLEANUP(rows_cleanup_)

#endif
