/* Transcript: one sample of a log as a document: Markdown or one HTML file for people, or its JSON.

   It is made part by part, so that a sample of any size costs bounded memory (sample_parts.h): a
   message, the scores, and the attachments that messages refer to, of which at most
   TRANSCRIPT_ATTACHMENTS_MAX bytes are put in. Text of models goes into Markdown as it is and into
   HTML escaped; the HTML has no scripts, loads nothing, and shows images that are in the log. */
#ifndef HAWK_EVALLOG_TRANSCRIPT_H
#define HAWK_EVALLOG_TRANSCRIPT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "evallog/sample_parts.h"

#define TRANSCRIPT_ATTACHMENTS_MAX ((size_t)256 << 20)

/* What a policy for a server that hands out the HTML must allow, and no more. */
#define TRANSCRIPT_POLICY "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

typedef enum TranscriptFormat {
    TRANSCRIPT_MARKDOWN,
    TRANSCRIPT_HTML,
    TRANSCRIPT_JSON,
    N_TRANSCRIPT_FORMATS,
} TranscriptFormat;

/* The format of a name ("md", "html", "json") or of a media type; false when there is none. */
bool transcript_format_find(Str name, TranscriptFormat *ret);
const char *transcript_format_name(TranscriptFormat format);
const char *transcript_format_media_type(TranscriptFormat format);

/* What the sample does not say about itself. */
typedef struct TranscriptAbout {
    Str uuid;
    Str task;
    Str model;
    Str eval_set_id;
} TranscriptAbout;

/* Begins; the views in about must outlive it, and so must the log. On failure the caller still has
   the parts. */
typedef struct Transcript Transcript;
int transcript_open(SampleParts *take_parts, const TranscriptAbout *about, TranscriptFormat format,
                    Transcript **ret, Error *err) HAWK_MUST_USE;

/* Appends the next piece, of about 256 KB or a single message. 1 when there is more, 0 at the end,
   -1 when the sample is broken. */
int transcript_step(Transcript *transcript, Buf *ret, Error *err) HAWK_MUST_USE;
void transcript_close(Transcript *transcript);

/* Appends the whole document of a sample in memory. ERR_BAD_DATA when it is not JSON. */
int transcript_write(Str sample, const TranscriptAbout *about, TranscriptFormat format, Buf *ret,
                     Error *err) HAWK_MUST_USE;

/* Appends JSON without the white space between its tokens. */
void transcript_compact(Str json, Buf *ret);

HAWK_DEFINE_AUTO(Transcript, transcript, transcript_close)
#define auto_transcript HAWK_CLEANUP(transcript_cleanup_)

#endif
