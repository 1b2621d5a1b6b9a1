/* Transcript: a sample of a log as Markdown. */
#ifndef HAWK_CLI_TRANSCRIPT_H
#define HAWK_CLI_TRANSCRIPT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

/* What the sample does not say about itself. */
typedef struct TranscriptAbout {
    Str uuid;
    Str task;
    Str model;
    Str eval_set_id;
} TranscriptAbout;

/* Appends the sample (JSON as the log has it, attachments and all) as Markdown: what it is, its
   scores, its messages with tool calls. Text of the model goes in as it is. ERR_BAD_DATA when the
   sample is not JSON. */
int transcript_write(Str sample, const TranscriptAbout *about, Buf *ret, Error *err) HAWK_MUST_USE;

/* Appends JSON without the white space between its tokens. */
void transcript_compact(Str json, Buf *ret);

#endif
