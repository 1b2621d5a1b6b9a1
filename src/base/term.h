/* Terminals: what may be written to one, how wide it is, colours.

   Text that came from elsewhere (model output, names, messages of peers) goes through term_add_text
   or term_add_line before it is printed: a terminal obeys control bytes. */
#ifndef HAWK_BASE_TERM_H
#define HAWK_BASE_TERM_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"

typedef enum TermColour {
    TERM_PLAIN,
    TERM_BOLD,
    TERM_DIM,
    TERM_RED,
    TERM_GREEN,
    TERM_YELLOW,
    TERM_BLUE,
    TERM_CYAN,
} TermColour;

/* Whether colours belong on a descriptor: a terminal, TERM not "dumb", NO_COLOR unset or empty. */
bool term_has_colours(int fd);

/* Columns and rows of the terminal at a descriptor, or 80 and 24. */
int term_columns(int fd);
int term_rows(int fd);

/* Append text without anything that a terminal would obey: control characters become "\x1b",
   direction marks and broken UTF-8 U+FFFD. term_add_text keeps line ends and tabs, term_add_line
   makes one space of each run of white space. */
void term_add_text(Buf *buf, Str text);
void term_add_line(Buf *buf, Str text);

/* The same for JSON, which stays the same JSON: what it need not escape and a terminal would obey
   is escaped. In JSON such characters can only be inside of texts. */
void term_add_json(Buf *buf, Str json);

/* Columns that valid UTF-8 without control characters takes. */
size_t term_width(Str text);

/* The longest beginning of such a text that takes no more columns. */
Str term_cut(Str text, size_t columns);

/* Rows of a terminal of so many columns that the text takes, colours not counted; each line is
 * ended by '\n'. */
size_t term_height(Str text, int columns);

/* Appends text in a colour, or plainly when colours are off; the text is not made safe. */
void term_add_colour(Buf *buf, bool colours, TermColour colour, const char *text);

/* Appends words broken into lines of so many columns; lines after the first begin with `indent`
   spaces, and the first is thought to begin at column `at`. Ends without a line end. */
void term_add_wrapped(Buf *buf, Str text, int at, int indent, int columns);

#endif
