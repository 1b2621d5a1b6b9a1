/* FrameRows: a list of JSON objects as the rows of a frame: a column for each member, in the order
   in which members turn up; lists and objects in them become JSON, members named *_at instants. */
#ifndef HAWK_CODEC_FRAME_ROWS_H
#define HAWK_CODEC_FRAME_ROWS_H

#include "base/arena.h"
#include "codec/frame.h"
#include "codec/json.h"

/* Makes the columns of a new frame and settles it. A list without rows has those of `columns`,
 * names with '\n' between them, or none. Fails as frame_add. */
int frame_rows_survey(Frame *frame, const Json *list, Str columns, Error *err) HAWK_MUST_USE;

/* The values of a row by column, all of them; in the arena. */
FrameValue *frame_rows_values(const Frame *frame, const Json *row, Arena *arena) HAWK_MUST_USE;

/* Appends the whole list: head, rows and tail. */
int frame_rows_write(const Json *list, Str columns, FrameFormat format, bool for_excel, Buf *ret,
                     Error *err) HAWK_MUST_USE;

#endif
