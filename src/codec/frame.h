/* Frame: a table whose columns turn up as rows go by, and its writing as CSV, JSON or NDJSON.

   Columns are found in a first pass over the rows: named, ordered, and typed by the values that
   were observed, as pandas types a list of records. In a second pass each row is written with the
   values made to fit. A frame knows its columns, never its rows. */
#ifndef HAWK_CODEC_FRAME_H
#define HAWK_CODEC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

/* What a value is, and what a column holds. */
typedef enum FrameKind {
    FRAME_NONE, /* no value; a column without any */
    FRAME_BOOL,
    FRAME_INT,
    FRAME_REAL,
    FRAME_TEXT,
    FRAME_TIME, /* microseconds UTC */
} FrameKind;

typedef struct FrameValue {
    FrameKind kind;
    int64_t integer; /* of bool, int and time */
    double real;
    Str text;
} FrameValue;

#define FRAME_NULL ((FrameValue){.kind = FRAME_NONE})
#define FRAME_BOOLEAN(v) ((FrameValue){.kind = FRAME_BOOL, .integer = (v) != 0})
#define FRAME_INTEGER(v) ((FrameValue){.kind = FRAME_INT, .integer = (v)})
#define FRAME_NUMBER(v) ((FrameValue){.kind = FRAME_REAL, .real = (v)})
#define FRAME_STRING(s) frame_text_value(s)
#define FRAME_INSTANT(us) ((FrameValue){.kind = FRAME_TIME, .integer = (us)})

/* Text, or no value for STR_NONE. */
static inline FrameValue frame_text_value(Str s)
{
    return s.p ? (FrameValue){.kind = FRAME_TEXT, .text = s} : FRAME_NULL;
}

enum { FRAME_COLUMNS_MAX = 20000, FRAME_NAME_MAX = 4096 };

typedef struct Frame Frame;

/* A frame without columns; the caller frees it. */
Frame *frame_new(void) HAWK_MUST_USE;
void frame_free(Frame *frame);

/* The column of a name, made when it is new; columns are ordered by rank and within a rank by name.
   ERR_BAD_DATA when there are too many or the name is too long. */
int frame_add(Frame *frame, int rank, Str name, size_t *ret, Error *err) HAWK_MUST_USE;

/* Whether there is a column of that name. */
bool frame_find(const Frame *frame, Str name, size_t *ret);

/* Gives a column its kind whatever its values are; then no first pass is needed for it. */
void frame_fix(Frame *frame, size_t column, FrameKind kind);

/* First pass: notes a value of the row at hand, then the end of the row. */
void frame_observe(Frame *frame, size_t column, const FrameValue *value);
void frame_end_row(Frame *frame);

/* Ends the first pass: decides order and types. Integers with gaps are reals, as in pandas; values
   of several kinds are texts, but for integers beside reals. */
void frame_settle(Frame *frame);

/* Columns, by the number that frame_add gave; their order when they are written. */
size_t frame_n_columns(const Frame *frame);
Str frame_name(const Frame *frame, size_t column);
FrameKind frame_kind(const Frame *frame, size_t column);
size_t frame_nth(const Frame *frame, size_t place);

/* "bool", "int", "real", "text", "time"; "none" for a column without values. */
const char *frame_kind_name(FrameKind kind);

typedef enum FrameFormat {
    FRAME_CSV,    /* RFC 4180, lines end with CR LF; a gap is empty, an empty text is "" */
    FRAME_JSON,   /* an array, an object per line */
    FRAME_NDJSON, /* an object per line */
    FRAME_FEED, /* for programs of ours: a line {"columns": [["name", "kind"], ...]}, then an array
                   per line; numbers may be NaN and Infinity, times are microseconds */
    N_FRAME_FORMATS,
} FrameFormat;

/* The format of a name ("csv") or of a media type ("text/csv"); false when there is none. */
bool frame_format_find(Str name, FrameFormat *ret);
const char *frame_format_name(FrameFormat format);
const char *frame_format_media_type(FrameFormat format);

/* Second pass. Open record; only these functions touch it. */
typedef struct FrameWriter {
    const Frame *frame;
    FrameFormat format;
    bool for_excel; /* texts in CSV that a spreadsheet would take for a formula get a ' in front */
    uint64_t n_rows;
} FrameWriter;

/* Append what stands before the rows, a row (values by column number, all of them), and what stands
   behind. A value that does not fit the kind of its column, because it came after the first pass,
   is left out. */
void frame_write_head(FrameWriter *writer, Buf *ret);
void frame_write_row(FrameWriter *writer, const FrameValue *values, Buf *ret);
void frame_write_tail(FrameWriter *writer, Buf *ret);

HAWK_DEFINE_AUTO(Frame, frame, frame_free)
#define auto_frame HAWK_CLEANUP(frame_cleanup_)

#endif
