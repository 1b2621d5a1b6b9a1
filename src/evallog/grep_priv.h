/* What the two files of grep share. */
#ifndef HAWK_EVALLOG_GREP_PRIV_H
#define HAWK_EVALLOG_GREP_PRIV_H

#include "evallog/grep.h"
#include "evallog/transcript_priv.h"

/* Appends the text in which is looked: of a message, with what it calls; of an event, for its kind.
   Nothing for a message of the system and a kind without a text. */
void grep_text_message(TranscriptWriter *writer, const Json *message);
void grep_text_event(TranscriptWriter *writer, const Json *event);

#endif
