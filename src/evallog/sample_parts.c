/* Walks a sample's document: its members, and one level below for those that are sequences. */

#include "evallog/sample_parts.h"

#include <stdlib.h>

#include "base/mem.h"
#include "evallog/evallog_priv.h"
#include "evallog/evallog_text.h"
#include "evallog/sample_chunks.h"

/* A sequence of parts: a member of the sample, or of one of its groups. */
typedef struct Sequence {
    const char *group; /* NULL: of the sample itself */
    const char *name;
    SamplePartKind kind;
    bool is_object; /* its members have keys that matter */
} Sequence;

/* clang-format off */
static const Sequence sequences[] = {
    { NULL,          "messages",    SAMPLE_PART_MESSAGE,      false },
    { NULL,          "events",      SAMPLE_PART_EVENT,        false },
    { NULL,          "attachments", SAMPLE_PART_ATTACHMENT,   true  },
    { "events_data", "messages",    SAMPLE_PART_POOL_MESSAGE, false },
    { "events_data", "calls",       SAMPLE_PART_POOL_CALL,    false },
    { "transcript",  "events",      SAMPLE_PART_EVENT,        false },
    { "transcript",  "content",     SAMPLE_PART_ATTACHMENT,   true  },
};
static const char *const groups[] = { "events_data", "transcript" };
/* clang-format on */

enum { N_KINDS = SAMPLE_PART_ATTACHMENT + 1 };

struct SampleParts {
    const EvalLog *log; /* NULL: the document was in memory before */
    const EvalLogSample *sample;
    const char *name; /* of the file, and what the sample is called in messages */
    Str id;
    const char *left_out; /* a member, or NULL */
    SampleChunks *chunks; /* NULL: the sample is the document in text */
    EvalLogText text;
    Arena *arena;           /* keys of a sample in memory */
    Buf key;                /* the key given last, of another */
    const char *group;      /* whose members come next; NULL: those of the sample */
    const Sequence *inside; /* whose items come next */
    bool is_over;
    bool was_seen[ARRAY_LEN(sequences)];
    size_t n[N_KINDS];
};

/* Says which sample a failure is about. */
static int name_sample(const SampleParts *parts, Error *err)
{
    return error_wrap(err, "%s: sample %.*s", parts->name, STR_ARG(parts->id));
}

/* Whether the text has failed; reports it. */
static int check(const SampleParts *parts, Error *err)
{
    return json_stream_check(parts->text.stream, err) < 0 ? name_sample(parts, err) : 0;
}

static bool is_same_group(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static const Sequence *find_sequence(const char *group, Str key)
{
    for (size_t i = 0; i < ARRAY_LEN(sequences); i++) {
        if (is_same_group(sequences[i].group, group) && json_scan_key_eq(key, sequences[i].name))
            return &sequences[i];
    }
    return NULL;
}

static const char *find_group(const char *group, Str key)
{
    for (size_t i = 0; !group && i < ARRAY_LEN(groups); i++) {
        if (json_scan_key_eq(key, groups[i]))
            return groups[i];
    }
    return NULL;
}

/* A key without its escapes, valid as long as the part. */
static Str plain_key(SampleParts *parts, Str key)
{
    Str plain = STR_NONE;
    if (parts->text.is_whole) {
        (void)json_scan_key_str(key, parts->arena, &plain);
        return plain;
    }
    buf_reset(&parts->key);
    (void)json_scan_add_str(json_scan_key_raw(key), &parts->key);
    return buf_str(&parts->key);
}

/* Steps into the sequence whose value comes next. */
static int enter_sequence(SampleParts *parts, const Sequence *sequence, Error *err)
{
    size_t i = (size_t)(sequence - sequences);
    if (json_stream_kind(parts->text.stream) == JSON_SCAN_NULL)
        return 0;
    if (parts->was_seen[i])
        return error_set(err, ERR_BAD_DATA, "%s: sample %.*s: %s comes twice", parts->name,
                         STR_ARG(parts->id), sequence->name);
    parts->was_seen[i] = true;
    bool is_in = sequence->is_object ? json_stream_object(parts->text.stream)
                                     : json_stream_array(parts->text.stream);
    if (!is_in)
        return check(parts, err);
    parts->inside = sequence;
    return 0;
}

/* Gives the value that comes next as a part; sequences without keys have STR_NONE. */
static int give(SampleParts *parts, SamplePartKind kind, Str key, SamplePart *ret, Error *err)
{
    Str plain = key.p ? plain_key(parts, key) : STR_NONE;
    Str raw = STR_NONE;
    if (!json_stream_skip(parts->text.stream, &raw))
        return check(parts, err);
    *ret = (SamplePart){.kind = kind, .key = plain, .raw = raw};
    return 1;
}

/* The next item of the sequence; 0 when it is over. */
static int next_item(SampleParts *parts, SamplePart *ret, Error *err)
{
    Str key = STR_NONE;
    const Sequence *sequence = parts->inside;
    bool has_item = sequence->is_object ? json_stream_member(parts->text.stream, &key)
                                        : json_stream_item(parts->text.stream);
    if (has_item)
        return give(parts, sequence->kind, key, ret, err);
    parts->inside = NULL;
    return check(parts, err);
}

/* The next member of the sample or of a group: 1 with a part, 0 when there is none in it. */
static int next_member(SampleParts *parts, SamplePart *ret, Error *err)
{
    Str key = STR_NONE;
    if (!json_stream_member(parts->text.stream, &key)) {
        parts->is_over = !parts->group;
        parts->group = NULL;
        return check(parts, err);
    }
    const Sequence *sequence = find_sequence(parts->group, key);
    const char *group = find_group(parts->group, key);
    if (sequence)
        return enter_sequence(parts, sequence, err);
    if (parts->group || (group && json_stream_kind(parts->text.stream) == JSON_SCAN_NULL))
        return 0;
    if (!group && parts->left_out && json_scan_key_eq(key, parts->left_out))
        return json_stream_skip(parts->text.stream, NULL) ? 0 : check(parts, err);
    if (!group)
        return give(parts, SAMPLE_PART_MEMBER, key, ret, err);
    parts->group = group;
    return json_stream_object(parts->text.stream) ? 0 : check(parts, err);
}

/* The next part of a sample that is one document. */
static int next_part(SampleParts *parts, SamplePart *ret, Error *err)
{
    int result = 0;
    while (result == 0 && !parts->is_over)
        result = parts->inside ? next_item(parts, ret, err) : next_member(parts, ret, err);
    if (result != 0)
        return result;
    return json_stream_end(parts->text.stream, err) < 0 ? name_sample(parts, err) : 0;
}

static bool is_uuid_wanted(const SampleParts *parts, const SamplePart *part)
{
    return parts->sample && parts->sample->uuid.p && part->kind == SAMPLE_PART_MEMBER &&
           str_eqz(part->key, "uuid");
}

int sample_parts_next(SampleParts *parts, SamplePart *ret, Error *err)
{
    SamplePart part = {0};
    int result = parts->chunks ? sample_chunks_next(parts->chunks, &part, err)
                               : next_part(parts, &part, err);
    if (result != 1)
        return result;
    if (part.kind == SAMPLE_PART_MEMBER && parts->left_out && str_eqz(part.key, parts->left_out))
        return sample_parts_next(parts, ret, err);
    if (is_uuid_wanted(parts, &part) &&
        evallog_check_uuid(parts->log, parts->sample, part.raw, err) < 0)
        return -1;
    part.index = parts->n[part.kind]++;
    *ret = part;
    return 1;
}

static int open_text(SampleParts *parts, Error *err)
{
    const EvalLog *log = parts->log;
    if (!log->zip)
        return evallog_json_open_sample(log, parts->sample, &parts->text, err);
    const ZipEntry *entry = zip_entry(log->zip, parts->sample->index);
    return parts->sample->is_chunked ? sample_chunks_open(log, entry, &parts->chunks, err)
                                     : evallog_text_open_member(&parts->text, log, entry, err);
}

static SampleParts *parts_new(const char *name, Str id)
{
    SampleParts *parts = mem_alloc(sizeof(*parts));
    parts->name = name;
    parts->id = id;
    parts->arena = arena_new();
    parts->key = BUF_INIT(SAMPLE_PARTS_PART_MAX);
    return parts;
}

void sample_parts_leave_out(SampleParts *parts, const char *member)
{
    parts->left_out = member;
}

int sample_parts_rewind(SampleParts *parts, Error *err)
{
    parts->group = NULL;
    parts->inside = NULL;
    parts->is_over = false;
    memset(parts->was_seen, 0, sizeof(parts->was_seen));
    memset(parts->n, 0, sizeof(parts->n));
    sample_chunks_close(TAKE(parts->chunks));
    if (parts->text.is_whole)
        evallog_text_rewind(&parts->text);
    else if (open_text(parts, err) < 0)
        return -1;
    return parts->chunks || json_stream_object(parts->text.stream) ? 0 : check(parts, err);
}

int sample_parts_open(const EvalLog *log, const EvalLogSample *sample, SampleParts **ret,
                      Error *err)
{
    auto_sample_parts SampleParts *parts = parts_new(log->source->name, sample->id);
    parts->log = log;
    parts->sample = sample;
    if (sample_parts_rewind(parts, err) < 0)
        return -1;
    *ret = TAKE(parts);
    return 0;
}

int sample_parts_open_text(Str json, const char *name, SampleParts **ret, Error *err)
{
    auto_sample_parts SampleParts *parts = parts_new(name, STR("in memory"));
    evallog_text_open_text(&parts->text, json);
    if (sample_parts_rewind(parts, err) < 0)
        return -1;
    *ret = TAKE(parts);
    return 0;
}

void sample_parts_close(SampleParts *parts)
{
    if (!parts)
        return;
    sample_chunks_close(parts->chunks);
    evallog_text_close(&parts->text);
    arena_free(parts->arena);
    buf_release(&parts->key);
    free(parts);
}

bool sample_parts_is_whole(const SampleParts *parts)
{
    return !parts->chunks && parts->text.is_whole;
}
