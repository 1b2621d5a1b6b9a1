/* Walks a sample's document: its members, and one level below for those that are sequences. */

#include "evallog/sample_parts.h"

#include <stdlib.h>

#include "base/mem.h"
#include "evallog/evallog_priv.h"

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
    const EvalLog *log;
    const EvalLogSample *sample;
    Arena *arena;
    Buf text;
    JsonScan scan;
    const char *group;      /* whose members come next; NULL: those of the sample */
    const Sequence *inside; /* whose items come next */
    bool is_over;
    bool was_seen[ARRAY_LEN(sequences)];
    size_t n[N_KINDS];
};

static int fail(const SampleParts *parts, const char *text, Error *err)
{
    return error_set(err, ERR_BAD_DATA, "%s: sample %.*s: %s", parts->log->source->name,
                     STR_ARG(parts->sample->id), text);
}

/* Says which sample a failure is about. */
static int name_sample(const SampleParts *parts, Error *err)
{
    return error_wrap(err, "%s: sample %.*s", parts->log->source->name, STR_ARG(parts->sample->id));
}

static int check(const SampleParts *parts, Error *err)
{
    return json_scan_check(&parts->scan, err) < 0 ? name_sample(parts, err) : 0;
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

/* A key without its escapes, valid as long as the sample's text. */
static Str plain_key(SampleParts *parts, Str key)
{
    if (str_find(key, '\\') < 0)
        return key;
    Str quoted = {key.p - 1, key.n + 2};
    Str plain = key;
    (void)json_scan_str(quoted, parts->arena, &plain);
    return plain;
}

/* Steps into the sequence whose value comes next. */
static int enter_sequence(SampleParts *parts, const Sequence *sequence, Error *err)
{
    size_t i = (size_t)(sequence - sequences);
    if (json_scan_kind(&parts->scan) == JSON_SCAN_NULL)
        return 0;
    if (parts->was_seen[i])
        return fail(parts, "a list of messages, events or attachments comes twice", err);
    parts->was_seen[i] = true;
    bool is_in =
        sequence->is_object ? json_scan_object(&parts->scan) : json_scan_array(&parts->scan);
    if (!is_in)
        return check(parts, err);
    parts->inside = sequence;
    return 0;
}

/* Gives the value that comes next as a part. */
static int give(SampleParts *parts, SamplePartKind kind, Str key, SamplePart *ret, Error *err)
{
    SamplePart part = {.kind = kind, .index = parts->n[kind]};
    if (!json_scan_skip(&parts->scan, &part.raw))
        return check(parts, err);
    part.key = key.p ? plain_key(parts, key) : STR_NONE;
    parts->n[kind]++;
    *ret = part;
    return 1;
}

/* The next item of the sequence; 0 when it is over. */
static int next_item(SampleParts *parts, SamplePart *ret, Error *err)
{
    Str key = STR_NONE;
    const Sequence *sequence = parts->inside;
    bool has_item =
        sequence->is_object ? json_scan_member(&parts->scan, &key) : json_scan_item(&parts->scan);
    if (has_item)
        return give(parts, sequence->kind, key, ret, err);
    parts->inside = NULL;
    return check(parts, err);
}

/* The next member of the sample or of a group: 1 with a part, 0 when there is none in it. */
static int next_member(SampleParts *parts, SamplePart *ret, Error *err)
{
    Str key = STR_NONE;
    if (!json_scan_member(&parts->scan, &key)) {
        parts->is_over = !parts->group;
        parts->group = NULL;
        return check(parts, err);
    }
    const Sequence *sequence = find_sequence(parts->group, key);
    const char *group = find_group(parts->group, key);
    if (sequence)
        return enter_sequence(parts, sequence, err);
    if (parts->group || (group && json_scan_kind(&parts->scan) == JSON_SCAN_NULL))
        return 0;
    if (!group)
        return give(parts, SAMPLE_PART_MEMBER, key, ret, err);
    parts->group = group;
    return json_scan_object(&parts->scan) ? 0 : check(parts, err);
}

int sample_parts_next(SampleParts *parts, SamplePart *ret, Error *err)
{
    int result = 0;
    while (result == 0 && !parts->is_over)
        result = parts->inside ? next_item(parts, ret, err) : next_member(parts, ret, err);
    if (result != 0)
        return result;
    return json_scan_end(&parts->scan, err) < 0 ? name_sample(parts, err) : 0;
}

int sample_parts_rewind(SampleParts *parts, Error *err)
{
    parts->group = NULL;
    parts->inside = NULL;
    parts->is_over = false;
    memset(parts->was_seen, 0, sizeof(parts->was_seen));
    memset(parts->n, 0, sizeof(parts->n));
    json_scan_init(&parts->scan, buf_str(&parts->text), true);
    return json_scan_object(&parts->scan) ? 0 : check(parts, err);
}

int sample_parts_open(const EvalLog *log, const EvalLogSample *sample, SampleParts **ret,
                      Error *err)
{
    auto_sample_parts SampleParts *parts = mem_alloc(sizeof(*parts));
    parts->log = log;
    parts->sample = sample;
    parts->arena = arena_new();
    parts->text = BUF_INIT(EVALLOG_SAMPLE_MAX);
    if (evallog_read_sample(log, sample, &parts->text, err) < 0)
        return -1;
    if (sample_parts_rewind(parts, err) < 0)
        return -1;
    *ret = TAKE(parts);
    return 0;
}

void sample_parts_close(SampleParts *parts)
{
    if (!parts)
        return;
    arena_free(parts->arena);
    buf_release(&parts->text);
    free(parts);
}

bool sample_parts_is_whole(const SampleParts *parts)
{
    (void)parts;
    return true;
}
