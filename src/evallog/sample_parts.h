/* SampleParts: one sample of a log, one part after the other, in bounded memory.

   Parts come in the order of the file, which is the maker's: a pool entry or an attachment may come
   behind the events that refer to it. Of a sample in chunks come members, attachments (whose keys
   are their numbers), pool messages, pool calls, messages, events.

   Members of the sample other than messages, events, attachments and events_data come as they are,
   one part each. A key may come twice; the last counts. What a log from before the `.eval` format
   has under "transcript" comes as events and attachments. A messages, events, attachments or
   events_data that is null has no parts.

       SamplePart part;
       int has_part = 0;
       while ((has_part = sample_parts_next(parts, &part, err)) == 1)
           ...
       if (has_part < 0) ... */
#ifndef HAWK_EVALLOG_SAMPLE_PARTS_H
#define HAWK_EVALLOG_SAMPLE_PARTS_H

#include <stdbool.h>

#include "evallog/evallog.h"

/* A sample of up to SAMPLE_PARTS_WHOLE_MAX bytes of JSON is in memory as a whole. Of a larger one
   only the part given last is, of up to SAMPLE_PARTS_PART_MAX bytes, beside a few MB; of one in
   chunks one chunk, by the same rule. */
#define SAMPLE_PARTS_WHOLE_MAX ((size_t)32 << 20)
#define SAMPLE_PARTS_PART_MAX ((size_t)256 << 20)

typedef struct SampleParts SampleParts;

typedef enum SamplePartKind {
    SAMPLE_PART_MEMBER, /* id, epoch, input, target, scores, output, metadata, store, ... */
    SAMPLE_PART_MESSAGE,
    SAMPLE_PART_EVENT,
    SAMPLE_PART_POOL_MESSAGE, /* events_data.messages: input_refs of model events count these */
    SAMPLE_PART_POOL_CALL,    /* events_data.calls */
    SAMPLE_PART_ATTACHMENT,
} SamplePartKind;

typedef struct SamplePart {
    SamplePartKind kind;
    Str key;      /* of a member or an attachment, without escapes; else STR_NONE */
    Str raw;      /* the value as the log has it: JSON, checked */
    size_t index; /* among the parts of its kind, from 0 */
} SamplePart;

/* Opens a sample that the log lists; the log must outlive it. Several threads may read parts of one
   log at once, each its own. */
int sample_parts_open(const EvalLog *log, const EvalLogSample *sample, SampleParts **ret,
                      Error *err) HAWK_MUST_USE;

/* The same of a document in memory, which must outlive it; name is for messages. */
int sample_parts_open_text(Str json, const char *name, SampleParts **ret, Error *err) HAWK_MUST_USE;
void sample_parts_close(SampleParts *parts);

/* From here on the sample's member of this name is passed over, however large it is. */
void sample_parts_leave_out(SampleParts *parts, const char *member);

/* 1 with the next part, 0 at the end, -1 when the sample is broken or a part is too large
   (ERR_BAD_DATA, naming the sample and the byte). Key and raw are valid until the next call, or
   until sample_parts_close when sample_parts_is_whole. */
int sample_parts_next(SampleParts *parts, SamplePart *ret, Error *err) HAWK_MUST_USE;

/* Starts again from the first part. What was given before stays valid if the sample is whole. Fails
   as sample_parts_open. */
int sample_parts_rewind(SampleParts *parts, Error *err) HAWK_MUST_USE;

/* Whether the whole sample is in memory. */
bool sample_parts_is_whole(const SampleParts *parts);

HAWK_DEFINE_AUTO(SampleParts, sample_parts, sample_parts_close)
#define auto_sample_parts HAWK_CLEANUP(sample_parts_cleanup_)

#endif
