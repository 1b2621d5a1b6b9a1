/* ExportMessage: chat messages as inspect_ai.analysis puts them into texts. */
#ifndef HAWK_WAREHOUSE_EXPORT_MESSAGE_H
#define HAWK_WAREHOUSE_EXPORT_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* Appends a message (JSON of Inspect's ChatMessage) as "role:\ntext\n" with its tool calls or its
   error; message_as_str of inspect_ai/analysis/_dataframe/extract.py. The arena is for what is
   unescaped on the way. */
void export_message_add(Str message, Arena *arena, Buf *ret);

/* Appends an input: a text, which stands for one message of the user, or a list of messages. */
void export_message_list(Str input, Arena *arena, Buf *ret);

/* Appends the text of a message: its content, or the texts among its parts, a line each. */
void export_message_text(Str message, Arena *arena, Buf *ret);

/* Appends the calls of tools, a line each: function(name='value'); false when the message has no
   list of calls. */
bool export_message_calls(Str message, Arena *arena, Buf *ret);

#endif
