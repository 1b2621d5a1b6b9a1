/* The course of a search in a sample: which attachments are needed, then part by part. */

#include "evallog/grep.h"

#include "base/clock.h"
#include "base/random.h"
#include "codec/regex.h"
#include "evallog/grep_priv.h"

enum {
    AROUND = 50, /* characters before and behind a place */
    TIME_MAX_MS = 10 * 1000,
    PATTERN_MAX = 4 * GREP_QUERY_MAX,
    TEXT_MAX = 64 << 20, /* of a part, with the attachments that it names, be it a thousand times */
    EXPLANATION_MAX = 64 << 20,
    REFERENCES_MAX = 64 << 20,
    ID_MAX = 1000,
};

typedef struct Grep {
    const GrepQuestion *question;
    Regex *regex;
    int64_t until_ms;
    TranscriptAttachments attachments;
    Arena *arena;
    Arena *piece;
    Buf explanation;
    Buf references; /* JSON, with commas between */
    size_t n_places;
} Grep;

static void grep_release(Grep *grep)
{
    regex_free(grep->regex);
    transcript_attachments_release(&grep->attachments);
    arena_free(grep->arena);
    arena_free(grep->piece);
    buf_release(&grep->explanation);
    buf_release(&grep->references);
}

/* --- the expression --- */

/* Letters, digits and what is beyond ASCII mean themselves; a backslash makes the rest do so. */
static void add_literal(Buf *pattern, Str query)
{
    for (size_t i = 0; i < query.n; i++) {
        char c = query.p[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
        if (!is_plain)
            buf_addc(pattern, '\\');
        buf_addc(pattern, c);
    }
}

static int compile(Grep *grep, Error *err)
{
    const GrepQuestion *question = grep->question;
    auto_buf Buf pattern = BUF_INIT(PATTERN_MAX);
    if (question->query.n > GREP_QUERY_MAX)
        return error_set(err, ERR_USAGE, "query: at most %d bytes", GREP_QUERY_MAX);
    buf_addz(&pattern, question->has_word_boundary ? "\\b" : "");
    if (question->is_regex)
        buf_add_str(&pattern, question->query);
    else
        add_literal(&pattern, question->query);
    buf_addz(&pattern, question->has_word_boundary ? "\\b" : "");
    unsigned options = REGEX_UNICODE | (question->ignores_case ? REGEX_CASELESS : 0);
    return regex_compile(buf_str(&pattern), options, &grep->regex, err);
}

/* --- a place --- */

/* The byte that is so many characters before, or behind, one. */
static size_t back(Str text, size_t at, size_t n)
{
    while (at > 0 && n > 0) {
        at--;
        n -= ((unsigned char)text.p[at] & 0xC0) != 0x80;
    }
    return at;
}

static size_t forth(Str text, size_t at, size_t n)
{
    for (; at < text.n && n > 0; n--) {
        size_t step = str_utf8_char(str_slice(text, at, text.n));
        at += step ? step : 1;
    }
    return at;
}

static void add_in_line(Buf *out, Str text)
{
    for (size_t i = 0; i < text.n; i++)
        buf_addc(out, text.p[i] == '\n' ? ' ' : text.p[i]);
}

static void add_place(Grep *grep, const char *cite, Str text, RegexPlace place)
{
    Buf *out = &grep->explanation;
    size_t start = back(text, place.from, AROUND);
    size_t end = forth(text, place.to, AROUND);
    buf_printf(out, "%s%s: %s", out->len ? "\n" : "", cite, start > 0 ? "..." : "");
    add_in_line(out, str_slice(text, start, place.from));
    buf_addz(out, "**");
    add_in_line(out, str_slice(text, place.from, place.to));
    buf_addz(out, "**");
    add_in_line(out, str_slice(text, place.to, end));
    buf_addz(out, end < text.n ? "..." : "");
    grep->n_places++;
}

/* One that has no id is named by its place. */
static void add_reference(Grep *grep, const char *kind, const char *cite, Str id)
{
    JsonOut out;
    buf_addz(&grep->references, grep->references.len ? "," : "");
    json_out_init(&out, &grep->references, 0);
    json_out_object(&out);
    json_out_kvz(&out, "type", kind);
    json_out_kvz(&out, "cite", cite);
    json_out_kv_str(&out, "id", id.n ? str_slice(id, 0, ID_MAX) : str_of(cite));
    json_out_end_object(&out);
}

static int too_many(Error *err)
{
    (void)error_set(err, ERR_USAGE, "this fits in over %d places", GREP_PLACES_MAX);
    return error_fix(err, "look for something longer, or in fewer messages and events");
}

static int check_time(const Grep *grep, Error *err)
{
    if (clock_monotonic_ms() < grep->until_ms)
        return 0;
    return error_set(err, ERR_TIMEOUT, "the search takes longer than %d s", TIME_MAX_MS / 1000);
}

static int search(Grep *grep, Str text, const char *kind, size_t number, Str id, Error *err)
{
    char cite[32];
    size_t before = grep->n_places;
    RegexPlace place = {0};
    bool may_be_empty = true; /* but not where the place before ended */
    int found = 0;
    (void)snprintf(cite, sizeof(cite), "[%c%zu]", kind[0] == 'm' ? 'M' : 'E', number);
    while ((found = regex_find(grep->regex, text, place.to, may_be_empty, grep->until_ms, &place,
                               err)) == 1) {
        if (grep->n_places == GREP_PLACES_MAX)
            return too_many(err);
        add_place(grep, cite, text, place);
        may_be_empty = place.to > place.from;
        if (check_time(grep, err) < 0)
            return -1;
    }
    if (grep->n_places > before)
        add_reference(grep, kind, cite, id);
    return found;
}

/* --- the sample --- */

static bool is_wanted(const Json *filter, Str kind)
{
    if (json_is_null(filter))
        return false;
    if (filter->type != JSON_ARRAY)
        return true;
    for (const Json *item = filter->first; item; item = item->next)
        if (str_eq(item->text, kind))
            return true;
    return false;
}

/* Messages stand before events in the result, wherever they are in the log. */
static int search_kind(Grep *grep, SampleParts *parts, bool is_messages, Error *err)
{
    const Json *filter = is_messages ? grep->question->messages : grep->question->events;
    SamplePartKind kind = is_messages ? SAMPLE_PART_MESSAGE : SAMPLE_PART_EVENT;
    SamplePart part;
    int has_part = 0;
    size_t number = 0;
    if (json_is_null(filter))
        return 0;
    while ((has_part = sample_parts_next(parts, &part, err)) == 1) {
        if (check_time(grep, err) < 0)
            return -1;
        auto_buf Buf text = BUF_INIT(TEXT_MAX);
        TranscriptWriter writer = {
            .arena = grep->piece, .out = &text, .attachments = &grep->attachments};
        const Json *node = part.kind == kind ? transcript_tree(&writer, part.raw) : NULL;
        if (node && is_wanted(filter, json_text(node, is_messages ? "role" : "event", STR_NONE))) {
            number++;
            (is_messages ? grep_text_message : grep_text_event)(&writer, node);
            if (buf_check(&text, "a part of the sample", err) < 0 ||
                search(grep, buf_str(&text), is_messages ? "message" : "event", number,
                       json_text(node, is_messages ? "id" : "uuid", STR_NONE), err) < 0)
                return -1;
        }
        arena_reset(grep->piece);
    }
    return has_part < 0 ? -1 : sample_parts_rewind(parts, err);
}

static int find_attachments(Grep *grep, SampleParts *parts, Error *err)
{
    SamplePart part;
    int has_part = 0;
    while ((has_part = sample_parts_next(parts, &part, err)) == 1) {
        if (check_time(grep, err) < 0)
            return -1;
        bool is_needed =
            (part.kind == SAMPLE_PART_MESSAGE && !json_is_null(grep->question->messages)) ||
            (part.kind == SAMPLE_PART_EVENT && !json_is_null(grep->question->events));
        if (is_needed)
            transcript_attachments_note(&grep->attachments, grep->arena, part.raw);
    }
    if (has_part < 0 || sample_parts_rewind(parts, err) < 0)
        return -1;
    return transcript_attachments_find(&grep->attachments, parts, grep->arena, err);
}

static void write_result(const Grep *grep, JsonOut *out)
{
    static const char *const nulls[] = {"metadata", "label", "type", "answer"};
    char uuid[RANDOM_UUID_MAX];
    json_out_object(out);
    json_out_kvz(out, "uuid", random_uuid7(uuid));
    json_out_kv_int(out, "value", (int64_t)grep->n_places);
    json_out_kv_str(out, "explanation", grep->n_places ? buf_str(&grep->explanation) : STR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(nulls); i++)
        json_out_kv_null(out, nulls[i]);
    json_out_kv_array(out, "references");
    if (grep->references.len)
        json_out_raw(out, buf_str(&grep->references));
    json_out_end_array(out);
    json_out_end_object(out);
}

int grep_sample(SampleParts *parts, const GrepQuestion *question, JsonOut *out, Error *err)
{
    HAWK_CLEANUP(grep_release)
    Grep grep = {.question = question,
                 .until_ms = clock_monotonic_ms() + TIME_MAX_MS,
                 .arena = arena_new(),
                 .piece = arena_new(),
                 .explanation = BUF_INIT(EXPLANATION_MAX),
                 .references = BUF_INIT(REFERENCES_MAX)};
    if (compile(&grep, err) < 0 || find_attachments(&grep, parts, err) < 0 ||
        search_kind(&grep, parts, true, err) < 0 || search_kind(&grep, parts, false, err) < 0 ||
        buf_check(&grep.explanation, "the places that were found", err) < 0 ||
        buf_check(&grep.references, "the places that were found", err) < 0)
        return -1;
    write_result(&grep, out);
    return 0;
}
