/* Options of a command: one table from which parsing, help, man page, documentation and completion
   are made.

   A command keeps its values in a record of its own; each row says where in it the value goes and
   of what C type that field is (see OptKind). Long options are "--name VALUE" or "--name=VALUE",
   letters may be clustered ("-fn 5", "-n5"), options and arguments come in any order, "--" ends the
   options and "-" is an argument. */
#ifndef HAWK_BASE_OPT_H
#define HAWK_BASE_OPT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

typedef enum OptKind {
    OPT_FLAG,   /* bool; no value */
    OPT_STOP,   /* bool; as a flag, and nothing behind it is looked at: --help */
    OPT_TEXT,   /* const char *, as are the next three */
    OPT_CHOICE, /* one of `choices` */
    OPT_FILE,   /* a path; matters for completion only */
    OPT_FOLDER,
    OPT_INT,  /* int64_t */
    OPT_REAL, /* double */
    OPT_LIST, /* OptList; may be repeated, or take all arguments that are left */
    OPT_FILES,
} OptKind;

typedef struct OptList {
    const char **items;
    size_t n;
} OptList;

/* An option. `help` is one phrase without a final period; the default and the bounds are added to
 * it. */
typedef struct OptRow {
    const char *name; /* without the dashes */
    char letter;      /* or 0 */
    OptKind kind;
    size_t offset;
    const char *help;
    const char *metavar;  /* "FILE"; NULL: from the kind */
    const char *fallback; /* the default, as one would write it; NULL: zero */
    const char *choices;  /* "low|medium|high" */
    double min;           /* of numbers; max counts when it is not 0 */
    double max;
    const char *completer; /* what completes the value, a word for the shell scripts; or NULL */
    bool is_hidden;
    bool hides_default; /* and the bounds: `help` says it in words */
} OptRow;

/* An argument; OPT_TEXT, OPT_CHOICE, OPT_FILE, OPT_FOLDER, or as the last one OPT_LIST or
 * OPT_FILES. */
typedef struct OptArg {
    const char *name; /* "CONFIG" */
    OptKind kind;
    size_t offset;
    const char *help;
    bool is_optional;
    const char *choices;
    const char *completer;
} OptArg;

typedef struct OptSpec {
    const OptRow *rows;
    size_t n_rows;
    const OptArg *args;
    size_t n_args;
    size_t size; /* of the record */
} OptSpec;

/* A table and the record that it fills. */
typedef struct OptTarget {
    const OptSpec *spec;
    void *record;
} OptTarget;

enum { OPT_TARGETS_MAX = 4 };

/* Fills the records, zeroed by the caller, from the words (without program and command): defaults
   first, then what was given. Arguments go to the first target. Texts point into argv or the table,
   lists into the arena. ERR_USAGE names the option and, where one is close, what was probably
   meant. */
int opt_parse(Arena *arena, const OptTarget *targets, size_t n_targets, int argc, char *const *argv,
              Error *err) HAWK_MUST_USE;

/* The name closest to what was given, near enough to be meant, or NULL. */
const char *opt_closest(Str given, const char *const *names, size_t n);

/* The metavar of a row: its own or that of its kind; NULL for flags. */
const char *opt_metavar(const OptRow *row);

/* Append "[OPTIONS] CONFIG [ID]"; the lists of arguments and options for a terminal of so many
   columns; the same for a man page (roff) and for Markdown. Hidden rows are left out. */
void opt_add_usage(const OptSpec *spec, Buf *ret);
void opt_add_help(const OptSpec *spec, int columns, Buf *ret);
void opt_add_man(const OptSpec *spec, Buf *ret);
void opt_add_markdown(const OptSpec *spec, Buf *ret);

/* Appends text for roff: backslashes, leading dots and minus signs escaped. */
void opt_add_roff(Str text, Buf *ret);

#endif
