/* Diagnostics: everything that is wrong with a document, or odd about it, with the place of each.
   All text lives in the arena that the list was made with. */
#ifndef HAWK_JOBSPEC_DIAGNOSTICS_H
#define HAWK_JOBSPEC_DIAGNOSTICS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "codec/json_out.h"

typedef enum DiagnosticSeverity {
    DIAGNOSTIC_ERROR,   /* the document is refused */
    DIAGNOSTIC_WARNING, /* most likely a mistake: the value has no effect, or not the one it seems
                           to have */
    DIAGNOSTIC_NOTE,    /* passed on unchecked */
} DiagnosticSeverity;

typedef struct Diagnostic {
    DiagnosticSeverity severity;
    const char *file;
    int line;         /* 1-based; 0 when the place is not known */
    int column;       /* 1-based, in bytes; 0 when not known */
    const char *path; /* "tasks[0].items[1].args"; "" for the document */
    const char *message;
    const char *fix; /* what to write instead, or NULL */
} Diagnostic;

enum { DIAGNOSTICS_MAX = 100 }; /* more are only counted, in n_dropped; errors push warnings out */

typedef struct Diagnostics {
    Arena *arena; /* borrowed */
    Diagnostic *items;
    size_t n;
    size_t n_errors; /* all, with those that were dropped */
    size_t n_warnings;
    size_t n_dropped;
} Diagnostics;

/* An empty list whose items live in the arena. */
void diagnostics_init(Diagnostics *list, Arena *arena);

/* Copies one item, text and all, to the end of the list. */
void diagnostics_add(Diagnostics *list, const Diagnostic *item);

/* Brings the items from index `from` on into document order; items of one place keep theirs. */
void diagnostics_sort(Diagnostics *list, size_t from);

/* Appends one line per item, "file:line:col: error: path: message; fix", and under it, when text
   (of that file) is not empty, the line of the document with a mark under the column. All is safe
   for a terminal. */
void diagnostics_format(const Diagnostics *list, Str text, Buf *ret);

/* Writes a JSON array of {"severity","file","line","column","path","message","fix"}. */
void diagnostics_write(const Diagnostics *list, JsonOut *out);

/* "error", "warning", "note". */
const char *diagnostic_severity_name(DiagnosticSeverity severity);

#endif
