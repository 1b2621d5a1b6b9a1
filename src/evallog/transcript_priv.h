/* What the writers of the formats share. */
#ifndef HAWK_EVALLOG_TRANSCRIPT_PRIV_H
#define HAWK_EVALLOG_TRANSCRIPT_PRIV_H

#include "base/arena.h"
#include "codec/json.h"
#include "evallog/transcript.h"

/* The members of a sample that are shown, as JSON; STR_NONE for what is missing or null. */
typedef struct TranscriptFacts {
    Str id;
    Str epoch;
    Str uuid;
    Str target;
    Str scores;
    Str error;
    Str limit;
    Str invalidation;
    Str started_at;
    Str completed_at;
    Str total_time;
    Str working_time;
} TranscriptFacts;

/* An attachment that a part refers to. */
typedef struct TranscriptAttachment {
    Str key;
    Str raw; /* a JSON string; STR_NONE: not there, or too much */
} TranscriptAttachment;

/* Zeroed: none. Sorted by key once they were looked for. */
typedef struct TranscriptAttachments {
    TranscriptAttachment *items;
    size_t n;
    size_t cap;
} TranscriptAttachments;

/* Notes what a part refers to; then finds all that were noted, going through the whole sample, and
   starts it again if there are any. Keys and contents are in the arena, or in the sample. */
void transcript_attachments_note(TranscriptAttachments *attachments, Arena *arena, Str raw);
int transcript_attachments_find(TranscriptAttachments *attachments, SampleParts *parts,
                                Arena *arena, Error *err) HAWK_MUST_USE;
void transcript_attachments_release(TranscriptAttachments *attachments);

typedef struct TranscriptWriter {
    Arena *arena; /* of the piece at hand */
    Buf *out;
    const TranscriptAbout *about;
    const TranscriptFacts *facts;
    const TranscriptAttachments *attachments;
} TranscriptWriter;

/* A format for people. */
typedef struct TranscriptStyle {
    void (*head)(TranscriptWriter *writer); /* all that stands before the messages */
    void (*message)(TranscriptWriter *writer, const Json *message);
    void (*tail)(TranscriptWriter *writer);
} TranscriptStyle;

extern const TranscriptStyle transcript_markdown;
extern const TranscriptStyle transcript_html;

/* JSON as a tree in the writer's arena; NULL for null, nothing, or what is no JSON. */
const Json *transcript_tree(TranscriptWriter *writer, Str raw);

/* A text, or in the arena what an "attachment://<key>" in its place refers to. */
Str transcript_text(TranscriptWriter *writer, Str text);

/* A value in one line, in the arena: text as it is, the rest as JSON; "" of null. With indent, JSON
   is spread over lines. */
Str transcript_value(TranscriptWriter *writer, const Json *node, int indent);

/* What stands at the top: "Task", ... with values; n is TRANSCRIPT_N_ITEMS. Values that are missing
   are STR_NONE. */
enum { TRANSCRIPT_N_ITEMS = 11 };
typedef struct TranscriptItem {
    const char *name;
    Str value;
} TranscriptItem;
void transcript_items(TranscriptWriter *writer, TranscriptItem ret[TRANSCRIPT_N_ITEMS]);

/* The edits of a score, one after the other. */
typedef struct TranscriptEdits {
    const Json *next;
    const Json *value; /* that the score had before it */
} TranscriptEdits;
TranscriptEdits transcript_edits(const Json *score);

/* "by ann, 2026-01-02T03:04:05Z, from C to I: why" of the next one that says who made it, in the
   arena; STR_NONE behind the last. */
Str transcript_next_edit(TranscriptWriter *writer, TranscriptEdits *edits);

/* Writes the JSON of a sample from its parts; as transcript_step. */
typedef struct TranscriptJson {
    int open;     /* what is open: a kind of part, or -1 */
    bool has[3];  /* messages, events, attachments */
    bool has_any; /* members */
} TranscriptJson;
void transcript_json_part(TranscriptJson *json, const SamplePart *part, Buf *ret);
void transcript_json_end(TranscriptJson *json, Buf *ret);

#endif
