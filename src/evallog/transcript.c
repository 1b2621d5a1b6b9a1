/* The course of a transcript: what is shown at the top is read first, then which attachments the
   messages need, then message by message. */

#include "evallog/transcript.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json_out.h"
#include "codec/json_scan.h"
#include "evallog/transcript_priv.h"

enum { STEP_BYTES = 256 << 10, VALUE_MAX = 64 << 20 };

/* A message, score or argument is bounded by the part that it is in. */
static const JsonLimits part_limits = {.bytes = (size_t)1 << 30,
                                       .depth = 100,
                                       .nodes = 50000000,
                                       .allow_nan = true,
                                       .allow_duplicates = true};

typedef enum Phase { PHASE_HEAD, PHASE_MESSAGES, PHASE_OVER } Phase;

struct Transcript {
    SampleParts *parts;
    TranscriptFormat format;
    TranscriptAbout about;
    Arena *arena; /* of the whole */
    Arena *piece;
    TranscriptFacts facts;
    TranscriptAttachments attachments;
    TranscriptJson json;
    Phase phase;
};

/* clang-format off */
static const struct { const char *name; const char *media_type; const TranscriptStyle *style; } formats[] = {
    [TRANSCRIPT_MARKDOWN] = { "md",   "text/markdown; charset=utf-8", &transcript_markdown },
    [TRANSCRIPT_HTML]     = { "html", "text/html; charset=utf-8",     &transcript_html },
    [TRANSCRIPT_JSON]     = { "json", "application/json",             NULL },
};

static const struct { const char *name; size_t offset; } members[] = {
    { "id", offsetof(TranscriptFacts, id) }, { "epoch", offsetof(TranscriptFacts, epoch) },
    { "uuid", offsetof(TranscriptFacts, uuid) }, { "target", offsetof(TranscriptFacts, target) },
    { "scores", offsetof(TranscriptFacts, scores) }, { "error", offsetof(TranscriptFacts, error) },
    { "limit", offsetof(TranscriptFacts, limit) }, { "invalidation", offsetof(TranscriptFacts, invalidation) },
    { "started_at", offsetof(TranscriptFacts, started_at) },
    { "completed_at", offsetof(TranscriptFacts, completed_at) },
    { "total_time", offsetof(TranscriptFacts, total_time) },
    { "working_time", offsetof(TranscriptFacts, working_time) },
};
/* clang-format on */

bool transcript_format_find(Str name, TranscriptFormat *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        Str rest = str_of(formats[i].media_type);
        Str type = STR_NONE;
        (void)str_split(&rest, ';', &type);
        if (str_eqz(name, formats[i].name) || str_eq_nocase(name, type)) {
            *ret = (TranscriptFormat)i;
            return true;
        }
    }
    return false;
}

const char *transcript_format_name(TranscriptFormat format)
{
    return formats[format].name;
}

const char *transcript_format_media_type(TranscriptFormat format)
{
    return formats[format].media_type;
}

/* --- what writers ask for --- */

static bool is_null(Str raw)
{
    return raw.n == 0 || json_scan_kind_of(raw) == JSON_SCAN_NULL;
}

const Json *transcript_tree(TranscriptWriter *writer, Str raw)
{
    Json *node = NULL;
    auto_error Error ignored = ERROR_INIT;
    return !is_null(raw) && json_parse(writer->arena, raw, &part_limits, &node, &ignored) == 0
               ? node
               : NULL;
}

Str transcript_value(TranscriptWriter *writer, const Json *node, int indent)
{
    if (json_is_null(node))
        return STR("");
    if (node->type == JSON_STRING)
        return transcript_text(writer, node->text);
    auto_buf Buf text = BUF_INIT(VALUE_MAX);
    JsonOut out;
    json_out_init(&out, &text, indent);
    json_out_node(&out, node);
    return arena_str(writer->arena, buf_str(&text));
}

static Str shown(TranscriptWriter *writer, Str raw)
{
    const Json *node = transcript_tree(writer, raw);
    Str value = transcript_value(writer, node, 0);
    return value.n > 0 ? value : STR_NONE;
}

/* Who, when and why; `what` stands before the reason. */
static Str provenance(TranscriptWriter *writer, const Json *node, Str what)
{
    Str who = json_text(node, "author", STR("somebody"));
    Str when = json_text(node, "timestamp", STR("some time"));
    Str why = json_text(node, "reason", STR(""));
    return str_of(arena_printf(writer->arena, "by %.*s, %.*s%.*s%s%.*s", STR_ARG(who),
                               STR_ARG(when), STR_ARG(what), why.n ? ": " : "", STR_ARG(why)));
}

/* The value that stands after an edit, which may leave it as it was. */
static const Json *value_after(const Json *edit, const Json *before)
{
    const Json *value = json_get(edit, "value");
    bool is_same = !value || (value->type == JSON_STRING && str_eqz(value->text, "UNCHANGED"));
    return is_same ? before : value;
}

TranscriptEdits transcript_edits(const Json *score)
{
    const Json *history = json_get(score, "history");
    bool is_list = history && history->type == JSON_ARRAY;
    return (TranscriptEdits){.next = is_list ? history->first : NULL};
}

Str transcript_next_edit(TranscriptWriter *writer, TranscriptEdits *edits)
{
    while (edits->next) {
        const Json *edit = edits->next;
        const Json *before = edits->value;
        const Json *who = json_get(edit, "provenance");
        edits->next = edit->next;
        edits->value = value_after(edit, before);
        if (json_is_null(who))
            continue;
        if (!before || before == edits->value)
            return provenance(writer, who, STR(""));
        Str from = transcript_value(writer, before, 0);
        Str to = transcript_value(writer, edits->value, 0);
        return provenance(
            writer, who,
            str_of(arena_printf(writer->arena, ", from %.*s to %.*s", STR_ARG(from), STR_ARG(to))));
    }
    return STR_NONE;
}

void transcript_items(TranscriptWriter *writer, TranscriptItem ret[TRANSCRIPT_N_ITEMS])
{
    const TranscriptFacts *facts = writer->facts;
    const TranscriptAbout *about = writer->about;
    const Json *limit = transcript_tree(writer, facts->limit);
    const Json *invalid = transcript_tree(writer, facts->invalidation);
    Str uuid = shown(writer, facts->uuid);
    const TranscriptItem items[TRANSCRIPT_N_ITEMS] = {
        {"UUID", uuid.p ? uuid : about->uuid},
        {"Eval set", about->eval_set_id},
        {"Task", about->task},
        {"Model", about->model},
        {"Target", shown(writer, facts->target)},
        {"Declared invalid", invalid ? provenance(writer, invalid, STR("")) : STR_NONE},
        {"Stopped by limit", json_text(limit, "type", STR_NONE)},
        {"Started", shown(writer, facts->started_at)},
        {"Completed", shown(writer, facts->completed_at)},
        {"Total seconds", shown(writer, facts->total_time)},
        {"Working seconds", shown(writer, facts->working_time)},
    };
    memcpy(ret, items, sizeof(items));
}

/* --- what is needed --- */

/* A view that outlives the part: parts of a sample that is in memory stay. */
static Str keep(Transcript *transcript, Str raw)
{
    return sample_parts_is_whole(transcript->parts) ? raw : arena_str(transcript->arena, raw);
}

static void note_part(Transcript *transcript, const SamplePart *part)
{
    if (part->kind == SAMPLE_PART_MESSAGE)
        transcript_attachments_note(&transcript->attachments, transcript->arena, part->raw);
    if (part->kind != SAMPLE_PART_MEMBER)
        return;
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (str_eqz(part->key, members[i].name))
            *(Str *)((char *)&transcript->facts + members[i].offset) = keep(transcript, part->raw);
}

static int find_facts(Transcript *transcript, Error *err)
{
    SamplePart part;
    int has_part = 0;
    while ((has_part = sample_parts_next(transcript->parts, &part, err)) == 1)
        note_part(transcript, &part);
    return has_part < 0 ? -1 : sample_parts_rewind(transcript->parts, err);
}

/* --- the course --- */

int transcript_open(SampleParts *take_parts, const TranscriptAbout *about, TranscriptFormat format,
                    Transcript **ret, Error *err)
{
    Transcript *transcript = mem_alloc(sizeof(*transcript));
    transcript->parts = take_parts;
    transcript->format = format;
    transcript->about = *about;
    transcript->arena = arena_new();
    transcript->piece = arena_new();
    transcript->json.open = -1;
    bool is_for_people = formats[format].style != NULL;
    if (is_for_people)
        sample_parts_leave_out(take_parts, "events");
    if (is_for_people && (find_facts(transcript, err) < 0 ||
                          transcript_attachments_find(&transcript->attachments, take_parts,
                                                      transcript->arena, err) < 0)) {
        transcript->parts = NULL; /* still the caller's */
        transcript_close(transcript);
        return -1;
    }
    *ret = transcript;
    return 0;
}

void transcript_close(Transcript *transcript)
{
    if (!transcript)
        return;
    sample_parts_close(transcript->parts);
    arena_free(transcript->arena);
    arena_free(transcript->piece);
    transcript_attachments_release(&transcript->attachments);
    free(transcript);
}

static TranscriptWriter writer_of(Transcript *transcript, Buf *out)
{
    return (TranscriptWriter){.arena = transcript->piece,
                              .out = out,
                              .about = &transcript->about,
                              .facts = &transcript->facts,
                              .attachments = &transcript->attachments};
}

/* Parts until there is enough; 0 at the end of the sample. */
static int write_parts(Transcript *transcript, Buf *ret, Error *err)
{
    const TranscriptStyle *style = formats[transcript->format].style;
    TranscriptWriter writer = writer_of(transcript, ret);
    SamplePart part;
    int has_part = 1;
    size_t before = ret->len;
    while (has_part == 1 && ret->len - before < STEP_BYTES) {
        has_part = sample_parts_next(transcript->parts, &part, err);
        if (has_part != 1)
            break;
        if (!style) {
            transcript_json_part(&transcript->json, &part, ret);
        } else if (part.kind == SAMPLE_PART_MESSAGE) {
            const Json *message = transcript_tree(&writer, part.raw);
            if (message)
                style->message(&writer, message);
            arena_reset(transcript->piece);
        }
    }
    return has_part;
}

int transcript_step(Transcript *transcript, Buf *ret, Error *err)
{
    const TranscriptStyle *style = formats[transcript->format].style;
    TranscriptWriter writer = writer_of(transcript, ret);
    int more = 1;
    if (transcript->phase == PHASE_OVER)
        return 0;
    if (transcript->phase == PHASE_HEAD) {
        if (style)
            style->head(&writer);
        transcript->phase = PHASE_MESSAGES;
    } else {
        more = write_parts(transcript, ret, err);
        if (more < 0)
            return error_wrap(err, "the sample cannot be read");
        if (more == 0) {
            if (style)
                style->tail(&writer);
            else
                transcript_json_end(&transcript->json, ret);
            transcript->phase = PHASE_OVER;
        }
    }
    arena_reset(transcript->piece);
    return buf_check(ret, "the transcript", err) < 0 ? -1 : more;
}

int transcript_write(Str sample, const TranscriptAbout *about, TranscriptFormat format, Buf *ret,
                     Error *err)
{
    auto_sample_parts SampleParts *parts = NULL;
    auto_transcript Transcript *transcript = NULL;
    if (sample_parts_open_text(sample, "the sample", &parts, err) < 0 ||
        transcript_open(parts, about, format, &transcript, err) < 0)
        return -1;
    (void)TAKE(parts);
    int more = 1;
    while (more == 1)
        more = transcript_step(transcript, ret, err);
    return more;
}
